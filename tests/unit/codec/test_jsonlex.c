/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonlex.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

static void test_strings(void **state)
{
	static const struct {
		const char *text;
		enum json_lex fault;
		size_t at;
		bool escaped, wide;
	} rows[] = {
		{ "abc\"d", JSON_GOOD, 3, false, false },
		{ "\"", JSON_GOOD, 0, false, false },
		{ "\\\"\xc3\xa9\\u00e9\"", JSON_GOOD, 10, true, true },
		{ "", JSON_ENDLESS, 0, false, false },
		{ "abc", JSON_ENDLESS, 3, false, false },
		{ "a\nb\"", JSON_CONTROL, 1, false, false },
		{ "a\\", JSON_ESCAPE, 1, true, false },
		{ "a\\x\"", JSON_ESCAPE, 1, true, false },
		{ "a\\u12g4\"", JSON_HEX, 1, true, false },
		{ "a\\u123", JSON_HEX, 1, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *p = rows[i].text;
		bool escaped = false;
		bool wide = false;

		assert_int_equal(json_string(&p, p + strlen(p), &escaped, &wide), rows[i].fault);
		assert_int_equal(p - rows[i].text, rows[i].at);
		assert_int_equal(escaped, rows[i].escaped);
		assert_int_equal(wide, rows[i].wide);
	}
}

static void test_numbers(void **state)
{
	static const char *const good[] = { "0", "-0", "10", "1.5", "-0.25e+3", "1E9", "2e-7" };
	static const char *const bad[] = { "", "-", "+1", "1.", ".5", "1e", "1e+", "x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const char *p = good[i];

		assert_true(json_number(&p, p + strlen(p)));
		assert_int_equal(*p, '\0');
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *p = bad[i];

		assert_false(json_number(&p, p + strlen(p)));
	}
}

static void test_decode(void **state)
{
	static const char raw[] = "a\\u00e9\\ud83d\\ude00\\ud800\\n\\/\xc3\xa9";
	static const char text[] = "a\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd\n/\xc3\xa9";
	char out[sizeof(text) - 1];
	size_t len = 0;

	(void)state;
	assert_int_equal(json_decode(raw, sizeof(raw) - 1, out, sizeof(out), &len), 0);
	assert_int_equal(len, sizeof(out));
	assert_memory_equal(out, text, len);
	for (size_t size = 0; size < sizeof(out); size++)
		assert_int_equal(json_decode(raw, sizeof(raw) - 1, out, size, &len), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
