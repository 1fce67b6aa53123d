/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever a server answers: how its bytes were cut changes nothing, neither where the answer
 * ends nor what it means; states stay inside their tables, and no size of a chunk has more
 * than 60 bits. Input: two bytes (method, size of the pieces), then the answer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unit/core/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct scan *s)
{
	const struct sg_http *h = &s->http;

	if (h->chunk >= SG_CHUNK_STATES || (s->complete && !s->body))
		abort();
	if (s->body && h->framing == SG_FRAMING_CHUNKED && h->chunk != SG_CHUNK_BAD &&
	    h->number[SG_SLOT_LENGTH] >> SG_CHUNK_TOO_LARGE)
		abort();
	if (h->chunk == SG_CHUNK_DATA && !h->number[SG_SLOT_LENGTH])
		abort();
}

/* Reads an answer in pieces; returns how many bytes were its own. */
static size_t read_answer(struct scan *s, const struct sg_http_table *table, __u8 method,
			  const uint8_t *data, size_t size, size_t piece)
{
	size_t taken = 0;

	scan_init(s, table, method);
	for (size_t i = 0; i < size; i += piece) {
		taken += scan_segment(s, (const char *)data + i,
				      size - i < piece ? size - i : piece);
		check(s);
	}
	return taken;
}

static bool same(const struct scan *a, const struct scan *b)
{
	__u8 method = a->method;
	__u8 cause_a;
	__u8 cause_b;

	return a->complete == b->complete && a->body == b->body && a->interims == b->interims &&
	       a->http.bits == b->http.bits && a->http.framing == b->http.framing &&
	       a->http.chunk == b->http.chunk &&
	       !memcmp(a->http.number + 1, b->http.number + 1, 3 * sizeof(a->http.number[0])) &&
	       sg_http_class(&a->http, method, &cause_a) ==
		       sg_http_class(&b->http, method, &cause_b) &&
	       cause_a == cause_b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sg_http_table table;
	static bool built;
	struct scan whole;
	struct scan torn;

	if (size < 2)
		return 0;
	if (!built && answer_table_build(&table))
		abort();
	built = true;
	if (read_answer(&whole, &table, data[0] % SG_METHOD_COUNT, data + 2, size - 2,
			SIZE_MAX / 2) != read_answer(&torn, &table, data[0] % SG_METHOD_COUNT,
						     data + 2, size - 2, 1 + data[1] % 64) ||
	    !same(&whole, &torn))
		abort();
	return 0;
}
