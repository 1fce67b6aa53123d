/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that end in two halves, or whose answer says enough before they end: who
 * closed, and what that means, over real sockets.
 */
#include "bpf/talk.h"

#include <poll.h>
#include <sys/socket.h>

#define POST "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
#define TUNNEL "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define OK HEAD "Content-Length: 2\r\n\r\n{}"
#define PART HEAD "Content-Length: 9\r\n\r\n{"
#define CHUNK HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
#define ENDLESS HEAD "\r\n{}"
#define MISSING "HTTP/1.1 404 x\r\nContent-Length: 9\r\n\r\nno"

static struct dataplane *dp;
static struct talk talk;
static struct rig_events events;

static int setup(void **state)
{
	(void)state;
	dp = rig_open();
	talk_init(&talk, dp);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	talk_done(&talk);
	assert_int_equal(dataplane_detach(dp, &(struct detach_result){ 0 }), 0);
	dataplane_close(dp);
	return 0;
}

static void fresh(const struct sg_policy *policy)
{
	talk_end(&talk); /* whatever a failed test left */
	rig_server(dp, policy, NS_PER_SEC);
	events.n = 0;
}

enum end {
	NOTHING,
	GOOD,
	TRUNCATED,
	TRUNCATED200,
	RESET,
	GIVEN_UP,
	GIVEN_UP200,
	ABANDONED200,
	NO_ANSWER,
	REFUSED,
	BY_PROXY,
};

static const struct talk_outcome ends[] = {
	[GOOD] = { SG_SUCCESS, SG_CAUSE_ANSWER, 200, true, 0 },
	[TRUNCATED] = { SG_HARD, SG_CAUSE_TRUNCATED, 0, false, 0 },
	[TRUNCATED200] = { SG_HARD, SG_CAUSE_TRUNCATED, 200, false, 0 },
	[RESET] = { SG_HARD, SG_CAUSE_RESET, 0, false, 0 },
	[GIVEN_UP] = { SG_CALLER, SG_CAUSE_ABANDONED, 0, false, 0 },
	[GIVEN_UP200] = { SG_CALLER, SG_CAUSE_ABANDONED, 200, false, 0 },
	[ABANDONED200] = { SG_HARD, SG_CAUSE_ABANDONED, 200, false, 0 },
	[NO_ANSWER] = { SG_HARD, SG_CAUSE_NO_ANSWER, 0, false, 0 },
	[REFUSED] = { SG_CALLER, SG_CAUSE_STATUS, 404, false, 0 },
	[BY_PROXY] = { SG_CALLER, SG_CAUSE_PROXY, 0, false, 0 },
};

static const struct row {
	const char *name;
	struct talk_step steps[TALK_STEPS_MAX];
	enum end end;
	unsigned int abandon_ms; /* 0: as usual */
	unsigned int timeout_ms;
} rows[] = {
	/* who has nothing more to send waits for his answer */
	{ "answer, EOF", { CONNECT, ASK(POST), SHUT, SAY(OK), FIN }, .end = GOOD },
	{ "answer up to the end", { CONNECT, ASK(POST), SHUT, SAY(ENDLESS), FIN }, .end = GOOD },
	{ "answer in chunks",
	  { CONNECT, ASK(POST), SHUT, SAY(CHUNK), PAUSE(10), SAY("0\r\n\r\n"), FIN },
	  .end = GOOD },
	{ "answer, client closes", { CONNECT, ASK(POST), SHUT, SAY(OK), CLOSE }, .end = GOOD },
	/* a server that takes the half for the whole does what its client said */
	{ "EOF", { CONNECT, ASK(POST), SHUT, FIN }, .end = GIVEN_UP },
	{ "part of an answer, EOF",
	  { CONNECT, ASK(POST), SHUT, SAY(PART), FIN },
	  .end = TRUNCATED200 },
	{ "reset", { CONNECT, ASK(POST), SHUT, RST }, .end = GIVEN_UP },
	{ "client closes", { CONNECT, ASK(POST), SHUT, CLOSE }, .end = GIVEN_UP },
	{ "part of an answer, client closes late",
	  { CONNECT, ASK(POST), SHUT, SAY(PART), PAUSE(30), CLOSE },
	  .end = ABANDONED200,
	  .abandon_ms = 20 },
	{ "client resets", { CONNECT, ASK(POST), SHUT, ABORT }, .end = GIVEN_UP },
	{ "no answer in time",
	  { CONNECT, ASK(POST), SHUT, SWEEP, PAUSE(30), SWEEP, SWEEP, FIN },
	  .end = NO_ANSWER,
	  .timeout_ms = 20 },
	{ "idle, client closes", { CONNECT, SHUT, CLOSE }, .end = NOTHING },
	{ "idle, server closes", { CONNECT, SHUT, FIN }, .end = NOTHING },
	/* a status that refuses needs no body */
	{ "404 and reset", { CONNECT, ASK(POST), SAY(MISSING), RST }, .end = REFUSED },
	{ "404 and EOF", { CONNECT, ASK(POST), SAY(MISSING), FIN }, .end = REFUSED },
	{ "404 and client closes late",
	  { CONNECT, ASK(POST), SAY(MISSING), PAUSE(30), CLOSE },
	  .end = REFUSED,
	  .abandon_ms = 20 },
	/* a proxy that says nothing says nothing of a server */
	{ "CONNECT, EOF", { CONNECT, ASK(TUNNEL), FIN }, .end = BY_PROXY },
	{ "CONNECT, reset", { CONNECT, ASK(TUNNEL), RST }, .end = BY_PROXY },
	{ "CONNECT, no answer in time",
	  { CONNECT, ASK(TUNNEL), PAUSE(30), SWEEP, CLOSE },
	  .end = BY_PROXY,
	  .timeout_ms = 20 },
};

/* Is the answer's header in the counters? */
static bool counted(const struct row *row)
{
	return row->end == NOTHING || ends[row->end].status;
}

static void play(const struct row *row)
{
	const struct talk_want want = { .name = row->name,
					.outcomes = &ends[row->end],
					.n = row->end != NOTHING,
					.connects = 1,
					.requests = row->end != NOTHING,
					.uncounted = !counted(row) };
	struct sg_policy policy = rig_policy();

	if (row->abandon_ms)
		policy.abandon_ns = row->abandon_ms * NS_PER_MS;
	if (row->timeout_ms)
		policy.timeout_ns = row->timeout_ms * NS_PER_MS;
	fresh(&policy);
	talk_play(&talk, row->steps);
	talk_end(&talk);
	talk_expect(&talk, &want, &events);
}

static void test_halves(void **state)
{
	(void)state;
	for (talk.name = TALK_V4; talk.name < TALK_NAME_COUNT; talk.name++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			play(&rows[i]);
	talk.name = TALK_V4;
}

/* What a half-closed agent has not read when it closes is not the server's end of it. */
static void test_half_closed_and_unread(void **state)
{
	const struct talk_want want = { .name = "unread",
					.outcomes = &ends[GIVEN_UP200],
					.n = 1,
					.connects = 1,
					.requests = 1 };
	struct pollfd p = { .events = POLLIN };
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(&policy);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, POST);
	shutdown(talk.client, SHUT_WR);
	assert_int_equal(talk_error(talk.server), 0);
	assert_int_equal(send(talk.server, PART, strlen(PART), MSG_NOSIGNAL), strlen(PART));
	p.fd = talk.client;
	assert_int_equal(poll(&p, 1, 2000), 1);
	close(TAKE_FD(talk.client));
	talk_expect(&talk, &want, &events);
	talk_end(&talk);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_half_closed_and_unread),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
