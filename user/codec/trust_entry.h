/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of the trust in one server: the model's state together with the findings in
 * words, and the entries of servers that are not configured any more. What identifies a
 * server or a finding is a digest (codec/digest.h), since whoever is judged chooses some of it.
 */
#ifndef SWITCHGEAR_CODEC_TRUST_ENTRY_H
#define SWITCHGEAR_CODEC_TRUST_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/messages_trust.h"
#include "codec/trust_file.h"

/* What is rated, H: the digest of what is known of it (core/trust.h). A text may be NULL: that is
 * not known. Without memory *ret is all zero, which stands for an identity that is not known. */
void trust_identity(const char *const texts[TRUST_FIELD_COUNT], struct trust_id *ret);

/*
 * One record of a report (codec/findings.h), taken over: f is empty then, or still the
 * caller's, to be freed by it in any case. `is_scan`: the report is of a whole scan, so that the
 * server has been scanned by it. Whether this finding was known.
 */
bool trust_entry_report(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
			struct finding *f, bool is_scan);
/* What `source` found and has not reported at this instant is gone (trust_withdraw()). */
bool trust_entry_withdraw(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
			  const char *source);
/*
 * The server has another list of tools, of this digest, or it is known now for the first time.
 * `pull`: a finding about it, taken over as above; NULL: none. Rules quarantine for it only if the
 * policy says so.
 */
void trust_entry_tools(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
		       const char *digest, const struct trust_id *id, struct finding *pull);
/* An operator approves of the present list: what was found of that kind is none any more. */
void trust_entry_approve(struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns);
/* Forgets the words of findings that do not weigh any more: at the end of a report. */
void trust_entry_tidy(struct trust_entry *e);

/* Why a rule quarantines it, in one line. */
void trust_entry_reason(const struct trust_entry *e, const struct trust_view *view, char *ret,
			size_t size);

/* Everything that its score is made of; `wall` makes wall time of the model's. -ENOMEM:
 * reply_explain_done() in any case. */
int trust_entry_explain(const struct trust_entry *e, const struct trust_policy *p, uint64_t now_ns,
			uint64_t (*wall)(void *arg, uint64_t ns), void *arg,
			struct reply_explain *ret) MUST_CHECK;

/* Takes an entry out of those that are kept: the one of this name, else of this place. */
bool trust_file_take(struct trust_file *f, const char *name, const struct trust_id *place,
		     struct trust_entry *ret);
/* Keeps one, which it takes over; among more than max the one that nothing happened to for
 * longest gives way, as does *e without memory. */
void trust_file_keep(struct trust_file *f, struct trust_entry *e, size_t max);

#endif
