/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Command lines of stdio servers, and variables in what a file says. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "codec/url.h"

/* The text up to `end` (or NUL) names something that must not be shown. */
static bool names_secret(const char *s, size_t n)
{
	static const char *const words[] = { "key",    "token", "secret", "passw",  "auth",
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

static bool is_token(const char *arg)
{
	static const char *const starts[] = { "sk-",    "sk_",         "ghp_", "gho_",
					      "ghs_",   "github_pat_", "xox",  "AKIA",
					      "glpat-", "hf_",         "pat_", "Bearer ",
					      "npm_",   "eyJ",         "AIza", "lin_api_" };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		if (!strncmp(arg, starts[i], strlen(starts[i])))
			return true;
	}
	return false;
}

static void print_url(const char *text, struct buf *out)
{
	const char *why;
	struct url u;

	if (url_parse(text, &u, &why) < 0) {
		buf_puts(out, "***");
		return;
	}
	buf_puts(out, u.shown);
	url_done(&u);
}

bool command_print_arg(const char *arg, bool secret, struct buf *out)
{
	size_t name = strcspn(arg, "=:");
	const char *url = strstr(arg, "://");

	if (secret || is_token(arg)) {
		buf_puts(out, "***");
		return false;
	}
	if (arg[name] && strncmp(arg + name, "://", 3) && names_secret(arg, name)) {
		buf_append(out, arg, name + 1);
		buf_puts(out, "***");
		return false;
	}
	if (url && url > arg) {
		while (url > arg && isalnum((unsigned char)url[-1]))
			url--;
		buf_append(out, arg, (size_t)(url - arg));
		print_url(url, out);
		return false;
	}
	buf_puts(out, arg);
	return *arg == '-' && !arg[name] && names_secret(arg, name);
}

void command_print(const char *command, const char *const *args, size_t n_args, struct buf *out)
{
	CLEANUP(buf_done) struct buf line = BUF(COMMAND_SHOWN_MAX);
	bool secret = false;

	buf_puts(&line, command);
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
			snprintf(ret_name, size, "%s", open);
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
