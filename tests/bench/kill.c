/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long it takes until sockets of a server are dead: of every kind, in ten network
 * namespaces, from the order to the proof that none is left. And what looking through
 * the records of ten thousand connections costs. Of several rounds the median counts.
 */
#include "bench/bench.h"
#include "bpf/crowd.h"

#define SPACES 10
#define FIRST 20U
#define SERVERS 11U
#define OTHER (FIRST + 10)
#define ROUNDS 5
#define AGENTS "/agents" /* the cgroup of whoever has these sockets */
#define THOUSAND 1000
#define TEN_THOUSAND 10000

static struct dataplane *dp;
static struct crowd crowd;

static const struct sg_policy policy = {
	.half_open_max_ns = SG_FOREVER,
	.probe_lease_ns = SG_FOREVER / 4,
	.slow_ns = SG_FOREVER,
	.connect_ns = SG_FOREVER / 4,
	.timeout_ns = SG_FOREVER / 4,
	.abandon_ns = SG_FOREVER,
	.probes = 3,
	.deny_errno = ECONNREFUSED,
};

static void release_all(void)
{
	struct dataplane_sweep sweep;

	crowd_disperse(&crowd);
	for (uint32_t i = 0; i < SERVERS; i++)
		if (dataplane_quarantine_set(dp, FIRST + i, 0))
			bench_die("a release");
	for (int i = 0; i < 100; i++) { /* dead records stay for a second */
		if (dataplane_sweep(dp, &sweep))
			bench_die("a sweep");
		if (!sweep.dead && !sweep.flows)
			return;
		bench_drain(dp);
		usleep(50000);
	}
	bench_die("%u records are alive, %u dead, of sockets that are closed", sweep.flows,
		  sweep.dead);
}

/* Milliseconds until n sockets of one server are dead; others are not touched. */
static double one_server(size_t n, size_t others)
{
	double ms;

	crowd_add(&crowd, FIRST, n);
	crowd_add(&crowd, OTHER, others);
	ms = (double)crowd_quarantine(&crowd, FIRST) / 1e6;
	if (crowd_alive(&crowd, FIRST))
		bench_die("%zu sockets live on", crowd_alive(&crowd, FIRST));
	if (crowd_alive(&crowd, OTHER) != others)
		bench_die("sockets of another server died");
	release_all();
	return ms;
}

/* The same sockets, a tenth to each of ten servers that are ordered away one behind the other. */
static double ten_servers(size_t n)
{
	double ms = 0;

	for (uint32_t i = 0; i < 10; i++)
		crowd_add(&crowd, FIRST + i, n / 10);
	for (uint32_t i = 0; i < 10; i++)
		ms += (double)crowd_quarantine(&crowd, FIRST + i) / 1e6;
	if (crowd_alive(&crowd, SG_SERVERS_MAX))
		bench_die("sockets of one of ten servers live on");
	release_all();
	return ms;
}

static double sweep_ms(void)
{
	struct dataplane_sweep sweep;
	uint64_t start = bench_now();

	if (dataplane_sweep(dp, &sweep))
		bench_die("a sweep");
	return (double)(bench_now() - start) / 1e6;
}

static double sweep_of(size_t n)
{
	double ms[ROUNDS];

	crowd_add(&crowd, FIRST, n);
	for (size_t i = 0; i < ROUNDS; i++)
		ms[i] = sweep_ms();
	release_all();
	return bench_median(ms, ROUNDS);
}

/* Nothing is outstanding: the next sweep is not due while nothing happens. */
static bool idle_is_free(void)
{
	(void)sweep_ms();
	return dataplane_sweep_due(dp) > clock_boot_ns() + 3600 * NS_PER_SEC;
}

static int run(const char *path)
{
	CLEANUP(fclosep) FILE *json = fopen(path, "w");
	double one[ROUNDS];
	double ten[ROUNDS];
	double ratio[ROUNDS];
	double many;
	double sweep;
	bool idle;

	if (!json)
		bench_die("%s: %s", path, strerror(errno));
	dp = bench_dataplane(bench_place.cgroup);
	bench_make_cgroup(AGENTS);
	bench_enter_cgroup(AGENTS);
	crowd_init(&crowd, dp, SPACES, FIRST, SERVERS, &policy);
	for (size_t i = 0; i < ROUNDS; i++) {
		one[i] = one_server(THOUSAND, THOUSAND);
		ten[i] = ten_servers(THOUSAND);
		ratio[i] = ten[i] / one[i];
	}
	many = one_server(TEN_THOUSAND, 0);
	sweep = sweep_of(TEN_THOUSAND);
	idle = idle_is_free();
	printf("# deadline: kill_1000 %.1f 100 ms from the order to the proof, of every kind, in %d "
	       "namespaces\n",
	       bench_median(one, ROUNDS), SPACES);
	printf("# deadline: kill_ten_servers %.2f 2 times as long as for one, of as many sockets\n",
	       bench_median(ratio, ROUNDS));
	printf("# deadline: kill_10000 %.1f 500 ms from the order to the proof\n", many);
	printf("# deadline: sweep_10000 %.2f 10 ms through the records of as many connections\n",
	       sweep);
	printf("# deadline: sweep_idle %d 0 sweeps due while nothing is outstanding\n", !idle);
	fprintf(json,
		"{\"kill_1000_ms\": %.2f, \"kill_ten_servers_ms\": %.2f, \"kill_10000_ms\": %.2f, "
		"\"sweep_10000_ms\": %.3f}\n",
		bench_median(one, ROUNDS), bench_median(ten, ROUNDS), many, sweep);
	crowd_done(&crowd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		bench_die("usage: %s JSON-FILE", argv[0]);
	return bench_main(run, argv[1]);
}
