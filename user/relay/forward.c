/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/forward.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "relay/events.h"
#include "relay/heads.h"
#include "relay/link.h"
#include "relay/opening.h"
#include "relay/standin.h"
#include "relay/upstream.h"

#define JUDGED_MAX 8192U            /* of a 400 that may be about the session */
#define BYTES_MAX (8U * LINK_PIECE) /* of one piece, with its framing and marks */
#define FINAL_MAX (RELAY_TOOLS_MAX * 2U)

struct forward {
	struct call call;
	struct forward_owner owner;
	struct upstream *up;
	struct session *session; /* held; NULL: none, or its id goes on as it is */
	struct session_wait wait;
	uint32_t serial;         /* of the session, as the request went out */
	struct http1_span id;    /* the agent's Mcp-Session-Id; empty: none */
	struct http1_span event; /* the target's own Last-Event-ID; empty: none */
	bool birth;              /* initialize: a session begins */
	bool farewell;           /* DELETE: it ends */
	bool endless;            /* a stream of notifications */
	bool reopened;
	bool repeated;
	bool headed;                /* the agent has the head of the answer */
	const struct http1 *judged; /* an answer that is held back until it is complete */
	struct buf text;            /* of its body */
	enum heads_framing framing;
	bool stream;
	struct events events;
};

static int begin(struct forward *f);

static bool to_primary(const struct forward *f)
{
	return f->call.rule->is.flags & RELAY_TO_PRIMARY;
}

/* --- to the agent ------------------------------------------------------------------------------- */

/* Part of the body, framed. */
static void put_piece(const struct forward *f, const char *data, size_t len, struct buf *out)
{
	if (!len)
		return;
	if (f->framing == HEADS_CHUNKS)
		buf_printf(out, "%zx\r\n", len);
	buf_append(out, data, len);
	if (f->framing == HEADS_CHUNKS)
		buf_puts(out, "\r\n");
}

static void give_piece(struct forward *f, const char *data, size_t len)
{
	CLEANUP(buf_done) struct buf text = BUF(BYTES_MAX);
	CLEANUP(buf_done) struct buf out = BUF(BYTES_MAX);

	if (f->stream) {
		events_feed(&f->events, data, len, &text);
		data = buf_str(&text);
		len = text.len;
	}
	put_piece(f, data, len, &out);
	if (buf_error(&text))
		out.error = buf_error(&text);
	f->owner.bytes(f->owner.owner, &out);
}

/* The end of the answer, behind a last piece. */
static void finish(struct forward *f, const struct buf *last)
{
	CLEANUP(buf_done) struct buf out = BUF(FINAL_MAX + 64U);

	put_piece(f, buf_str(last), last->len, &out);
	if (f->framing == HEADS_CHUNKS)
		buf_puts(&out, "0\r\n\r\n");
	if (!buf_error(&out))
		f->owner.bytes(f->owner.owner, &out);
	f->owner.over(f->owner.owner, !buf_error(&out));
}

static void stand_in(struct forward *f, enum words_trouble trouble)
{
	env_count(f->call.env, f->call.rule->is.server,
		  &f->call.env->stats[f->call.rule->is.server].failed);
	upstream_free(TAKE_PTR(f->up));
	f->owner.stand_in(f->owner.owner, trouble);
}

/* In the middle of an answer: a stream can say what happened, all else can only be torn off. */
static void break_off(struct forward *f, enum words_trouble trouble)
{
	const struct standin s = { f->call.rule, trouble, f->call.stateless };
	CLEANUP(buf_done) struct buf last = BUF(FINAL_MAX);

	env_count(f->call.env, f->call.rule->is.server,
		  &f->call.env->stats[f->call.rule->is.server].failed);
	if (!f->stream) {
		f->owner.over(f->owner.owner, false);
		return;
	}
	events_end(&f->events, &last);
	if (!f->endless)
		standin_events(&s, f->call.batch, &last);
	finish(f, &last);
}

/* --- the head of the answer ------------------------------------------------------------------------ */

/* Of the target's making: the agent gets an id of ours for it, also if it needs none, as the
 * server itself may. NULL: there is no room. */
static const char *give_birth(struct forward *f, const struct http1 *h)
{
	struct env *env = f->call.env;
	struct http1_span there = { "", 0 };

	if (http1_find(h, "mcp-session-id", &there) > 1 || there.len > SESSION_ID_MAX)
		return NULL;
	f->session = sessions_add(env->sessions, f->call.rule->is.server, NULL, 0, clock_boot_ns());
	if (!f->session)
		return NULL;
	f->session->users++;
	env_born(env, f->call.rule->is.server);
	return session_at(f->session, f->call.rule->target, there.p, there.len) ? NULL
										: f->session->id;
}

/* Of the server's making, and the agent's from now on as it is; "" if it needs none. NULL: it is no
 * id. */
static const char *own_id(const struct http1 *h, char out[SESSION_ID_MAX + 1])
{
	struct http1_span id = { "", 0 };

	if (http1_find(h, "mcp-session-id", &id) > 1 || id.len > SESSION_ID_MAX)
		return NULL;
	memcpy(out, id.p, id.len);
	out[id.len] = '\0';
	return out;
}

static enum words_trouble trouble_of(const struct forward *f, unsigned int status)
{
	if (status / 100 == 3)
		return WORDS_GARBLED;
	return !rule_shares(f->call.rule) && (status == 401 || status == 403 || status == 407)
		       ? WORDS_REFUSED
		       : WORDS_NO_TROUBLE;
}

static enum heads_framing framing_of(const struct forward *f, const struct http1 *h)
{
	if (!f->stream && (h->framing == HTTP1_NO_BODY || h->framing == HTTP1_BY_LENGTH))
		return HEADS_AS_IS;
	return f->call.http->minor ? HEADS_CHUNKS : HEADS_TO_END;
}

/* False: it is over, and f is perhaps no more. */
static bool give_head(struct forward *f, const struct http1 *h)
{
	CLEANUP(buf_done) struct buf out = BUF(2 * HTTP1_HEAD_MAX);
	enum words_trouble trouble = trouble_of(f, h->status);
	char own[SESSION_ID_MAX + 1];
	const char *id = NULL;

	if (trouble != WORDS_NO_TROUBLE) {
		stand_in(f, trouble);
		return false;
	}
	if (f->birth && h->status == 200) {
		id = to_primary(f) ? own_id(h, own) : give_birth(f, h);
		if (!id) {
			stand_in(f, WORDS_SESSION);
			return false;
		}
	}
	/* one that is compressed, which nobody asked for, goes on as it is */
	f->stream = http1_is_type(h, "text/event-stream") &&
		    !http1_find(h, "content-encoding", NULL);
	f->framing = framing_of(f, h);
	events_init(&f->events, to_primary(f) ? 0 : f->call.rule->target);
	if (heads_answer(f->call.rule, h, f->framing, id && *id ? id : NULL, &out)) {
		stand_in(f, WORDS_GARBLED);
		return false;
	}
	f->headed = true;
	f->owner.bytes(f->owner.owner, &out);
	return true;
}

/* --- sessions that the target has lost --------------------------------------------------------------- */

static void fail(struct forward *f, int r)
{
	stand_in(f, r == -ECONNREFUSED || r == -ENETUNREACH || r == -EHOSTUNREACH ? WORDS_UNREACHED
										  : WORDS_SESSION);
}

/* The session of the agent's id, new if there is none; NULL: there is no room. */
static struct session *session_of(struct forward *f, uint64_t now)
{
	struct env *env = f->call.env;
	uint32_t server = f->call.rule->is.server;
	struct session *session = sessions_find(env->sessions, server, f->id.p, f->id.len, now);

	if (session)
		return session;
	session = sessions_add(env->sessions, server, f->id.p, f->id.len, now);
	if (session)
		env_born(env, server);
	return session;
}

/* The target answered that it does not know the session: nothing was carried out. */
static void reopen(struct forward *f)
{
	int r;

	upstream_free(TAKE_PTR(f->up));
	f->reopened = true;
	f->judged = NULL;
	if (!f->session) { /* one that passed as it was: it is translated from now on */
		f->session = session_of(f, clock_boot_ns());
		if (f->session)
			f->session->users++;
	}
	if (f->session && f->session->serial == f->serial)
		f->session->target = 0;
	r = f->session ? begin(f) : -ENOMEM;
	if (r)
		fail(f, r);
}

static bool may_reopen(const struct forward *f)
{
	return f->id.len && !f->reopened && !f->farewell && !f->birth && !f->call.stateless;
}

/* Servers say so in words of their own, with 400 as often as with 404. */
static bool is_about_session(const struct buf *text)
{
	return strcasestr(buf_str(text), "session") || strcasestr(buf_str(text), "not initialized");
}

/* What was held back goes on after all. False: as of give_head(). */
static bool release(struct forward *f)
{
	const struct http1 *h = TAKE_PTR(f->judged);

	if (!give_head(f, h))
		return false;
	if (f->text.len)
		give_piece(f, f->text.data, f->text.len);
	buf_done(&f->text);
	return true;
}

/* --- what the target says ------------------------------------------------------------------------------ */

static void on_head(void *owner, const struct http1 *h)
{
	struct forward *f = owner;

	if (may_reopen(f) && h->status == 404)
		reopen(f);
	else if (may_reopen(f) && h->status == 400)
		f->judged = h;
	else
		(void)give_head(f, h);
}

static void on_body(void *owner, const char *data, size_t len)
{
	struct forward *f = owner;

	if (!f->judged) {
		give_piece(f, data, len);
		return;
	}
	if (f->text.len + len <= JUDGED_MAX) {
		buf_append(&f->text, data, len);
		return;
	}
	if (release(f))
		give_piece(f, data, len);
}

static bool may_repeat(const struct forward *f)
{
	const struct rpc_batch *b = f->call.batch;

	return !f->repeated && b->n == 1 && b->v[0].tool &&
	       rule_may_repeat(f->call.rule, b->v[0].tool);
}

static enum words_trouble trouble_of_end(enum upstream_end how)
{
	switch (how) {
	case UPSTREAM_UNREACHED:
		return WORDS_UNREACHED;
	case UPSTREAM_SILENT:
		return WORDS_SILENT;
	case UPSTREAM_GARBLED:
		return WORDS_GARBLED;
	default:
		return WORDS_LOST;
	}
}

static void on_end(void *owner, enum upstream_end how)
{
	struct forward *f = owner;
	const struct buf nothing = BUF(0);

	if (how == UPSTREAM_DONE) {
		if (f->judged && is_about_session(&f->text))
			reopen(f);
		else if (!f->judged || release(f))
			finish(f, &nothing);
		return;
	}
	if (f->headed) {
		break_off(f, trouble_of_end(how));
		return;
	}
	if (how == UPSTREAM_LOST && may_repeat(f)) {
		upstream_free(TAKE_PTR(f->up));
		f->repeated = true;
		f->judged = NULL;
		buf_clear(&f->text);
		if (!begin(f))
			return;
	}
	stand_in(f, trouble_of_end(how));
}

/* --- to the target ---------------------------------------------------------------------------------- */

static int send_out(struct forward *f)
{
	const struct upstream_owner owner = { on_head, on_body, on_end, f };
	const struct call *c = &f->call;
	struct heads_own own = { .event = f->event,
				 .length = c->body->len || http1_equal(c->http->method, "POST")
						   ? c->body->len
						   : HEADS_NO_BODY };
	CLEANUP(buf_done) struct buf head = BUF(2 * HTTP1_HEAD_MAX);
	CLEANUP(freep) char *id = NULL;
	int r;

	if (f->session) {
		own.session = f->session->there;
		own.version = f->session->version;
		f->serial = f->session->serial;
	} else if (f->id.len) {
		id = strndup(f->id.p, f->id.len);
		if (!id)
			return -ENOMEM;
		own.session = id;
	}
	r = heads_request(c->rule, c->http, &own, &head);
	return r ? r : upstream_new(c->env->loop, &c->rule->is, &head, c->body, &owner, &f->up);
}

static void on_session(void *owner, int r)
{
	struct forward *f = owner;

	f->wait.owner = NULL;
	if (!r)
		r = begin(f);
	if (r)
		fail(f, r);
}

/* Sends it, or waits for the session that it needs. */
static int begin(struct forward *f)
{
	const struct call *c = &f->call;
	int r = 0;

	if (!f->session || f->birth || f->session->target == c->rule->target)
		return send_out(f);
	if (!f->session->opening)
		r = opening_begin(c->env, f->session, c->rule, c->http);
	if (r)
		return r;
	f->wait = (struct session_wait){ .fn = on_session, .owner = f };
	session_wait(f->session, &f->wait);
	return 0;
}

/* --- which session, which event ------------------------------------------------------------------------ */

/* FORWARD_BEGUN: go on. */
static enum forward_way find_session(struct forward *f)
{
	const struct call *c = &f->call;
	unsigned int n = http1_find(c->http, "mcp-session-id", &f->id);
	uint64_t now = clock_boot_ns();
	uint32_t server = c->rule->is.server;

	if (n > 1 || f->id.len > SESSION_ID_MAX)
		return FORWARD_BAD;
	if (c->stateless || f->birth) /* who sends an id all the same means nothing by it */
		f->id.len = 0;
	if (!f->id.len)
		return FORWARD_BEGUN;
	f->session = sessions_find(c->env->sessions, server, f->id.p, f->id.len, now);
	if (to_primary(f) && !session_is_ours(f->id.p, f->id.len)) {
		/* the server's own: what it was elsewhere meanwhile is over */
		if (f->session && f->session->target != c->rule->target)
			sessions_end(c->env->sessions, TAKE_PTR(f->session));
		if (!f->session)
			return FORWARD_BEGUN;
	}
	if (f->farewell && (!f->session || f->session->target != c->rule->target)) {
		sessions_end(c->env->sessions, TAKE_PTR(f->session));
		return FORWARD_DONE;
	}
	if (!f->session)
		f->session = session_of(f, now);
	if (!f->session)
		return FORWARD_FULL;
	f->session->users++;
	return FORWARD_BEGUN;
}

/*
 * What a client wants to go on with: known at this target only if it gave the id, in a session
 * that it still has. The server's own sessions, which it may have kept, are its own business when
 * it is back.
 */
static enum forward_way find_event(struct forward *f)
{
	const struct call *c = &f->call;
	struct http1_span asked = { NULL, 0 };
	unsigned int n = http1_find(c->http, "last-event-id", &asked);
	bool marked;

	if (!n || !asked.len)
		return FORWARD_BEGUN;
	marked = events_id(asked, c->rule->target, &f->event);
	if (n == 1 && !marked && to_primary(f) && !f->session)
		f->event = asked;
	if (f->session && f->session->target != c->rule->target)
		return FORWARD_LOST;
	return n == 1 && f->event.len ? FORWARD_BEGUN : FORWARD_LOST;
}

static enum forward_way way_of(int r, enum words_trouble *ret_trouble)
{
	if (!r)
		return FORWARD_BEGUN;
	if (r == -ENOENT)
		return FORWARD_ELSEWHERE;
	if (r == -EINVAL)
		return FORWARD_BAD;
	*ret_trouble = WORDS_UNREACHED;
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? FORWARD_FULL : FORWARD_STAND_IN;
}

static void forward_freep(struct forward **f)
{
	forward_free(*f);
}

enum forward_way forward_new(const struct call *call, const struct forward_owner *owner,
			     struct forward **ret, enum words_trouble *ret_trouble)
{
	CLEANUP(forward_freep) struct forward *f = calloc(1, sizeof(*f));
	enum forward_way way;

	if (!f)
		return FORWARD_FULL;
	f->call = *call;
	f->owner = *owner;
	f->text = BUF(JUDGED_MAX);
	f->birth = rpc_find(call->batch, "initialize") != NULL;
	f->farewell = http1_equal(call->http->method, "DELETE");
	f->endless = http1_equal(call->http->method, "GET") ||
		     rpc_find(call->batch, "subscriptions/listen");
	way = find_session(f);
	if (way == FORWARD_BEGUN)
		way = find_event(f);
	if (way == FORWARD_BEGUN)
		way = way_of(begin(f), ret_trouble);
	if (way == FORWARD_STAND_IN)
		env_count(call->env, call->rule->is.server,
			  &call->env->stats[call->rule->is.server].failed);
	if (way != FORWARD_BEGUN)
		return way;
	env_count(call->env, call->rule->is.server,
		  &call->env->stats[call->rule->is.server].forwarded);
	*ret = TAKE_PTR(f);
	return way;
}

void forward_free(struct forward *f)
{
	if (!f)
		return;
	upstream_free(f->up);
	if (f->wait.owner)
		session_no_wait(f->session, &f->wait);
	if (f->session)
		f->session->users--;
	if (f->farewell)
		sessions_end(f->call.env->sessions, f->session);
	buf_done(&f->text);
	free(f);
}

void forward_pause(struct forward *f, bool paused)
{
	upstream_pause(f->up, paused);
}

void forward_retire(struct forward *f)
{
	const struct rpc_message *listen = rpc_find(f->call.batch, "subscriptions/listen");
	CLEANUP(buf_done) struct buf last = BUF(FINAL_MAX);

	if (!f->endless)
		return;
	if (!f->headed || !f->stream) {
		f->owner.over(f->owner.owner, false);
		return;
	}
	events_end(&f->events, &last);
	standin_changed(listen ? listen->id : NULL, &last);
	finish(f, &last);
}
