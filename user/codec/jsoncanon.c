/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsoncanon.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonw.h"

#define WHOLE_MAX 18446744073709551616.0 /* 2^64 */

/* Only what must be escaped is, and in the shortest way. */
static void put_text(const char *text, size_t len, struct buf *out)
{
	static const char from[] = "\"\\\b\t\n\f\r";
	static const char to[] = "\"\\btnfr";
	size_t plain = 0;

	buf_putc(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		const char *known = c ? strchr(from, c) : NULL;

		if (c >= 0x20 && !known)
			continue;
		buf_append(out, text + plain, i - plain);
		plain = i + 1;
		if (known)
			buf_printf(out, "\\%c", to[known - from]);
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_append(out, text + plain, len - plain);
	buf_putc(out, '"');
}

static void put_whole(const struct json_object *value, struct buf *out)
{
	int64_t n = json_object_get_int64(value);

	if (n < 0)
		buf_printf(out, "%" PRId64, n);
	else
		buf_printf(out, "%" PRIu64, json_object_get_uint64(value));
}

static void put_number(const struct json_object *value, struct buf *out)
{
	double d = json_object_get_double(value);
	struct jsonw w;

	jsonw_init(&w, out);
	if (isinf(d))
		buf_puts(out, d > 0 ? "1e999" : "-1e999");
	else if (d == 0)
		buf_putc(out, '0'); /* -0, too */
	else if (d == floor(d) && fabs(d) < WHOLE_MAX)
		buf_printf(out, "%.0f", d);
	else
		jsonw_double(&w, NULL, d);
}

struct member {
	const char *key;
	struct json_object *value;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static int put_object(struct json_object *value, struct buf *out)
{
	size_t n = (size_t)json_object_object_length(value);
	CLEANUP(freep) struct member *v = calloc(n + 1, sizeof(*v));
	size_t at = 0;
	int r = 0;

	if (!v)
		return -ENOMEM;
	json_object_object_foreach(value, key, member)
	{
		v[at++] = (struct member){ key, member };
	}
	qsort(v, n, sizeof(*v), compare);
	buf_putc(out, '{');
	for (size_t i = 0; i < n && !r; i++) {
		if (i)
			buf_putc(out, ',');
		put_text(v[i].key, strlen(v[i].key), out);
		buf_putc(out, ':');
		r = json_canonical(v[i].value, out);
	}
	buf_putc(out, '}');
	return r;
}

static int put_list(struct json_object *value, struct buf *out)
{
	size_t n = json_object_array_length(value);
	int r = 0;

	buf_putc(out, '[');
	for (size_t i = 0; i < n && !r; i++) {
		if (i)
			buf_putc(out, ',');
		r = json_canonical(json_object_array_get_idx(value, i), out);
	}
	buf_putc(out, ']');
	return r;
}

int json_canonical(struct json_object *value, struct buf *out)
{
	int r = 0;

	switch (json_object_get_type(value)) {
	case json_type_object:
		r = put_object(value, out);
		break;
	case json_type_array:
		r = put_list(value, out);
		break;
	case json_type_string:
		put_text(json_object_get_string(value), (size_t)json_object_get_string_len(value),
			 out);
		break;
	case json_type_int:
		put_whole(value, out);
		break;
	case json_type_double:
		put_number(value, out);
		break;
	case json_type_boolean:
		buf_puts(out, json_object_get_boolean(value) ? "true" : "false");
		break;
	default:
		buf_puts(out, "null");
		break;
	}
	return r ? r : buf_error(out);
}
