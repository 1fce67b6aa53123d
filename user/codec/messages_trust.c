/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/messages_trust.h"

#include <errno.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/messages.h"

#define DEPTH_MAX 6U

static int word_from(const char *const *words, const char *name)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], name))
			return i;
	return -EINVAL;
}

static const char *severity_name(unsigned int value)
{
	return value < TRUST_SEVERITY_COUNT ? trust_severity_names[value] : "?";
}

static int severity_from_name(const char *name)
{
	return word_from(trust_severity_names, name);
}

static const char *band_name(unsigned int value)
{
	return value < TRUST_BAND_COUNT ? trust_band_names[value] : "?";
}

static int band_from_name(const char *name)
{
	return word_from(trust_band_names, name);
}

static const char *const rules[] = { "none", "finding", "score", NULL };

static const char *rule_name(unsigned int value)
{
	return value <= TRUST_BY_SCORE ? rules[value] : "?";
}

static int rule_from_name(const char *name)
{
	return word_from(rules, name);
}

/* clang-format off */
#define FINDING(key, kind, member, ...) FIELD(key, kind, explain_finding, member, __VA_ARGS__)
static const struct field finding_fields[] = {
	FINDING("source", KIND_STRING, source),
	FINDING("rule", KIND_STRING, rule),
	FINDING("location", KIND_STRING, location),
	FINDING("message", KIND_STRING, message),
	FINDING("severity", KIND_WORD, severity, FIELD_WORDS(severity, TRUST_INFO)),
	FINDING("confidence", KIND_NUMBER, confidence),
	FINDING("ceiling", KIND_NUMBER, ceiling),
	FINDING("factor", KIND_NUMBER, factor),
	FINDING("age_s", KIND_SPAN, age_ns),
	FINDING("waived", KIND_BOOL, waived),
	FIELDS_STOP
};

#define CHANGE(key, kind, member, ...) FIELD(key, kind, explain_change, member, __VA_ARGS__)
static const struct field change_fields[] = {
	CHANGE("time", KIND_TIME, wall_ns),
	CHANGE("n", KIND_UINT32, n),
	CHANGE("before", KIND_NUMBER, before),
	CHANGE("after", KIND_NUMBER, after),
	CHANGE("causes", KIND_STRING, causes),
	FIELDS_STOP
};

#define RATER(key, kind, member, ...) FIELD(key, kind, explain_rater, member, __VA_ARGS__)
static const struct field rater_fields[] = {
	RATER("name", KIND_STRING, name),
	RATER("key", KIND_STRING, key),
	RATER("value", KIND_NUMBER, value),
	RATER("weight", KIND_NUMBER, weight),
	RATER("fade", KIND_NUMBER, fade),
	RATER("inherited", KIND_BOOL, inherited),
	RATER("revoked", KIND_BOOL, revoked),
	FIELD_LIST(explain_rater, path, NULL),
	FIELDS_STOP
};

#define EXPLAIN(key, kind, member, ...) FIELD(key, kind, reply_explain, member, __VA_ARGS__)
#define IT(key, kind, member, ...) EXPLAIN(key, kind, trust.member, __VA_ARGS__)
static const struct field explain_fields[] = {
	EXPLAIN("server", KIND_TEXT, server),
	IT("score", KIND_NUMBER, view.score),
	IT("band", KIND_WORD, view.band, FIELD_WORDS(band, TRUST_WATCH)),
	IT("performance", KIND_NUMBER, view.performance),
	IT("security", KIND_NUMBER, view.security),
	IT("community", KIND_NUMBER, view.community),
	IT("strikes", KIND_UINT32, view.strikes),
	IT("quarantine", KIND_WORD, view.quarantine, FIELD_WORDS(rule, TRUST_FREE)),
	IT("restricted", KIND_BOOL, view.restricted),
	IT("community_weight", KIND_NUMBER, community_weight),
	IT("score_max", KIND_NUMBER, score_max),
	FIELD_OBJECT("of_performance"),
		IT("fast_good", KIND_NUMBER, fast.good),
		IT("fast_bad", KIND_NUMBER, fast.bad),
		IT("slow_good", KIND_NUMBER, slow.good),
		IT("slow_bad", KIND_NUMBER, slow.bad),
		IT("prior", KIND_NUMBER, prior),
		IT("prior_weight", KIND_NUMBER, prior_weight),
		IT("fast", KIND_NUMBER, performance_fast),
		IT("slow", KIND_NUMBER, performance_slow),
		IT("evidence_age_s", KIND_SPAN, evidence_age_ns),
	FIELD_END,
	FIELD_OBJECT("of_security"),
		IT("lowest", KIND_NUMBER, lowest),
		IT("product", KIND_NUMBER, product),
		IT("floor", KIND_NUMBER, floor),
		IT("scarred", KIND_NUMBER, scarred),
		IT("cap", KIND_NUMBER, cap),
		IT("target", KIND_NUMBER, target),
		IT("scanned", KIND_BOOL, scanned),
		IT("capped", KIND_BOOL, capped),
		IT("anchor", KIND_NUMBER, anchor),
		IT("rise_per_day", KIND_NUMBER, rise_per_day),
		IT("scan_age_s", KIND_LEFT, scan_age_ns),
	FIELD_END,
	FIELD_OBJECT("of_community"),
		IT("good", KIND_NUMBER, ratings_good),
		IT("bad", KIND_NUMBER, ratings_bad),
		IT("age_s", KIND_SPAN, ratings_age_ns),
		EXPLAIN("negative_weight", KIND_NUMBER, negative_weight),
		EXPLAIN("unknown", KIND_UINT32, unknown.n),
		EXPLAIN("unknown_good", KIND_NUMBER, unknown.good),
		EXPLAIN("unknown_bad", KIND_NUMBER, unknown.bad),
		EXPLAIN("others", KIND_UINT32, others.n),
		EXPLAIN("others_good", KIND_NUMBER, others.good),
		EXPLAIN("others_bad", KIND_NUMBER, others.bad),
	FIELD_END,
	IT("successes", KIND_UINT32, successes),
	IT("known_s", KIND_SPAN, known_ns),
	FIELD_LIST(reply_explain, findings, finding_fields),
	FIELD_LIST(reply_explain, changes, change_fields),
	FIELD_LIST(reply_explain, advice, NULL),
	FIELD_LIST(reply_explain, raters, rater_fields),
	FIELDS_STOP
};

#define SERVER(key, kind, member, ...) FIELD(key, kind, report_server, member, __VA_ARGS__)
static const struct field server_fields[] = {
	SERVER("server", KIND_STRING, server),
	SERVER("findings", KIND_UINT32, findings),
	SERVER("known", KIND_UINT32, known),
	SERVER("clean", KIND_BOOL, clean),
	SERVER("before", KIND_NUMBER, before),
	SERVER("after", KIND_NUMBER, after),
	FIELDS_STOP
};

static const struct field report_fields[] = {
	FIELD("format", KIND_WORD, reply_report, format, FIELD_WORDS(findings_format, FINDINGS_AUTO)),
	FIELD("passed_over", KIND_UINT64, reply_report, passed_over),
	FIELD_LIST(reply_report, servers, server_fields),
	FIELD_LIST(reply_report, unmatched, server_fields),
	FIELDS_STOP
};
/* clang-format on */

static const struct document explain_document = {
	explain_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "server", json_type_string } }
};
static const struct document report_document = {
	report_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "servers", json_type_array } }
};

void reply_explain_done(struct reply_explain *e)
{
	for (size_t i = 0; i < e->n_findings; i++) {
		free(e->findings[i].source);
		free(e->findings[i].rule);
		free(e->findings[i].location);
		free(e->findings[i].message);
	}
	for (size_t i = 0; i < e->n_changes; i++)
		free(e->changes[i].causes);
	for (size_t i = 0; i < e->n_advice; i++)
		free(e->advice[i]);
	for (size_t i = 0; i < e->n_raters; i++) {
		for (size_t k = 0; k < e->raters[i].n_path; k++)
			free(e->raters[i].path[k]);
		free(e->raters[i].path);
		free(e->raters[i].name);
		free(e->raters[i].key);
	}
	free(e->raters);
	free(e->findings);
	free(e->changes);
	free(e->advice);
	*e = (struct reply_explain){ 0 };
}

int reply_explain_encode(const struct reply_explain *e, struct buf *out)
{
	return document_encode(&explain_document, e, URL_MASKED, out);
}

int reply_explain_decode(const char *text, size_t len, struct reply_explain *ret)
{
	return document_decode(&explain_document, text, len, ret);
}

static void servers_done(struct report_server *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].server);
	free(v);
}

void reply_report_done(struct reply_report *r)
{
	servers_done(r->servers, r->n_servers);
	servers_done(r->unmatched, r->n_unmatched);
	*r = (struct reply_report){ 0 };
}

int reply_report_encode(const struct reply_report *r, struct buf *out)
{
	return document_encode(&report_document, r, URL_MASKED, out);
}

int reply_report_decode(const char *text, size_t len, struct reply_report *ret)
{
	return document_decode(&report_document, text, len, ret);
}
