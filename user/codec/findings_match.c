/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "codec/config.h"
#include "codec/findings.h"
#include "codec/url.h"

static const char *path_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;

	return path ? path : "/";
}

/* A slash at the end makes no difference. */
static bool same_path(const char *a, const char *b)
{
	size_t n = strcspn(path_of(a), "?#");
	size_t m = strcspn(path_of(b), "?#");

	n -= n > 1 && path_of(a)[n - 1] == '/';
	m -= m > 1 && path_of(b)[m - 1] == '/';
	return n == m && !memcmp(path_of(a), path_of(b), n);
}

static int by_url(const char *text, const struct config_server *c, bool *ret_exact)
{
	CLEANUP(url_done) struct url url = { 0 };
	const char *why;
	bool same_host;

	if (!c->has_url || url_parse(text, &url, &why))
		return -1;
	same_host = url.has_addr && c->has_addr ? !memcmp(&url.addr, &c->addr, sizeof(url.addr))
						: !strcmp(url.host, c->host);
	if (!same_host || url.port != c->port)
		return -1;
	*ret_exact = c->url_shown && same_path(url.shown, c->url_shown);
	return FINDING_BY_URL;
}

int finding_matches(const struct finding_server *f, const struct config_server *c, bool *ret_exact)
{
	*ret_exact = true;
	if (f->url)
		return by_url(f->url, c, ret_exact);
	if (f->name)
		return strcmp(f->name, c->name) ? -1 : FINDING_BY_NAME;
	if (f->command && c->command_shown)
		return strcmp(f->command, c->command_shown) ? -1 : FINDING_BY_COMMAND;
	return -1;
}
