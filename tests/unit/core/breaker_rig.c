/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unit/core/breaker_rig.h"

#include <errno.h>

const struct sg_policy policy_r = {
	.half_open_max_ns = SECONDS(1),
	.ramp_ns = 0,
	.probe_lease_ns = SECONDS(30),
	.slow_ns = SECONDS(4),
	.consecutive = 3,
	.probes = 4,
	.half_open_rate = SG_RATE_ONE / 2,
	.slow_rate = SG_RATE_ONE / 2,
	.retry_after = 1,
	.deny_errno = ECONNREFUSED,
};

struct sg_policy with_ramp(void)
{
	struct sg_policy p = policy_r;

	p.ramp_ns = SECONDS(40);
	return p;
}

struct sg_breaker fresh(void)
{
	return (struct sg_breaker){ .may_trip = 1, .next_open_ns = OPEN_NS };
}

struct sg_breaker in_state(enum sg_state state)
{
	struct sg_breaker b = fresh();
	struct sg_policy p = with_ramp();
	struct sg_transition mv;

	b.generation = 9;
	b.since_ns = ENTERED;
	switch (state) {
	case SG_CLOSED:
		b.generation = 10;
		break;
	case SG_OPEN:
		sg_breaker_trip(&b, &p, ENTERED, 9, SG_REASON_FAILURE_RATE, &mv);
		break;
	case SG_HALF_OPEN:
		b.generation = 8;
		sg_breaker_trip(&b, &p, ENTERED - OPEN_NS, 8, SG_REASON_FAILURE_RATE, &mv);
		assert_true(sg_breaker_tick(&b, &p, ENTERED, &mv));
		break;
	case SG_RAMP:
		b.generation = 7;
		sg_breaker_trip(&b, &p, ENTERED - OPEN_NS, 7, SG_REASON_FAILURE_RATE, &mv);
		assert_true(sg_breaker_tick(&b, &p, ENTERED, &mv));
		for (int i = 0; i < 3; i++) {
			sg_breaker_admit(&b, &p, ENTERED, 0, true);
			sg_breaker_outcome(&b, &p, ENTERED, 9, SG_SUCCESS, SG_OUT_PROBE, 0, &mv);
		}
		break;
	default:
		sg_breaker_order(&b, &p, (__u8)state, ENTERED, SG_FOREVER, &mv);
		break;
	}
	if (state == SG_CLOSED || state == SG_RAMP || state == SG_SHADOW)
		b.streak = STREAK;
	assert_int_equal(sg_breaker_shown(&b), state);
	assert_int_equal(b.generation, 10);
	assert_int_equal(b.since_ns, ENTERED);
	return b;
}
