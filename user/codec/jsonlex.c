/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/jsonlex.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

size_t json_bom(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* --- strings ----------------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Four hexadecimal digits; -1 if they are not there. */
static int32_t hex4(const char *p, const char *end)
{
	int32_t c = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		if (parse_hex(p[i]) < 0)
			return -1;
		c = c << 4 | parse_hex(p[i]);
	}
	return c;
}

enum json_lex json_string(const char **p, const char *end, bool *escaped, bool *wide)
{
	const char *at = *p;
	enum json_lex fault = JSON_GOOD;
	bool high = false;

	for (; at < end && *at != '"'; at++) {
		unsigned char c = (unsigned char)*at;

		high |= c >= 0x80;
		if (c < 0x20) {
			fault = JSON_CONTROL;
			break;
		}
		if (c != '\\')
			continue;
		*escaped = true;
		if (end - at < 2 || !at[1] || !strchr("\"\\/bfnrtu", at[1]))
			fault = JSON_ESCAPE;
		else if (at[1] == 'u' && hex4(at + 2, end) < 0)
			fault = JSON_HEX;
		if (fault)
			break;
		at += at[1] == 'u' ? 5 : 1;
	}
	*p = at;
	*wide |= high;
	return !fault && at == end ? JSON_ENDLESS : fault;
}

/* One escape, which has been checked. */
static int32_t next_escape(const char **p, const char *end)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	const char *letter;
	int32_t c, low;
	char e = (*p)[1];

	*p += 2;
	if (e != 'u') {
		letter = strchr(from, e);
		return letter ? to[letter - from] : e;
	}
	c = hex4(*p, end);
	*p += 4;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		low = hex4(*p + 2, end);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

int32_t json_next(const char **p, const char *end)
{
	return **p == '\\' ? next_escape(p, end) : utf8_next(p, end);
}

int json_decode(const char *raw, size_t len, char *out, size_t size, size_t *ret_len)
{
	const char *end = raw + len;
	const char *p = raw;
	size_t n = 0;

	while (p < end) {
		char bytes[4];
		size_t more = 1;

		if (*p == '\\')
			more = utf8_put(bytes, next_escape(&p, end));
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

/* --- numbers ----------------------------------------------------------------------- */

static bool digits(const char **p, const char *end)
{
	const char *begin = *p;

	while (*p < end && is_digit(**p))
		(*p)++;
	return *p > begin;
}

static bool take(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

bool json_number(const char **p, const char *end)
{
	const char *at = *p;
	bool good;

	(void)take(&at, end, '-');
	good = take(&at, end, '0') || digits(&at, end);
	if (good && take(&at, end, '.'))
		good = digits(&at, end);
	if (good && (take(&at, end, 'e') || take(&at, end, 'E'))) {
		if (!take(&at, end, '+'))
			(void)take(&at, end, '-');
		good = digits(&at, end);
	}
	*p = at;
	return good;
}
