/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/upstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/parse.h"
#include "relay/link.h"

#define ANSWER_HEAD_MAX 65536U
#define PIECES_MAX 8 /* that are read in one go: others want to run too */

struct upstream {
	struct link link;
	struct loop_timer *timer;
	struct upstream_owner owner;
	struct http1 http;
	struct buf request; /* until the connection stands */
	bool connected;
	bool headed; /* the final head was told */
	bool busy;   /* in a callback: its memory must stay */
	bool dead;   /* freed meanwhile */
};

/* --- its end ------------------------------------------------------------------------------------ */

static void destroy(struct upstream *u)
{
	http1_done(&u->http);
	buf_done(&u->request);
	free(u);
}

void upstream_free(struct upstream *u)
{
	if (!u || u->dead)
		return;
	u->dead = true;
	link_close(&u->link);
	loop_timer_free(u->timer);
	if (!u->busy)
		destroy(u);
}

static void upstream_freep(struct upstream **u)
{
	upstream_free(*u);
}

static void end(struct upstream *u, enum upstream_end how)
{
	u->owner.end(u->owner.owner, how);
}

static void end_by(struct upstream *u, int r)
{
	end(u, !u->connected  ? UPSTREAM_UNREACHED
	       : r == -EPROTO ? UPSTREAM_GARBLED
			      : UPSTREAM_LOST);
}

/* --- its answer ---------------------------------------------------------------------------------- */

static int heard_head(struct upstream *u)
{
	if (u->http.interim)
		return 0;
	if (u->http.tunnel)
		return -EPROTO;
	u->headed = true;
	u->owner.head(u->owner.owner, &u->http);
	return 0;
}

/* True: there is no more to be expected, and the owner knows. */
static bool heard(struct upstream *u, enum http1_event e, struct http1_span body)
{
	if (e == HTTP1_HEAD && heard_head(u)) {
		end(u, UPSTREAM_GARBLED);
		return true;
	}
	if (e == HTTP1_BODY)
		u->owner.body(u->owner.owner, body.p, body.len);
	if (e == HTTP1_MESSAGE && u->headed) {
		end(u, UPSTREAM_DONE);
		return true;
	}
	if (e == HTTP1_ERROR) {
		end(u, u->http.error == HTTP1_CUT_OFF ? UPSTREAM_LOST : UPSTREAM_GARBLED);
		return true;
	}
	return false;
}

static bool take(struct upstream *u, const char *data, size_t len)
{
	struct http1_span in = { data, len };
	struct http1_span body;
	enum http1_event e;

	do {
		e = http1_feed(&u->http, &in, &body);
		if (heard(u, e, body) || u->dead)
			return true;
	} while (e != HTTP1_MORE);
	return false;
}

static void listen_on(struct upstream *u)
{
	char piece[LINK_PIECE];

	for (int i = 0; i < PIECES_MAX && u->link.reading; i++) {
		ssize_t n = link_recv(&u->link, piece, sizeof(piece));
		enum http1_event e;

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			end_by(u, (int)n);
			return;
		}
		if (!n) {
			e = http1_eof(&u->http);
			if (!heard(u, e, (struct http1_span){ NULL, 0 }))
				end(u, UPSTREAM_LOST);
			return;
		}
		if (take(u, piece, (size_t)n))
			return;
		loop_timer_set(u->timer,
			       clock_boot_ns() + (u->headed ? UPSTREAM_IDLE_NS : UPSTREAM_HEAD_NS));
	}
}

/* --- its connection --------------------------------------------------------------------------------- */

/* 0: it stands, and the request is on its way. */
static int connected(struct upstream *u)
{
	int error = 0;
	socklen_t len = sizeof(error);
	int r;

	if (getsockopt(u->link.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error)
		return -error;
	u->connected = true;
	link_write_on(&u->link, false);
	link_read_on(&u->link, true);
	loop_timer_set(u->timer, clock_boot_ns() + UPSTREAM_HEAD_NS);
	r = link_send(&u->link, u->request.data, u->request.len);
	buf_done(&u->request);
	return r;
}

static void work(struct upstream *u)
{
	int r;

	if (!u->connected) {
		r = connected(u);
		if (r)
			end_by(u, r);
		return;
	}
	r = link_queued(&u->link) ? link_flush(&u->link) : 0;
	if (r) /* one that has answered need not take all of the request */
		link_write_on(&u->link, false);
	if (!u->link.reading && !u->link.writing)
		end(u, UPSTREAM_LOST); /* nothing else can be meant */
	else
		listen_on(u);
}

static void on_ready(void *data)
{
	struct upstream *u = data;

	u->busy = true;
	work(u);
	u->busy = false;
	if (u->dead)
		destroy(u);
}

static void on_time(void *data)
{
	struct upstream *u = data;

	u->busy = true;
	end(u, u->connected ? UPSTREAM_SILENT : UPSTREAM_UNREACHED);
	u->busy = false;
	if (u->dead)
		destroy(u);
}

static int connect_to(const struct relay_rule *to, int *ret)
{
	const struct addr *addr = (const struct addr *)to->addr;
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(to->port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(to->port) };
	bool v4 = addr_is_v4(addr);
	CLEANUP(closep)
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;

	if (fd < 0)
		return -errno;
	memcpy(&a4.sin_addr, to->addr + 12, sizeof(a4.sin_addr));
	memcpy(&a6.sin6_addr, to->addr, sizeof(a6.sin6_addr));
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, v4 ? (void *)&a4 : (void *)&a6, v4 ? sizeof(a4) : sizeof(a6)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

int upstream_new(struct loop *loop, const struct relay_rule *to, const struct buf *head,
		 const struct buf *body, const struct upstream_owner *owner, struct upstream **ret)
{
	CLEANUP(upstream_freep) struct upstream *u = calloc(1, sizeof(*u));
	CLEANUP(closep) int fd = -1;
	int r;

	if (!u)
		return -ENOMEM;
	u->link.fd = -1;
	u->owner = *owner;
	u->request = BUF(LINK_QUEUE_MAX);
	http1_init(&u->http, HTTP1_ANSWERS, ANSWER_HEAD_MAX);
	buf_append(&u->request, buf_str(head), head->len);
	buf_append(&u->request, buf_str(body), body->len);
	r = buf_error(&u->request);
	r = r ? r : loop_timer_new(loop, on_time, u, &u->timer);
	r = r ? r : connect_to(to, &fd);
	r = r ? r : link_open(&u->link, loop, fd, on_ready, u);
	if (r)
		return r;
	fd = -1;
	link_read_on(&u->link, false);
	link_write_on(&u->link, true);
	loop_timer_set(u->timer, clock_boot_ns() + UPSTREAM_CONNECT_NS);
	*ret = TAKE_PTR(u);
	return 0;
}

void upstream_pause(struct upstream *u, bool paused)
{
	if (u && !u->dead && u->connected)
		link_read_on(&u->link, !paused);
}
