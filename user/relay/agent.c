/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/agent.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "relay/forward.h"
#include "relay/link.h"
#include "relay/standin.h"

#define HEAD_MAX 65536U
#define ANSWER_MAX (3U << 20) /* of our own: a list of tools, and its head */
#define BESIDE_MAX 65536U     /* bytes behind a request that are passed over */
#define PIECES_MAX 8          /* that are read in one go: others want to run too */
#define ALLOWED "GET, POST, DELETE"

enum agent_state {
	AGENT_READS,   /* its request */
	AGENT_WAITS,   /* for what forward has */
	AGENT_LINGERS, /* the answer is complete: for its end */
};

struct agent {
	struct agents *all;
	struct agent *next;
	struct agent **at; /* what points to it */
	struct link link;
	struct loop_timer *timer;
	enum agent_state state;
	uint32_t server;
	uint32_t incarnation;
	bool full;   /* there is no room for it: it is told so */
	bool broken; /* what it got cannot be completed */
	bool shut;   /* our direction has ended */
	size_t beside;
	struct http1 http;
	struct buf body;
	struct rpc_batch batch;
	struct rule *rule; /* from the request on */
	struct forward *forward;
};

/* --- its end ------------------------------------------------------------------------------------ */

static void agent_free(struct agent *a)
{
	forward_free(a->forward);
	link_close(&a->link);
	loop_timer_free(a->timer);
	rule_put(a->rule);
	a->all->env->held -= a->body.len;
	buf_done(&a->body);
	rpc_done(&a->batch);
	http1_done(&a->http);
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
	a->all->n--;
	free(a);
}

/* Whatever it had got so far, it sees that this was not all. */
static void tear_off(struct agent *a)
{
	const struct linger at_once = { 1, 0 };

	(void)!setsockopt(a->link.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	agent_free(a);
}

/* Once all is sent: the end of our direction. What still comes is passed over for a while, as
 * closing before that would throw away what the agent has not read. */
static void farewell(struct agent *a)
{
	if (a->shut || link_queued(&a->link))
		return;
	a->shut = true;
	(void)!shutdown(a->link.fd, SHUT_WR);
	loop_timer_set(a->timer, clock_boot_ns() + AGENT_LINGER_NS);
}

static void linger(struct agent *a)
{
	a->state = AGENT_LINGERS;
	forward_free(TAKE_PTR(a->forward));
	loop_timer_set(a->timer, clock_boot_ns() + AGENT_STUCK_NS);
	link_read_on(&a->link, true);
	farewell(a);
}

/* --- answers of our own ----------------------------------------------------------------------------- */

/* Sends it, and that is the end. May free it. */
static void answer(struct agent *a, const struct buf *bytes)
{
	if (buf_error(bytes) || link_send(&a->link, buf_str(bytes), bytes->len))
		tear_off(a);
	else
		linger(a);
}

static void answer_plain(struct agent *a, unsigned int status, const char *text)
{
	CLEANUP(buf_done) struct buf out = BUF(ANSWER_MAX);

	standin_plain(status, status == 405 ? ALLOWED : NULL, text, &out);
	answer(a, &out);
}

static bool is_stateless(const struct agent *a)
{
	struct http1_span v = { "", 0 };
	char version[RPC_VERSION_MAX];

	(void)http1_find(&a->http, "mcp-protocol-version", &v);
	snprintf(version, sizeof(version), "%.*s", (int)(v.len < 31 ? v.len : 31), v.p);
	return mcp_is_stateless(version) || a->batch.stateless;
}

static void count_answer(const struct agent *a)
{
	struct env *env = a->all->env;

	env_count(env, a->server, &env->stats[a->server].answered);
}

static void answer_lost(struct agent *a, enum words_trouble trouble)
{
	const struct standin s = { a->rule, trouble, is_stateless(a) };
	CLEANUP(buf_done) struct buf out = BUF(ANSWER_MAX);

	standin_lost(&s, &out);
	count_answer(a);
	answer(a, &out);
}

/* The session that an agent begins here, where there is no server that could: it goes on with the
 * one that is there later, which begins it then. NULL: it begins none, or there is no room. */
static const char *begin_session(const struct agent *a)
{
	struct env *env = a->all->env;
	const struct session *session;

	if (is_stateless(a) || !rpc_find(&a->batch, "initialize"))
		return NULL;
	session = sessions_add(env->sessions, a->server, NULL, 0, clock_boot_ns());
	if (session)
		env_born(env, a->server);
	return session ? session->id : NULL;
}

/* A session of the server, or of a relay before this one: it is looked after, so that the agent can
 * go on with it when the server is back. */
static void keep_session(const struct agent *a)
{
	struct env *env = a->all->env;
	struct http1_span id = { NULL, 0 };

	if (is_stateless(a) || http1_equal(a->http.method, "DELETE") ||
	    http1_find(&a->http, "mcp-session-id", &id) != 1 || !id.len ||
	    id.len > SESSION_ID_MAX ||
	    sessions_find(env->sessions, a->server, id.p, id.len, clock_boot_ns()))
		return;
	if (sessions_add(env->sessions, a->server, id.p, id.len, clock_boot_ns()))
		env_born(env, a->server);
}

/* In the place of the server, whatever was asked. */
static void stand_in(struct agent *a, enum words_trouble trouble)
{
	const struct standin s = { a->rule, trouble, is_stateless(a) };
	CLEANUP(buf_done) struct buf out = BUF(ANSWER_MAX);

	keep_session(a);
	if (http1_equal(a->http.method, "POST"))
		standin_answer(&s, &a->batch, begin_session(a), &out);
	else if (http1_equal(a->http.method, "DELETE"))
		standin_empty(200, &out);
	else
		standin_plain(405, "POST, DELETE", "there is no stream of events here", &out);
	count_answer(a);
	answer(a, &out);
}

/* --- what comes of a request that is handed on --------------------------------------------------------- */

static void on_bytes(void *owner, const struct buf *bytes)
{
	struct agent *a = owner;

	if (a->broken)
		return;
	if (buf_error(bytes) || link_send(&a->link, buf_str(bytes), bytes->len)) {
		a->broken = true;
		loop_timer_set(a->timer, 0); /* not from here: forward still works */
		return;
	}
	if (link_queued(&a->link))
		loop_timer_set(a->timer, clock_boot_ns() + AGENT_STUCK_NS);
	forward_pause(a->forward, link_queued(&a->link) >= LINK_HIGH);
}

static void on_over(void *owner, bool whole)
{
	struct agent *a = owner;

	if (whole && !a->broken)
		linger(a);
	else
		tear_off(a);
}

static void on_stand_in(void *owner, enum words_trouble trouble)
{
	struct agent *a = owner;

	forward_free(TAKE_PTR(a->forward));
	stand_in(a, trouble);
}

static void hand_on(struct agent *a)
{
	const struct forward_owner owner = { on_bytes, on_over, on_stand_in, a };
	const struct call call = { a->all->env, a->rule,   &a->http,
				   &a->body,    &a->batch, is_stateless(a) };
	enum words_trouble trouble = WORDS_NO_TROUBLE;
	CLEANUP(buf_done) struct buf out = BUF(ANSWER_MAX);

	switch (forward_new(&call, &owner, &a->forward, &trouble)) {
	case FORWARD_BEGUN:
		a->state = AGENT_WAITS;
		loop_timer_off(a->timer);
		break;
	case FORWARD_STAND_IN:
		stand_in(a, trouble);
		break;
	case FORWARD_LOST:
		answer_lost(a, WORDS_WAS_THERE);
		break;
	case FORWARD_DONE:
		standin_empty(200, &out);
		answer(a, &out);
		break;
	case FORWARD_ELSEWHERE:
		answer_plain(a, 404, "there is no such path");
		break;
	case FORWARD_BAD:
		answer_plain(a, 400, "a field of this request cannot be handed on");
		break;
	case FORWARD_FULL:
		answer_plain(a, 503, "the relay has no room left; try again later");
		break;
	}
}

/* --- its request ------------------------------------------------------------------------------------------ */

static bool is_known_method(const struct http1 *h)
{
	return http1_equal(h->method, "POST") || http1_equal(h->method, "GET") ||
	       http1_equal(h->method, "DELETE");
}

/* False: it is answered. */
static bool read_messages(struct agent *a)
{
	CLEANUP(buf_done) struct buf out = BUF(ANSWER_MAX);
	int r = rpc_read(buf_str(&a->body), a->body.len, &a->batch);

	if (!r)
		return true;
	if (r == -ENOMEM) {
		answer_plain(a, 503, "the relay has no memory left; try again later");
		return false;
	}
	standin_bad(r == -EBADMSG ? -32700 : -32600,
		    r == -EBADMSG ? "the body is no JSON that could be a message"
				  : "the body is no message of JSON-RPC 2.0",
		    &out);
	answer(a, &out);
	return false;
}

static void decide(struct agent *a)
{
	if (!is_known_method(&a->http)) {
		answer_plain(a, 405, "only " ALLOWED " are of use here");
		return;
	}
	if (http1_equal(a->http.method, "POST") && !read_messages(a))
		return;
	a->rule = rules_hold(&a->all->env->rules, a->server, a->incarnation);
	if (!a->rule)
		answer_plain(a, 503, "the server is being switched back; try again");
	else if (a->rule->is.kind == RELAY_FORWARD)
		hand_on(a);
	else if (http1_equal(a->http.method, "GET") && http1_find(&a->http, "last-event-id", NULL))
		answer_lost(a, WORDS_WAS_THERE);
	else
		stand_in(a, WORDS_NO_TROUBLE);
}

static bool is_too_big(const struct agent *a, size_t more)
{
	return a->body.len + more > AGENT_REQUEST_MAX ||
	       (a->http.framing == HTTP1_BY_LENGTH && a->http.length > AGENT_REQUEST_MAX);
}

/* False: it is answered. */
static bool take_head(struct agent *a)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (a->full) {
		answer_plain(a, 503, "the relay serves as many agents as it can; try again later");
		return false;
	}
	if (is_too_big(a, 0)) {
		answer_plain(a, 413, "a request has 1 MiB at most");
		return false;
	}
	if (a->http.minor && http1_has_token(&a->http, "expect", "100-continue") &&
	    link_send(&a->link, go_on, sizeof(go_on) - 1)) {
		tear_off(a);
		return false;
	}
	return true;
}

static bool take_body(struct agent *a, struct http1_span piece)
{
	struct env *env = a->all->env;

	if (is_too_big(a, piece.len)) {
		answer_plain(a, 413, "a request has 1 MiB at most");
		return false;
	}
	if (env->held + piece.len > AGENT_HELD_MAX) {
		answer_plain(a, 503, "the relay has no room left; try again later");
		return false;
	}
	buf_append(&a->body, piece.p, piece.len);
	if (buf_error(&a->body)) {
		answer_plain(a, 503, "the relay has no memory left; try again later");
		return false;
	}
	env->held += piece.len;
	return true;
}

/* TLS, SSH, another version of HTTP: it would not understand an answer. */
static bool is_no_http(const struct http1 *h)
{
	return h->error == HTTP1_BAD_METHOD || h->error == HTTP1_BAD_VERSION ||
	       h->error == HTTP1_AFTER_END || (h->error == HTTP1_BAD_CONTROL && !h->error_at);
}

static void refuse(struct agent *a)
{
	if (is_no_http(&a->http))
		tear_off(a);
	else if (a->http.error == HTTP1_NO_MEMORY)
		answer_plain(a, 503, "the relay has no memory left; try again later");
	else
		answer_plain(a, 400, http1_error_words(a->http.error));
}

/* True: more of the request is wanted; else `a` is perhaps no more. */
static bool take(struct agent *a, const char *data, size_t len)
{
	struct http1_span in = { data, len };
	struct http1_span body;

	for (;;) {
		switch (http1_feed(&a->http, &in, &body)) {
		case HTTP1_MORE:
			return true;
		case HTTP1_HEAD:
			if (!take_head(a))
				return false;
			break;
		case HTTP1_BODY:
			if (!take_body(a, body))
				return false;
			break;
		case HTTP1_MESSAGE:
			decide(a);
			return false;
		case HTTP1_ERROR:
			refuse(a);
			return false;
		}
	}
}

/* --- its connection ------------------------------------------------------------------------------------------- */

/* Nobody asked for what comes behind a request. */
static bool pass_over(struct agent *a, size_t n)
{
	a->beside += n;
	if (a->beside <= BESIDE_MAX)
		return true;
	tear_off(a);
	return false;
}

static void listen_on(struct agent *a)
{
	char piece[LINK_PIECE];

	for (int i = 0; i < PIECES_MAX; i++) {
		ssize_t n = link_recv(&a->link, piece, sizeof(piece));

		if (n == -EAGAIN)
			return;
		if (n <= 0) { /* nobody waits for the answer any more */
			agent_free(a);
			return;
		}
		if (a->state == AGENT_READS ? !take(a, piece, (size_t)n) : !pass_over(a, (size_t)n))
			return;
	}
}

static void on_ready(void *data)
{
	struct agent *a = data;
	size_t before = link_queued(&a->link);

	if (before && link_flush(&a->link)) {
		agent_free(a);
		return;
	}
	if (before && link_queued(&a->link) < before && !a->broken && a->state != AGENT_READS)
		loop_timer_set(a->timer, clock_boot_ns() + AGENT_STUCK_NS);
	if (before && !link_queued(&a->link) && a->state == AGENT_WAITS && !a->broken)
		loop_timer_off(a->timer);
	if (a->state == AGENT_LINGERS)
		farewell(a);
	if (a->forward && link_queued(&a->link) < LINK_HIGH)
		forward_pause(a->forward, false);
	listen_on(a);
}

static void on_time(void *data)
{
	struct agent *a = data;

	if (a->broken || (a->state != AGENT_READS && link_queued(&a->link)))
		tear_off(a);
	else if (a->state == AGENT_READS && a->http.taken)
		answer_plain(a, 408, "the request did not come in time");
	else
		agent_free(a);
}

/* Takes *fd if it succeeds. */
static int begin(struct agent *a, int *fd)
{
	const int on = 1;
	int r = loop_timer_new(a->all->env->loop, on_time, a, &a->timer);

	if (r)
		return r;
	(void)!setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = link_open(&a->link, a->all->env->loop, *fd, on_ready, a);
	if (r) {
		loop_timer_free(a->timer);
		return r;
	}
	*fd = -1;
	loop_timer_set(a->timer, clock_boot_ns() + AGENT_REQUEST_NS);
	return 0;
}

void agent_new(struct agents *all, int fd, uint32_t server, uint32_t incarnation)
{
	CLEANUP(closep) int own = fd;
	CLEANUP(freep) struct agent *a = NULL;

	if (all->n >= all->max + AGENTS_EXTRA || !(a = calloc(1, sizeof(*a))))
		return;
	a->all = all;
	a->server = server;
	a->incarnation = incarnation;
	a->full = all->n >= all->max;
	a->body = BUF(AGENT_REQUEST_MAX);
	http1_init(&a->http, HTTP1_REQUESTS, HEAD_MAX);
	if (begin(a, &own))
		return;
	a->next = all->first;
	a->at = &all->first;
	if (a->next)
		a->next->at = &a->next;
	all->first = a;
	all->n++;
	a = NULL;
}

void agents_done(struct agents *all)
{
	while (all->first)
		agent_free(all->first);
}

void agents_retire(struct agents *all, uint32_t server)
{
	const struct rule *rule = all->env->rules.v[server];
	struct agent *next;

	for (struct agent *a = all->first; a; a = next) {
		next = a->next;
		if (a->server != server)
			continue;
		if (a->state == AGENT_READS && !rule && !a->http.taken)
			agent_free(a);
		else if (a->forward && (!rule || rule->target != a->rule->target))
			forward_retire(a->forward);
	}
}
