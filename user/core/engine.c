/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Invariants: e->generation is the newest one reported; windows hold only
 * outcomes of it; good_ns and trips change only at transitions.
 */
#include "core/engine.h"

#include <errno.h>
#include <math.h>

#include "base/clock.h"

static bool engine_is_good(const struct engine *e)
{
	return e->state == SG_CLOSED || e->state == SG_RAMP;
}

static int windows_init(const struct breaker_policy *p, struct count_window *count,
			struct time_window *time)
{
	uint64_t width = 0;
	int r;

	if (p->window_buckets)
		width = policy_ns(p->window_seconds / p->window_buckets);
	r = count_window_init(count, p->window_calls, policy_ns(p->window_max_age_seconds));
	if (r < 0)
		return r;
	r = time_window_init(time, p->window_buckets, width);
	if (r < 0)
		count_window_done(count);
	return r;
}

int engine_init(struct engine *e, const struct breaker_policy *policy, uint64_t seed,
		uint32_t server)
{
	*e = (struct engine){
		.policy = *policy,
		.seed = seed,
		.server = server,
		.state = SG_CLOSED,
	};
	return windows_init(policy, &e->count, &e->time);
}

void engine_done(struct engine *e)
{
	count_window_done(&e->count);
	time_window_done(&e->time);
}

int engine_set_policy(struct engine *e, const struct breaker_policy *policy)
{
	struct count_window count;
	struct time_window time;
	int r;

	r = windows_init(policy, &count, &time);
	if (r < 0)
		return r;
	if (count.capacity == e->count.capacity && count.max_age_ns == e->count.max_age_ns) {
		count_window_done(&count);
	} else {
		count_window_done(&e->count);
		e->count = count;
	}
	if (time.buckets == e->time.buckets && time.width_ns == e->time.width_ns) {
		time_window_done(&time);
	} else {
		time_window_done(&e->time);
		e->time = time;
	}
	e->policy = *policy;
	return 0;
}

static void windows_clear(struct engine *e)
{
	count_window_clear(&e->count);
	time_window_clear(&e->time);
}

static void engine_enter(struct engine *e, enum sg_state state, uint64_t now_ns,
			 uint32_t generation)
{
	if (generation != e->generation) {
		windows_clear(e);
		e->hard = 0;
		e->soft = 0;
	}
	e->state = state;
	e->since_ns = now_ns;
	e->generation = generation;
}

void engine_restore(struct engine *e, const struct sg_breaker *b, uint32_t trips, uint64_t good_ns,
		    uint64_t saved_ns)
{
	windows_clear(e);
	engine_enter(e, (enum sg_state)b->state, b->since_ns > saved_ns ? b->since_ns : saved_ns,
		     b->generation);
	e->trips = trips;
	e->good_ns = good_ns;
}

/* A window's reason to trip; *ret_rates is set with one. */
static enum sg_reason window_reason(const struct breaker_policy *p, struct window_rates rates,
				    bool slow, struct window_rates *ret_rates)
{
	double rate = slow ? rates.slow_rate : rates.failure_rate;
	double limit = slow ? p->slow_rate : p->failure_rate;

	/* An undefined rate is NAN and compares false. */
	if (!(rate >= limit))
		return SG_REASON_NONE;
	if (ret_rates)
		*ret_rates = rates;
	return slow ? SG_REASON_SLOW_RATE : SG_REASON_FAILURE_RATE;
}

enum sg_reason engine_outcome(struct engine *e, uint64_t now_ns, uint32_t generation,
			      enum sg_class class, bool slow, struct window_rates *ret_rates)
{
	bool failed = class == SG_HARD || class == SG_SOFT;
	struct window_rates count, time;
	enum sg_reason reason = SG_REASON_NONE;

	if (generation != e->generation)
		return SG_REASON_NONE;
	e->hard += class == SG_HARD;
	e->soft += class == SG_SOFT;
	if (!engine_is_good(e) && e->state != SG_FORCED_CLOSED)
		return SG_REASON_NONE;
	if (!failed && class != SG_SUCCESS)
		return SG_REASON_NONE;
	count_window_add(&e->count, now_ns, failed, slow);
	time_window_add(&e->time, now_ns, failed, slow);
	if (e->state == SG_FORCED_CLOSED)
		return SG_REASON_NONE;
	count = window_rates(e->count.sum, e->policy.min_calls);
	time = window_rates(e->time.sum, e->policy.min_calls);
	/* Every failure rate goes before every slow rate. */
	for (int slowness = 0; slowness < 2 && reason == SG_REASON_NONE; slowness++) {
		reason = window_reason(&e->policy, count, slowness, ret_rates);
		if (reason == SG_REASON_NONE)
			reason = window_reason(&e->policy, time, slowness, ret_rates);
	}
	return reason;
}

void engine_correct(struct engine *e, uint64_t was_ns, uint32_t generation, enum sg_class class,
		    bool was_slow, bool slow)
{
	if (generation != e->generation || class == SG_HARD || class == SG_SOFT)
		return;
	count_window_correct(&e->count, was_ns, slow);
	time_window_correct(&e->time, was_ns, was_slow, slow);
}

uint64_t engine_good_ns(const struct engine *e, uint64_t now_ns)
{
	if (!engine_is_good(e) || now_ns <= e->since_ns)
		return e->good_ns;
	return e->good_ns + (now_ns - e->since_ns);
}

uint32_t engine_trips(const struct engine *e, uint64_t now_ns)
{
	uint64_t forgiven = engine_good_ns(e, now_ns) / policy_ns(e->policy.open_decay_seconds);

	return forgiven < e->trips ? e->trips - (uint32_t)forgiven : 0;
}

bool engine_remembers(struct engine *e, uint64_t now_ns)
{
	return engine_trips(e, now_ns) || count_window_counts(&e->count, now_ns).calls ||
	       time_window_counts(&e->time, now_ns).calls;
}

/* Does this opening lengthen the series? A half-open that nobody failed does not, nor does a
 * server that has only asked to be called less: it says itself how long to wait. */
static bool move_is_trip(const struct engine *e, const struct sg_transition *mv)
{
	return mv->to == SG_OPEN && (mv->reason != SG_REASON_HALF_OPEN_TIMEOUT || mv->failed) &&
	       (e->hard || !e->soft || mv->reason == SG_REASON_SLOW_RATE);
}

/* Does it take the latest opening back, as if that had not been? */
static bool move_is_regret(const struct sg_transition *mv)
{
	return mv->from == SG_OPEN && mv->reason == SG_REASON_REACHABLE;
}

void engine_transition(struct engine *e, const struct sg_transition *mv)
{
	enum sg_state to = mv->to == SG_SHADOW ? SG_CLOSED : (enum sg_state)mv->to;
	int32_t newer = (int32_t)(mv->generation - e->generation);

	/* The end of a ramp is the one transition within a generation (B2). */
	if (!mv->moved || newer < 0 || (newer == 0 && mv->reason != SG_REASON_RAMP_DONE))
		return;
	if (mv->reason == SG_REASON_RESET) {
		engine_reset(e, mv->t_ns, mv->generation);
		return;
	}
	if (move_is_trip(e, mv)) {
		uint32_t trips = engine_trips(e, mv->t_ns);

		e->trips = trips < UINT32_MAX ? trips + 1 : trips;
		e->good_ns = 0;
	} else {
		e->good_ns = engine_good_ns(e, mv->t_ns);
		if (move_is_regret(mv) && e->trips)
			e->trips--;
	}
	engine_enter(e, to, mv->t_ns, mv->generation);
}

void engine_reset(struct engine *e, uint64_t now_ns, uint32_t generation)
{
	engine_enter(e, SG_CLOSED, now_ns, generation);
	windows_clear(e);
	e->trips = 0;
	e->good_ns = 0;
}

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014), the output mix. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Evenly in [-1, 1), the same for the same opening of the same server. */
static double engine_spread(const struct engine *e, uint32_t n)
{
	uint64_t bits = mix(mix(mix(e->seed ^ e->server) ^ e->generation) ^ n);

	return (double)(bits >> 11) * 0x1p-52 - 1;
}

uint64_t engine_next_open_ns(const struct engine *e, uint64_t now_ns)
{
	const struct breaker_policy *p = &e->policy;
	uint32_t before = engine_trips(e, now_ns);
	double seconds = p->open_seconds * pow(p->open_factor, before);

	if (p->jitter > 0)
		seconds *= 1 + p->jitter * engine_spread(e, before + 1);
	return policy_ns(fmin(seconds, p->open_max_seconds));
}

uint64_t engine_next_change_ns(const struct engine *e, uint64_t now_ns)
{
	uint64_t decay = policy_ns(e->policy.open_decay_seconds);
	uint64_t good = engine_good_ns(e, now_ns);

	if (!engine_is_good(e) || !engine_trips(e, now_ns))
		return SG_FOREVER;
	return (now_ns > e->since_ns ? now_ns : e->since_ns) + (decay - good % decay);
}

struct window_rates engine_rates(struct engine *e, uint64_t now_ns)
{
	if (e->count.capacity)
		return window_rates(count_window_counts(&e->count, now_ns), e->policy.min_calls);
	return window_rates(time_window_counts(&e->time, now_ns), e->policy.min_calls);
}
