/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's own question to an MCP server: does it answer? Requests out,
 * answers in, one class at the end; no socket and no clock. Only requests that
 * change nothing are made (never tools/call), without credentials. Servers of the older
 * HTTP+SSE transport have no own probe, agents' calls are the probes there: their answer here
 * is neutral (404 or 405).
 *
 * The turns, each on a connection of its own ("Connection: close", so that a pooled
 * connection which just ended is never mistaken for a failure):
 *
 *   session eras    initialize, notifications/initialized, ping, and DELETE if there
 *                   is a session; the verdict falls before the DELETE. tools/list in
 *                   place of a ping that the server does not know; if it does not know
 *                   that either, its answer to initialize was the success.
 *   sessionless     server/discover (2026-07-28)
 *
 * initialize alone would prove that something speaks MCP there, but not that a
 * session lives from one request to the next, which is what agents need. Where the
 * era is not known initialize comes first, as with most agents; an answer to it that is part of
 * negotiation (400, 404, 405, an unknown method, ...) leads to server/discover,
 * and the other way round; this happens once, the second answer counts. What was found
 * out is kept for the next probe: 4 connections, or 1.
 *
 * Or it asks what the server offers (probe_session_list()): in the place of ping comes
 * tools/list, page by page, and behind server/discover. What comes of that is no verdict, but a
 * list, or why there is none.
 *
 * Each request has its own id. Redirects are neutral and not followed.
 */
#ifndef SWITCHGEAR_CODEC_PROBE_H
#define SWITCHGEAR_CODEC_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/probe_answer.h"
#include "codec/tools.h"

#define PROBE_PATH_MAX 4096U
#define PROBE_REQUEST_MAX 16384U

enum probe_generation {
	PROBE_GENERATION_UNKNOWN,
	PROBE_GENERATION_SESSION,
	PROBE_GENERATION_MODERN,
	PROBE_GENERATION_COUNT
};

enum probe_step {
	PROBE_INITIALIZE,
	PROBE_INITIALIZED,
	PROBE_PING,
	PROBE_TOOLS,
	PROBE_DISCOVER,
	PROBE_DELETE,
	PROBE_OVER, /* nothing more to send */
	PROBE_STEP_COUNT
};

/* Whom to ask; all borrowed until probe_session_done(). */
struct probe_target {
	const char *host;    /* as in the Host field: with brackets, and the port: probe_host() */
	const char *path;    /* with its leading slash; "" is "/" */
	const char *version; /* ours, for clientInfo */
};

/* Must not move once it is initialised. */
struct probe_session {
	struct sg_http_table table;
	struct probe_target target;
	struct probe_answer answer; /* to the current request */
	enum probe_generation era;  /* as far as it is known */
	enum probe_step step;       /* of the next, or the outstanding, request */
	bool tried_other;           /* the other era is tried already */
	bool judged;                /* result holds; it never changes again */
	struct probe_result result;
	char session[PROBE_SESSION_MAX + 1];
	char protocol[PROBE_VERSION_MAX + 1];
	bool listing;             /* it is to tell what it offers: */
	bool offers;              /* it says that it has tools, or nothing of it */
	char *cursor;             /* of the next page; NULL: the first one */
	unsigned int pages;       /* that came */
	size_t taken;             /* bytes of them */
	struct tools_answer list; /* once it is judged */
};

/*
 * The path of a server's URL as it is shown (codec/url.h), borrowed; NULL if
 * something in it was redacted: what it hides is kept nowhere, so there is no
 * own probe, and agents' calls are the probes.
 */
const char *probe_path(const char *url_shown);

/* "host", "host:8080", "[::1]:8080": with the port unless it is that of the scheme.
 * -ENAMETOOLONG. */
int probe_host(const char *host, uint16_t port, bool tls, char *out, size_t size) MUST_CHECK;

/* -EINVAL if host or path could not stand in a request; else that of answer_table_build(). */
int probe_session_init(struct probe_session *t, const struct probe_target *target,
		       enum probe_generation era) MUST_CHECK;
/* Directly behind it: list the tools, too. */
void probe_session_list(struct probe_session *t);
void probe_session_done(struct probe_session *t);

/* Appends the request of t->step, not PROBE_OVER, and awaits its answer. buf_error() of out. */
int probe_session_request(struct probe_session *t, struct buf *out) MUST_CHECK;

/*
 * Bytes of the answer, or its end by the peer. True when this turn is over: close
 * the connection, look at judged, go on with the new step.
 */
bool probe_session_feed(struct probe_session *t, const char *data, size_t len);
bool probe_session_eof(struct probe_session *t);
/* The transport failed, or time ran out: the turn and the probe are over. */
void probe_session_fail(struct probe_session *t, enum sg_class class, enum sg_cause cause);

#endif
