/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Conversations in which a server is asked what it offers: lists, and why there is none. */
#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "codec/probe.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define RESULT(id, text) OK "\r\n{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" text "}"
#define EVENT(id, text)                                                                         \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"jsonrpc\":\"2.0\"," \
	"\"id\":" id ",\"result\":" text "}\n\n"
#define ERROR(id, code) \
	OK "\r\n{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"\"}}"
#define SERVER "\"serverInfo\":{\"name\":\"s\",\"version\":\"1.2\"}"
#define INIT                                                                       \
	OK "Mcp-Session-Id: abc\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{" \
	   "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}}," SERVER "}}"
#define TOOLLESS                                                                               \
	RESULT("1",                                                                            \
	       "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"prompts\":{}}," SERVER \
	       "}")
#define MODERN RESULT("5", "{\"capabilities\":{\"tools\":{}}," SERVER "}")
#define MODERN_META                                                                          \
	RESULT("5", "{\"capabilities\":{\"tools\":{}},\"_meta\":{\"io.modelcontextprotocol/" \
		    "serverInfo\":{\"version\":\"1.2\"}}}")
#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define STATUS(n) "HTTP/1.1 " n " x\r\nContent-Length: 0\r\n\r\n"
#define TOOL(name) "{\"name\":\"" name "\"}"

struct talk {
	const char *name;
	enum probe_generation era;
	const char *answers[8];
	const char *requests[8]; /* a part of each */
	size_t tools;            /* listed, */
	const char *why;         /* or why not */
};

static const struct talk talks[] = {
	{ .name = "a session with one page",
	  .answers = { INIT, ACCEPTED, RESULT("16", "{\"tools\":[" TOOL("a") "," TOOL("b") "]}"),
		       STATUS("200") },
	  .requests = { "\"initialize\"", "Mcp-Session-Id: abc\r\n",
			"{\"jsonrpc\":\"2.0\",\"id\":16,\"method\":\"tools/list\"}", "DELETE " },
	  .tools = 2 },
	{ .name = "three pages, one of them as an event",
	  .answers = { INIT, ACCEPTED,
		       RESULT("16", "{\"tools\":[" TOOL("a") "],\"nextCursor\":\"x\\\"\"}"),
		       EVENT("17", "{\"tools\":[],\"nextCursor\":\"\"}"),
		       RESULT("18", "{\"tools\":[" TOOL("b") "," TOOL("c") "]}"), STATUS("200") },
	  .requests = { "", "", "\"id\":16",
			"\"id\":17,\"method\":\"tools/list\",\"params\":{\"cursor\":\"x\\\"\"}",
			"\"id\":18,\"method\":\"tools/list\",\"params\":{\"cursor\":\"\"}",
			"DELETE " },
	  .tools = 3 },
	{ .name = "the sessionless era",
	  .era = PROBE_GENERATION_MODERN,
	  .answers = { MODERN, RESULT("16", "{\"tools\":[" TOOL("a") "],\"nextCursor\":\"n\"}"),
		       RESULT("17", "{\"tools\":[" TOOL("b") "]}") },
	  .requests = { "Mcp-Method: server/discover", "Mcp-Method: tools/list",
			"clientCapabilities\":{}},\"cursor\":\"n\"}" },
	  .tools = 2 },
	{ .name = "the sessionless era, found out",
	  .answers = { STATUS("405"), MODERN_META, RESULT("16", "{\"tools\":[]}") },
	  .requests = { "\"initialize\"", "\"server/discover\"",
			"MCP-Protocol-Version: 2026-07-28\r\n" },
	  .tools = 0 },
	{ .name = "no tools, as it says itself",
	  .answers = { TOOLLESS, ACCEPTED },
	  .why = "it has no tools" },
	{ .name = "no tools, as it says when it is asked",
	  .answers = { INIT, ACCEPTED, ERROR("16", "-32601"), STATUS("200") },
	  .why = "it has no tools" },
	{ .name = "credentials at once",
	  .answers = { STATUS("401") },
	  .why = "it wants credentials (HTTP status 401)" },
	{ .name = "credentials for the list",
	  .answers = { INIT, ACCEPTED, STATUS("403"), STATUS("200") },
	  .why = "it wants credentials (HTTP status 403)" },
	{ .name = "an error",
	  .answers = { INIT, ACCEPTED, ERROR("16", "-32000"), STATUS("200") },
	  .why = "it answers tools/list with the JSON-RPC error -32000" },
	{ .name = "a status",
	  .answers = { INIT, ACCEPTED, STATUS("500") },
	  .why = "it answers tools/list with HTTP status 500" },
	{ .name = "garbage",
	  .answers = { INIT, ACCEPTED,
		       OK "\r\n{\"jsonrpc\":\"2.0\",\"id\":16,\"result\":{\"tools\":[" },
	  .why = "what it answers to tools/list is no answer of JSON-RPC, or has a key twice" },
	{ .name = "a key twice",
	  .answers = { INIT, ACCEPTED,
		       RESULT("16",
			      "{\"tools\":[{\"name\":\"a\",\"description\":\"x\",\"description\":"
			      "\"y\"}]}") },
	  .why = "what it answers to tools/list is no answer of JSON-RPC, or has a key twice" },
	{ .name = "the answer to another page",
	  .answers = { INIT, ACCEPTED, RESULT("4", "{\"tools\":[]}") },
	  .why = "what it answers to tools/list is no answer of JSON-RPC, or has a key twice" },
	{ .name = "no list",
	  .answers = { INIT, ACCEPTED, RESULT("16", "{\"tools\":7}"), STATUS("200") },
	  .why = "what it answers to tools/list has no \"tools\"" },
	{ .name = "no header",
	  .answers = { INIT, ACCEPTED, "" },
	  .why = "tools/list fails: truncated" },
};

static const struct probe_target target = { "h:1", "/mcp", "9" };

/* Its next request, which is checked, and the answer to it. */
static void turn(struct probe_session *t, const char *answer, const char *part)
{
	CLEANUP(buf_done) struct buf request = BUF(PROBE_REQUEST_MAX);

	assert_int_equal(probe_session_request(t, &request), 0);
	if (part && !strstr(buf_str(&request), part))
		fail_msg("no \"%s\" in %s", part, buf_str(&request));
	if (!probe_session_feed(t, answer, strlen(answer)))
		assert_true(probe_session_eof(t));
}

static void play(const struct talk *talk)
{
	static struct probe_session t;
	size_t turns = 0;

	assert_int_equal(probe_session_init(&t, &target, talk->era), 0);
	probe_session_list(&t);
	for (; t.step != PROBE_OVER; turns++) {
		assert_true(turns < 8);
		if (!talk->answers[turns])
			fail_msg("%s: more requests than answers", talk->name);
		turn(&t, talk->answers[turns], talk->requests[turns]);
	}
	if (turns < 8 && talk->answers[turns])
		fail_msg("%s: over after %zu turns", talk->name, turns);
	assert_true(t.judged);
	if (t.list.listed != !talk->why || strcmp(t.list.why, talk->why ? talk->why : "") != 0)
		fail_msg("%s: \"%s\"", talk->name, t.list.why);
	if (!talk->why) {
		assert_int_equal(t.list.tools.n, talk->tools);
		assert_string_equal(t.list.version, "1.2");
	}
	probe_session_done(&t);
}

static void conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++)
		play(&talks[i]);
}

/* Up to tools/list. */
static void greet(struct probe_session *t)
{
	assert_int_equal(probe_session_init(t, &target, PROBE_GENERATION_SESSION), 0);
	probe_session_list(t);
	turn(t, INIT, NULL);
	turn(t, ACCEPTED, NULL);
	assert_int_equal(t->step, PROBE_TOOLS);
}

static void pages_without_end_are_given_up(void **state)
{
	static struct probe_session t;
	unsigned int pages = 0;
	char page[256];

	(void)state;
	greet(&t);
	for (; t.step == PROBE_TOOLS; pages++) {
		snprintf(page, sizeof(page),
			 OK "\r\n{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{\"tools\":[],"
			    "\"nextCursor\":\"same\"}}",
			 16 + pages);
		turn(&t, page, NULL);
	}
	assert_int_equal(pages, TOOLS_PAGES_MAX);
	assert_false(t.list.listed);
	assert_string_equal(t.list.why, "its list has more than 64 pages");
	probe_session_done(&t);
}

static void a_list_that_is_too_long_is_given_up(void **state)
{
	static struct probe_session t;
	CLEANUP(buf_done) struct buf page = BUF(2 * TOOLS_BYTES_MAX);

	(void)state;
	greet(&t);
	buf_puts(&page,
		 OK "\r\n{\"jsonrpc\":\"2.0\",\"id\":16,\"result\":{\"tools\":[{\"name\":\"a\","
		    "\"description\":\"");
	while (page.len <= TOOLS_BYTES_MAX)
		buf_puts(&page, "more and more ");
	turn(&t, buf_str(&page), NULL);
	assert_string_equal(t.list.why,
			    "what it answers to tools/list is longer than 2097152 bytes");
	probe_session_done(&t);

	greet(&t); /* and in pages */
	for (unsigned int i = 0; t.step == PROBE_TOOLS; i++) {
		buf_clear(&page);
		buf_printf(&page,
			   OK "\r\n{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{\"nextCursor\":\"c\","
			      "\"tools\":[{\"name\":\"a\",\"description\":\"%0*d\"}]}}",
			   16 + i, 1 << 20, 0);
		turn(&t, buf_str(&page), NULL);
	}
	assert_string_equal(t.list.why, "its list is longer than 2097152 bytes");
	probe_session_done(&t);
}

static void silence_is_told(void **state)
{
	static struct probe_session t;
	CLEANUP(buf_done) struct buf request = BUF(PROBE_REQUEST_MAX);

	(void)state;
	greet(&t);
	assert_int_equal(probe_session_request(&t, &request), 0);
	probe_session_fail(&t, SG_HARD, SG_CAUSE_NO_ANSWER);
	assert_false(t.list.listed);
	assert_string_equal(t.list.why, "tools/list fails: no_answer");
	assert_int_equal(t.step, PROBE_OVER);
	probe_session_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(pages_without_end_are_given_up),
		cmocka_unit_test(a_list_that_is_too_long_is_given_up),
		cmocka_unit_test(silence_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
