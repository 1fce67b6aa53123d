/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/policy.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "unit/unit.h"

static char why[256];

static void test_defaults_are_valid(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();

	(void)state;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), 0);
	assert_int_equal(p.consecutive_failures, 5);
	assert_int_equal(p.window_calls, 20);
	assert_double(p.window_max_age_seconds, 600);
	assert_double(p.window_seconds, 60);
	assert_int_equal(p.window_buckets, 10);
	assert_int_equal(p.min_calls, 10);
	assert_double(p.failure_rate, 0.5);
	assert_double(p.slow_rate, 0.8);
	assert_double(p.slow_seconds, 10);
	assert_double(p.slow_factor, 4);
	assert_double(p.connect_seconds, 3);
	assert_double(p.timeout_seconds, 60);
	assert_double(p.abandon_seconds, 10);
	assert_double(p.open_seconds, 30);
	assert_double(p.open_factor, 2);
	assert_double(p.open_max_seconds, 900);
	assert_double(p.jitter, 0.25);
	assert_double(p.open_decay_seconds, 60);
	assert_int_equal(p.half_open_probes, 3);
	assert_double(p.half_open_failure_rate, 0.01);
	assert_double(p.probe_lease_seconds, 30);
	assert_double(p.half_open_max_seconds, 90);
	assert_double(p.ramp_seconds, 60);
	assert_true(p.retry_after);
	assert_double(p.group_max_open, 1);
	assert_int_equal(p.blast_min_servers, 8);
	assert_double(p.blast_share, 0.25);
	assert_double(p.blast_seconds, 10);
}

/* Each field belongs to exactly one row: setting all rows changes every byte that is not padding. */
static void test_every_field_has_one_key(void **state)
{
	struct breaker_policy p;
	size_t bytes = 0;

	(void)state;
	memset(&p, 0, sizeof(p));
	for (size_t i = 0; i < POLICY_KEY_COUNT; i++) {
		const struct policy_key *key = &policy_keys[i];

		assert_non_null(key->name);
		assert_non_null(key->help);
		assert_ptr_equal(policy_key_find(key->name), key);
		bytes += key->type == POLICY_COUNT ? 4 : key->type == POLICY_FLAG ? 1 : 8;
		assert_double(policy_key_get(&p, key), 0);
		assert_int_equal(policy_key_set(&p, key,
						key->type == POLICY_SPREAD ? 0.5 : key->max, why,
						sizeof(why)),
				 0);
		assert_double(policy_key_get(&p, key), key->type == POLICY_SPREAD ? 0.5 : key->max);
	}
	/* 6 counts, 21 doubles, 1 flag */
	assert_int_equal(bytes, 6 * 4 + 21 * 8 + 1);
	assert_in_range(sizeof(p), bytes, bytes + 4 * 8);
	assert_null(policy_key_find("open_second"));
}

static void test_ranges(void **state)
{
	static const struct {
		const char *key;
		double value;
		int r;
	} rows[] = {
		{ "half_open_max_seconds", 0, -EINVAL },
		{ "half_open_max_seconds", 0.5, 0 },
		{ "failure_rate", 0, -EINVAL },
		{ "failure_rate", 1, 0 },
		{ "failure_rate", 1.0001, -EINVAL },
		{ "failure_rate", -0.5, -EINVAL },
		{ "slow_rate", 0, -EINVAL },
		{ "half_open_failure_rate", 0, -EINVAL },
		{ "jitter", 0, 0 },
		{ "jitter", 0.999, 0 },
		{ "jitter", 1, -EINVAL },
		{ "jitter", -0.1, -EINVAL },
		{ "min_calls", 0, -EINVAL },
		{ "min_calls", 1.5, -EINVAL },
		{ "consecutive_failures", 0, 0 },
		{ "consecutive_failures", -1, -EINVAL },
		{ "consecutive_failures", 1e10, -EINVAL },
		{ "half_open_probes", 0, -EINVAL },
		{ "half_open_probes", SG_PROBES_MAX, 0 },
		{ "half_open_probes", SG_PROBES_MAX + 1, -EINVAL },
		{ "open_seconds", 0, -EINVAL },
		{ "open_factor", 0.5, -EINVAL },
		{ "open_decay_seconds", 0, -EINVAL },
		{ "ramp_seconds", 0, 0 },
		{ "ramp_seconds", -1, -EINVAL },
		{ "retry_after", 2, -EINVAL },
		{ "retry_after", 0, 0 },
		{ "slow_seconds", (double)NAN, -EINVAL },
		{ "slow_seconds", (double)INFINITY, -EINVAL },
		{ "open_seconds", -(double)INFINITY, -EINVAL },
		{ "window_calls", (double)NAN, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct breaker_policy p = breaker_policy_defaults();
		const struct policy_key *key = policy_key_find(rows[i].key);
		double before = policy_key_get(&p, key);

		why[0] = '\0';
		assert_int_equal(policy_key_set(&p, key, rows[i].value, why, sizeof(why)),
				 rows[i].r);
		assert_double(policy_key_get(&p, key), rows[i].r ? before : rows[i].value);
		assert_int_equal(!!strstr(why, rows[i].key), rows[i].r != 0);
	}
}

static void test_message_names_key_value_and_range(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();

	(void)state;
	p.half_open_max_seconds = 0;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	assert_string_equal(why,
			    "half_open_max_seconds is 0: it must be above 0 and at most 86400");
	p = breaker_policy_defaults();
	p.jitter = 1;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "jitter is 1: it must be at least 0 and below 1");
	p = breaker_policy_defaults();
	p.half_open_probes = 0;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	assert_string_equal(why,
			    "half_open_probes is 0: it must be a whole number at least 1 and at "
			    "most 1000");
}

static void test_parameters_that_contradict_each_other(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();

	(void)state;
	p.window_calls = p.min_calls - 1;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "window_calls is 9, less than min_calls 10"));
	p.window_calls = 0;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), 0);
	p.window_calls = p.min_calls;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), 0);
	p.open_max_seconds = p.open_seconds - 1;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "open_max_seconds is 29, less than open_seconds 30"));
	p.open_max_seconds = p.open_seconds;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), 0);
	p.window_buckets = 0;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "window_buckets is 0"));
	p.window_seconds = 0;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), 0);
	p.window_buckets = 5;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	p.window_seconds = 0.004;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "a bucket must last"));
	p.window_seconds = 0.005;
	assert_int_equal(breaker_policy_check(&p, why, sizeof(why)), 0);
}

static void test_to_kernel(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();
	struct sg_policy k;

	(void)state;
	p.slow_seconds = 0.1;
	policy_to_kernel(&p, ECONNREFUSED, &k);
	assert_int_equal(k.half_open_max_ns, SECONDS(90));
	assert_int_equal(k.ramp_ns, SECONDS(60));
	assert_int_equal(k.probe_lease_ns, SECONDS(30));
	assert_int_equal(k.slow_ns, 100000000);
	assert_int_equal(k.connect_ns, SECONDS(3));
	assert_int_equal(k.timeout_ns, SECONDS(60));
	assert_int_equal(k.abandon_ns, SECONDS(10));
	assert_int_equal(k.consecutive, 5);
	assert_int_equal(k.probes, 3);
	assert_int_equal(k.half_open_rate, 10000000);
	assert_int_equal(k.slow_rate, 800000000);
	assert_int_equal(k.retry_after, 1);
	assert_int_equal(k.deny_errno, ECONNREFUSED);
}

/* k of n reaches the rate k/n, however it is written, and k - 1 of n does not. */
static void test_rates_survive_the_kernel_units(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();
	struct sg_policy kernel;

	(void)state;
	for (uint64_t n = 1; n <= SG_PROBES_MAX; n += 1 + n / 16) {
		for (uint64_t k = 1; k <= n; k++) {
			p.half_open_failure_rate = (double)k / (double)n;
			policy_to_kernel(&p, 1, &kernel);
			assert_in_range(kernel.half_open_rate, 1, SG_RATE_ONE);
			assert_true(k * SG_RATE_ONE >= kernel.half_open_rate * n);
			assert_true((k - 1) * SG_RATE_ONE < kernel.half_open_rate * n);
		}
	}
	for (uint32_t i = 1; i <= 10000; i++) {
		p.half_open_failure_rate = i / 10000.0;
		policy_to_kernel(&p, 1, &kernel);
		assert_int_equal(kernel.half_open_rate, i * 100000);
	}
	p.half_open_failure_rate = 1e-12;
	policy_to_kernel(&p, 1, &kernel);
	assert_int_equal(kernel.half_open_rate, 1);
}

static void test_slow_limit(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();

	(void)state;
	/* nothing known: no limit; learning: never below the usual */
	assert_true(policy_slow_ns(&p, 0, 0, 0) == SG_FOREVER);
	assert_int_equal(policy_slow_ns(&p, 29, log(0.5), 0), SECONDS(10));
	assert_int_equal(policy_slow_ns(&p, 1, log(11), 0), SECONDS(44));
	/* learned: by the usual alone */
	assert_int_equal(policy_slow_ns(&p, 30, log(0.5), 0), SECONDS(2));
	assert_int_equal(policy_slow_ns(&p, 30, log(0.001), 0), SECONDS(1));
	assert_int_equal(policy_slow_ns(&p, 30, log(11), 0), SECONDS(44));
	/* quick tools and slow ones: a fifth at 11 s, the others at 5 ms */
	assert_true(policy_slow_ns(&p, 30, 0.2 * log(11) + 0.8 * log(0.005),
				   0.16 * pow(log(11) - log(0.005), 2)) > SECONDS(11));
	p.slow_factor = 0;
	assert_int_equal(policy_slow_ns(&p, 30, log(0.5), 4), SECONDS(10));
	p.slow_factor = 4;
	p.slow_seconds = 0.2;
	assert_int_equal(policy_slow_ns(&p, 30, log(0.001), 0), SECONDS(0.2));
	assert_int_equal(policy_slow_ns(&p, 30, log(0.5), 0), SECONDS(2));
	assert_true(policy_ns(1e12) == SG_FOREVER);
	assert_int_equal(policy_ns(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_valid),
		cmocka_unit_test(test_every_field_has_one_key),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_message_names_key_value_and_range),
		cmocka_unit_test(test_parameters_that_contradict_each_other),
		cmocka_unit_test(test_to_kernel),
		cmocka_unit_test(test_rates_survive_the_kernel_units),
		cmocka_unit_test(test_slow_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
