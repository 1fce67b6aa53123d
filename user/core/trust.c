/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events to a state, and when its rules judge it. */
#include "core/trust.h"

#include <math.h>
#include <string.h>

#include "core/trust_private.h"

#define QUARANTINE_SCORE 15.0   /* below this, ... */
#define QUARANTINE_SECURITY 0.5 /* with S below this, a rule quarantines */
#define RECOVER_SCORE 45.0      /* such a quarantine may end by itself from here on */
#define STRIKES_DOUBLE_MAX 40U  /* 2^40 dwells are longer than anything */

const char *const trust_band_names[TRUST_BAND_COUNT + 1] = { "degraded", "watch", "trusted" };
const char *const trust_severity_names[TRUST_SEVERITY_COUNT + 1] = { "info", "low", "medium",
								     "high", "critical" };

/* --- the score --------------------------------------------------------------------------- */

double trust_score(double security, double performance, double community, double weight,
		   double score_max)
{
	double sum = (1 - weight) * performance + weight * community;

	return fmax(fmin(score_max, 100 * security * sum), 0);
}

double trust_community(double good, double bad)
{
	return (good + 1) / (good + bad + 2);
}

uint32_t trust_faded(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		     uint32_t count)
{
	double days = ((double)now_ns - (double)t->clean_ns) / TRUST_DAY_NS;
	double gone = floor(days / p->strike_decay_days);

	if (t->quarantine != TRUST_FREE || !(gone > 0))
		return count;
	return gone < count ? count - (uint32_t)gone : 0;
}

double trust_score_max(const struct trust *t, const struct trust_policy *p, uint64_t now_ns)
{
	uint32_t strikes = trust_faded(t, p, now_ns, t->strikes);

	return 100 - p->strike_penalty * (strikes < p->strike_max ? strikes : p->strike_max);
}

double trust_ratings_fade(const struct trust *t, const struct trust_policy *p, uint64_t now_ns)
{
	double days = (double)(now_ns - t->ratings_ns) / TRUST_DAY_NS;

	return exp2(-days / p->rating_half_life_days);
}

static double community_at(const struct trust *t, const struct trust_policy *p, uint64_t now)
{
	double fade;

	if (!(t->ratings_good > 0) && !(t->ratings_bad > 0))
		return trust_community(0, 0);
	fade = trust_ratings_fade(t, p, now);
	return trust_community(t->ratings_good * fade, t->ratings_bad * fade);
}

static double performance_at(const struct trust *t, const struct trust_policy *p, uint64_t now)
{
	struct trust_evidence e = trust_performance_read(&t->performance, p, now);
	double slow = trust_slow(&e, p->prior, p->prior_weight);

	return fmin(trust_fast(&e, slow, p->prior_weight), slow);
}

static double score_at(const struct trust *t, const struct trust_policy *p, uint64_t now)
{
	return trust_score(trust_security_at(&t->security, p, now), performance_at(t, p, now),
			   community_at(t, p, now), p->community_weight,
			   trust_score_max(t, p, now));
}

/* --- rules ------------------------------------------------------------------------------- */

static bool may_be_trusted(const struct trust *t)
{
	return t->successes >= TRUST_SUCCESSES && t->now_ns - t->since_ns >= TRUST_KNOWN_NS;
}

static enum trust_band band_of(const struct trust *t, const struct trust_policy *p)
{
	double high = t->band == TRUST_TRUSTED ? p->trusted_leave : p->trusted;
	double low = t->band == TRUST_DEGRADED ? p->watch_return : p->watch;

	if (t->score >= high && may_be_trusted(t))
		return TRUST_TRUSTED;
	return t->score >= low ? TRUST_WATCH : TRUST_DEGRADED;
}

/* S may be low for nothing but what an operator has waived. */
static bool is_low_by_waiver(const struct trust *t, const struct trust_policy *p)
{
	struct trust_limits all = trust_security_limits(&t->security, p, t->now_ns, true);
	struct trust_limits rest = trust_security_limits(&t->security, p, t->now_ns, false);

	return rest.target > all.target && rest.target >= QUARANTINE_SECURITY;
}

static enum trust_quarantine rule_of(const struct trust *t, const struct trust_policy *p)
{
	if (!p->auto_quarantine)
		return TRUST_FREE;
	if ((t->security.n_findings || t->security.rest.n) &&
	    trust_security_blocks(&t->security, p))
		return TRUST_BY_FINDING;
	if (!(t->score < QUARANTINE_SCORE) ||
	    !(trust_security_at(&t->security, p, t->now_ns) < QUARANTINE_SECURITY) ||
	    is_low_by_waiver(t, p))
		return TRUST_FREE;
	return TRUST_BY_SCORE;
}

static void enter(struct trust *t, const struct trust_policy *p, enum trust_quarantine why)
{
	uint32_t k = trust_faded(t, p, t->now_ns, t->quarantines) + 1;
	uint32_t strikes = trust_faded(t, p, t->now_ns, t->strikes) + 1;
	double dwell = ldexp(p->dwell_seconds, k < STRIKES_DOUBLE_MAX ? (int)k - 1 : 40);

	t->quarantines = k;
	t->strikes = strikes < p->strike_max ? strikes : p->strike_max;
	t->clean_ns = t->now_ns;
	t->quarantine = (uint8_t)why;
	t->quarantine_ns = t->now_ns;
	t->dwell_ns = policy_ns(fmin(dwell, p->dwell_max_seconds));
	t->causes |= TRUST_CAUSE_QUARANTINE;
}

static void leave(struct trust *t)
{
	t->quarantine = TRUST_FREE;
	t->clean_ns = t->now_ns;
}

static void judge_quarantine(struct trust *t, const struct trust_policy *p)
{
	enum trust_quarantine rule = rule_of(t, p);

	if (t->quarantine == TRUST_FREE) {
		if (rule != TRUST_FREE)
			enter(t, p, rule);
	} else if (rule == TRUST_BY_FINDING) {
		t->quarantine = TRUST_BY_FINDING;
	} else if (t->score >= RECOVER_SCORE && t->now_ns - t->quarantine_ns >= t->dwell_ns) {
		leave(t);
		t->causes |= TRUST_CAUSE_RECOVERED;
	}
}

/* --- instants ---------------------------------------------------------------------------- */

/* A row of calls that end alike is one line. */
static void note_change(struct trust *t, bool moved)
{
	struct trust_change *last = &t->changes[(t->n_changes - 1) % TRUST_CHANGES];

	if (t->causes == TRUST_CAUSE_TIME && !moved)
		return;
	if (t->n_changes && last->causes == t->causes && !(t->causes & ~TRUST_CAUSE_CALLS)) {
		last->t_ns = t->now_ns;
		last->n++;
		last->after = t->score;
		t->noted = t->score;
		return;
	}
	t->changes[t->n_changes++ % TRUST_CHANGES] = (struct trust_change){
		.t_ns = t->now_ns,
		.causes = t->causes,
		.n = 1,
		.before = t->noted,
		.after = t->score,
	};
	t->noted = t->score;
}

/* The instant now_ns is over. */
static void judge(struct trust *t, const struct trust_policy *p)
{
	uint8_t band = t->band;

	if (!t->causes)
		return;
	t->score = score_at(t, p, t->now_ns);
	judge_quarantine(t, p);
	if (t->causes & (TRUST_CAUSE_QUARANTINE | TRUST_CAUSE_RECOVERED))
		t->score = score_at(t, p, t->now_ns); /* a strike more */
	t->band = (uint8_t)band_of(t, p);
	note_change(t, t->band != band);
	t->causes = 0;
}

/* Something of `causes` happens at `now`; returns the instant it belongs to. */
static uint64_t begin(struct trust *t, const struct trust_policy *p, uint64_t now, uint32_t causes)
{
	if (now > t->now_ns) {
		judge(t, p);
		t->now_ns = now;
		trust_performance_advance(&t->performance, p, now);
	}
	t->causes |= causes;
	return t->now_ns;
}

void trust_judged(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		  struct trust *ret)
{
	*ret = *t;
	begin(ret, p, now_ns, TRUST_CAUSE_TIME);
	if (ret->causes != TRUST_CAUSE_TIME)
		ret->causes &= ~TRUST_CAUSE_TIME;
	judge(ret, p);
}

/* --- events ------------------------------------------------------------------------------ */

void trust_init(struct trust *t, const struct trust_policy *p, uint64_t now_ns)
{
	memset(t, 0, sizeof(*t));
	t->now_ns = now_ns;
	t->since_ns = now_ns;
	t->ratings_ns = now_ns;
	t->clean_ns = now_ns;
	trust_performance_init(&t->performance, p, now_ns);
	trust_security_init(&t->security, p, now_ns);
	t->score = score_at(t, p, now_ns);
	t->noted = t->score;
	t->band = TRUST_WATCH;
	t->band = (uint8_t)band_of(t, p);
}

void trust_give(struct trust *t, struct trust_tool *tools, struct trust_finding *findings)
{
	if (tools)
		t->performance.tools = tools;
	if (findings)
		t->security.findings = findings;
}

void trust_set_policy(struct trust *t, const struct trust_policy *before,
		      const struct trust_policy *p, uint64_t now_ns)
{
	uint64_t now = begin(t, before, now_ns, TRUST_CAUSE_TIME);

	trust_performance_close(&t->performance, before, now);
	trust_security_begin(&t->security, before, now);
	t->ratings_good *= trust_ratings_fade(t, before, now);
	t->ratings_bad *= trust_ratings_fade(t, before, now);
	t->ratings_ns = now;
	trust_performance_reopen(&t->performance, p, now);
	trust_security_end(&t->security, p, now);
}

void trust_call(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		const struct trust_call *call)
{
	static const uint32_t causes[SG_CLASS_COUNT] = {
		[SG_SUCCESS] = TRUST_CAUSE_SUCCESS,
		[SG_HARD] = TRUST_CAUSE_HARD,
		[SG_SOFT] = TRUST_CAUSE_SOFT,
	};
	uint64_t now;

	if (call->class >= SG_CLASS_COUNT || !causes[call->class])
		return;
	now = begin(t, p, now_ns, causes[call->class]);
	trust_performance_call(&t->performance, p, now, call);
	t->successes += call->class == SG_SUCCESS && t->successes < UINT32_MAX;
}

static bool is_present(const struct trust *t, const struct trust_id *digest)
{
	return !digest || !memcmp(digest, &t->identity, sizeof(*digest));
}

bool trust_finding(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   const struct trust_id *digest, const struct trust_report *report)
{
	uint64_t now;

	if (!is_present(t, digest) || report->severity >= TRUST_SEVERITY_COUNT)
		return false;
	if (report->severity == TRUST_INFO)
		return true;
	now = begin(t, p, now_ns, TRUST_CAUSE_FINDING);
	trust_security_begin(&t->security, p, now);
	trust_security_report(&t->security, p, now, report);
	trust_security_end(&t->security, p, now);
	return true;
}

bool trust_scan(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		const struct trust_id *digest, const struct trust_scan *scan)
{
	uint64_t now;

	if (!is_present(t, digest))
		return false;
	now = begin(t, p, now_ns, TRUST_CAUSE_SCAN);
	trust_security_begin(&t->security, p, now);
	trust_security_scan(&t->security, now, scan);
	trust_security_end(&t->security, p, now);
	return true;
}

bool trust_withdraw(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		    uint64_t scanner)
{
	uint64_t now = now_ns > t->now_ns ? now_ns : t->now_ns;

	if (!trust_security_stale(&t->security, now, scanner))
		return false;
	now = begin(t, p, now_ns, TRUST_CAUSE_FINDING);
	trust_security_begin(&t->security, p, now);
	trust_security_withdraw(&t->security, now, scanner);
	trust_security_end(&t->security, p, now);
	return true;
}

void trust_ratings(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   const struct trust_ratings *ratings)
{
	uint64_t now = begin(t, p, now_ns, TRUST_CAUSE_RATINGS);

	t->ratings_ns = now;
	t->ratings_good = fmax(ratings->good, 0);
	t->ratings_bad = fmax(ratings->bad, 0);
	if (t->security.capped == ratings->cap)
		return;
	trust_security_begin(&t->security, p, now);
	t->security.capped = ratings->cap;
	trust_security_end(&t->security, p, now);
}

void trust_identify(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		    const struct trust_id *identity, bool same_place)
{
	uint64_t now;

	if (is_present(t, identity))
		return;
	now = begin(t, p, now_ns, TRUST_CAUSE_IDENTITY);
	t->identity = *identity;
	t->since_ns = now;
	t->successes = 0;
	t->ratings_good = 0;
	if (!same_place)
		trust_performance_worse(&t->performance);
	trust_security_begin(&t->security, p, now);
	trust_security_identity(&t->security);
	trust_security_end(&t->security, p, now);
}

static uint32_t more(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void inherit_bad(struct trust_scale *to, double from)
{
	to->bad = fmax(to->bad, from);
}

/* Bad evidence of the other as it is now; the good stays its own. */
static void inherit_performance(struct trust *t, const struct trust_policy *p, uint64_t now,
				const struct trust *from)
{
	struct trust_evidence e = trust_performance_read(&from->performance, p, now);

	trust_performance_close(&t->performance, p, now);
	inherit_bad(&t->performance.fast, e.fast.bad);
	inherit_bad(&t->performance.slow, e.slow.bad);
}

static void inherit_ratings(struct trust *t, const struct trust_policy *p, uint64_t now,
			    const struct trust *from)
{
	double fade = trust_ratings_fade(t, p, now);

	t->ratings_good *= fade;
	t->ratings_bad =
		fmax(t->ratings_bad * fade, from->ratings_bad * trust_ratings_fade(from, p, now));
	t->ratings_ns = now;
}

static void inherit_strikes(struct trust *t, const struct trust_policy *p, uint64_t now,
			    const struct trust *from)
{
	t->strikes =
		more(trust_faded(t, p, now, t->strikes), trust_faded(from, p, now, from->strikes));
	t->quarantines = more(trust_faded(t, p, now, t->quarantines),
			      trust_faded(from, p, now, from->quarantines));
	t->clean_ns = now;
	if (t->quarantine != TRUST_FREE || from->quarantine == TRUST_FREE)
		return;
	t->quarantine = from->quarantine;
	t->quarantine_ns = from->quarantine_ns;
	t->dwell_ns = from->dwell_ns;
}

void trust_inherit(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   const struct trust *from)
{
	uint64_t now =
		begin(t, p, now_ns > from->now_ns ? now_ns : from->now_ns, TRUST_CAUSE_INHERITED);
	struct trust judged;

	trust_judged(from, p, now, &judged);
	inherit_performance(t, p, now, &judged);
	inherit_ratings(t, p, now, &judged);
	inherit_strikes(t, p, now, &judged);
	trust_security_begin(&t->security, p, now);
	trust_security_inherit(&t->security, p, now, &judged.security,
			       trust_security_at(&judged.security, p, now));
	trust_security_end(&t->security, p, now);
}

void trust_release(struct trust *t, const struct trust_policy *p, uint64_t now_ns)
{
	begin(t, p, now_ns, TRUST_CAUSE_RELEASE);
	trust_security_waive(&t->security);
	if (t->quarantine != TRUST_FREE)
		leave(t);
}

bool trust_waive(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		 const uint64_t identity[2])
{
	begin(t, p, now_ns, TRUST_CAUSE_FINDING);
	return trust_security_mark(&t->security, identity, TRUST_WAIVED);
}

bool trust_settle(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		  const uint64_t identity[2], double security)
{
	struct trust_security *s = &t->security;
	uint64_t now = begin(t, p, now_ns, TRUST_CAUSE_RELEASE);
	bool found;

	trust_security_begin(s, p, now);
	found = trust_security_mark(s, identity, TRUST_GONE);
	trust_security_end(s, p, now);
	if (!found)
		return false;
	s->anchor = fmax(s->anchor, fmin(security, s->target));
	if (t->quarantine == TRUST_BY_FINDING && !trust_security_blocks(s, p))
		leave(t);
	return true;
}

void trust_learn(struct trust *t, const struct trust_id *identity)
{
	t->identity = *identity;
}

void trust_tick(struct trust *t, const struct trust_policy *p, uint64_t now_ns)
{
	begin(t, p, now_ns, TRUST_CAUSE_TIME);
}

/* --- reading ----------------------------------------------------------------------------- */

void trust_view_of(const struct trust *t, const struct trust_policy *p, struct trust_view *ret)
{
	uint32_t strikes = trust_faded(t, p, t->now_ns, t->strikes);

	*ret = (struct trust_view){
		.score = t->score,
		.performance = performance_at(t, p, t->now_ns),
		.security = trust_security_at(&t->security, p, t->now_ns),
		.community = community_at(t, p, t->now_ns),
		.strikes = strikes < p->strike_max ? strikes : p->strike_max,
		.band = (enum trust_band)t->band,
		.quarantine = (enum trust_quarantine)t->quarantine,
		.restricted = trust_security_restricts(&t->security),
	};
	if (ret->quarantine == TRUST_FREE)
		return;
	ret->quarantine_ns = t->quarantine_ns;
	ret->earliest_ns = trust_security_blocks(&t->security, p) ? SG_FOREVER
								  : t->quarantine_ns + t->dwell_ns;
}

void trust_read(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		struct trust_view *ret)
{
	struct trust judged;

	trust_judged(t, p, now_ns, &judged);
	trust_view_of(&judged, p, ret);
}

double trust_own_rating(const struct trust *t, const struct trust_policy *p, uint64_t now_ns)
{
	uint64_t now = now_ns > t->now_ns ? now_ns : t->now_ns;
	struct trust_evidence e = trust_performance_read(&t->performance, p, now);

	if (e.slow.good + e.slow.bad < p->prior_weight)
		return NAN;
	return 2 * performance_at(t, p, now) - 1;
}
