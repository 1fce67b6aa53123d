/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lists of tools: what makes two of them the same, what tells them apart, and what is none. */
#include "unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/jsoncanon.h"
#include "codec/jsonget.h"
#include "codec/jsonw.h"
#include "codec/tools.h"

/* --- the canonical form ------------------------------------------------------------------------ */

static const struct {
	const char *from;
	const char *to;
} forms[] = {
	{ "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
	{ " { \"a\" : [ 1 ,\n2 ] } ", "{\"a\":[1,2]}" },
	{ "[2,1]", "[2,1]" }, /* the order of a list means something */
	{ "{\"\xc3\xa4\":1,\"z\":1,\"Z\":1,\"\":0}", "{\"\":0,\"Z\":1,\"z\":1,\"\xc3\xa4\":1}" },
	{ "\"\\u0061\\/\\u00e4\\uD83D\\uDE00\"", "\"a/\xc3\xa4\xf0\x9f\x98\x80\"" },
	{ "\"\\u000a\\n\\t\\r\\b\\f\\\"\\\\\"", "\"\\n\\n\\t\\r\\b\\f\\\"\\\\\"" },
	{ "\"\\u0001\\u001F\\u0000\\u007f\"", "\"\\u0001\\u001f\\u0000\x7f\"" },
	{ "\"\\ud800\"", "\"\xef\xbf\xbd\"" },
	{ "1.0", "1" },
	{ "1e2", "100" },
	{ "100", "100" },
	{ "-0", "0" },
	{ "-0.0", "0" },
	{ "0.1", "0.1" },
	{ "0.10", "0.1" },
	{ "1e-1", "0.1" },
	{ "-3", "-3" },
	{ "9007199254740993", "9007199254740993" },
	{ "18446744073709551615", "18446744073709551615" },
	{ "1e17", "100000000000000000" },
	{ "100000000000000000", "100000000000000000" },
	{ "1e999", "1e999" },
	{ "null", "null" },
	{ "[true,false,null,{},[]]", "[true,false,null,{},[]]" },
};

static void canonical_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		CLEANUP(json_putp) struct json_object *value = NULL;
		CLEANUP(buf_done) struct buf out = BUF(4096);

		assert_int_equal(json_parse(forms[i].from, strlen(forms[i].from), 8, &value), 0);
		assert_int_equal(json_canonical(value, &out), 0);
		assert_string_equal(buf_str(&out), forms[i].to);
	}
}

/* --- lists ---------------------------------------------------------------------------------------- */

static char why[TOOLS_WHY_LEN];

/* Adds a page; its cursor, or NULL. */
static int page(struct tools *t, const char *text, char **ret_cursor)
{
	CLEANUP(json_putp) struct json_object *value = NULL;

	why[0] = '\0';
	*ret_cursor = NULL;
	assert_int_equal(json_parse(text, strlen(text), 64, &value), 0);
	return tools_add(t, value, ret_cursor, why);
}

static struct tools list(const char *text)
{
	struct tools t = { 0 };
	char *cursor;

	if (page(&t, text, &cursor))
		fail_msg("%s: %s", text, why);
	assert_null(cursor);
	assert_int_equal(tools_close(&t), 0);
	return t;
}

/* What differs, as it is told. */
static const char *difference(const char *before, const char *after)
{
	static char text[256];
	struct tools a = list(before);
	struct tools b = list(after);

	tools_diff_print(&a, &b, text, sizeof(text));
	assert_int_equal(tools_equal(&a, &b), !*text);
	assert_int_equal(!memcmp(&a.digest, &b.digest, sizeof(a.digest)), !*text);
	tools_done(&a);
	tools_done(&b);
	return text;
}

#define TOOLS(...) "{\"tools\":[" __VA_ARGS__ "]}"
#define ADD                                                                                     \
	"{\"name\":\"add\",\"description\":\"adds\",\"inputSchema\":{\"type\":\"object\","      \
	"\"properties\":{\"a\":{\"type\":\"number\",\"minimum\":1},\"b\":{}}},\"annotations\":" \
	"{\"readOnlyHint\":true}}"
#define ADD_ANOTHER_WAY                                                                  \
	"{ \"annotations\":{\"readOnlyHint\":true}, \"inputSchema\":{\"properties\":"    \
	"{\"b\":{},\"a\":{\"minimum\":1.0,\"type\":\"number\"}},\"type\":\"object\"},\n" \
	"\"description\":\"\\u0061dds\", \"name\":\"add\", \"title\":\"not looked at\" }"
#define ECHO "{\"name\":\"echo\",\"description\":\"says\",\"inputSchema\":{}}"

static void same_lists(void **state)
{
	(void)state;
	assert_string_equal(difference(TOOLS(ADD), TOOLS(ADD_ANOTHER_WAY)), "");
	assert_string_equal(difference(TOOLS(ADD "," ECHO), TOOLS(ECHO "," ADD)), "");
	assert_string_equal(difference(TOOLS(), TOOLS()), "");
	assert_string_equal(difference(TOOLS("{\"name\":\"a\",\"annotations\":null}"),
				       TOOLS("{\"name\":\"a\"}")),
			    "");
}

static void other_lists(void **state)
{
	(void)state;
	assert_string_equal(difference(TOOLS("{\"name\":\"a\",\"description\":\"x\"}"),
				       TOOLS("{\"name\":\"a\",\"description\":\"x \"}")),
			    "a: description");
	assert_string_equal(difference(TOOLS("{\"name\":\"a\",\"inputSchema\":{\"x\":[1,2]}}"),
				       TOOLS("{\"name\":\"a\",\"inputSchema\":{\"x\":[2,1]}}")),
			    "a: input schema");
	assert_string_equal(
		difference(TOOLS("{\"name\":\"a\"}"),
			   TOOLS("{\"name\":\"a\",\"annotations\":{},\"description\":\"\"}")),
		"a: description, annotations");
	assert_string_equal(difference(TOOLS(ADD), TOOLS(ADD "," ECHO)), "new: echo");
	assert_string_equal(difference(TOOLS(ADD "," ECHO), TOOLS(ECHO)), "gone: add");
	assert_string_equal(difference(TOOLS(ADD "," ECHO), TOOLS()), "gone: add; gone: echo");
	assert_string_equal(difference(TOOLS(ECHO "," ECHO), TOOLS(ECHO)), "gone: echo");
	assert_string_equal(difference(TOOLS("{\"name\":\"b\"}"), TOOLS("{\"name\":\"a\"}")),
			    "new: a; gone: b");
	/* names and fields cannot run into each other */
	assert_string_equal(difference(TOOLS("{\"name\":\"a b\"}"), TOOLS("{\"name\":\"a_b\"}")),
			    "gone: a_b; new: a_b");
}

static void long_differences_are_cut(void **state)
{
	CLEANUP(buf_done) struct buf many = BUF(1 << 20);
	struct tools none = list(TOOLS());
	struct tools all;
	char text[64];

	(void)state;
	buf_puts(&many, "{\"tools\":[");
	for (int i = 0; i < 1000; i++)
		buf_printf(&many, "%s{\"name\":\"tool-%03d-%0100d\"}", i ? "," : "", i, 0);
	buf_puts(&many, "]}");
	all = list(buf_str(&many));
	assert_int_equal(tools_diff(&none, &all, NULL, 0), 1000);
	tools_diff_print(&none, &all, text, sizeof(text));
	assert_string_equal(text, "1000 tools");
	tools_done(&all);
	tools_done(&none);
}

static void pages_make_one_list(void **state)
{
	struct tools whole = list(TOOLS(ADD "," ECHO));
	struct tools t = { 0 };
	char *cursor;

	(void)state;
	assert_int_equal(page(&t, "{\"tools\":[" ECHO "],\"nextCursor\":\"2\"}", &cursor), 0);
	assert_string_equal(cursor, "2");
	free(cursor);
	assert_int_equal(page(&t, TOOLS(ADD), &cursor), 0);
	assert_null(cursor);
	assert_int_equal(tools_close(&t), 0);
	assert_true(tools_equal(&t, &whole));
	tools_done(&t);
	tools_done(&whole);
}

static void refused(const char *text, int r, const char *part)
{
	struct tools t = { 0 };
	char *cursor;

	assert_int_equal(page(&t, text, &cursor), r);
	assert_null(cursor);
	if (!strstr(why, part))
		fail_msg("\"%s\" has no \"%s\"", why, part);
	tools_done(&t);
}

static void what_is_no_list(void **state)
{
	CLEANUP(buf_done) struct buf text = BUF(1 << 20);

	(void)state;
	refused("{}", -EINVAL, "no \"tools\"");
	refused("[]", -EINVAL, "no \"tools\"");
	refused("null", -EINVAL, "no \"tools\"");
	refused("{\"tools\":{}}", -EINVAL, "no \"tools\"");
	refused(TOOLS("1"), -EINVAL, "tool 1 of its list has no name");
	refused(TOOLS(ECHO ",{}"), -EINVAL, "tool 2 of its list has no name");
	refused(TOOLS("{\"name\":\"\"}"), -EINVAL, "empty");
	refused(TOOLS("{\"name\":\"a\\u0000b\"}"), -EINVAL, "NUL");
	refused("{\"tools\":[],\"nextCursor\":1}", -EINVAL, "no text");
	refused("{\"tools\":[],\"nextCursor\":\"a\\u0000\"}", -E2BIG, "NUL");
	buf_printf(&text, "{\"tools\":[{\"name\":\"%0257d\"}]}", 0);
	refused(buf_str(&text), -EINVAL, "longer than 256 bytes");
	buf_clear(&text);
	buf_printf(&text, "{\"tools\":[],\"nextCursor\":\"%01025d\"}", 0);
	refused(buf_str(&text), -E2BIG, "longer than 1024 bytes");
	buf_clear(&text);
	buf_puts(&text, "{\"tools\":[" ECHO);
	for (unsigned int i = 0; i < TOOLS_MAX; i++)
		buf_puts(&text, "," ECHO);
	buf_puts(&text, "]}");
	refused(buf_str(&text), -E2BIG, "more than 1024 tools");
}

/* --- our own form ----------------------------------------------------------------------------------- */

static void answers_read_back(void **state)
{
	struct tools_answer a = { .listed = true,
				  .version = "1.0",
				  .tools = list(TOOLS(ADD "," ECHO)) };
	struct tools_answer b;
	struct tools copy = { 0 };
	CLEANUP(buf_done) struct buf text = BUF(TOOLS_TEXT_MAX);

	(void)state;
	assert_int_equal(tools_answer_encode(&a, &text), 0);
	assert_int_equal(tools_answer_decode(buf_str(&text), text.len, &b), 0);
	assert_true(b.listed);
	assert_string_equal(b.version, "1.0");
	assert_true(tools_equal(&a.tools, &b.tools));
	assert_int_equal(tools_diff(&a.tools, &b.tools, NULL, 0), 0);
	assert_int_equal(tools_copy(&b.tools, &copy), 0);
	assert_true(tools_equal(&a.tools, &copy));
	for (size_t len = 0; len < text.len; len++) {
		struct tools_answer cut;

		assert_int_equal(tools_answer_decode(buf_str(&text), len, &cut), -EBADMSG);
		tools_answer_done(&cut);
	}
	tools_done(&copy);
	tools_answer_done(&a);
	tools_answer_done(&b);
}

static void answers_without_a_list(void **state)
{
	struct tools_answer a = { .why = "it wants credentials" };
	struct tools_answer b;
	CLEANUP(buf_done) struct buf text = BUF(4096);
	static const char *const bad[] = {
		"{}",
		"[]",
		"1",
		"{\"tools\":{}}",
		"{\"tools\":[1]}",
		"{\"tools\":[{\"name\":\"a\"}]}",
		"{\"tools\":[{\"name\":\"a\",\"description\":\"zz\",\"inputSchema\":\"\","
		"\"annotations\":\"\"}]}",
	};

	(void)state;
	assert_int_equal(tools_answer_encode(&a, &text), 0);
	assert_int_equal(tools_answer_decode(buf_str(&text), text.len, &b), 0);
	assert_false(b.listed);
	assert_string_equal(b.why, "it wants credentials");
	tools_answer_done(&b);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(tools_answer_decode(bad[i], strlen(bad[i]), &b), -EBADMSG);
		tools_answer_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_forms),     cmocka_unit_test(same_lists),
		cmocka_unit_test(other_lists),         cmocka_unit_test(long_differences_are_cut),
		cmocka_unit_test(pages_make_one_list), cmocka_unit_test(what_is_no_list),
		cmocka_unit_test(answers_read_back),   cmocka_unit_test(answers_without_a_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
