/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The engine beside a breaker driven by the shared transition, as simulate drives them. */
#ifndef SWITCHGEAR_TESTS_ENGINE_RIG_H
#define SWITCHGEAR_TESTS_ENGINE_RIG_H

#include "core/engine.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "unit/unit.h"

struct rig {
	struct engine e;
	struct sg_breaker b;
	struct sg_policy kernel;
	struct sg_transition last; /* latest transition */
	struct window_rates rates;
	uint64_t now;
};

/* Policy R of the conformance list. */
static inline struct breaker_policy policy_r(void)
{
	struct breaker_policy p = breaker_policy_defaults();

	p.window_seconds = 20;
	p.window_buckets = 20;
	p.window_calls = 0;
	p.min_calls = 5;
	p.failure_rate = 0.5;
	p.slow_seconds = 4;
	p.slow_factor = 0;
	p.slow_rate = 0.5;
	p.half_open_probes = 4;
	p.half_open_failure_rate = 0.5;
	p.open_seconds = 5;
	p.open_factor = 1;
	p.half_open_max_seconds = 1;
	p.consecutive_failures = 0;
	p.ramp_seconds = 0;
	p.jitter = 0;
	return p;
}

static inline void rig_init(struct rig *r, const struct breaker_policy *p)
{
	char why[256] = "";

	memset(r, 0, sizeof(*r));
	assert_int_equal(breaker_policy_check(p, why, sizeof(why)), 0);
	policy_to_kernel(p, ECONNREFUSED, &r->kernel);
	assert_int_equal(engine_init(&r->e, p, 1, 7), 0);
	r->b.may_trip = 1;
	r->b.next_open_ns = engine_next_open_ns(&r->e, 0);
}

static inline void rig_moved(struct rig *r, const struct sg_transition *mv)
{
	r->last = *mv;
	engine_transition(&r->e, mv);
	r->b.next_open_ns = engine_next_open_ns(&r->e, r->now);
	assert_int_equal(r->e.generation, r->b.generation);
	assert_int_equal(r->e.state, r->b.state);
}

/* Advances to `seconds`, carrying out what is due and the decay on the way. */
static inline void rig_at(struct rig *r, double seconds)
{
	uint64_t now = SECONDS(seconds);
	struct sg_transition mv;

	for (;;) {
		uint64_t due = sg_breaker_due(&r->b);
		uint64_t change = engine_next_change_ns(&r->e, r->now);

		r->now = due < change ? due : change;
		if (r->now > now)
			break;
		if (sg_breaker_tick(&r->b, &r->kernel, r->now, &mv))
			rig_moved(r, &mv);
		else
			r->b.next_open_ns = engine_next_open_ns(&r->e, r->now);
	}
	r->now = now;
	r->b.next_open_ns = engine_next_open_ns(&r->e, now);
}

static inline void rig_end(struct rig *r, uint32_t generation, enum sg_class class, bool slow,
			   uint32_t flags)
{
	struct sg_transition mv;
	enum sg_reason reason;

	reason = engine_outcome(&r->e, r->now, generation, class, slow, &r->rates);
	switch (sg_breaker_outcome(&r->b, &r->kernel, r->now, generation, class,
				   flags | (slow ? SG_OUT_SLOW : 0), 0, &mv)) {
	case SG_EFFECT_MOVED:
		rig_moved(r, &mv);
		return;
	default:
		break;
	}
	if (reason != SG_REASON_NONE && sg_breaker_trip(&r->b, &r->kernel, r->now, generation,
							(__u8)reason, &mv) == SG_EFFECT_MOVED)
		rig_moved(r, &mv);
}

static inline bool rig_call(struct rig *r, enum sg_class class, bool slow)
{
	enum sg_admit admit = sg_breaker_admit(&r->b, &r->kernel, r->now, 0, true);

	if (admit == SG_DENY)
		return false;
	rig_end(r, r->b.generation, class, slow, admit == SG_ALLOW_PROBE ? SG_OUT_PROBE : 0);
	return true;
}

/* "SFIs": success, failure, ignored, slow success, o = soft; all admitted. */
static inline void rig_calls(struct rig *r, const char *calls)
{
	for (; *calls; calls++) {
		enum sg_class class = *calls == 'F'   ? SG_HARD
				      : *calls == 'o' ? SG_SOFT
				      : *calls == 'I' ? SG_APP
						      : SG_SUCCESS;

		assert_true(rig_call(r, class, *calls == 's'));
	}
}

static inline void check_rates(struct rig *r, double failure_rate, uint32_t calls, uint32_t failed)
{
	struct window_rates rates = engine_rates(&r->e, r->now);

	if (isnan(failure_rate))
		assert_true(isnan(rates.failure_rate));
	else
		assert_double(rates.failure_rate, failure_rate);
	assert_int_equal(rates.counts.calls, calls);
	assert_int_equal(rates.counts.failed, failed);
}

#endif
