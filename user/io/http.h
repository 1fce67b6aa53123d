/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HTTP/1.1 server on one listening socket, Unix or TCP, by libmicrohttpd
 * without a thread of its own. The caller watches http_fd() for reading, calls
 * http_run() when it is readable or when http_timeout_ms() has passed, and asks
 * for the timeout again after every call that changes something: http_run(),
 * http_stream_push(), http_reply_deferred().
 *
 * Invariants:
 *  H1  Nothing here blocks, and nothing a client sends ends the process.
 *  H2  Memory per client is bounded: header HTTP_HEADER_MAX, body
 *      HTTP_BODY_MAX, where body_max() says nothing else, stream HTTP_BACKLOG_MAX.
 *  H3  On a Unix socket, other users than root together never hold more than
 *      three quarters of the connections and one of them never more than a
 *      quarter: root can always get through. Who is beyond gets a 503.
 *  H4  A request that is kept for later holds its connection's place, and no longer
 *      than timeout_s and HTTP_CHECK_MS: then its client gets a 504. One whose client
 *      is gone gives the place back within HTTP_CHECK_MS.
 */
#ifndef SWITCHGEAR_IO_HTTP_H
#define SWITCHGEAR_IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/parse.h"

#define HTTP_BODY_MAX 65536U
#define HTTP_HEADER_MAX 32768U
#define HTTP_BACKLOG_MAX 262144U
#define HTTP_SEGMENTS_MAX 8
#define HTTP_QUERIES_MAX 16
#define HTTP_WHY_MAX 512
#define HTTP_CHECK_MS 2000 /* how often those who wait in silence are looked at */

struct http;
struct http_call;
struct http_deferred;
struct http_stream;

/* All text is borrowed for the time of the handler. */
struct http_request {
	const char *method; /* HEAD comes as "GET": its answer's body is left out */
	const char *path;   /* as sent, without the query: "/v1/servers/a%2Fb" */
	/* The path's parts, percent-decoded, without empty ones: "v1", "servers", "a/b". */
	const char *segment[HTTP_SEGMENTS_MAX];
	size_t segments;
	const char *body; /* never NULL; NUL-terminated */
	size_t body_len;
	bool local;             /* a Unix socket; only then */
	struct ucred peer;      /* says who connected */
	struct http_call *call; /* private */
};

/* Must answer before it returns, by http_reply() or http_reply_stream(), or keep the request
 * for later by http_defer(); else the client gets a 500. Malformed targets (400) and long bodies (413) never get here. */
typedef void http_handler(void *data, struct http_request *request);

/* How long the body of this request may be, before any of it came: path, segments and who asks
 * are known, the method is not. */
typedef size_t http_body_max_fn(void *data, const struct http_request *request);

struct http_options {
	const char *path; /* Unix socket; NULL: TCP at address and port */
	const struct addr *address;
	uint16_t port;            /* 0: any free one, see http_port() */
	unsigned int connections; /* at once; 0: 64 */
	unsigned int timeout_s;   /* without progress, or without an answer (H4); 0: 15 */
	unsigned int check_ms;    /* between looks at who waits in silence; 0: HTTP_CHECK_MS */
	http_handler *handler;
	http_body_max_fn *body_max; /* NULL: HTTP_BODY_MAX */
	void *data;
};

/*
 * Listens. A Unix socket gets mode 0666 (who may do what is decided per
 * request) in a directory that is made with 0755 if missing; what a dead daemon
 * left there is replaced; one that a live daemon answers on is refused with
 * -EADDRINUSE, anything that is not a socket with -EEXIST. why, of HTTP_WHY_MAX bytes, says
 * what went wrong and what to do about it.
 */
int http_new(const struct http_options *options, struct http **ret, char *why) MUST_CHECK;
/* Could it listen? Changes nothing. */
int http_check(const struct http_options *options, char *why) MUST_CHECK;
/* Ends all connections (streams hear `gone`, deferred requests have nobody left to answer) and
 * removes the socket; NULL-safe. */
void http_free(struct http *http);

int http_fd(const struct http *http);         /* borrowed; level-triggered, for reading */
int http_timeout_ms(const struct http *http); /* -1: none */
void http_run(struct http *http);
uint16_t http_port(const struct http *http); /* of a TCP socket */
/* Runs until every answer is written, at most for so long: before an exit, and after
 * http_reply_deferred() of every kept request. */
void http_flush(struct http *http, unsigned int timeout_ms);

/* The value of a header, borrowed as the request is; NULL without it. */
const char *http_header(const struct http_request *request, const char *name);
/* Whether the client asks for this media type by name ("Accept: text/event-stream"): wildcards
 * do not count, nor does what it gives the weight 0. */
bool http_accepts(const struct http_request *request, const char *type);
/* Percent-decoded value of ?key=value, "" without a value, NULL without the key. */
const char *http_query(const struct http_request *request, const char *key);
/* Whether the client's process had this group (its own or a supplementary one) when it
 * connected; false on TCP and whenever that cannot be found out. */
bool http_peer_in_group(const struct http_request *request, gid_t group);

/* What http_reply() sends for this request says Retry-After. */
void http_retry_after(struct http_request *request, unsigned int seconds);
/* text is copied. Logs failures; the client then sees its connection closed. */
void http_reply(struct http_request *request, unsigned int status, const char *content_type,
		const char *text, size_t len);

/*
 * Keeps the request, to answer it from the loop: what the handle is answered with is sent in
 * place of an answer of the handler's, whose request is not valid after it returned. The handle
 * is the caller's until http_reply_deferred(), which must come once for each, whatever became
 * of the client (H4) or the server (also after http_free()) meanwhile. NULL, and the request is
 * to be answered at once: it has an answer or is kept already, or there is no memory.
 */
struct http_deferred *http_defer(struct http_request *request);
/* text is copied, and goes nowhere if nobody waits any more. Frees the handle; NULL-safe. May be
 * called by the handler, too. Without memory the client sees its connection closed. */
void http_reply_deferred(struct http_deferred *deferred, unsigned int status,
			 const char *content_type, const char *text, size_t len);

/*
 * An answer without an end: lines that are pushed as they come. What a client
 * does not read in time is dropped, and `loss` writes the line that says how
 * many lines it missed, in their place. `gone` is called once when the client
 * or the server ends the connection; the stream is invalid then. `more`, which may be NULL, is
 * called when all that was pushed is sent: whoever asks for http_stream_room() before he pushes
 * loses nothing, and goes on there. Callbacks may be called from http_run() and http_free().
 */
struct http_stream_ops {
	void (*loss)(void *data, uint64_t lost, struct buf *line);
	void (*gone)(void *data);
	void (*more)(void *data);
};

int http_reply_stream(struct http_request *request, const char *content_type,
		      const struct http_stream_ops *ops, void *data,
		      struct http_stream **ret) MUST_CHECK;
/* One whole line, its line feed included. */
void http_stream_push(struct http_stream *stream, const char *line, size_t len);
/* So many bytes can be pushed now without a loss. */
size_t http_stream_room(const struct http_stream *stream);

static inline void http_freep(struct http **http)
{
	http_free(*http);
}

#endif
