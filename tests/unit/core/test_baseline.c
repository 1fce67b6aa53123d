/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/baseline.h"

#include <math.h>

#include "unit/unit.h"

static const uint64_t day = SECONDS(86400);

static void add(struct baseline *b, uint64_t now, double latency)
{
	struct breaker_policy p = breaker_policy_defaults();

	baseline_add(b, &p, now, SECONDS(latency));
}

/* Half of the calls at e^-1 s, half at e^1 s: mean 0, deviation 1. */
static struct baseline learned(void)
{
	struct breaker_policy p = breaker_policy_defaults();
	struct baseline b;

	baseline_init(&b, &p);
	for (int i = 0; i < 30; i++)
		add(&b, 0, exp(i % 2 ? 1 : -1));
	return b;
}

static void test_first_thirty(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();
	struct baseline b;

	(void)state;
	baseline_init(&b, &p);
	assert_true(b.slow_ns == SG_FOREVER);
	for (int i = 0; i < 29; i++)
		add(&b, 0, 0.5);
	assert_int_equal(b.slow_ns, SECONDS(10));
	add(&b, 0, 0.5);
	assert_float_equal((double)b.slow_ns, 2e9, 1e3);
	b = learned();
	assert_float_equal(b.mean, 0, 1e-8);
	assert_float_equal(b.variance, 1, 1e-8);
	assert_float_equal((double)b.slow_ns, exp(3) * 1e9, 1e3);
}

/* As fast as it always was, from the first call on. */
static void test_is_never_slow_by_its_own_usual(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();
	struct baseline b;

	(void)state;
	baseline_init(&b, &p);
	for (int i = 0; i < 60; i++) {
		add(&b, 0, 11);
		assert_true(b.slow_ns > SECONDS(11));
	}
}

static void test_falls_half_of_the_way_in_a_day(void **state)
{
	struct baseline b = learned();

	(void)state;
	add(&b, day, exp(-2));
	assert_float_equal(b.mean, -1, 1e-8);
	assert_float_equal(b.variance, 1 + (4 - 1) / 2.0, 1e-8);
}

static void test_rises_by_five_percent_a_day(void **state)
{
	struct baseline b = learned();

	(void)state;
	add(&b, day, exp(1.5));
	assert_float_equal(b.mean, log(1.05), 1e-8);
	b = learned();
	add(&b, day / 2, exp(1.5));
	assert_float_equal(b.mean, log(1.05) / 2, 1e-8);
	/* a small rise is not held back */
	b = learned();
	add(&b, day, exp(0.02));
	assert_float_equal(b.mean, 0.01, 1e-8);
}

static void test_outliers_count_as_two_deviations(void **state)
{
	struct baseline b = learned();

	(void)state;
	add(&b, day, exp(6));
	assert_float_equal(b.variance, 1 + (4 - 1) / 2.0, 1e-8);
}

static void test_no_time_no_change(void **state)
{
	struct baseline b = learned();

	(void)state;
	for (int i = 0; i < 1000; i++)
		add(&b, 0, 9);
	assert_float_equal(b.mean, 0, 1e-8);
	assert_float_equal(b.variance, 1, 1e-8);
}

static void test_no_latency_is_finite(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();
	struct baseline b;

	(void)state;
	baseline_init(&b, &p);
	for (int i = 0; i < 40; i++)
		add(&b, (uint64_t)i * day, 0);
	assert_float_equal(b.mean, log(1e-6), 1e-8);
	assert_int_equal(b.slow_ns, SECONDS(1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_thirty),
		cmocka_unit_test(test_is_never_slow_by_its_own_usual),
		cmocka_unit_test(test_falls_half_of_the_way_in_a_day),
		cmocka_unit_test(test_rises_by_five_percent_a_day),
		cmocka_unit_test(test_outliers_count_as_two_deviations),
		cmocka_unit_test(test_no_time_no_change),
		cmocka_unit_test(test_no_latency_is_finite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
