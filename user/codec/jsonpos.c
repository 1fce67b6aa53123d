/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One recursive descent serves both: to parse, it collects the keys of every open
 * object to find duplicates; with `want` it stops where a path stands. Depth is
 * bounded, so the recursion is. json-c makes the tree of what has passed.
 */
#include "codec/jsonpos.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonlex.h"

/* The raw text of a string, between its quotes. */
struct span {
	const char *p;
	const char *end;
};

struct key_list {
	struct span *v;
	size_t n;
	size_t cap;
};

struct scanner {
	const char *text;
	const char *p;
	const char *end;
	unsigned int max_depth;
	bool strict;
	struct jsonpos_fault *fault; /* NULL: only looking something up */
	struct key_list keys;
	const struct json_path *want[JSONPOS_DEPTH_MAX];
	unsigned int want_depth;
	const char *found_key;
	const char *found_value;
};

#define FOUND 1 /* stops the descent */

static struct jsonpos position(const char *text, const char *at)
{
	struct jsonpos pos = { .line = 1, .column = 1 };

	for (const char *p = text; p < at; p++) {
		if (*p == '\n') {
			pos.line++;
			pos.column = 1;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			pos.column++;
		}
	}
	return pos;
}

static int PRINTF_LIKE(4, 5) fail(struct scanner *s, int r, const char *at, const char *fmt, ...)
{
	va_list ap;

	if (!s->fault)
		return r;
	s->fault->at = position(s->text, at);
	va_start(ap, fmt);
	vsnprintf(s->fault->what, sizeof(s->fault->what), fmt, ap);
	va_end(ap);
	return r;
}

/* --- strings --------------------------------------------------------------- */

/*
 * How the characters of a checked string stand to those of another one, whose reader is given:
 * json_next(), or utf8_next() for plain text. Negative, 0 or positive.
 */
static int32_t span_order(struct span x, struct span y,
			  int32_t (*next)(const char **p, const char *end))
{
	int32_t c, d;

	do {
		c = x.p < x.end ? json_next(&x.p, x.end) : -1;
		d = y.p < y.end ? next(&y.p, y.end) : -1;
	} while (c == d && c >= 0);
	return c - d;
}

/* Equal ones in the order of the text. */
static int span_compare(const void *a, const void *b)
{
	const struct span *x = a;
	const struct span *y = b;
	int32_t order = span_order(*x, *y, json_next);

	return order ? order : (x->p > y->p) - (x->p < y->p);
}

/* --- tokens ---------------------------------------------------------------- */

static int skip_space(struct scanner *s)
{
	while (s->p < s->end) {
		const char *start = s->p;

		if (strchr(" \t\r\n", *s->p)) {
			s->p++;
			continue;
		}
		if (*s->p != '/' || s->strict)
			return 0;
		if (s->end - s->p > 1 && s->p[1] == '/') {
			while (s->p < s->end && *s->p != '\n')
				s->p++;
			continue;
		}
		if (s->end - s->p < 2 || s->p[1] != '*')
			return fail(s, -EBADMSG, start, "a lone '/': a comment is // or /* */");
		s->p = memmem(s->p + 2, (size_t)(s->end - s->p - 2), "*/", 2);
		if (!s->p)
			return fail(s, -EBADMSG, start, "this comment never ends: add */");
		s->p += 2;
	}
	return 0;
}

static int scan_string(struct scanner *s, struct span *ret)
{
	const char *start = s->p++;
	bool ignored = false;
	enum json_lex fault = json_string(&s->p, s->end, &ignored, &ignored);

	if (fault == JSON_ENDLESS || (fault == JSON_CONTROL && *s->p == '\n'))
		return fail(s, -EBADMSG, start, "this string never ends: add a quote");
	if (fault == JSON_CONTROL)
		return fail(s, -EBADMSG, s->p,
			    "control character in a string: write it as an escape");
	if (fault == JSON_ESCAPE)
		return fail(s, -EBADMSG, s->p, "unknown escape: write \\\\ for a backslash");
	if (fault == JSON_HEX)
		return fail(s, -EBADMSG, s->p, "\\u needs four hexadecimal digits");
	*ret = (struct span){ start + 1, s->p++ };
	return 0;
}

/* Ends what is not closed by punctuation: a number, a word. */
static bool at_delimiter(const struct scanner *s)
{
	return s->p == s->end || strchr(" \t\r\n,]}/", *s->p);
}

static int scan_number(struct scanner *s)
{
	const char *start = s->p;

	if (!json_number(&s->p, s->end) || !at_delimiter(s))
		return fail(s, -EBADMSG, start, "not a number: put text in double quotes");
	return 0;
}

static int scan_word(struct scanner *s)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *start = s->p;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(s->end - start) < n || memcmp(start, words[i], n))
			continue;
		s->p = start + n;
		if (at_delimiter(s))
			return 0;
		break;
	}
	return fail(s, -EBADMSG, start,
		    "a value is expected: an object, a list, text in double quotes, a number, "
		    "true, false or null");
}

/* --- structure ------------------------------------------------------------- */

static int scan_value(struct scanner *s, unsigned int depth, bool on_path);

static int keys_push(struct key_list *keys, struct span key)
{
	if (keys->n == keys->cap) {
		size_t cap = keys->cap ? keys->cap * 2 : 64;
		struct span *v = reallocarray(keys->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		keys->v = v;
		keys->cap = cap;
	}
	keys->v[keys->n++] = key;
	return 0;
}

/* Closes an object whose keys start at `first`. */
static int keys_close(struct scanner *s, size_t first)
{
	size_t n = s->keys.n - first;
	struct jsonpos pos;
	struct span *v;

	if (n < 2) {
		s->keys.n = first;
		return 0;
	}
	v = s->keys.v + first;
	qsort(v, n, sizeof(*v), span_compare);
	for (size_t i = 1; i < n; i++) {
		if (span_order(v[i - 1], v[i], json_next))
			continue;
		pos = position(s->text, v[i - 1].p - 1);
		return fail(s, -EEXIST, v[i].p - 1,
			    "\"%.*s\" is already given in line %u: remove one of the two",
			    (int)(v[i].end - v[i].p < 64 ? v[i].end - v[i].p : 64), v[i].p,
			    pos.line);
	}
	s->keys.n = first;
	return 0;
}

static bool has_nul_escape(struct span key)
{
	while (key.p < key.end)
		if (!json_next(&key.p, key.end))
			return true;
	return false;
}

static int scan_member(struct scanner *s, unsigned int depth, bool on_path)
{
	const struct json_path *seg = on_path && depth < s->want_depth ? s->want[depth] : NULL;
	const char *start = s->p;
	struct span key;
	int r;

	if (*s->p != '"')
		return fail(s, -EBADMSG, s->p, "a key in double quotes is expected, or }");
	r = scan_string(s, &key);
	if (r)
		return r;
	if (has_nul_escape(key))
		return fail(s, -EBADMSG, start, "a key must not contain \\u0000");
	if (s->fault) {
		r = keys_push(&s->keys, key);
		if (r)
			return r;
	}
	r = skip_space(s);
	if (r)
		return r;
	if (s->p >= s->end || *s->p != ':')
		return fail(s, -EBADMSG, s->p, "':' is expected after a key");
	s->p++;
	on_path =
		seg && seg->key &&
		!span_order(key, (struct span){ seg->key, seg->key + strlen(seg->key) }, utf8_next);
	if (on_path && depth + 1 == s->want_depth)
		s->found_key = start;
	return scan_value(s, depth + 1, on_path);
}

/* Does the container end behind the comma here? */
static bool is_last(const struct scanner *s, char close)
{
	const char *p = s->p + 1;

	while (p < s->end && strchr(" \t\r\n", *p))
		p++;
	return p < s->end && *p == close;
}

static int scan_container(struct scanner *s, unsigned int depth, bool on_path)
{
	const struct json_path *seg = on_path && depth < s->want_depth ? s->want[depth] : NULL;
	const char *start = s->p;
	char close = *s->p == '{' ? '}' : ']';
	size_t first = s->keys.n;
	int r;

	if (depth >= s->max_depth)
		return fail(s, -E2BIG, s->p, "nested deeper than %u levels", s->max_depth);
	s->p++;
	for (size_t i = 0;; i++) {
		r = skip_space(s);
		if (r)
			return r;
		if (s->p < s->end && *s->p == close)
			break;
		if (s->p >= s->end)
			return fail(s, -EBADMSG, start, "this %c is never closed: add %c", *start,
				    close);
		if (close == '}')
			r = scan_member(s, depth, on_path);
		else
			r = scan_value(s, depth + 1, seg && !seg->key && seg->index == i);
		if (r)
			return r;
		r = skip_space(s);
		if (r)
			return r;
		if (s->p < s->end && *s->p == ',' && !(s->strict && is_last(s, close)))
			s->p++;
		else if (s->p < s->end && *s->p != close)
			return fail(s, -EBADMSG, s->p, "',' or '%c' is expected", close);
	}
	s->p++;
	return close == '}' && s->fault ? keys_close(s, first) : 0;
}

static int scan_value(struct scanner *s, unsigned int depth, bool on_path)
{
	struct span ignored;
	int r = skip_space(s);

	if (r)
		return r;
	if (on_path && depth == s->want_depth) {
		s->found_value = s->p;
		return FOUND;
	}
	if (s->p >= s->end)
		return fail(s, -EBADMSG, s->p, "the text ends where a value is expected");
	if (*s->p == '{' || *s->p == '[')
		return scan_container(s, depth, on_path);
	if (*s->p == '"')
		return scan_string(s, &ignored);
	if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
		return scan_number(s);
	return scan_word(s);
}

static int check_encoding(struct scanner *s)
{
	const char *at = utf8_end(s->p, s->end);

	if (at == s->end)
		return 0;
	return fail(s, -EBADMSG, at,
		    *at ? "not UTF-8: save the file in that encoding"
			: "a NUL byte: this is not a text file");
}

static int parse(struct scanner s, size_t len, struct json_object **ret,
		 struct jsonpos_fault *ret_fault)
{
	const char *text = s.text;
	struct jsonpos_fault fault = {};
	int r;

	s.fault = &fault;
	s.end = text + len;
	s.text = s.p = text + (s.strict ? 0 : json_bom(text, len));
	if (s.max_depth > JSONPOS_DEPTH_MAX)
		s.max_depth = JSONPOS_DEPTH_MAX;
	r = check_encoding(&s);
	if (!r)
		r = scan_value(&s, 0, false);
	if (!r)
		r = skip_space(&s);
	if (!r && s.p < s.end)
		r = fail(&s, -EBADMSG, s.p, "nothing may follow the end of the document");
	free(s.keys.v);
	if (r && r != -ENOMEM)
		*ret_fault = fault;
	if (!r && ret)
		r = json_parse(text, len, s.max_depth + 1, ret);
	/* json-c takes whatever passed; that it has no memory reads as a text that ends early */
	return r == -EBADMSG && !*fault.what ? -ENOMEM : r;
}

int jsonpos_parse(const char *text, size_t len, unsigned int max_depth, struct json_object **ret,
		  struct jsonpos_fault *ret_fault)
{
	return parse((struct scanner){ .text = text, .max_depth = max_depth }, len, ret, ret_fault);
}

int jsonpos_parse_strict(const char *text, size_t len, unsigned int max_depth,
			 struct json_object **ret, struct jsonpos_fault *ret_fault)
{
	return parse((struct scanner){ .text = text, .max_depth = max_depth, .strict = true }, len,
		     ret, ret_fault);
}

struct jsonpos jsonpos_find(const char *text, size_t len, const struct json_path *path, bool value)
{
	struct scanner s = { .text = text, .p = text, .end = text + len };
	const char *at;

	s.text = s.p += json_bom(text, len);
	s.max_depth = JSONPOS_DEPTH_MAX;
	for (const struct json_path *seg = path; seg; seg = seg->up)
		s.want_depth++;
	if (s.want_depth > JSONPOS_DEPTH_MAX)
		return (struct jsonpos){};
	for (unsigned int i = s.want_depth; path; path = path->up)
		s.want[--i] = path;
	if (scan_value(&s, 0, true) != FOUND)
		return (struct jsonpos){};
	at = !value && s.found_key ? s.found_key : s.found_value;
	return position(s.text, at);
}

/* --- paths ----------------------------------------------------------------- */

static bool plain_key(const char *key)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$";

	return *key && !key[strspn(key, plain)];
}

void json_path_print(const struct json_path *path, struct buf *out)
{
	if (!path)
		return;
	json_path_print(path->up, out);
	if (!path->key) {
		buf_printf(out, "[%zu]", path->index);
		return;
	}
	if (path->up)
		buf_putc(out, '.');
	if (plain_key(path->key)) {
		buf_puts(out, path->key);
		return;
	}
	buf_putc(out, '"');
	for (const char *p = path->key; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			buf_printf(out, "\\u%04x", (unsigned int)*p);
		else if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else
			buf_putc(out, *p);
	}
	buf_putc(out, '"');
}
