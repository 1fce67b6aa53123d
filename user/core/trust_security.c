/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Security: a target made of findings, scars and scans, to which S falls at once and rises by
 * security_rise_per_day. Between two changes the target is a staircase in time (a scar ends, a
 * scan gets too old); S is computed along it when it is asked for, so that it does not matter
 * when anybody asked.
 *
 * Findings are sorted by identity: their product is the same to the bit, in whatever order they
 * came.
 */
#include <math.h>
#include <string.h>

#include "core/trust_private.h"

#define FLOOR_LOW 0.60    /* low findings alone never take the target below it */
#define FLOOR_MEDIUM 0.20 /* nor low and medium ones */
#define SCAR_HIGH 0.03
#define SCAR_CRITICAL 0.10
#define CAP_BY_RATINGS 0.50

/* What a finding of full confidence does: the ceiling c, and d, by which several add up. */
static const struct {
	double ceiling;
	double share;
} severities[TRUST_SEVERITY_COUNT] = {
	[TRUST_INFO] = { 1, 0 },      [TRUST_LOW] = { 0.85, 0.07 }, [TRUST_MEDIUM] = { 0.50, 0.25 },
	[TRUST_HIGH] = { 0.15, 0.6 }, [TRUST_CRITICAL] = { 0, 1 },
};

/* --- the target --------------------------------------------------------------------- */

double trust_finding_ceiling(const struct trust_finding *f)
{
	return 1 - f->confidence * (1 - severities[f->severity].ceiling);
}

double trust_finding_factor(const struct trust_finding *f)
{
	return 1 - severities[f->severity].share * f->confidence;
}

static double floor_of(unsigned int worst)
{
	if (worst >= TRUST_HIGH)
		return 0;
	return worst == TRUST_MEDIUM ? FLOOR_MEDIUM : FLOOR_LOW;
}

static double scarred(const struct trust_security *s, uint64_t now, uint64_t *next)
{
	double max = 1;

	for (uint32_t i = 0; i < s->n_scars; i++) {
		const struct trust_scar *scar = &s->scars[i];

		if (scar->until_ns <= now)
			continue;
		max -= SCAR_HIGH * scar->high + SCAR_CRITICAL * scar->critical;
		if (scar->until_ns < *next)
			*next = scar->until_ns;
	}
	return fmax(max, 0);
}

static bool counts(const struct trust_finding *f, bool waived)
{
	return !(f->flags & TRUST_GONE) && (waived || !(f->flags & TRUST_WAIVED));
}

struct trust_limits trust_security_limits(const struct trust_security *s,
					  const struct trust_policy *p, uint64_t now_ns,
					  bool waived)
{
	uint64_t age = (uint64_t)(p->scan_max_age_days * TRUST_DAY_NS);
	struct trust_limits l = { .lowest = 1, .product = 1, .cap = 1, .next_ns = SG_FOREVER };
	unsigned int worst = TRUST_INFO;

	for (uint32_t i = 0; i < s->n_findings; i++) {
		const struct trust_finding *f = &s->findings[i];

		if (!counts(f, waived))
			continue;
		l.lowest = fmin(l.lowest, trust_finding_ceiling(f));
		l.product *= trust_finding_factor(f);
		if (f->severity > worst)
			worst = f->severity;
	}
	if (s->rest.n && !(s->rest.flags & TRUST_GONE) &&
	    (waived || !(s->rest.flags & TRUST_WAIVED))) {
		l.lowest = fmin(l.lowest, s->rest.ceiling);
		l.product *= s->rest.product;
		if (s->rest.worst > worst)
			worst = s->rest.worst;
	}
	l.floor = floor_of(worst);
	l.scarred = scarred(s, now_ns, &l.next_ns);
	l.scanned = s->scanned && now_ns - s->scan_ns < age;
	if (l.scanned && s->scan_ns + age < l.next_ns)
		l.next_ns = s->scan_ns + age;
	if (!l.scanned)
		l.cap = p->unscanned;
	if (s->capped)
		l.cap = fmin(l.cap, CAP_BY_RATINGS);
	l.target = fmin(fmin(fmax(l.lowest * l.product, l.floor), l.scarred), l.cap);
	return l;
}

/* --- S over time ------------------------------------------------------------------------ */

static double rise(const struct trust_policy *p, double from, double target, uint64_t ns)
{
	return fmin(target, from + p->security_rise_per_day * ((double)ns / TRUST_DAY_NS));
}

double trust_security_at(const struct trust_security *s, const struct trust_policy *p,
			 uint64_t now_ns)
{
	double value = s->jump && !s->had_finding ? s->target : s->anchor;
	double target = s->target;
	uint64_t from = s->anchor_ns;
	uint64_t next = s->next_ns;

	while (next <= now_ns) { /* at most once for each scar, and for the scan */
		struct trust_limits l = trust_security_limits(s, p, next, true);

		value = rise(p, value, target, next - from);
		from = next;
		target = l.target;
		next = l.next_ns;
	}
	return rise(p, value, target, now_ns - from);
}

void trust_security_init(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns)
{
	*s = (struct trust_security){ .anchor = p->unscanned, .anchor_ns = now_ns };
	trust_security_end(s, p, now_ns);
}

static void sweep(struct trust_security *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_findings; i++)
		if (!(s->findings[i].flags & TRUST_GONE))
			s->findings[n++] = s->findings[i];
	s->n_findings = n;
	if (s->rest.flags & TRUST_GONE)
		memset(&s->rest, 0, sizeof(s->rest));
}

static void scars_end(struct trust_security *s, uint64_t now)
{
	uint32_t n = 0;

	while (n < s->n_scars && s->scars[n].until_ns <= now)
		n++;
	s->n_scars -= n;
	memmove(s->scars, s->scars + n, s->n_scars * sizeof(s->scars[0]));
}

/* Once an instant: what is read then rises from what S was before anything happened. */
void trust_security_begin(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns)
{
	if (now_ns <= s->anchor_ns)
		return;
	s->anchor = trust_security_at(s, p, now_ns);
	s->anchor_ns = now_ns;
	s->jump = false;
	sweep(s);
	scars_end(s, now_ns);
}

void trust_security_end(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns)
{
	struct trust_limits l = trust_security_limits(s, p, now_ns, true);

	s->target = l.target;
	s->next_ns = l.next_ns;
}

/* --- scars -------------------------------------------------------------------------------- */

/* If there is no room, the two that end first become one that ends with the later. */
static void scars_merge(struct trust_security *s)
{
	s->scars[1].high += s->scars[0].high;
	s->scars[1].critical += s->scars[0].critical;
	s->n_scars--;
	memmove(s->scars, s->scars + 1, s->n_scars * sizeof(s->scars[0]));
}

static void scar_add(struct trust_security *s, uint64_t until, uint32_t high, uint32_t critical)
{
	uint32_t i = 0;

	while (i < s->n_scars && s->scars[i].until_ns < until)
		i++;
	if (i == s->n_scars || s->scars[i].until_ns != until) {
		if (s->n_scars == TRUST_SCARS) {
			scars_merge(s);
			i -= i > 0;
		}
		memmove(s->scars + i + 1, s->scars + i, (s->n_scars - i) * sizeof(s->scars[0]));
		s->scars[i] = (struct trust_scar){ .until_ns = until };
		s->n_scars++;
	}
	s->scars[i].high += high;
	s->scars[i].critical += critical;
}

static void scar_by(struct trust_security *s, const struct trust_policy *p, uint64_t now,
		    unsigned int severity)
{
	uint64_t until = now + (uint64_t)(p->scar_days * TRUST_DAY_NS);

	if (severity >= TRUST_HIGH)
		scar_add(s, until, severity == TRUST_HIGH, severity == TRUST_CRITICAL);
}

/* A finding of this instant is graver than its first report said: one scar, not two. */
static void scar_take(struct trust_security *s, const struct trust_policy *p, uint64_t now,
		      unsigned int severity)
{
	uint64_t until = now + (uint64_t)(p->scar_days * TRUST_DAY_NS);

	for (uint32_t i = 0; severity == TRUST_HIGH && i < s->n_scars; i++)
		if (s->scars[i].until_ns == until && s->scars[i].high)
			s->scars[i].high--;
}

/* --- findings ----------------------------------------------------------------------------- */

static int compare(const uint64_t a[2], const uint64_t b[2])
{
	if (a[0] != b[0])
		return a[0] < b[0] ? -1 : 1;
	return (a[1] > b[1]) - (a[1] < b[1]);
}

/* The place of the identity, or where it would stand. */
static uint32_t place_of(const struct trust_security *s, const uint64_t identity[2])
{
	uint32_t i = 0;

	while (i < s->n_findings && compare(s->findings[i].identity, identity) < 0)
		i++;
	return i;
}

static bool is_at(const struct trust_security *s, uint32_t i, const uint64_t identity[2])
{
	return i < s->n_findings && !compare(s->findings[i].identity, identity);
}

static bool is_grave(const struct trust_policy *p, const struct trust_finding *f)
{
	return f->severity >= TRUST_HIGH && f->confidence >= p->quarantine_confidence;
}

/* Two bits of 128 for an identity; false: both were set. */
static bool rest_learns(struct trust_rest *rest, const uint64_t identity[2])
{
	bool new = false;

	for (int i = 0; i < 2; i++) {
		uint64_t *word = &rest->known[identity[i] >> 6 & 1];
		uint64_t bit = UINT64_C(1) << (identity[i] & 63);

		new |= !(*word & bit);
		*word |= bit;
	}
	return new;
}

static void rest_add(struct trust_security *s, const struct trust_policy *p,
		     const struct trust_finding *f)
{
	struct trust_rest *rest = &s->rest;

	if (!rest->n)
		*rest = (struct trust_rest){
			.scanner = f->scanner, .ceiling = 1, .product = 1, .flags = f->flags
		};
	rest->flags &= f->flags; /* what holds for all of them */
	if (f->seen_ns > rest->seen_ns)
		rest->seen_ns = f->seen_ns;
	if (f->ruleset > rest->ruleset)
		rest->ruleset = f->ruleset;
	if (!rest_learns(rest, f->identity))
		return;
	if (rest->scanner != f->scanner)
		rest->scanner = 0;
	rest->ceiling = fmin(rest->ceiling, trust_finding_ceiling(f));
	rest->product *= trust_finding_factor(f);
	rest->worst = f->severity > rest->worst ? f->severity : rest->worst;
	rest->blocks |= is_grave(p, f) && !(f->flags & TRUST_WAIVED);
	rest->n++;
}

static bool is_lighter(const struct trust_finding *a, const struct trust_finding *b)
{
	if (a->severity != b->severity)
		return a->severity < b->severity;
	if (a->confidence < b->confidence || a->confidence > b->confidence)
		return a->confidence < b->confidence;
	return compare(a->identity, b->identity) < 0;
}

static void finding_insert(struct trust_security *s, const struct trust_policy *p,
			   const struct trust_finding *f)
{
	uint32_t lightest = 0;
	uint32_t i;

	if (!s->findings) {
		rest_add(s, p, f);
		return;
	}
	if (s->n_findings == TRUST_FINDINGS) {
		for (i = 1; i < s->n_findings; i++)
			if (is_lighter(&s->findings[i], &s->findings[lightest]))
				lightest = i;
		if (is_lighter(f, &s->findings[lightest])) {
			rest_add(s, p, f);
			return;
		}
		rest_add(s, p, &s->findings[lightest]);
		s->n_findings--;
		memmove(s->findings + lightest, s->findings + lightest + 1,
			(s->n_findings - lightest) * sizeof(*f));
	}
	i = place_of(s, f->identity);
	memmove(s->findings + i + 1, s->findings + i, (s->n_findings - i) * sizeof(*f));
	s->findings[i] = *f;
	s->n_findings++;
}

static double confidence_of(const struct trust_report *report)
{
	if (isnan(report->confidence))
		return 1;
	return fmin(fmax(report->confidence, 0), 1);
}

/*
 * The same finding once more. Of two reports of one instant the graver counts, in whatever order;
 * of an earlier one nothing but a waiver is left.
 */
static void finding_again(struct trust_security *s, const struct trust_policy *p, uint64_t now,
			  struct trust_finding *f, const struct trust_report *report)
{
	double confidence = confidence_of(report);
	bool fresh = f->seen_ns < now;

	if (fresh)
		f->flags &= (uint8_t)~TRUST_RAISED;
	if (report->severity > f->peak) {
		if (f->flags & TRUST_RAISED)
			scar_take(s, p, now, f->peak);
		scar_by(s, p, now, report->severity);
		f->peak = (uint8_t)report->severity;
		f->flags &= (uint8_t)~TRUST_WAIVED;
		f->flags |= TRUST_RAISED;
	}
	if (fresh || report->severity > f->severity ||
	    (report->severity == f->severity && confidence > f->confidence)) {
		f->severity = (uint8_t)report->severity;
		f->confidence = confidence;
	}
	if (fresh || report->ruleset > f->ruleset)
		f->ruleset = report->ruleset;
	f->seen_ns = now;
	f->flags &= (uint8_t)~TRUST_GONE;
}

void trust_security_report(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns,
			   const struct trust_report *report)
{
	uint32_t i = place_of(s, report->identity);
	struct trust_finding f = {
		.identity = { report->identity[0], report->identity[1] },
		.scanner = report->scanner,
		.since_ns = now_ns,
		.seen_ns = now_ns,
		.confidence = confidence_of(report),
		.ruleset = report->ruleset,
		.severity = (uint8_t)report->severity,
		.peak = (uint8_t)report->severity,
		.flags = TRUST_RAISED,
	};

	s->had_finding = true;
	if (is_at(s, i, report->identity)) {
		finding_again(s, p, now_ns, &s->findings[i], report);
		return;
	}
	scar_by(s, p, now_ns, f.severity);
	finding_insert(s, p, &f);
}

static bool clears(const struct trust_scan *scan, const struct trust_finding *f, uint64_t now)
{
	return f->scanner == scan->scanner && f->ruleset <= scan->ruleset && f->seen_ns < now &&
	       (f->severity <= TRUST_MEDIUM || f->flags & TRUST_INHERITED);
}

void trust_security_scan(struct trust_security *s, uint64_t now_ns, const struct trust_scan *scan)
{
	s->scanned = true;
	s->scan_ns = now_ns;
	if (!scan->clean)
		return;
	s->jump |= !s->had_clean;
	s->had_clean = true;
	for (uint32_t i = 0; i < s->n_findings; i++)
		if (clears(scan, &s->findings[i], now_ns))
			s->findings[i].flags |= TRUST_GONE;
	if (s->rest.n && s->rest.scanner == scan->scanner && s->rest.ruleset <= scan->ruleset &&
	    s->rest.seen_ns < now_ns &&
	    (s->rest.worst <= TRUST_MEDIUM || s->rest.flags & TRUST_INHERITED))
		s->rest.flags |= TRUST_GONE;
}

static bool is_stale(const struct trust_finding *f, uint64_t now_ns, uint64_t scanner)
{
	return f->scanner == scanner && f->seen_ns < now_ns && !(f->flags & TRUST_GONE);
}

bool trust_security_stale(const struct trust_security *s, uint64_t now_ns, uint64_t scanner)
{
	for (uint32_t i = 0; i < s->n_findings; i++)
		if (is_stale(&s->findings[i], now_ns, scanner))
			return true;
	return false;
}

void trust_security_withdraw(struct trust_security *s, uint64_t now_ns, uint64_t scanner)
{
	for (uint32_t i = 0; i < s->n_findings; i++)
		if (is_stale(&s->findings[i], now_ns, scanner))
			s->findings[i].flags |= TRUST_GONE;
}

void trust_security_identity(struct trust_security *s)
{
	s->scanned = false;
	for (uint32_t i = 0; i < s->n_findings; i++)
		s->findings[i].flags |= TRUST_INHERITED;
	s->rest.flags |= TRUST_INHERITED;
}

void trust_security_inherit(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns,
			    const struct trust_security *from, double from_now)
{
	for (uint32_t i = 0; i < from->n_findings; i++) {
		struct trust_finding f = from->findings[i];

		if (f.flags & TRUST_GONE || is_at(s, place_of(s, f.identity), f.identity))
			continue;
		f.flags |= TRUST_INHERITED;
		finding_insert(s, p, &f);
	}
	if (from->rest.n && !(from->rest.flags & TRUST_GONE)) {
		bool none = !s->rest.n;

		s->rest.ceiling = fmin(none ? 1 : s->rest.ceiling, from->rest.ceiling);
		s->rest.product = fmin(none ? 1 : s->rest.product, from->rest.product);
		s->rest.known[0] |= from->rest.known[0];
		s->rest.known[1] |= from->rest.known[1];
		s->rest.seen_ns = now_ns;
		s->rest.worst = from->rest.worst > s->rest.worst ? from->rest.worst : s->rest.worst;
		s->rest.blocks |= from->rest.blocks;
		s->rest.flags = TRUST_INHERITED;
		s->rest.scanner = 0;
		s->rest.n = s->rest.n > from->rest.n ? s->rest.n : from->rest.n;
	}
	for (uint32_t i = 0; i < from->n_scars; i++)
		if (from->scars[i].until_ns > now_ns)
			scar_add(s, from->scars[i].until_ns, from->scars[i].high,
				 from->scars[i].critical);
	s->had_finding |= from->had_finding;
	s->had_clean |= from->had_clean;
	s->capped |= from->capped;
	s->anchor = fmin(s->anchor, from_now);
}

void trust_security_waive(struct trust_security *s)
{
	for (uint32_t i = 0; i < s->n_findings; i++)
		s->findings[i].flags |= TRUST_WAIVED;
	s->rest.flags |= TRUST_WAIVED;
	s->rest.blocks = false;
}

bool trust_security_mark(struct trust_security *s, const uint64_t identity[2], uint8_t flag)
{
	uint32_t i = place_of(s, identity);

	if (!is_at(s, i, identity))
		return false;
	s->findings[i].flags |= flag;
	return true;
}

bool trust_security_blocks(const struct trust_security *s, const struct trust_policy *p)
{
	for (uint32_t i = 0; i < s->n_findings; i++)
		if (counts(&s->findings[i], false) && is_grave(p, &s->findings[i]))
			return true;
	return s->rest.n && s->rest.blocks && !(s->rest.flags & TRUST_GONE);
}

bool trust_security_restricts(const struct trust_security *s)
{
	for (uint32_t i = 0; i < s->n_findings; i++)
		if (counts(&s->findings[i], true) && s->findings[i].severity >= TRUST_MEDIUM)
			return true;
	return s->rest.n && s->rest.worst >= TRUST_MEDIUM && !(s->rest.flags & TRUST_GONE);
}
