/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What comes back from a target, and what is made of it when nothing or not all of it does. */
#include "unit/relay/targets.h"

#include <errno.h>
#include <sys/socket.h>

/* --- what fails ------------------------------------------------------------------------------------ */

static void hangs_up(struct rig_conn *c)
{
	rig_hang_up(c);
}

static int hang_ups;

static void hangs_up_once(struct rig_conn *c)
{
	if (hang_ups++)
		with_answer(c);
	else
		rig_hang_up(c);
}

static void a_call_is_not_repeated(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, hangs_up);
	text = rig_post(&r, "", CALL("\"c\"", "add"));
	assert_has(text, "\"id\":\"c\",\"result\":{\"content\":");
	assert_has(text, "\"copies\\\", which stands in for it, ended while this was under way");
	assert_has(text, "\"isError\":true");
	assert_int_equal(r.n_seen, 1);
	assert_int_equal(r.env.stats[RIG_SERVER].failed, 1);
	assert_int_equal(r.env.stats[RIG_SERVER].answered, 1);
	rig_close(&r);
}

static void ends_in_order(struct rig_conn *c)
{
	rig_end(c);
}

static void an_end_is_a_failure_too(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, ends_in_order);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "ended while this was under way");
	assert_int_equal(r.n_seen, 1);
	rig_close(&r);
}

static void unless_it_does_no_harm(void **state)
{
	static const struct {
		char names[16];
		const char *tools;
		size_t calls;
	} rows[] = {
		{ "x\0add\0", NULL, 2 },
		{ "x\0", "[{\"name\":\"add\",\"annotations\":{\"idempotentHint\":true}}]", 2 },
		{ "", "[{\"name\":\"add\",\"annotations\":{\"readOnlyHint\":true}}]", 2 },
		{ "", "[{\"name\":\"add\",\"annotations\":{\"destructiveHint\":false}}]", 1 },
		{ "",
		  "[{\"name\":\"sub\",\"annotations\":{\"readOnlyHint\":true}},{\"name\":\"add\"}]",
		  1 },
		{ "ad\0addx\0", "nonsense", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		hang_ups = 0;
		rig_open(&r);
		memcpy(r.rule.idempotent, rows[i].names, sizeof(rows[i].names));
		rig_forward(&r, hangs_up_once);
		rig_rule(&r, rows[i].tools);
		text = rig_post(&r, "", CALL("1", "add"));
		assert_int_equal(r.n_seen, rows[i].calls);
		assert_has(text, rows[i].calls == 2 ? OK : "isError");
		rig_close(&r);
	}
	{ /* not twice */
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		rig_open(&r);
		memcpy(r.rule.idempotent, "add", 4);
		rig_forward(&r, hangs_up);
		text = rig_post(&r, "", CALL("1", "add"));
		assert_int_equal(r.n_seen, 2);
		assert_has(text, "isError");
		rig_close(&r);
	}
	{ /* nor is anything else */
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		rig_open(&r);
		memcpy(r.rule.idempotent, "add", 4);
		rig_forward(&r, hangs_up);
		text = rig_post(&r, "", "[" CALL("1", "add") "," CALL("2", "sub") "]");
		assert_int_equal(r.n_seen, 1);
		assert_has(text, "\"id\":2,");
		rig_close(&r);
	}
}

static void nobody_there_is_told(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, with_answer);
	loop_del(TAKE_PTR(r.source));
	shutdown(r.listener, SHUT_RDWR);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "cannot be reached; nothing was sent");
	assert_has(text, "\"isError\":true");
	free(text);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	assert_has(text, "cannot be reached; nothing was sent");
	free(text);
	text = rig_post(&r, "", INITIALIZE);
	assert_has(text, "\"instructions\":");
	assert_int_equal(r.env.stats[RIG_SERVER].failed, 3);
	rig_close(&r);
}

/* A listener whose queue is full takes no SYN, so that a connect hangs. */
static void nobody_who_answers_a_connect_is_told(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;
	int fd[8];

	(void)state;
	rig_open(&r);
	rig_forward(&r, with_answer);
	loop_del(TAKE_PTR(r.source));
	assert_int_equal(listen(r.listener, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
		struct sockaddr_storage at;
		socklen_t len = sizeof(at);

		assert_int_equal(getsockname(r.listener, (struct sockaddr *)&at, &len), 0);
		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fd[i], (struct sockaddr *)&at, len);
	}
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "cannot be reached; nothing was sent");
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	rig_close(&r);
}

static unsigned int refusal;

static void refuses(struct rig_conn *c)
{
	rig_reply_json(c, refusal, "WWW-Authenticate: Bearer\r\nLocation: http://x/\r\n", "{}");
}

static void who_wants_credentials_does_not_get_them_out(void **state)
{
	static const unsigned int statuses[] = { 401, 403, 407, 302, 307 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		refusal = statuses[i];
		rig_open(&r);
		rig_forward(&r, refuses);
		text = rig_post(&r, "", CALL("1", "add"));
		assert_has(text, "HTTP/1.1 200 ");
		assert_has(text, refusal / 100 == 4 ? "wants credentials" : "cannot be used");
		assert_lacks(text, "WWW-");
		rig_close(&r);
	}
}

static void speaks_something_else(struct rig_conn *c)
{
	rig_reply(c, "220 mail.example ESMTP\r\n");
}

static void what_is_no_answer_is_told(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, speaks_something_else);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "gave an answer that cannot be used");
	rig_close(&r);
}

/* --- bodies ------------------------------------------------------------------------------------------ */

#define STREAM                                                                                 \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n" \
	"\r\n"

static void begins_a_stream(struct rig_conn *c)
{
	rig_reply(c, STREAM "1b\r\nid: 5\nevent: message\ndata: \r\n6\r\n{}\n\nid\r\n");
}

static void a_stream_comes_as_it_is_made(void **state)
{
	CLEANUP(freep) char *first = NULL;
	CLEANUP(freep) char *rest = NULL;
	CLEANUP(freep) char *request = rig_post_text("", CALL("1", "add"));
	struct rig r;
	int fd;

	(void)state;
	rig_open(&r);
	rig_forward(&r, begins_a_stream);
	fd = rig_dial(&r);
	rig_say(fd, request);
	first = rig_hear_until(&r, fd, "{}\n\n");
	assert_has(first, "Transfer-Encoding: chunked\r\n");
	assert_has(first, "\nid: sg");
	assert_has(first, "-5\nevent: message\n");
	rig_reply(r.conns, "8\r\n: 6\ndata\r\n0\r\n\r\n");
	rest = rig_hear(&r, fd);
	assert_has(rest, "id: sg");
	assert_has(rest, "-6\ndata");
	assert_has(rest, "\r\n0\r\n\r\n");
	rig_close(&r);
}

static void compresses(struct rig_conn *c)
{
	rig_reply(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		     "Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\n\nid: 5\n");
}

static void what_is_compressed_is_not_touched(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, compresses);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "\r\n\r\n\nid: 5\n");
	rig_close(&r);
}

static void ends_in_mid_stream(struct rig_conn *c)
{
	begins_a_stream(c);
	rig_hang_up(c);
}

static void a_stream_that_breaks_says_so(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *old = NULL;
	char request[512];
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, begins_a_stream);
	{
		CLEANUP(freep) char *asked = rig_post_text("", CALL("1", "add"));
		int fd = rig_dial(&r);

		rig_say(fd, asked);
		text = rig_hear_until(&r, fd, "{}\n\n");
		rig_hang_up(r.conns);
		free(text);
		text = rig_hear(&r, fd);
	}
	assert_has(text, "id\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":");
	assert_has(text, "isError");
	assert_has(text, "\r\n0\r\n\r\n");
	/* to an agent of HTTP/1.0 there are no chunks */
	r.serve = ends_in_mid_stream;
	snprintf(request, sizeof(request), "POST /mcp HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(CALL("1", "add")), CALL("1", "add"));
	old = rig_ask(&r, request);
	assert_has(old, "isError");
	assert_lacks(old, "chunked");
	rig_close(&r);
}

static void promises_too_much(struct rig_conn *c)
{
	rig_reply(
		c,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\":");
	rig_end(c);
}

static void what_cannot_be_completed_is_torn_off(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, promises_too_much);
	text = rig_post(&r, "", CALL("1", "add"));
	assert_has(text, "Content-Length: 100\r\n");
	assert_true(strlen(strstr(text, "\r\n\r\n") + 4) < 100);
	assert_lacks(text, "isError");
	rig_close(&r);
}

static char *last_event_id(const char *text)
{
	const char *id = strstr(text, "\nid: ");

	assert_non_null(id);
	return strndup(id + 5, strcspn(id + 5, "\n"));
}

static void only_who_gave_an_id_is_asked_for_what_is_behind_it(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *again = NULL;
	CLEANUP(freep) char *foreign = NULL;
	char request[512];
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_forward(&r, ends_in_mid_stream);
	do { /* unless the reset was faster than the stream */
		free(text);
		text = rig_post(&r, "", CALL("1", "add"));
	} while (!strstr(text, "\nid: "));
	id = last_event_id(text);
	r.serve = with_answer;
	r.rule.flags = 0;
	snprintf(request, sizeof(request),
		 "GET /mcp HTTP/1.1\r\nHost: h\r\nLast-Event-ID: %s\r\n\r\n", id);
	again = rig_ask(&r, request);
	assert_has(r.seen[r.n_seen - 1], "\r\nLast-Event-ID: 5\r\n");
	foreign = rig_ask(&r, "GET /mcp HTTP/1.1\r\nHost: h\r\nLast-Event-ID: 5\r\n\r\n");
	assert_has(foreign, "switchgear-lost");
	assert_has(foreign, "under way there");
	free(again);
	r.rule.port = (uint16_t)(r.rule.port ^ 1); /* another target: nobody there is asked */
	rig_rule(&r, NULL);
	again = rig_ask(&r, request);
	assert_has(again, "switchgear-lost");
	rig_close(&r);
}

/* Nor if the session in which it was given is not known any more. */
static void an_event_is_of_its_session(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *id = NULL;
	CLEANUP(freep) char *again = NULL;
	char request[512];
	struct rig r;

	(void)state;
	open_with_sessions(&r, with_sessions);
	text = rig_post(&r, SESSION("a"), CALL("1", "add"));
	free(text);
	r.serve = begins_a_stream;
	{
		CLEANUP(freep) char *asked = rig_post_text(SESSION("a"), CALL("1", "add"));
		int fd = rig_dial(&r);

		rig_say(fd, asked);
		text = rig_hear_until(&r, fd, "{}\n\n");
		close(fd);
	}
	id = last_event_id(text);
	r.serve = with_answer;
	for (int i = 0; i < 2; i++) {
		snprintf(request, sizeof(request),
			 "GET /mcp HTTP/1.1\r\nHost: h\r\nMcp-Session-Id: %s\r\n"
			 "Last-Event-ID: %s\r\n\r\n",
			 i ? "b" : "a", id);
		free(again);
		again = rig_ask(&r, request);
		assert_has(again, i ? "switchgear-lost" : OK);
	}
	assert_int_equal(r.n_seen, 5);
	assert_has(r.seen[4], "\r\nLast-Event-ID: 5\r\n");
	assert_has(r.seen[4], "\r\nMcp-Session-Id: s1\r\n");
	rig_close(&r);
}

static void waits(struct rig_conn *c)
{
	(void)c;
}

static void who_goes_cancels(void **state)
{
	CLEANUP(freep) char *request = rig_post_text("", CALL("1", "add"));
	struct rig r;
	int fd;

	(void)state;
	rig_open(&r);
	rig_forward(&r, waits);
	fd = rig_dial(&r);
	rig_say(fd, request);
	rig_turn(&r);
	assert_int_equal(r.n_seen, 1);
	close(fd);
	rig_turn_until(&r, &r.conns->gone);
	assert_int_equal(r.agents.n, 0);
	rig_close(&r);
}

static void streams_without_an_end_end_with_the_rule(void **state)
{
	static const struct {
		const char *request;
		const char *has;
	} rows[] = {
		{ "GET /mcp HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n",
		  "\"method\":\"notifications/tools/list_changed\"}\n\n\r\n0\r\n\r\n" },
		{ "POST /mcp HTTP/1.1\r\nHost: h\r\nMCP-Protocol-Version: 2026-07-28\r\nContent-Length: 58\r\n\r\n"
		  "{\"jsonrpc\":\"2.0\",\"id\":\"l\",\"method\":\"subscriptions/listen\"}",
		  "\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"l\"}}}\n\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *first = NULL;
		CLEANUP(freep) char *rest = NULL;
		CLEANUP(freep) char *call = rig_post_text("", CALL("1", "add"));
		CLEANUP(freep) char *called = NULL;
		struct rig r;
		int fd, busy;

		rig_open(&r);
		rig_forward(&r, begins_a_stream);
		fd = rig_dial(&r);
		rig_say(fd, rows[i].request);
		first = rig_hear_until(&r, fd, "{}\n\n");
		r.serve = waits;
		busy = rig_dial(&r);
		rig_say(busy, call);
		rig_turn(&r);
		rules_drop(&r.env.rules, RIG_SERVER);
		agents_retire(&r.agents, RIG_SERVER);
		rest = rig_hear(&r, fd);
		assert_has(rest, rows[i].has);
		/* what has an end goes on to it */
		rig_reply_json(r.conns, 200, "", OK);
		called = rig_hear(&r, busy);
		assert_has(called, OK);
		rig_close(&r);
	}
}

#define FLOOD (8 << 20)
static size_t flooded;

static void flood(struct rig_conn *c)
{
	char piece[65536];
	ssize_t n;

	memset(piece, 'x', sizeof(piece));
	while (flooded < FLOOD &&
	       (n = send(c->fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		flooded += (size_t)n;
}

static void floods(struct rig_conn *c)
{
	rig_reply(c,
		  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8388608\r\n\r\n");
	flooded = 0;
	flood(c);
}

static void who_does_not_read_holds_back_who_sends(void **state)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(freep) char *request = rig_post_text("", CALL("1", "add"));
	struct buf got = BUF(16 << 20);
	struct rig r;
	size_t stuck;
	int fd;

	(void)state;
	rig_open(&r);
	rig_forward(&r, floods);
	fd = rig_dial(&r);
	rig_say(fd, request);
	for (int i = 0; i < 20; i++) {
		rig_turn(&r);
		flood(r.conns);
	}
	stuck = flooded;
	rig_turn(&r);
	flood(r.conns);
	assert_int_equal(flooded, stuck);
	assert_true(stuck < FLOOD);
	for (int i = 0; i < 100000 && got.len < FLOOD; i++) {
		char piece[65536];
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (n > 0)
			buf_append(&got, piece, (size_t)n);
		assert_int_equal(loop_turn(r.env.loop, n > 0 ? 0 : 1), 0);
		if (r.conns->fd >= 0)
			flood(r.conns);
	}
	text = rig_hear(&r, fd);
	buf_puts(&got, text);
	assert_int_equal(got.len - (size_t)(strstr(got.data, "\r\n\r\n") + 4 - got.data), FLOOD);
	buf_done(&got);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_not_repeated),
		cmocka_unit_test(an_end_is_a_failure_too),
		cmocka_unit_test(unless_it_does_no_harm),
		cmocka_unit_test(nobody_there_is_told),
		cmocka_unit_test(nobody_who_answers_a_connect_is_told),
		cmocka_unit_test(who_wants_credentials_does_not_get_them_out),
		cmocka_unit_test(what_is_no_answer_is_told),
		cmocka_unit_test(a_stream_comes_as_it_is_made),
		cmocka_unit_test(what_is_compressed_is_not_touched),
		cmocka_unit_test(a_stream_that_breaks_says_so),
		cmocka_unit_test(what_cannot_be_completed_is_torn_off),
		cmocka_unit_test(only_who_gave_an_id_is_asked_for_what_is_behind_it),
		cmocka_unit_test(an_event_is_of_its_session),
		cmocka_unit_test(who_goes_cancels),
		cmocka_unit_test(streams_without_an_end_end_with_the_rule),
		cmocka_unit_test(who_does_not_read_holds_back_who_sends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
