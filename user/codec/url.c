/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define TEXTS_MAX (3 * URL_TEXT_MAX) /* "***" in place of single characters */

static const char *const scheme_names[] = { "http", "https" };
_Static_assert(ARRAY_SIZE(scheme_names) == URL_SCHEME_COUNT, "a scheme has no name");

/* The parts of a URL as they stand in its text. */
struct parts {
	const char *user; /* with its '@'; empty without */
	size_t user_len;
	const char *host; /* IPv6 with its brackets */
	size_t host_len;
	const char *port; /* behind the colon, empty without */
	size_t port_len;
	const char *path;
	size_t path_len;
	bool query;
};

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EINVAL;
}

static int scheme_parse(const char *text, enum url_scheme *ret, const char **ret_rest,
			const char **ret_why)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (!colon || strncmp(colon, "://", 3))
		return bad(ret_why,
			   "not an absolute URL; write http://HOST:PORT/PATH or https://...");
	for (size_t i = 0; i < ARRAY_SIZE(scheme_names); i++) {
		if (n != strlen(scheme_names[i]) || strncasecmp(text, scheme_names[i], n))
			continue;
		*ret = (enum url_scheme)i;
		*ret_rest = colon + 3;
		return 0;
	}
	return bad(ret_why, "this scheme is not supported; use http or https (WebSocket and others "
			    "can be watched by \"networks\")");
}

static int parts_find(const char *rest, struct parts *p, const char **ret_why)
{
	size_t authority = strcspn(rest, "/?#\\");
	const char *at = memrchr(rest, '@', authority);
	const char *end = rest + authority;
	const char *colon;

	p->user = rest;
	p->user_len = at ? (size_t)(at + 1 - rest) : 0;
	p->host = rest + p->user_len;
	p->host_len = (size_t)(end - p->host);
	if (*p->host == '[') {
		colon = memchr(p->host, ']', p->host_len);
		if (!colon)
			return bad(ret_why, "an IPv6 address needs its closing ']'");
		colon++;
		if (colon < end && *colon != ':')
			return bad(ret_why, "after ']' only ':PORT' may follow");
	} else {
		colon = memchr(p->host, ':', p->host_len);
		if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
			return bad(ret_why, "an IPv6 address must stand in [brackets]");
	}
	if (!colon)
		colon = end;
	p->host_len = (size_t)(colon - p->host);
	p->port = colon < end ? colon + 1 : end;
	p->port_len = (size_t)(end - p->port);
	p->path = end;
	p->path_len = strcspn(end, "?#");
	p->query = end[p->path_len] == '?';
	return 0;
}

/* WHATWG reads a host whose last label is a number as IPv4 (127.1, 0x7f000001):
 * clients connect to that address, so it is what must be watched. */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *label = dot ? dot + 1 : host;

	if (!strncmp(label, "0x", 2))
		return !label[2 + strspn(label + 2, "0123456789abcdef")];
	return *label && !label[strspn(label, "0123456789")];
}

static int host_name_parse(struct url *u, const char **ret_why)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
	size_t n = strlen(u->host);
	struct in_addr v4;
	char text[INET_ADDRSTRLEN];

	if (n && u->host[n - 1] == '.')
		u->host[--n] = '\0';
	if (!n)
		return bad(ret_why, "the host is missing; write http://HOST:PORT/PATH");
	if (u->host[strspn(u->host, allowed)])
		return bad(ret_why,
			   "the host may hold letters, digits, '.', '-' and '_' only; write "
			   "an international name in its xn-- form");
	if (u->host[0] == '.' || strstr(u->host, ".."))
		return bad(ret_why, "the host has an empty part between its dots");
	if (!ends_in_number(u->host))
		return 0;
	if (!inet_aton(u->host, &v4) || !inet_ntop(AF_INET, &v4, text, sizeof(text)) ||
	    parse_addr(text, &u->addr) < 0)
		return bad(ret_why, "the host looks like an IPv4 address but is none");
	snprintf(u->host, sizeof(u->host), "%s", text);
	u->has_addr = true;
	return 0;
}

static int host_parse(const struct parts *p, struct url *u, const char **ret_why)
{
	const char *host = p->host;
	size_t n = p->host_len;

	if (*host == '[') {
		host++;
		n -= 2;
	}
	if (n > URL_HOST_MAX)
		return bad(ret_why, "the host is longer than 253 characters");
	for (size_t i = 0; i < n; i++)
		u->host[i] = (char)tolower((unsigned char)host[i]);
	u->host[n] = '\0';
	if (*p->host != '[')
		return host_name_parse(u, ret_why);
	if (strchr(u->host, '%'))
		return bad(ret_why,
			   "an address with a zone (%) cannot be watched; use \"networks\"");
	if (!strchr(u->host, ':') || parse_addr(u->host, &u->addr) < 0)
		return bad(ret_why, "not an IPv6 address between the brackets");
	u->has_addr = true;
	format_addr(u->host, sizeof(u->host), &u->addr);
	return 0;
}

static int port_parse(const struct parts *p, struct url *u, const char **ret_why)
{
	char text[8];
	uint64_t port;

	if (!p->port_len) {
		u->port = u->scheme == URL_HTTPS ? 443 : 80;
		return 0;
	}
	snprintf(text, sizeof(text), "%.*s", (int)p->port_len, p->port);
	if (p->port_len >= sizeof(text) || parse_u64(text, 1, 65535, &port) < 0)
		return bad(ret_why, "the port must be a number from 1 to 65535");
	u->port = (uint16_t)port;
	return 0;
}

static int texts_make(const struct parts *p, struct url *u)
{
	static const uint16_t usual[] = { 80, 443 };
	const char *scheme = scheme_names[u->scheme];
	CLEANUP(buf_done) struct buf shown = BUF(TEXTS_MAX);
	CLEANUP(buf_done) struct buf bare = BUF(TEXTS_MAX);
	bool v6 = u->has_addr && strchr(u->host, ':');
	char origin[URL_HOST_MAX + 16];
	char port[8] = "";

	if (u->port != usual[u->scheme])
		snprintf(port, sizeof(port), ":%u", u->port);
	snprintf(origin, sizeof(origin), v6 ? "[%s]%s" : "%s%s", u->host, port);
	buf_printf(&bare, "%s://%s", scheme, origin);
	secret_print_path(p->path, p->path_len, &bare);
	buf_printf(&shown, "%s://%s%s", scheme, p->user_len ? "***@" : "", origin);
	secret_print_path(p->path, p->path_len, &shown);
	if (p->query)
		buf_puts(&shown, "?***");
	u->bare = buf_steal(&bare);
	u->shown = buf_steal(&shown);
	return u->bare && u->shown ? 0 : -ENOMEM;
}

int url_parse(const char *text, struct url *ret, const char **ret_why)
{
	CLEANUP(url_done) struct url u = {};
	struct parts parts;
	const char *rest;
	int r;

	if (strlen(text) > URL_TEXT_MAX)
		return bad(ret_why, "longer than 4096 bytes");
	if (strchr(text, ' ') || utf8_has_control(text, strlen(text)))
		return bad(ret_why, "spaces and control characters are not allowed in a URL");
	r = scheme_parse(text, &u.scheme, &rest, ret_why);
	if (!r)
		r = parts_find(rest, &parts, ret_why);
	if (!r)
		r = host_parse(&parts, &u, ret_why);
	if (!r)
		r = port_parse(&parts, &u, ret_why);
	if (r)
		return r;
	u.has_secret = parts.user_len || parts.query;
	r = texts_make(&parts, &u);
	if (r)
		return r;
	*ret = u;
	u = (struct url){};
	return 0;
}

void url_done(struct url *u)
{
	free(u->shown);
	free(u->bare);
	u->shown = NULL;
	u->bare = NULL;
}
