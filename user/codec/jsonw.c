/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonw.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

void jsonw_init(struct jsonw *w, struct buf *out)
{
	*w = (struct jsonw){ .out = out };
}

static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* `raw`: a line feed is a control character like any other, and DEL is none. */
static void put_text(struct buf *out, const char *text, size_t len, bool raw)
{
	const char *end = text + len;

	buf_putc(out, '"');
	while (text < end) {
		const char *at = text;
		int32_t c;

		while (text < end && is_plain(*text))
			text++;
		buf_append(out, at, (size_t)(text - at));
		if (text == end)
			break;
		at = text;
		c = utf8_next(&text, end);
		if (c < 0) {
			buf_puts(out, "\xef\xbf\xbd");
			text++;
		} else if (c == '"' || c == '\\') {
			buf_printf(out, "\\%c", c);
		} else if (c == '\n' && !raw) {
			buf_puts(out, "\\n");
		} else if (c < 0x20 || (c == 0x7f && !raw)) {
			buf_printf(out, "\\u%04x", (unsigned int)c);
		} else {
			buf_append(out, at, (size_t)(text - at));
		}
	}
	buf_putc(out, '"');
}

/* With leading zeros up to `places`; without printf, which simulate cannot afford. */
static void put_digits(struct buf *out, uint64_t value, size_t places)
{
	char digits[20];
	size_t at = sizeof(digits);

	for (; value || sizeof(digits) - at < places; value /= 10)
		digits[--at] = (char)('0' + value % 10);
	buf_append(out, digits + at, sizeof(digits) - at);
}

static void start(struct jsonw *w, const char *key)
{
	if (w->depth) {
		if (w->more[w->depth - 1])
			buf_putc(w->out, ',');
		w->more[w->depth - 1] = true;
	}
	if (key) {
		put_text(w->out, key, strlen(key), false);
		buf_putc(w->out, ':');
	}
}

static void open_container(struct jsonw *w, const char *key, char c)
{
	assert(w->depth < JSONW_DEPTH_MAX);
	start(w, key);
	buf_putc(w->out, c);
	w->more[w->depth++] = false;
}

static void close_container(struct jsonw *w, char c)
{
	assert(w->depth);
	w->depth--;
	buf_putc(w->out, c);
}

void jsonw_object(struct jsonw *w, const char *key)
{
	open_container(w, key, '{');
}

void jsonw_object_end(struct jsonw *w)
{
	close_container(w, '}');
}

void jsonw_list(struct jsonw *w, const char *key)
{
	open_container(w, key, '[');
}

void jsonw_list_end(struct jsonw *w)
{
	close_container(w, ']');
}

void jsonw_null(struct jsonw *w, const char *key)
{
	start(w, key);
	buf_puts(w->out, "null");
}

void jsonw_bool(struct jsonw *w, const char *key, bool value)
{
	start(w, key);
	buf_puts(w->out, value ? "true" : "false");
}

void jsonw_uint(struct jsonw *w, const char *key, uint64_t value)
{
	start(w, key);
	put_digits(w->out, value, 1);
}

void jsonw_count(struct jsonw *w, const char *key, uint32_t value)
{
	if (value == UINT32_MAX)
		jsonw_null(w, key);
	else
		jsonw_uint(w, key, value);
}

void jsonw_bytes(struct jsonw *w, const char *key, const char *value, size_t len)
{
	start(w, key);
	put_text(w->out, value, len, true);
}

void jsonw_text(struct jsonw *w, const char *key, const char *value)
{
	if (!value) {
		jsonw_null(w, key);
		return;
	}
	start(w, key);
	if (w->view == URL_ORIGIN && strstr(value, "://")) {
		CLEANUP(buf_done) struct buf shown = BUF(strlen(value));

		url_redact(value, URL_ORIGIN, &shown);
		put_text(w->out, buf_str(&shown), shown.len, false);
		return;
	}
	put_text(w->out, value, strlen(value), false);
}

void jsonw_double(struct jsonw *w, const char *key, double value)
{
	char text[40];

	if (!isfinite(value)) {
		jsonw_null(w, key);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	start(w, key);
	buf_puts(w->out, text);
}

void jsonw_seconds(struct jsonw *w, const char *key, uint64_t ns)
{
	uint64_t rest = ns % NS_PER_SEC;
	size_t places = 9;

	for (; places > 1 && rest % 10 == 0; places--)
		rest /= 10;
	start(w, key);
	put_digits(w->out, ns / NS_PER_SEC, 1);
	buf_putc(w->out, '.');
	put_digits(w->out, rest, places);
}

void jsonw_time(struct jsonw *w, const char *key, uint64_t wall_ns)
{
	char text[32];

	jsonw_text(w, key, clock_format(text, sizeof(text), wall_ns));
}
