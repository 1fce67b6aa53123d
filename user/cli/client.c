/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/client.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "codec/http1.h"
#include "codec/messages.h"

#define TIMEOUT_S 15
#define LINE_MAX_BYTES 65536U
#define HEAD_MAX_BYTES 16384U

struct call {
	const struct client_request *request;
	struct client_reply *reply;
	struct http1 answer;
	struct buf line; /* the beginning of one that is not whole yet */
};

static int dial(const char *path, int *ret)
{
	const struct timeval limit = { .tv_sec = TIMEOUT_S };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	CLEANUP(closep) int fd = -1;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Also bounds connect(), which waits while the daemon's queue is full. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int put_head(struct buf *out, const struct client_request *q, size_t body_len)
{
	int r = http1_put_request(out, HTTP1_SPAN(q->method), HTTP1_SPAN(q->target));

	if (!r)
		buf_puts(out, "Host: switchgear\r\nConnection: close\r\n");
	if (!r && (q->body || !strcmp(q->method, "POST"))) {
		buf_puts(out, "Content-Type: application/json\r\n");
		r = http1_put_number(out, "Content-Length", body_len);
	}
	return r ? r : http1_put_end(out);
}

static int send_request(int fd, const struct client_request *q)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	size_t len = q->body_len ? q->body_len : q->body ? strlen(q->body) : 0;
	int r;

	text = BUF(len + HEAD_MAX_BYTES);
	r = put_head(&text, q, len);
	if (r)
		return r;
	if (q->body)
		buf_append(&text, q->body, len);
	r = buf_error(&text);
	return r < 0 ? r : send_all(fd, buf_str(&text), text.len);
}

/* --- the answer's body ------------------------------------------------------- */

static int take_lines(struct call *call, const char *data, size_t len)
{
	const char *feed;

	while ((feed = memchr(data, '\n', len))) {
		size_t n = (size_t)(feed - data);
		int r;

		buf_append(&call->line, data, n);
		r = buf_error(&call->line);
		if (r == 0 && call->line.len)
			r = call->request->line(call->request->data, buf_str(&call->line),
						call->line.len);
		if (r)
			return r;
		buf_clear(&call->line);
		data += n + 1;
		len -= n + 1;
	}
	buf_append(&call->line, data, len);
	return buf_error(&call->line);
}

static int take_body(struct call *call, struct http1_span piece)
{
	if (call->request->line && call->answer.status < 300)
		return take_lines(call, piece.p, piece.len);
	if (call->request->bytes && call->answer.status < 300)
		return call->request->bytes(call->request->data, piece.p, piece.len);
	buf_append(&call->reply->body, piece.p, piece.len);
	return buf_error(&call->reply->body);
}

static int error_of(const struct http1 *answer)
{
	switch (answer->error) {
	case HTTP1_CUT_OFF:
		return -EPIPE;
	case HTTP1_HEAD_TOO_LONG:
		return -EMSGSIZE;
	case HTTP1_NO_MEMORY:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}

/* 1: the answer is complete (what follows is ignored), 0: more is needed; -errno. */
static int take(struct call *call, const char *data, size_t len)
{
	struct http1_span in = { data, len };
	int r = 0;

	while (!r) {
		struct http1_span body;
		enum http1_event e = http1_feed(&call->answer, &in, &body);

		if (e == HTTP1_MORE)
			return 0;
		if (e == HTTP1_ERROR)
			return error_of(&call->answer);
		if (e == HTTP1_HEAD && !call->answer.interim)
			call->reply->status = call->answer.status;
		else if (e == HTTP1_BODY)
			r = take_body(call, body);
		else if (e == HTTP1_MESSAGE)
			r = !call->answer.interim;
	}
	return r;
}

static int receive(int fd, struct call *call)
{
	bool endless = false;
	char data[16384];

	for (;;) {
		ssize_t n = recv(fd, data, sizeof(data), 0);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && endless)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return http1_eof(&call->answer) == HTTP1_MESSAGE ? 0 : -EPIPE;
		r = take(call, data, (size_t)n);
		if (r != 0)
			return r < 0 ? r : 0;
		/* A stream that has begun may be silent for as long as it likes. */
		endless = (call->request->line || call->request->bytes) && call->reply->status;
	}
}

int client_call(const struct client_request *request, struct client_reply *ret)
{
	struct call call = { .request = request, .reply = ret };
	CLEANUP(closep) int fd = -1;
	int r;

	*ret = (struct client_reply){ 0 };
	ret->body = BUF(REPLY_SIZE_MAX);
	call.line = BUF(LINE_MAX_BYTES);
	http1_init(&call.answer, HTTP1_ANSWERS_TOLERANT, HEAD_MAX_BYTES);
	r = dial(request->socket, &fd);
	if (r)
		return r;
	ret->connected = true;
	r = send_request(fd, request);
	/* A server that turns clients away answers before it has read the request. */
	if (!r || r == -EPIPE)
		r = receive(fd, &call);
	http1_done(&call.answer);
	buf_done(&call.line);
	return r;
}

void client_encode(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    strchr("-._~", c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

void client_add_query(struct buf *target, const char *key, const char *value)
{
	if (!value)
		return;
	buf_printf(target, "%c%s=", strchr(buf_str(target), '?') ? '&' : '?', key);
	client_encode(target, value);
}
