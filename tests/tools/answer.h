/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads HTTP/1.1 answers byte by byte and knows when one is complete, so that
 * a test can tell a whole answer from a part of one.
 */
#ifndef SWITCHGEAR_TESTS_ANSWER_H
#define SWITCHGEAR_TESTS_ANSWER_H

#include <ctype.h>
#include <strings.h>

#include "util.h"

enum answer_at {
	ANSWER_STATUS,
	ANSWER_HEADER,
	ANSWER_LENGTH,
	ANSWER_CHUNK_SIZE,
	ANSWER_CHUNK_DATA,
	ANSWER_CHUNK_END,
	ANSWER_TRAILER,
	ANSWER_UNTIL_CLOSE,
	ANSWER_DONE,
	ANSWER_BAD,
};

struct answer {
	enum answer_at at;
	int status; /* 0 until the status line was read */
	bool chunked;
	bool has_length;
	bool close; /* the server closes after it */
	unsigned long left;
	unsigned long bytes;      /* of everything fed */
	unsigned long body_bytes; /* of the body alone */
	FILE *body;               /* receives the body; may be NULL */
	size_t line_len;
	char line[4096];
};

static inline void answer_init(struct answer *a, FILE *body)
{
	memset(a, 0, offsetof(struct answer, line));
	a->body = body;
}

static inline void answer_status_line(struct answer *a)
{
	int major, minor;

	if (sscanf(a->line, "HTTP/%1d.%1d %3d", &major, &minor, &a->status) != 3 || major != 1) {
		a->at = ANSWER_BAD;
		return;
	}
	a->close = minor == 0;
	a->at = ANSWER_HEADER;
}

static inline void answer_head_done(struct answer *a)
{
	if (a->status >= 100 && a->status < 200) {
		a->at = ANSWER_STATUS; /* an interim answer: the real one follows */
		return;
	}
	if (a->status == 204 || a->status == 304)
		a->at = ANSWER_DONE;
	else if (a->chunked)
		a->at = ANSWER_CHUNK_SIZE;
	else if (a->has_length)
		a->at = a->left ? ANSWER_LENGTH : ANSWER_DONE;
	else
		a->at = ANSWER_UNTIL_CLOSE;
}

static inline void answer_header_line(struct answer *a)
{
	char *colon = strchr(a->line, ':');
	const char *value;

	if (!a->line_len) {
		answer_head_done(a);
		return;
	}
	if (!colon) {
		a->at = ANSWER_BAD;
		return;
	}
	value = colon + 1 + strspn(colon + 1, " \t");
	*colon = '\0';
	if (!strcasecmp(a->line, "content-length")) {
		a->left = strtoul(value, NULL, 10);
		a->has_length = true;
	} else if (!strcasecmp(a->line, "transfer-encoding")) {
		a->chunked = !strcasecmp(value, "chunked");
	} else if (!strcasecmp(a->line, "connection")) {
		a->close = !strcasecmp(value, "close");
	}
}

static inline void answer_line(struct answer *a)
{
	char *end;

	switch (a->at) {
	case ANSWER_STATUS:
		answer_status_line(a);
		break;
	case ANSWER_HEADER:
		answer_header_line(a);
		break;
	case ANSWER_CHUNK_SIZE:
		a->left = strtoul(a->line, &end, 16);
		if (end == a->line)
			a->at = ANSWER_BAD;
		else
			a->at = a->left ? ANSWER_CHUNK_DATA : ANSWER_TRAILER;
		break;
	case ANSWER_CHUNK_END:
		a->at = a->line_len ? ANSWER_BAD : ANSWER_CHUNK_SIZE;
		break;
	default: /* ANSWER_TRAILER */
		if (!a->line_len)
			a->at = ANSWER_DONE;
		break;
	}
	a->line_len = 0;
}

static inline void answer_body_byte(struct answer *a, char c)
{
	a->body_bytes++;
	if (a->body)
		fputc(c, a->body);
	if (a->at == ANSWER_UNTIL_CLOSE || --a->left)
		return;
	a->at = a->at == ANSWER_LENGTH ? ANSWER_DONE : ANSWER_CHUNK_END;
}

static inline void answer_byte(struct answer *a, char c)
{
	if (a->at == ANSWER_LENGTH || a->at == ANSWER_CHUNK_DATA || a->at == ANSWER_UNTIL_CLOSE) {
		answer_body_byte(a, c);
	} else if (c == '\n') {
		if (a->line_len && a->line[a->line_len - 1] == '\r')
			a->line_len--;
		a->line[a->line_len] = '\0';
		answer_line(a);
	} else if (a->line_len + 1 < sizeof(a->line)) {
		a->line[a->line_len++] = c;
	} else {
		a->at = ANSWER_BAD;
	}
}

/* True once the answer is complete or cannot be HTTP; what is left over is dropped. */
static inline bool answer_feed(struct answer *a, const char *data, size_t len)
{
	for (size_t i = 0; i < len && a->at < ANSWER_DONE; i++) {
		a->bytes++;
		answer_byte(a, data[i]);
	}
	return a->at >= ANSWER_DONE;
}

/* How an answer stands when the connection has ended. */
static inline const char *answer_ended(const struct answer *a)
{
	if (a->at == ANSWER_DONE || a->at == ANSWER_UNTIL_CLOSE)
		return "ok";
	if (a->at == ANSWER_BAD)
		return "bad";
	return a->bytes ? "truncated" : "eof";
}

#endif
