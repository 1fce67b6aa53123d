/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers without an end. libmicrohttpd asks for data when the client can take
 * some; with nothing to give the connection is suspended, and resumed by the
 * next push. It does not watch a suspended connection, so silent clients are
 * looked at here every few seconds, lest they hold their place for ever.
 */
#include <errno.h>
#include <string.h>

#include "io/http_private.h"

#define LOSS_LINE_MAX 1024U

struct http_stream {
	struct http *http;
	LIST_ENTRY(http_stream) all;
	struct MHD_Connection *connection;
	const struct http_conn *conn; /* NULL: unknown */
	const struct http_stream_ops *ops;
	void *data;
	struct buf backlog; /* whole lines; `taken` bytes of it are sent */
	size_t taken;
	uint64_t lost; /* lines since the backlog was full */
	bool suspended;
	bool given; /* to the caller: `gone` is called */
	bool broken;
};

static void resume(struct http_stream *s)
{
	if (!s->suspended)
		return;
	s->suspended = false;
	s->http->again = true;
	MHD_resume_connection(s->connection);
}

/* Forgets what is sent already, so that the maximum counts only what is not. */
static void compact(struct http_stream *s)
{
	s->backlog.len -= s->taken;
	memmove(s->backlog.data, s->backlog.data + s->taken, s->backlog.len);
	s->taken = 0;
}

static bool put(struct http_stream *s, const char *text, size_t len)
{
	if (s->taken && s->backlog.len + len > HTTP_BACKLOG_MAX)
		compact(s);
	if (s->backlog.len + len > HTTP_BACKLOG_MAX)
		return false;
	buf_append(&s->backlog, text, len);
	if (buf_error(&s->backlog)) {
		s->broken = true;
		return false;
	}
	return true;
}

static void put_loss(struct http_stream *s)
{
	CLEANUP(buf_done) struct buf line = BUF(LOSS_LINE_MAX);

	s->ops->loss(s->data, s->lost, &line);
	if (!buf_error(&line) && put(s, buf_str(&line), line.len))
		s->lost = 0;
}

static ssize_t stream_read(void *data, uint64_t pos, char *out, size_t max)
{
	struct http_stream *s = data;
	size_t n;

	(void)pos;
	if (s->broken)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (s->taken == s->backlog.len) {
		s->taken = 0;
		buf_clear(&s->backlog);
		if (s->lost)
			put_loss(s);
		if (s->ops->more)
			s->ops->more(s->data);
	}
	n = s->backlog.len - s->taken;
	if (n) {
		if (n > max)
			n = max;
		memcpy(out, s->backlog.data + s->taken, n);
		s->taken += n;
		return (ssize_t)n;
	}
	s->suspended = true;
	MHD_suspend_connection(s->connection);
	return 0;
}

static void stream_free(void *data)
{
	struct http_stream *s = data;

	LIST_REMOVE(s, all);
	if (s->given)
		s->ops->gone(s->data);
	buf_done(&s->backlog);
	free(s);
}

int http_reply_stream(struct http_request *request, const char *content_type,
		      const struct http_stream_ops *ops, void *data, struct http_stream **ret)
{
	struct http_call *call = request->call;
	struct http_stream *s = call->kept ? NULL : calloc(1, sizeof(*s));
	struct MHD_Response *response;

	if (!s)
		return call->kept ? -EALREADY : -ENOMEM;
	s->http = call->http;
	s->connection = call->connection;
	s->conn = call->conn;
	s->ops = ops;
	s->data = data;
	s->backlog = BUF(HTTP_BACKLOG_MAX);
	LIST_INSERT_HEAD(&s->http->streams, s, all);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, s,
						     stream_free);
	if (!response) {
		stream_free(s);
		return -ENOMEM;
	}
	if (http_response_head(response, content_type) &&
	    MHD_queue_response(call->connection, MHD_HTTP_OK, response) == MHD_YES) {
		call->replied = true;
		s->given = true;
		*ret = s;
	}
	MHD_destroy_response(response); /* the connection holds its own reference */
	return call->replied ? 0 : -ENOMEM;
}

void http_stream_push(struct http_stream *s, const char *line, size_t len)
{
	/* After a loss, room for half of the backlog first: not line by line. */
	if (s->lost && s->backlog.len - s->taken <= HTTP_BACKLOG_MAX / 2)
		put_loss(s);
	if (s->lost || !put(s, line, len))
		s->lost++;
	resume(s);
}

size_t http_stream_room(const struct http_stream *s)
{
	return s->lost ? 0 : HTTP_BACKLOG_MAX - (s->backlog.len - s->taken);
}

void http_streams_check(struct http *http, bool end)
{
	for (struct http_stream *s = LIST_FIRST(&http->streams); s; s = LIST_NEXT(s, all))
		if (end || (s->suspended && http_conn_is_gone(s->conn))) {
			s->broken = true;
			resume(s);
		}
}
