/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Server-Sent Events (the HTML standard, "text/event-stream"), one at a time. Without memory, or
 * where it does not fit, `out` has its error (base/buf.h) and no whole event.
 */
#ifndef SWITCHGEAR_CODEC_SSE_H
#define SWITCHGEAR_CODEC_SSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

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

#endif
