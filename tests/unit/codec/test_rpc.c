/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit/unit.h"

#include <errno.h>
#include <string.h>

#include "codec/rpc.h"

static void messages_are_told_apart(void **state)
{
	static const char text[] =
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}},"
		"{\"jsonrpc\":\"2.0\",\"method\":\"n\"},"
		"{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"/\\u00e9\",\"method\":\"tools/call\",\"params\":{\"name\":\"add\","
		"\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}},"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"m\"}}]";
	struct rpc_batch b = { 0 };

	(void)state;
	assert_int_equal(rpc_read(text, strlen(text), &b), 0);
	assert_true(b.is_list);
	assert_int_equal(b.n, 4);
	assert_int_equal(rpc_requests(&b), 2);
	assert_true(b.stateless);
	assert_int_equal(b.v[0].kind, MCP_REQUEST);
	assert_string_equal(b.v[0].id, "1");
	assert_string_equal(b.v[0].version, "2025-06-18");
	assert_int_equal(b.v[1].kind, MCP_NOTIFICATION);
	assert_string_equal(b.v[2].id, "\"a\\\"/\xc3\xa9\"");
	assert_string_equal(b.v[2].tool, "add");
	assert_int_equal(b.v[3].kind, MCP_ERROR);
	assert_ptr_equal(rpc_find(&b, "tools/call"), &b.v[2]);
	assert_null(rpc_find(&b, "tools/list"));
	rpc_done(&b);
	rpc_done(&b);
}

static void the_rest_is_refused(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ "", -EBADMSG },
		{ "{", -EBADMSG },
		{ "{} {}", -EBADMSG },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"method\":\"b\"}", -EBADMSG },
		{ "\"\xff\"", -EBADMSG },
		{ "{}", -EINVAL },
		{ "1", -EBADMSG },
		{ "null", -EBADMSG },
		{ "[]", -EBADMSG },
		{ "[1]", -EINVAL },
		{ "[[{\"jsonrpc\":\"2.0\",\"method\":\"a\"}]]", -EINVAL },
		{ "{\"jsonrpc\":\"1.0\",\"method\":\"a\"}", -EINVAL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", -EINVAL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"a\"}", -EINVAL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"a\"}", -EINVAL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}", -EINVAL },
	};
	struct rpc_batch b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(rpc_read(rows[i].text, strlen(rows[i].text), &b), rows[i].r);
	assert_int_equal(b.n, 0);
}

static void a_batch_has_a_maximum(void **state)
{
	static const char one[] = "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}";
	struct rpc_batch b = { 0 };

	(void)state;
	for (unsigned int n = RPC_BATCH_MAX; n <= RPC_BATCH_MAX + 1; n++) {
		CLEANUP(buf_done) struct buf text = BUF(1 << 20);

		for (unsigned int i = 0; i < n; i++)
			buf_printf(&text, "%c%s", i ? ',' : '[', one);
		buf_putc(&text, ']');
		assert_int_equal(rpc_read(text.data, text.len, &b),
				 n > RPC_BATCH_MAX ? -EINVAL : 0);
		rpc_done(&b);
	}
}

static void hints_are_read(void **state)
{
	static const char tools[] =
		"[{\"name\":\"a\",\"annotations\":{\"readOnlyHint\":true}},"
		"{\"name\":\"b\",\"annotations\":{\"idempotentHint\":true}},"
		"{\"name\":\"c\",\"annotations\":{\"readOnlyHint\":\"true\"}},{\"name\":\"d\"},1]";

	(void)state;
	assert_true(rpc_may_repeat(tools, strlen(tools), "a"));
	assert_true(rpc_may_repeat(tools, strlen(tools), "b"));
	assert_false(rpc_may_repeat(tools, strlen(tools), "c"));
	assert_false(rpc_may_repeat(tools, strlen(tools), "d"));
	assert_false(rpc_may_repeat(tools, strlen(tools), "e"));
	assert_false(rpc_may_repeat("{}", 2, "a"));
	assert_false(rpc_may_repeat("", 0, "a"));
}

static void a_result_is_a_beginning(void **state)
{
	static const char good[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"v\"}}";
	static const char none[] = " {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
	static const char *const others[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"m\"}}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", "[]", "", "{\"result\":{}}"
	};
	char version[RPC_VERSION_MAX] = "x";

	(void)state;
	assert_true(rpc_initialized(good, strlen(good), version));
	assert_string_equal(version, "v");
	assert_true(rpc_initialized(none, strlen(none), version));
	assert_string_equal(version, "");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(rpc_initialized(others[i], strlen(others[i]), version));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_told_apart), cmocka_unit_test(the_rest_is_refused),
		cmocka_unit_test(a_batch_has_a_maximum),   cmocka_unit_test(hints_are_read),
		cmocka_unit_test(a_result_is_a_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
