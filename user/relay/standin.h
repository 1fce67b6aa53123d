/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is answered in the place of a server that is not available, to both generations of MCP:
 * bytes in, bytes out. Every answer ends its connection, so that agents come back to the server
 * itself when it is there again.
 */
#ifndef SWITCHGEAR_RELAY_STANDIN_H
#define SWITCHGEAR_RELAY_STANDIN_H

#include <stdbool.h>

#include "codec/rpc.h"
#include "relay/rules.h"
#include "relay/words.h"

struct standin {
	const struct rule *rule;
	enum words_trouble trouble;
	bool stateless; /* the agent speaks a protocol without sessions */
};

/* The whole HTTP answer to messages in a POST: 202 if none of them waits for one. `session`: the id
 * that one of them begins, for Mcp-Session-Id; NULL: none does. */
void standin_answer(const struct standin *s, const struct rpc_batch *b, const char *session,
		    struct buf *out);

/*
 * The HTTP answer to a GET with Last-Event-ID, by which a client wants what it missed of a call
 * that was lost: a stream with one result that says so, and its end. Which call it was is not
 * known here; clients that give the result to the call for which they came back have their answer,
 * and others find the text in what they report as an error, and do not come again.
 */
void standin_lost(const struct standin *s, struct buf *out);

/* Events for a stream that goes to the agent: what ends the requests in it. */
void standin_events(const struct standin *s, const struct rpc_batch *b, struct buf *out);
/* That the list of tools has changed; for a subscriptions/listen, of which `id` is the id as JSON,
 * with its end. NULL: for a stream of notifications of the other generation. */
void standin_changed(const char *id, struct buf *out);

/* An answer without MCP: its text is plain, `allow` is for 405, NULL: none. */
void standin_plain(unsigned int status, const char *allow, const char *text, struct buf *out);
/* To what is no JSON-RPC: 400 with an error in which there is no id. */
void standin_bad(int code, const char *text, struct buf *out);
/* 200, 202: nothing to be said. */
void standin_empty(unsigned int status, struct buf *out);

#endif
