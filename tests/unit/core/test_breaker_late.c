/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Late answers: a failure that was counted is replaced, as if it had never been one. */
#include "breaker.h"

#include "base/cleanup.h"
#include "unit/unit.h"

#define N 12U /* outcomes of a sequence */

static struct sg_policy policy(void)
{
	return (struct sg_policy){ .half_open_max_ns = 10,
				   .slow_ns = SG_FOREVER,
				   .consecutive = 5,
				   .probes = 4,
				   .half_open_rate = SG_RATE_ONE / 2,
				   .slow_rate = SG_RATE_ONE };
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)((x >> 16) % n);
}

static enum sg_effect outcome(struct sg_breaker *b, const struct sg_policy *p, enum sg_class class,
			      uint32_t flags)
{
	struct sg_transition mv;

	return sg_breaker_outcome(b, p, 0, b->generation, class, flags, 0, &mv);
}

/* Failures at the end of a sequence; ignored ones are transparent. */
static uint32_t row(const enum sg_class *classes, uint32_t n)
{
	uint32_t streak = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (classes[i] == SG_HARD)
			streak++;
		else if (classes[i] == SG_SUCCESS)
			streak = 0;
	}
	return streak;
}

/* The streak is what the sequence would have made with the answer in the failure's place. */
static void test_as_if_it_had_been_counted(void **state)
{
	static const enum sg_class some[] = { SG_SUCCESS, SG_HARD, SG_HARD,
					      SG_HARD,    SG_SOFT, SG_CALLER };
	struct sg_policy p = policy();

	(void)state;
	p.consecutive = 0;
	for (int round = 0; round < 200000; round++) {
		struct sg_breaker b = { .may_trip = 1, .failures = ~0U - 3 }; /* it wraps */
		enum sg_class classes[N];
		uint32_t counted[N];
		struct sg_transition mv;

		for (uint32_t i = 0; i < N; i++) {
			classes[i] = some[random_below(ARRAY_SIZE(some))];
			outcome(&b, &p, classes[i], 0);
			counted[i] = b.failures;
		}
		for (int times = 0; times < 3; times++) {
			uint32_t i = random_below(N);
			enum sg_class late = some[random_below(ARRAY_SIZE(some))];

			if (classes[i] != SG_HARD)
				continue;
			assert_int_equal(sg_breaker_correct(&b, &p, 0, 0, counted[i], 0, late, 0, 0,
							    &mv),
					 SG_EFFECT_NONE);
			if (times && late != SG_SUCCESS)
				break; /* the counter tells no more than how many came since */
			classes[i] = late;
			assert_int_equal(b.streak, row(classes, N));
			if (late != SG_SUCCESS)
				break;
		}
	}
}

static void test_takes_its_opening_back(void **state)
{
	struct sg_policy p = policy();
	struct sg_breaker b = { .may_trip = 1, .next_open_ns = 100 };
	struct sg_transition mv;
	uint32_t before, generation;

	(void)state;
	outcome(&b, &p, SG_HARD, 0);
	outcome(&b, &p, SG_SUCCESS, 0);
	before = b.failures;
	for (int i = 0; i < 5; i++)
		outcome(&b, &p, SG_HARD, 0);
	assert_int_equal(b.state, SG_OPEN);
	generation = b.generation;
	/* one that was not in the row; an error; one of long before */
	assert_int_equal(sg_breaker_correct(&b, &p, 1, generation - 1, before, 0, SG_SUCCESS, 0, 0,
					    &mv),
			 SG_EFFECT_STALE);
	assert_int_equal(sg_breaker_correct(&b, &p, 1, generation - 1, before + 1, 0, SG_CALLER, 0,
					    0, &mv),
			 SG_EFFECT_STALE);
	assert_int_equal(sg_breaker_correct(&b, &p, 1, generation - 2, before + 1, 0, SG_SUCCESS, 0,
					    0, &mv),
			 SG_EFFECT_STALE);
	assert_int_equal(sg_breaker_correct(&b, &p, 1, generation - 1, before + 1, 0, SG_SUCCESS, 0,
					    0, &mv),
			 SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_CLOSED);
	assert_int_equal(mv.reason, SG_REASON_REACHABLE);
}

/* What an order, a window or a failed probe opened stays as it is. */
static void test_leaves_other_openings_alone(void **state)
{
	struct sg_policy p = policy();
	struct sg_breaker b = { .may_trip = 1, .next_open_ns = 100 };
	struct sg_transition mv;

	(void)state;
	outcome(&b, &p, SG_HARD, 0);
	sg_breaker_trip(&b, &p, 0, b.generation, SG_REASON_FAILURE_RATE, &mv);
	assert_int_equal(b.state, SG_OPEN);
	assert_int_equal(sg_breaker_correct(&b, &p, 1, b.generation - 1, b.failures, 0, SG_SUCCESS,
					    0, 0, &mv),
			 SG_EFFECT_STALE);
	sg_breaker_order(&b, &p, SG_FORCED_OPEN, 2, SG_FOREVER, &mv);
	assert_int_equal(sg_breaker_correct(&b, &p, 3, b.generation - 1, b.failures, 0, SG_SUCCESS,
					    0, 0, &mv),
			 SG_EFFECT_STALE);
	assert_int_equal(b.state, SG_FORCED_OPEN);
}

static void test_probe(void **state)
{
	struct sg_policy p = policy();
	struct sg_breaker b = { .state = SG_HALF_OPEN, .may_trip = 1, .next_open_ns = 100 };
	struct sg_transition mv;

	(void)state;
	p.half_open_rate = SG_RATE_ONE;
	for (int i = 0; i < 4; i++)
		assert_int_equal(sg_breaker_admit(&b, &p, 0, 0, true), SG_ALLOW_PROBE);
	outcome(&b, &p, SG_HARD, SG_OUT_PROBE | SG_OUT_SLOW);
	assert_int_equal(b.probes_failed, 1);
	assert_int_equal(b.probes_slow, 1);
	/* one that held none changes nothing */
	sg_breaker_correct(&b, &p, 1, 0, 0, 0, SG_SUCCESS, SG_OUT_COMPLETE, 0, &mv);
	assert_int_equal(b.probes_failed, 1);
	assert_int_equal(sg_breaker_correct(&b, &p, 1, 0, 0, SG_OUT_PROBE | SG_OUT_SLOW, SG_SUCCESS,
					    SG_OUT_COMPLETE, 0, &mv),
			 SG_EFFECT_MOVED); /* one of four is well, which is enough here */
	assert_int_equal(b.state, SG_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_if_it_had_been_counted),
		cmocka_unit_test(test_takes_its_opening_back),
		cmocka_unit_test(test_leaves_other_openings_alone),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
