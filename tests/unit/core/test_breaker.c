/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The shared transition (headers/breaker.h): the conformance scenarios that need
 * no window, and the invariants B2 to B5 over random sequences. The table of
 * states and events is test_breaker_table.c.
 */
#include "breaker.h"

#include <string.h>

#include "unit/core/breaker_rig.h"

/* --- admission and time ----------------------------------------------------- */

static void test_refusal_changes_nothing(void **state)
{
	static const enum sg_state denying[] = { SG_OPEN, SG_FORCED_OPEN, SG_HALF_OPEN };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(denying); i++) {
		struct sg_breaker b = in_state(denying[i]), before;

		memcpy(&before, &b, sizeof(b));
		assert_int_equal(sg_breaker_admit(&b, &policy_r, ENTERED + 1, 0, false), SG_DENY);
		assert_memory_equal(&b, &before, sizeof(b));
	}
}

static void test_ramp_shares(void **state)
{
	static const struct {
		double at; /* of the 40 s */
		uint32_t share;
	} rows[] = { { -1, 1000 },     { 0, 1000 },      { 9.999, 1000 },
		     { 10, 2500 },     { 19.999, 2500 }, { 20, 5000 },
		     { 29.999, 5000 }, { 30, 10000 },    { 39.999, 10000 } };
	struct sg_policy p = with_ramp();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sg_breaker b = in_state(SG_RAMP);
		uint64_t now = ENTERED + (uint64_t)(int64_t)(rows[i].at * 1e9);
		uint32_t admitted = 0;

		for (uint32_t hash = 0; hash < SG_HASH_RANGE; hash++)
			admitted += sg_breaker_admit(&b, &p, now, hash, true) == SG_ALLOW;
		assert_int_equal(admitted, rows[i].share);
		assert_int_equal(sg_breaker_ramp_share(&b, &p, now), rows[i].share);
	}
}

static void test_due(void **state)
{
	struct sg_policy p = with_ramp();
	struct sg_breaker b = in_state(SG_CLOSED);
	struct sg_transition mv;

	(void)state;
	assert_true(sg_breaker_due(&b) == SG_FOREVER);
	b = in_state(SG_OPEN);
	assert_int_equal(sg_breaker_due(&b), ENTERED + OPEN_NS);
	b = in_state(SG_HALF_OPEN);
	assert_true(sg_breaker_due(&b) == SG_FOREVER);
	sg_breaker_admit(&b, &p, ENTERED + 5, 0, true);
	assert_int_equal(sg_breaker_due(&b), ENTERED + 5 + SECONDS(1));
	b = in_state(SG_RAMP);
	assert_int_equal(sg_breaker_due(&b), ENTERED + SECONDS(40));
	b = in_state(SG_FORCED_OPEN);
	assert_true(sg_breaker_due(&b) == SG_FOREVER);
	sg_breaker_order(&b, &p, SG_FORCED_CLOSED, ENTERED, ENTERED + 7, &mv);
	assert_int_equal(sg_breaker_due(&b), ENTERED + 7);
	sg_breaker_order(&b, &p, SG_SHADOW, ENTERED, ENTERED + SECONDS(100), &mv);
	assert_int_equal(sg_breaker_due(&b), ENTERED + SECONDS(100));
	sg_breaker_trip(&b, &p, ENTERED, b.generation, SG_REASON_FAILURE_RATE, &mv);
	assert_int_equal(sg_breaker_due(&b), ENTERED + OPEN_NS);
}

/* A transition is dated when it was due, however late it is carried out. */
static void test_ticks_are_dated_when_due(void **state)
{
	struct sg_policy p = with_ramp();
	struct sg_breaker b = in_state(SG_OPEN);
	struct sg_transition mv;

	(void)state;
	assert_false(sg_breaker_tick(&b, &p, ENTERED + OPEN_NS - 1, &mv));
	assert_true(sg_breaker_tick(&b, &p, ENTERED + SECONDS(500), &mv));
	assert_int_equal(mv.t_ns, ENTERED + OPEN_NS);
	assert_int_equal(mv.reason, SG_REASON_DEADLINE);
	assert_int_equal(b.since_ns, ENTERED + OPEN_NS);
	assert_false(sg_breaker_tick(&b, &p, ENTERED + SECONDS(500), &mv));
	b = in_state(SG_RAMP);
	assert_true(sg_breaker_tick(&b, &p, ENTERED + SECONDS(500), &mv));
	assert_int_equal(mv.t_ns, ENTERED + SECONDS(40));
	assert_int_equal(mv.reason, SG_REASON_RAMP_DONE);
	assert_int_equal(b.streak, STREAK);
}

static void test_orders_run_out(void **state)
{
	static const struct {
		enum sg_state order, after;
	} rows[] = { { SG_FORCED_OPEN, SG_HALF_OPEN },
		     { SG_FORCED_CLOSED, SG_CLOSED },
		     { SG_DISABLED, SG_CLOSED },
		     { SG_SHADOW, SG_CLOSED } };
	struct sg_transition mv;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sg_breaker b = fresh();
		uint64_t until = SECONDS(7200);

		sg_breaker_order(&b, &policy_r, (__u8)rows[i].order, 0, until, &mv);
		assert_int_equal(mv.to, rows[i].order);
		assert_int_equal(mv.deadline_ns, until);
		assert_int_equal(mv.reason, SG_REASON_MANUAL);
		assert_false(sg_breaker_tick(&b, &policy_r, until - 1, &mv));
		assert_true(sg_breaker_tick(&b, &policy_r, until, &mv));
		assert_int_equal(mv.from, rows[i].order);
		assert_int_equal(mv.to, rows[i].after);
		assert_int_equal(mv.reason, SG_REASON_FORCE_EXPIRED);
		assert_int_equal(sg_breaker_shown(&b), rows[i].after);
		assert_int_equal(b.order_until_ns, 0);
		assert_true(sg_breaker_due(&b) == SG_FOREVER);
	}
}

/* Nobody sees how calls end: what would be half-open for good is closed. */
static void test_without_probes(void **state)
{
	struct sg_breaker forced = fresh();
	struct sg_breaker open = in_state(SG_OPEN);
	struct sg_policy p = policy_r;
	struct sg_transition mv;

	(void)state;
	p.probes = 0;
	sg_breaker_order(&forced, &p, SG_FORCED_OPEN, 0, SECONDS(10), &mv);
	assert_false(sg_breaker_tick(&forced, &p, SECONDS(10) - 1, &mv));
	assert_true(sg_breaker_tick(&forced, &p, SECONDS(10), &mv));
	assert_int_equal(mv.to, SG_CLOSED);
	assert_int_equal(mv.reason, SG_REASON_FORCE_EXPIRED);
	assert_int_equal(sg_breaker_admit(&forced, &p, SECONDS(10), 0, false), SG_ALLOW);
	assert_true(sg_breaker_tick(&open, &p, open.deadline_ns, &mv));
	assert_int_equal(mv.to, SG_CLOSED);
	assert_int_equal(mv.reason, SG_REASON_DEADLINE);
	assert_true(sg_breaker_due(&open) == SG_FOREVER);
}

/* --- shadow ----------------------------------------------------------------- */

static void test_shadow_decides_and_enforces_nothing(void **state)
{
	struct sg_breaker b = in_state(SG_SHADOW);
	struct sg_policy p = with_ramp();
	struct sg_transition mv;

	(void)state;
	sg_breaker_outcome(&b, &p, ENTERED, b.generation, SG_HARD, 0, 0, &mv);
	assert_int_equal(mv.to, SG_OPEN);
	assert_int_equal(sg_breaker_admit(&b, &p, ENTERED, 0, true), SG_WOULD_DENY);
	assert_true(sg_breaker_tick(&b, &p, ENTERED + OPEN_NS, &mv));
	assert_int_equal(b.state, SG_HALF_OPEN);
	for (int i = 0; i < 4; i++)
		assert_int_equal(sg_breaker_admit(&b, &p, ENTERED + OPEN_NS, 0, true),
				 SG_ALLOW_PROBE);
	assert_int_equal(sg_breaker_admit(&b, &p, ENTERED + OPEN_NS, 0, true), SG_WOULD_DENY);
	for (int i = 0; i < 3; i++)
		sg_breaker_outcome(&b, &p, ENTERED + OPEN_NS, b.generation, SG_SUCCESS,
				   SG_OUT_PROBE, 0, &mv);
	assert_int_equal(b.state, SG_RAMP);
	assert_int_equal(sg_breaker_admit(&b, &p, ENTERED + OPEN_NS, SG_HASH_RANGE - 1, true),
			 SG_WOULD_DENY);
	assert_int_equal(sg_breaker_shown(&b), SG_SHADOW);
}

/* The longest way that time alone can go: three transitions. */
static void test_time_catches_up_in_three_steps(void **state)
{
	struct sg_breaker b = fresh();
	struct sg_transition mv;
	int steps = 0;

	(void)state;
	sg_breaker_order(&b, &policy_r, SG_SHADOW, 0, SECONDS(100), &mv);
	sg_breaker_trip(&b, &policy_r, 0, b.generation, SG_REASON_FAILURE_RATE, &mv);
	sg_breaker_tick(&b, &policy_r, OPEN_NS, &mv);
	sg_breaker_admit(&b, &policy_r, OPEN_NS, 0, true);
	while (sg_breaker_tick(&b, &policy_r, SECONDS(1000), &mv))
		steps++;
	assert_int_equal(steps, 3);
	assert_int_equal(sg_breaker_shown(&b), SG_CLOSED);
	assert_int_equal(mv.moved, 0);
}

/* --- conformance scenarios --------------------------------------------------- */

static struct sg_breaker half_open(void)
{
	return in_state(SG_HALF_OPEN);
}

static enum sg_admit start(struct sg_breaker *b)
{
	return sg_breaker_admit(b, &policy_r, ENTERED, 0, true);
}

/* One probe from start to end; returns what came of it. */
static enum sg_effect probe(struct sg_breaker *b, enum sg_class class, __u32 flags,
			    struct sg_transition *mv)
{
	assert_int_equal(start(b), SG_ALLOW_PROBE);
	return sg_breaker_outcome(b, &policy_r, ENTERED, b->generation, class, SG_OUT_PROBE | flags,
				  0, mv);
}

static void test_s6_probes_are_counted_out(void **state)
{
	struct sg_breaker b = half_open();

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(start(&b), SG_ALLOW_PROBE);
	assert_int_equal(start(&b), SG_DENY);
	assert_int_equal(start(&b), SG_DENY);
	sg_breaker_give_back(&b, b.generation, false);
	assert_int_equal(start(&b), SG_ALLOW_PROBE);
	assert_int_equal(start(&b), SG_DENY);
	assert_int_equal(b.probes_neutral, 0);
}

static void test_s7_half_open_decides_early(void **state)
{
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	assert_int_equal(probe(&b, SG_HARD, 0, &mv), SG_EFFECT_NONE);
	assert_int_equal(probe(&b, SG_HARD, 0, &mv), SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_OPEN);
	assert_int_equal(mv.reason, SG_REASON_HALF_OPEN_FAILED);
	assert_int_equal(mv.failed, 2);
	assert_int_equal(mv.calls, 2);
	assert_int_equal(mv.total, 4);
	assert_int_equal(mv.deadline_ns, ENTERED + OPEN_NS);

	b = half_open();
	assert_int_equal(probe(&b, SG_HARD, 0, &mv), SG_EFFECT_NONE);
	assert_int_equal(probe(&b, SG_SUCCESS, 0, &mv), SG_EFFECT_NONE);
	assert_int_equal(probe(&b, SG_SUCCESS, 0, &mv), SG_EFFECT_NONE);
	assert_int_equal(probe(&b, SG_SUCCESS, 0, &mv), SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_CLOSED);
	assert_int_equal(mv.reason, SG_REASON_PROBES_PASSED);
	assert_int_equal(mv.failed, 1);
	assert_int_equal(mv.calls, 4);
}

static void test_s7_slow_probes_open_again(void **state)
{
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	assert_int_equal(probe(&b, SG_SUCCESS, SG_OUT_SLOW, &mv), SG_EFFECT_NONE);
	assert_int_equal(probe(&b, SG_SUCCESS, SG_OUT_SLOW, &mv), SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_OPEN);
	assert_int_equal(mv.slow, 2);
	assert_int_equal(mv.failed, 0);
}

static void test_s8_ignored_results_give_probes_back(void **state)
{
	static const enum sg_class ignored[] = { SG_APP, SG_CALLER, SG_LOCAL, SG_APP };
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(start(&b), SG_ALLOW_PROBE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(sg_breaker_outcome(&b, &policy_r, ENTERED, b.generation,
						    ignored[i], SG_OUT_PROBE | SG_OUT_SLOW, 0, &mv),
				 SG_EFFECT_NONE);
	assert_int_equal(b.state, SG_HALF_OPEN);
	assert_int_equal(b.probes_out, 0);
	assert_int_equal(b.probes_slow, 0);
	assert_int_equal(probe(&b, SG_SUCCESS, 0, &mv), SG_EFFECT_NONE);
	assert_int_equal(probe(&b, SG_SUCCESS, 0, &mv), SG_EFFECT_NONE);
	assert_int_equal(probe(&b, SG_SUCCESS, 0, &mv), SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_CLOSED);
}

static void test_s9_a_silent_half_open_ends(void **state)
{
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	b.next_open_ns = SECONDS(99);
	start(&b);
	assert_false(sg_breaker_tick(&b, &policy_r, ENTERED + SECONDS(1) - 1, &mv));
	assert_true(sg_breaker_tick(&b, &policy_r, ENTERED + SECONDS(1), &mv));
	assert_int_equal(b.state, SG_OPEN);
	assert_int_equal(mv.reason, SG_REASON_HALF_OPEN_TIMEOUT);
	/* nobody failed: as long as the last time */
	assert_int_equal(mv.deadline_ns, ENTERED + SECONDS(1) + OPEN_NS);
}

static void test_s9_with_a_failed_probe_it_backs_off(void **state)
{
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	b.next_open_ns = SECONDS(99);
	probe(&b, SG_HARD, 0, &mv);
	assert_true(sg_breaker_tick(&b, &policy_r, ENTERED + SECONDS(1), &mv));
	assert_int_equal(mv.reason, SG_REASON_HALF_OPEN_TIMEOUT);
	assert_int_equal(mv.failed, 1);
	assert_int_equal(mv.deadline_ns, ENTERED + SECONDS(1 + 99));
}

/* A healed session server answers 404 to every old session. */
static void test_reachable_closes(void **state)
{
	struct sg_policy p = with_ramp();
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	probe(&b, SG_CALLER, SG_OUT_COMPLETE, &mv);
	assert_true(sg_breaker_tick(&b, &p, ENTERED + SECONDS(1), &mv));
	assert_int_equal(mv.reason, SG_REASON_REACHABLE);
	assert_int_equal(b.state, SG_RAMP);
	assert_int_equal(b.deadline_ns, ENTERED + SECONDS(41));

	/* not if one failed, and not if the answer was not complete */
	b = half_open();
	probe(&b, SG_CALLER, SG_OUT_COMPLETE, &mv);
	probe(&b, SG_HARD, 0, &mv);
	sg_breaker_tick(&b, &p, ENTERED + SECONDS(1), &mv);
	assert_int_equal(b.state, SG_OPEN);
	b = half_open();
	probe(&b, SG_CALLER, 0, &mv);
	sg_breaker_tick(&b, &p, ENTERED + SECONDS(1), &mv);
	assert_int_equal(b.state, SG_OPEN);
}

/* The limit counts from the first probe, not from the latest. */
static void test_half_open_limit_counts_from_the_first_probe(void **state)
{
	struct sg_breaker b = half_open();

	(void)state;
	start(&b);
	assert_int_equal(b.deadline_ns, ENTERED + SECONDS(1));
	sg_breaker_give_back(&b, b.generation, false);
	assert_int_equal(sg_breaker_admit(&b, &policy_r, ENTERED + SECONDS(0.5), 0, true),
			 SG_ALLOW_PROBE);
	assert_int_equal(b.deadline_ns, ENTERED + SECONDS(1));
}

/* Failures are ruled out, slowness is not yet: an undecided probe may still be slow. */
static void test_closing_waits_for_slowness(void **state)
{
	struct sg_policy p = policy_r;
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	p.half_open_rate = SG_RATE_ONE;
	p.slow_rate = SG_RATE_ONE / 4;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(b.state, SG_HALF_OPEN);
		assert_int_equal(sg_breaker_admit(&b, &p, ENTERED, 0, true), SG_ALLOW_PROBE);
		sg_breaker_outcome(&b, &p, ENTERED, b.generation, SG_SUCCESS, SG_OUT_PROBE, 0, &mv);
	}
	assert_int_equal(b.state, SG_CLOSED);
}

static void test_s10_forced_open_outlives_the_open_time(void **state)
{
	struct sg_breaker b = in_state(SG_OPEN);
	struct sg_transition mv;

	(void)state;
	sg_breaker_order(&b, &policy_r, SG_FORCED_OPEN, ENTERED, SG_FOREVER, &mv);
	assert_false(sg_breaker_tick(&b, &policy_r, ENTERED + SECONDS(1e6), &mv));
	assert_int_equal(sg_breaker_admit(&b, &policy_r, ENTERED + SECONDS(1e6), 0, true), SG_DENY);
}

static void test_s11_disabled_learns_nothing(void **state)
{
	struct sg_breaker b = in_state(SG_DISABLED), before;
	struct sg_transition mv;

	(void)state;
	memcpy(&before, &b, sizeof(b));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(start(&b), SG_ALLOW);
		assert_int_equal(sg_breaker_outcome(&b, &policy_r, ENTERED, b.generation,
						    i ? SG_HARD : SG_SUCCESS, 0, 0, &mv),
				 SG_EFFECT_NONE);
	}
	assert_memory_equal(&b, &before, sizeof(b));
}

static void test_s12_reset(void **state)
{
	struct sg_transition mv;

	(void)state;
	for (enum sg_state s = 0; s < SG_STATE_COUNT; s++) {
		struct sg_breaker b = in_state(s);
		uint32_t seq = b.last.seq;

		sg_breaker_reset(&b, &policy_r, ENTERED + 1, &mv);
		assert_int_equal(sg_breaker_shown(&b), SG_CLOSED);
		assert_int_equal(b.state, SG_CLOSED);
		assert_int_equal(b.generation, 11);
		assert_int_equal(b.streak, 0);
		assert_int_equal(b.deadline_ns, 0);
		assert_int_equal(b.order_until_ns, 0);
		assert_int_equal(b.retry_after_ns, 0);
		assert_int_equal(mv.moved, s != SG_CLOSED);
		assert_int_equal(b.last.seq, seq + (s != SG_CLOSED));
		if (s == SG_CLOSED)
			continue;
		assert_int_equal(mv.from, s);
		assert_int_equal(mv.to, SG_CLOSED);
		assert_int_equal(mv.reason, SG_REASON_RESET);
	}
}

static void test_s15_consecutive(void **state)
{
	struct sg_policy p = policy_r;
	struct sg_breaker b = fresh();
	struct sg_transition mv;

	(void)state;
	p.consecutive = 6;
	p.half_open_rate = SG_RATE_ONE / 100;
	b.next_open_ns = SECONDS(60);
	for (int i = 0; i < 5; i++)
		sg_breaker_outcome(&b, &p, 0, 0, SG_HARD, 0, 0, &mv);
	assert_int_equal(b.state, SG_CLOSED);
	sg_breaker_outcome(&b, &p, 0, 0, SG_SUCCESS, 0, 0, &mv);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(sg_breaker_outcome(&b, &p, 0, 0, SG_HARD, 0, 0, &mv),
				 SG_EFFECT_NONE);
		/* neither overload nor what is ignored touches the streak */
		sg_breaker_outcome(&b, &p, 0, 0, SG_SOFT, 0, 0, &mv);
		sg_breaker_outcome(&b, &p, 0, 0, SG_APP, 0, 0, &mv);
	}
	assert_int_equal(sg_breaker_outcome(&b, &p, 0, 0, SG_HARD, 0, 0, &mv), SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_OPEN);
	assert_int_equal(mv.reason, SG_REASON_CONSECUTIVE);
	assert_int_equal(mv.failed, 6);
	assert_false(sg_breaker_tick(&b, &p, SECONDS(60) - 1, &mv));
	assert_true(sg_breaker_tick(&b, &p, SECONDS(60), &mv));
	assert_int_equal(sg_breaker_admit(&b, &p, SECONDS(60), 0, true), SG_ALLOW_PROBE);
	assert_int_equal(sg_breaker_outcome(&b, &p, SECONDS(60), b.generation, SG_HARD,
					    SG_OUT_PROBE, 0, &mv),
			 SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_OPEN);
}

static void test_s16_stale_results_change_nothing(void **state)
{
	(void)state;
	for (enum sg_state s = 0; s < SG_STATE_COUNT; s++) {
		for (enum sg_class c = 0; c < SG_CLASS_COUNT; c++) {
			struct sg_breaker b = in_state(s), before;
			struct sg_transition mv;

			sg_breaker_admit(&b, &policy_r, ENTERED, 0, true);
			memcpy(&before, &b, sizeof(b));
			assert_int_equal(sg_breaker_outcome(&b, &policy_r, ENTERED, 9, c,
							    SG_OUT_PROBE | SG_OUT_COMPLETE,
							    SECONDS(50), &mv),
					 SG_EFFECT_STALE);
			sg_breaker_give_back(&b, 9, true);
			assert_int_equal(sg_breaker_trip(&b, &policy_r, ENTERED, 9,
							 SG_REASON_SLOW_RATE, &mv),
					 SG_EFFECT_STALE);
			assert_memory_equal(&b, &before, sizeof(b));
		}
	}
}

static void test_s17_third_probe_in_flight(void **state)
{
	struct sg_policy p = policy_r;
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	p.probes = 3;
	p.half_open_rate = SG_RATE_ONE / 100;
	for (int i = 0; i < 3; i++)
		assert_int_equal(sg_breaker_admit(&b, &p, ENTERED, 0, true), SG_ALLOW_PROBE);
	for (int i = 0; i < 2; i++)
		assert_int_equal(sg_breaker_outcome(&b, &p, ENTERED, b.generation, SG_SUCCESS,
						    SG_OUT_PROBE, 0, &mv),
				 SG_EFFECT_NONE);
	assert_int_equal(sg_breaker_admit(&b, &p, ENTERED, 0, true), SG_DENY);
	assert_int_equal(sg_breaker_outcome(&b, &p, ENTERED, b.generation, SG_SUCCESS, SG_OUT_PROBE,
					    0, &mv),
			 SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_CLOSED);
}

/* --- trips ------------------------------------------------------------------ */

static void test_a_trip_may_be_forbidden(void **state)
{
	struct sg_breaker b = in_state(SG_CLOSED);
	struct sg_transition mv;

	(void)state;
	b.may_trip = 0;
	assert_int_equal(sg_breaker_outcome(&b, &policy_r, ENTERED, 10, SG_HARD, 0, 0, &mv),
			 SG_EFFECT_OVERFLOW);
	assert_int_equal(sg_breaker_trip(&b, &policy_r, ENTERED, 10, SG_REASON_FAILURE_RATE, &mv),
			 SG_EFFECT_OVERFLOW);
	assert_int_equal(b.state, SG_CLOSED);
	assert_int_equal(b.streak, STREAK + 1);
	assert_int_equal(mv.moved, 0);
	b.may_trip = 1;
	assert_int_equal(sg_breaker_outcome(&b, &policy_r, ENTERED, 10, SG_HARD, 0, 0, &mv),
			 SG_EFFECT_MOVED);
}

static void test_consecutive_off(void **state)
{
	struct sg_policy p = policy_r;
	struct sg_breaker b = fresh();
	struct sg_transition mv;

	(void)state;
	p.consecutive = 0;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(sg_breaker_outcome(&b, &p, 0, 0, SG_HARD, 0, 0, &mv),
				 SG_EFFECT_NONE);
}

static void test_retry_after(void **state)
{
	struct sg_policy p = policy_r;
	struct sg_transition mv;

	(void)state;
	for (int on = 0; on < 2; on++) {
		struct sg_breaker b = fresh();

		p.retry_after = (__u32)on;
		sg_breaker_outcome(&b, &p, 0, 0, SG_SOFT, 0, SECONDS(20), &mv);
		sg_breaker_outcome(&b, &p, 0, 0, SG_SOFT, 0, SECONDS(8), &mv);
		sg_breaker_trip(&b, &p, 0, 0, SG_REASON_FAILURE_RATE, &mv);
		assert_int_equal(b.deadline_ns, on ? SECONDS(20) : OPEN_NS);
		assert_int_equal(b.this_open_ns, OPEN_NS);
		assert_int_equal(b.retry_after_ns, 0);
	}
	for (int longer = 0; longer < 2; longer++) {
		struct sg_breaker b = fresh();

		sg_breaker_outcome(&b, &policy_r, 0, 0, SG_SOFT, 0,
				   longer ? SECONDS(1e9) : SECONDS(2), &mv);
		sg_breaker_trip(&b, &policy_r, 0, 0, SG_REASON_FAILURE_RATE, &mv);
		assert_int_equal(b.deadline_ns, longer ? SECONDS(300) : OPEN_NS);
	}
}

/* A policy that asks for fewer probes than are decided must not confuse the count. */
static void test_fewer_probes_while_half_open(void **state)
{
	struct sg_policy p = policy_r;
	struct sg_breaker b = half_open();
	struct sg_transition mv;

	(void)state;
	p.probes = 10;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(sg_breaker_admit(&b, &p, ENTERED, 0, true), SG_ALLOW_PROBE);
		sg_breaker_outcome(&b, &p, ENTERED, b.generation, SG_SUCCESS, SG_OUT_PROBE, 0, &mv);
	}
	assert_int_equal(sg_breaker_admit(&b, &p, ENTERED, 0, true), SG_ALLOW_PROBE);
	p.probes = 2;
	assert_int_equal(sg_breaker_admit(&b, &p, ENTERED, 0, true), SG_DENY);
	assert_int_equal(sg_breaker_outcome(&b, &p, ENTERED, b.generation, SG_SUCCESS, SG_OUT_PROBE,
					    0, &mv),
			 SG_EFFECT_MOVED);
	assert_int_equal(b.state, SG_CLOSED);
}

/* --- invariants ------------------------------------------------------------- */

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static void check_invariants(const struct sg_breaker *b, const struct sg_policy *p)
{
	uint32_t probes = b->probes_out + b->probes_ok + b->probes_failed;

	assert_true(b->state < SG_SHADOW && b->shadow <= 1);
	assert_true(probes <= p->probes); /* B3 */
	assert_true(b->probes_slow <= b->probes_ok + b->probes_failed);
	if (b->state == SG_HALF_OPEN && probes)
		assert_true(b->deadline_ns > 0); /* B4 */
	if (b->state == SG_OPEN || b->state == SG_RAMP)
		assert_true(b->deadline_ns > b->since_ns);
	if (b->state != SG_HALF_OPEN)
		assert_int_equal(probes, 0);
	if (b->state != SG_CLOSED && b->state != SG_RAMP)
		assert_int_equal(b->streak, 0);
	assert_memory_equal(&b->pad, &(__u8){ 0 }, 1);
}

static void random_event(struct sg_breaker *b, const struct sg_policy *p, uint64_t now,
			 struct sg_transition *mv)
{
	uint32_t generation = b->generation - (random_below(4) == 0);

	mv->moved = 0;
	switch (random_below(12)) {
	case 0:
		sg_breaker_trip(b, p, now, generation, SG_REASON_FAILURE_RATE, mv);
		break;
	case 1:
		if (random_below(8) == 0)
			sg_breaker_order(b, p, (__u8)(SG_FORCED_OPEN + random_below(4)), now,
					 now + random_below(2000) + 1, mv);
		break;
	case 2:
		if (random_below(16) == 0)
			sg_breaker_reset(b, p, now, mv);
		break;
	case 3:
		sg_breaker_give_back(b, generation, random_below(2));
		break;
	case 4:
	case 5:
	case 6:
	case 7:
		sg_breaker_admit(b, p, now, random_below(SG_HASH_RANGE), random_below(4) != 0);
		break;
	default:
		sg_breaker_outcome(b, p, now, generation,
				   (enum sg_class)random_below(SG_CLASS_COUNT), random_below(8),
				   random_below(100), mv);
		break;
	}
}

static void test_invariants_over_random_sequences(void **state)
{
	struct sg_policy p = with_ramp();
	unsigned int seen[SG_STATE_COUNT] = { 0 };

	(void)state;
	p.half_open_max_ns = 100;
	p.ramp_ns = 400;
	for (int run = 0; run < 200; run++) {
		struct sg_breaker b = fresh();
		uint64_t now = 1;

		b.next_open_ns = 50;
		p.probes = 1 + random_below(5);
		p.consecutive = random_below(4);
		for (int step = 0; step < 500; step++) {
			struct sg_transition mv;
			uint32_t generation = b.generation;
			int ticks = 0;

			now += random_below(60);
			while (sg_breaker_tick(&b, &p, now, &mv)) {
				assert_true(mv.t_ns <= now);
				ticks++;
			}
			assert_in_range(ticks, 0, 3);
			assert_true(sg_breaker_due(&b) > now);
			check_invariants(&b, &p);
			assert_true((int32_t)(b.generation - generation) >= 0);
			generation = b.generation;
			random_event(&b, &p, now, &mv);
			check_invariants(&b, &p);
			if (mv.moved)
				assert_int_equal(b.generation, generation + 1); /* B2 */
			seen[sg_breaker_shown(&b)]++;
		}
	}
	for (enum sg_state s = 0; s < SG_STATE_COUNT; s++)
		assert_in_range(seen[s], 500, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusal_changes_nothing),
		cmocka_unit_test(test_ramp_shares),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_ticks_are_dated_when_due),
		cmocka_unit_test(test_orders_run_out),
		cmocka_unit_test(test_without_probes),
		cmocka_unit_test(test_shadow_decides_and_enforces_nothing),
		cmocka_unit_test(test_time_catches_up_in_three_steps),
		cmocka_unit_test(test_s6_probes_are_counted_out),
		cmocka_unit_test(test_s7_half_open_decides_early),
		cmocka_unit_test(test_s7_slow_probes_open_again),
		cmocka_unit_test(test_s8_ignored_results_give_probes_back),
		cmocka_unit_test(test_s9_a_silent_half_open_ends),
		cmocka_unit_test(test_s9_with_a_failed_probe_it_backs_off),
		cmocka_unit_test(test_reachable_closes),
		cmocka_unit_test(test_half_open_limit_counts_from_the_first_probe),
		cmocka_unit_test(test_closing_waits_for_slowness),
		cmocka_unit_test(test_s10_forced_open_outlives_the_open_time),
		cmocka_unit_test(test_s11_disabled_learns_nothing),
		cmocka_unit_test(test_s12_reset),
		cmocka_unit_test(test_s15_consecutive),
		cmocka_unit_test(test_s16_stale_results_change_nothing),
		cmocka_unit_test(test_s17_third_probe_in_flight),
		cmocka_unit_test(test_a_trip_may_be_forbidden),
		cmocka_unit_test(test_consecutive_off),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_fewer_probes_while_half_open),
		cmocka_unit_test(test_invariants_over_random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
