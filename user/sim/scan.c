/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Invariant: s->p never passes s->end; nothing is read there. */
#include "sim/scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/jsonlex.h"

struct scan {
	const char *begin;
	const char *p;
	const char *end;
	struct scan_fault *fault;
};

static int complain(struct scan *s, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int complain(struct scan *s, const char *at, const char *fmt, ...)
{
	va_list ap;

	s->fault->at = (size_t)(at - s->begin);
	va_start(ap, fmt);
	vsnprintf(s->fault->what, sizeof(s->fault->what), fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\r' || *s->p == '\n'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* After the opening quote. */
static int scan_string(struct scan *s, const char **ret, size_t *ret_len, bool *ret_escaped)
{
	const char *begin = s->p;
	bool wide = false;

	*ret_escaped = false;
	switch (json_string(&s->p, s->end, ret_escaped, &wide)) {
	case JSON_GOOD:
		break;
	case JSON_ENDLESS:
		return complain(s, begin - 1, "the text has no closing quote");
	case JSON_CONTROL:
		return complain(s, s->p, "a control character: write it as an escape");
	case JSON_ESCAPE:
		return complain(s, s->p, "no such escape; a backslash is written \\\\");
	case JSON_HEX:
		return complain(s, s->p, "\\u takes four hexadecimal digits");
	}
	*ret = begin;
	*ret_len = (size_t)(s->p - begin);
	if (wide && !json_is_utf8(begin, *ret_len))
		return complain(s, begin, "the text is not UTF-8");
	s->p++;
	return 0;
}

static int scan_number(struct scan *s)
{
	const char *begin = s->p;

	if (!json_number(&s->p, s->end) || (s->p < s->end && is_digit(*s->p)))
		return complain(s, begin, "not a number of JSON");
	return 0;
}

static int scan_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len))
		return complain(s, s->p,
				"a value is expected: text, a number, true, false or null");
	s->p += len;
	return 0;
}

/* Anything but an object or a list; raw and len of text are set here. */
static int scan_scalar(struct scan *s, struct scan_value *v)
{
	v->at = (size_t)(s->p - s->begin);
	if (s->p == s->end)
		return complain(s, s->p, "the line ends where a value is expected");
	switch (*s->p) {
	case '"':
		v->type = SCAN_TEXT;
		s->p++;
		return scan_string(s, &v->raw, &v->len, &v->escaped);
	case 't':
		v->type = SCAN_TRUE;
		return scan_word(s, "true");
	case 'f':
		v->type = SCAN_FALSE;
		return scan_word(s, "false");
	case 'n':
		v->type = SCAN_NULL;
		return scan_word(s, "null");
	default:
		break;
	}
	if (*s->p != '-' && !is_digit(*s->p))
		return scan_word(s, "true"); /* complains */
	v->type = SCAN_NUMBER;
	v->raw = s->p;
	if (scan_number(s) < 0)
		return -EBADMSG;
	v->len = (size_t)(s->p - v->raw);
	return 0;
}

static int scan_name(struct scan *s, struct scan_value *ret)
{
	skip_space(s);
	ret->key_at = (size_t)(s->p - s->begin);
	if (!take(s, '"'))
		return complain(s, s->p, "a name in double quotes is expected");
	if (scan_string(s, &ret->raw, &ret->len, &ret->escaped) < 0)
		return -EBADMSG;
	skip_space(s);
	if (!take(s, ':'))
		return complain(s, s->p, "a colon is expected behind the name");
	skip_space(s);
	return 0;
}

static bool opens(struct scan *s)
{
	return s->p < s->end && (*s->p == '{' || *s->p == '[');
}

/* Passes over an object or a list; bit i of `objects`: what is open at depth i is an object. */
static int skip_nested(struct scan *s)
{
	struct scan_value ignored = { 0 };
	unsigned int depth = 0;
	uint32_t objects = 0;
	bool object;

	do {
		if (opens(s)) {
			if (depth == SCAN_DEPTH_MAX)
				return complain(s, s->p, "nested deeper than %u", SCAN_DEPTH_MAX);
			objects = objects << 1 | (*s->p == '{');
			depth++;
			s->p++;
			skip_space(s);
			if (!(s->p < s->end && *s->p == (objects & 1 ? '}' : ']'))) {
				if (objects & 1 && scan_name(s, &ignored) < 0)
					return -EBADMSG;
				continue;
			}
		} else if (scan_scalar(s, &ignored) < 0) {
			return -EBADMSG;
		}
		for (skip_space(s); depth && take(s, objects & 1 ? '}' : ']'); skip_space(s)) {
			objects >>= 1;
			depth--;
		}
		object = objects & 1;
		if (!depth)
			break;
		if (!take(s, ','))
			return complain(s, s->p, "a comma or the closing %s is expected",
					object ? "brace" : "bracket");
		skip_space(s);
		if (object && scan_name(s, &ignored) < 0)
			return -EBADMSG;
	} while (depth);
	return 0;
}

static int scan_value(struct scan *s, struct scan_value *v)
{
	if (!opens(s))
		return scan_scalar(s, v);
	v->at = (size_t)(s->p - s->begin);
	v->type = *s->p == '{' ? SCAN_OBJECT : SCAN_LIST;
	return skip_nested(s);
}

static size_t key_index(const struct scan_value *name, const struct scan_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keys[i].len == name->len && keys[i].name[0] == name->raw[0] &&
		    !memcmp(keys[i].name, name->raw, name->len))
			return i;
	return n;
}

static int scan_member(struct scan *s, const struct scan_key *keys, size_t n,
		       struct scan_value *values)
{
	struct scan_value ignored = { 0 };
	struct scan_value name = { 0 };
	struct scan_value *value = &ignored;
	size_t i;

	if (scan_name(s, &name) < 0)
		return -EBADMSG;
	i = name.len ? key_index(&name, keys, n) : n;
	if (i < n) {
		value = &values[i];
		if (value->type != SCAN_ABSENT)
			return complain(s, s->begin + name.key_at, "\"%s\" stands here twice",
					keys[i].name);
		value->key_at = name.key_at;
	}
	return scan_value(s, value);
}

int scan_object(const char *line, size_t len, const struct scan_key *keys, size_t n,
		struct scan_value *values, struct scan_fault *ret_fault)
{
	struct scan s = { .begin = line, .p = line, .end = line + len, .fault = ret_fault };

	memset(values, 0, n * sizeof(*values));
	skip_space(&s);
	if (!take(&s, '{'))
		return complain(&s, s.p, "one JSON object a line is expected: {\"t\":0.0,...}");
	skip_space(&s);
	if (!take(&s, '}')) {
		do {
			if (scan_member(&s, keys, n, values) < 0)
				return -EBADMSG;
			skip_space(&s);
		} while (take(&s, ','));
		if (!take(&s, '}'))
			return complain(&s, s.p, "a comma or the closing brace is expected");
	}
	skip_space(&s);
	if (s.p != s.end)
		return complain(&s, s.p, "something stands behind the object; one object a line");
	return 0;
}

/* --- values ------------------------------------------------------------------------ */

int scan_text(const struct scan_value *v, char *out, size_t size, size_t *ret_len)
{
	return json_decode(v->raw, v->len, out, size, ret_len);
}

/* Exponent of a number, clamped: what is larger is out of range in any case. */
static int read_exponent(const char *p, const char *end)
{
	bool negative = false;
	int value = 0;

	if (p < end && (*p == '+' || *p == '-'))
		negative = *p++ == '-';
	for (; p < end; p++)
		if (value < 100000)
			value = value * 10 + (*p - '0');
	return negative ? -value : value;
}

int scan_nano(const struct scan_value *v, uint64_t max, uint64_t *ret)
{
	const char *p = v->raw;
	const char *end = v->raw + v->len;
	const char *exponent = memchr(p, 'e', v->len);
	bool negative = *p == '-';
	bool whole = true;
	uint64_t ns = 0;
	long digits = 9; /* how many of those to come count */

	if (!exponent)
		exponent = memchr(p, 'E', v->len);
	if (exponent) {
		digits += read_exponent(exponent + 1, end);
		end = exponent;
	}
	/* Digits before the point count in any case: the exponent moves the point. */
	for (const char *q = p + negative; q < end && *q != '.'; q++)
		digits++;
	for (p += negative; p < end; p++) {
		if (*p == '.')
			continue;
		if (digits <= 0) {
			whole = digits < 0 || *p < '5';
			break;
		}
		digits--;
		if (__builtin_mul_overflow(ns, 10, &ns) ||
		    __builtin_add_overflow(ns, (uint64_t)(*p - '0'), &ns))
			return -ERANGE;
	}
	for (; digits > 0 && ns; digits--) {
		if (__builtin_mul_overflow(ns, 10, &ns))
			return -ERANGE;
	}
	if (__builtin_add_overflow(ns, !whole, &ns) || ns > max || (negative && ns))
		return -ERANGE;
	*ret = ns;
	return 0;
}

size_t scan_column(const char *line, size_t at)
{
	size_t column = 1;

	for (size_t i = 0; i < at; i++)
		column += ((unsigned char)line[i] & 0xc0) != 0x80;
	return column;
}

const char *scan_type_name(enum scan_type type)
{
	static const char *const names[] = {
		[SCAN_ABSENT] = "missing",   [SCAN_NULL] = "null",       [SCAN_FALSE] = "false",
		[SCAN_TRUE] = "true",        [SCAN_NUMBER] = "a number", [SCAN_TEXT] = "text",
		[SCAN_OBJECT] = "an object", [SCAN_LIST] = "a list",
	};

	return names[type];
}
