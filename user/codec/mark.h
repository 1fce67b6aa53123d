/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mark in the state directory that a detach leaves, and that a start respects: it is there
 * until somebody attaches again, whatever stands in it.
 */
#ifndef SWITCHGEAR_CODEC_MARK_H
#define SWITCHGEAR_CODEC_MARK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/status.h"

#define MARK_FILE "detached.json"
#define MARK_SIZE_MAX 4096U
#define MARK_TEXT_MAX 256

struct mark {
	char by[STATUS_BY_LEN]; /* "root (uid 0), pid 4711 (switchgear)" */
	uint64_t wall_ns;       /* when */
};

int mark_encode(const struct mark *mark, struct buf *out) MUST_CHECK;
/* "by root (uid 0) at 2026-11-29T01:30:00Z"; text NULL, or damaged: that nobody knows. Returns out, which
 * has MARK_TEXT_MAX bytes. */
const char *mark_describe(const char *text, size_t len, char *out);

#endif
