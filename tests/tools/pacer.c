/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An agent that makes calls at a rate, over connections that stay open: what it
 * and others pay for a call can be compared only when all make as many. Calls
 * have their times beforehand; one that finds no connection idle waits, and its
 * latency counts from its time, not from when it was sent.
 */
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "answer.h"

#define CONNECTIONS_MAX 256
#define CALLS_MAX 1000000L
#define PATIENCE_NS 2000000000LL /* after the last call was due */

static const char usage[] =
	"usage: pacer --connect ADDR:PORT [--connections N] [--rate N] [--seconds N]\n"
	"Prints: calls=N answered=N failed=N p50_us=T p99_us=T rate=N (answers a second)\n"
	"A call is a POST of a tool call to /mcp; one that is not answered by 200 has failed.\n"
	"Exit status: 0 every call was answered, 1 not, 2 usage.\n";

static const char body[] =
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"noop\"}}";

struct conn {
	int fd;
	long call; /* the one in flight, or -1 */
	struct answer answer;
};

static struct {
	struct endpoint to;
	long connections;
	long rate;
	long seconds;
	char request[1024];
	size_t request_len;
} opt = { .connections = 8, .rate = 5000, .seconds = 1 };

static struct conn conns[CONNECTIONS_MAX];
static struct pollfd polled[CONNECTIONS_MAX];
static double *latency_us; /* of what was answered */
static long calls;         /* in all */
static long sent;
static long answered;
static long failed;
static int64_t start;
static int64_t last; /* answer */

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t due(long call)
{
	return start + call * 1000000000LL / opt.rate;
}

static void dial(struct conn *c)
{
	int one = 1;

	c->fd = socket(opt.to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->call = -1;
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&opt.to.sa, opt.to.len))
		die("connect: %s", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* A connection that broke is not replaced: its calls have failed, and all is void. */
static void drop(struct conn *c)
{
	if (c->call >= 0)
		failed++;
	c->call = -1;
	close(c->fd);
	c->fd = -1;
}

static void ask(struct conn *c)
{
	answer_init(&c->answer, NULL);
	c->call = sent++;
	if (send(c->fd, opt.request, opt.request_len, MSG_NOSIGNAL) != (ssize_t)opt.request_len)
		drop(c);
}

static void hear(struct conn *c)
{
	char data[4096];
	ssize_t n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || c->call < 0) {
		drop(c);
		return;
	}
	if (!answer_feed(&c->answer, data, (size_t)n))
		return;
	if (c->answer.at == ANSWER_BAD || c->answer.status != 200 || c->answer.close) {
		drop(c);
		return;
	}
	last = now_ns();
	latency_us[answered++] = (double)(last - due(c->call)) / 1e3;
	c->call = -1;
}

/* Sends what is due, on each connection in turn, for as long as one is idle. */
static void send_due(int64_t now)
{
	static long turn;

	for (long i = 0; i < opt.connections && sent < calls && due(sent) <= now; i++) {
		struct conn *c = &conns[turn++ % opt.connections];

		if (c->fd >= 0 && c->call < 0)
			ask(c);
	}
}

static bool any_idle(void)
{
	for (long i = 0; i < opt.connections; i++)
		if (conns[i].fd >= 0 && conns[i].call < 0)
			return true;
	return false;
}

static void wait_until(int64_t until)
{
	int64_t left = until - now_ns();
	struct timespec ts;

	if (left < 0)
		left = 0;
	ts = (struct timespec){ .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	for (long i = 0; i < opt.connections; i++)
		polled[i] = (struct pollfd){ .fd = conns[i].fd, .events = POLLIN };
	if (ppoll(polled, (nfds_t)opt.connections, &ts, NULL) <= 0)
		return;
	for (long i = 0; i < opt.connections; i++)
		if (polled[i].revents)
			hear(&conns[i]);
}

static void run(void)
{
	int64_t end = due(calls) + PATIENCE_NS;

	while (answered + failed < calls) {
		int64_t now = now_ns();

		if (now > end)
			break;
		send_due(now);
		wait_until(sent < calls && any_idle() ? due(sent) : end);
	}
	failed = calls - answered;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(long percent)
{
	return answered ? latency_us[(answered - 1) * percent / 100] : 0;
}

static void options(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		const char *value = argv[i + 1];

		if (!value)
			die("%s", usage);
		if (!strcmp(argv[i], "--connect"))
			opt.to = parse_endpoint(value);
		else if (!strcmp(argv[i], "--connections"))
			opt.connections = parse_long(argv[i], value, 1, CONNECTIONS_MAX);
		else if (!strcmp(argv[i], "--rate"))
			opt.rate = parse_long(argv[i], value, 1, CALLS_MAX);
		else if (!strcmp(argv[i], "--seconds"))
			opt.seconds = parse_long(argv[i], value, 1, 60);
		else
			die("%s", usage);
	}
	calls = opt.rate * opt.seconds;
	if (!opt.to.len || calls > CALLS_MAX)
		die("%s", usage);
	opt.request_len = (size_t)snprintf(
		opt.request, sizeof(opt.request),
		"POST /mcp HTTP/1.1\r\nHost: pacer.test\r\nContent-Type: application/json\r\n"
		"Accept: application/json, text/event-stream\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(body), body);
}

int main(int argc, char **argv)
{
	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1UL); /* a nap is to end when a call is due */
	latency_us = calloc((size_t)calls, sizeof(*latency_us));
	if (!latency_us)
		die("out of memory");
	for (long i = 0; i < opt.connections; i++)
		dial(&conns[i]);
	start = now_ns();
	run();
	qsort(latency_us, (size_t)answered, sizeof(*latency_us), compare);
	printf("calls=%ld answered=%ld failed=%ld p50_us=%.2f p99_us=%.2f rate=%.1f\n", calls,
	       answered, failed, percentile(50), percentile(99),
	       last > start ? (double)answered * 1e9 / (double)(last - start) : 0);
	return failed ? 1 : 0;
}
