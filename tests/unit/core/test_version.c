/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/version.h"

#include "base/cleanup.h"
#include "unit/unit.h"

static void test_in_order(void **state)
{
	/* semver.org, 11, and what is beside it; each is older than the next */
	static const char *const rows[] = {
		"0.0.0-0",
		"0.0.0",
		"0.0.5-alpha",
		"0.0.5",
		"0.0.37",
		"0.1.9",
		"0.1.10",
		"0.1.15",
		"0.1.16-rc",
		"0.1.16",
		"1.0.0-alpha",
		"1.0.0-alpha.1",
		"1.0.0-alpha.beta",
		"1.0.0-beta",
		"1.0.0-beta.2",
		"1.0.0-beta.11",
		"1.0.0-rc.1",
		"1.0.0",
		"2.0.0",
		"2.1.0",
		"2.1.1",
		"10.0.0",
		"2025.7.1",
		"999999999.0.0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
			struct version a, b;
			int r;

			assert_true(version_parse(rows[i], &a));
			assert_true(version_parse(rows[k], &b));
			r = version_compare(&a, &b);
			if ((i < k && r >= 0) || (i > k && r <= 0) || (i == k && r))
				fail_msg("%s and %s: %d", rows[i], rows[k], r);
		}
}

static void test_equal(void **state)
{
	struct version a, b;

	(void)state;
	assert_true(version_parse("v1.2.3-a.b+build.7", &a));
	assert_true(version_parse("=1.2.3-a.b", &b));
	assert_int_equal(version_compare(&a, &b), 0);
}

static void test_no_versions(void **state)
{
	static const char *const rows[] = {
		"",
		"latest",
		"1",
		"1.2",
		"1.2.x",
		"^1.2.3",
		"~1.2.3",
		">=1.2.3",
		"1.2.3.4",
		"01.2.3",
		"1.02.3",
		"1.2.3-",
		"1.2.3-a..b",
		"1.2.3-.a",
		"1.2.3-a.",
		"1.2.3+",
		"1.2.3-a_b",
		"1.2.3 ",
		" 1.2.3",
		"-1.2.3",
		"1..3",
		"1.2.",
		"1.2.3a",
		"vv1.2.3",
		"9999999999.0.0",
		"1.2.3+a+b",
		"1.2.3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct version v = { .part = { 7 } };

		if (version_parse(rows[i], &v))
			fail_msg("\"%s\"", rows[i]);
		assert_int_equal(v.part[0], 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_no_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
