/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Invariant: s->p never passes s->end; nothing is read there. */
#include "sim/scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/jsonpos.h"

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

static int hex(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int scan_escape(struct scan *s)
{
	const char *at = s->p++;

	if (s->p == s->end || !strchr("\"\\/bfnrtu", *s->p))
		return complain(s, at, "no such escape; a backslash is written \\\\");
	if (*s->p++ != 'u')
		return 0;
	for (int i = 0; i < 4; i++, s->p++)
		if (s->p == s->end || hex(*s->p) < 0)
			return complain(s, at, "\\u takes four hexadecimal digits");
	return 0;
}

/* After the opening quote. */
static int scan_string(struct scan *s, const char **ret, size_t *ret_len, bool *ret_escaped)
{
	const char *begin = s->p;
	bool escaped = false;
	bool wide = false;

	for (;;) {
		unsigned char c;

		if (s->p == s->end)
			return complain(s, begin - 1, "the text has no closing quote");
		c = (unsigned char)*s->p;
		if (c == '"')
			break;
		if (c < 0x20)
			return complain(s, s->p, "a control character: write it as an escape");
		wide |= c >= 0x80;
		if (c == '\\') {
			int r = scan_escape(s);

			if (r < 0)
				return r;
			escaped = true;
		} else {
			s->p++;
		}
	}
	*ret = begin;
	*ret_len = (size_t)(s->p - begin);
	*ret_escaped = escaped;
	if (wide && !json_is_utf8(begin, *ret_len))
		return complain(s, begin, "the text is not UTF-8");
	s->p++;
	return 0;
}

static bool scan_digits(struct scan *s)
{
	const char *begin = s->p;

	while (s->p < s->end && is_digit(*s->p))
		s->p++;
	return s->p > begin;
}

static int scan_number(struct scan *s)
{
	const char *begin = s->p;
	bool good;

	(void)take(s, '-');
	good = take(s, '0') || scan_digits(s);
	if (good && take(s, '.'))
		good = scan_digits(s);
	if (good && s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (!take(s, '+'))
			(void)take(s, '-');
		good = scan_digits(s);
	}
	if (!good || (s->p < s->end && is_digit(*s->p)))
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

static uint32_t hex4(const char *p)
{
	return (uint32_t)(hex(p[0]) << 12 | hex(p[1]) << 8 | hex(p[2]) << 4 | hex(p[3]));
}

/* One escape at *p, which has passed scan_escape(); moves *p behind it. */
static uint32_t unescape(const char **p, const char *end)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	const char *letter;
	uint32_t c, low;
	char e = (*p)[1];

	*p += 2;
	if (e != 'u') {
		letter = strchr(from, e);
		return (unsigned char)(letter ? to[letter - from] : e);
	}
	c = hex4(*p);
	*p += 4;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		low = hex4(*p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

int scan_text(const struct scan_value *v, char *out, size_t size, size_t *ret_len)
{
	const char *end = v->raw + v->len;
	const char *p = v->raw;
	size_t n = 0;

	while (p < end) {
		char bytes[4];
		size_t more = 1;

		if (*p == '\\')
			more = put_utf8(bytes, unescape(&p, end));
		else
			bytes[0] = *p++;
		if (more > size - n)
			return -EMSGSIZE;
		memcpy(out + n, bytes, more);
		n += more;
	}
	*ret_len = n;
	return 0;
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
