/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a score is made of: each formula of the model once more, over numbers that are shown. */
#include <math.h>

#include "core/trust_private.h"

static void explain_performance(const struct trust *t, const struct trust_policy *p,
				struct trust_explanation *e)
{
	struct trust_evidence now = trust_performance_read(&t->performance, p, t->now_ns);

	e->fast = now.fast;
	e->slow = now.slow;
	e->prior = p->prior;
	e->prior_weight = p->prior_weight;
	e->performance_slow = trust_slow(&now, p->prior, p->prior_weight);
	e->performance_fast = trust_fast(&now, e->performance_slow, p->prior_weight);
	if (t->now_ns > t->performance.evidence_ns)
		e->evidence_age_ns = t->now_ns - t->performance.evidence_ns;
}

static void explain_findings(const struct trust *t, struct trust_explanation *e)
{
	const struct trust_security *s = &t->security;

	for (uint32_t i = 0; i < s->n_findings; i++) {
		const struct trust_finding *f = &s->findings[i];

		if (f->flags & TRUST_GONE)
			continue;
		e->terms[e->n_terms++] = (struct trust_term){
			.finding = f,
			.ceiling = trust_finding_ceiling(f),
			.factor = trust_finding_factor(f),
			.age_ns = t->now_ns - f->since_ns,
		};
	}
	if (s->rest.n && !(s->rest.flags & TRUST_GONE))
		e->terms[e->n_terms++] = (struct trust_term){ .ceiling = s->rest.ceiling,
							      .factor = s->rest.product };
}

static void explain_security(const struct trust *t, const struct trust_policy *p,
			     struct trust_explanation *e)
{
	const struct trust_security *s = &t->security;
	struct trust_limits l = trust_security_limits(s, p, t->now_ns, true);

	explain_findings(t, e);
	e->lowest = l.lowest;
	e->product = l.product;
	e->floor = l.floor;
	e->scarred = l.scarred;
	e->cap = l.cap;
	e->target = l.target;
	e->scanned = l.scanned;
	e->capped = s->capped;
	e->jumped = s->jump && !s->had_finding && s->anchor_ns == t->now_ns;
	e->anchor = s->anchor;
	e->anchor_ns = s->anchor_ns;
	e->rise_per_day = p->security_rise_per_day;
	e->scan_age_ns = s->scanned ? t->now_ns - s->scan_ns : SG_FOREVER;
}

static void explain_rest(const struct trust *t, const struct trust_policy *p,
			 struct trust_explanation *e)
{
	double fade = trust_ratings_fade(t, p, t->now_ns);
	uint32_t kept = t->n_changes < TRUST_CHANGES ? t->n_changes : TRUST_CHANGES;

	e->ratings_good = t->ratings_good * fade;
	e->ratings_bad = t->ratings_bad * fade;
	e->ratings_age_ns = t->now_ns - t->ratings_ns;
	e->successes = t->successes;
	e->known_ns = t->now_ns - t->since_ns;
	e->quarantines = trust_faded(t, p, t->now_ns, t->quarantines);
	for (uint32_t i = t->n_changes - kept; i != t->n_changes; i++)
		e->changes[e->n_changes++] = t->changes[i % TRUST_CHANGES];
}

void trust_explain(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   struct trust_explanation *ret)
{
	struct trust judged;

	trust_judged(t, p, now_ns, &judged);
	*ret = (struct trust_explanation){
		.community_weight = p->community_weight,
		.score_max = trust_score_max(&judged, p, judged.now_ns),
	};
	trust_view_of(&judged, p, &ret->view);
	explain_performance(&judged, p, ret);
	explain_security(&judged, p, ret);
	explain_rest(&judged, p, ret);
}

double trust_recompute(const struct trust_explanation *e)
{
	struct trust_evidence evidence = { e->fast, e->slow };
	double slow = trust_slow(&evidence, e->prior, e->prior_weight);
	double performance = fmin(trust_fast(&evidence, slow, e->prior_weight), slow);
	double community = trust_community(e->ratings_good, e->ratings_bad);

	return trust_score(e->view.security, performance, community, e->community_weight,
			   e->score_max);
}
