/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/version.h"

#include <string.h>

#define DIGITS "0123456789"
#define DIGITS_MAX 9U
#define PRE_CHARS DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-."

/* A number without leading zeros; *text is moved behind it. */
static bool read_number(const char **text, uint32_t *ret)
{
	size_t n = strspn(*text, DIGITS);
	uint32_t value = 0;

	if (!n || n > DIGITS_MAX || (n > 1 && **text == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (uint32_t)((*text)[i] - '0');
	*ret = value;
	*text += n;
	return true;
}

/* Words with dots between them; none is empty. */
static bool is_words(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] == '.' && (!i || i + 1 == n || text[i + 1] == '.'))
			return false;
	return n && n < VERSION_TEXT_MAX && strspn(text, PRE_CHARS) >= n;
}

bool version_parse(const char *text, struct version *ret)
{
	struct version v = { 0 };

	if (*text == 'v' || *text == '=')
		text++;
	for (int i = 0; i < 3; i++) {
		if (i && *text++ != '.')
			return false;
		if (!read_number(&text, &v.part[i]))
			return false;
	}
	if (*text == '-') {
		size_t n = strcspn(++text, "+");

		if (!is_words(text, n))
			return false;
		memcpy(v.pre, text, n);
		text += n;
	}
	if (*text == '+') {
		if (!is_words(text + 1, strlen(text + 1)))
			return false;
	} else if (*text) {
		return false;
	}
	*ret = v;
	return true;
}

static bool is_number(const char *word, size_t n)
{
	return strspn(word, DIGITS) >= n;
}

/* Numbers by value, before words; words by their letters. */
static int compare_words(const char *a, size_t n, const char *b, size_t m)
{
	bool numbers[2] = { is_number(a, n), is_number(b, m) };
	int r;

	if (numbers[0] != numbers[1])
		return numbers[0] ? -1 : 1;
	if (numbers[0] && n != m)
		return n < m ? -1 : 1;
	r = memcmp(a, b, n < m ? n : m);
	if (r || n == m)
		return r;
	return n < m ? -1 : 1;
}

/* What comes before a release is older than it. */
static int compare_pre(const char *a, const char *b)
{
	if (!*a || !*b)
		return *a ? -1 : *b ? 1 : 0;
	for (;;) {
		size_t n = strcspn(a, ".");
		size_t m = strcspn(b, ".");
		int r = compare_words(a, n, b, m);

		if (r)
			return r;
		if (!a[n] || !b[m])
			return a[n] ? 1 : b[m] ? -1 : 0;
		a += n + 1;
		b += m + 1;
	}
}

int version_compare(const struct version *a, const struct version *b)
{
	for (int i = 0; i < 3; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return compare_pre(a->pre, b->pre);
}
