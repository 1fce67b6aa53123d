/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "breaker_ref.h"

#include <math.h>
#include <string.h>

#define NS 1e9

static uint64_t ns(double seconds)
{
	return (uint64_t)llround(seconds * NS);
}

static bool lets_all_in(const struct ref *r)
{
	return r->state == SG_CLOSED || r->state == SG_RAMP;
}

static bool ordered(const struct ref *r)
{
	return r->state == SG_FORCED_OPEN || r->state == SG_FORCED_CLOSED ||
	       r->state == SG_DISABLED;
}

static const struct ref_move nothing = { .reason = SG_REASON_NONE };

static struct ref_move move(const struct ref *r, enum sg_state to, enum sg_reason reason)
{
	return (struct ref_move){ .from = r->state, .to = to, .reason = reason };
}

static enum sg_state healed(const struct ref *r)
{
	return r->policy->ramp_seconds > 0 ? SG_RAMP : SG_CLOSED;
}

void ref_init(struct ref *r, const struct breaker_policy *policy, uint64_t now)
{
	memset(r, 0, offsetof(struct ref, list));
	r->listed = 0;
	r->policy = policy;
	r->state = SG_CLOSED;
	r->may_trip = true;
	r->since_ns = now;
}

/* --- time ------------------------------------------------------------------------ */

struct ref_move ref_time(const struct ref *r, uint64_t now, uint64_t *ret_t)
{
	if (r->shadow && r->until_ns <= now && (!r->deadline_ns || r->until_ns <= r->deadline_ns)) {
		*ret_t = r->until_ns;
		return (struct ref_move){ SG_SHADOW, SG_CLOSED, SG_REASON_FORCE_EXPIRED };
	}
	if (ordered(r)) {
		*ret_t = r->until_ns;
		if (r->until_ns > now)
			return nothing;
		return move(r, r->state == SG_FORCED_OPEN ? SG_HALF_OPEN : SG_CLOSED,
			    SG_REASON_FORCE_EXPIRED);
	}
	*ret_t = r->deadline_ns;
	if (!r->deadline_ns || r->deadline_ns > now)
		return nothing;
	if (r->state == SG_OPEN)
		return move(r, SG_HALF_OPEN, SG_REASON_DEADLINE);
	if (r->state == SG_RAMP)
		return move(r, SG_CLOSED, SG_REASON_RAMP_DONE);
	if (r->ignored && !r->failed)
		return move(r, healed(r), SG_REASON_REACHABLE);
	return move(r, SG_OPEN, SG_REASON_HALF_OPEN_TIMEOUT);
}

static uint64_t good_at(const struct ref *r, uint64_t t)
{
	return r->good_ns + (lets_all_in(r) ? t - r->since_ns : 0);
}

static uint32_t n_at(const struct ref *r, uint64_t t)
{
	uint64_t forgiven = good_at(r, t) / ns(r->policy->open_decay_seconds);

	return r->n > forgiven ? r->n - (uint32_t)forgiven : 0;
}

static double open_seconds(const struct ref *r, uint32_t n, double jitter)
{
	double seconds = r->policy->open_seconds;

	while (--n && seconds < 1e9)
		seconds *= r->policy->open_factor;
	return fmin(r->policy->open_max_seconds, seconds * (1 + jitter));
}

void ref_open_range(const struct ref *r, uint64_t t, uint64_t *ret_min, uint64_t *ret_max)
{
	uint32_t n = n_at(r, t) + 1;

	*ret_min = ns(open_seconds(r, n, -r->policy->jitter));
	*ret_max = ns(open_seconds(r, n, r->policy->jitter));
}

/* --- calls ------------------------------------------------------------------------- */

enum sg_admit ref_admit(struct ref *r, uint64_t now, uint32_t hash, bool may_probe)
{
	static const uint32_t shares[] = { 1000, 2500, 5000, 10000 };
	enum sg_admit refused = r->shadow ? SG_WOULD_DENY : SG_DENY;
	uint64_t quarter;

	switch (r->state) {
	case SG_OPEN:
	case SG_FORCED_OPEN:
		return refused;
	case SG_HALF_OPEN:
		if (!may_probe || r->handed == r->policy->half_open_probes)
			return refused;
		if (!r->deadline_ns)
			r->deadline_ns = now + ns(r->policy->half_open_max_seconds);
		r->handed++;
		return SG_ALLOW_PROBE;
	case SG_RAMP:
		quarter = (now - r->since_ns) * 4 / ns(r->policy->ramp_seconds);
		return hash < shares[quarter > 3 ? 3 : quarter] ? SG_ALLOW : refused;
	default:
		return SG_ALLOW;
	}
}

void ref_give_back(struct ref *r, uint32_t generation, bool complete)
{
	if (generation != r->generation || r->state != SG_HALF_OPEN)
		return;
	r->handed--;
	r->ignored += complete;
}

static void count(const struct ref *r, bool by_number, uint64_t now, uint32_t sum[3])
{
	const struct breaker_policy *p = r->policy;
	uint64_t bucket = by_number ? 1 : ns(p->window_seconds / p->window_buckets);

	sum[0] = sum[1] = sum[2] = 0;
	for (uint32_t i = r->listed; i-- > 0;) {
		const struct ref_outcome *o = &r->list[i];

		if (by_number &&
		    (sum[0] == p->window_calls || (p->window_max_age_seconds > 0 &&
						   now - o->t_ns > ns(p->window_max_age_seconds))))
			break;
		if (!by_number && now / bucket - o->t_ns / bucket >= p->window_buckets)
			break;
		sum[0]++;
		sum[1] += o->failed;
		sum[2] += o->slow;
	}
}

void ref_counts(const struct ref *r, uint64_t now, uint32_t *ret_calls, uint32_t *ret_failed,
		uint32_t *ret_slow)
{
	uint32_t sum[3] = { 0 };

	if (r->policy->window_calls)
		count(r, true, now, sum);
	else if (r->policy->window_buckets)
		count(r, false, now, sum);
	*ret_calls = sum[0];
	*ret_failed = sum[1];
	*ret_slow = sum[2];
}

static bool crossed(const struct ref *r, uint64_t now, int what, double limit)
{
	uint32_t sum[3];

	for (int by_number = 0; by_number < 2; by_number++) {
		if (by_number ? !r->policy->window_calls : !r->policy->window_buckets)
			continue;
		count(r, by_number, now, sum);
		if (sum[0] >= r->policy->min_calls && (double)sum[what] / sum[0] >= limit)
			return true;
	}
	return false;
}

static struct ref_move judge(const struct ref *r)
{
	const struct breaker_policy *p = r->policy;
	double all = p->half_open_probes;
	double open = all - r->decided;

	if (r->failed / all >= p->half_open_failure_rate || r->slow / all >= p->slow_rate)
		return move(r, SG_OPEN, SG_REASON_HALF_OPEN_FAILED);
	if ((r->failed + open) / all < p->half_open_failure_rate &&
	    (r->slow + open) / all < p->slow_rate)
		return move(r, healed(r), SG_REASON_PROBES_PASSED);
	return nothing;
}

static struct ref_move probe_ends(struct ref *r, bool failed, bool succeeded, bool slow,
				  bool complete)
{
	if (failed || succeeded) {
		r->decided++;
		r->failed += failed;
		r->slow += slow;
	} else {
		r->handed--;
		r->ignored += complete;
	}
	return judge(r);
}

struct ref_move ref_outcome(struct ref *r, uint64_t now, uint32_t generation, enum sg_class class,
			    bool slow, bool probe, bool complete, uint64_t retry_ns)
{
	bool failed = class == SG_HARD || class == SG_SOFT;
	bool succeeded = class == SG_SUCCESS;
	struct ref_move m = nothing;

	if (generation != r->generation)
		return nothing;
	r->hard += class == SG_HARD;
	r->soft += class == SG_SOFT;
	if (class == SG_SOFT && r->policy->retry_after)
		r->retry_ns = retry_ns > r->retry_ns ? retry_ns : r->retry_ns;
	if (r->state == SG_HALF_OPEN)
		return probe ? probe_ends(r, failed, succeeded, slow, complete) : nothing;
	if (!lets_all_in(r) && r->state != SG_FORCED_CLOSED)
		return nothing;
	if (failed || succeeded) /* a forced one is watched, too */
		r->list[r->listed++ % REF_OUTCOMES] = (struct ref_outcome){ now, failed, slow };
	if (r->state == SG_FORCED_CLOSED)
		return nothing;
	if (succeeded)
		r->streak = 0;
	if (class == SG_HARD)
		r->streak++;
	if (class == SG_HARD && r->policy->consecutive_failures &&
	    r->streak >= r->policy->consecutive_failures)
		m = move(r, SG_OPEN, SG_REASON_CONSECUTIVE);
	else if ((failed || succeeded) && crossed(r, now, 1, r->policy->failure_rate))
		m = move(r, SG_OPEN, SG_REASON_FAILURE_RATE);
	else if ((failed || succeeded) && crossed(r, now, 2, r->policy->slow_rate))
		m = move(r, SG_OPEN, SG_REASON_SLOW_RATE);
	return r->may_trip ? m : nothing;
}

/* --- transitions ------------------------------------------------------------------- */

static void new_generation(struct ref *r)
{
	r->generation++;
	r->streak = 0;
	r->retry_ns = 0;
	r->listed = 0;
	r->hard = r->soft = 0;
	r->handed = r->decided = r->failed = r->slow = r->ignored = 0;
}

void ref_enter(struct ref *r, const struct ref_move *m, uint64_t t, uint64_t open_ns,
	       uint64_t until_ns)
{
	/* whoever only asks to be called less is not punished for asking again */
	bool asked = r->soft && !r->hard && m->reason != SG_REASON_SLOW_RATE;
	bool trip = m->to == SG_OPEN && !asked &&
		    (m->reason != SG_REASON_HALF_OPEN_TIMEOUT || r->failed);
	uint64_t retry = r->retry_ns < 300 * (uint64_t)NS ? r->retry_ns : 300 * (uint64_t)NS;
	uint32_t n = n_at(r, t);

	r->good_ns = trip ? 0 : good_at(r, t);
	r->n = trip ? n + 1 : r->n;
	if (m->reason != SG_REASON_RAMP_DONE)
		new_generation(r);
	if (m->reason == SG_REASON_MANUAL || m->reason == SG_REASON_RESET ||
	    m->reason == SG_REASON_FORCE_EXPIRED) {
		r->shadow = m->to == SG_SHADOW;
		r->until_ns = until_ns;
	}
	if (m->reason == SG_REASON_RESET) {
		r->n = 0;
		r->good_ns = 0;
	}
	r->state = m->to == SG_SHADOW ? SG_CLOSED : m->to;
	r->since_ns = t;
	r->deadline_ns = 0;
	if (m->to == SG_OPEN) {
		r->last_open_ns = open_ns;
		r->deadline_ns = t + (open_ns > retry ? open_ns : retry);
	}
	if (m->to == SG_RAMP)
		r->deadline_ns = t + ns(r->policy->ramp_seconds);
	r->reported += m->from != m->to || m->reason != SG_REASON_RESET;
}
