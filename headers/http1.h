/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What Switchgear wants to know of an HTTP/1.x answer's header, scanned byte
 * by byte so that it may be torn anywhere: the status, how long the body is,
 * what it claims to be, and Retry-After. The scanner is an automaton whose
 * table user space builds (core/answer.h): a byte costs three loads and no
 * branch, which keeps the verifier's work linear.
 *
 * The end of a chunked body is recognised by the last seven bytes that came
 * (CRLF 0 CRLF CRLF) where a segment ends: exact unless a server tears a chunk
 * that itself ends so at just that place, which makes its own exchange end early
XX
 */
#ifndef SWITCHGEAR_HTTP1_H
#define SWITCHGEAR_HTTP1_H

#include "abi.h"

#define SG_HTTP_BAD 1U      /* not HTTP/1.x, or a malformed length */
#define SG_HTTP_END 2U      /* the header is complete */
#define SG_HTTP_TYPE 4U     /* a Content-Type was there */
#define SG_HTTP_TYPE_MCP 8U /* and it was application/json or text/event-stream */
#define SG_HTTP_RETRY 16U   /* a Retry-After was there */
#define SG_HTTP_LENGTH 32U  /* a Content-Length was there */
#define SG_HTTP_CHUNKED 64U /* Transfer-Encoding says chunked */
#define SG_HTTP_STREAM 128U /* the content type was text/event-stream */

/* States that code names; the builder numbers the others. */
enum sg_http_state {
	SG_HTTP_STATE_BAD,
	SG_HTTP_STATE_START,
	SG_HTTP_STATE_END,
	SG_HTTP_STATE_LINE, /* at the start of a header line */
	SG_HTTP_STATE_SKIP, /* in a line that does not matter */
	SG_HTTP_STATE_FREE, /* first one that the builder may number */
};

static __always_inline void sg_http_reset(struct sg_http *h)
{
	h->number[0] = 0;
	h->number[1] = 0;
	h->number[2] = 0;
	h->number[3] = 0;
	h->state = SG_HTTP_STATE_START;
	h->bits = 0;
	h->framing = SG_FRAMING_UNKNOWN;
	h->body = SG_HTTP_BODY_UNKNOWN;
}

/*
 * Takes one byte in `state` and returns the next one; adds to h->number and *bits. Each
 * byte waits for the state of the one before, which therefore is not kept in memory:: the
 * loads and stores between them were most of what a byte costs.
 */
static __always_inline __u32 sg_http_step(struct sg_http *h, const struct sg_http_table *t,
					  __u32 state, __u32 *bits, __u8 byte)
{
	__u32 class = t->class[byte] & (SG_HTTP_CLASSES - 1);
	__u32 next = t->next[state & (SG_HTTP_STATES - 1)][class] & (SG_HTTP_STATES - 1);
	__u32 slot = t->slot[next] & 3;

	h->number[slot] = h->number[slot] * 10 + (byte & 15);
	*bits |= t->effect[next];
	return next;
}

/* Feeds one byte; look at h->bits for SG_HTTP_END and SG_HTTP_BAD. */
static __always_inline void sg_http_byte(struct sg_http *h, const struct sg_http_table *t,
					 __u8 byte)
{
	__u32 bits = h->bits;

	h->state = (__u8)sg_http_step(h, t, h->state, &bits, byte);
	h->bits = (__u8)bits;
}

static __always_inline __u32 sg_http_status(const struct sg_http *h)
{
	return (__u32)h->number[SG_SLOT_STATUS];
}

/* An interim answer (1xx, but 101 is final): the real one follows; reset and go on. */
static __always_inline bool sg_http_interim(const struct sg_http *h)
{
	__u32 s = sg_http_status(h);

	return h->bits & SG_HTTP_END && s >= 100 && s < 200 && s != 101;
}

/* Has an answer with this header no body, whatever its fields say? */
static __always_inline bool sg_http_bodyless(const struct sg_http *h, __u8 method)
{
	__u32 s = sg_http_status(h);

	return method == SG_METHOD_HEAD || s == 204 || s == 304 || s == 101;
}

/* How the end of the body will be known, by a complete header. */
static __always_inline enum sg_framing sg_http_framing(const struct sg_http *h)
{
	if (h->bits & SG_HTTP_CHUNKED)
		return SG_FRAMING_CHUNKED;
	if (h->bits & SG_HTTP_LENGTH)
		return SG_FRAMING_LENGTH;
	return SG_FRAMING_CLOSE;
}

/* The header is complete: notes how its body ends, or that it has none. */
static __always_inline void sg_http_body_begin(struct sg_http *h)
{
	h->framing = (__u8)sg_http_framing(h);
	if (h->framing == SG_FRAMING_LENGTH && !h->number[SG_SLOT_LENGTH])
		h->body = SG_HTTP_BODY_NONE;
}

/* Is `tail` (the last eight bytes, newest lowest) the end of a chunked body? */
static __always_inline bool sg_http_chunked_end(__u64 tail)
{
	return (tail & 0x00ffffffffffffffULL) == 0x000d0a300d0a0d0aULL;
}

/*
 * What a finished header means (class and cause; docs/protocol.md, "outcomes"):
 * 5xx but 501 and 505 are hard, 429 and 503 with Retry-After soft, other
 * statuses neutral; a 200 to a POST must be JSON or an event stream. Without a body
 * there is nothing to be of a wrong type: as 202 it takes note of a notification, to
 * which there is no answer, so it is none of anything else either. Successes and
 * neutral answers still need their body to be complete.
 */
static __always_inline enum sg_class sg_http_class(const struct sg_http *h, __u8 method,
						   __u8 *cause)
{
	__u32 s = sg_http_status(h);

	*cause = SG_CAUSE_STATUS;
	if (h->bits & SG_HTTP_BAD || s < 100 || s > 599) {
		*cause = SG_CAUSE_BAD_RESPONSE;
		return SG_HARD;
	}
	if (s == 429 || (s == 503 && h->bits & SG_HTTP_RETRY))
		return SG_SOFT;
	if (s >= 500 && s != 501 && s != 505)
		return SG_HARD;
	if (s < 200 || s >= 300 || s == 202 || s == 204 || s == 205 || h->body == SG_HTTP_BODY_NONE)
		return SG_CALLER;
	if (method == SG_METHOD_GET || method == SG_METHOD_DELETE || method == SG_METHOD_HEAD)
		return SG_CALLER;
	if (method == SG_METHOD_POST && s == 200 && h->bits & SG_HTTP_TYPE &&
	    !(h->bits & SG_HTTP_TYPE_MCP)) {
		*cause = SG_CAUSE_BAD_RESPONSE;
		return SG_HARD;
	}
	*cause = SG_CAUSE_ANSWER;
	return SG_SUCCESS;
}

/* The method that a request's first four bytes (big-endian) announce. */
static __always_inline enum sg_method sg_http_method(__u32 head)
{
	switch (head) {
	case 0x504f5354: /* POST */
		return SG_METHOD_POST;
	case 0x47455420: /* GET */
		return SG_METHOD_GET;
	case 0x44454c45: /* DELE(TE) */
		return SG_METHOD_DELETE;
	case 0x48454144: /* HEAD */
		return SG_METHOD_HEAD;
	case 0x50555420: /* PUT */
	case 0x4f505449: /* OPTI(ONS) */
	case 0x50415443: /* PATC(H) */
		return SG_METHOD_OTHER;
	default:
		return SG_METHOD_UNKNOWN;
	}
}

#endif
