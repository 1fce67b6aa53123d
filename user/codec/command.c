/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Command lines of stdio servers, and variables in what a file says. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "codec/url.h"

#define SPACES " \t\n\r"
#define QUOTES SPACES "\"'`<>"
#define DELIMITERS QUOTES ",;{}[]()|&"

/* From the first '=' or ':' that is not of a URL; n: there is none. */
static size_t name_length(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] == '=' || (s[i] == ':' && strncmp(s + i, "://", 3) != 0))
			return i;
	return n;
}

/* The length of the token at s: a URL ends at a quote only. */
static size_t token_length(const char *s)
{
	size_t n = strcspn(s, DELIMITERS);

	return memmem(s, n, "://", 3) ? strcspn(s, QUOTES) : n;
}

static bool is_auth_scheme(const char *s, size_t n)
{
	return (n == 6 && !strncasecmp(s, "bearer", n)) || (n == 5 && !strncasecmp(s, "basic", n));
}

/* One that holds a URL; of schemes that are not ours nothing is shown. */
static void print_url(const char *s, size_t n, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = BUF(n);
	const char *scheme = (const char *)memmem(s, n, "://", 3);

	while (scheme > s && isalnum((unsigned char)scheme[-1]))
		scheme--;
	buf_append(out, s, (size_t)(scheme - s));
	buf_append(&text, scheme, n - (size_t)(scheme - s));
	if (!text.error &&
	    (!strncasecmp(scheme, "http://", 7) || !strncasecmp(scheme, "https://", 8)))
		url_redact(buf_str(&text), URL_MASKED, out);
	else
		buf_puts(out, "***");
}

enum token {
	TOKEN_SHOWN,
	TOKEN_ANNOUNCES, /* what comes next is a secret */
	TOKEN_HIDDEN,    /* it held one, and what is behind it may belong to that */
};

/* *named: the token before this one names a secret, as in "apiKey": "...". */
static enum token print_token(const char *s, size_t n, bool *named, struct buf *out)
{
	const char *url = memmem(s, n, "://", 3);
	size_t end = url ? (size_t)(url - s) : n;
	size_t name = name_length(s, end);
	size_t shown = name < end ? name + 1 : 0;
	bool secret = name ? secret_is_named(s, name) : *named;

	*named = secret;
	if (name < end && secret) {
		buf_append(out, s, shown);
		buf_puts(out, "***");
		return TOKEN_HIDDEN;
	}
	if (url) {
		print_url(s, n, out);
		return TOKEN_SHOWN;
	}
	buf_append(out, s, shown);
	secret_print_path(s + shown, n - shown, out);
	return is_auth_scheme(s + shown, n - shown) || (*s == '-' && secret) ? TOKEN_ANNOUNCES
									     : TOKEN_SHOWN;
}

bool command_print_arg(const char *arg, bool secret, struct buf *out)
{
	bool named = false;

	if (secret) {
		buf_puts(out, "***");
		return false;
	}
	while (*arg) {
		size_t n = token_length(arg);
		enum token what = n ? print_token(arg, n, &named, out) : TOKEN_SHOWN;

		arg += n;
		if (what == TOKEN_HIDDEN)
			return false;
		if (what == TOKEN_ANNOUNCES && !*arg)
			return true;
		if (what == TOKEN_ANNOUNCES) {
			buf_printf(out, "%c***", *arg);
			return false;
		}
		if (*arg)
			buf_putc(out, *arg++);
	}
	return false;
}

void command_print(const char *command, const char *const *args, size_t n_args, struct buf *out)
{
	CLEANUP(buf_done) struct buf line = BUF(COMMAND_SHOWN_MAX);
	bool secret = command_print_arg(command, false, &line);

	for (size_t i = 0; i < n_args && !line.error; i++) {
		size_t before = line.len;

		buf_putc(&line, ' ');
		secret = command_print_arg(args[i], secret, &line);
		if (line.error && line.data)
			line.data[before] = '\0';
	}
	for (const char *p = buf_str(&line); *p; p++)
		buf_putc(out, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
	if (line.error)
		buf_puts(out, " ...");
}

static bool is_bridge(const char *word)
{
	static const char *const bridges[] = { "mcp-remote", "supergateway", "mcp-proxy" };
	const char *slash = strrchr(word, '/');
	const char *name = slash ? slash + 1 : word;

	for (size_t i = 0; i < ARRAY_SIZE(bridges); i++) {
		size_t n = strlen(bridges[i]);

		if (!strncmp(name, bridges[i], n) && (!name[n] || name[n] == '@'))
			return true;
	}
	return false;
}

const char *command_remote_url(const char *command, const char *const *args, size_t n_args)
{
	bool bridge = is_bridge(command);

	for (size_t i = 0; i < n_args; i++) {
		if (!bridge)
			bridge = is_bridge(args[i]);
		else if (!strncasecmp(args[i], "http://", 7) ||
			 !strncasecmp(args[i], "https://", 8))
			return args[i];
	}
	return NULL;
}

/* What could be the name of a variable; what follows may be anything. */
static size_t name_span(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

static bool is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	}
	return n && !isdigit((unsigned char)*s);
}

/* The variable in [s, s + n), between the braces. */
static int expand_one(const char *s, size_t n, const char *(*lookup)(void *arg, const char *name),
		      void *arg, struct buf *out, char *ret_name, size_t size)
{
	const char *fallback = memmem(s, n, ":-", 2);
	const char *value;
	size_t len = fallback ? (size_t)(fallback - s) : n;

	if (len > 4 && !strncmp(s, "env:", 4)) {
		s += 4;
		n -= 4;
		len -= 4;
	}
	snprintf(ret_name, size, "%.*s", (int)len, s);
	if (!is_name(s, len) || len >= size)
		return -EINVAL;
	value = lookup ? lookup(arg, ret_name) : NULL;
	if (fallback && (!value || !*value)) {
		buf_append(out, fallback + 2, n - len - 2);
		return 0;
	}
	if (!value)
		return -ENOENT;
	buf_puts(out, value);
	return 0;
}

int expand_variables(const char *text, const char *(*lookup)(void *arg, const char *name),
		     void *arg, struct buf *out, char *ret_name, size_t size)
{
	const char *open, *close;
	int r;

	while ((open = strstr(text, "${"))) {
		buf_append(out, text, (size_t)(open - text));
		close = strchr(open, '}');
		if (!close) {
			snprintf(ret_name, size, "%.*s", (int)(2 + name_span(open + 2)), open);
			return -EINVAL;
		}
		r = expand_one(open + 2, (size_t)(close - open - 2), lookup, arg, out, ret_name,
			       size);
		if (r)
			return r;
		text = close + 1;
	}
	buf_puts(out, text);
	return buf_error(out);
}
