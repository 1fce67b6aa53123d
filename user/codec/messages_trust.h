/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the API tells of trust, as codec/messages.h does of everything else. */
#ifndef SWITCHGEAR_CODEC_MESSAGES_TRUST_H
#define SWITCHGEAR_CODEC_MESSAGES_TRUST_H

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/findings.h"
#include "core/trust.h"

/* A finding that counts, as it was told and as it weighs. Texts are owned. */
struct explain_finding {
	char *source;
	char *rule;
	char *location;
	char *message;
	uint32_t severity; /* enum trust_severity */
	double confidence;
	double ceiling;
	double factor;
	uint64_t age_ns;
	bool waived;
};

struct explain_change {
	uint64_t wall_ns;
	uint32_t n;
	double before;
	double after;
	char *causes;
};

/* Who rated it and is believed: with a path, or revoked. Owned. */
struct explain_rater {
	char *name; /* or the first digits of the key */
	char *key;  /* all of its digits */
	double value;
	double weight;
	double fade;    /* by age */
	bool inherited; /* of the identity before: only what is bad counts */
	bool revoked;
	char **path; /* names, from the anchor to the rater */
	size_t n_path;
};

/* Raters that are not told of one by one: how many, and what they come to together. */
struct explain_raters {
	uint32_t n;
	double good; /* sum of weight x fade x value */
	double bad;  /* the same, before negative_weight */
};

/* Reply to explain. trust.terms, trust.changes and what is borrowed by them are not in it. */
struct reply_explain {
	char server[SG_NAME_LEN];
	struct trust_explanation trust;
	struct explain_finding *findings;
	size_t n_findings;
	struct explain_change *changes; /* oldest first */
	size_t n_changes;
	char **advice;
	size_t n_advice;
	double negative_weight;        /* of ratings; NAN: nobody said so */
	struct explain_raters unknown; /* without a path */
	struct explain_raters others;  /* with one, beyond those that are listed */
	struct explain_rater *raters;  /* who weighs most first */
	size_t n_raters;
};

void reply_explain_done(struct reply_explain *e);
int reply_explain_encode(const struct reply_explain *e, struct buf *out) MUST_CHECK;
/* *ret is all 0 before; reply_explain_done() in any case. */
int reply_explain_decode(const char *text, size_t len, struct reply_explain *ret) MUST_CHECK;

/* A server in a report, and what became of what was said of it. Owned. */
struct report_server {
	char *server;      /* configured; or, unmatched, what the scanner calls it */
	uint32_t findings; /* in the report */
	uint32_t known;    /* of them */
	bool clean;        /* a scan of it found nothing */
	double before;     /* score */
	double after;
};

/* Reply to a report of findings. */
struct reply_report {
	uint32_t format; /* enum findings_format */
	uint64_t passed_over;
	struct report_server *servers;
	size_t n_servers;
	struct report_server *unmatched;
	size_t n_unmatched;
};

void reply_report_done(struct reply_report *r);
int reply_report_encode(const struct reply_report *r, struct buf *out) MUST_CHECK;
int reply_report_decode(const char *text, size_t len, struct reply_report *ret) MUST_CHECK;

#endif
