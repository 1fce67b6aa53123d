/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/parse.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

static void test_hex(void **state)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	(void)state;
	for (int c = 1; c < 256; c++) {
		const char *at = strchr(digits, c);
		int value = at ? (int)(at - digits) : -1;

		assert_int_equal(parse_hex((char)c), value > 15 ? value - 6 : value);
	}
}

static void test_u64(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "42", 0, 42 },
		{ "1000", 0, 1000 },
		{ "1001", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		value = 77;
		assert_int_equal(parse_u64(rows[i].text, 0, 1000, &value), rows[i].r);
		assert_int_equal(value, rows[i].r ? 77 : rows[i].value);
	}
	assert_int_equal(parse_u64("4", 5, 10, &value), -ERANGE);
	assert_int_equal(parse_u64("18446744073709551615", 0, UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} rows[] = {
		{ "90s", 0, 90000000000 },
		{ "10m", 0, 600000000000 },
		{ "2h", 0, 7200000000000 },
		{ "1d", 0, 86400000000000 },
		{ "250ms", 0, 250000000 },
		{ "1.5", 0, 1500000000 },
		{ "0.1ms", 0, 100000 },
		{ "0.7ms", 0, 700000 },
		{ "0.0000000019", 0, 2 },
		{ "0.1s", 0, 100000000 },
		{ "0", 0, 0 },
		{ "3653d", 0, 3653ULL * 86400 * 1000000000 },
		{ "3661d", -ERANGE, 0 },
		{ "-1s", -ERANGE, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1w", -EINVAL, 0 },
		{ "1h30m", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "nans", -EINVAL, 0 },
		{ "0x10s", -EINVAL, 0 },
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ns = 77;
		assert_int_equal(parse_duration(rows[i].text, &ns), rows[i].r);
		assert_int_equal(ns, rows[i].r ? 77 : rows[i].ns);
	}
}

static void test_format_duration(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "0 s" },
		{ 1, "0.001 s" },
		{ 250000000, "0.25 s" },
		{ 12500000000, "12.5 s" },
		{ 20000000000, "20 s" },
		{ 59999400000, "59.999 s" },
		{ 59999500000, "1m" },
		{ 60000000000, "1m" },
		{ 65000000000, "1m 5s" },
		{ 3600000000000, "1h" },
		{ 5400000000000, "1h 30m" },
		{ 3605000000000, "1h" },
		{ 86400000000000, "1d" },
		{ 97200000000000, "1d 3h" },
		{ UINT64_MAX, "213503d 23h" },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(format_duration(out, sizeof(out), rows[i].ns), rows[i].text);
}

static void test_nearest_word(void **state)
{
	static const char *const keys[] = { "open_seconds", "open_factor", "jitter", "url", NULL };

	(void)state;
	assert_string_equal(nearest_word("open_second", keys), "open_seconds");
	assert_string_equal(nearest_word("opne_factor", keys), "open_factor");
	assert_string_equal(nearest_word("URL", keys), "url");
	assert_string_equal(nearest_word("jiter", keys), "jitter");
	assert_string_equal(nearest_word("ulr", keys), "url");
	assert_null(nearest_word("command", keys));
	assert_null(nearest_word("", keys));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),          cmocka_unit_test(test_u64),
		cmocka_unit_test(test_duration),     cmocka_unit_test(test_format_duration),
		cmocka_unit_test(test_nearest_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
