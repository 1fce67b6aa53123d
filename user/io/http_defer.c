/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers that come later. The connection is suspended meanwhile, and resumed when
 * there is an answer, or nobody left to get it: libmicrohttpd then asks for the
 * answer once more, and gets it, or closes. What the caller holds, and what
 * libmicrohttpd does, end in any order: each side only forgets the other.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/http_private.h"

#define SUB "http"

/* The caller's. */
struct http_deferred {
	LIST_ENTRY(http_deferred) all; /* of those with a call */
	struct http_call *call;        /* NULL: nobody waits any more */
	uint64_t since_ns;
};

struct http_deferred *http_defer(struct http_request *request)
{
	struct http_call *call = request->call;
	struct http_deferred *d;

	if (call->replied || call->kept)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->call = call;
	d->since_ns = clock_boot_ns();
	LIST_INSERT_HEAD(&call->http->deferred, d, all);
	call->deferred = d;
	call->kept = true;
	MHD_suspend_connection(call->connection);
	return d;
}

void http_deferred_forget(struct http_call *call)
{
	struct http_deferred *d = call->deferred;

	if (!d)
		return;
	LIST_REMOVE(d, all);
	d->call = NULL;
	call->deferred = NULL;
}

/* The call ends with this answer, which is its now; NULL: its connection is closed. */
static void answer_kept(struct http_call *call, unsigned int status, struct MHD_Response *response)
{
	http_deferred_forget(call);
	call->response = response;
	call->status = status;
	call->http->again = true;
	MHD_resume_connection(call->connection);
}

void http_reply_deferred(struct http_deferred *deferred, unsigned int status,
			 const char *content_type, const char *text, size_t len)
{
	if (!deferred)
		return;
	if (deferred->call)
		answer_kept(deferred->call, status, http_response(content_type, text, len));
	free(deferred);
}

static void settle_late(struct http_call *call)
{
	static const char text[] = "{\"error\":{\"code\":\"timeout\","
				   "\"message\":\"the daemon has no answer yet, try again\"}}\n";

	log_warning(SUB, "no answer to %s within %u s: its client waits no longer",
		    call->request.path, call->http->timeout_s);
	answer_kept(call, 504, http_response("application/json", text, sizeof(text) - 1));
}

void http_deferred_check(struct http *http, bool end, uint64_t now)
{
	struct http_deferred *next;

	for (struct http_deferred *d = LIST_FIRST(&http->deferred); d; d = next) {
		struct http_call *call = d->call;

		next = LIST_NEXT(d, all);
		if (end || http_conn_is_gone(call->conn))
			answer_kept(call, 0, NULL);
		else if (now - d->since_ns >= http->timeout_s * NS_PER_SEC)
			settle_late(call);
	}
}

enum MHD_Result http_deferred_answer(struct http_call *call)
{
	struct MHD_Response *response = TAKE_PTR(call->response);
	enum MHD_Result r;

	if (!response)
		return call->replied ? MHD_YES : MHD_NO;
	r = MHD_queue_response(call->connection, call->status, response);
	call->replied = r == MHD_YES;
	MHD_destroy_response(response);
	return r;
}
