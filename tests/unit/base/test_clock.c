/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/clock.h"

#include "unit/unit.h"

static void test_format(void **state)
{
	char out[32];

	(void)state;
	assert_string_equal(clock_format(out, sizeof(out), 0), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_format(out, sizeof(out), UINT64_C(1709251199123999999)),
			    "2024-02-29T23:59:59.123Z");
}

static void test_boot_to_wall(void **state)
{
	uint64_t boot = clock_boot_ns();
	uint64_t wall = clock_wall_ns();
	int64_t now = (int64_t)(clock_boot_to_wall_ns(boot) - wall);
	int64_t later = (int64_t)(clock_boot_to_wall_ns(boot + SECONDS(3600)) - wall);

	(void)state;
	assert_true(boot > 0);
	assert_true(now > -(int64_t)NS_PER_SEC && now < (int64_t)NS_PER_SEC);
	assert_true(later > (int64_t)SECONDS(3599) && later < (int64_t)SECONDS(3601));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_boot_to_wall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
