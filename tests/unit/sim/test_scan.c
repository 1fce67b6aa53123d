/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonlex.h"
#include "sim/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

static const struct scan_key keys[] = { { "a", 1 }, { "bb", 2 } };

static int scan(const char *line, struct scan_value *values)
{
	struct scan_fault fault = { 0 };
	int r = scan_object(line, strlen(line), keys, 2, values, &fault);

	if (r < 0)
		assert_true(*fault.what && fault.at <= strlen(line));
	return r;
}

static void test_members(void **state)
{
	struct scan_value v[2];

	(void)state;
	assert_int_equal(scan("{}", v), 0);
	assert_int_equal(v[0].type, SCAN_ABSENT);
	assert_int_equal(scan(" {\"bb\" : \"x\" , \"a\" : -1.5e+3 }\r", v), 0);
	assert_int_equal(v[0].type, SCAN_NUMBER);
	assert_memory_equal(v[0].raw, "-1.5e+3", v[0].len);
	assert_int_equal(v[0].at, 21);
	assert_int_equal(v[0].key_at, 15);
	assert_int_equal(v[1].type, SCAN_TEXT);
	assert_memory_equal(v[1].raw, "x", v[1].len);
	assert_int_equal(scan("{\"a\":true,\"bb\":false}", v), 0);
	assert_int_equal(v[0].type, SCAN_TRUE);
	assert_int_equal(v[1].type, SCAN_FALSE);
	assert_int_equal(scan("{\"a\":null,\"bb\":[{},[]]}", v), 0);
	assert_int_equal(v[0].type, SCAN_NULL);
	assert_int_equal(v[1].type, SCAN_LIST);
}

static void test_what_nobody_asked_for(void **state)
{
	static const char *const good[] = {
		"{\"c\":1,\"\":2,\"aa\":3,\"b\":4,\"c\":5}",
		"{\"c\":[]}",
		"{\"c\":[[],{},[1,2,{\"d\":[null]}],\"]}\"]}",
		"{\"c\":{\"a\":1,\"a\":{\"x\":[]}},\"a\":1}",
		"{\"c\":\"\\\"\\u00e9\\\\\"}",
	};
	static const char *const bad[] = {
		"",
		"{",
		"{\"c\":[}",
		"{\"c\":{]}",
		"{\"c\":[1,]}",
		"{\"c\":{\"d\"}}",
		"{\"c\":{\"d\":}}",
		"{\"c\":{,}}",
		"{\"c\":[[1}]}",
		"{\"c\":tru}",
		"{\"c\":nully}",
		"{\"c\":1}}",
		"{\"c\":-}",
		"{\"c\":1e}",
		"{\"c\":.5}",
		"{\"c\":0x1}",
		"{'c':1}",
		"{\"c\":1,}",
		"{\"c\" 1}",
		"{\"a\":1,\"a\":2}",
	};
	struct scan_value v[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(scan(good[i], v), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(scan(bad[i], v), -EBADMSG);
}

static void test_depth(void **state)
{
	char line[128] = "{\"c\":";
	struct scan_value v[2];

	(void)state;
	for (int more = 0; more < 2; more++) {
		memset(line + 5, '[', SCAN_DEPTH_MAX + (size_t)more);
		memset(line + 5 + SCAN_DEPTH_MAX + more, ']', SCAN_DEPTH_MAX + (size_t)more);
		strncpy(line + 5 + 2 * (SCAN_DEPTH_MAX + (size_t)more), "}", 2);
		assert_int_equal(scan(line, v), more ? -EBADMSG : 0);
	}
}

static int nano(const char *text, uint64_t *ret)
{
	struct scan_value v = { .raw = text, .len = strlen(text), .type = SCAN_NUMBER };

	return scan_nano(&v, UINT64_MAX, ret);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "-0.0000000001", 0 },
		{ "0.000000001", 1 },
		{ "0.00000000049999999999999999999", 0 },
		{ "0.0000000005", 1 },
		{ "5e-10", 1 },
		{ "49e-11", 0 },
		{ "5E-11", 0 },
		{ "1e-400000000000000000000", 0 },
		{ "0e400000000000000000000", 0 },
		{ "0.1", 100000000 },
		{ "0.30000000000000004", 300000000 },
		{ "8589934592.000000001", UINT64_C(8589934592000000001) },
		{ "12345678901.234567891", UINT64_C(12345678901234567891) },
		{ "0.000012345e5", 1234500000 },
		{ "123456e-3", UINT64_C(123456000000) },
		{ "18446744073.709551615", UINT64_MAX },
	};
	static const char *const bad[] = {
		"18446744073.709551616",  "1e11", "-1", "-5e-10", "1e400000000000000000000",
		"99999999999999999999999"
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(nano(good[i].text, &ns), 0);
		if (ns != good[i].ns)
			fail_msg("%s: %" PRIu64, good[i].text, ns);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (nano(bad[i], &ns) != -ERANGE)
			fail_msg("%s: taken", bad[i]);
}

/* Every ns comes back from its decimal, with the point in all places. */
static void test_numbers_round_trip(void **state)
{
	uint64_t x = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[64];
		uint64_t ns;

		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		snprintf(text, sizeof(text), "%" PRIu64 ".%09" PRIu64, (x >> (i % 60)) / 1000000000,
			 (x >> (i % 60)) % 1000000000);
		assert_int_equal(nano(text, &ns), 0);
		assert_int_equal(ns, x >> (i % 60));
		snprintf(text, sizeof(text), "%" PRIu64 "e-9", x >> (i % 60));
		assert_int_equal(nano(text, &ns), 0);
		assert_int_equal(ns, x >> (i % 60));
		snprintf(text, sizeof(text), "0.%020" PRIu64 "E11", x >> (i % 60));
		assert_int_equal(nano(text, &ns), 0);
		assert_int_equal(ns, x >> (i % 60));
	}
}

static void text_is(const char *raw, const char *want)
{
	struct scan_value v = { .raw = raw, .len = strlen(raw), .type = SCAN_TEXT };
	char out[64];
	size_t len;

	assert_int_equal(json_decode(v.raw, v.len, out, sizeof(out), &len), 0);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(out, want, len);
}

static void test_escapes(void **state)
{
	struct scan_value v = { .raw = "ab\\u00e9", .len = 8 };
	char out[4];
	size_t len;

	(void)state;
	text_is("plain", "plain");
	text_is("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t");
	text_is("\\u0041\\u00e9\\u20AC", "A\xc3\xa9\xe2\x82\xac");
	text_is("\\ud83d\\ude00", "\xf0\x9f\x98\x80");
	text_is("\\ud83d", "\xef\xbf\xbd");
	text_is("\\ud83dx", "\xef\xbf\xbdx");
	text_is("\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd");
	text_is("\\ud83d\\u0041", "\xef\xbf\xbd"
				  "A");
	assert_int_equal(json_decode(v.raw, v.len, out, 4, &len), 0);
	assert_int_equal(json_decode(v.raw, v.len, out, 3, &len), -EMSGSIZE);
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(scan_column("abc", 0), 1);
	assert_int_equal(scan_column("abc", 2), 3);
	assert_int_equal(scan_column("\xc3\xa9\xf0\x9f\x98\x80x", 6), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_what_nobody_asked_for),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_numbers_round_trip),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
