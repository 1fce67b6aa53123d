/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is kept of servers' tools over restarts: for each the list that was seen last, and the one
 * that is approved. Like all state it may be damaged; then nothing of it counts.
 */
#ifndef SWITCHGEAR_CODEC_TOOLS_FILE_H
#define SWITCHGEAR_CODEC_TOOLS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/tools.h"
#include "core/status.h"

#define TOOLS_FILE_VERSION 1U
#define TOOLS_FILE_MAX (64U << 20)
#define TOOLS_CHANGES_SHOWN 64U

/* Of one server, configured or not any more. Owned. */
struct tools_entry {
	char name[SG_NAME_LEN];
	char *place;                     /* where it answers, as it is shown; NULL: not known */
	char version[TOOLS_VERSION_LEN]; /* of who offered what was seen last */
	struct tools seen;
	uint64_t seen_wall_ns; /* the latest asking that brought it; 0: there was no list yet */
	struct tools approved;
	uint64_t approved_wall_ns;
	char approved_by[STATUS_BY_LEN]; /* who, or why without anybody */
	bool pulled;                     /* it changed under its version, and nobody approved */
};

struct tools_file {
	struct tools_entry *v;
	size_t n;
};

void tools_entry_done(struct tools_entry *e);
void tools_file_done(struct tools_file *f);

struct finding;

/* That it changed under its version: a finding of ours, in these words. finding_done() in any
 * case. -ENOMEM. */
int tools_entry_finding(const struct tools_entry *e, const char *text, uint64_t wall_ns,
			struct finding *ret) MUST_CHECK;
/* Fills to->tools, but for `unknown`, and to->changed. -ENOMEM. */
int tools_entry_show(const struct tools_entry *e, struct status_server *to) MUST_CHECK;

/* Appends the document with a line break at its end; buf_error(): -EMSGSIZE: too much of it. */
int tools_file_encode(const struct tools_file *f, struct buf *out) MUST_CHECK;
/* -EBADMSG: it is none, or damaged; -EPROTONOSUPPORT: another version; what is wrong in why.
 * -ENOMEM. */
int tools_file_decode(const char *text, size_t len, struct tools_file *ret,
		      struct buf *why) MUST_CHECK;

#endif
