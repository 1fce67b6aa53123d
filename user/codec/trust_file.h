/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is kept of the trust in servers over restarts: a JSON document with the state of the
 * model (core/trust.h), and the findings in words. Numbers are written so that they read back as
 * the same. Like all state it may be damaged; then nothing of it counts.
 *
 * Times are of the clock that the model runs on: it goes on from one boot of the host to the
 * next, see trust_file_clock().
 */
#ifndef SWITCHGEAR_CODEC_TRUST_FILE_H
#define SWITCHGEAR_CODEC_TRUST_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/findings.h"
#include "codec/state.h"
#include "core/trust.h"

#define TRUST_FILE_VERSION 1U
#define TRUST_FILE_MAX (64U << 20)
#define TRUST_RECORDS_MAX 64U /* findings in words that are kept of a server */

/* One server, configured or not any more. Owned. */
struct trust_entry {
	char name[SG_NAME_LEN];
	char tools_digest[65]; /* of the list of tools in trust.identity; "": not known */
	struct trust_id place; /* H without it, by which it is found again */
	double unpulled; /* S before its tools were changed behind one's back; 0: they were not */
	struct trust trust; /* its pointers are the two below, or NULL */
	struct trust_finding *findings;
	struct trust_tool *tools;
	struct finding *records;
	size_t n_records;
};

struct trust_file {
	uint64_t clock_ns;        /* of the model, when it was saved */
	struct state_clock saved; /* the host's, then */
	struct trust_entry *entries;
	size_t n_entries;
};

void trust_entry_done(struct trust_entry *e);
void trust_file_done(struct trust_file *f);

/* The model's clock less boot time: what was saved, and what has passed since. */
uint64_t trust_file_clock(const struct trust_file *f, const struct state_clock *now);

/* Appends the document with a line break at its end; buf_error(). */
int trust_file_encode(const struct trust_file *f, struct buf *out) MUST_CHECK;
/* -EBADMSG: it is none, or damaged; -EPROTONOSUPPORT: another version; what is wrong in why.
 * -ENOMEM. */
int trust_file_decode(const char *text, size_t len, struct trust_file *ret,
		      struct buf *why) MUST_CHECK;

#endif
