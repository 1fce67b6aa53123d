/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The shared transition (headers/breaker.h): every state against every event. */
#include "breaker.h"

#include "unit/core/breaker_rig.h"

enum event {
	EV_TICK_NOW,  /* at the instant the state was entered */
	EV_TICK_LATE, /* long after */
	EV_ADMIT,
	EV_ADMIT_NO_PROBE,
	EV_ADMIT_LAST_HASH, /* one that the ramp admits only at its end */
	EV_GIVE_BACK,
	EV_SUCCESS,
	EV_HARD,
	EV_SOFT,
	EV_APP,
	EV_CALLER,
	EV_LOCAL,
	EV_STALE_HARD,
	EV_TRIP,
	EV_STALE_TRIP,
	EV_ORDER_OPEN,
	EV_ORDER_CLOSED,
	EV_ORDER_DISABLED,
	EV_ORDER_SHADOW,
	EV_RESET,
	EVENT_COUNT
};

/* What comes of it: an enum sg_admit or sg_effect, or `moved`, and the state shown afterwards. */
struct expected {
	int result;
	enum sg_state after;
};

#define STAYS(state)     \
	{                \
		0, state \
	}
#define ADMIT(verdict, state)  \
	{                      \
		verdict, state \
	}
#define EFFECT(effect, state)             \
	{                                 \
		SG_EFFECT_##effect, state \
	}
#define MOVES(state)     \
	{                \
		1, state \
	}
#define ORDERS_AND_RESET(reset)                                                               \
	[EV_ORDER_OPEN] = MOVES(SG_FORCED_OPEN), [EV_ORDER_CLOSED] = MOVES(SG_FORCED_CLOSED), \
	[EV_ORDER_DISABLED] = MOVES(SG_DISABLED), [EV_ORDER_SHADOW] = MOVES(SG_SHADOW),       \
	[EV_RESET] = { reset, SG_CLOSED }
#define STALES(state) [EV_STALE_HARD] = EFFECT(STALE, state), [EV_STALE_TRIP] = EFFECT(STALE, state)
#define NO_OUTCOME(state)                                                    \
	[EV_SUCCESS] = EFFECT(NONE, state), [EV_HARD] = EFFECT(NONE, state), \
	[EV_SOFT] = EFFECT(NONE, state), [EV_APP] = EFFECT(NONE, state),     \
	[EV_CALLER] = EFFECT(NONE, state), [EV_LOCAL] = EFFECT(NONE, state), \
	[EV_TRIP] = EFFECT(STALE, state), [EV_GIVE_BACK] = STAYS(state), STALES(state)
#define TRIPPABLE(state)                                                        \
	[EV_SUCCESS] = EFFECT(NONE, state), [EV_HARD] = EFFECT(MOVED, SG_OPEN), \
	[EV_SOFT] = EFFECT(NONE, state), [EV_APP] = EFFECT(NONE, state),        \
	[EV_CALLER] = EFFECT(NONE, state), [EV_LOCAL] = EFFECT(NONE, state),    \
	[EV_TRIP] = EFFECT(MOVED, SG_OPEN), [EV_GIVE_BACK] = STAYS(state), STALES(state)
#define NO_TIME(state) [EV_TICK_NOW] = STAYS(state), [EV_TICK_LATE] = STAYS(state)
#define ADMITS(verdict, state)                                                           \
	[EV_ADMIT] = ADMIT(verdict, state), [EV_ADMIT_NO_PROBE] = ADMIT(verdict, state), \
	[EV_ADMIT_LAST_HASH] = ADMIT(verdict, state)

static const struct expected table[SG_STATE_COUNT][EVENT_COUNT] = {
	[SG_CLOSED] = { NO_TIME(SG_CLOSED), ADMITS(SG_ALLOW, SG_CLOSED), TRIPPABLE(SG_CLOSED),
			ORDERS_AND_RESET(0) },
	[SG_OPEN] = { [EV_TICK_NOW] = STAYS(SG_OPEN),
		      [EV_TICK_LATE] = MOVES(SG_HALF_OPEN),
		      ADMITS(SG_DENY, SG_OPEN),
		      NO_OUTCOME(SG_OPEN),
		      ORDERS_AND_RESET(1) },
	/* without a probe in flight: an outcome without one decides nothing */
	[SG_HALF_OPEN] = { NO_TIME(SG_HALF_OPEN), [EV_ADMIT] = ADMIT(SG_ALLOW_PROBE, SG_HALF_OPEN),
			   [EV_ADMIT_NO_PROBE] = ADMIT(SG_DENY, SG_HALF_OPEN),
			   [EV_ADMIT_LAST_HASH] = ADMIT(SG_ALLOW_PROBE, SG_HALF_OPEN),
			   NO_OUTCOME(SG_HALF_OPEN), ORDERS_AND_RESET(1) },
	[SG_RAMP] = { [EV_TICK_NOW] = STAYS(SG_RAMP),
		      [EV_TICK_LATE] = MOVES(SG_CLOSED),
		      [EV_ADMIT] = ADMIT(SG_ALLOW, SG_RAMP),
		      [EV_ADMIT_NO_PROBE] = ADMIT(SG_ALLOW, SG_RAMP),
		      [EV_ADMIT_LAST_HASH] = ADMIT(SG_DENY, SG_RAMP),
		      TRIPPABLE(SG_RAMP),
		      ORDERS_AND_RESET(1) },
	[SG_FORCED_OPEN] = { NO_TIME(SG_FORCED_OPEN), ADMITS(SG_DENY, SG_FORCED_OPEN),
			     NO_OUTCOME(SG_FORCED_OPEN), ORDERS_AND_RESET(1) },
	[SG_FORCED_CLOSED] = { NO_TIME(SG_FORCED_CLOSED), ADMITS(SG_ALLOW, SG_FORCED_CLOSED),
			       NO_OUTCOME(SG_FORCED_CLOSED), ORDERS_AND_RESET(1) },
	[SG_DISABLED] = { NO_TIME(SG_DISABLED), ADMITS(SG_ALLOW, SG_DISABLED),
			  NO_OUTCOME(SG_DISABLED), ORDERS_AND_RESET(1) },
	/* the machine is closed and trips, what is shown and enforced stays */
	[SG_SHADOW] = { NO_TIME(SG_SHADOW),
			ADMITS(SG_ALLOW, SG_SHADOW), [EV_SUCCESS] = EFFECT(NONE, SG_SHADOW),
			[EV_HARD] = EFFECT(MOVED, SG_SHADOW), [EV_SOFT] = EFFECT(NONE, SG_SHADOW),
			[EV_APP] = EFFECT(NONE, SG_SHADOW), [EV_CALLER] = EFFECT(NONE, SG_SHADOW),
			[EV_LOCAL] = EFFECT(NONE, SG_SHADOW), [EV_TRIP] = EFFECT(MOVED, SG_SHADOW),
			[EV_GIVE_BACK] = STAYS(SG_SHADOW), STALES(SG_SHADOW), ORDERS_AND_RESET(1) },
};

static int fire(struct sg_breaker *b, const struct sg_policy *p, enum event event,
		struct sg_transition *mv)
{
	static const enum sg_class classes[] = { SG_SUCCESS, SG_HARD,   SG_SOFT,
						 SG_APP,     SG_CALLER, SG_LOCAL };
	static const enum sg_state orders[] = { SG_FORCED_OPEN, SG_FORCED_CLOSED, SG_DISABLED,
						SG_SHADOW };

	switch (event) {
	case EV_TICK_NOW:
		return sg_breaker_tick(b, p, ENTERED, mv);
	case EV_TICK_LATE:
		return sg_breaker_tick(b, p, ENTERED + SECONDS(1000), mv);
	case EV_ADMIT:
		return (int)sg_breaker_admit(b, p, ENTERED, 0, true);
	case EV_ADMIT_NO_PROBE:
		return (int)sg_breaker_admit(b, p, ENTERED, 0, false);
	case EV_ADMIT_LAST_HASH:
		return (int)sg_breaker_admit(b, p, ENTERED, SG_HASH_RANGE - 1, true);
	case EV_GIVE_BACK:
		sg_breaker_give_back(b, 10, true);
		return 0;
	case EV_STALE_HARD:
		return (int)sg_breaker_outcome(b, p, ENTERED, 9, SG_HARD, SG_OUT_PROBE, 0, mv);
	case EV_TRIP:
		return (int)sg_breaker_trip(b, p, ENTERED, 10, SG_REASON_SLOW_RATE, mv);
	case EV_STALE_TRIP:
		return (int)sg_breaker_trip(b, p, ENTERED, 9, SG_REASON_SLOW_RATE, mv);
	case EV_RESET:
		sg_breaker_reset(b, p, ENTERED, mv);
		return mv->moved;
	default:
		break;
	}
	if (event >= EV_ORDER_OPEN) {
		sg_breaker_order(b, p, (__u8)orders[event - EV_ORDER_OPEN], ENTERED, SG_FOREVER,
				 mv);
		return mv->moved;
	}
	return (int)sg_breaker_outcome(b, p, ENTERED, 10, classes[event - EV_SUCCESS], SG_OUT_PROBE,
				       0, mv);
}

/* A move is reported as it happened, and only new generations but at the end of a ramp (B2). */
static void check_move(const struct sg_breaker *b, enum sg_state from,
		       const struct sg_transition *mv)
{
	assert_int_equal(mv->from, from);
	assert_int_equal(mv->generation, b->generation);
	assert_int_equal(b->generation, mv->reason == SG_REASON_RAMP_DONE ? 10 : 11);
	assert_int_equal(b->since_ns, mv->t_ns);
	assert_memory_equal(mv, &b->last, sizeof(*mv));
	if (mv->reason != SG_REASON_RAMP_DONE)
		assert_int_equal(b->streak, 0);
	assert_int_equal(b->probes_out + b->probes_ok + b->probes_failed + b->probes_slow, 0);
}

static void test_every_state_and_event(void **state)
{
	struct sg_policy p = with_ramp();

	(void)state;
	for (enum sg_state s = 0; s < SG_STATE_COUNT; s++) {
		for (enum event event = 0; event < EVENT_COUNT; event++) {
			const struct expected *want = &table[s][event];
			struct sg_breaker b = in_state(s);
			struct sg_transition mv = { .moved = 0 };
			int got = fire(&b, &p, event, &mv);

			if (got != want->result || sg_breaker_shown(&b) != want->after)
				fail_msg("state %u, event %u: result %d instead of %d, state %u "
					 "instead of %u",
					 s, event, got, want->result, sg_breaker_shown(&b),
					 want->after);
			if (mv.moved) {
				/* under a shadow the machine itself reports, orders show it */
				bool machine = s == SG_SHADOW && event < EV_ORDER_OPEN;

				check_move(&b, machine ? SG_CLOSED : s, &mv);
			} else if (event != EV_RESET) {
				assert_int_equal(b.generation, 10);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_and_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
