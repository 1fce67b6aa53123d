/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One request of an agent at the target of a rule, and its answer back.
 *
 * Invariants:
 *  F1  No byte of a request goes to a target twice, but: the target said that it does not know the
 *      session (so nothing was carried out), or the connection was lost and the tool is declared
 *      to do no harm the second time. Once each.
 *  F2  A session id of one server is never shown to another, and no id of an event.
 *  F3  It ends: with a complete answer, with the stand-in's, or cut off, so that the agent sees it.
 */
#ifndef SWITCHGEAR_RELAY_FORWARD_H
#define SWITCHGEAR_RELAY_FORWARD_H

#include "codec/http1.h"
#include "relay/env.h"
#include "relay/words.h"

/* What the agent said; all borrowed until forward_free(). */
struct call {
	struct env *env;
	struct rule *rule; /* of RELAY_FORWARD */
	const struct http1 *http;
	const struct buf *body;
	const struct rpc_batch *batch; /* of a POST; else it has no messages */
	bool stateless;                /* a protocol without sessions */
};

/* Called from the loop only. `over` and `stand_in` come last, and one of them once; both may free
 * it, `bytes` may not. */
struct forward_owner {
	void (*bytes)(void *owner, const struct buf *bytes); /* of the answer; buf_error(): torn */
	void (*over)(void *owner, bool whole);               /* false: cut off */
	void (*stand_in)(void *owner, enum words_trouble trouble); /* nothing went to the agent */
	void *owner;
};

struct forward;

enum forward_way {
	FORWARD_BEGUN,     /* *ret is it */
	FORWARD_STAND_IN,  /* nobody is there, or no session can be had: the trouble */
	FORWARD_LOST,      /* it asks for the rest of an answer that the target never gave */
	FORWARD_DONE,      /* nothing is to be done, which is fine: 200 */
	FORWARD_ELSEWHERE, /* the path is not the server's: 404 */
	FORWARD_BAD,       /* 400 */
	FORWARD_FULL,      /* 503 */
};

enum forward_way forward_new(const struct call *call, const struct forward_owner *owner,
			     struct forward **ret, enum words_trouble *ret_trouble) MUST_CHECK;
void forward_free(struct forward *f); /* NULL-safe; what is under way at the target is cancelled */
void forward_pause(struct forward *f, bool paused);
/* The rule is no longer that of the server: a stream without an end is told that the list of tools
 * has changed, and ends; all else goes on. */
void forward_retire(struct forward *f);

#endif
