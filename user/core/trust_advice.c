/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/trust_advice.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/parse.h"

#define LINES_MAX 8
#define DAY_NS 86400000000000ULL
#define GOOD_CALLS 50 /* what a promise of better performance is about */

/* One promise: what T would be. */
struct promise {
	double score;
	char text[320];
};

struct promises {
	struct promise v[LINES_MAX];
	size_t n;
};

static double score_with(const struct trust_explanation *e, double security, double performance)
{
	double sum =
		(1 - e->community_weight) * performance + e->community_weight * e->view.community;

	return fmax(fmin(e->score_max, 100 * security * sum), 0);
}

static void PRINTF_LIKE(3, 4) promise(struct promises *p, double score, const char *fmt, ...)
{
	va_list ap;

	if (p->n == LINES_MAX)
		return;
	p->v[p->n].score = score;
	va_start(ap, fmt);
	vsnprintf(p->v[p->n].text, sizeof(p->v[p->n].text), fmt, ap);
	va_end(ap);
	p->n++;
}

static void of_scan(const struct trust_explanation *e, struct promises *p)
{
	double target = fmin(fmax(e->lowest * e->product, e->floor), e->scarred);

	if (e->scanned || target <= e->target)
		return;
	promise(p, score_with(e, target, e->view.performance),
		"a clean scan, reported with \"switchgear report\": until then security is at most "
		"%.2f",
		e->cap);
}

/* All of them mended: what is left are scars, and the cap. */
static void of_findings(const struct trust_explanation *e, struct promises *p)
{
	double target = fmin(e->scarred, e->cap);

	if (!e->n_terms)
		return;
	promise(p, score_with(e, target, e->view.performance),
		"what %" PRIu32 " finding%s told of, mended and scanned again: security would rise "
		"towards %.2f, by %.2f a day at most",
		e->n_terms, e->n_terms == 1 ? "" : "s", target, e->rise_per_day);
}

static void of_rise(const struct trust_explanation *e, struct promises *p)
{
	double days;

	if (!(e->target > e->view.security) || !(e->rise_per_day > 0))
		return;
	days = (e->target - e->view.security) / e->rise_per_day;
	promise(p, score_with(e, e->target, e->view.performance),
		"time without another finding: security rises from %.2f to %.2f in %.1f days",
		e->view.security, e->target, days);
}

static double ratio(double good, double bad, double prior, double weight)
{
	return (good + prior * weight) / (good + bad + weight);
}

/* So many good calls, as the slow scale counts them: the fast one follows sooner. */
static void of_calls(const struct trust_explanation *e, struct promises *p)
{
	double slow = ratio(e->slow.good + GOOD_CALLS, e->slow.bad, e->prior, e->prior_weight);
	double fast = ratio(e->fast.good + GOOD_CALLS, e->fast.bad, slow, e->prior_weight);
	double performance = fmin(slow, fast);

	if (performance <= e->view.performance + 0.005)
		return;
	promise(p, score_with(e, e->view.security, performance),
		"%d good calls more: performance would be %.2f in place of %.2f", GOOD_CALLS,
		performance, e->view.performance);
}

static void of_strikes(const struct trust_explanation *e, struct promises *p)
{
	if (!e->view.strikes || e->view.score < e->score_max)
		return;
	promise(p, e->view.score,
		"a clean time takes a strike away: %" PRIu32
		" of them keep the score at %.0f or less",
		e->view.strikes, e->score_max);
}

static int by_score(const void *a, const void *b)
{
	double x = ((const struct promise *)a)->score;
	double y = ((const struct promise *)b)->score;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* What the band asks for beyond the score. */
static void of_band(const struct trust_explanation *e, struct buf *out)
{
	char left[64];

	if (e->view.band == TRUST_TRUSTED)
		return;
	if (e->successes < TRUST_SUCCESSES)
		buf_printf(out, "%" PRIu32 " successful calls more before it can be trusted\n",
			   TRUST_SUCCESSES - e->successes);
	if (e->known_ns < TRUST_KNOWN_NS)
		buf_printf(out, "%s more of being known before it can be trusted\n",
			   format_duration(left, sizeof(left), TRUST_KNOWN_NS - e->known_ns));
}

static void of_quarantine(const struct trust_explanation *e, struct buf *out)
{
	if (e->view.quarantine == TRUST_BY_FINDING)
		buf_puts(out, "its quarantine ends by \"switchgear release\", which waives what is "
			      "known now, or by another identity that is scanned clean\n");
}

void trust_advice(const struct trust_explanation *e, struct buf *out)
{
	struct promises p = { 0 };

	of_quarantine(e, out);
	of_scan(e, &p);
	of_findings(e, &p);
	of_rise(e, &p);
	of_calls(e, &p);
	of_strikes(e, &p);
	qsort(p.v, p.n, sizeof(p.v[0]), by_score);
	for (size_t i = 0; i < p.n; i++)
		if (p.v[i].score > e->view.score + 0.05)
			buf_printf(out, "%s (score %.1f)\n", p.v[i].text, p.v[i].score);
		else
			buf_printf(out, "%s\n", p.v[i].text);
	of_band(e, out);
}

void trust_causes_print(uint32_t causes, struct buf *out)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ TRUST_CAUSE_SUCCESS, "success" },
		{ TRUST_CAUSE_SOFT, "soft failure" },
		{ TRUST_CAUSE_HARD, "hard failure" },
		{ TRUST_CAUSE_FINDING, "finding" },
		{ TRUST_CAUSE_SCAN, "scan" },
		{ TRUST_CAUSE_RATINGS, "ratings" },
		{ TRUST_CAUSE_IDENTITY, "another identity" },
		{ TRUST_CAUSE_INHERITED, "inherited" },
		{ TRUST_CAUSE_RELEASE, "released by an operator" },
		{ TRUST_CAUSE_TIME, "time" },
		{ TRUST_CAUSE_QUARANTINE, "quarantined by rule" },
		{ TRUST_CAUSE_RECOVERED, "quarantine by rule ended" },
	};
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(causes & names[i].bit))
			continue;
		buf_printf(out, "%s%s", comma, names[i].name);
		comma = ", ";
	}
}
