/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One request to a target over a connection of its own, and its answer as it comes. A connection
 * for each: one that was used before may be closed by the other side at the very moment of the next
 * request, and then nobody knows whether that was carried out.
 *
 * Callbacks come from the loop only, never from inside a call of this interface. Any of them may
 * free it. After `end` nothing comes.
 */
#ifndef SWITCHGEAR_RELAY_UPSTREAM_H
#define SWITCHGEAR_RELAY_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/http1.h"
#include "io/loop.h"
#include "io/relay_wire.h"

#define UPSTREAM_CONNECT_NS 500000000ULL /* until a connection stands */
#define UPSTREAM_HEAD_NS 600000000000ULL /* until the head of the answer is there */
#define UPSTREAM_IDLE_NS 900000000000ULL /* between two bytes of it */

enum upstream_end {
	UPSTREAM_DONE,      /* the answer is complete */
	UPSTREAM_UNREACHED, /* nothing of the request has left */
	UPSTREAM_LOST,      /* it ended before the answer was complete */
	UPSTREAM_SILENT,    /* nothing came for too long */
	UPSTREAM_GARBLED,   /* what came is no HTTP, or wants another protocol */
};

struct upstream_owner {
	void (*head)(void *owner, const struct http1 *h); /* once, of the final answer */
	void (*body)(void *owner, const char *data, size_t len);
	void (*end)(void *owner, enum upstream_end how);
	void *owner;
};

struct upstream;

/* `head` and `body` of the request are copied. -errno: nothing has left. */
int upstream_new(struct loop *loop, const struct relay_rule *to, const struct buf *head,
		 const struct buf *body, const struct upstream_owner *owner,
		 struct upstream **ret) MUST_CHECK;
/* Ends the connection, at whatever point; NULL-safe. */
void upstream_free(struct upstream *u);
/* Nothing more is read for now, or again: the target is held back by its own window. */
void upstream_pause(struct upstream *u, bool paused);

#endif
