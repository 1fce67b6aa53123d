/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonw.h"

#include <math.h>
#include <string.h>

#include "unit/unit.h"

static void test_structure(void **state)
{
	struct buf out;
	struct jsonw w;

	(void)state;
	out = BUF(1000);
	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_list(&w, "empty");
	jsonw_list_end(&w);
	jsonw_list(&w, "l");
	jsonw_uint(&w, NULL, UINT64_MAX);
	jsonw_bool(&w, NULL, true);
	jsonw_object(&w, NULL);
	jsonw_null(&w, "n");
	jsonw_object_end(&w);
	jsonw_list_end(&w);
	jsonw_count(&w, "c", 0);
	jsonw_count(&w, "u", UINT32_MAX);
	jsonw_text(&w, "t", NULL);
	jsonw_time(&w, "at", 1000000000ULL * 1700000000 + 123000000);
	jsonw_object_end(&w);
	assert_string_equal(buf_str(&out),
			    "{\"empty\":[],\"l\":[18446744073709551615,true,{\"n\":null}],"
			    "\"c\":0,\"u\":null,\"t\":null,\"at\":\"2023-11-14T22:13:20.123Z\"}");
	buf_done(&out);
}

static void test_text(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "\"\"" },
		{ "a\"b\\c/", "\"a\\\"b\\\\c/\"" },
		{ "a\nb\tc\x01\x7f", "\"a\\nb\\u0009c\\u0001\\u007f\"" },
		{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "a\xff"
		  "b",
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		{ "\xc3", "\"\xef\xbf\xbd\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out;
		struct jsonw w;

		out = BUF(1000);
		jsonw_init(&w, &out);
		jsonw_text(&w, NULL, rows[i].in);
		assert_string_equal(buf_str(&out), rows[i].out);
		buf_done(&out);
	}
}

static void test_numbers(void **state)
{
	struct buf out;
	struct jsonw w;

	(void)state;
	out = BUF(1000);
	jsonw_init(&w, &out);
	jsonw_list(&w, NULL);
	jsonw_double(&w, NULL, 0.1);
	jsonw_double(&w, NULL, 1.0 / 3);
	jsonw_double(&w, NULL, NAN);
	jsonw_double(&w, NULL, INFINITY);
	jsonw_double(&w, NULL, 30);
	jsonw_seconds(&w, NULL, 0);
	jsonw_seconds(&w, NULL, 1);
	jsonw_seconds(&w, NULL, 1500000000);
	jsonw_seconds(&w, NULL, UINT64_MAX);
	jsonw_list_end(&w);
	assert_string_equal(buf_str(&out),
			    "[0.1,0.3333333333333333,null,null,30,0.0,0.000000001,1.5,"
			    "18446744073.709551615]");
	buf_done(&out);
}

static void test_full(void **state)
{
	struct buf out;
	struct jsonw w;

	(void)state;
	out = BUF(10);
	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "key", "longer than ten bytes");
	jsonw_object_end(&w);
	assert_true(buf_error(&out) < 0);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
