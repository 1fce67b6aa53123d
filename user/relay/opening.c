/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/opening.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "codec/sse.h"
#include "relay/heads.h"
#include "relay/upstream.h"

#define ANSWER_MAX (256U << 10) /* instructions can be long */
#define POST_MAX 8192U
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"

struct opening {
	struct env *env;
	struct session *session;
	struct rule *rule;
	struct upstream *up;
	struct loop_timer *timer;
	struct buf credentials;
	struct buf answer; /* to initialize */
	struct sse_reader events;
	bool stream;   /* it is one of events */
	bool accepted; /* notifications/initialized is under way */
	char version[RPC_VERSION_MAX];
	char *id; /* that the target gave; NULL: none */
};

static void opening_free(struct opening *o)
{
	if (!o)
		return;
	upstream_free(o->up);
	loop_timer_free(o->timer);
	buf_done(&o->answer);
	buf_done(&o->credentials);
	sse_done(&o->events);
	rule_put(o->rule);
	free(o->id);
	free(o);
}

static void opening_freep(struct opening **o)
{
	opening_free(*o);
}

static void over(struct opening *o, int r)
{
	struct session *session = o->session;
	struct env *env = o->env;

	if (!r)
		r = session_at(session, o->rule->target, o->id, o->id ? strlen(o->id) : 0);
	if (!r)
		memcpy(session->version, o->version, sizeof(session->version));
	if (!r)
		env_count(env, session->server, &env->stats[session->server].replayed);
	session->opening = false;
	opening_free(o);
	session_wake(session, r);
	session->users--;
}

static int post(struct opening *o, const struct buf *body);

/* --- what the target says ------------------------------------------------------------------------ */

/* Is one of these events the answer? */
static bool is_among(struct opening *o, const char *data, size_t len)
{
	enum sse_came came;

	while ((came = sse_feed(&o->events, &data, &len)) == SSE_EVENT)
		if (rpc_initialized(buf_str(&o->events.data), o->events.data.len, o->version))
			return true;
	if (came == SSE_ERROR)
		o->answer.error = o->events.error;
	return false;
}

static void initialized(struct opening *o)
{
	CLEANUP(buf_done) struct buf body = BUF(POST_MAX);
	int r;

	upstream_free(TAKE_PTR(o->up));
	o->accepted = true;
	buf_puts(&body, INITIALIZED);
	r = post(o, &body);
	if (r)
		over(o, -EIO);
}

static void on_head(void *owner, const struct http1 *h)
{
	struct opening *o = owner;
	struct http1_span id;

	if (o->accepted) {
		over(o, h->status / 100 == 2 ? 0 : -EIO);
		return;
	}
	if (h->status != 200) {
		over(o, -EIO);
		return;
	}
	o->stream = http1_is_type(h, "text/event-stream");
	if (http1_find(h, "mcp-session-id", &id) == 1 && id.len && id.len <= SESSION_ID_MAX)
		o->id = strndup(id.p, id.len);
}

static void on_body(void *owner, const char *data, size_t len)
{
	struct opening *o = owner;

	bool found = false;

	if (o->stream)
		found = is_among(o, data, len);
	else
		buf_append(&o->answer, data, len);
	if (found)
		initialized(o);
	else if (buf_error(&o->answer))
		over(o, -EIO);
}

static void on_end(void *owner, enum upstream_end how)
{
	struct opening *o = owner;

	if (how == UPSTREAM_DONE && !o->accepted && !o->stream &&
	    rpc_initialized(buf_str(&o->answer), o->answer.len, o->version))
		initialized(o);
	else
		over(o, how == UPSTREAM_UNREACHED ? -ECONNREFUSED : -EIO);
}

static void on_time(void *data)
{
	over(data, -EIO);
}

/* --- what it is told -------------------------------------------------------------------------------- */

static int post(struct opening *o, const struct buf *body)
{
	const struct upstream_owner owner = { on_head, on_body, on_end, o };
	const struct heads_own own = { .session = o->id,
				       .version = o->accepted ? o->version : NULL,
				       .length = body->len };
	CLEANUP(buf_done) struct buf head = BUF(HTTP1_HEAD_MAX);
	int r = buf_error(body);

	r = r ? r : heads_post(o->rule, &own, &o->credentials, &head);
	return r ? r : upstream_new(o->env->loop, &o->rule->is, &head, body, &owner, &o->up);
}

static int begin(struct opening *o)
{
	CLEANUP(buf_done) struct buf body = BUF(POST_MAX);

	buf_puts(&body, "{\"jsonrpc\":\"2.0\",\"id\":\"switchgear-initialize\","
			"\"method\":\"initialize\",\"params\":{\"protocolVersion\":");
	rpc_put_string(&body, o->version);
	buf_puts(&body, ",\"capabilities\":{},\"clientInfo\":{\"name\":\"switchgear\","
			"\"version\":\"" SWITCHGEAR_VERSION "\"}}}");
	return post(o, &body);
}

static int learn(struct opening *o, const struct http1 *http)
{
	struct http1_span v = HTTP1_SPAN(OPENING_DEFAULT);

	(void)http1_find(http, "mcp-protocol-version", &v);
	if (!v.len || v.len >= sizeof(o->version))
		v = HTTP1_SPAN(OPENING_DEFAULT);
	snprintf(o->version, sizeof(o->version), "%.*s", (int)v.len, v.p);
	return heads_credentials(o->rule, http, &o->credentials);
}

int opening_begin(struct env *env, struct session *session, struct rule *rule,
		  const struct http1 *http)
{
	CLEANUP(opening_freep) struct opening *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	o->env = env;
	o->session = session;
	o->rule = rule;
	rule->holders++;
	o->answer = BUF(ANSWER_MAX);
	sse_init(&o->events, ANSWER_MAX);
	o->credentials = BUF(HTTP1_HEAD_MAX);
	r = learn(o, http);
	r = r ? r : loop_timer_new(env->loop, on_time, o, &o->timer);
	r = r ? r : begin(o);
	if (r)
		return r;
	loop_timer_set(o->timer, clock_boot_ns() + OPENING_NS);
	session->opening = true;
	session->users++;
	o = NULL;
	return 0;
}
