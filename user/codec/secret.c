/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What looks like a key, in paths, in URLs and in any text that holds some. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "codec/url.h"

#define HIDDEN "***"

/* The rule of url.h, in numbers. */
#define KEY_MIN 16      /* characters of a segment */
#define KEY_HEX_MIN 16  /* digits of a hexadecimal one */
#define ODD_MIN 8       /* characters in parts that are no words, beside a digit */
#define ODD_ONLY_MIN 16 /* the same without any digit */
#define PREFIXED_MIN 3  /* characters behind a prefix */
#define NUMBER_MAX 8    /* digits of a number: a date */
#define VERSION_MAX 4   /* digits at the end of a word */
#define SHORT_MAX 4     /* "v2", "k8s", "i18n" */
#define CHANGES_MAX 2   /* between letters and digits: "oauth2callback" */
#define HUMPS_MIN 4     /* from so many on they need HUMP_LEN letters each: "getMcpApiServer" */
#define HUMP_LEN 3
#define MIXED_MIN 3      /* with digits between they are none of a name */
#define WORD_MIN 6       /* shorter ones are words, or abbreviations */
#define WORD_LONG 12     /* several without a gap between them */
#define CONSONANTS_MAX 4 /* in a row; in long ones one more */

/* Letters alone, with vowels among them here and there. */
static bool is_word(const char *s, size_t n)
{
	size_t most = n < WORD_LONG ? CONSONANTS_MAX : CONSONANTS_MAX + 1;
	size_t row = 0;

	for (size_t i = 0; i < n; i++) {
		row = strchr("aeiouy", tolower((unsigned char)s[i])) ? 0 : row + 1;
		if (row > most && n >= WORD_MIN)
			return false;
	}
	return true;
}

/* Letters and digits alone: neither words nor a number. */
static bool is_odd(const char *s, size_t n)
{
	size_t digits = 0;
	size_t changes = 0;
	size_t humps = 1;

	while (digits < n && isdigit((unsigned char)s[n - 1 - digits]))
		digits++;
	if (digits == n)
		return n > NUMBER_MAX;
	if (n <= SHORT_MAX)
		return false;
	if (digits <= VERSION_MAX)
		n -= digits;
	for (size_t i = 1; i < n; i++) {
		changes += !isdigit((unsigned char)s[i - 1]) != !isdigit((unsigned char)s[i]);
		humps += islower((unsigned char)s[i - 1]) && isupper((unsigned char)s[i]);
	}
	if (changes > CHANGES_MAX || (changes && humps >= MIXED_MIN) ||
	    (humps >= HUMPS_MIN && humps * HUMP_LEN > n))
		return true;
	for (size_t i = 0, len; i < n; i += len) {
		bool digit = isdigit((unsigned char)s[i]);

		for (len = 1; i + len < n && !isdigit((unsigned char)s[i + len]) == !digit;)
			len++;
		if (digit ? len > NUMBER_MAX : !is_word(s + i, len))
			return true;
	}
	return false;
}

/* How many characters are in odd parts; *ret_digit: is there any digit? */
static size_t odd_in(const char *s, size_t n, bool *ret_digit)
{
	size_t odd = 0;

	*ret_digit = false;
	for (size_t i = 0, len; i < n; i += len + 1) {
		for (len = 0; i + len < n && isalnum((unsigned char)s[i + len]); len++)
			*ret_digit |= isdigit((unsigned char)s[i + len]) != 0;
		odd += is_odd(s + i, len) ? len : 0;
	}
	return odd;
}

static bool begins_as_key(const char *s, size_t n)
{
	static const char *const starts[] = {
		"sk-",  "sk_",  "pk-",         "pk_",      "rk_",  "ghp_", "gho_",
		"ghu_", "ghs_", "github_pat_", "glpat-",   "npm_", "pat_", "xox",
		"AKIA", "ASIA", "AIza",        "lin_api_", "eyJ",  "hf_",
	};
	static const char *const words[] = { "key-", "key_", "token-", "token_" };
	bool digit;

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		size_t len = strlen(starts[i]);

		if (n >= len + PREFIXED_MIN && !strncmp(s, starts[i], len))
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		if (n >= len + PREFIXED_MIN && !strncasecmp(s, words[i], len))
			return odd_in(s + len, n - len, &digit) || digit;
	}
	return false;
}

static bool is_hex(const char *s, size_t n)
{
	size_t digits = 0;

	for (size_t i = 0; i < n; i++) {
		digits += s[i] != '-';
		if (s[i] != '-' && !isxdigit((unsigned char)s[i]))
			return false;
	}
	return digits >= KEY_HEX_MIN;
}

static bool is_key(const char *s, size_t n)
{
	bool digit;
	size_t odd;

	if (begins_as_key(s, n) || is_hex(s, n))
		return true;
	odd = odd_in(s, n, &digit);
	return n >= KEY_MIN && odd >= (digit ? ODD_MIN : ODD_ONLY_MIN);
}

bool secret_is_named(const char *s, size_t n)
{
	static const char *const words[] = { "key",    "token", "secret", "pass",   "pwd", "auth",
					     "header", "cred",  "bearer", "cookie", "sess" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);

		for (size_t at = 0; at + len <= n; at++) {
			if (!strncasecmp(s + at, words[i], len))
				return true;
		}
	}
	return false;
}

/* A segment that says what follows. */
static bool announces(const char *s, size_t n)
{
	static const char *const names[] = { "token",   "tokens",       "key",     "keys",
					     "secret",  "apikey",       "api-key", "api_key",
					     "secrets", "access-token", "auth",    "access_token" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (n == strlen(names[i]) && !strncasecmp(s, names[i], n))
			return true;
	return false;
}

void secret_print_path(const char *s, size_t n, struct buf *out)
{
	bool hide = false;

	for (size_t i = 0, len; i <= n; i += len + 1) {
		const char *at = s + i;
		const char *equals;

		for (len = 0; i + len < n && at[len] != '/';)
			len++;
		equals = memchr(at, '=', len);
		if (i)
			buf_putc(out, '/');
		if (len && (hide || is_key(at, len) ||
			    (equals && secret_is_named(at, (size_t)(equals - at)))))
			buf_puts(out, HIDDEN);
		else
			buf_append(out, at, len);
		hide |= announces(at, len);
	}
}

/* --- URLs in a text -------------------------------------------------------------- */

/* The one that begins at s, with its scheme; returns what is behind it. */
static const char *print_url(const char *s, enum url_view view, struct buf *out)
{
	const char *host = strstr(s, "://") + 3;
	const char *end = s + strcspn(s, " \t\n\r\"'`<>");
	const char *path = host + strcspn(host, " \t\n\r\"'`<>/?#\\");
	const char *at = memrchr(host, '@', (size_t)(path - host));
	size_t n;

	buf_append(out, s, (size_t)(host - s));
	if (at && view != URL_ORIGIN)
		buf_puts(out, HIDDEN "@");
	host = at ? at + 1 : host;
	buf_append(out, host, (size_t)(path - host));
	if (view == URL_ORIGIN)
		return end;
	for (n = 0; path + n < end && path[n] != '?' && path[n] != '#';)
		n++;
	secret_print_path(path, n, out);
	if (path + n < end && path[n] == '?')
		buf_puts(out, "?" HIDDEN);
	return end;
}

void url_redact(const char *text, enum url_view view, struct buf *out)
{
	const char *colon;

	while ((colon = strstr(text, "://"))) {
		const char *start = colon;

		while (start > text && (isalnum((unsigned char)start[-1]) || start[-1] == '+'))
			start--;
		buf_append(out, text, (size_t)(start - text));
		text = print_url(start, view, out);
	}
	buf_puts(out, text);
}
