/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the benchmarks share: a place of their own (cgroups, network namespace,
 * pin directory, one CPU), paired medians, and numbers written as JSON.
 * Header-only, so that each benchmark stays one translation unit.
 */
#ifndef SWITCHGEAR_TESTS_BENCH_H
#define SWITCHGEAR_TESTS_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/private.h"
#include "dataplane/cgroup.h"

#define BENCH_ROUNDS_MAX 512
#define BENCH_BROKEN 1  /* exit status: a budget is broken */
#define BENCH_INVALID 3 /* exit status: nothing against nothing differs */
#define BENCH_SKIPPED 77

__attribute__((format(printf, 1, 2), noreturn)) static inline void bench_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* --- time and statistics ---------------------------------------------------------- */

static inline uint64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double bench_median(const double *v, size_t n)
{
	double sorted[BENCH_ROUNDS_MAX];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), bench_compare);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* The median over rounds of what a took more than b. */
static inline double bench_paired(const double *a, const double *b, size_t n)
{
	double diff[BENCH_ROUNDS_MAX];

	for (size_t i = 0; i < n; i++)
		diff[i] = a[i] - b[i];
	return bench_median(diff, n);
}

/* --- a place of its own ---------------------------------------------------------------- */

struct bench_place {
	char cgroup[512]; /* ours; made below the mount */
	char pins[128];
};

static struct bench_place bench_place;
static pid_t bench_child;

static inline void bench_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		bench_die("%s: %s", path, strerror(errno));
	close(fd);
}

static inline void bench_enter_cgroup(const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", bench_place.cgroup, name);
	bench_write(path, "0");
}

static inline void bench_make_cgroup(const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s%s", bench_place.cgroup, name);
	if (mkdir(path, 0755))
		bench_die("%s: %s", path, strerror(errno));
}

static inline int bench_open_cgroup(const char *name)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s%s", bench_place.cgroup, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		bench_die("%s: %s", path, strerror(errno));
	return fd;
}

static inline void bench_new_netns(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		bench_die("a network namespace: %s", strerror(errno));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		bench_die("lo: %s", strerror(errno));
	close(fd);
}

/* The last CPU that we may use: interrupts tend to be on the first. */
static inline int bench_pin(void)
{
	cpu_set_t set;
	int cpu = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(set), &set))
		bench_die("CPUs: %s", strerror(errno));
	while (cpu > 0 && !CPU_ISSET(cpu, &set))
		cpu--;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("CPU %d: %s", cpu, strerror(errno));
	return cpu;
}

static inline void bench_on_signal(int sig)
{
	(void)sig;
	kill(bench_child, SIGKILL);
}

/* Removes cgroups and pins, whatever became of the child that used them. */
static inline void bench_remove(void)
{
	char command[1024];

	snprintf(command, sizeof(command), "rm -rf '%s'; find '%s' -depth -type d -exec rmdir {} +",
		 bench_place.pins, bench_place.cgroup);
	usleep(50000);
	if (system(command))
		fprintf(stderr, "left behind: %s\n", bench_place.cgroup);
}

/* Runs `run` in a child of its own place; returns its exit status. */
static inline int bench_main(int (*run)(const char *json), const char *json)
{
	CLEANUP(freep) char *mount = NULL;
	int status = 0;

	if (geteuid() || cgroup_find(&mount)) {
		printf("needs root and cgroup2\n");
		return BENCH_SKIPPED;
	}
	log_set_level(LOG_LEVEL_WARNING);
	snprintf(bench_place.cgroup, sizeof(bench_place.cgroup), "%s/sg-bench-%d", mount, getpid());
	snprintf(bench_place.pins, sizeof(bench_place.pins), "/sys/fs/bpf/sg-bench-%d", getpid());
	bench_make_cgroup("");
	fflush(NULL);
	bench_child = fork();
	if (!bench_child) {
		bench_new_netns();
		exit(run(json));
	}
	signal(SIGTERM, bench_on_signal);
	signal(SIGINT, bench_on_signal);
	while (waitpid(bench_child, &status, 0) < 0 && errno == EINTR)
		;
	bench_remove();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- the data plane --------------------------------------------------------------------- */

#define BENCH_SERVER 7U

static inline struct dataplane *bench_dataplane(const char *cgroup)
{
	struct sg_policy policy = { .half_open_max_ns = NS_PER_SEC,
				    .probe_lease_ns = NS_PER_SEC,
				    .slow_ns = SG_FOREVER,
				    .connect_ns = NS_PER_SEC,
				    .timeout_ns = 60 * NS_PER_SEC,
				    .abandon_ns = 10 * NS_PER_SEC,
				    .probes = 3,
				    .half_open_rate = 1,
				    .slow_rate = SG_RATE_ONE,
				    .deny_errno = ECONNREFUSED };
	struct dataplane_options o = { .pin_dir = bench_place.pins, .cgroup = cgroup };
	struct dataplane *dp = NULL;

	if (dataplane_open(&o, &dp) ||
	    dataplane_server_set(dp, BENCH_SERVER, "bench", 0, 0, &policy, NS_PER_SEC, true))
		bench_die("the data plane cannot be opened");
	dataplane_lease(dp, SG_FOREVER);
	return dp;
}

/* An endpoint of the server of the benchmark; alone if `only`. */
static inline void bench_endpoint(struct dataplane *dp, const char *addr, uint16_t port)
{
	struct addr a;

	if (parse_addr(addr, &a) || dataplane_endpoints_set(dp, BENCH_SERVER, &a, &port, 1))
		bench_die("the endpoint %s:%u cannot be entered", addr, port);
}

static inline void bench_discard(void *data, const struct sg_event *e)
{
	(void)data;
	(void)e;
}

static inline void bench_drain(struct dataplane *dp)
{
	if (dataplane_ring_read(dp, bench_discard, NULL) < 0)
		bench_die("the event ring cannot be read");
}

/* A program that does nothing but return a value. */
static inline int bench_return(enum bpf_prog_type type, enum bpf_attach_type attach, int value)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	int fd = bpf_prog_load(type, "bench_return", "GPL", insns, ARRAY_SIZE(insns), &opts);

	if (fd < 0)
		bench_die("an empty program cannot be loaded: %s", strerror(errno));
	return fd;
}

#endif
