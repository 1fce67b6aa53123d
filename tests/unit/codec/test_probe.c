/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Canned answers, each cut at every position, and the conversations they make. */
#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/probe.h"
#include "core/answer.h"

#define JSON "Content-Type: application/json\r\n"
#define STREAM "Content-Type: text/event-stream\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define INTERIM                                                      \
	"HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\nLink: </x>\r\n\r\n" \
	"HTTP/1.1 100 x\r\n\r\n"
#define RESULT "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}" /* 36 bytes */
#define ERROR(code) "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":" code ",\"message\":\"x\"}}"
#define WHOLE(text) OK JSON "\r\n" text /* up to the end of the connection */
#define EVENT(text) OK STREAM "\r\n" text

struct row {
	const char *name;
	const char *bytes;
	bool eof;
	enum sg_class class;
	enum sg_cause cause;
	uint16_t status;
	bool complete;
};

/* What the answer to a ping (id 3) means in the session eras. */
static const struct row rows[] = {
	{ "length", OK JSON "Content-Length: 36\r\n\r\n" RESULT, false, SG_SUCCESS, SG_CAUSE_ANSWER,
	  200, true },
	{ "more than the length", OK JSON "Content-Length: 36\r\n\r\n" RESULT "rubbish", false,
	  SG_SUCCESS, SG_CAUSE_ANSWER, 200, true },
	{ "close", WHOLE(RESULT), true, SG_SUCCESS, SG_CAUSE_ANSWER, 200, true },
	{ "chunked",
	  OK JSON CHUNKED "\r\n10;a=b\r\n{\"jsonrpc\":\"2.0\"\r\n"
			  "14\r\n,\"id\":3,\"result\":{}}\r\n0\r\nX: y\r\n\r\n",
	  false, SG_SUCCESS, SG_CAUSE_ANSWER, 200, true },
	{ "one event", EVENT("event: message\ndata: " RESULT "\n\n"), false, SG_SUCCESS,
	  SG_CAUSE_ANSWER, 200, true },
	{ "CR alone", EVENT("data: " RESULT "\r\r"), false, SG_SUCCESS, SG_CAUSE_ANSWER, 200,
	  true },
	{ "priming, comment, notification, foreign event, answer in two lines",
	  OK STREAM CHUNKED
	  "\r\nff\r\nid: 1\r\ndata: \r\n\r\n: keepalive\r\n\r\n"
	  "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\r\n\r\n"
	  "event: other\r\ndata: nonsense\r\n\r\n"
	  "data: {\"jsonrpc\":\"2.0\",\"id\":3,\r\ndata:\"result\":{}}\r\n\r\n",
	  false, SG_SUCCESS, SG_CAUSE_ANSWER, 200, true },
	{ "batch", WHOLE("[{\"jsonrpc\":\"2.0\",\"method\":\"x\"}," RESULT "]"), true, SG_SUCCESS,
	  SG_CAUSE_ANSWER, 200, true },
	{ "batch with a request of theirs",
	  WHOLE("[{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"x\"}," RESULT "]"), true, SG_SUCCESS,
	  SG_CAUSE_ANSWER, 200, true },
	{ "interim", "HTTP/1.1 100 Continue\r\n\r\n" WHOLE(RESULT), true, SG_SUCCESS,
	  SG_CAUSE_ANSWER, 200, true },
	{ "many interim answers", INTERIM INTERIM INTERIM INTERIM WHOLE(RESULT), true, SG_SUCCESS,
	  SG_CAUSE_ANSWER, 200, true },
	{ "nothing at all", OK "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n", true,
	  SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "bare line feeds", "HTTP/1.0 200 OK\ncontent-type:application/json\n\n" RESULT, true,
	  SG_SUCCESS, SG_CAUSE_ANSWER, 200, true },

	{ "nothing", "", true, SG_HARD, SG_CAUSE_TRUNCATED, 0, false },
	{ "torn header", "HTTP/1.1 200 OK\r\nContent-Ty", true, SG_HARD, SG_CAUSE_TRUNCATED, 0,
	  false },
	{ "torn length", OK JSON "Content-Length: 37\r\n\r\n" RESULT, true, SG_HARD,
	  SG_CAUSE_TRUNCATED, 200, false },
	{ "torn chunk", OK JSON CHUNKED "\r\n25\r\n" RESULT, true, SG_HARD, SG_CAUSE_TRUNCATED, 200,
	  false },
	{ "torn last chunk", OK JSON CHUNKED "\r\n24\r\n" RESULT "\r\n0\r\n", true, SG_HARD,
	  SG_CAUSE_TRUNCATED, 200, false },
	{ "torn event", EVENT("data: " RESULT "\n"), true, SG_HARD, SG_CAUSE_TRUNCATED, 200,
	  false },
	{ "stream without answer", OK STREAM CHUNKED "\r\n2\r\n:\n\r\n0\r\n\r\n", false, SG_HARD,
	  SG_CAUSE_TRUNCATED, 200, false },
	{ "stream that asks to come back", OK STREAM CHUNKED "\r\n6\r\nid: 1\n\r\n0\r\n\r\n", false,
	  SG_CALLER, SG_CAUSE_NONE, 200, false },
	{ "garbage", "SSH-2.0-OpenSSH_9.2\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 0, false },
	{ "HTTP/2", "HTTP/2 200\r\n\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 0, false },
	{ "bad length", OK "Content-Length: -1\r\n\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 0,
	  false },
	{ "status 099", "HTTP/1.1 099 x\r\n\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 99,
	  false },
	{ "status that is none", "HTTP/1.1 1x0 x\r\n\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 0,
	  false },
	{ "bad chunk size", OK JSON CHUNKED "\r\nxyz\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE,
	  200, false },
	{ "size that is too large, and bad", OK JSON CHUNKED "\r\n10001x\r\n", false, SG_LOCAL,
	  SG_CAUSE_NONE, 200, false },
	{ "empty chunk size", OK JSON CHUNKED "\r\n\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE,
	  200, false },
	{ "bad chunk end", OK JSON CHUNKED "\r\n1\r\n{}", false, SG_HARD, SG_CAUSE_BAD_RESPONSE,
	  200, false },
	{ "html", OK "Content-Type: text/html\r\nContent-Length: 1\r\n\r\nx", false, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "no JSON", WHOLE("hello"), true, SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "empty", OK JSON "Content-Length: 0\r\n\r\n", false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 200,
	  false },
	{ "scalar", WHOLE("3"), true, SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "two documents", WHOLE(RESULT RESULT), true, SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "no version", WHOLE("{\"id\":3,\"result\":{}}"), true, SG_HARD, SG_CAUSE_BAD_RESPONSE,
	  200, false },
	{ "wrong id", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}"), true, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "id as text", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":\"3\",\"result\":{}}"), true, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "no id", WHOLE("{\"jsonrpc\":\"2.0\",\"result\":{}}"), true, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "wrong id in an event", EVENT("data: {\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}\n\n"),
	  false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "batch of others", WHOLE("[{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}]"), true, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "neither result nor error", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":3}"), true, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "both", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{},\"error\":{\"code\":1}}"),
	  true, SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "result is a list", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":[]}"), true, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "error without code", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{}}"), true, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "a request in JSON", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}"), true,
	  SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "no JSON in an event", EVENT("data: hello\n\n"), false, SG_HARD, SG_CAUSE_BAD_RESPONSE,
	  200, false },

	{ "internal error", WHOLE(ERROR("-32603")), true, SG_HARD, SG_CAUSE_ANSWER, 200, true },
	{ "server error", WHOLE(ERROR("-32005")), true, SG_HARD, SG_CAUSE_ANSWER, 200, true },
	{ "legacy meaning", WHOLE(ERROR("-32000")), true, SG_CALLER, SG_CAUSE_ANSWER, 200, true },
	{ "invalid request", EVENT("data: " ERROR("-32600") "\n\n"), false, SG_CALLER,
	  SG_CAUSE_ANSWER, 200, true },
	{ "error without id",
	  WHOLE("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700}}"), true, SG_CALLER,
	  SG_CAUSE_ANSWER, 200, true },
	{ "isError", WHOLE("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"isError\":true}}"), true,
	  SG_APP, SG_CAUSE_ANSWER, 200, true },
	{ "input required",
	  WHOLE("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"resultType\":\"input_required\"}}"),
	  true, SG_CALLER, SG_CAUSE_ANSWER, 200, true },

	{ "500", "HTTP/1.1 500 x\r\n\r\n", false, SG_HARD, SG_CAUSE_STATUS, 500, false },
	{ "502 without body", "HTTP/1.1 502 x\r\nContent-Length: 9\r\n\r\n", false, SG_HARD,
	  SG_CAUSE_STATUS, 502, false },
	{ "503", "HTTP/1.1 503 x\r\n\r\n", false, SG_HARD, SG_CAUSE_STATUS, 503, false },
	{ "503 with a date", "HTTP/1.1 503 x\r\nRetry-After: Fri, 20 Nov\r\n\r\n", false, SG_SOFT,
	  SG_CAUSE_LIMITED, 503, false },
	{ "429", "HTTP/1.1 429 x\r\n\r\n", false, SG_SOFT, SG_CAUSE_LIMITED, 429, false },
	{ "407", "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n", false, SG_CALLER, SG_CAUSE_PROXY,
	  407, true },
	{ "501", "HTTP/1.1 501 x\r\nContent-Length: 0\r\n\r\n", false, SG_CALLER, SG_CAUSE_STATUS,
	  501, true },
	{ "401", "HTTP/1.1 401 x\r\nContent-Length: 2\r\n\r\nno", false, SG_CALLER, SG_CAUSE_STATUS,
	  401, true },
	{ "403 torn", "HTTP/1.1 403 x\r\nContent-Length: 2\r\n\r\nn", true, SG_CALLER,
	  SG_CAUSE_STATUS, 403, false },
	{ "lengths that are the same", "HTTP/1.1 200 x\r\nContent-Length: 2, 2\r\n" JSON "\r\nno",
	  false, SG_HARD, SG_CAUSE_BAD_RESPONSE, 200, false },
	{ "lengths that are not",
	  "HTTP/1.1 401 x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", false, SG_HARD,
	  SG_CAUSE_BAD_RESPONSE, 0, false },
	{ "400 with an error", "HTTP/1.1 400 x\r\n" JSON "\r\n" ERROR("-32603"), true, SG_CALLER,
	  SG_CAUSE_STATUS, 400, true },
	{ "307", "HTTP/1.1 307 x\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", false,
	  SG_CALLER, SG_CAUSE_STATUS, 307, true },
	{ "202", "HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n", false, SG_CALLER, SG_CAUSE_STATUS,
	  202, true },
	{ "204", "HTTP/1.1 204 x\r\n\r\n", false, SG_CALLER, SG_CAUSE_STATUS, 204, true },
	{ "101", "HTTP/1.1 101 x\r\n\r\n", false, SG_CALLER, SG_CAUSE_STATUS, 101, true },
};

static void expect(const struct row *row, const struct probe_answer *a, size_t cut)
{
	const struct probe_result *r = &a->result;

	if (!a->over || r->class != row->class || r->cause != row->cause ||
	    r->status != row->status || r->complete != row->complete)
		fail_msg("%s, cut at %zu: over %d, class %d, cause %d, status %u, complete %d",
			 row->name, cut, a->over, r->class, r->cause, r->status, r->complete);
}

static void table(struct sg_http_table *t)
{
	assert_int_equal(answer_table_build(t), 0);
}

static void test_answers_cut_everywhere(void **state)
{
	struct sg_http_table t;
	struct probe_answer a;

	(void)state;
	table(&t);
	probe_answer_init(&a, &t);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *bytes = rows[i].bytes;
		size_t len = strlen(bytes);

		for (size_t cut = 0; cut <= len; cut++) {
			probe_answer_reset(&a, 3, true, false);
			probe_answer_feed(&a, bytes, cut);
			probe_answer_feed(&a, bytes + cut, len - cut);
			assert_true(a.over || rows[i].eof);
			if (rows[i].eof)
				probe_answer_eof(&a);
			expect(&rows[i], &a, cut);
		}
		probe_answer_reset(&a, 3, true, false);
		for (size_t k = 0; k < len; k++)
			probe_answer_feed(&a, bytes + k, 1);
		if (rows[i].eof)
			probe_answer_eof(&a);
		expect(&rows[i], &a, len + 1);
	}
	probe_answer_done(&a);
}

/* Framed bodies are not over one byte earlier; an event stream is when the event is. */
static void test_answers_need_their_last_byte(void **state)
{
	struct sg_http_table t;
	struct probe_answer a;

	(void)state;
	table(&t);
	probe_answer_init(&a, &t);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].bytes);

		if (rows[i].eof || rows[i].class != SG_SUCCESS || strstr(rows[i].name, "more") ||
		    strstr(rows[i].bytes, STREAM))
			continue;
		probe_answer_reset(&a, 3, true, false);
		assert_false(probe_answer_feed(&a, rows[i].bytes, len - 1));
		assert_true(probe_answer_feed(&a, rows[i].bytes + len - 1, 1));
	}
	probe_answer_done(&a);
}

/* --- hostile servers ----------------------------------------------------------------------- */

static const struct probe_result *flood(struct probe_answer *a, const char *start,
					const char *again, size_t times)
{
	probe_answer_reset(a, 3, true, false);
	probe_answer_feed(a, start, strlen(start));
	for (size_t i = 0; i < times; i++)
		probe_answer_feed(a, again, strlen(again));
	assert_true(a->over);
	return &a->result;
}

static void test_limits(void **state)
{
	struct sg_http_table t;
	struct probe_answer a;
	const struct probe_result *r;

	(void)state;
	table(&t);
	probe_answer_init(&a, &t);
	r = flood(&a, OK, "X-A: bbbbbbbb\r\n", PROBE_HEAD_MAX / 15 + 1);
	assert_int_equal(r->cause, SG_CAUSE_BAD_RESPONSE);
	assert_int_equal(a.taken, PROBE_HEAD_MAX + 1);
	r = flood(&a, "", "HTTP/1.1 100 x\r\n\r\n", PROBE_HEAD_MAX / 18 + 1);
	assert_int_equal(r->cause, SG_CAUSE_BAD_RESPONSE);
	r = flood(&a, OK JSON "\r\n", "[[[[[[[[", PROBE_ANSWER_MAX / 8);
	assert_int_equal(r->class, SG_LOCAL);
	assert_false(r->complete);
	assert_int_equal(a.taken, PROBE_ANSWER_MAX + 1);
	r = flood(&a, EVENT(""), "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n", 2000);
	assert_int_equal(r->class, SG_LOCAL);
	r = flood(&a, EVENT(""), ":\n\n", 30000);
	assert_int_equal(r->class, SG_LOCAL);
	r = flood(&a, "HTTP/1.1 404 x\r\n\r\n", "aaaaaaaa", PROBE_ANSWER_MAX / 8);
	assert_int_equal(r->class, SG_LOCAL);
	r = flood(&a, OK JSON CHUNKED "\r\n", "fffffffffffffffff\r\n", 1);
	assert_int_equal(r->class, SG_LOCAL);
	r = flood(&a, OK JSON CHUNKED "\r\n", "10001\r\n", 1);
	assert_int_equal(r->class, SG_LOCAL);
	r = flood(&a, OK JSON "Content-Length: 65537\r\n", "\r\n", 1);
	assert_int_equal(r->class, SG_LOCAL);
	r = flood(&a, OK JSON "Content-Length: 300\r\n\r\n", "[[[", 100);
	assert_int_equal(r->cause, SG_CAUSE_BAD_RESPONSE);
	probe_answer_done(&a);
}

static void test_a_zero_byte_ends_a_stream(void **state)
{
	static const char bytes[] = EVENT("data: " RESULT "\0rubbish\n\n");
	struct sg_http_table t;
	struct probe_answer a;

	(void)state;
	table(&t);
	probe_answer_init(&a, &t);
	probe_answer_reset(&a, 3, true, false);
	assert_true(probe_answer_feed(&a, bytes, sizeof(bytes) - 1));
	assert_int_equal(a.result.cause, SG_CAUSE_BAD_RESPONSE);
	probe_answer_done(&a);
}

#define DATE "HTTP/1.1 429 x\r\nRetry-After: Fri, 20 Nov 2026 19:00:20 GMT\r\n\r\n"

static void test_retry_after_is_capped(void **state)
{
	struct sg_http_table t;
	struct probe_answer a;

	(void)state;
	table(&t);
	probe_answer_init(&a, &t);
	assert_int_equal(
		flood(&a, "HTTP/1.1 429 x\r\nRetry-After: 7\r\n\r\n", "", 0)->retry_after_ns,
		SECONDS(7));
	assert_int_equal(
		flood(&a, "HTTP/1.1 503 x\r\nRetry-After: 99999\r\n\r\n", "", 0)->retry_after_ns,
		SG_RETRY_AFTER_MAX_NS);
	assert_int_equal(
		flood(&a, "HTTP/1.1 500 x\r\nRetry-After: 7\r\n\r\n", "", 0)->retry_after_ns, 0);
	/* a date, 30 s before and after which it is; without a clock it says nothing */
	assert_int_equal(flood(&a, DATE, "", 0)->retry_after_ns, 0);
	a.wall_ns = SECONDS(1795201190); /* 20 November 2026, 18:59:50 */
	assert_int_equal(flood(&a, DATE, "", 0)->retry_after_ns, SECONDS(30));
	a.wall_ns += SECONDS(60);
	assert_int_equal(flood(&a, DATE, "", 0)->retry_after_ns, 0);
	a.wall_ns -= SECONDS(3600);
	assert_int_equal(flood(&a, DATE, "", 0)->retry_after_ns, SG_RETRY_AFTER_MAX_NS);
	probe_answer_done(&a);
}

/* --- conversations ---------------------------------------------------------------------------- */

static const struct probe_target target = { "host:8080", "/mcp", "1.2.3" };

#define INIT(fields, version)                                                                  \
	OK JSON fields                                                                         \
		"\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"" version \
		"\",\"capabilities\":{},\"serverInfo\":{}}}"
#define SESSION "MCP-Session-ID:  abc-1 \r\n"
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define DISCOVERED OK JSON "\r\n{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}"
#define TOOLS OK JSON "\r\n{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"tools\":[]}}"
#define STATUS(code) "HTTP/1.1 " code " x\r\nContent-Length: 0\r\n\r\n"

struct talk {
	struct probe_session t;
	struct buf request;
};

static void talk_start(struct talk *k, enum probe_generation era)
{
	k->request = BUF(PROBE_REQUEST_MAX);
	assert_int_equal(probe_session_init(&k->t, &target, era), 0);
}

static void talk_end(struct talk *k)
{
	probe_session_done(&k->t);
	buf_done(&k->request);
}

/* The request of `step` goes out, the answer and the end of the connection come in. */
static void turn(struct talk *k, enum probe_step step, const char *answer)
{
	assert_int_equal(k->t.step, step);
	buf_clear(&k->request);
	assert_int_equal(probe_session_request(&k->t, &k->request), 0);
	if (!probe_session_feed(&k->t, answer, strlen(answer)))
		assert_true(probe_session_eof(&k->t));
}

static void sent(const struct talk *k, const char *text)
{
	if (!strstr(buf_str(&k->request), text))
		fail_msg("\"%s\" is not in:\n%s", text, buf_str(&k->request));
}

static void not_sent(const struct talk *k, const char *text)
{
	if (strstr(buf_str(&k->request), text))
		fail_msg("\"%s\" is in:\n%s", text, buf_str(&k->request));
}

static void judged(const struct talk *k, enum sg_class class, enum probe_step step)
{
	assert_true(k->t.judged);
	assert_int_equal(k->t.result.class, class);
	assert_int_equal(k->t.step, step);
}

static void test_session(void **state)
{
	struct talk k;

	(void)state;
	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, INIT(SESSION, "2025-06-18"));
	assert_string_equal(
		buf_str(&k.request),
		"POST /mcp HTTP/1.1\r\nHost: host:8080\r\nUser-Agent: switchgear/1.2.3\r\n"
		"Accept: application/json, text/event-stream\r\nConnection: close\r\n"
		"Content-Type: application/json\r\nContent-Length: 159\r\n\r\n"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
		"\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
		"\"clientInfo\":{\"name\":\"switchgear\",\"version\":\"1.2.3\"}}}");
	assert_false(k.t.judged);
	assert_int_equal(k.t.era, PROBE_GENERATION_SESSION);
	turn(&k, PROBE_INITIALIZED, ACCEPTED);
	sent(&k, "Mcp-Session-Id: abc-1\r\n");
	sent(&k, "MCP-Protocol-Version: 2025-06-18\r\n");
	sent(&k, "\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	assert_false(k.t.judged);
	turn(&k, PROBE_PING, WHOLE(RESULT));
	sent(&k, "Mcp-Session-Id: abc-1\r\n");
	sent(&k, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}");
	judged(&k, SG_SUCCESS, PROBE_DELETE);
	turn(&k, PROBE_DELETE, STATUS("500"));
	sent(&k, "DELETE /mcp HTTP/1.1\r\n");
	sent(&k, "Mcp-Session-Id: abc-1\r\n");
	not_sent(&k, "Content-Length");
	judged(&k, SG_SUCCESS, PROBE_OVER);
	talk_end(&k);
}

static void test_without_session(void **state)
{
	struct talk k;

	(void)state;
	talk_start(&k, PROBE_GENERATION_SESSION);
	turn(&k, PROBE_INITIALIZE, INIT("", "2025-11-25"));
	turn(&k, PROBE_INITIALIZED, OK "Content-Type: text/html\r\n\r\n");
	not_sent(&k, "Session");
	turn(&k, PROBE_PING, WHOLE(RESULT));
	judged(&k, SG_SUCCESS, PROBE_OVER);
	assert_int_equal(k.t.result.status, 200);
	talk_end(&k);
}

static void test_modern(void **state)
{
	struct talk k;

	(void)state;
	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, STATUS("400"));
	turn(&k, PROBE_DISCOVER, DISCOVERED);
	sent(&k, "\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover\r\n");
	sent(&k,
	     "\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"");
	judged(&k, SG_SUCCESS, PROBE_OVER);
	assert_int_equal(k.t.era, PROBE_GENERATION_MODERN);
	talk_end(&k);

	talk_start(&k, PROBE_GENERATION_MODERN);
	turn(&k, PROBE_DISCOVER, DISCOVERED);
	judged(&k, SG_SUCCESS, PROBE_OVER);
	talk_end(&k);

	/* it went back to an older version */
	talk_start(&k, PROBE_GENERATION_MODERN);
	turn(&k, PROBE_DISCOVER, STATUS("404"));
	turn(&k, PROBE_INITIALIZE, INIT("", "2025-11-25"));
	assert_int_equal(k.t.era, PROBE_GENERATION_SESSION);
	talk_end(&k);

	/* -32000 has a meaning in this era */
	talk_start(&k, PROBE_GENERATION_MODERN);
	turn(&k, PROBE_DISCOVER,
	     WHOLE("{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32000}}"));
	judged(&k, SG_HARD, PROBE_OVER);
	talk_end(&k);
}

static void test_no_era_fits(void **state)
{
	static const char *const neutral[] = { STATUS("401"), STATUS("403"), STATUS("307"),
					       STATUS("202"), STATUS("426") };
	struct talk k;

	(void)state;
	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, STATUS("405"));
	turn(&k, PROBE_DISCOVER, STATUS("404"));
	judged(&k, SG_CALLER, PROBE_OVER);
	assert_true(k.t.result.complete);
	assert_int_equal(k.t.result.status, 404);
	assert_int_equal(k.t.era, PROBE_GENERATION_UNKNOWN);
	talk_end(&k);
	for (size_t i = 0; i < ARRAY_SIZE(neutral); i++) {
		talk_start(&k, PROBE_GENERATION_UNKNOWN);
		turn(&k, PROBE_INITIALIZE, neutral[i]);
		judged(&k, SG_CALLER, PROBE_OVER);
		assert_true(k.t.result.complete);
		talk_end(&k);
	}
}

static void test_failures_end_it(void **state)
{
	struct talk k;

	(void)state;
	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, STATUS("500"));
	judged(&k, SG_HARD, PROBE_OVER);
	talk_end(&k);

	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, INIT(SESSION, "2025-11-25"));
	turn(&k, PROBE_INITIALIZED, STATUS("500"));
	judged(&k, SG_HARD, PROBE_OVER);
	talk_end(&k);

	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, INIT(SESSION, "2025-11-25"));
	turn(&k, PROBE_INITIALIZED, ACCEPTED);
	turn(&k, PROBE_PING, STATUS("429"));
	judged(&k, SG_SOFT, PROBE_DELETE);
	talk_end(&k);

	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, INIT(SESSION, "2025-11-25"));
	turn(&k, PROBE_INITIALIZED, ACCEPTED);
	probe_session_fail(&k.t, SG_HARD, SG_CAUSE_NO_ANSWER);
	judged(&k, SG_HARD, PROBE_OVER);
	assert_int_equal(k.t.result.cause, SG_CAUSE_NO_ANSWER);
	talk_end(&k);

	/* what happens to the DELETE changes nothing */
	talk_start(&k, PROBE_GENERATION_UNKNOWN);
	turn(&k, PROBE_INITIALIZE, INIT(SESSION, "2025-11-25"));
	turn(&k, PROBE_INITIALIZED, ACCEPTED);
	turn(&k, PROBE_PING, WHOLE(RESULT));
	probe_session_fail(&k.t, SG_HARD, SG_CAUSE_RESET);
	judged(&k, SG_SUCCESS, PROBE_OVER);
	talk_end(&k);
}

static void test_ping_is_unknown(void **state)
{
	static const struct {
		const char *ping;
		const char *tools;
		enum sg_class class;
	} cases[] = {
		{ WHOLE(ERROR("-32601")), TOOLS, SG_SUCCESS },
		{ STATUS("404"), TOOLS, SG_SUCCESS },
		{ WHOLE(ERROR("-32601")),
		  WHOLE("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32601}}"), SG_SUCCESS },
		{ STATUS("404"), STATUS("404"), SG_CALLER },
		{ WHOLE(ERROR("-32601")), STATUS("500"), SG_HARD },
	};
	struct talk k;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		talk_start(&k, PROBE_GENERATION_SESSION);
		turn(&k, PROBE_INITIALIZE, INIT("", "2025-11-25"));
		turn(&k, PROBE_INITIALIZED, STATUS("404"));
		turn(&k, PROBE_PING, cases[i].ping);
		assert_false(k.t.judged);
		turn(&k, PROBE_TOOLS, cases[i].tools);
		sent(&k, "\"method\":\"tools/list\"");
		judged(&k, cases[i].class, PROBE_OVER);
		talk_end(&k);
	}
}

static void test_bad_ids_and_versions_are_not_sent_back(void **state)
{
	static char huge[PROBE_SESSION_MAX + 400];
	struct talk k;

	(void)state;
	talk_start(&k, PROBE_GENERATION_SESSION);
	turn(&k, PROBE_INITIALIZE, INIT("Mcp-Session-Id: a b\r\n", "1\\r\\nX: y"));
	turn(&k, PROBE_INITIALIZED, ACCEPTED);
	not_sent(&k, "Session");
	not_sent(&k, "Protocol");
	talk_end(&k);

	snprintf(huge, sizeof(huge), OK JSON "Mcp-Session-Id: %0*d\r\n\r\n%s",
		 (int)PROBE_SESSION_MAX + 1, 1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	talk_start(&k, PROBE_GENERATION_SESSION);
	turn(&k, PROBE_INITIALIZE, huge);
	turn(&k, PROBE_INITIALIZED, ACCEPTED);
	not_sent(&k, "Session");
	talk_end(&k);
}

static void test_targets(void **state)
{
	static const struct probe_target bad[] = {
		{ "", "/mcp", "1" },    { "a b", "/mcp", "1" },   { "h\r\nX: y", "/", "1" },
		{ "h", "/a b", "1" },   { "h", "mcp", "1" },      { "h", "/\n", "1" },
		{ "h", "/mcp", "1\"" }, { "h", "/mcp", "1\r\n" },
	};
	struct probe_session t;
	char host[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(probe_session_init(&t, &bad[i], PROBE_GENERATION_UNKNOWN),
				 -EINVAL);
	assert_string_equal(probe_path("http://127.0.0.1:3001/mcp"), "/mcp");
	assert_string_equal(probe_path("http://host"), "");
	assert_null(probe_path("http://***@host/mcp"));
	assert_null(probe_path("http://host/mcp?***"));
	assert_null(probe_path("http://host/***/mcp"));
	assert_int_equal(probe_host("a.b", 80, false, host, sizeof(host)), 0);
	assert_string_equal(host, "a.b");
	assert_int_equal(probe_host("a.b", 443, true, host, sizeof(host)), 0);
	assert_string_equal(host, "a.b");
	assert_int_equal(probe_host("a.b", 80, true, host, sizeof(host)), 0);
	assert_string_equal(host, "a.b:80");
	assert_int_equal(probe_host("::1", 8080, false, host, sizeof(host)), 0);
	assert_string_equal(host, "[::1]:8080");
	assert_int_equal(probe_host("long-host-name", 8080, false, host, sizeof(host)),
			 -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_cut_everywhere),
		cmocka_unit_test(test_answers_need_their_last_byte),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_a_zero_byte_ends_a_stream),
		cmocka_unit_test(test_retry_after_is_capped),
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_without_session),
		cmocka_unit_test(test_modern),
		cmocka_unit_test(test_no_era_fits),
		cmocka_unit_test(test_failures_end_it),
		cmocka_unit_test(test_ping_is_unknown),
		cmocka_unit_test(test_bad_ids_and_versions_are_not_sent_back),
		cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
