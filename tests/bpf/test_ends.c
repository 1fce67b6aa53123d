/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How connects fail and connections end, at each phase of a turn, over real
 * sockets: the outcome and its cause as the table of outcomes says.
 */
#include "bpf/rows.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define POST "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
#define GET "GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n"
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define OK HEAD "Content-Length: 2\r\n\r\n{}"
#define PART HEAD "Content-Length: 9\r\n\r\n{"
#define CHUNK HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
#define EVENTS \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define ENDLESS HEAD "\r\n{}"
#define BUSY "HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\nno"

/* --- established connections ----------------------------------------------------- */

static const struct row rows[] = {
	/* no request outstanding: nobody's fault */
	{ "idle, server closes", { CONNECT, FIN }, NOTHING },
	{ "idle, server resets", { CONNECT, RST }, NOTHING },
	{ "idle, client closes", { CONNECT, CLOSE }, NOTHING },
	{ "idle, client resets", { CONNECT, ABORT }, NOTHING },
	{ "after a turn, server closes",
	  { CONNECT, ASK(POST), SAY(OK), FIN },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "after a turn, server resets",
	  { CONNECT, ASK(POST), SAY(OK), RST },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "after a turn, client resets",
	  { CONNECT, ASK(POST), SAY(OK), ABORT },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	/* the server ends it */
	{ "request, EOF", { CONNECT, ASK(POST), FIN }, { TRUNCATED }, .n = 1, .requests = 1 },
	{ "request, reset", { CONNECT, ASK(POST), RST }, { RESET }, .n = 1, .requests = 1 },
	{ "status line, EOF",
	  { CONNECT, ASK(POST), SAY("HTTP/1.1 2"), FIN },
	  { { SG_HARD, SG_CAUSE_TRUNCATED, 2, false, 0, false } },
	  .n = 1,
	  .requests = 1,
	  .uncounted = 1 },
	{ "header, EOF",
	  { CONNECT, ASK(POST), SAY(HEAD), FIN },
	  { TRUNCATED200 },
	  .n = 1,
	  .requests = 1,
	  .uncounted = 1 },
	{ "header, reset",
	  { CONNECT, ASK(POST), SAY(HEAD), RST },
	  { RESET200 },
	  .n = 1,
	  .requests = 1,
	  .uncounted = 1 },
	{ "length, EOF",
	  { CONNECT, ASK(POST), SAY(PART), FIN },
	  { TRUNCATED200 },
	  .n = 1,
	  .requests = 1 },
	{ "length, reset",
	  { CONNECT, ASK(POST), SAY(PART), RST },
	  { RESET200 },
	  .n = 1,
	  .requests = 1 },
	{ "chunk, EOF",
	  { CONNECT, ASK(POST), SAY(CHUNK), FIN },
	  { TRUNCATED200 },
	  .n = 1,
	  .requests = 1 },
	{ "chunk, reset",
	  { CONNECT, ASK(POST), SAY(CHUNK), RST },
	  { RESET200 },
	  .n = 1,
	  .requests = 1 },
	{ "to the end, EOF",
	  { CONNECT, ASK(POST), SAY(ENDLESS), FIN },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "to the end, reset",
	  { CONNECT, ASK(POST), SAY(ENDLESS), RST },
	  { RESET200 },
	  .n = 1,
	  .requests = 1 },
	{ "unknown, EOF",
	  { CONNECT, ASK("hello"), SAY("world"), FIN },
	  { UNREAD },
	  .n = 1,
	  .requests = 1 },
	{ "unknown, reset",
	  { CONNECT, ASK("hello"), SAY("world"), RST },
	  { RESET },
	  .n = 1,
	  .requests = 1 },
	{ "unknown, no answer, EOF",
	  { CONNECT, ASK("hello"), FIN },
	  { TRUNCATED },
	  .n = 1,
	  .requests = 1 },
	{ "second request, EOF",
	  { CONNECT, ASK(POST), SAY(OK), ASK(POST), FIN },
	  { GOOD, TRUNCATED },
	  .n = 2,
	  .requests = 2 },
	{ "second request, reset",
	  { CONNECT, ASK(POST), SAY(OK), ASK(POST), PAUSE(30), RST },
	  { GOOD, RESET },
	  .n = 2,
	  .requests = 2 },
	{ "second request, reset at once: the connection was given up already",
	  { CONNECT, ASK(POST), SAY(OK), ASK(POST), RST },
	  { GOOD, STALE },
	  .n = 2,
	  .requests = 2 },
	{ "second request, a byte, reset",
	  { CONNECT, ASK(POST), SAY(OK), ASK(POST), SAY("H"), RST },
	  { GOOD, RESET },
	  .n = 2,
	  .requests = 2 },
	/* who closes a stream that has begun was told by his own clock, or has what he wanted */
	{ "stream, client closes late",
	  { CONNECT, ASK(POST), SAY(EVENTS "9\r\ndata: {}\n\r\n"), PAUSE(30), CLOSE },
	  { GIVEN_UP200 },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	{ "stream without an event, client closes late",
	  { CONNECT, ASK(POST), SAY(EVENTS), PAUSE(30), CLOSE },
	  { ABANDONED200 },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	{ "JSON in chunks, client closes late",
	  { CONNECT, ASK(POST), SAY(CHUNK), PAUSE(30), CLOSE },
	  { ABANDONED200 },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	{ "length, client closes late",
	  { CONNECT, ASK(POST), SAY(PART), PAUSE(30), CLOSE },
	  { ABANDONED200 },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	/* what the status decided stays one outcome */
	{ "503 and reset",
	  { CONNECT, ASK(POST), SAY(BUSY), RST },
	  { REFUSAL },
	  .n = 1,
	  .requests = 1 },
	{ "503 and EOF",
	  { CONNECT, ASK(POST), SAY(BUSY), FIN },
	  { REFUSAL },
	  .n = 1,
	  .requests = 1 },
	{ "503 and client closes",
	  { CONNECT, ASK(POST), SAY(BUSY), CLOSE },
	  { REFUSAL },
	  .n = 1,
	  .requests = 1 },
	/* the client gives up: its own doing, until it waited so long */
	{ "request, client closes",
	  { CONNECT, ASK(POST), CLOSE },
	  { GIVEN_UP },
	  .n = 1,
	  .requests = 1 },
	{ "request, client resets",
	  { CONNECT, ASK(POST), ABORT },
	  { GIVEN_UP },
	  .n = 1,
	  .requests = 1 },
	{ "length, client closes",
	  { CONNECT, ASK(POST), SAY(PART), CLOSE },
	  { GIVEN_UP200 },
	  .n = 1,
	  .requests = 1 },
	{ "to the end, client closes",
	  { CONNECT, ASK(POST), SAY(ENDLESS), CLOSE },
	  { GIVEN_UP200 },
	  .n = 1,
	  .requests = 1 },
	{ "unknown, client closes",
	  { CONNECT, ASK("hello"), SAY("world"), CLOSE },
	  { UNREAD },
	  .n = 1,
	  .requests = 1 },
	{ "request, client closes late",
	  { CONNECT, ASK(POST), PAUSE(30), CLOSE },
	  { ABANDONED },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	{ "request, client resets late",
	  { CONNECT, ASK(POST), PAUSE(30), ABORT },
	  { ABANDONED },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	{ "late by the request's age alone",
	  { CONNECT, ASK(POST), SAY(OK), PAUSE(30), ASK(POST), CLOSE },
	  { GOOD, GIVEN_UP },
	  .n = 2,
	  .requests = 2,
	  .abandon_ms = 20 },
	/* streams and other requests whose end proves nothing */
	{ "GET, reset", { CONNECT, ASK(GET), RST }, { NEUTRAL }, .n = 1, .requests = 1 },
	{ "GET, EOF", { CONNECT, ASK(GET), FIN }, { NEUTRAL }, .n = 1, .requests = 1 },
	{ "GET stream, reset",
	  { CONNECT, ASK(GET), SAY(CHUNK), RST },
	  { NEUTRAL200 },
	  .n = 1,
	  .requests = 1 },
	{ "GET stream, client closes late",
	  { CONNECT, ASK(GET), SAY(CHUNK), PAUSE(30), CLOSE },
	  { NEUTRAL200 },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	{ "GET stream, silence for ever",
	  { CONNECT, ASK(GET), SAY(CHUNK), PAUSE(30), SWEEP, FIN },
	  { NEUTRAL200 },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 20 },
	/* the clock */
	{ "no answer in time",
	  { CONNECT, ASK(POST), SWEEP, PAUSE(30), SWEEP, SWEEP },
	  { NO_ANSWER },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 20 },
	{ "no answer in time, and one later",
	  { CONNECT, ASK(POST), PAUSE(30), SWEEP, SAY(OK), ASK(POST), SAY(OK) },
	  { NO_ANSWER, LATE, GOOD },
	  .n = 3,
	  .requests = 2,
	  .timeout_ms = 20 },
	{ "no answer in time, an error later, and a reset",
	  { CONNECT, ASK(POST), PAUSE(30), SWEEP, SAY(BUSY), RST },
	  { NO_ANSWER, { SG_HARD, SG_CAUSE_STATUS, 503, true, 0, true } },
	  .n = 2,
	  .requests = 1,
	  .timeout_ms = 20 },
	{ "no answer in time, half of one later",
	  { CONNECT, ASK(POST), PAUSE(30), SWEEP, SAY(PART), RST },
	  { NO_ANSWER },
	  .n = 1,
	  .requests = 1,
	  .late = 1,
	  .timeout_ms = 20 },
	{ "given up after the time for an answer, which no clock has looked at",
	  { CONNECT, ASK(POST), PAUSE(30), CLOSE },
	  { NO_ANSWER },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 20 },
	{ "given up sooner than the longest answer took",
	  { CONNECT, ASK(POST), PAUSE(200), SAY(OK), ASK(POST), PAUSE(30), CLOSE },
	  { GOOD, GIVEN_UP },
	  .n = 2,
	  .requests = 2,
	  .abandon_ms = 20 },
	{ "waits longer than the longest answer took",
	  { CONNECT, ASK(POST), PAUSE(100), SWEEP, SAY(OK), ASK(POST), PAUSE(70), SWEEP, PAUSE(200),
	    SWEEP },
	  { NO_ANSWER, LATE, NO_ANSWER },
	  .n = 3,
	  .requests = 2,
	  .timeout_ms = 50 },
	{ "an answer that stops",
	  { CONNECT, ASK(POST), SAY(PART), PAUSE(30), SWEEP },
	  { { SG_HARD, SG_CAUSE_NO_ANSWER, 200, false, 0, false } },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 20 },
	{ "an answer that keeps coming",
	  { CONNECT, ASK(POST), SAY(CHUNK), PAUSE(70), SWEEP, SAY("1\r\n\n\r\n"), PAUSE(70), SWEEP,
	    SAY("0\r\n\r\n") },
	  { GOOD },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 100 },
};

static void test_ends(void **state)
{
	(void)state;
	rows_play(rows, ARRAY_SIZE(rows));
}

/* An agent that is killed is no failure of the server, however long it waited. */
static void test_killed_agents(void **state)
{
	static const struct talk_outcome outcome = GIVEN_UP;
	const struct talk_want want = {
		.name = "killed agent", .outcomes = &outcome, .n = 1, .connects = 1, .requests = 1
	};
	struct sg_policy policy = rig_policy();
	pid_t pid;

	(void)state;
	policy.abandon_ns = NS_PER_MS;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, POST);
	pid = fork();
	if (!pid)
		for (prctl(PR_SET_PDEATHSIG, SIGKILL);;)
			pause();
	close(TAKE_FD(talk.client)); /* the child's now, alone */
	usleep(5000);
	assert_int_equal(events.n, 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	talk_end(&talk);
	talk_expect(&talk, &want, &events);
}

/* --- our own doing ------------------------------------------------------------------ */

static void test_kills_are_local(void **state)
{
	static const struct talk_outcome killed = { SG_LOCAL, SG_CAUSE_KILLED, 0, false, 0, false };
	struct sg_policy policy = rig_policy();
	struct sg_stats st;

	(void)state;
	for (int busy = 0; busy < 2; busy++) {
		fresh(&policy);
		assert_int_equal(talk_dial(&talk), 0);
		if (busy)
			talk_ask(&talk, POST);
		assert_int_equal(rig_kill(dp), 0); /* nothing denies it */
		assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
		assert_int_equal(rig_kill(dp), 1);
		assert_int_equal(talk_error(talk.client), ECONNABORTED);
		assert_int_equal(talk_error(talk.server), ECONNRESET);
		rig_wait(dp, &events, (size_t)busy);
		assert_int_equal(events.n, busy);
		st = rig_stats(dp);
		assert_int_equal(st.killed, 1);
		assert_int_equal(st.hard, 0);
		assert_int_equal(st.ignored, busy);
		if (busy) {
			assert_int_equal(events.e[0].outcome, killed.class);
			assert_int_equal(events.e[0].cause, killed.cause);
		}
		assert_int_equal(rig_kill(dp), 0);
		talk_end(&talk);
	}
}

/* --- connects -------------------------------------------------------------------------- */

static void expect_connect_outcome(const char *name, enum sg_class class, enum sg_cause cause)
{
	const struct talk_outcome outcome = { class, cause, 0, false, 0, false };
	const struct talk_want want = { .name = name, .outcomes = &outcome, .n = 1, .connects = 1 };

	talk_expect(&talk, &want, &events);
}

static void test_refused(void **state)
{
	struct sg_policy policy = rig_policy();
	uint16_t port = talk.port;

	(void)state;
	talk_done(&talk); /* nobody listens any more */
	for (talk.name = TALK_V4; talk.name < TALK_NAME_COUNT; talk.name++) {
		fresh(&policy);
		assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
		expect_connect_outcome("refused", SG_HARD, SG_CAUSE_REFUSED);
	}
	talk_init(&talk, dp);
	assert_int_not_equal(talk.port, port);
}

#define DEAD_LINK "10.66.0.1"
#define DEAD_HOST "10.66.0.9"   /* on the link, with an address that answers nothing */
#define ABSENT_HOST "10.66.0.8" /* on the link, and nobody is there */
#define BEHIND_HOST "10.67.0.1" /* behind a router that says it cannot be reached */

/* A link whose other end is a namespace that forwards, and has no route on. */
static pid_t link_make(void)
{
	int gate[2];
	pid_t pid;
	char text[512];

	assert_int_equal(pipe(gate), 0);
	pid = fork();
	if (!pid) {
		bool ready = !prctl(PR_SET_PDEATHSIG, SIGKILL) && !unshare(CLONE_NEWNET) &&
			     write(gate[1], "", 1) == 1;

		while (ready)
			pause();
		_exit(1);
	}
	assert_int_equal(read(gate[0], text, 1), 1);
	close(gate[0]);
	close(gate[1]);
	snprintf(
		text, sizeof(text),
		"ip link add sgl0 type veth peer name sgl1 netns %d && "
		"ip addr add " DEAD_LINK "/24 dev sgl0 && ip link set sgl0 up && "
		"nsenter -t %d -n sh -c 'ip addr add 10.66.0.2/24 dev sgl1 && ip link set sgl1 up && "
		"ip route add unreachable 10.67.0.0/24 && echo 1 >/proc/sys/net/ipv4/ip_forward' && "
		"ip neigh add " DEAD_HOST " lladdr 02:00:00:00:00:09 dev sgl0 && "
		"ip route add 10.67.0.0/24 via 10.66.0.2",
		pid, pid);
	assert_int_equal(system(text), 0);
	rig_sysctl("net/ipv4/neigh/sgl0/mcast_solicit", "1");
	rig_sysctl("net/ipv4/neigh/sgl0/retrans_time_ms", "50");
	return pid;
}

/* Dials a host, waiting at most so long; 0 or errno. A descriptor is left if it takes longer. */
static int dial(const char *host, int wait_ms, int *ret_fd)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct timeval tv = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	assert_int_equal(inet_pton(AF_INET, host, &sin.sin_addr), 1);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	rig_endpoint(dp, host, 9);
	r = connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ? errno : 0;
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return r;
}

static void test_unreachable_and_unanswered(void **state)
{
	struct sg_policy policy = rig_policy();
	struct dataplane_sweep sweep;
	pid_t pid = link_make();
	int fd;

	(void)state;
	fresh(&policy);
	assert_int_equal(dial(ABSENT_HOST, 3000, NULL), EHOSTUNREACH);
	expect_connect_outcome("no neighbour", SG_HARD, SG_CAUSE_UNREACHABLE);

	fresh(&policy);
	assert_int_equal(dial(BEHIND_HOST, 3000, NULL), EHOSTUNREACH);
	expect_connect_outcome("ICMP", SG_HARD, SG_CAUSE_UNREACHABLE);

	rig_sysctl("net/ipv4/tcp_syn_retries", "1");
	fresh(&policy);
	assert_int_equal(dial(DEAD_HOST, 8000, NULL), ETIMEDOUT);
	expect_connect_outcome("the kernel gives up", SG_HARD, SG_CAUSE_TIMEOUT);

	fresh(&policy);
	assert_int_equal(dial(DEAD_HOST, 20, NULL), EINPROGRESS);
	expect_connect_outcome("given up early", SG_CALLER, SG_CAUSE_ABANDONED);

	policy.connect_ns = 20 * NS_PER_MS;
	fresh(&policy);
	assert_int_equal(dial(DEAD_HOST, 40, NULL), EINPROGRESS);
	expect_connect_outcome("given up late", SG_HARD, SG_CAUSE_TIMEOUT);

	fresh(&policy);
	assert_int_equal(dial(DEAD_HOST, 40, &fd), EINPROGRESS);
	assert_int_equal(dataplane_sweep(dp, &sweep), 0);
	expect_connect_outcome("the sweep gives up", SG_HARD, SG_CAUSE_TIMEOUT);
	assert_int_equal(dataplane_sweep(dp, &sweep), 0);
	close(fd);
	expect_connect_outcome("only once", SG_HARD, SG_CAUSE_TIMEOUT);

	/* where nobody sweeps, the retransmission of the SYN tells, after a second */
	policy.connect_ns = 500 * NS_PER_MS;
	fresh(&policy);
	dataplane_lease(dp, SG_FOREVER); /* sg_watch is not to be quicker */
	assert_int_equal(dial(DEAD_HOST, 20, &fd), EINPROGRESS);
	for (int i = 0; i < 40 && !rig_stats(dp).timeout; i++) /* TCP itself takes three */
		usleep(50000);
	expect_connect_outcome("the kernel gives up by itself", SG_HARD, SG_CAUSE_TIMEOUT);
	close(fd);

	fresh(&policy);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
	assert_int_equal(dial(DEAD_HOST, 10, &fd), EINPROGRESS);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(rig_kill(dp), 1);
	close(fd);
	rig_wait(dp, &events, 1);
	assert_int_equal(events.n, 1);
	assert_int_equal(events.e[0].outcome, SG_LOCAL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	rig_endpoint(dp, "127.0.0.1", talk.port);
}

/* What fails on this host before a SYN left says nothing about the server. */
static void test_local_failures(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sockaddr_storage addr;
	socklen_t len;
	int fds[3];

	(void)state;
	fresh(&policy);
	assert_int_equal(dial("10.99.0.1", 100, NULL), ENETUNREACH);
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
	assert_int_equal(rig_stats(dp).hard, 0);
	rig_endpoint(dp, "127.0.0.1", talk.port);

	rig_sysctl("net/ipv4/ip_local_port_range", "40000 40001");
	for (size_t i = 0; i < 3; i++) {
		fds[i] = talk_socket(&talk, &addr, &len);
		if (!connect(fds[i], (struct sockaddr *)&addr, len))
			continue;
		assert_int_equal(errno, EADDRNOTAVAIL);
		assert_true(i > 0);
	}
	rig_read(dp, &events);
	assert_int_equal(events.n, 0); /* no SYN, no callback */
	for (size_t i = 0; i < events.n; i++)
		if (events.e[i].outcome != SG_LOCAL)
			fail_msg("no port: %s, %s", talk_class_name(events.e[i].outcome),
				 talk_cause_name(events.e[i].cause));
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	rig_sysctl("net/ipv4/ip_local_port_range", "32768 60999");
	talk_done(&talk);
	talk_init(&talk, dp);
}

/* --- who is not believed ------------------------------------------------------------------ */

/* Dials an address of its own in a namespace that an ordinary user could make. */
static int stranger(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return 77;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0 0 1", 5) != 5)
		return 3;
	close(fd);
	if (system("ip link set lo up && ip addr add 10.66.0.9/32 dev lo"))
		return 1;
	inet_pton(AF_INET, "10.66.0.9", &sin.sin_addr);
	for (int i = 0; i < 3; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&sin, sizeof(sin)) || errno != ECONNREFUSED)
			return 2;
		close(fd);
	}
	return 0;
}

static void test_strangers_teach_nothing(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_stats st;
	int status;
	pid_t pid;

	(void)state;
	policy.consecutive = 1;
	fresh(&policy);
	rig_endpoint(dp, "10.66.0.9", 9);
	pid = fork();
	if (!pid)
		_exit(stranger());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rig_endpoint(dp, "127.0.0.1", talk.port);
	if (WEXITSTATUS(status) == 77)
		skip(); /* this kernel lets nobody make user namespaces */
	assert_int_equal(status, 0);
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
	st = rig_stats(dp);
	assert_int_equal(st.untrusted, 3);
	assert_int_equal(st.connects + st.refused + st.hard + st.ignored, 0);
}

/* The daemon's own sockets are exempt: they teach nothing, and pass all but a quarantine. */
static void test_own_sockets(void **state)
{
	struct sg_command open = { .op = SG_CMD_ORDER,
				   .state = SG_FORCED_OPEN,
				   .until_ns = SG_FOREVER };
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(&policy);
	dataplane_lease(dp, SG_FOREVER);
	rig_command(dp, open);
	rig_drain(dp);
	assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	rig_drain(dp); /* that denial is told */
	talk.own = true;
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, POST);
	talk_say(&talk, BUSY);
	talk_end(&talk);
	rig_read(dp, &events);
	assert_int_equal(events.n, 0);
	assert_int_equal(rig_stats(dp).denied, 1);
	assert_int_equal(rig_stats(dp).hard, 0);
	assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
	assert_int_equal(talk_dial(&talk), -ECONNREFUSED);
	talk.own = false;
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_killed_agents),
		cmocka_unit_test(test_kills_are_local),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unreachable_and_unanswered),
		cmocka_unit_test(test_local_failures),
		cmocka_unit_test(test_strangers_teach_nothing),
		cmocka_unit_test(test_own_sockets),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
