/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/quota.h"

#include "abi.h"
#include "unit/unit.h"

#define START SECONDS(1000)

static struct quota q;

static int setup(void **state)
{
	(void)state;
	q = (struct quota){ 0 };
	return 0;
}

static void test_ten_within_a_minute(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < QUOTA_TIMES; i++)
		assert_int_equal(quota_take(&q, 7, START + SECONDS(i)), 0);
	/* the first of them was a minute ago then */
	assert_int_equal(quota_take(&q, 7, START + SECONDS(20)), SECONDS(40));
	assert_int_equal(quota_take(&q, 8, START + SECONDS(20)), 0);
	assert_int_equal(quota_take(&q, 7, START + SECONDS(60)), 0);
	assert_int_equal(quota_take(&q, 7, START + SECONDS(60)), SECONDS(1));
}

static void test_who_is_refused_is_not_counted(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < QUOTA_TIMES; i++)
		assert_int_equal(quota_take(&q, 7, START), 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_true(quota_take(&q, 7, START + SECONDS(1)) > 0);
	for (unsigned int i = 0; i < QUOTA_TIMES; i++)
		assert_int_equal(quota_take(&q, 7, START + SECONDS(60)), 0);
}

/* Nobody gets more by being pushed out by others. */
static void test_many_users(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < QUOTA_TIMES; i++)
		assert_int_equal(quota_take(&q, 0, START), 0);
	for (uint32_t uid = 1; uid < QUOTA_USERS; uid++)
		assert_int_equal(quota_take(&q, uid, START + SECONDS(1)), 0);
	assert_int_equal(quota_take(&q, 5000, START + SECONDS(2)), SECONDS(58));
	assert_true(quota_take(&q, 0, START + SECONDS(2)) > 0);
	assert_int_equal(quota_take(&q, 5000, START + SECONDS(60)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_ten_within_a_minute, setup),
		cmocka_unit_test_setup(test_who_is_refused_is_not_counted, setup),
		cmocka_unit_test_setup(test_many_users, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
