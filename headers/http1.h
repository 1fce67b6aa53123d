/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What Switchgear wants to know of an HTTP/1.x answer, scanned byte by byte so that
 * it may be torn anywhere: of its header the status, how long the body is, what it
 * claims to be, and Retry-After; of a body in chunks where it ends. The scanners are
 * automata whose tables user space builds (core/answer.h): a byte costs three loads
 * and no branch, which keeps the verifier's work linear. Data of chunks is skipped.
 */
#ifndef SWITCHGEAR_HTTP1_H
#define SWITCHGEAR_HTTP1_H

#include "abi.h"

#define SG_HTTP_BAD 1U        /* not HTTP/1.x, or a malformed length */
#define SG_HTTP_END 2U        /* the header is complete */
#define SG_HTTP_TYPE 4U       /* a Content-Type was there */
#define SG_HTTP_TYPE_MCP 8U   /* and it was application/json or text/event-stream */
#define SG_HTTP_RETRY 16U     /* a Retry-After was there */
#define SG_HTTP_LENGTH 32U    /* a Content-Length was there */
#define SG_HTTP_CHUNKED 64U   /* Transfer-Encoding says chunked */
#define SG_HTTP_STREAM 128U   /* the content type was text/event-stream */
#define SG_HTTP_AGAIN 256U    /* one more Content-Length begins */
#define SG_HTTP_REPEATED 512U /* there was more than one */
#define SG_HTTP_DIFFERS 1024U /* and they were not the same */
#define SG_HTTP_DATE 2048U    /* Retry-After is a date */
#define SG_HTTP_TEXT 4096U    /* the content type was text/plain or text/html */
#define SG_HTTP_HOLE 8192U    /* some of the header was not seen */

/* Where a scan has to stop: what follows is not the automaton's. */
#define SG_HTTP_STOP (SG_HTTP_END | SG_HTTP_BAD | SG_HTTP_AGAIN)

/* States that code names; the builder numbers the others. */
enum sg_http_state {
	SG_HTTP_STATE_BAD,
	SG_HTTP_STATE_START,
	SG_HTTP_STATE_END,
	SG_HTTP_STATE_FREE, /* first one that the builder may number */
};

static __always_inline void sg_http_reset(struct sg_http *h)
{
	h->number[0] = 0;
	h->number[1] = 0;
	h->number[2] = 0;
	h->number[3] = 0;
	h->length = 0;
	h->state = SG_HTTP_STATE_START;
	h->bits = 0;
	h->framing = SG_FRAMING_UNKNOWN;
	h->body = SG_HTTP_BODY_UNKNOWN;
	h->chunk = 0;
}

/*
 * Takes one byte in `state` and returns the next one; adds to h->number and *bits. Each
 * byte waits for the state of the one before, which therefore is not kept in memory: the
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

/*
 * The scan has stopped. Several Content-Lengths are one if they say the same: each but
 * the first is compared when the next one begins, or the header ends. What is in chunks
 * has its length from them.
 */
static __always_inline void sg_http_stopped(struct sg_http *h)
{
	if (h->bits & SG_HTTP_REPEATED && h->number[SG_SLOT_LENGTH] != h->length)
		h->bits |= SG_HTTP_DIFFERS;
	if (h->bits & SG_HTTP_AGAIN) {
		if (!(h->bits & SG_HTTP_REPEATED))
			h->length = h->number[SG_SLOT_LENGTH];
		h->number[SG_SLOT_LENGTH] = 0;
		h->bits = (h->bits & ~SG_HTTP_AGAIN) | SG_HTTP_REPEATED;
	}
	if ((h->bits & (SG_HTTP_END | SG_HTTP_DIFFERS | SG_HTTP_CHUNKED)) ==
	    (SG_HTTP_END | SG_HTTP_DIFFERS))
		h->bits |= SG_HTTP_BAD;
}

/* Feeds one byte; look at h->bits for SG_HTTP_END and SG_HTTP_BAD. */
static __always_inline void sg_http_byte(struct sg_http *h, const struct sg_http_table *t,
					 __u8 byte)
{
	__u32 bits = h->bits;

	h->state = (__u8)sg_http_step(h, t, h->state, &bits, byte);
	h->bits = (__u16)bits;
	if (bits & SG_HTTP_STOP)
		sg_http_stopped(h);
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

/* Is what follows an answer with this header no HTTP any more? */
static __always_inline bool sg_http_tunnel(const struct sg_http *h, __u8 method)
{
	__u32 s = sg_http_status(h);

	return h->bits & SG_HTTP_END &&
	       (s == 101 || (method == SG_METHOD_CONNECT && s >= 200 && s < 300));
}

/* Has an answer with this header no body, whatever its fields say? */
static __always_inline bool sg_http_bodyless(const struct sg_http *h, __u8 method)
{
	__u32 s = sg_http_status(h);

	return method == SG_METHOD_HEAD || s == 204 || s == 304 || sg_http_tunnel(h, method);
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

/* --- chunks ------------------------------------------------------------------------ */

/* Where a body in chunks stands. The scan stops at the first three. */
enum sg_chunk_state {
	SG_CHUNK_BAD,
	SG_CHUNK_END,
	SG_CHUNK_DATA,
	SG_CHUNK_SIZE,       /* before the first digit of a size */
	SG_CHUNK_ZERO,       /* behind zeros */
	SG_CHUNK_DIGITS,     /* behind another digit */
	SG_CHUNK_EXTENSION,  /* behind the size */
	SG_CHUNK_SIZE_CR,    /* behind the CR that ends its line */
	SG_CHUNK_LAST,       /* behind the size of the last chunk, which is 0 */
	SG_CHUNK_LAST_CR,    /* behind the CR that ends that line */
	SG_CHUNK_AFTER,      /* behind the data */
	SG_CHUNK_AFTER_CR,   /* behind the CR that follows it */
	SG_CHUNK_TRAILER,    /* at the start of a line of the trailer */
	SG_CHUNK_FIELD,      /* in such a line */
	SG_CHUNK_TRAILER_CR, /* behind a CR at the start of a line */
};

#define SG_CHUNK_TOO_LARGE 60 /* no size has a bit there: one more digit must find room */

/* Takes a byte between the data of chunks in `state`, and returns the next one; a size
 * goes to *left. Stop at data, the end, a malformed byte, and a size that is too large. */
static __always_inline __u32 sg_chunk_step(const struct sg_http_table *t, __u32 state, __u64 *left,
					   __u8 byte)
{
	__u32 class = t->chunk_class[byte] & (SG_CHUNK_CLASSES - 1);
	__u32 next = t->chunk_next[state & (SG_CHUNK_STATES - 1)][class] & (SG_CHUNK_STATES - 1);
	__u64 shift = t->chunk_shift[next] & 4;
	__u64 digit = (byte & 15) + 9 * (byte >> 6); /* '0' to '9', 'A' to 'F', 'a' to 'f' */

	*left = (*left << shift) + (digit & (0 - (shift >> 2)));
	return next;
}

static __always_inline bool sg_chunk_stops(__u32 state, __u64 left)
{
	return state <= SG_CHUNK_DATA || left >> SG_CHUNK_TOO_LARGE;
}

/* The scan of what is between the data of chunks has stopped, or what came is all read. */
static __always_inline void sg_chunk_stopped(struct sg_http *h, __u32 state, __u64 left)
{
	h->number[SG_SLOT_LENGTH] = left;
	h->chunk = (__u8)(left >> SG_CHUNK_TOO_LARGE ? SG_CHUNK_BAD : state);
}

/* Data of the chunk, of at most `bytes`, is skipped: returns how much. */
static __always_inline __u32 sg_chunk_skip(struct sg_http *h, __u32 bytes)
{
	__u64 left = h->number[SG_SLOT_LENGTH];

	if (h->chunk != SG_CHUNK_DATA)
		return 0;
	if (bytes)
		h->body = SG_HTTP_BODY_BEGUN;
	if (bytes < left) {
		h->number[SG_SLOT_LENGTH] = left - bytes;
		return bytes;
	}
	h->number[SG_SLOT_LENGTH] = 0;
	h->chunk = SG_CHUNK_AFTER;
	return (__u32)left;
}

/* --- what it means ------------------------------------------------------------------ */

/* The header is complete: notes how its body ends, or that it has none. */
static __always_inline void sg_http_body_begin(struct sg_http *h)
{
	h->framing = (__u8)sg_http_framing(h);
	if (h->framing == SG_FRAMING_CHUNKED) {
		h->number[SG_SLOT_LENGTH] = 0; /* of the first chunk */
		h->chunk = SG_CHUNK_SIZE;
	} else if (h->framing == SG_FRAMING_LENGTH && !h->number[SG_SLOT_LENGTH]) {
		h->body = SG_HTTP_BODY_NONE;
	}
}

/* The body is complete, by chunks or by the end of the connection: none of it came? */
static __always_inline void sg_http_body_end(struct sg_http *h)
{
	if (h->body == SG_HTTP_BODY_UNKNOWN)
		h->body = SG_HTTP_BODY_NONE;
}

/* Bytes passed unseen inside the header: what it said there is not known, nor where it ends. */
static __always_inline void sg_http_hole(struct sg_http *h)
{
	h->bits = (h->bits & ~(SG_HTTP_TYPE | SG_HTTP_TEXT)) | SG_HTTP_HOLE;
	h->framing = SG_FRAMING_UNKNOWN;
}

/* Does the answer refuse what was asked? Then its body is of no matter. */
static __always_inline bool sg_http_refuses(const struct sg_http *h)
{
	return (h->bits & (SG_HTTP_END | SG_HTTP_BAD)) == SG_HTTP_END && sg_http_status(h) >= 300;
}

/*
 * What a finished header means (class and cause; docs/protocol.md, "outcomes"):
 * 5xx but 501 and 505 are hard, 429 and 503 with Retry-After soft, other
 * statuses neutral; a 200 to a POST must be JSON or an event stream. Without a body
 * there is nothing to be of a wrong type: as 202 it takes note of a notification, to
 * which there is no answer, so it is none of anything else either. What a proxy says
 * of itself is nothing of the server. Successes still need their body to be complete.
 */
static __always_inline enum sg_class sg_http_class(const struct sg_http *h, __u8 method,
						   __u8 *cause)
{
	__u32 s = sg_http_status(h);

	*cause = SG_CAUSE_UNSEEN;
	if (h->bits & SG_HTTP_HOLE && s < 200 && s != 101)
		return SG_UNKNOWN;
	*cause = SG_CAUSE_STATUS;
	if (h->bits & SG_HTTP_BAD || s < 100 || s > 599) {
		*cause = SG_CAUSE_BAD_RESPONSE;
		return SG_HARD;
	}
	if (s == 407 || (method == SG_METHOD_CONNECT && s >= 500)) {
		*cause = SG_CAUSE_PROXY;
		return SG_CALLER;
	}
	if (method == SG_METHOD_CONNECT)
		return SG_CALLER;
	if (s == 429 || (s == 503 && h->bits & SG_HTTP_RETRY)) {
		*cause = SG_CAUSE_LIMITED;
		return SG_SOFT;
	}
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

/* What is no success, by a proxy that forwards requests: may it speak of itself, or of the way to
 * the server? Nothing tells its own words from what it forwards. */
static __always_inline bool sg_http_by_proxy(const struct sg_http *h, __u8 cause)
{
	__u32 s = sg_http_status(h);

	return cause == SG_CAUSE_BAD_RESPONSE || cause == SG_CAUSE_PROXY || (s >= 502 && s <= 504);
}

/* A POST that found nothing, in words for people, not in JSON: nobody is there who would answer it. */
static __always_inline bool sg_http_no_route(const struct sg_http *h, __u8 method)
{
	return method == SG_METHOD_POST && sg_http_status(h) == 404 && h->bits & SG_HTTP_TEXT &&
	       h->body != SG_HTTP_BODY_NONE;
}

/* --- Retry-After --------------------------------------------------------------------- */

#define SG_DAY_S 86400U

/*
 * How long from the wall time `wall_ns` to the time of day of a date, whose digits end in
 * its hour, minute and second. More than SG_RETRY_AFTER_MAX_NS does not count, so that the day does
 * not matter; what is more than half a day ahead is past. 0 if there is no such time of day.
 */
static __always_inline __u64 sg_http_date_ns(__u64 digits, __u64 wall_ns)
{
	__u32 time = (__u32)(digits % 1000000);
	__u32 hour = time / 10000;
	__u32 minute = time / 100 % 100;
	__u32 second = time % 100;
	__u32 now = (__u32)(wall_ns / 1000000000ULL % SG_DAY_S);
	__u32 ahead;

	if (hour > 23 || minute > 59 || second > 60)
		return 0;
	ahead = (hour * 3600 + minute * 60 + second + SG_DAY_S - now) % SG_DAY_S;
	return ahead < SG_DAY_S / 2 ? ahead * 1000000000ULL : 0;
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
	case 0x434f4e4e: /* CONNECT */
		return SG_METHOD_CONNECT;
	case 0x50555420: /* PUT */
	case 0x4f505449: /* OPTI(ONS) */
	case 0x50415443: /* PATC(H) */
		return SG_METHOD_OTHER;
	default:
		return SG_METHOD_UNKNOWN;
	}
}

#endif
