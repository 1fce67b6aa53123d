/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a head says, and heads of our own. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "codec/http1.h"

#define STATUS_MIN 100U
#define STATUS_MAX 599U

/* RFC 9110, 5.6.2: one bit for each byte. */
static const uint32_t tchars[256 / 32] = {
	0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0,
};

static bool is_tchar(char c)
{
	unsigned char byte = (unsigned char)c;

	return tchars[byte / 32] >> byte % 32 & 1;
}

bool http1_is_token(struct http1_span a)
{
	for (size_t i = 0; i < a.len; i++)
		if (!is_tchar(a.p[i]))
			return false;
	return a.len > 0;
}

bool http1_equal(struct http1_span a, const char *text)
{
	return a.len == strlen(text) && (!a.len || !memcmp(a.p, text, a.len));
}

bool http1_equal_case(struct http1_span a, const char *text)
{
	return a.len == strlen(text) && (!a.len || !strncasecmp(a.p, text, a.len));
}

/* --- what the head says -------------------------------------------------------------- */

struct http1_field http1_field(const struct http1 *h, unsigned int i)
{
	const struct http1_place *f = &h->fields[i];

	return (struct http1_field){ { h->head.data + f->name, f->name_len },
				     { h->head.data + f->value, f->value_len } };
}

unsigned int http1_find(const struct http1 *h, const char *name, struct http1_span *ret)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < h->n_fields; i++) {
		struct http1_field f = http1_field(h, i);

		if (http1_equal_case(f.name, name) && ++found == 1 && ret)
			*ret = f.value;
	}
	return found;
}

static struct http1_span trimmed(const char *p, size_t len)
{
	while (len && (*p == ' ' || *p == '\t')) {
		p++;
		len--;
	}
	while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
		len--;
	return (struct http1_span){ p, len };
}

/* A member of a list, or a type: without what is behind its semicolon. */
static struct http1_span bare(const char *p, size_t len)
{
	const char *semicolon = len ? memchr(p, ';', len) : NULL;

	return trimmed(p, semicolon ? (size_t)(semicolon - p) : len);
}

bool http1_list_has(struct http1_span list, const char *token)
{
	while (list.len) {
		const char *comma = memchr(list.p, ',', list.len);
		size_t n = comma ? (size_t)(comma - list.p) : list.len;

		if (http1_equal_case(bare(list.p, n), token))
			return true;
		n += comma != NULL;
		list.p += n;
		list.len -= n;
	}
	return false;
}

bool http1_has_token(const struct http1 *h, const char *name, const char *token)
{
	for (unsigned int i = 0; i < h->n_fields; i++) {
		struct http1_field f = http1_field(h, i);

		if (http1_equal_case(f.name, name) && http1_list_has(f.value, token))
			return true;
	}
	return false;
}

bool http1_is_type(const struct http1 *h, const char *type)
{
	struct http1_span value = { 0 };

	return http1_find(h, "content-type", &value) == 1 &&
	       http1_equal_case(bare(value.p, value.len), type);
}

/* --- making heads ---------------------------------------------------------------------- */

/* Nothing in it ends the line. */
static bool is_value(struct http1_span a)
{
	for (size_t i = 0; i < a.len; i++)
		if (((unsigned char)a.p[i] < 0x20 && a.p[i] != '\t') || a.p[i] == 0x7f)
			return false;
	return true;
}

static void put(struct buf *out, struct http1_span s)
{
	if (s.len)
		buf_append(out, s.p, s.len);
}

int http1_put_request(struct buf *out, struct http1_span method, struct http1_span target)
{
	if (!http1_is_token(method) || !target.len)
		return -EINVAL;
	for (size_t i = 0; i < target.len; i++)
		if (target.p[i] <= 0x20 || target.p[i] >= 0x7f)
			return -EINVAL;
	put(out, method);
	buf_putc(out, ' ');
	put(out, target);
	buf_puts(out, " HTTP/1.1\r\n");
	return buf_error(out);
}

int http1_put_status(struct buf *out, unsigned int status, struct http1_span reason)
{
	if (status < STATUS_MIN || status > STATUS_MAX || !is_value(reason))
		return -EINVAL;
	buf_printf(out, "HTTP/1.1 %u ", status);
	put(out, reason);
	return http1_put_end(out);
}

int http1_put_field(struct buf *out, struct http1_span name, struct http1_span value)
{
	if (!http1_is_token(name) || !is_value(value))
		return -EINVAL;
	put(out, name);
	buf_puts(out, ": ");
	put(out, value);
	return http1_put_end(out);
}

int http1_put_number(struct buf *out, const char *name, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	return http1_put_field(out, HTTP1_SPAN(name), HTTP1_SPAN(digits));
}

int http1_put_end(struct buf *out)
{
	buf_puts(out, "\r\n");
	return buf_error(out);
}
