/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Heads of requests and answers, made from those that came: what is only about one connection,
 * what names a session, and what an agent has to identify itself with does not go on.
 *
 * Credentials: unless the rule shares them, only fields go to the target that cannot hold any
 * (those of MCP and of content, and what describes the client), and no query.
 * Cookies and other things that a target would have agents keep do not come back then, either.
 */
#ifndef SWITCHGEAR_RELAY_HEADS_H
#define SWITCHGEAR_RELAY_HEADS_H

#include <stdbool.h>

#include "codec/http1.h"
#include "relay/rules.h"

/* What is of the relay's own in a request. */
struct heads_own {
	const char *session; /* Mcp-Session-Id; NULL: none */
	const char
		*version; /* MCP-Protocol-Version in place of the agent's; NULL or "": as it came */
	struct http1_span event; /* Last-Event-ID; empty: none */
	size_t length;           /* of the body; HEADS_NO_BODY */
};

#define HEADS_NO_BODY SIZE_MAX

/* Appends the head of `h`, a request, for the rule's target. -ENOENT: its path is not of the
 * server's; -EINVAL: not a request that is handed on; else buf_error(). */
int heads_request(const struct rule *rule, const struct http1 *h, const struct heads_own *own,
		  struct buf *out) MUST_CHECK;

/* The lines of `h` that a request of the relay's own needs to be believed as the agent's: none,
 * unless the rule shares credentials. Appends them; buf_error(). */
int heads_credentials(const struct rule *rule, const struct http1 *h, struct buf *out) MUST_CHECK;
/* The head of such a request, a POST of JSON, with these lines. */
int heads_post(const struct rule *rule, const struct heads_own *own, const struct buf *credentials,
	       struct buf *out) MUST_CHECK;

/* How an answer's body goes on to the agent. */
enum heads_framing {
	HEADS_AS_IS, /* it has a length, and goes on byte by byte, or there is none */
	HEADS_CHUNKS,
	HEADS_TO_END, /* up to the end of the connection: for agents of HTTP/1.0 */
};

/* Appends the head of `h`, an answer, for an agent. `session`: Mcp-Session-Id, NULL: none. */
int heads_answer(const struct rule *rule, const struct http1 *h, enum heads_framing framing,
		 const char *session, struct buf *out) MUST_CHECK;

#endif
