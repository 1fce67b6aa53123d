/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What agents of both generations get in the place of a server, and what is refused. */
#include "unit/relay/rig.h"

#include <errno.h>
#include <sys/socket.h>

#include "relay/standin.h"

#define WHY "it failed 5 times"
#define STATELESS "MCP-Protocol-Version: 2026-07-28\r\n"
#define ASKED(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"}"
#define TOLD(method) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\"}"

static const struct {
	const char *lines; /* of the head */
	const char *body;
	const char *status;
	const char *has[5];
	const char *lacks[2];
} rows[] = {
	{ "",
	  "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}",
	  "200 OK",
	  { "\"id\":0,\"result\":", "\"protocolVersion\":\"2025-03-26\"", "\"listChanged\":true",
	    "\"serverInfo\":{\"name\":\"files\"",
	    "\"instructions\":\"The MCP server \\\"files\\\"" },
	  { "error" } },
	{ "", ASKED("0", "initialize"), "200 OK", { "\r\nMcp-Session-Id: switchgear-" }, { 0 } },
	{ "", ASKED("0", "tools/list"), "200 OK", { "\"tools\":" }, { "Mcp-Session-Id" } },
	{ "MCP-Protocol-Version: 2026-07-28\r\n",
	  ASKED("0", "initialize"),
	  "200 OK",
	  { "\"id\":0" },
	  { "Mcp-Session-Id" } },
	{ "",
	  "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"1999-01-01\"}}",
	  "200 OK",
	  { "\"protocolVersion\":\"2025-11-25\"" },
	  { 0 } },
	{ "", ASKED("0", "initialize"), "200 OK", { "\"protocolVersion\":\"2025-11-25\"" }, { 0 } },
	{ STATELESS,
	  ASKED("\"a\"", "server/discover"),
	  "200 OK",
	  { "\"id\":\"a\",\"result\":", "\"supportedVersions\":[\"2026-07-28\"]",
	    "\"resultType\":\"complete\"", "\"instructions\":\"The MCP server", WHY },
	  { 0 } },
	{ "", ASKED("1", "tools/list"), "200 OK", { "{\"tools\":[]}" }, { "resultType" } },
	{ STATELESS,
	  ASKED("1", "tools/list"),
	  "200 OK",
	  { "{\"tools\":[],\"ttlMs\":0,\"cacheScope\":\"private\",\"resultType\":\"complete\"}" },
	  { 0 } },
	{ "",
	  ASKED("-7", "tools/call"),
	  "200 OK",
	  { "\"id\":-7,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"The MCP server", WHY,
	    "Use \\\"copies\\\".", "Do not retry.", "\"isError\":true}" },
	  { "resultType", "\"error\"" } },
	{ STATELESS,
	  ASKED("1", "tools/call"),
	  "200 OK",
	  { "\"isError\":true,\"resultType\":\"complete\"}" },
	  { 0 } },
	{ "",
	  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"_meta\":"
	  "{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}",
	  "200 OK",
	  { "\"resultType\":\"complete\"" },
	  { 0 } },
	{ "", ASKED("1", "resources/list"), "200 OK", { "{\"resources\":[]}" }, { 0 } },
	{ "",
	  ASKED("1", "resources/templates/list"),
	  "200 OK",
	  { "{\"resourceTemplates\":[]}" },
	  { 0 } },
	{ "", ASKED("1", "prompts/list"), "200 OK", { "{\"prompts\":[]}" }, { 0 } },
	{ "", ASKED("1", "ping"), "200 OK", { "\"id\":1,\"result\":{}}" }, { 0 } },
	{ "",
	  ASKED("1", "resources/read"),
	  "200 OK",
	  { "\"error\":{\"code\":-32000,\"message\":\"The MCP server", WHY },
	  { "result" } },
	{ "", TOLD("notifications/initialized"), "202 Accepted", { "Content-Length: 0" }, { 0 } },
	{ "", "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}", "202 Accepted", { 0 }, { 0 } },
	{ "", "[" TOLD("x") "]", "202 Accepted", { 0 }, { 0 } },
	{ "",
	  "[" TOLD("x") "," ASKED("1", "ping") "," ASKED("\"two\"", "tools/call") "]",
	  "200 OK",
	  { "\r\n\r\n[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{", "\"id\":\"two\"", "}]" },
	  { 0 } },
	{ "", "[]", "400 Bad Request", { "-32700" }, { 0 } },
	{ "", "{", "400 Bad Request", { "-32700", "\"id\":null" }, { 0 } },
	{ "",
	  "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
	  "400 Bad Request",
	  { "-32700" },
	  { 0 } },
	{ "", "{\"id\":1,\"method\":\"ping\"}", "400 Bad Request", { "-32600" }, { 0 } },
	{ "",
	  "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
	  "400 Bad Request",
	  { "-32600" },
	  { 0 } },
	{ "",
	  "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
	  "400 Bad Request",
	  { "-32600" },
	  { 0 } },
	{ "", "", "400 Bad Request", { "-32700" }, { 0 } },
};

static void messages_are_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		rig_open(&r);
		text = rig_post(&r, rows[i].lines, rows[i].body);
		assert_int_equal(strncmp(text, "HTTP/1.1 ", 9), 0);
		if (strncmp(text + 9, rows[i].status, strlen(rows[i].status)) != 0)
			fail_msg("row %zu: %s", i, text);
		assert_has(text, "\r\nConnection: close\r\n");
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].has) && rows[i].has[j]; j++)
			assert_has(text, rows[i].has[j]);
		for (size_t j = 0; j < ARRAY_SIZE(rows[i].lacks) && rows[i].lacks[j]; j++)
			assert_lacks(text, rows[i].lacks[j]);
		rig_close(&r);
	}
}

#define HOST "Host: h\r\n\r\n"

static const struct {
	const char *request;
	const char *begins; /* of the answer; "": none */
	const char *has;
} requests[] = {
	{ "GET /mcp HTTP/1.1\r\n" HOST, "HTTP/1.1 405 ", "Allow: POST, DELETE" },
	{ "GET /sse HTTP/1.1\r\nAccept: text/event-stream\r\n" HOST, "HTTP/1.1 405 ", "" },
	{ "GET /mcp HTTP/1.1\r\nLast-Event-ID: a_1\r\n" HOST, "HTTP/1.1 200 ",
	  "Content-Type: text/event-stream\r\n" },
	{ "GET /mcp HTTP/1.1\r\nlast-event-id: a_1\r\n" HOST, "HTTP/1.1 200 ",
	  "\r\n\r\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"switchgear-lost\",\"result\":" },
	{ "DELETE /mcp HTTP/1.1\r\nMcp-Session-Id: 1\r\n" HOST, "HTTP/1.1 200 ",
	  "Content-Length: 0" },
	{ "PUT /mcp HTTP/1.1\r\n" HOST, "HTTP/1.1 405 ", "Allow: GET, POST, DELETE" },
	{ "OPTIONS * HTTP/1.1\r\n" HOST, "HTTP/1.1 405 ", "" },
	{ "HEAD / HTTP/1.1\r\n" HOST, "HTTP/1.1 405 ", "" },
	{ "GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 405 ", "Connection: close" },
	{ "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "Host" },
	{ "GET / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n", "HTTP/1.1 400 ", "" },
	{ "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" HOST,
	  "HTTP/1.1 400 ", "" },
	{ "POST / HTTP/1.1\r\nContent-Length: 1048577\r\n" HOST, "HTTP/1.1 413 ", "1 MiB" },
	{ "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" HOST "[]",
	  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ", "" },
	{ "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello", "", "" },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", "" },
	{ "SSH-2.0-OpenSSH_9.2\r\n", "", "" },
};

static void what_is_no_message_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		CLEANUP(freep) char *text = NULL;
		struct rig r;

		rig_open(&r);
		text = rig_ask(&r, requests[i].request);
		if (strncmp(text, requests[i].begins, strlen(requests[i].begins)) != 0 ||
		    (!*requests[i].begins && *text))
			fail_msg("row %zu: %s", i, text);
		assert_has(text, requests[i].has);
		rig_close(&r);
	}
}

/* Also where its length is not told beforehand. */
static void a_request_has_a_maximum(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF(4 << 20);
	CLEANUP(freep) char *answer = NULL;
	struct rig r;
	int fd;

	(void)state;
	rig_open(&r);
	fd = rig_dial(&r);
	rig_say(fd, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST);
	for (int i = 0; i < 17; i++) {
		buf_puts(&text, "10000\r\n");
		for (int j = 0; j < 4096; j++)
			buf_puts(&text, "                ");
		buf_puts(&text, "\r\n");
	}
	for (size_t at = 0; at < text.len;) {
		ssize_t n = send(fd, text.data + at, text.len - at, MSG_NOSIGNAL);

		at += n > 0 ? (size_t)n : 0;
		assert_int_equal(loop_turn(r.env.loop, 10), 0);
		if (n < 0 && errno == EPIPE)
			break;
	}
	answer = rig_hear(&r, fd);
	assert_has(answer, "HTTP/1.1 413 ");
	rig_close(&r);
}

static void the_last_known_tools_are_listed(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	rig_rule(&r, "[{\"name\":\"read\",\n\"inputSchema\":{}}]");
	text = rig_post(&r, "", ASKED("1", "tools/list"));
	assert_has(text, "\"result\":{\"tools\":[{\"name\":\"read\", \"inputSchema\":{}}]}}");
	rig_close(&r);
}

static void times_are_told(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF(4096);
	struct relay_rule rule = { .name = "a \"b\"", .since_s = 1795980000 };

	(void)state;
	words_put(&rule, WORDS_NO_TROUBLE, &text);
	assert_string_equal(text.data, "The MCP server \"a \"b\"\" is not available since "
				       "2026-11-29T19:20:00Z, until it is released. Do not retry.");
	buf_clear(&text);
	rule.until_s = rule.retry_s = 1795980060;
	snprintf(rule.reason, sizeof(rule.reason), "it hangs");
	words_put(&rule, WORDS_NO_TROUBLE, &text);
	assert_string_equal(
		text.data,
		"The MCP server \"a \"b\"\" is not available since 2026-11-29T19:20:00Z, "
		"until 2026-11-29T19:21:00Z, because it hangs. Do not retry before "
		"2026-11-29T19:21:00Z.");
}

static void without_a_rule_nobody_is_served(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;
	int fd;

	(void)state;
	rig_open(&r);
	fd = rig_dial(&r); /* that it comes while there is one, and asks when there is none */
	rig_say(fd, "POST /mcp HTTP/1.1\r\n");
	rig_turn(&r);
	rules_drop(&r.env.rules, RIG_SERVER);
	agents_retire(&r.agents, RIG_SERVER);
	rig_say(fd, "Content-Length: 40\r\n" HOST ASKED("1", "ping"));
	text = rig_hear(&r, fd);
	assert_has(text, "HTTP/1.1 503 ");
	free(text);
	rig_rule(&r, NULL);
	fd = rig_dial(&r); /* one that has said nothing yet */
	rig_turn(&r);
	rules_drop(&r.env.rules, RIG_SERVER);
	agents_retire(&r.agents, RIG_SERVER);
	assert_int_equal(r.agents.n, 0);
	text = rig_hear(&r, fd);
	assert_string_equal(text, "");
	rig_close(&r);
}

/* The id is another server's by now. */
static void another_server_is_not_answered_for(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	r.rule.incarnation++;
	rig_rule(&r, NULL);
	text = rig_post(&r, "", ASKED("1", "ping"));
	assert_has(text, "HTTP/1.1 503 ");
	rig_close(&r);
}

static void who_is_one_too_many_is_told(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;
	int fd[AGENTS_EXTRA + 8];
	size_t n = 0;

	(void)state;
	rig_open(&r);
	r.agents.max = 2;
	for (; n < ARRAY_SIZE(fd); n++)
		fd[n] = rig_dial(&r);
	assert_int_equal(r.agents.n, 2 + AGENTS_EXTRA);
	rig_say(fd[2], "POST /mcp HTTP/1.1\r\nContent-Length: 40\r\n" HOST ASKED("1", "ping"));
	text = rig_hear(&r, fd[2]);
	assert_has(text, "HTTP/1.1 503 ");
	free(text);
	text = rig_hear(&r, fd[2 + AGENTS_EXTRA]);
	assert_string_equal(text, "");
	rig_say(fd[0], "GET / HTTP/1.1\r\n" HOST);
	free(text);
	text = rig_hear(&r, fd[0]);
	assert_has(text, "HTTP/1.1 405 ");
	for (size_t i = 0; i < n; i++)
		if (i != 0 && i != 2 && i != 2 + AGENTS_EXTRA)
			close(fd[i]);
	rig_close(&r);
}

static void all_that_is_held_has_a_maximum(void **state)
{
	CLEANUP(freep) char *text = NULL;
	struct rig r;

	(void)state;
	rig_open(&r);
	r.env.held = AGENT_HELD_MAX - 10;
	text = rig_post(&r, "", ASKED("1", "ping"));
	assert_has(text, "HTTP/1.1 503 ");
	r.env.held -= AGENT_HELD_MAX - 10;
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_answered),
		cmocka_unit_test(what_is_no_message_is_refused),
		cmocka_unit_test(a_request_has_a_maximum),
		cmocka_unit_test(the_last_known_tools_are_listed),
		cmocka_unit_test(times_are_told),
		cmocka_unit_test(without_a_rule_nobody_is_served),
		cmocka_unit_test(another_server_is_not_answered_for),
		cmocka_unit_test(who_is_one_too_many_is_told),
		cmocka_unit_test(all_that_is_held_has_a_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
