/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that end in two halves, or whose answer says enough before they end: who
 * closed, and what that means, over real sockets.
 */
#include "bpf/rows.h"

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

#define REFUSED OUTCOME(SG_CALLER, SG_CAUSE_STATUS, 404, false, false)
#define BY_PROXY OUTCOME(SG_CALLER, SG_CAUSE_PROXY, 0, false, false)

static const struct row rows[] = {
	/* who has nothing more to send waits for his answer */
	{ "answer, EOF",
	  { CONNECT, ASK(POST), SHUT, SAY(OK), FIN },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "answer up to the end",
	  { CONNECT, ASK(POST), SHUT, SAY(ENDLESS), FIN },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "answer in chunks",
	  { CONNECT, ASK(POST), SHUT, SAY(CHUNK), PAUSE(10), SAY("0\r\n\r\n"), FIN },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	{ "answer, client closes",
	  { CONNECT, ASK(POST), SHUT, SAY(OK), CLOSE },
	  { GOOD },
	  .n = 1,
	  .requests = 1 },
	/* a server that takes the half for the whole does what its client said */
	{ "EOF", { CONNECT, ASK(POST), SHUT, FIN }, { GIVEN_UP }, .n = 1, .requests = 1 },
	{ "part of an answer, EOF",
	  { CONNECT, ASK(POST), SHUT, SAY(PART), FIN },
	  { TRUNCATED200 },
	  .n = 1,
	  .requests = 1 },
	{ "reset", { CONNECT, ASK(POST), SHUT, RST }, { GIVEN_UP }, .n = 1, .requests = 1 },
	{ "client closes",
	  { CONNECT, ASK(POST), SHUT, CLOSE },
	  { GIVEN_UP },
	  .n = 1,
	  .requests = 1 },
	{ "part of an answer, client closes late",
	  { CONNECT, ASK(POST), SHUT, SAY(PART), PAUSE(30), CLOSE },
	  { ABANDONED200 },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	{ "client resets",
	  { CONNECT, ASK(POST), SHUT, ABORT },
	  { GIVEN_UP },
	  .n = 1,
	  .requests = 1 },
	{ "no answer in time",
	  { CONNECT, ASK(POST), SHUT, SWEEP, PAUSE(30), SWEEP, SWEEP, FIN },
	  { NO_ANSWER },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 20 },
	{ "idle, client closes", { CONNECT, SHUT, CLOSE }, NOTHING },
	{ "idle, server closes", { CONNECT, SHUT, FIN }, NOTHING },
	/* a status that refuses needs no body */
	{ "404 and reset",
	  { CONNECT, ASK(POST), SAY(MISSING), RST },
	  { REFUSED },
	  .n = 1,
	  .requests = 1 },
	{ "404 and EOF",
	  { CONNECT, ASK(POST), SAY(MISSING), FIN },
	  { REFUSED },
	  .n = 1,
	  .requests = 1 },
	{ "404 and client closes late",
	  { CONNECT, ASK(POST), SAY(MISSING), PAUSE(30), CLOSE },
	  { REFUSED },
	  .n = 1,
	  .requests = 1,
	  .abandon_ms = 20 },
	/* a proxy that says nothing says nothing of a server */
	{ "CONNECT, EOF", { CONNECT, ASK(TUNNEL), FIN }, { BY_PROXY }, .n = 1, .requests = 1 },
	{ "CONNECT, reset", { CONNECT, ASK(TUNNEL), RST }, { BY_PROXY }, .n = 1, .requests = 1 },
	{ "CONNECT, no answer in time",
	  { CONNECT, ASK(TUNNEL), PAUSE(30), SWEEP, CLOSE },
	  { BY_PROXY },
	  .n = 1,
	  .requests = 1,
	  .timeout_ms = 20 },
};

static void test_halves(void **state)
{
	(void)state;
	rows_play(rows, ARRAY_SIZE(rows));
}

/* What a half-closed agent has not read when it closes is not the server's end of it. */
static void test_half_closed_and_unread(void **state)
{
	static const struct talk_outcome outcome = GIVEN_UP200;
	const struct talk_want want = {
		.name = "unread", .outcomes = &outcome, .n = 1, .connects = 1, .requests = 1
	};
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
