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
	const struct scan_key *keys; /* of the outer object */
	size_t n_keys;
	struct scan_value *values;
	struct scan_fault *fault;
};

/* What a value is; null, true and false are also written so. */
static const char *const scan_words[] = {
	[SCAN_ABSENT] = "missing",   [SCAN_NULL] = "null",       [SCAN_FALSE] = "false",
	[SCAN_TRUE] = "true",        [SCAN_NUMBER] = "a number", [SCAN_TEXT] = "text",
	[SCAN_OBJECT] = "an object", [SCAN_LIST] = "a list",
};

int scan_complain(struct scan_fault *fault, size_t at, const char *fmt, ...)
{
	va_list ap;

	fault->at = at;
	va_start(ap, fmt);
	vsnprintf(fault->what, sizeof(fault->what), fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

#define complain(s, p, ...) scan_complain((s)->fault, (size_t)((p) - (s)->begin), __VA_ARGS__)

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

/* Of a text: its raw characters, from behind the opening quote. */
static int scan_string(struct scan *s, struct scan_value *v)
{
	bool wide = false;

	v->raw = s->p;
	v->escaped = false;
	switch (json_string(&s->p, s->end, &v->escaped, &wide)) {
	case JSON_GOOD:
		break;
	case JSON_ENDLESS:
		return complain(s, v->raw - 1, "the text has no closing quote");
	case JSON_CONTROL:
		return complain(s, s->p, "a control character: write it as an escape");
	case JSON_ESCAPE:
		return complain(s, s->p, "no such escape; a backslash is written \\\\");
	case JSON_HEX:
		return complain(s, s->p, "\\u takes four hexadecimal digits");
	}
	v->len = (size_t)(s->p - v->raw);
	if (wide && utf8_end(v->raw, s->p) != s->p)
		return complain(s, v->raw, "the text is not UTF-8");
	s->p++;
	return 0;
}

static int scan_number(struct scan *s, struct scan_value *v)
{
	v->type = SCAN_NUMBER;
	v->raw = s->p;
	if (!json_number(&s->p, s->end) || (s->p < s->end && is_digit(*s->p)))
		return complain(s, v->raw, "not a number of JSON");
	v->len = (size_t)(s->p - v->raw);
	return 0;
}

static int scan_word(struct scan *s, struct scan_value *v)
{
	for (v->type = SCAN_NULL; v->type <= SCAN_TRUE; v->type++) {
		const char *word = scan_words[v->type];
		size_t len = strlen(word);

		if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len))
			continue;
		s->p += len;
		return 0;
	}
	return complain(s, s->p, "a value is expected: text, a number, true, false or null");
}

static int scan_container(struct scan *s, unsigned int depth);

/* At `depth` containers around it. */
static int scan_value(struct scan *s, struct scan_value *v, unsigned int depth)
{
	skip_space(s);
	v->at = (size_t)(s->p - s->begin);
	if (s->p == s->end)
		return complain(s, s->p, "the line ends where a value is expected");
	if (*s->p == '{' || *s->p == '[') {
		v->type = *s->p == '{' ? SCAN_OBJECT : SCAN_LIST;
		return scan_container(s, depth);
	}
	if (take(s, '"')) {
		v->type = SCAN_TEXT;
		return scan_string(s, v);
	}
	return *s->p == '-' || is_digit(*s->p) ? scan_number(s, v) : scan_word(s, v);
}

static size_t key_index(const struct scan *s, const struct scan_value *name)
{
	for (size_t i = 0; i < s->n_keys && name->len; i++)
		if (s->keys[i].len == name->len && s->keys[i].name[0] == name->raw[0] &&
		    !memcmp(s->keys[i].name, name->raw, name->len))
			return i;
	return s->n_keys;
}

static int scan_member(struct scan *s, unsigned int depth)
{
	struct scan_value name = { 0 };
	struct scan_value ignored;
	struct scan_value *value = &ignored;
	size_t i;

	skip_space(s);
	name.key_at = (size_t)(s->p - s->begin);
	if (!take(s, '"'))
		return complain(s, s->p, "a name in double quotes is expected");
	if (scan_string(s, &name) < 0)
		return -EBADMSG;
	skip_space(s);
	if (!take(s, ':'))
		return complain(s, s->p, "a colon is expected behind the name");
	i = depth == 1 ? key_index(s, &name) : s->n_keys;
	if (i < s->n_keys) {
		value = &s->values[i];
		if (value->type != SCAN_ABSENT)
			return complain(s, s->begin + name.key_at, "duplicate key \"%s\"",
					s->keys[i].name);
		value->key_at = name.key_at;
	}
	return scan_value(s, value, depth);
}

/* From its opening character; it is itself the one at `depth` + 1. */
static int scan_container(struct scan *s, unsigned int depth)
{
	bool object = *s->p == '{';
	char end = object ? '}' : ']';
	struct scan_value ignored;

	if (depth > SCAN_DEPTH_MAX)
		return complain(s, s->p, "nested deeper than %u", SCAN_DEPTH_MAX);
	s->p++;
	skip_space(s);
	if (take(s, end))
		return 0;
	do {
		if (object ? scan_member(s, depth + 1) : scan_value(s, &ignored, depth + 1))
			return -EBADMSG;
		skip_space(s);
	} while (take(s, ','));
	if (!take(s, end))
		return complain(s, s->p, "a comma or the closing %s is expected",
				object ? "brace" : "bracket");
	return 0;
}

int scan_object(const char *line, size_t len, const struct scan_key *keys, size_t n,
		struct scan_value *values, struct scan_fault *ret_fault)
{
	struct scan s = { line, line, line + len, keys, n, values, ret_fault };

	memset(values, 0, n * sizeof(*values));
	skip_space(&s);
	if (s.p == s.end || *s.p != '{')
		return complain(&s, s.p, "one JSON object a line is expected: {\"t\":0.0,...}");
	if (scan_container(&s, 0))
		return -EBADMSG;
	skip_space(&s);
	if (s.p != s.end)
		return complain(&s, s.p, "trailing characters after the object; one object a line");
	return 0;
}

/* --- values ------------------------------------------------------------------------ */

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
	return scan_words[type];
}
