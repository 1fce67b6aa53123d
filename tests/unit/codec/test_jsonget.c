/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonget.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ "/** a **/{/*/**/\"a\"/***/:\"/*\\\"//\"}", 0 },
		{ "{}", 0 },
		{ " 12", 0 },
		{ "true", 0 },
		{ "{} // end", 0 },
		{ "{} /* end */\n", 0 },
		{ "\xef\xbb\xbf[1]", 0 },
		{ "", -EBADMSG },
		{ "{", -EBADMSG },
		{ "{} x", -EBADMSG },
		{ "{} /*", -EBADMSG },
		{ "{} /", -EBADMSG },
		{ "{}{}", -EBADMSG },
		{ "tru", -EBADMSG },
		{ "[[[[1]]]]", -EBADMSG },
		{ "\"\xff\"", -EBADMSG },
		{ "\"\xed\xa0\x80\"", -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_object *obj = NULL;

		assert_int_equal(json_parse(rows[i].text, strlen(rows[i].text), 4, &obj),
				 rows[i].r);
		json_object_put(obj);
	}
}

static void test_members(void **state)
{
	static const char text[] =
		"{\"s\":\"text\",\"n\":7,\"neg\":-1,\"d\":1.5,\"b\":true,\"z\":null,"
		"\"big\":5000000000,\"o\":{},\"l\":[],\"utf\":\"a\xc3\xa9\"}";
	CLEANUP(json_putp) struct json_object *obj = NULL;
	char out[8];

	(void)state;
	assert_int_equal(json_parse(text, sizeof(text) - 1, 4, &obj), 0);
	assert_string_equal(jget_text(obj, "s", "x"), "text");
	assert_string_equal(jget_text(obj, "n", "x"), "x");
	assert_string_equal(jget_text(NULL, "s", "x"), "x");
	assert_int_equal(jget_uint(obj, "n", 1), 7);
	assert_int_equal(jget_uint(obj, "neg", 1), 0);
	assert_int_equal(jget_uint(obj, "d", 1), 1);
	assert_int_equal(jget_u32(obj, "big"), UINT32_MAX);
	assert_int_equal(jget_count(obj, "n"), 7);
	assert_int_equal(jget_count(obj, "big"), UINT32_MAX);
	assert_int_equal(jget_count(obj, "neg"), UINT32_MAX);
	assert_int_equal(jget_count(obj, "s"), UINT32_MAX);
	assert_int_equal(jget_count(obj, "z"), UINT32_MAX);
	assert_int_equal(jget_count(obj, "missing"), UINT32_MAX);
	assert_double(jget_double(obj, "d", 9), 1.5);
	assert_double(jget_double(obj, "n", 9), 7);
	assert_double(jget_double(obj, "s", 9), 9);
	assert_true(jget_bool(obj, "b", false));
	assert_true(jget_bool(obj, "s", true));
	assert_int_equal(jget_seconds(obj, "d", 1), 1500000000);
	assert_int_equal(jget_seconds(obj, "neg", 1), 0);
	assert_int_equal(jget_seconds(obj, "z", 1), 1);
	assert_null(jget(obj, "z"));
	assert_non_null(jget_object(obj, "o"));
	assert_null(jget_object(obj, "l"));
	assert_non_null(jget_list(obj, "l"));
	assert_true(jget_copy(obj, "s", out, sizeof(out)));
	assert_string_equal(out, "text");
	assert_false(jget_copy(obj, "utf", out, 3)); /* not half an e acute */
	assert_string_equal(out, "a");
	assert_true(jget_copy(obj, "missing", out, sizeof(out)));
	assert_string_equal(out, "");
}

static void test_time(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "2023-11-14T22:13:20.123456789Z", 0, 1700000000123456789 },
		{ "2023-11-14T22:13:20.5z", 0, 1700000000500000000 },
		{ "2023-11-15T00:13:20+02:00", 0, 1700000000000000000 },
		{ "2023-11-14T20:43:20-01:30", 0, 1700000000000000000 },
		{ "2023-11-14T22:13:20", -EINVAL, 0 },
		{ "2023-11-14 22:13:20Z", -EINVAL, 0 },
		{ "2023-11-14T22:13:20Zx", -EINVAL, 0 },
		{ "2023-11-14T22:13:20+2:00", -EINVAL, 0 },
		{ "2023-11-14T22:13:20+02:60", -EINVAL, 0 },
		{ "2023-11-14T22:13:20+02:00x", -EINVAL, 0 },
		{ "1969-12-31T23:59:59Z", -EINVAL, 0 },
		{ "1970-01-01T00:00:00+01:00", -EINVAL, 0 },
		{ "9999-01-01T00:00:00Z", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ns = 0;

		assert_int_equal(time_parse(rows[i].text, &ns), rows[i].r);
		assert_int_equal(ns, rows[i].ns);
	}
}

static void test_seconds(void **state)
{
	(void)state;
	assert_int_equal(seconds_to_ns(0.3), 300000000);
	assert_int_equal(seconds_to_ns(-1), 0);
	assert_true(seconds_to_ns(1e30) == UINT64_MAX - 1);
	assert_int_equal(seconds_to_ns(0.0 / 0.0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
