/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of the HTTP adapter share; nobody else includes this. */
#ifndef SWITCHGEAR_IO_HTTP_PRIVATE_H
#define SWITCHGEAR_IO_HTTP_PRIVATE_H

#include <microhttpd.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "io/http.h"

/* One accepted connection. */
struct http_conn {
	LIST_ENTRY(http_conn) all;
	int fd;
	bool local;
	struct ucred peer; /* valid if local */
};

struct http {
	struct MHD_Daemon *mhd;
	http_handler *handler;
	http_body_max_fn *body_max;
	void *data;
	unsigned int connections;
	unsigned int timeout_s;
	unsigned int check_ms;
	char *path;         /* NULL: TCP */
	struct stat socket; /* of path, as it was bound */
	LIST_HEAD(http_conns, http_conn) conns;
	LIST_HEAD(http_streams, http_stream) streams;
	LIST_HEAD(http_waiters, http_deferred) deferred; /* whose answer is to come */
	unsigned int open_calls;  /* requests whose answer is not written yet */
	unsigned int turned_away; /* connections beyond their users' shares, not told of yet */
	uint64_t turned_away_ns;  /* when that was told last; 0: never */
	uint64_t checked_ns;      /* when those who wait in silence were last looked at */
	/*
	 * Another turn is due at once, of which libmicrohttpd's descriptor and
	 * timeout do not tell: a connection was resumed; or one ended, and its
	 * place may be somebody's whom it stopped to accept when all were taken.
	 */
	bool again;
};

struct http_call {
	struct http *http;
	struct MHD_Connection *connection;
	struct http_conn *conn;
	char *target; /* owned copy; path and decoded parts point into it or into text */
	char *text;
	const char *query[HTTP_QUERIES_MAX][2];
	size_t queries;
	struct buf body;
	struct http_request request;
	unsigned int retry_s; /* Retry-After of the answer; 0: none */
	int error;            /* -errno of the target's parsing */
	bool begun;           /* the header was seen */
	bool dropped;         /* the body was longer than allowed */
	bool replied;
	bool kept;                      /* by http_defer(): the handler is done with it */
	struct http_deferred *deferred; /* kept, and neither answered nor given up */
	struct MHD_Response *response;  /* owned: the answer to come, NULL: none */
	unsigned int status;            /* of response */
};

/* http_listen.c: *ret_fd listens, does not block, and belongs to the caller. why has
 * HTTP_WHY_MAX bytes. */
int http_listen_unix(const char *path, struct stat *ret_st, int *ret_fd, char *why) MUST_CHECK;
int http_listen_tcp(const struct addr *address, uint16_t port, int *ret_fd, char *why) MUST_CHECK;
/* Could it? Makes and removes nothing. */
int http_check_unix(const char *path, char *why) MUST_CHECK;

/* http_request.c: the callbacks of libmicrohttpd for one request. */
void *http_call_begin(void *data, const char *target, struct MHD_Connection *connection);
enum MHD_Result http_call_data(void *data, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_len, void **call);
void http_call_end(void *data, struct MHD_Connection *connection, void **call,
		   enum MHD_RequestTerminationCode why);

/* Has the client of a suspended connection hung up? NULL: nobody knows. */
bool http_conn_is_gone(const struct http_conn *conn);
/* Adds what every answer has. */
bool http_response_head(struct MHD_Response *response, const char *content_type);
/* Owned by the caller; NULL, logged, without memory. */
struct MHD_Response *http_response(const char *content_type, const char *text, size_t len);

/* http_target.c: fills request.path, .segment, query; -EINVAL, -E2BIG, -ENOMEM. */
int http_call_parse(struct http_call *call, const char *target) MUST_CHECK;

/* http_defer.c */
void http_deferred_forget(struct http_call *call); /* the call ends; NULL handle is fine */
/* Lets go of those who are gone or waited enough; of all at the end, before the server stops. */
void http_deferred_check(struct http *http, bool end, uint64_t now);
enum MHD_Result http_deferred_answer(struct http_call *call); /* MHD_NO: closes */

/* http_stream.c */
void http_streams_check(struct http *http, bool end); /* the same */

#endif
