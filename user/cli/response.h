/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decoder of one HTTP/1.x answer, fed with whatever pieces a socket returns.
 * Everything is bounded; what is not understood is an error, never a guess.
 */
#ifndef SWITCHGEAR_CLI_RESPONSE_H
#define SWITCHGEAR_CLI_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define RESPONSE_LINE_MAX 8192U
#define RESPONSE_LINES_MAX 100U /* of a header, and of the trailer */

/* Takes a piece of the body; 0 or -errno, which ends the decoding. */
typedef int response_sink_fn(void *data, const char *piece, size_t len);

enum response_state {
	RESPONSE_STATUS,
	RESPONSE_HEADER,
	RESPONSE_BODY,       /* `left` bytes of it */
	RESPONSE_BODY_CLOSE, /* up to the end of the connection */
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK,
	RESPONSE_CHUNK_END,
	RESPONSE_TRAILER,
	RESPONSE_DONE
};

struct response {
	enum response_state state;
	unsigned int status; /* valid from RESPONSE_BODY on */
	bool chunked;
	bool has_length;
	uint64_t left;
	unsigned int lines;
	char line[RESPONSE_LINE_MAX];
	size_t line_len;
	response_sink_fn *sink;
	void *data;
};

void response_init(struct response *response, response_sink_fn *sink, void *data);
/* 1: complete (what follows is ignored), 0: more is needed, -EBADMSG: malformed,
 * -EMSGSIZE: a header that is too long, or what the sink returned. */
int response_feed(struct response *response, const char *data, size_t len) MUST_CHECK;
/* The connection ended: 0 if the answer is complete, -EPIPE if it is cut off. */
int response_end(struct response *response) MUST_CHECK;

#endif
