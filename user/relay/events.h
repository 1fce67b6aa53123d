/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An event stream on its way from a target to an agent: each id gets a mark in front that tells by
 * which target it was given, so that nobody else is ever asked for what is behind it. Nothing else
 * changes, and nothing is held back but the first letters of a line.
 */
#ifndef SWITCHGEAR_RELAY_EVENTS_H
#define SWITCHGEAR_RELAY_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "codec/http1.h"

#define EVENTS_MARK_LEN 11U /* "sg" and eight digits, and a dash */

struct events {
	char mark[EVENTS_MARK_LEN + 1]; /* "": ids stay as they are */
	char start[8];                  /* of the line, as far as it may be one with an id */
	uint8_t n_start;
	bool passing; /* the rest of the line is nothing special */
	bool inside;  /* of an event: a line of it came, and not its end */
	bool skip_lf; /* the line before ended in CR */
	bool first;   /* nothing came yet: there may be a byte order mark */
};

/* target 0: ids stay as they are. */
void events_init(struct events *e, uint32_t target);
void events_feed(struct events *e, const char *data, size_t len, struct buf *out);
/* What is held back, and if need be the end of the event that is under way: then others may
 * follow. */
void events_end(struct events *e, struct buf *out);

/* Is this id one with a mark? *ret is the target's own id if it is of this one, else empty. */
bool events_id(struct http1_span id, uint32_t target, struct http1_span *ret);

#endif
