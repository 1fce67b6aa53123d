/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An answer as the programs read it: segment by segment, header and chunks in pieces of
 * the sizes that they use, by the same code (headers/http1.h).
 */
#ifndef SWITCHGEAR_TESTS_UNIT_SCAN_H
#define SWITCHGEAR_TESTS_UNIT_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/answer.h"

#define SCAN_HEAD 1024 /* bytes of a header at a time */
#define SCAN_CHUNK 32  /* and between the data of chunks */

struct scan {
	const struct sg_http_table *table;
	struct sg_http http;
	__u8 method;
	bool body;     /* the header is complete */
	bool complete; /* the answer is */
	size_t interims;
};

static inline void scan_init(struct scan *s, const struct sg_http_table *table, __u8 method)
{
	*s = (struct scan){ .table = table, .method = method };
	sg_http_reset(&s->http);
}

/* One piece of the header, up to where the scan has to stop. */
static inline size_t scan_head(struct scan *s, const char *data, size_t len)
{
	struct sg_http *h = &s->http;
	__u32 state = h->state;
	__u32 bits = h->bits;
	size_t i = 0;

	while (i < len && i < SCAN_HEAD && !(bits & SG_HTTP_STOP))
		state = sg_http_step(h, s->table, state, &bits, (__u8)data[i++]);
	h->state = (__u8)state;
	h->bits = (__u16)bits;
	if (bits & SG_HTTP_STOP)
		sg_http_stopped(h);
	if (sg_http_interim(h)) {
		s->interims++;
		sg_http_reset(h);
	}
	return i;
}

/* Data of a chunk, and one piece of what is behind it. */
static inline size_t scan_chunk(struct scan *s, const char *data, size_t len)
{
	size_t skipped = sg_chunk_skip(&s->http, (__u32)len);
	__u64 left = s->http.number[SG_SLOT_LENGTH];
	__u32 state = s->http.chunk;
	size_t i = 0;

	if (skipped == len)
		return len;
	data += skipped;
	while (skipped + i < len && i < SCAN_CHUNK) {
		state = sg_chunk_step(s->table, state, &left, (__u8)data[i++]);
		if (sg_chunk_stops(state, left))
			break;
	}
	sg_chunk_stopped(&s->http, state, left);
	return skipped + i;
}

/* The part of a segment that is body; returns how much of it is this answer's. */
static inline size_t scan_body(struct scan *s, const char *data, size_t len)
{
	struct sg_http *h = &s->http;
	size_t taken = 0;

	if (sg_http_bodyless(h, s->method)) {
		s->complete = true;
		return 0;
	}
	if (h->framing == SG_FRAMING_LENGTH) {
		taken = len < h->number[SG_SLOT_LENGTH] ? len : h->number[SG_SLOT_LENGTH];
		h->number[SG_SLOT_LENGTH] -= taken;
		s->complete = !h->number[SG_SLOT_LENGTH];
		return taken;
	}
	if (h->framing != SG_FRAMING_CHUNKED)
		return len;
	while (taken < len && h->chunk > SG_CHUNK_END)
		taken += scan_chunk(s, data + taken, len - taken);
	s->complete = h->chunk == SG_CHUNK_END;
	return taken;
}

/* One segment; returns how many of its bytes are this answer's. */
static inline size_t scan_segment(struct scan *s, const char *data, size_t len)
{
	struct sg_http *h = &s->http;
	size_t taken = 0;

	if (s->complete)
		return 0;
	while (!s->body && taken < len) {
		taken += scan_head(s, data + taken, len - taken);
		s->body = h->bits & (SG_HTTP_END | SG_HTTP_BAD);
		if (s->body && !(h->bits & SG_HTTP_BAD))
			sg_http_body_begin(h);
	}
	if (s->body)
		taken += scan_body(s, data + taken, len - taken);
	return taken;
}

#endif
