/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "verdict.h"

#include "unit/unit.h"

/* Every combination, said in words a second time. */
static void test_every_combination(void **state)
{
	(void)state;
	for (int bits = 0; bits < 32; bits++) {
		bool quarantined = bits & 1;
		bool exempt = bits & 2;
		bool observe = bits & 4;
		enum sg_admit admit = (enum sg_admit)(bits >> 3);
		bool breaker_refuses = admit == SG_DENY && !exempt;
		enum sg_verdict want = SG_VERDICT_ALLOW;

		if (quarantined || breaker_refuses)
			want = observe ? SG_VERDICT_WOULD_REFUSE : SG_VERDICT_REFUSE;
		else if (admit == SG_WOULD_DENY && !exempt)
			want = SG_VERDICT_WOULD_REFUSE;
		assert_int_equal(sg_verdict(quarantined, exempt, observe, admit), want);
	}
}

/* The sentences of the specification, one by one. */
static void test_what_is_promised(void **state)
{
	(void)state;
	/* a quarantine wins over an exemption and over every admission */
	for (int admit = SG_ALLOW; admit <= SG_WOULD_DENY; admit++) {
		assert_int_equal(sg_verdict(true, false, false, (enum sg_admit)admit),
				 SG_VERDICT_REFUSE);
		assert_int_equal(sg_verdict(true, true, false, (enum sg_admit)admit),
				 SG_VERDICT_REFUSE);
		/* but observing refuses nothing */
		assert_int_equal(sg_verdict(true, true, true, (enum sg_admit)admit),
				 SG_VERDICT_WOULD_REFUSE);
	}
	/* the daemon's own sockets pass the breaker, and are not counted as refused */
	assert_int_equal(sg_verdict(false, true, false, SG_DENY), SG_VERDICT_ALLOW);
	assert_int_equal(sg_verdict(false, true, false, SG_WOULD_DENY), SG_VERDICT_ALLOW);
	/* probes and shadows go through */
	assert_int_equal(sg_verdict(false, false, false, SG_ALLOW_PROBE), SG_VERDICT_ALLOW);
	assert_int_equal(sg_verdict(false, false, false, SG_WOULD_DENY), SG_VERDICT_WOULD_REFUSE);
	assert_int_equal(sg_verdict(false, false, false, SG_DENY), SG_VERDICT_REFUSE);
}

static void test_quarantine_ends_at_its_time(void **state)
{
	(void)state;
	assert_false(sg_quarantined(0, 0));
	assert_false(sg_quarantined(0, 1000));
	assert_true(sg_quarantined(1000, 999));
	assert_false(sg_quarantined(1000, 1000));
	assert_false(sg_quarantined(1000, 1001));
	assert_true(sg_quarantined(SG_FOREVER, SG_FOREVER - 1));
}

static void test_lease(void **state)
{
	struct sg_cfg cfg = { .lease_until_ns = 5000 };

	(void)state;
	assert_true(sg_daemon_alive(&cfg, 4999));
	assert_false(sg_daemon_alive(&cfg, 5000));
	cfg.lease_until_ns = 0;
	assert_false(sg_daemon_alive(&cfg, 0));
}

static void test_everything_passes_until_a_time(void **state)
{
	struct sg_cfg cfg = { .bypass_until_ns = 5000 };
	struct sg_server srv = { .flags = SG_SRV_USED };

	(void)state;
	assert_true(sg_lets_pass(&cfg, &srv, 4999));
	assert_false(sg_lets_pass(&cfg, &srv, 5000));
	cfg.bypass_until_ns = 0;
	assert_false(sg_lets_pass(&cfg, &srv, 0));
	srv.flags |= SG_SRV_OBSERVE;
	assert_true(sg_lets_pass(&cfg, &srv, 0));
	srv.flags = SG_SRV_USED;
	cfg.observe = 1;
	assert_true(sg_lets_pass(&cfg, &srv, 0));
}

/* Agrees with what an admission says that may take no probe and is outside the ramp's share. */
static void test_denies_as_an_admission_would(void **state)
{
	static const struct sg_policy policy = { .half_open_max_ns = 1000,
						 .ramp_ns = 1000,
						 .probes = 3,
						 .half_open_rate = 1,
						 .slow_rate = SG_RATE_ONE };

	(void)state;
	for (int shadow = 0; shadow < 2; shadow++) {
		for (int at = 0; at < SG_SHADOW; at++) {
			struct sg_breaker b = { .state = (__u8)at,
						.shadow = (__u8)shadow,
						.order_until_ns = SG_FOREVER,
						.deadline_ns = SG_FOREVER };
			struct sg_breaker copy = b;
			enum sg_admit admit = sg_breaker_admit(&copy, &policy, 10, 0, false);

			if (shadow && at == SG_FORCED_OPEN)
				continue; /* an order ends a shadow */
			assert_int_equal(sg_breaker_denies(&b, 10), admit == SG_DENY);
			assert_memory_equal(&b, &copy, sizeof(b));
		}
	}
}

static void test_forced_open_until_its_end(void **state)
{
	struct sg_breaker b = { .state = SG_FORCED_OPEN, .order_until_ns = 1000 };

	(void)state;
	assert_true(sg_breaker_denies(&b, 999));
	assert_false(sg_breaker_denies(&b, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_combination),
		cmocka_unit_test(test_what_is_promised),
		cmocka_unit_test(test_quarantine_ends_at_its_time),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_everything_passes_until_a_time),
		cmocka_unit_test(test_denies_as_an_admission_would),
		cmocka_unit_test(test_forced_open_until_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
