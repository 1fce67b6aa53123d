/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/response.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

void response_init(struct response *response, response_sink_fn *sink, void *data)
{
	memset(response, 0, sizeof(*response));
	response->sink = sink;
	response->data = data;
}

static int digit(char c, int base)
{
	int value = c >= '0' && c <= '9' ? c - '0' : -1;

	if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		value = (c | 0x20) - 'a' + 10;
	return value;
}

/* At least one digit, no sign, no overflow; *ret_end is what follows. */
static int number(const char *s, int base, uint64_t *ret, const char **ret_end)
{
	const char *p = s;
	uint64_t n = 0;

	for (; digit(*p, base) >= 0; p++) {
		if (n > (UINT64_MAX >> 5))
			return -EBADMSG;
		n = n * (uint64_t)base + (uint64_t)digit(*p, base);
	}
	if (p == s)
		return -EBADMSG;
	*ret = n;
	*ret_end = p;
	return 0;
}

/* "HTTP/1.1 200 OK" */
static int take_status(struct response *r)
{
	const char *s = r->line;
	uint64_t status;

	if (strncmp(s, "HTTP/1.", 7) || digit(s[7], 10) < 0 || s[8] != ' ')
		return -EBADMSG;
	if (number(s + 9, 10, &status, &s) < 0 || s != r->line + 12 || status < 100 ||
	    (*s && *s != ' '))
		return -EBADMSG;
	r->status = (unsigned int)status;
	r->state = RESPONSE_HEADER;
	return 0;
}

static int take_length(struct response *r, const char *value)
{
	uint64_t length;

	if (number(value, 10, &length, &value) < 0 || *value)
		return -EBADMSG;
	if (r->has_length && r->left != length)
		return -EBADMSG;
	r->has_length = true;
	r->left = length;
	return 0;
}

static void header_is_over(struct response *r)
{
	r->lines = 0;
	if (r->status < 200) { /* interim: the answer itself follows */
		r->state = RESPONSE_STATUS;
		r->chunked = r->has_length = false;
		r->left = 0;
	} else if (r->status == 204 || r->status == 304) {
		r->state = RESPONSE_DONE;
	} else if (r->chunked) {
		r->state = RESPONSE_CHUNK_SIZE;
	} else if (r->has_length) {
		r->state = r->left ? RESPONSE_BODY : RESPONSE_DONE;
	} else {
		r->state = RESPONSE_BODY_CLOSE;
	}
}

static int take_header(struct response *r)
{
	char *value = strchr(r->line, ':');
	size_t end;

	if (!r->line[0]) {
		header_is_over(r);
		return 0;
	}
	if (!value || value == r->line)
		return -EBADMSG;
	*value++ = '\0';
	value += strspn(value, " \t");
	for (end = strlen(value); end && strchr(" \t", value[end - 1]); end--)
		value[end - 1] = '\0';
	if (!strcasecmp(r->line, "Content-Length"))
		return take_length(r, value);
	if (!strcasecmp(r->line, "Transfer-Encoding")) {
		if (strcasecmp(value, "chunked"))
			return -EBADMSG;
		r->chunked = true;
	}
	return 0;
}

/* "1a2b" or "1a2b;extension" */
static int take_chunk_size(struct response *r)
{
	const char *end;

	if (number(r->line, 16, &r->left, &end) < 0)
		return -EBADMSG;
	end += strspn(end, " \t");
	if (*end && *end != ';')
		return -EBADMSG;
	r->state = r->left ? RESPONSE_CHUNK : RESPONSE_TRAILER;
	return 0;
}

static int take_line(struct response *r)
{
	switch (r->state) {
	case RESPONSE_STATUS:
		return take_status(r);
	case RESPONSE_HEADER:
		return take_header(r);
	case RESPONSE_CHUNK_SIZE:
		return take_chunk_size(r);
	case RESPONSE_CHUNK_END:
		r->state = RESPONSE_CHUNK_SIZE;
		return r->line[0] ? -EBADMSG : 0;
	default:
		if (!r->line[0])
			r->state = RESPONSE_DONE;
		return 0;
	}
}

/* Adds to the current line; takes it when it is whole. Returns what was used, or -errno. */
static ssize_t feed_line(struct response *r, const char *data, size_t len)
{
	const char *feed = memchr(data, '\n', len);
	size_t n = feed ? (size_t)(feed - data) : len;
	int error;

	if (n >= sizeof(r->line) - r->line_len)
		return -EMSGSIZE;
	if (memchr(data, '\0', n))
		return -EBADMSG;
	memcpy(r->line + r->line_len, data, n);
	r->line_len += n;
	if (!feed)
		return (ssize_t)n;
	if (r->line_len && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	r->line[r->line_len] = '\0';
	r->line_len = 0;
	if ((r->state == RESPONSE_HEADER || r->state == RESPONSE_TRAILER) &&
	    ++r->lines > RESPONSE_LINES_MAX)
		return -EMSGSIZE;
	error = take_line(r);
	return error < 0 ? error : (ssize_t)n + 1;
}

static ssize_t feed_body(struct response *r, const char *data, size_t len)
{
	int error;

	if (r->state != RESPONSE_BODY_CLOSE && len > r->left)
		len = (size_t)r->left;
	error = r->sink(r->data, data, len);
	if (error < 0)
		return error;
	if (r->state == RESPONSE_BODY_CLOSE)
		return (ssize_t)len;
	r->left -= len;
	if (!r->left)
		r->state = r->state == RESPONSE_CHUNK ? RESPONSE_CHUNK_END : RESPONSE_DONE;
	return (ssize_t)len;
}

int response_feed(struct response *r, const char *data, size_t len)
{
	while (len && r->state != RESPONSE_DONE) {
		bool body = r->state == RESPONSE_BODY || r->state == RESPONSE_BODY_CLOSE ||
			    r->state == RESPONSE_CHUNK;
		ssize_t used = body ? feed_body(r, data, len) : feed_line(r, data, len);

		if (used < 0)
			return (int)used;
		data += used;
		len -= (size_t)used;
	}
	return r->state == RESPONSE_DONE;
}

int response_end(struct response *r)
{
	if (r->state == RESPONSE_BODY_CLOSE)
		r->state = RESPONSE_DONE;
	return r->state == RESPONSE_DONE ? 0 : -EPIPE;
}
