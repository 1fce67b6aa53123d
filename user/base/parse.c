/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Strict parsers of numbers and durations, and the guess at a mistyped word. */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define DURATION_MAX_SECONDS (10.0L * 366 * 86400)
#define WORD_MAX 64

int parse_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	value = strtoull(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* A decimal number without white space, hexadecimal digits, "inf" or "nan". */
static bool parse_decimal(const char *s, long double *ret, const char **ret_end)
{
	size_t sign = *s == '-' || *s == '+';
	char *end;

	if (!isdigit((unsigned char)s[sign]) && s[sign] != '.')
		return false;
	if (s[sign] == '0' && (s[sign + 1] == 'x' || s[sign + 1] == 'X'))
		return false;
	*ret = strtold(s, &end);
	*ret_end = end;
	return end != s;
}

int parse_duration(const char *s, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {
		{ "", 1 }, { "s", 1 }, { "ms", 0.001 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 },
	};
	const char *end;
	long double value;

	if (!parse_decimal(s, &value, &end))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit) != 0)
			continue;
		value *= units[i].seconds;
		if (!(value >= 0 && value <= DURATION_MAX_SECONDS))
			return -ERANGE;
		*ret_ns = (uint64_t)(value * NS_PER_SEC + 0.5L);
		return 0;
	}
	return -EINVAL;
}

char *format_duration(char *out, size_t size, uint64_t ns)
{
	static const struct {
		char unit;
		unsigned int seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	uint64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS >= NS_PER_MS / 2);
	uint64_t seconds;
	size_t i = 0;

	if (ns && !ms)
		ms = 1;
	/* Milliseconds without trailing zeros, never zero for something. */
	if (ms < 60000) {
		snprintf(out, size, "%.5g s", (double)ms / 1000);
		return out;
	}
	seconds = (ms + 500) / 1000;
	while (seconds < units[i].seconds)
		i++;
	if (i + 1 < ARRAY_SIZE(units) && seconds % units[i].seconds / units[i + 1].seconds)
		snprintf(out, size, "%" PRIu64 "%c %" PRIu64 "%c", seconds / units[i].seconds,
			 units[i].unit, seconds % units[i].seconds / units[i + 1].seconds,
			 units[i + 1].unit);
	else
		snprintf(out, size, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
	return out;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b; both shorter than WORD_MAX. */
static unsigned int word_distance(const char *a, const char *b)
{
	unsigned int d[WORD_MAX][WORD_MAX]; /* of the first i letters from the first j */
	size_t la = strlen(a);
	size_t lb = strlen(b);

	for (unsigned int i = 0; i <= la; i++)
		d[i][0] = i;
	for (unsigned int j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++)
		for (size_t j = 1; j <= lb; j++) {
			bool differ = tolower((unsigned char)a[i - 1]) !=
				      tolower((unsigned char)b[j - 1]);

			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
					d[i - 1][j - 1] + differ);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[la][lb];
}

const char *nearest_word(const char *word, const char *const *candidates)
{
	unsigned int limit = (unsigned int)(strlen(word) + 2) / 3;
	unsigned int best = limit + 1;
	const char *ret = NULL;

	if (strlen(word) >= WORD_MAX)
		return NULL;
	for (; *candidates; candidates++) {
		unsigned int distance;

		if (strlen(*candidates) >= WORD_MAX)
			continue;
		distance = word_distance(word, *candidates);
		if (distance < best) {
			best = distance;
			ret = *candidates;
		}
	}
	return ret;
}
