/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS without its keys, as records that look like it: whose fault a handshake's end is, in
 * whatever order the ends of the connection are seen; and what nobody saw end.
 */
#include "bpf/rows.h"

#include "tls.h"

#define HELLO "\x16\x03\x01\x00\x05hello"
#define SERVER_HELLO "\x16\x03\x03\x00\x05hello\x14\x03\x03\x00\x01\x01"
#define CHANGE "\x14\x03\x03\x00\x01\x01"
#define FINISHED CHANGE "\x17\x03\x03\x00\x05kkkkk"
#define RECORD "\x17\x03\x03\x00\x05"
#define ALERT(n) "\x15\x03\x03\x00\x02\x02" n
#define SEALED                 \
	"\x17\x03\x03\x00\x13" \
	"alert and nineteen."
#define X100 \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define ANSWER "\x17\x03\x03\x03\x84" X100 X100 X100 X100 X100 X100 X100 X100 X100
#define CALL_H2 "\x17\x03\x03\x00\x64" X100
/* session id, cipher suites, compression; extensions: server name, ALPN with h2 in front */
#define HELLO_CUT                                      \
	"\x16\x03\x01\x00\x46\x01\x00\x00\x42\x03\x03" \
	"0123456789abcdef0123456789abcdef"             \
	"\x02ID"                                       \
	"\x00\x02\x13\x01"                             \
	"\x01\x00"
#define HELLO_H2                        \
	HELLO_CUT "\x00\x18"            \
		  "\x00\x00\x00\x03x.y" \
		  "\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1"
#define DISTRUST OUTCOME(SG_CALLER, SG_CAUSE_DISTRUST, 0, false, false)

static const struct row rows[] = {
	{ "ClientHello, reset", { CONNECT, ASK(HELLO), RST }, { TLS }, .n = 1, .requests = 0 },
	{ "ClientHello, EOF", { CONNECT, ASK(HELLO), FIN }, { TLS }, .n = 1, .requests = 0 },
	{ "ServerHello, client closes",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), CLOSE },
	  { OUTCOME(SG_CALLER, SG_CAUSE_ANSWER, 0, true, false) },
	  .n = 1,
	  .requests = 0 },
	{ "handshake alone",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), CLOSE },
	  NOTHING,
	  .handshakes = 1 },
	{ "the client trusts no such authority, RST",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(ALERT("\x30")), RST },
	  { DISTRUST },
	  .n = 1,
	  .requests = 0 },
	{ "the client trusts no such authority, FIN",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(ALERT("\x30")), FIN },
	  { DISTRUST },
	  .n = 1,
	  .requests = 0 },
	{ "the client trusts no such authority, CLOSE",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(ALERT("\x30")), CLOSE },
	  { DISTRUST },
	  .n = 1,
	  .requests = 0 },
	{ "the client trusts no such authority, ABORT",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(ALERT("\x30")), ABORT },
	  { DISTRUST },
	  .n = 1,
	  .requests = 0 },
	{ "the client says so under TLS 1.3, RST",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(CHANGE SEALED), RST },
	  { OUTCOME(SG_UNKNOWN, SG_CAUSE_DISTRUST, 0, false, false) },
	  .n = 1,
	  .requests = 0 },
	{ "the certificate is over, RST",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(ALERT("\x2d")), RST },
	  { OUTCOME(SG_HARD, SG_CAUSE_CERTIFICATE, 0, false, false) },
	  .n = 1,
	  .requests = 0 },
	{ "the client says so under TLS 1.3, FIN",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(CHANGE SEALED), FIN },
	  { OUTCOME(SG_UNKNOWN, SG_CAUSE_DISTRUST, 0, false, false) },
	  .n = 1,
	  .requests = 0 },
	{ "the certificate is over, FIN",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(ALERT("\x2d")), FIN },
	  { OUTCOME(SG_HARD, SG_CAUSE_CERTIFICATE, 0, false, false) },
	  .n = 1,
	  .requests = 0 },
	{ "the client says so under TLS 1.3, CLOSE",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(CHANGE SEALED), CLOSE },
	  { OUTCOME(SG_UNKNOWN, SG_CAUSE_DISTRUST, 0, false, false) },
	  .n = 1,
	  .requests = 0 },
	{ "the certificate is over, CLOSE",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(ALERT("\x2d")), CLOSE },
	  { OUTCOME(SG_HARD, SG_CAUSE_CERTIFICATE, 0, false, false) },
	  .n = 1,
	  .requests = 0 },
	{ "the server fails in the handshake",
	  { CONNECT, ASK(HELLO), SAY(ALERT("\x28")), FIN },
	  { TLS },
	  .n = 1,
	  .requests = 0 },
	{ "the server wants a certificate",
	  { CONNECT, ASK(HELLO), SAY(ALERT("\x74")), RST },
	  { OUTCOME(SG_CALLER, SG_CAUSE_TLS, 0, false, false) },
	  .n = 1,
	  .requests = 0 },
	{ "request, EOF",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), FIN },
	  { TRUNCATED },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "request, tickets at most",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"),
	    SAY(RECORD "reply"), FIN },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "tickets at most, client closes",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"),
	    SAY(RECORD "reply"), CLOSE },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "answer, client closes",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    CLOSE },
	  { UNREAD },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "answer, client says that it closes",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    ASK(SEALED), CLOSE },
	  { UNREAD },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "the same with TLS 1.2",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    ASK(ALERT("\x00")), CLOSE },
	  { UNREAD },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "answer, server closes",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    FIN },
	  { UNREAD },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "answer, reset",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    RST },
	  { RESET },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "answer, another request",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), SWEEP, ASK(RECORD "query"), FIN },
	  { UNREAD, TRUNCATED },
	  .n = 2,
	  .requests = 2,
	  .handshakes = 1 },
	{ "then silence, CLOSE",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), SWEEP, CLOSE },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence that nobody noticed, CLOSE",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), CLOSE },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence, FIN",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), SWEEP, FIN },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence that nobody noticed, FIN",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), FIN },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence, RST",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), SWEEP, RST },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence that nobody noticed, RST",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), RST },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence, ABORT",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), SWEEP, ABORT },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence that nobody noticed, ABORT",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), ABORT },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "then silence, client says that it closes",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), SWEEP, ASK(SEALED), CLOSE },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "it goes on after a silence",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), SAY(ANSWER),
	    PAUSE(300), SWEEP, SAY(ANSWER), CLOSE },
	  { UNREAD },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "the client closes while it waits",
	  { CONNECT, ASK(HELLO), SAY(SERVER_HELLO), ASK(FINISHED), ASK(RECORD "query"), ASK(SEALED),
	    CLOSE },
	  { GIVEN_UP },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1 },
	{ "HTTP/2 is kept going",
	  { CONNECT, ASK(HELLO_H2), SAY(SERVER_HELLO), ASK(FINISHED), ASK(CALL_H2), SAY(ANSWER),
	    ASK(RECORD "ack"), PAUSE(300), SWEEP, CLOSE },
	  { UNSEEN },
	  .n = 1,
	  .requests = 1,
	  .handshakes = 1,
	  .h2 = 1 },
	{ "HTTP/2, called again",
	  { CONNECT, ASK(HELLO_H2), SAY(SERVER_HELLO), ASK(FINISHED), ASK(CALL_H2), SAY(ANSWER),
	    ASK(CALL_H2), SAY(ANSWER), CLOSE },
	  { UNREAD, UNREAD },
	  .n = 2,
	  .requests = 2,
	  .handshakes = 1,
	  .h2 = 1 },
	{ "a hello that is cut, and one of another kind",
	  { CONNECT, ASK(HELLO_CUT), FIN },
	  { TLS },
	  .n = 1,
	  .requests = 0 },
};

static void test_records(void **state)
{
	(void)state;
	rows_play(rows, ARRAY_SIZE(rows));
}

/* What HTTP/2 is told of is marked, and nothing else. */
static void test_estimates(void **state)
{
	static const struct talk_step h2[TALK_STEPS_MAX] = { CONNECT,           ASK(HELLO_H2),
							     SAY(SERVER_HELLO), ASK(FINISHED),
							     ASK(CALL_H2),      FIN };
	static const struct talk_step h1[TALK_STEPS_MAX] = { CONNECT,           ASK(HELLO),
							     SAY(SERVER_HELLO), ASK(FINISHED),
							     ASK(CALL_H2),      FIN };
	struct sg_policy policy = rig_policy();

	(void)state;
	for (int marked = 0; marked < 2; marked++) {
		fresh(&policy);
		talk_play(&talk, marked ? h2 : h1);
		talk_end(&talk);
		rig_wait(dp, &events, 1);
		assert_int_equal(events.n, 1);
		assert_int_equal(!!(events.e[0].flags & SG_OUT_ESTIMATE), marked);
	}
}

static void test_handshake_time(void **state)
{
	struct sg_policy policy = rig_policy();
	struct sg_hist before, after;

	(void)state;
	fresh(&policy);
	assert_int_equal(dataplane_hist(dp, RIG_SERVER, SG_METRIC_TLS, &before), 0);
	talk_play(&talk,
		  (const struct talk_step[TALK_STEPS_MAX]){ CONNECT, ASK(HELLO), PAUSE(50),
							    SAY(SERVER_HELLO), ASK(FINISHED) });
	assert_int_equal(dataplane_hist(dp, RIG_SERVER, SG_METRIC_TLS, &after), 0);
	assert_int_equal(after.count, before.count + 1);
	assert_true(after.sum_ns - before.sum_ns >= 50 * NS_PER_MS);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_estimates),
		cmocka_unit_test(test_handshake_time),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
