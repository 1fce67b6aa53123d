/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON output, key by key in the order of the calls, into a buf whose error
 * state sticks. `key` is NULL for elements of lists and for the document itself.
 * Text that is not UTF-8 is written with U+FFFD in the wrong places, so that the
 * output is always valid.
 */
#ifndef SWITCHGEAR_CODEC_JSONW_H
#define SWITCHGEAR_CODEC_JSONW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/url.h"

#define JSONW_DEPTH_MAX 16U

struct jsonw {
	struct buf *out;
	enum url_view view; /* of URLs in what jsonw_text() writes; as they are: URL_MASKED */
	unsigned int depth;
	bool more[JSONW_DEPTH_MAX]; /* the open container has an element already */
};

void jsonw_init(struct jsonw *w, struct buf *out); /* out stays the caller's */
void jsonw_object(struct jsonw *w, const char *key);
void jsonw_object_end(struct jsonw *w);
void jsonw_list(struct jsonw *w, const char *key);
void jsonw_list_end(struct jsonw *w);
void jsonw_null(struct jsonw *w, const char *key);
void jsonw_bool(struct jsonw *w, const char *key, bool value);
void jsonw_uint(struct jsonw *w, const char *key, uint64_t value);
/* What may not have been counted: UINT32_MAX is null. */
void jsonw_count(struct jsonw *w, const char *key, uint32_t value);
/* A name of simulate: not terminated, may hold NULs; a line feed is \u000a, DEL itself. */
void jsonw_bytes(struct jsonw *w, const char *key, const char *value, size_t len);
void jsonw_text(struct jsonw *w, const char *key, const char *value); /* NULL: null */
/* The shortest decimal that reads back as the same double; null if not finite. */
void jsonw_double(struct jsonw *w, const char *key, double value);
/* Seconds with up to nine decimals, exact. */
void jsonw_seconds(struct jsonw *w, const char *key, uint64_t ns);
/* RFC 3339 in UTC from wall time in ns. */
void jsonw_time(struct jsonw *w, const char *key, uint64_t wall_ns);

#endif
