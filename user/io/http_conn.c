/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the server share of a connection and of an answer. */
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/log.h"
#include "io/http_private.h"

#define SUB "http"

bool http_conn_is_gone(const struct http_conn *conn)
{
	/* A Unix client that only shut down its writing side may still read. */
	const short mask = (short)(POLLHUP | POLLERR | (conn && conn->local ? 0 : POLLRDHUP));
	struct pollfd p = { .fd = conn ? conn->fd : -1, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && (p.revents & mask);
}

bool http_response_head(struct MHD_Response *response, const char *content_type)
{
	return MHD_add_response_header(response, "Content-Type", content_type) == MHD_YES &&
	       MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES;
}

struct MHD_Response *http_response(const char *content_type, const char *text, size_t len)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

	if (response && http_response_head(response, content_type))
		return response;
	log_warning(SUB, "no memory for an answer of %zu bytes: connection closed", len);
	if (response)
		MHD_destroy_response(response);
	return NULL;
}
