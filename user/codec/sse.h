/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Server-Sent Events (the HTML standard, "text/event-stream"): written one at a time, and read
 * in pieces of any size. Written without memory, or where it does not fit, `out` has its error
 * (base/buf.h) and no whole event.
 */
#ifndef SWITCHGEAR_CODEC_SSE_H
#define SWITCHGEAR_CODEC_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define SSE_TYPE "text/event-stream"

/* id 0: none, the client keeps the one it has. `type` is one word; `data` any text: a line break
 * in it, of whatever kind, becomes another line of data. */
void sse_event(struct buf *out, uint64_t id, const char *type, const char *data);
/* What a client passes over; text is one line. */
void sse_comment(struct buf *out, const char *text);
/* No event: the client has all up to here, and says so when it connects again. */
void sse_position(struct buf *out, uint64_t id);
/* An event "gap": something may be missing behind the serial `after`, and before `next` (0: it is
 * not known before what). `why` is for people: plain ASCII without quotes. */
void sse_gap(struct buf *out, uint64_t after, uint64_t next, const char *why);
/* How long a client waits before it connects again. */
void sse_retry(struct buf *out, unsigned int ms);

/* --- reading ------------------------------------------------------------------------- */

#define SSE_WORD_MAX 63U /* bytes of a type that is kept; a longer one is cut, and no MCP one */
#define SSE_ID_MAX 1024U

enum sse_came {
	SSE_MORE,  /* all bytes are consumed */
	SSE_EVENT, /* data and type hold until the next call */
	SSE_ERROR, /* a line, the data or an id is too long, or there is no memory; final */
};

/*
 * Invariants: how the bytes were cut changes nothing; a line, and the data of an event, have `max`
 * bytes at most; time is linear. What is not understood is passed over, as the standard wants.
 */
struct sse_reader {
	struct buf data;             /* the lines of data with LF between them; NULs are kept */
	char type[SSE_WORD_MAX + 1]; /* "" is "message" */
	struct buf id;               /* the last one that came, of whatever event or of none */
	bool has_id;                 /* one came, even an empty one */
	bool has_retry;
	uint64_t retry_ms; /* UINT64_MAX: more than that */
	int error;         /* -EMSGSIZE or -ENOMEM after SSE_ERROR */
	/* The reader's own. */
	struct buf line;
	bool first;   /* line of the stream, which may have a byte order mark */
	bool skip_lf; /* the last line ended in CR */
	bool has_data;
	bool told; /* the event is to be forgotten */
};

void sse_init(struct sse_reader *r, size_t max);
void sse_reset(struct sse_reader *r); /* another stream; memory is kept */
void sse_done(struct sse_reader *r);  /* may be called twice, and on zeros */

/* Consumes from the front of *data up to one event. Events without data are not told. What a stream
 * ends with before an empty line is none. */
enum sse_came sse_feed(struct sse_reader *r, const char **data, size_t *len) MUST_CHECK;

#endif
