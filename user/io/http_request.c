/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One request from its first line to the end of its answer. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/log.h"
#include "io/http_private.h"

#define SUB "http"
#define GROUPS_MAX 65536U

static void call_free(struct http_call *call)
{
	http_deferred_forget(call);
	if (call->response)
		MHD_destroy_response(call->response);
	buf_done(&call->body);
	free(call->target);
	free(call->text);
	free(call);
}

/* Called when the request line is there; NULL makes http_call_data() give up. */
void *http_call_begin(void *data, const char *target, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->http = data;
	call->connection = connection;
	call->conn = info ? info->socket_context : NULL;
	call->request.call = call;
	if (call->conn) {
		call->request.local = call->conn->local;
		call->request.peer = call->conn->peer;
	}
	call->error = http_call_parse(call, target);
	call->body = BUF(HTTP_BODY_MAX);
	if (call->http->body_max && !call->error)
		call->body.max = call->http->body_max(call->http->data, &call->request);
	call->http->open_calls++;
	return call;
}

void http_call_end(void *data, struct MHD_Connection *connection, void **call,
		   enum MHD_RequestTerminationCode why)
{
	struct http *http = data;

	(void)connection;
	(void)why;
	if (!*call)
		return;
	http->open_calls--;
	call_free(*call);
	*call = NULL;
}

static void reply_error(struct http_request *request, unsigned int status, const char *code,
			const char *message)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n",
			 code, message);

	http_reply(request, status, "application/json", text, (size_t)n);
}

static void call_answer(struct http_call *call, const char *method)
{
	struct http_request *request = &call->request;

	if (call->dropped) {
		char message[64];

		snprintf(message, sizeof(message), "the body is longer than %zu KiB",
			 call->body.max >> 10);
		return reply_error(request, 413, "too_large", message);
	}
	if (call->error == -ENOMEM || buf_error(&call->body))
		return reply_error(request, 503, "no_memory", "out of memory, try again");
	if (call->error)
		return reply_error(request, 400, "bad_target",
				   "the path or query is malformed or has too many parts");
	request->method = strcmp(method, "HEAD") ? method : "GET";
	request->body = buf_str(&call->body);
	request->body_len = call->body.len;
	call->http->handler(call->http->data, request);
	if (!call->replied && !call->kept)
		reply_error(request, 500, "internal", "the daemon has no answer to this request");
}

static bool announces_too_much(struct MHD_Connection *connection, size_t max)
{
	const char *text =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");

	return text && strtoull(text, NULL, 10) > max;
}

/* Called with the header alone, then with pieces of the body, then once without any. */
enum MHD_Result http_call_data(void *data, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_len, void **ret_call)
{
	struct http_call *call = *ret_call;

	(void)data;
	(void)url;
	(void)version;
	if (!call)
		return MHD_NO;
	if (!call->begun) {
		call->begun = true;
		if (announces_too_much(connection, call->body.max)) {
			call->dropped = true;
			call_answer(call, method);
		}
		return MHD_YES;
	}
	if (*upload_len) {
		/* A chunked body of unknown length is read to twice the limit for the
		 * sake of a polite answer, then cut off. */
		if (call->body.len + *upload_len > call->body.max) {
			if (call->dropped)
				return MHD_NO;
			call->dropped = true;
			buf_clear(&call->body);
		}
		buf_append(&call->body, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	if (call->kept)
		return http_deferred_answer(call);
	if (!call->replied)
		call_answer(call, method);
	return call->replied || call->kept ? MHD_YES : MHD_NO;
}

void http_retry_after(struct http_request *request, unsigned int seconds)
{
	request->call->retry_s = seconds;
}

/* Without memory for it the answer goes without. */
static void add_retry_after(const struct http_call *call, struct MHD_Response *response)
{
	char text[16];

	if (!call->retry_s)
		return;
	snprintf(text, sizeof(text), "%u", call->retry_s);
	(void)MHD_add_response_header(response, "Retry-After", text);
}

void http_reply(struct http_request *request, unsigned int status, const char *content_type,
		const char *text, size_t len)
{
	struct http_call *call = request->call;
	struct MHD_Response *response;

	if (call->replied || call->kept)
		return;
	response = http_response(content_type, text, len);
	if (!response)
		return;
	add_retry_after(call, response);
	if (MHD_queue_response(call->connection, status, response) == MHD_YES)
		call->replied = true;
	MHD_destroy_response(response);
}

const char *http_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->call->connection, MHD_HEADER_KIND, name);
}

/* "text/html;q=0": not wanted. */
static bool weighs_nothing(const char *parameters, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++) {
		if ((parameters[i] | 0x20) != 'q' || parameters[i + 1] != '=')
			continue;
		if (i && !strchr("; \t", parameters[i - 1]))
			continue;
		i += 2;
		i += strspn(parameters + i, "0.");
		return parameters[i] < '1' || parameters[i] > '9';
	}
	return false;
}

bool http_accepts(const struct http_request *request, const char *type)
{
	const char *at = http_header(request, "Accept");
	size_t len = strlen(type);

	while (at && *at) {
		size_t n;

		at += strspn(at, ", \t");
		n = strcspn(at, ",");
		if (n >= len && !strncasecmp(at, type, len) &&
		    (n == len || strchr("; \t", at[len])))
			return !weighs_nothing(at + len, n - len);
		at += n;
	}
	return false;
}

bool http_peer_in_group(const struct http_request *request, gid_t group)
{
	CLEANUP(freep) gid_t *groups = NULL;
	socklen_t len = 0;

	if (!request->local)
		return false;
	if (request->peer.gid == group)
		return true;
	/* The first call says how much room the list needs. */
	getsockopt(request->call->conn->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len);
	if (!len || len > GROUPS_MAX * sizeof(gid_t))
		return false;
	groups = malloc(len);
	if (!groups ||
	    getsockopt(request->call->conn->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}
