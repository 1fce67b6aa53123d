/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/utf8.h"

/* The least code point of so many bytes. */
static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

int32_t utf8_next(const char **p, const char *end)
{
	const unsigned char *u = (const unsigned char *)*p;
	int32_t c = u[0];
	int n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;

	if (!n || end - *p < n)
		return -1;
	if (n > 1)
		c &= 0xff >> (n + 1);
	for (int i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*p += n;
	return c;
}

size_t utf8_put(char *out, int32_t c)
{
	size_t n = 1;

	while (n < 4 && c >= least[n + 1])
		n++;
	for (size_t i = n; --i; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(n == 1 ? c : (0xf00 >> n | c));
	return n;
}

const char *utf8_end(const char *text, const char *end)
{
	const char *at = text;

	while (text < end && utf8_next(&text, end) > 0)
		at = text;
	return at;
}

bool utf8_has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	}
	return false;
}
