/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/sse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "codec/jsonlex.h"

static void put_data(struct buf *out, const char *data)
{
	for (;;) {
		size_t n = strcspn(data, "\r\n");

		buf_puts(out, "data: ");
		buf_append(out, data, n);
		buf_putc(out, '\n');
		if (!data[n])
			return;
		data += n + (data[n] == '\r' && data[n + 1] == '\n' ? 2 : 1);
	}
}

void sse_event(struct buf *out, uint64_t id, const char *type, const char *data)
{
	if (id)
		buf_printf(out, "id: %" PRIu64 "\n", id);
	buf_printf(out, "event: %s\n", type);
	put_data(out, data);
	buf_putc(out, '\n');
}

void sse_comment(struct buf *out, const char *text)
{
	buf_printf(out, ": %s\n\n", text);
}

void sse_position(struct buf *out, uint64_t id)
{
	buf_printf(out, "id: %" PRIu64 "\n\n", id);
}

void sse_gap(struct buf *out, uint64_t after, uint64_t next, const char *why)
{
	buf_printf(out, "event: gap\ndata: {\"after\":%" PRIu64 ",\"next\":", after);
	if (next)
		buf_printf(out, "%" PRIu64, next);
	else
		buf_puts(out, "null");
	buf_printf(out, ",\"detail\":\"%s\"}\n\n", why);
}

void sse_retry(struct buf *out, unsigned int ms)
{
	buf_printf(out, "retry: %u\n\n", ms);
}

/* --- reading ------------------------------------------------------------------------- */

void sse_init(struct sse_reader *r, size_t max)
{
	memset(r, 0, sizeof(*r));
	r->data = BUF(max);
	r->line = BUF(max);
	r->id = BUF(SSE_ID_MAX);
	r->first = true;
}

void sse_reset(struct sse_reader *r)
{
	struct sse_reader fresh = { .data = r->data, .line = r->line, .id = r->id, .first = true };

	buf_clear(&fresh.data);
	buf_clear(&fresh.line);
	buf_clear(&fresh.id);
	*r = fresh;
}

void sse_done(struct sse_reader *r)
{
	buf_done(&r->data);
	buf_done(&r->line);
	buf_done(&r->id);
}

static void take_retry(struct sse_reader *r, const char *value, size_t len)
{
	uint64_t ms = 0;

	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return;
		ms = ms > (UINT64_MAX - 9) / 10 ? UINT64_MAX : ms * 10 + (uint64_t)(value[i] - '0');
	}
	r->has_retry |= len > 0;
	r->retry_ms = len ? ms : r->retry_ms;
}

static bool is(const char *name, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(name, word, len);
}

static void take_field(struct sse_reader *r, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name = colon ? (size_t)(colon - line) : len;
	const char *value = line + name + (colon != NULL);
	size_t n = len - (size_t)(value - line);

	if (n && *value == ' ') {
		value++;
		n--;
	}
	if (is(line, name, "data")) {
		if (r->has_data)
			buf_putc(&r->data, '\n');
		buf_append(&r->data, value, n);
		r->has_data = true;
	} else if (is(line, name, "event")) {
		size_t kept = n < SSE_WORD_MAX ? n : SSE_WORD_MAX;

		memcpy(r->type, value, kept);
		r->type[kept] = '\0';
	} else if (is(line, name, "id") && !memchr(value, '\0', n)) {
		buf_clear(&r->id);
		buf_append(&r->id, value, n);
		r->has_id = true;
	} else if (is(line, name, "retry")) {
		take_retry(r, value, n);
	}
}

/* The line is complete: is it the end of an event? */
static bool take_line(struct sse_reader *r)
{
	const char *line = buf_str(&r->line);
	size_t len = r->line.len;
	size_t mark = r->first ? json_bom(line, len) : 0;

	r->first = false;
	if (len > mark) {
		take_field(r, line + mark, len - mark);
		return false;
	}
	r->told = true; /* also without data: its type goes */
	return r->has_data;
}

static void forget(struct sse_reader *r)
{
	buf_clear(&r->data);
	r->type[0] = '\0';
	r->has_data = r->told = false;
}

/* How far it is to the end of the line: CR or LF. */
static size_t line_length(const char *p, size_t len)
{
	const char *lf = memchr(p, '\n', len);
	size_t n = lf ? (size_t)(lf - p) : len;
	const char *cr = memchr(p, '\r', n);

	return cr ? (size_t)(cr - p) : n;
}

static bool failed(struct sse_reader *r)
{
	int error = buf_error(&r->line);

	if (!error)
		error = buf_error(&r->data) ? buf_error(&r->data) : buf_error(&r->id);
	if (!r->error)
		r->error = error;
	return r->error != 0;
}

enum sse_came sse_feed(struct sse_reader *r, const char **data, size_t *len)
{
	if (r->told)
		forget(r);
	while (*len && !failed(r)) {
		size_t n = line_length(*data, *len);
		bool whole = n < *len;
		bool second = r->skip_lf && !n && whole && **data == '\n';
		bool event = false;

		buf_append(&r->line, *data, n);
		r->skip_lf = whole && (*data)[n] == '\r';
		if (whole && !second && !failed(r)) {
			event = take_line(r);
			buf_clear(&r->line);
		}
		*data += n + whole;
		*len -= n + whole;
		if (event && !failed(r))
			return SSE_EVENT;
		if (r->told)
			forget(r);
	}
	return failed(r) ? SSE_ERROR : SSE_MORE;
}
