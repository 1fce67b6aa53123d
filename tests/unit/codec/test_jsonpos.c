/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonpos.h"

#include <errno.h>
#include <string.h>

#include "codec/jsonget.h"
#include "unit/unit.h"

static void test_good(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		"1",
		"-0.5e+3",
		"\"x\"",
		"null",
		" true ",
		"\xef\xbb\xbf{}",
		"// c\n{ /* a */ \"k\" /* b */ : // d\n [1, 2, ], } // end",
		"{\"a\":{\"k\":1},\"b\":{\"k\":1}}", /* the same key in two objects */
		"[\"\\u00e9\\ud83d\\ude00\\n\", \"\xc3\xa9\", \"\\ud800\"]",
		"{\"\\ud800\":1,\"\\ud83d\\ude00\":2}",
	};
	struct jsonpos_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(jsonpos_parse(good[i], strlen(good[i]), 4, NULL, &fault), 0);
}

static void test_strict(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ " {\"a\" : [1, {}, \"\"]}\n", 0 },
		{ "[]", 0 },
		{ "[1,[2 , 3]]", 0 },
		{ "[1,]", -EBADMSG },
		{ "[1, \n]", -EBADMSG },
		{ "[,]", -EBADMSG },
		{ "{\"a\":1,}", -EBADMSG },
		{ "[1 /**/]", -EBADMSG },
		{ "[1] // x", -EBADMSG },
		{ "[1/", -EBADMSG },
		{ "\xef\xbb\xbf[]", -EBADMSG },
		{ "{\"a\":1,\"\\u0061\":1}", -EEXIST },
		{ "[[[[[]]]]]", -E2BIG },
	};
	struct jsonpos_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(jsonpos_parse_strict(rows[i].text, strlen(rows[i].text), 4, NULL,
						      &fault),
				 rows[i].r);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text;
		int r;
		unsigned int line, column;
		const char *what;
	} rows[] = {
		{ "", -EBADMSG, 1, 1, "ends where a value" },
		{ "{", -EBADMSG, 1, 1, "never closed: add }" },
		{ "\n [1", -EBADMSG, 2, 2, "never closed: add ]" },
		{ "{\"a\" 1}", -EBADMSG, 1, 6, "':' is expected" },
		{ "{\"a\":1 \"b\":2}", -EBADMSG, 1, 8, "',' or '}'" },
		{ "{a:1}", -EBADMSG, 1, 2, "key in double quotes" },
		{ "{'a':1}", -EBADMSG, 1, 2, "key in double quotes" },
		{ "{,}", -EBADMSG, 1, 2, "key in double quotes" },
		{ "[1,,2]", -EBADMSG, 1, 4, "a value is expected" },
		{ "[tru]", -EBADMSG, 1, 2, "a value is expected" },
		{ "[truely]", -EBADMSG, 1, 2, "a value is expected" },
		{ "[NaN]", -EBADMSG, 1, 2, "a value is expected" },
		{ "[01]", -EBADMSG, 1, 2, "not a number" },
		{ "[1.]", -EBADMSG, 1, 2, "not a number" },
		{ "[-]", -EBADMSG, 1, 2, "not a number" },
		{ "[1e]", -EBADMSG, 1, 2, "not a number" },
		{ "[1x]", -EBADMSG, 1, 2, "not a number" },
		{ "\"abc", -EBADMSG, 1, 1, "never ends: add a quote" },
		{ "\"a\nb\"", -EBADMSG, 1, 1, "never ends: add a quote" },
		{ "\"a\tb\"", -EBADMSG, 1, 3, "control character" },
		{ "\"\\x\"", -EBADMSG, 1, 2, "unknown escape" },
		{ "\"\\u12g4\"", -EBADMSG, 1, 2, "four hexadecimal" },
		{ "/* x", -EBADMSG, 1, 1, "comment never ends" },
		{ "{} /", -EBADMSG, 1, 4, "lone '/'" },
		{ "{} {}", -EBADMSG, 1, 4, "nothing may follow" },
		{ "[\"\xff\"]", -EBADMSG, 1, 3, "not UTF-8" },
		{ "[\"\xed\xa0\x80\"]", -EBADMSG, 1, 3, "not UTF-8" },
		{ "[\"\xc0\xaf\"]", -EBADMSG, 1, 3, "not UTF-8" },
		{ "[\"\xc3\xa9\", x]", -EBADMSG, 1, 7, "a value is expected" },
		{ "{\"a\\u0000b\":1}", -EBADMSG, 1, 2, "\\u0000" },
		{ "[[[[[]]]]]", -E2BIG, 1, 5, "deeper than 4" },
		{ "{\"a\":1,\n \"b\":2,\n \"a\":3}", -EEXIST, 3, 2, "given in line 1" },
		{ "{\"a\":1,\"\\u0061\":3}", -EEXIST, 1, 8, "already given" },
		{ "{\"\xc3\xa9\":1,\"\\u00e9\":3}", -EEXIST, 1, 8, "already given" },
		{ "{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", -EEXIST, 1, 8, "already given" },
		{ "{\"x\":{\"b\":1,\"c\":2,\"b\":3}}", -EEXIST, 1, 19, "already given" },
		{ "{\"\\ud800\":1,\"\\ud801\":3}", -EEXIST, 1, 13, "already given" },
	};
	struct jsonpos_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&fault, 0, sizeof(fault));
		assert_int_equal(jsonpos_parse(rows[i].text, strlen(rows[i].text), 4, NULL, &fault),
				 rows[i].r);
		assert_non_null(strstr(fault.what, rows[i].what));
		assert_int_equal(fault.at.line, rows[i].line);
		assert_int_equal(fault.at.column, rows[i].column);
	}
	assert_int_equal(jsonpos_parse("[\0]", 3, 4, NULL, &fault), -EBADMSG);
	assert_non_null(strstr(fault.what, "NUL"));
}

/* The tree is the one that json-c makes of the same text. */
static void test_tree(void **state)
{
	static const struct {
		const char *text, *tree;
	} rows[] = {
		{ "null", "null" },
		{ "{\"b\": [1, -2, ], /* c */ \"a\": {}}", "{\"b\":[1,-2],\"a\":{}}" },
		{ "[true,false,null]", "[true,false,null]" },
		{ "[1.50,1e3,-0,-0.0]", "[1.50,1e3,0,-0.0]" },
		{ "[9223372036854775808,99999999999999999999]",
		  "[9223372036854775808,18446744073709551615]" },
		{ "[-99999999999999999999]", "[-9223372036854775808]" },
		{ "[\"\\u00e9\\ud83d\\ude00\\n\", \"\xc3\xa9\", \"\\ud800\", \"a\\u0000b\"]",
		  "[\"\xc3\xa9\xf0\x9f\x98\x80\\n\",\"\xc3\xa9\",\"\xef\xbf\xbd\",\"a\\u0000b\"]" },
		{ "{\"\\u0061\":1}", "{\"a\":1}" },
	};
	struct jsonpos_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(json_putp) struct json_object *mine = NULL;
		CLEANUP(json_putp) struct json_object *theirs = NULL;
		size_t len = strlen(rows[i].text);

		assert_int_equal(jsonpos_parse(rows[i].text, len, 4, &mine, &fault), 0);
		assert_string_equal(json_object_to_json_string_ext(mine, 0), rows[i].tree);
		assert_int_equal(json_parse(rows[i].text, len, 4, &theirs), 0);
		assert_true(json_object_equal(mine, theirs));
	}
}

static void test_every_prefix_is_bad(void **state)
{
	static const char text[] =
		"{\"a\": [1, \"x\\u00e9\", null], /* c */ \"b\": {\"c\": -1.5e3}}";
	struct jsonpos_fault fault;

	(void)state;
	for (size_t n = 0; n + 1 < sizeof(text) - 1; n++)
		assert_int_equal(jsonpos_parse(text, n, 4, NULL, &fault), -EBADMSG);
	assert_int_equal(jsonpos_parse(text, sizeof(text) - 1, 4, NULL, &fault), 0);
}

static void test_find(void **state)
{
	static const char text[] = "\xef\xbb\xbf// head\n"
				   "{ \"mode\": \"x\",\n"
				   "  \"s\": { \"a b\":\n"
				   "     { \"list\": [ 1, /* \"list\" */ 2, { \"k\": 3 } ] },\n"
				   "    \"\xc3\xa9\": 1, \"z\": 2 } }";
	const struct json_path s = { NULL, "s", 0 };
	const struct json_path ab = { &s, "a b", 0 };
	const struct json_path list = { &ab, "list", 0 };
	const struct json_path item = { &list, NULL, 1 };
	const struct json_path object = { &list, NULL, 2 };
	const struct json_path k = { &object, "k", 0 };
	const struct json_path accent = { &s, "\xc3\xa9", 0 };
	const struct json_path z = { &s, "z", 0 };
	const struct json_path missing = { &s, "k", 0 };
	const struct json_path beyond = { &list, NULL, 3 };
	const struct {
		const struct json_path *path;
		bool value;
		unsigned int line, column;
	} rows[] = {
		{ &s, false, 3, 3 },     { &s, true, 3, 8 },     { &ab, false, 3, 10 },
		{ &ab, true, 4, 6 },     { &list, false, 4, 8 }, { &list, true, 4, 16 },
		{ &item, false, 4, 34 }, { &item, true, 4, 34 }, { &object, true, 4, 37 },
		{ &k, false, 4, 39 },    { &k, true, 4, 44 },    { &accent, false, 5, 5 },
		{ &z, false, 5, 13 },    { NULL, true, 2, 1 },   { &missing, false, 0, 0 },
		{ &beyond, true, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct jsonpos pos =
			jsonpos_find(text, sizeof(text) - 1, rows[i].path, rows[i].value);

		assert_int_equal(pos.line, rows[i].line);
		assert_int_equal(pos.column, rows[i].column);
	}
}

static void test_path(void **state)
{
	const struct json_path servers = { NULL, "mcpServers", 0 };
	const struct json_path name = { &servers, "my \"x\"\n", 0 };
	const struct json_path list = { &name, "fallback", 0 };
	const struct json_path item = { &list, NULL, 12 };
	struct buf out;

	(void)state;
	out = BUF(1000);
	json_path_print(&item, &out);
	assert_string_equal(buf_str(&out), "mcpServers.\"my \\\"x\\\"\\u000a\".fallback[12]");
	buf_done(&out);
}

static void test_many_keys(void **state)
{
	struct buf text;
	struct jsonpos_fault fault;

	(void)state;
	text = BUF(1 << 20);
	buf_putc(&text, '{');
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "\"k%d\":1,\n", i);
	buf_puts(&text, "\"last\":{\"k7\":1}");
	assert_int_equal(jsonpos_parse(buf_str(&text), text.len, 4, NULL, &fault), -EBADMSG);
	buf_puts(&text, "}");
	assert_int_equal(jsonpos_parse(buf_str(&text), text.len, 4, NULL, &fault), 0);
	text.len--;
	buf_puts(&text, ",\"k19999\":1}");
	assert_int_equal(jsonpos_parse(buf_str(&text), text.len, 4, NULL, &fault), -EEXIST);
	assert_int_equal(fault.at.line, 20001);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),      cmocka_unit_test(test_bad),
		cmocka_unit_test(test_tree),      cmocka_unit_test(test_every_prefix_is_bad),
		cmocka_unit_test(test_find),      cmocka_unit_test(test_path),
		cmocka_unit_test(test_many_keys), cmocka_unit_test(test_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
