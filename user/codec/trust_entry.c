/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/trust_entry.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/trust_advice.h"
#include "codec/digest.h"

void trust_identity(const char *const texts[TRUST_FIELD_COUNT], struct trust_id *ret)
{
	struct trust_bytes fields[TRUST_FIELD_COUNT];
	CLEANUP(freep) uint8_t *bytes = NULL;
	struct digest d;
	size_t n;

	for (int i = 0; i < TRUST_FIELD_COUNT; i++)
		fields[i] = (struct trust_bytes){ texts[i], texts[i] ? strlen(texts[i]) : 0 };
	n = trust_identity_bytes(fields, NULL, 0);
	bytes = malloc(n);
	*ret = (struct trust_id){ 0 };
	if (!bytes)
		return; /* not known, then */
	(void)trust_identity_bytes(fields, bytes, n);
	digest_bytes(bytes, n, &d);
	memcpy(ret->b, d.b, sizeof(ret->b));
}

/* --- findings ------------------------------------------------------------------------------------ */

static uint64_t hash_of(const char *text)
{
	struct digest d;
	uint64_t ret;

	digest_texts(&text, 1, &d);
	memcpy(&ret, d.b, sizeof(ret));
	return ret;
}

/* "1.2.3" as a number that grows with it. */
static uint32_t ruleset_of(const char *version)
{
	unsigned int part[3] = { 0 };

	if (!version)
		return 0;
	version += strcspn(version, "0123456789");
	(void)sscanf(version, "%3u.%3u.%3u", &part[0], &part[1], &part[2]);
	return (part[0] * 1000 + part[1]) * 1000 + part[2];
}

static struct trust_report report_of(const struct finding *f)
{
	const char *const texts[] = { f->source, f->rule, f->digest, f->location };
	struct trust_report r = { .scanner = hash_of(f->source),
				  .ruleset = ruleset_of(f->version),
				  .severity = (enum trust_severity)(f->severity - FINDING_INFO),
				  .confidence = f->confidence };
	struct digest d;

	digest_texts(texts, ARRAY_SIZE(texts), &d);
	memcpy(r.identity, d.b, sizeof(r.identity));
	return r;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_record(const struct finding *a, const struct finding *b)
{
	return same_text(a->source, b->source) && same_text(a->rule, b->rule) &&
	       same_text(a->digest, b->digest) && same_text(a->location, b->location);
}

/* Takes the record over, in place of what was said of the same before. Was there something? */
static bool remember(struct trust_entry *e, struct finding *f)
{
	struct finding *v;

	for (size_t i = 0; i < e->n_records; i++) {
		if (!same_record(&e->records[i], f))
			continue;
		finding_done(&e->records[i]);
		e->records[i] = *f;
		*f = (struct finding){ 0 };
		return true;
	}
	if (e->n_records == TRUST_RECORDS_MAX)
		return false; /* it weighs all the same; `explain` has no words for it */
	v = reallocarray(e->records, e->n_records + 1, sizeof(*v));
	if (!v)
		return false;
	e->records = v;
	v[e->n_records++] = *f;
	*f = (struct finding){ 0 };
	return false;
}

static const struct trust_finding *weight_of(const struct trust_entry *e, const struct finding *f)
{
	struct trust_report r = report_of(f);

	for (uint32_t i = 0; e->findings && i < e->trust.security.n_findings; i++)
		if (!memcmp(e->findings[i].identity, r.identity, sizeof(r.identity)) &&
		    !(e->findings[i].flags & TRUST_GONE))
			return &e->findings[i];
	return NULL;
}

void trust_entry_tidy(struct trust_entry *e)
{
	for (size_t i = 0; i < e->n_records;) {
		if (e->records[i].severity == FINDING_INFO || weight_of(e, &e->records[i])) {
			i++;
			continue;
		}
		finding_done(&e->records[i]);
		e->records[i] = e->records[--e->n_records];
	}
}

/* Without memory each finding weighs as one of the rest (core/trust.h). */
static void give_memory(struct trust_entry *e)
{
	if (e->findings)
		return;
	e->findings = calloc(TRUST_FINDINGS, sizeof(*e->findings));
	trust_give(&e->trust, NULL, e->findings);
}

bool trust_entry_report(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
			struct finding *f, bool is_scan)
{
	struct trust_report report = report_of(f);
	struct trust_scan scan = { .scanner = report.scanner,
				   .ruleset = report.ruleset,
				   .clean = f->severity == FINDING_CLEAN };

	give_memory(e);
	if (!scan.clean)
		(void)trust_finding(&e->trust, p, now_ns, NULL, &report);
	if (scan.clean || is_scan)
		(void)trust_scan(&e->trust, p, now_ns, NULL, &scan);
	return !scan.clean && remember(e, f);
}

bool trust_entry_withdraw(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
			  const char *source)
{
	return trust_withdraw(&e->trust, p, now_ns, hash_of(source));
}

void trust_entry_tools(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
		       const char *digest, const struct trust_id *id, struct finding *pull)
{
	struct trust_report report;
	struct trust_view view;

	trust_read(&e->trust, p, now_ns, &view);
	if (!*e->tools_digest)
		trust_learn(&e->trust, id); /* what was rated until now had one, too */
	else
		trust_identify(&e->trust, p, now_ns, id, true);
	snprintf(e->tools_digest, sizeof(e->tools_digest), "%s", digest);
	if (!pull)
		return;
	if (!(e->unpulled > 0))
		e->unpulled = view.security;
	report = report_of(pull);
	(void)trust_entry_report(e, p, now_ns, pull, false);
	if (!p->rug_pull_quarantine)
		(void)trust_waive(&e->trust, p, now_ns, report.identity);
}

void trust_entry_approve(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns)
{
	for (size_t i = 0; i < e->n_records; i++) {
		const struct finding *f = &e->records[i];
		struct trust_report report;

		if (!same_text(f->source, FINDING_OURS) || !same_text(f->rule, FINDING_RUG_PULL))
			continue;
		report = report_of(f);
		(void)trust_settle(&e->trust, p, now_ns, report.identity, e->unpulled);
	}
	e->unpulled = 0;
}

/* The worst of what weighs and that nobody has waived, for the reason of a quarantine by rule. */
static const struct finding *worst(const struct trust_entry *e)
{
	const struct finding *found = NULL;

	for (size_t i = 0; i < e->n_records; i++) {
		const struct trust_finding *weight = weight_of(e, &e->records[i]);

		if (!weight || weight->flags & TRUST_WAIVED)
			continue;
		if (!found || e->records[i].severity > found->severity ||
		    (e->records[i].severity == found->severity &&
		     e->records[i].confidence > found->confidence))
			found = &e->records[i];
	}
	return found;
}

void trust_entry_reason(const struct trust_entry *e, const struct trust_view *view, char *ret,
			size_t size)
{
	const struct finding *f = worst(e);

	if (view->quarantine == TRUST_BY_FINDING && f)
		snprintf(ret, size, "%s finding of %.40s: %.60s%s%.60s%s%.100s",
			 finding_severity_name(f->severity), f->source, f->rule ? f->rule : "-",
			 f->location ? " at " : "", f->location ? f->location : "",
			 f->message ? ": " : "", f->message ? f->message : "");
	else
		snprintf(ret, size, "its trust fell to %.1f (performance %.2f, security %.2f)",
			 view->score, view->performance, view->security);
}

/* --- what is told of it -------------------------------------------------------------------------- */

static char *copy(const char *text)
{
	return strdup(text ? text : "");
}

static const struct finding *words_of(const struct trust_entry *e, const struct trust_finding *f)
{
	for (size_t i = 0; f && i < e->n_records; i++) {
		struct trust_report r = report_of(&e->records[i]);

		if (!memcmp(r.identity, f->identity, sizeof(r.identity)))
			return &e->records[i];
	}
	return NULL;
}

static int explain_findings(const struct trust_entry *e, struct reply_explain *to)
{
	to->findings = calloc(to->trust.n_terms + 1, sizeof(*to->findings));
	if (!to->findings)
		return -ENOMEM;
	for (uint32_t i = 0; i < to->trust.n_terms; i++) {
		const struct trust_term *term = &to->trust.terms[i];
		const struct finding *words = words_of(e, term->finding);
		struct explain_finding *f = &to->findings[to->n_findings++];

		f->source = copy(words ? words->source : NULL);
		f->rule = copy(words ? words->rule : "the others, together");
		f->location = copy(words ? words->location : NULL);
		f->message = copy(words ? words->message : NULL);
		if (!f->source || !f->rule || !f->location || !f->message)
			return -ENOMEM;
		f->severity = term->finding ? term->finding->severity
					    : e->trust.security.rest.worst;
		f->confidence = term->finding ? term->finding->confidence : NAN;
		f->waived = term->finding && term->finding->flags & TRUST_WAIVED;
		f->ceiling = term->ceiling;
		f->factor = term->factor;
		f->age_ns = term->age_ns;
	}
	return 0;
}

static int explain_changes(uint64_t (*wall)(void *arg, uint64_t ns), void *arg,
			   struct reply_explain *to)
{
	const struct trust_explanation *e = &to->trust;

	to->changes = calloc(e->n_changes + 1, sizeof(*to->changes));
	if (!to->changes)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->n_changes; i++) {
		struct explain_change *c = &to->changes[to->n_changes++];
		struct buf causes = BUF(512);

		trust_causes_print(e->changes[i].causes, &causes);
		c->causes = copy(buf_str(&causes));
		buf_done(&causes);
		if (!c->causes)
			return -ENOMEM;
		c->wall_ns = wall(arg, e->changes[i].t_ns);
		c->n = e->changes[i].n;
		c->before = e->changes[i].before;
		c->after = e->changes[i].after;
	}
	return 0;
}

static int explain_advice(struct reply_explain *to)
{
	CLEANUP(buf_done) struct buf lines = BUF(TRUST_ADVICE_MAX);
	char *save = NULL;

	trust_advice(&to->trust, &lines);
	to->advice = calloc(lines.len + 1, sizeof(*to->advice));
	if (!to->advice || buf_error(&lines))
		return -ENOMEM;
	for (char *line = lines.len ? strtok_r(lines.data, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		to->advice[to->n_advice] = strdup(line);
		if (!to->advice[to->n_advice++])
			return -ENOMEM;
	}
	return 0;
}

int trust_entry_explain(const struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
			uint64_t (*wall)(void *arg, uint64_t ns), void *arg,
			struct reply_explain *ret)
{
	int r;

	*ret = (struct reply_explain){ 0 };
	snprintf(ret->server, sizeof(ret->server), "%s", e->name);
	trust_explain(&e->trust, p, now_ns, &ret->trust);
	r = explain_findings(e, ret);
	if (!r)
		r = explain_changes(wall, arg, ret);
	return r ? r : explain_advice(ret);
}

/* --- those that are kept ---------------------------------------------------------------------- */

/* Until its list of tools was known that was its identity. */
static bool is_at(const struct trust_entry *e, const struct trust_id *place)
{
	return !memcmp(e->place.b, place->b, sizeof(place->b)) ||
	       !memcmp(e->trust.identity.b, place->b, sizeof(place->b));
}

bool trust_file_take(struct trust_file *f, const char *name, const struct trust_id *place,
		     struct trust_entry *ret)
{
	struct trust_entry *found = NULL;

	for (size_t i = 0; i < f->n_entries && !found; i++)
		if (!strcmp(f->entries[i].name, name))
			found = &f->entries[i];
	for (size_t i = 0; i < f->n_entries && !found; i++)
		if (is_at(&f->entries[i], place))
			found = &f->entries[i];
	if (!found)
		return false;
	*ret = *found;
	*found = f->entries[--f->n_entries];
	return true;
}

static size_t stalest(const struct trust_file *f)
{
	size_t found = 0;

	for (size_t i = 1; i < f->n_entries; i++)
		if (f->entries[i].trust.now_ns < f->entries[found].trust.now_ns)
			found = i;
	return found;
}

void trust_file_keep(struct trust_file *f, struct trust_entry *e, size_t max)
{
	struct trust_entry *v;

	if (f->n_entries >= max) {
		size_t i = stalest(f);

		trust_entry_done(&f->entries[i]);
		f->entries[i] = *e;
	} else {
		v = reallocarray(f->entries, f->n_entries + 1, sizeof(*v));
		if (!v) {
			trust_entry_done(e);
			return;
		}
		f->entries = v;
		v[f->n_entries++] = *e;
	}
	*e = (struct trust_entry){ 0 };
}
