/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What http1 tells of some bytes, as a text: two are the same if the same was told. Each piece
 * is in memory of its own, so that a sanitizer sees what is read beyond it.
 */
#ifndef SWITCHGEAR_TESTS_UNIT_HTTP1_TRANSCRIPT_H
#define SWITCHGEAR_TESTS_UNIT_HTTP1_TRANSCRIPT_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/http1.h"

struct http1_script {
	enum http1_kind kind;
	enum http1_asked asked; /* what the answers are to */
	bool eof;               /* the connection ends behind the bytes */
	bool exact;             /* with the error, and where it is */
	size_t first;           /* length of the first piece */
	size_t piece;           /* of the others; 0: all that is left */
};

struct http1_teller {
	struct http1 *h;
	struct buf *out;
	bool body; /* the last that was told is a piece of it */
};

static inline void http1_tell_span(struct buf *out, const char *before, struct http1_span s)
{
	buf_puts(out, before);
	if (s.len)
		buf_append(out, s.p, s.len);
}

static inline void http1_tell_head(struct http1_teller *t)
{
	const struct http1 *h = t->h;

	buf_puts(t->out, "HEAD");
	if (h->status) {
		buf_printf(t->out, " %u", h->status);
		http1_tell_span(t->out, " ", h->reason);
	} else {
		http1_tell_span(t->out, " ", h->method);
		http1_tell_span(t->out, " ", h->target);
	}
	buf_printf(t->out, " 1.%u\n", h->minor);
	for (unsigned int i = 0; i < h->n_fields; i++) {
		http1_tell_span(t->out, " ", http1_field(h, i).name);
		http1_tell_span(t->out, ": ", http1_field(h, i).value);
		buf_putc(t->out, '\n');
	}
}

/* True if nothing may follow: an error, or another protocol. */
static inline bool http1_tell(struct http1_teller *t, const struct http1_script *s,
			      enum http1_event e, struct http1_span body)
{
	bool other = t->h->tunnel || (s->kind == HTTP1_REQUESTS &&
				      (t->h->upgrade || http1_equal(t->h->method, "CONNECT")));

	if (t->body && e != HTTP1_BODY && e != HTTP1_MORE)
		buf_putc(t->out, '\n');
	if (e == HTTP1_BODY)
		http1_tell_span(t->out, t->body ? "" : "BODY ", body);
	else if (e == HTTP1_HEAD)
		http1_tell_head(t);
	else if (e == HTTP1_MESSAGE)
		buf_puts(t->out, other ? "MESSAGE\nTUNNEL\n" : "MESSAGE\n");
	else if (e == HTTP1_ERROR && s->exact)
		buf_printf(t->out, "ERROR %s at %llu of %llu\n", http1_error_words(t->h->error),
			   (unsigned long long)t->h->error_at, (unsigned long long)t->h->taken);
	else if (e == HTTP1_ERROR)
		buf_puts(t->out, "ERROR\n");
	if (e != HTTP1_MORE)
		t->body = e == HTTP1_BODY;
	return e == HTTP1_ERROR || (e == HTTP1_MESSAGE && other);
}

static inline bool http1_tell_piece(struct http1_teller *t, const struct http1_script *s,
				    const char *data, size_t len)
{
	CLEANUP(freep) char *copy = malloc(len ? len : 1);
	struct http1_span in = { copy, len };
	bool over = false;
	enum http1_event e;

	if (!copy)
		abort();
	memcpy(copy, data, len);
	do {
		struct http1_span body;

		e = http1_feed(t->h, &in, &body);
		over = http1_tell(t, s, e, body);
		http1_asked(t->h, s->asked);
	} while (!over && e != HTTP1_MORE);
	if (e == HTTP1_MORE && in.len)
		abort();
	return over;
}

/* Appends to out, which must be large enough. */
static inline void http1_transcript(struct buf *out, const struct http1_script *s, const char *data,
				    size_t len)
{
	CLEANUP(http1_done) struct http1 h = { 0 };
	struct http1_teller t = { &h, out, false };
	size_t n = s->first;
	bool over = false;

	http1_init(&h, s->kind, HTTP1_HEAD_MAX);
	http1_asked(&h, s->asked);
	for (size_t at = 0; at < len && !over; at += n, n = s->piece) {
		if (!n || n > len - at)
			n = len - at;
		over = http1_tell_piece(&t, s, data + at, n);
	}
	if (!over && s->eof)
		over = http1_tell(&t, s, http1_eof(&h), (struct http1_span){ 0 });
	if (t.body)
		buf_putc(out, '\n');
}

#endif
