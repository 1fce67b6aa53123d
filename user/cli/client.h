/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One request to the daemon over its Unix socket, and its answer. */
#ifndef SWITCHGEAR_CLI_CLIENT_H
#define SWITCHGEAR_CLI_CLIENT_H

#include <stdbool.h>

#include "base/buf.h"

/* Takes one line of a stream, without its line feed; 0 or -errno, which ends it. */
typedef int client_line_fn(void *data, const char *line, size_t len);

struct client_request {
	const char *socket; /* path */
	const char *method;
	const char *target; /* percent-encoded path and query */
	const char *body;   /* NULL: none */
	size_t body_len;    /* 0: it ends with a NUL */
	/* Where lines of a 2xx answer go as they come, without a time limit; NULL: all to `body`. */
	client_line_fn *line;
	/* The same for whatever the answer is made of. */
	client_line_fn *bytes;
	void *data;
};

struct client_reply {
	bool connected;
	unsigned int status;
	struct buf body; /* of every other answer */
};

/*
 * 0 when an answer came, whatever it says. -ENOENT, -ECONNREFUSED, -EACCES and
 * others: could not connect (ret->connected false). -ETIMEDOUT, -EPIPE,
 * -EBADMSG and others: connected, but no whole answer came. The caller ends
 * *ret in each case with client_reply_done().
 */
int client_call(const struct client_request *request, struct client_reply *ret) MUST_CHECK;

static inline void client_reply_done(struct client_reply *reply)
{
	buf_done(&reply->body);
}

/* Appends s with everything but unreserved characters as %XX. */
void client_encode(struct buf *out, const char *s);

/* Appends "?key=value", or "&key=value" behind another; nothing if value is NULL. */
void client_add_query(struct buf *target, const char *key, const char *value);

#endif
