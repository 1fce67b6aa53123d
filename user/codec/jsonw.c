/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonw.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void jsonw_init(struct jsonw *w, struct buf *out)
{
	*w = (struct jsonw){ .out = out };
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void put_text(struct buf *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	buf_putc(out, '"');
	for (; *s; s += n ? n : 1) {
		n = utf8_length(s);
		if (!n)
			buf_puts(out, "\xef\xbf\xbd");
		else if (*s == '"' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else if (*s == '\n')
			buf_puts(out, "\\n");
		else if (*s < 0x20 || *s == 0x7f)
			buf_printf(out, "\\u%04x", *s);
		else
			buf_append(out, s, n);
	}
	buf_putc(out, '"');
}

static void start(struct jsonw *w, const char *key)
{
	if (w->depth) {
		if (w->more[w->depth - 1])
			buf_putc(w->out, ',');
		w->more[w->depth - 1] = true;
	}
	if (key) {
		put_text(w->out, key);
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
	buf_printf(w->out, "%" PRIu64, value);
}

void jsonw_count(struct jsonw *w, const char *key, uint32_t value)
{
	if (value == UINT32_MAX)
		jsonw_null(w, key);
	else
		jsonw_uint(w, key, value);
}

void jsonw_text(struct jsonw *w, const char *key, const char *value)
{
	if (!value) {
		jsonw_null(w, key);
		return;
	}
	start(w, key);
	put_text(w->out, value);
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
	char fraction[12];
	size_t n;

	snprintf(fraction, sizeof(fraction), "%09" PRIu64, ns % NS_PER_SEC);
	for (n = 9; n > 1 && fraction[n - 1] == '0'; n--)
		fraction[n - 1] = '\0';
	start(w, key);
	buf_printf(w->out, "%" PRIu64 ".%s", ns / NS_PER_SEC, fraction);
}

void jsonw_time(struct jsonw *w, const char *key, uint64_t wall_ns)
{
	char text[32];

	jsonw_text(w, key, clock_format(text, sizeof(text), wall_ns));
}
