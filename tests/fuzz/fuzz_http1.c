/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whatever comes on a connection: how it was cut changes nothing of what is told, errors and
 * their places included; a head that is taken can be written again and is read as the same;
 * what is kept stays within its limit. Input: two bytes (kind, what the answers are to, length
 * of the pieces), then the connection up to its end.
 */
#include <stdint.h>
#include <stdlib.h>

#include "unit/codec/http1_transcript.h"

#define TOLD_MAX (1U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_head(const struct http1 *h, struct buf *out)
{
	int r = h->status ? http1_put_status(out, h->status, h->reason)
			  : http1_put_request(out, h->method, h->target);

	for (unsigned int i = 0; !r && i < h->n_fields; i++)
		r = http1_put_field(out, http1_field(h, i).name, http1_field(h, i).value);
	if (!r)
		r = http1_put_end(out);
	if (r)
		abort();
}

/* The first head, if it is of HTTP/1.1 and strict, comes back from what we write of it. */
static void check_again(enum http1_kind kind, const uint8_t *data, size_t size)
{
	CLEANUP(http1_done) struct http1 first = { 0 };
	CLEANUP(http1_done) struct http1 again = { 0 };
	CLEANUP(buf_done) struct buf out = BUF(TOLD_MAX);
	struct http1_span in = { (const char *)data, size };
	struct http1_span body;

	http1_init(&first, kind, HTTP1_HEAD_MAX);
	if (http1_feed(&first, &in, &body) != HTTP1_HEAD || !first.minor)
		return;
	if (first.head.len > first.head_max || first.n_fields > HTTP1_FIELDS_MAX)
		abort();
	put_head(&first, &out);
	http1_init(&again, kind, HTTP1_HEAD_MAX * 2);
	in = (struct http1_span){ buf_str(&out), out.len };
	if (http1_feed(&again, &in, &body) != HTTP1_HEAD || in.len ||
	    again.n_fields != first.n_fields || again.framing != first.framing ||
	    again.length != first.length || again.persist != first.persist ||
	    again.upgrade != first.upgrade || again.status != first.status)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_done) struct buf whole = BUF(TOLD_MAX);
	CLEANUP(buf_done) struct buf torn = BUF(TOLD_MAX);
	struct http1_script s = { .exact = true, .eof = true };

	if (size < 2)
		return 0;
	s.kind = (enum http1_kind)(data[0] % 3);
	s.asked = (enum http1_asked)(data[0] / 4 % 3);
	http1_transcript(&whole, &s, (const char *)data + 2, size - 2);
	s.first = data[1] % 16 + 1;
	s.piece = data[1] / 16 + 1;
	http1_transcript(&torn, &s, (const char *)data + 2, size - 2);
	if (whole.error || torn.error || whole.len != torn.len ||
	    (whole.len && memcmp(whole.data, torn.data, whole.len) != 0))
		abort();
	if (s.kind != HTTP1_ANSWERS_TOLERANT)
		check_again(s.kind, data + 2, size - 2);
	return 0;
}
