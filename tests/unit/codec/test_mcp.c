/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Messages of every revision, ids that are kept, and what is none of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/mcp.h"
#include "unit/unit.h"

#define RPC "{\"jsonrpc\":\"2.0\","

static int parse(const char *text, bool strict, struct mcp_document *ret)
{
	return mcp_parse(text, strlen(text), strict, ret);
}

/* The message of a text that is one. */
static void read_one(const char *text, struct mcp_document *d, struct mcp_message *m)
{
	if (parse(text, true, d))
		fail_msg("not read: %s", text);
	assert_false(d->batch);
	assert_int_equal(d->n, 1);
	mcp_message(d, 0, m);
}

/* --- kinds --------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	enum mcp_kind kind;
	const char *method;
} kinds[] = {
	{ RPC "\"id\":1,\"method\":\"ping\"}", MCP_REQUEST, "ping" },
	{ RPC "\"id\":\"\",\"method\":\"ping\"}", MCP_REQUEST, "ping" },
	{ RPC "\"method\":\"notifications/initialized\"}", MCP_NOTIFICATION,
	  "notifications/initialized" },
	{ RPC "\"id\":1,\"result\":{}}", MCP_RESULT, "" },
	{ RPC "\"id\":1,\"error\":{\"code\":-32601,\"message\":\"x\"}}", MCP_ERROR, "" },
	{ RPC "\"id\":null,\"error\":{\"code\":-32700}}", MCP_ERROR, "" },
	{ RPC "\"error\":{\"code\":-32700}}", MCP_ERROR, "" },
	{ RPC "\"id\":1,\"result\":{},\"error\":null}", MCP_RESULT, "" },
	/* nothing is guessed */
	{ "{}", MCP_MALFORMED, "" },
	{ "{\"id\":1,\"method\":\"ping\"}", MCP_MALFORMED, "ping" },
	{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", MCP_MALFORMED, "ping" },
	{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", MCP_MALFORMED, "ping" },
	{ RPC "\"id\":null,\"method\":\"ping\"}", MCP_MALFORMED, "ping" },
	{ RPC "\"id\":true,\"method\":\"ping\"}", MCP_MALFORMED, "ping" },
	{ RPC "\"id\":[1],\"method\":\"ping\"}", MCP_MALFORMED, "ping" },
	{ RPC "\"id\":1.5,\"method\":\"ping\"}", MCP_MALFORMED, "ping" },
	{ RPC "\"id\":1,\"method\":\"\"}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"method\":7}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"method\":\"pi\\u0000ng\"}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"method\":\"ping\",\"result\":{}}", MCP_MALFORMED, "ping" },
	{ RPC "\"id\":1,\"method\":\"ping\",\"error\":{\"code\":1}}", MCP_MALFORMED, "ping" },
	{ RPC "\"id\":1,\"result\":{},\"error\":{\"code\":1}}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"result\":null}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"result\":[]}", MCP_MALFORMED, "" },
	{ RPC "\"result\":{}}", MCP_MALFORMED, "" },
	{ RPC "\"id\":null,\"result\":{}}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"error\":{}}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"error\":{\"code\":\"1\"}}", MCP_MALFORMED, "" },
	{ RPC "\"id\":1,\"error\":{\"code\":1.5}}", MCP_MALFORMED, "" },
	{ RPC "\"id\":{},\"error\":{\"code\":1}}", MCP_MALFORMED, "" },
};

static void tells_messages_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
		struct mcp_message m;

		read_one(kinds[i].text, &d, &m);
		if (m.kind != kinds[i].kind || strcmp(m.method, kinds[i].method) != 0)
			fail_msg("%s: %d, %s", kinds[i].text, m.kind, m.method);
	}
}

/* --- texts ---------------------------------------------------------------------------------- */

static void reads_strictly(void **state)
{
	static const struct {
		const char *text;
		int strict;
		int tolerant;
	} rows[] = {
		{ "", -EBADMSG, -EBADMSG },
		{ "1", -EBADMSG, -EBADMSG },
		{ "\"x\"", -EBADMSG, -EBADMSG },
		{ "null", -EBADMSG, -EBADMSG },
		{ "[]", -EBADMSG, -EBADMSG },
		{ "{} {}", -EBADMSG, -EBADMSG },
		{ "{\"a\":\"\xff\"}", -EBADMSG, -EBADMSG },
		{ " {} ", 0, 0 },
		{ "[1]", 0, 0 },
		{ "{\"a\":1,\"a\":1}", -EEXIST, 0 },
		{ "{\"id\":1,\"\\u0069d\":2}", -EEXIST, 0 },
		{ "{\"a\":{\"b\":1,\"b\":2}}", -EEXIST, 0 },
		{ "{/* c */}", -EBADMSG, 0 },
		{ "{} // c", -EBADMSG, 0 },
		{ "{\"a\":[1,]}", -EBADMSG, 0 },
		{ "{\"a\":1,}", -EBADMSG, 0 },
		{ "\xef\xbb\xbf{}", -EBADMSG, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(mcp_document_done) struct mcp_document strict = { 0 };
		CLEANUP(mcp_document_done) struct mcp_document tolerant = { 0 };
		int s = parse(rows[i].text, true, &strict);
		int t = parse(rows[i].text, false, &tolerant);

		if (s != rows[i].strict || t != rows[i].tolerant)
			fail_msg("%s: %d, %d", rows[i].text, s, t);
	}
}

static void bounds_depth_and_size(void **state)
{
	CLEANUP(freep) char *text = malloc(MCP_TEXT_MAX + 2);
	CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
	char deep[2 * MCP_DEPTH_MAX + 3];

	(void)state;
	assert_non_null(text);
	for (size_t depth = MCP_DEPTH_MAX; depth <= MCP_DEPTH_MAX + 1; depth++) {
		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		assert_int_equal(mcp_parse(deep, 2 * depth, true, &d),
				 depth > MCP_DEPTH_MAX ? -E2BIG : 0);
	}
	mcp_document_done(&d);
	memset(text, ' ', MCP_TEXT_MAX + 2);
	memcpy(text, "{}", 2);
	assert_int_equal(mcp_parse(text, MCP_TEXT_MAX + 1, true, &d), -EMSGSIZE);
	assert_int_equal(mcp_parse(text, MCP_TEXT_MAX, true, &d), 0);
}

static void reads_batches(void **state)
{
	CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
	struct mcp_message m;

	(void)state;
	assert_int_equal(
		parse("[" RPC "\"method\":\"a\"},7," RPC "\"id\":2,\"result\":{}}]", true, &d), 0);
	assert_true(d.batch);
	assert_int_equal(d.n, 3);
	mcp_message(&d, 0, &m);
	assert_int_equal(m.kind, MCP_NOTIFICATION);
	mcp_message(&d, 1, &m);
	assert_int_equal(m.kind, MCP_MALFORMED);
	mcp_message(&d, 2, &m);
	assert_int_equal(m.kind, MCP_RESULT);
	assert_int_equal(m.id.number, 2);
}

/* --- ids -------------------------------------------------------------------------------------- */

static struct mcp_id id_of(const char *json)
{
	CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
	CLEANUP(buf_done) struct buf text = BUF(4096);
	struct mcp_message m;

	buf_printf(&text, RPC "\"method\":\"x\",\"id\":%s}", json);
	read_one(buf_str(&text), &d, &m);
	return m.id;
}

static void keeps_ids(void **state)
{
	static const struct {
		const char *json;
		enum mcp_id_type type;
		const char *again;
	} rows[] = {
		{ "0", MCP_ID_NUMBER, "0" },
		{ "-7", MCP_ID_NUMBER, "-7" },
		{ "9007199254740991", MCP_ID_NUMBER, "9007199254740991" },
		{ "-9007199254740991", MCP_ID_NUMBER, "-9007199254740991" },
		{ "9007199254740992", MCP_ID_BAD,
		  "null" }, /* 2^53 is also what 2^53 + 1 reads as */
		{ "-9007199254740992", MCP_ID_BAD, "null" },
		{ "99999999999999999999999", MCP_ID_BAD, "null" },
		{ "1.0", MCP_ID_BAD, "null" },
		{ "1e2", MCP_ID_BAD, "null" },
		{ "null", MCP_ID_NONE, "null" },
		{ "false", MCP_ID_BAD, "null" },
		{ "\"1\"", MCP_ID_TEXT, "\"1\"" },
		{ "\"\"", MCP_ID_TEXT, "\"\"" },
		{ "\"a\\u0000b\"", MCP_ID_TEXT, "\"a\\u0000b\"" },
		{ "\"\\\"\\\\\\u00e4\\ud83d\\ude00\"", MCP_ID_TEXT,
		  "\"\\\"\\\\\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "\"\\ud800\"", MCP_ID_BAD, "null" }, /* half a character */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_done) struct buf out = BUF(1000);
		struct mcp_id id = id_of(rows[i].json);
		struct mcp_id same;

		if (id.type != rows[i].type)
			fail_msg("%s: %d", rows[i].json, id.type);
		assert_int_equal(mcp_id_put(&out, &id), 0);
		assert_string_equal(buf_str(&out), rows[i].again);
		same = id_of(buf_str(&out));
		assert_int_equal(mcp_id_equal(&id, &same),
				 id.type == MCP_ID_NUMBER || id.type == MCP_ID_TEXT);
	}
}

static void equal_ids_are_the_same(void **state)
{
	struct mcp_id number = mcp_id_of(1);
	struct mcp_id text = id_of("\"1\"");
	struct mcp_id longer = id_of("\"1\\u0000\"");
	struct mcp_id other = mcp_id_of(-1);
	char json[MCP_ID_MAX + 4] = "\"";

	(void)state;
	assert_false(mcp_id_equal(&number, &text));
	assert_false(mcp_id_equal(&text, &longer));
	assert_false(mcp_id_equal(&number, &other));
	memset(json + 1, 'x', MCP_ID_MAX);
	json[1 + MCP_ID_MAX] = '"';
	assert_int_equal(id_of(json).type, MCP_ID_TEXT);
	json[1 + MCP_ID_MAX] = 'x';
	json[2 + MCP_ID_MAX] = '"';
	assert_int_equal(id_of(json).type, MCP_ID_BAD);
}

/* --- what they say ------------------------------------------------------------------------------ */

#define PARAMS(text) RPC "\"id\":1,\"method\":\"tools/call\",\"params\":" text "}"
#define OF(version) "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" version "\"}"

static void knows_generations(void **state)
{
	static const struct {
		const char *text;
		const char *protocol;
		bool stateless;
	} rows[] = {
		{ RPC "\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
		      "\"2024-11-05\"}}",
		  "2024-11-05", false },
		{ RPC "\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\"}}", "2025-11-25",
		  false },
		{ PARAMS("{" OF("2026-07-28") "}"), "2026-07-28", true },
		{ PARAMS("{" OF("2027-01-01") "}"), "2027-01-01", true },
		{ PARAMS("{" OF("2025-11-25") "}"), "2025-11-25", false },
		{ PARAMS("{" OF("2026-07-28-draft") "}"), "2026-07-28-draft", false },
		{ PARAMS("{" OF("0123456789012345678901234567890123") "}"), "", false },
		{ PARAMS("{}"), "", false },
		{ PARAMS("[1]"), "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
		struct mcp_message m;

		read_one(rows[i].text, &d, &m);
		assert_string_equal(m.protocol, rows[i].protocol);
		assert_int_equal(m.stateless, rows[i].stateless);
	}
	assert_false(mcp_is_stateless(""));
	assert_false(mcp_is_stateless("9"));
	assert_false(mcp_is_stateless("2026-07-27"));
	assert_false(mcp_is_stateless("2026/07/28"));
	assert_true(mcp_is_stateless(MCP_VERSION_STATELESS));
	assert_false(mcp_is_stateless(MCP_VERSION_SESSION));
}

static void reads_who_is_meant(void **state)
{
	CLEANUP(mcp_document_done) struct mcp_document cancel = { 0 };
	CLEANUP(mcp_document_done) struct mcp_document progress = { 0 };
	CLEANUP(mcp_document_done) struct mcp_document call = { 0 };
	struct mcp_message m;

	(void)state;
	read_one(RPC "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":9,"
		     "\"reason\":\"McpError: MCP error -32001: Request timed out\"}}",
		 &cancel, &m);
	assert_int_equal(m.kind, MCP_NOTIFICATION);
	assert_int_equal(m.about.type, MCP_ID_NUMBER);
	assert_int_equal(m.about.number, 9);
	assert_non_null(strstr(m.reason, "timed out"));
	read_one(RPC "\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"t\"}}",
		 &progress, &m);
	assert_int_equal(m.about.type, MCP_ID_TEXT);
	assert_null(m.reason);
	read_one(PARAMS("{\"_meta\":{\"progressToken\":4}}"), &call, &m);
	assert_int_equal(m.progress.number, 4);
	assert_int_equal(m.about.type, MCP_ID_NONE);
	assert_non_null(m.params);
}

static void compares_fields_with_the_body(void **state)
{
	static const struct {
		const char *fields;
		bool agree;
	} rows[] = {
		{ "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n", true },
		{ "mcp-protocol-version:2026-07-28\r\nmcp-method:tools/call\r\n", true },
		{ "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n", false },
		{ "MCP-Protocol-Version: 2026-07-29\r\nMcp-Method: tools/call\r\n", false },
		{ "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: Tools/Call\r\n", false },
		{ "MCP-Protocol-Version: 2026-07-28\r\n", false },
		{ "Mcp-Method: tools/call\r\n", false },
		{ "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
		  "Mcp-Method: tools/call\r\n",
		  false },
	};
	CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
	struct mcp_message m;

	(void)state;
	read_one(PARAMS("{" OF("2026-07-28") "}"), &d, &m);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(http1_done) struct http1 h;
		char text[256];
		struct http1_span in, body;

		snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n",
			 rows[i].fields);
		http1_init(&h, HTTP1_REQUESTS, 1000);
		in = HTTP1_SPAN(text);
		assert_int_equal(http1_feed(&h, &in, &body), HTTP1_HEAD);
		assert_int_equal(mcp_fields_agree(&h, &m), rows[i].agree);
	}
}

/* --- what they mean -------------------------------------------------------------------------------- */

static void knows_codes(void **state)
{
	static const struct {
		int64_t code;
		enum sg_class session;
		enum sg_class modern;
	} codes[] = {
		{ -32700, SG_CALLER, SG_CALLER }, { -32600, SG_CALLER, SG_CALLER },
		{ -32601, SG_CALLER, SG_CALLER }, { -32602, SG_CALLER, SG_CALLER },
		{ -32603, SG_HARD, SG_HARD },     { -32000, SG_CALLER, SG_HARD },
		{ -32001, SG_CALLER, SG_HARD },   { -32002, SG_CALLER, SG_CALLER },
		{ -32003, SG_HARD, SG_HARD },     { -32019, SG_HARD, SG_HARD },
		{ -32020, SG_CALLER, SG_CALLER }, { -32042, SG_CALLER, SG_CALLER },
		{ -31999, SG_CALLER, SG_CALLER }, { 0, SG_CALLER, SG_CALLER },
		{ 1, SG_CALLER, SG_CALLER },      { INT64_MIN, SG_CALLER, SG_CALLER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		assert_int_equal(mcp_code_class(codes[i].code, false), codes[i].session);
		assert_int_equal(mcp_code_class(codes[i].code, true), codes[i].modern);
	}
}

static void says_what_an_answer_means(void **state)
{
	static const struct {
		const char *text;
		enum sg_class class;
	} rows[] = {
		{ RPC "\"id\":1,\"result\":{}}", SG_SUCCESS },
		{ RPC "\"id\":1,\"result\":{\"isError\":false,\"resultType\":\"complete\"}}",
		  SG_SUCCESS },
		{ RPC "\"id\":1,\"result\":{\"isError\":true}}", SG_APP },
		{ RPC "\"id\":1,\"result\":{\"isError\":\"true\"}}", SG_SUCCESS },
		{ RPC "\"id\":1,\"result\":{\"resultType\":\"input_required\",\"isError\":true}}",
		  SG_CALLER },
		{ RPC "\"id\":1,\"error\":{\"code\":-32603}}", SG_HARD },
		{ RPC "\"id\":1,\"error\":{\"code\":-32602}}", SG_CALLER },
		{ RPC "\"id\":1,\"method\":\"ping\"}", SG_HARD },
		{ "{}", SG_HARD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
		struct mcp_message m;

		read_one(rows[i].text, &d, &m);
		assert_int_equal(mcp_class(&m, false), rows[i].class);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_messages_apart),
		cmocka_unit_test(reads_strictly),
		cmocka_unit_test(bounds_depth_and_size),
		cmocka_unit_test(reads_batches),
		cmocka_unit_test(keeps_ids),
		cmocka_unit_test(equal_ids_are_the_same),
		cmocka_unit_test(knows_generations),
		cmocka_unit_test(reads_who_is_meant),
		cmocka_unit_test(compares_fields_with_the_body),
		cmocka_unit_test(knows_codes),
		cmocka_unit_test(says_what_an_answer_means),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
