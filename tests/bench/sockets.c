/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What sockets pay: connect and close, and a request and its answer of 64 bytes
 * each, over loopback, both ends on one CPU. One process holds both ends, so
 * that no scheduler adds its noise, and is in the cgroup of a variant when it
 * makes the sockets of that variant: those of the agent alone, as when servers
 * are on other hosts, or both ends, when every packet passes the programs twice.
 * In every round all variants are measured, in an order that changes from round
 * to round; differences are medians over rounds of differences within a round.
 * Of a variant in a round the fastest of several bursts counts, so that work of
 * others on the machine does not.
 *
 * The tracing programs are global: variants without Switchgear run them too,
 * for as long as it takes to see that a socket is not tracked.
 */
#include "bench/bench.h"

#include <math.h>
#include <netinet/tcp.h>

#define ROUNDS 91
#define BURSTS 10 /* in a round; the fastest counts, the others were interrupted */
#define TURNS 150 /* in a burst */
#define CONNECTS 15
#define ATTEMPTS 3
#define NULL_MAX 1.0         /* % that nothing may differ from nothing */
#define BUDGET_POINTS 1.5    /* percentage points above the empty pair */
#define BUDGET_TRIP_NS 350.0 /* a round trip above nothing */
#define MESSAGE 64
#define ELSEWHERE "/elsewhere" /* a cgroup without programs */
#define TRACKED_PORT 3001
#define OTHER_PORT 3002

enum variant {
	NOTHING,
	NULL_PAIR,
	EMPTY,
	UNTRACKED,
	TRACKED,
	VARIANT_COUNT
};

static const struct {
	const char *name;
	const char *json;
	const char *cgroup;
	uint16_t port;
} variants[VARIANT_COUNT] = {
	[NOTHING] = { "nothing attached", "nothing", "/nothing", OTHER_PORT },
	[NULL_PAIR] = { "nothing again", "nothing_again", "/again", OTHER_PORT },
	[EMPTY] = { "empty cgroup_skb pair", "empty_pair", "/empty", OTHER_PORT },
	[UNTRACKED] = { "Switchgear, untracked", "untracked", "/sg/untracked", OTHER_PORT },
	[TRACKED] = { "Switchgear, tracked", "tracked", "/sg/tracked", TRACKED_PORT },
};

enum work {
	CONNECT_CLOSE,
	REQUEST_ANSWER,
	CONNECT_CLOSE_BOTH,
	REQUEST_ANSWER_BOTH,
	WORK_COUNT
};

static const struct {
	const char *name;
	const char *json;
} works[WORK_COUNT] = {
	[CONNECT_CLOSE] = { "connect + close", "connect_close" },
	[REQUEST_ANSWER] = { "64-byte request + answer", "request_answer" },
	[CONNECT_CLOSE_BOTH] = { "both ends: connect + close", "connect_close_both" },
	[REQUEST_ANSWER_BOTH] = { "both ends: request + answer", "request_answer_both" },
};

static const char request[MESSAGE + 1] =
	"POST /mcp HTTP/1.1\r\nContent-Length: 0\r\nX-Filler: 0123456789\r\n\r\n";
static const char answer[MESSAGE + 1] =
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Filler: 0123456789ab\r\n\r\n";

static struct dataplane *dp;
static int listeners[VARIANT_COUNT];
static double ns[WORK_COUNT][VARIANT_COUNT][BENCH_ROUNDS_MAX];

/* --- the work ---------------------------------------------------------------------- */

static void set(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		bench_die("a socket option: %s", strerror(errno));
}

static struct sockaddr_in address(enum variant v)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(variants[v].port) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

/* Listens at the port of a variant; accepted sockets are in the cgroup of the listener. */
static int listen_in(enum variant v)
{
	struct sockaddr_in sin = address(v);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) || listen(fd, 128))
		bench_die("port %u: %s", variants[v].port, strerror(errno));
	return fd;
}

static void dial(enum variant v, int *ret_client, int *ret_server)
{
	struct sockaddr_in sin = address(v);

	*ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(*ret_client, (struct sockaddr *)&sin, sizeof(sin)))
		bench_die("connect: %s", strerror(errno));
	*ret_server = accept4(listeners[v], NULL, NULL, SOCK_CLOEXEC);
	if (*ret_server < 0)
		bench_die("accept: %s", strerror(errno));
}

/* Both ends are closed; the client's by reset, so that no port stays taken. */
static void hang_up(int client, int server)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(client);
	close(server);
}

static double connects(enum variant v)
{
	uint64_t start = bench_now();
	int client;
	int server;

	for (int i = 0; i < CONNECTS; i++) {
		dial(v, &client, &server);
		hang_up(client, server);
	}
	return (double)(bench_now() - start) / CONNECTS;
}

static void pass(int from, int to, const char *text)
{
	char buf[MESSAGE];

	if (send(from, text, MESSAGE, MSG_NOSIGNAL) != MESSAGE ||
	    recv(to, buf, MESSAGE, MSG_WAITALL) != MESSAGE)
		bench_die("a message did not arrive: %s", strerror(errno));
}

static double turns(int client, int server)
{
	uint64_t start = bench_now();

	for (int i = 0; i < TURNS; i++) {
		pass(client, server, request);
		pass(server, client, answer);
	}
	return (double)(bench_now() - start) / TURNS;
}

static double fastest_connects(enum variant v)
{
	double best = connects(v);

	for (int i = 1; i < BURSTS; i++)
		best = fmin(best, connects(v));
	return best;
}

static double fastest_turns(enum variant v)
{
	double best;
	int client;
	int server;

	dial(v, &client, &server);
	set(client, IPPROTO_TCP, TCP_NODELAY, 1);
	set(server, IPPROTO_TCP, TCP_NODELAY, 1);
	best = turns(client, server);
	for (int i = 1; i < BURSTS; i++)
		best = fmin(best, turns(client, server));
	hang_up(client, server);
	return best;
}

static void measure(enum variant v, size_t round, bool both)
{
	if (!both)
		bench_enter_cgroup(ELSEWHERE);
	else
		bench_enter_cgroup(variants[v].cgroup);
	listeners[v] = listen_in(v);
	bench_enter_cgroup(variants[v].cgroup);
	ns[both ? CONNECT_CLOSE_BOTH : CONNECT_CLOSE][v][round] = fastest_connects(v);
	ns[both ? REQUEST_ANSWER_BOTH : REQUEST_ANSWER][v][round] = fastest_turns(v);
	close(listeners[v]);
	bench_drain(dp);
}

static void measure_all(void)
{
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < VARIANT_COUNT; i++) {
			size_t at = (round + (round % 2 ? VARIANT_COUNT - i : i)) % VARIANT_COUNT;

			measure((enum variant)at, round, false);
			measure((enum variant)at, round, true);
		}
	}
}

/* --- what comes out ------------------------------------------------------------------ */

static double base(enum work w)
{
	return bench_median(ns[w][NOTHING], ROUNDS);
}

static double above(enum work w, enum variant a, enum variant b)
{
	return bench_paired(ns[w][a], ns[w][b], ROUNDS);
}

static double percent(enum work w, enum variant a, enum variant b)
{
	return 100 * above(w, a, b) / base(w);
}

static bool valid(void)
{
	bool ok = true;

	for (enum work w = 0; w < WORK_COUNT; w++) {
		double p = percent(w, NULL_PAIR, NOTHING);

		if (p <= NULL_MAX && p >= -NULL_MAX)
			continue;
		printf("invalid: %s: nothing differs from nothing by %+.2f %%, more than %.1f %%\n",
		       works[w].name, p, NULL_MAX);
		ok = false;
	}
	return ok;
}

static void print_table(int cpu)
{
	printf("sockets over loopback, both ends on CPU %d, medians of %d interleaved rounds\n",
	       cpu, ROUNDS);
	for (enum work w = 0; w < WORK_COUNT; w++) {
		printf("\n%-28s %8s %18s %18s\n", works[w].name, "ns", "against nothing",
		       "against the pair");
		for (enum variant v = 0; v < VARIANT_COUNT; v++) {
			printf("  %-26s %8.0f", variants[v].name, bench_median(ns[w][v], ROUNDS));
			if (v != NOTHING)
				printf(" %+8.0f ns %+5.2f %%", above(w, v, NOTHING),
				       percent(w, v, NOTHING));
			if (v > EMPTY)
				printf(" %+8.0f ns %+5.2f pp", above(w, v, EMPTY),
				       percent(w, v, EMPTY));
			putchar('\n');
		}
	}
	putchar('\n');
}

static void write_json(const char *path, bool is_valid, bool within)
{
	CLEANUP(fclosep) FILE *f = fopen(path, "w");

	if (!f)
		bench_die("%s: %s", path, strerror(errno));
	fprintf(f, "{\"rounds\": %d, \"valid\": %s, \"within_budget\": %s", ROUNDS,
		is_valid ? "true" : "false", within ? "true" : "false");
	for (enum work w = 0; w < WORK_COUNT; w++) {
		fprintf(f, ",\n \"%s\": {", works[w].json);
		for (enum variant v = 0; v < VARIANT_COUNT; v++)
			fprintf(f,
				"%s\n  \"%s\": {\"ns\": %.1f, \"above_nothing_ns\": %.1f, "
				"\"above_nothing_percent\": %.3f, \"above_pair_ns\": %.1f, "
				"\"above_pair_points\": %.3f}",
				v ? "," : "", variants[v].json, bench_median(ns[w][v], ROUNDS),
				above(w, v, NOTHING), percent(w, v, NOTHING), above(w, v, EMPTY),
				percent(w, v, EMPTY));
		fputc('}', f);
	}
	fputs("}\n", f);
}

/*
 * The budget of one end. Both ends pay twice: only the comparison with the
 * empty pair, which pays twice as well, is held against it there.
 */
static bool within_budget(void)
{
	double points = percent(REQUEST_ANSWER, UNTRACKED, EMPTY);
	double both = percent(REQUEST_ANSWER_BOTH, UNTRACKED, EMPTY);
	double trip = above(REQUEST_ANSWER, UNTRACKED, NOTHING);
	bool ok = points <= BUDGET_POINTS && both <= BUDGET_POINTS && trip <= BUDGET_TRIP_NS;

	printf("budget, untracked request + answer: %+.2f points above the empty pair, both ends %+.2f "
	       "(at most %.1f), %+.0f ns above nothing (at most %.0f): %s\n",
	       points, both, BUDGET_POINTS, trip, BUDGET_TRIP_NS, ok ? "kept" : "BROKEN");
	return ok;
}

static void attach_empty(void)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, opts, .flags = BPF_F_ALLOW_MULTI);
	static const enum bpf_attach_type types[] = { BPF_CGROUP_INET_INGRESS,
						      BPF_CGROUP_INET_EGRESS };
	int cgroup = bench_open_cgroup(variants[EMPTY].cgroup);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (bpf_prog_attach_opts(bench_return(BPF_PROG_TYPE_CGROUP_SKB, types[i], 1),
					 cgroup, types[i], &opts))
			bench_die("an empty program cannot be attached: %s", strerror(errno));
	close(cgroup);
}

static int run(const char *json)
{
	char path[600];
	bool within;
	bool ok;
	int cpu;

	bench_make_cgroup(ELSEWHERE);
	bench_make_cgroup("/sg");
	for (enum variant v = 0; v < VARIANT_COUNT; v++)
		bench_make_cgroup(variants[v].cgroup);
	snprintf(path, sizeof(path), "%s/sg", bench_place.cgroup);
	dp = bench_dataplane(path);
	bench_endpoint(dp, "127.0.0.1", TRACKED_PORT);
	attach_empty();
	cpu = bench_pin();
	setpriority(PRIO_PROCESS, 0, -20);
	for (int i = 0; i < ATTEMPTS; i++) {
		measure_all();
		ok = valid();
		if (ok)
			break;
	}
	print_table(cpu);
	within = within_budget();
	write_json(json, ok, within);
	if (!ok) {
		printf("INVALID: in %d attempts nothing differed from nothing by more than %.1f %%: this "
		       "machine is too busy to tell\n",
		       ATTEMPTS, NULL_MAX);
		return BENCH_INVALID;
	}
	return within ? 0 : BENCH_BROKEN;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		bench_die("usage: %s JSON-FILE", argv[0]);
	return bench_main(run, argv[1]);
}
