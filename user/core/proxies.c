/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/proxies.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"

/* The value of NAME=VALUE if the name is that, in small letters or capitals; else NULL. */
static const char *value_of_name(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return !strncasecmp(entry, name, n) && entry[n] == '=' ? entry + n + 1 : NULL;
}

/* "scheme://user:secret@host:port/path" as "host:port"; nothing of it if that is none. */
static void reduce(char *out, size_t size, const char *value)
{
	static const char bytes[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:[]";
	const char *host = strstr(value, "://");
	size_t len;

	host = host ? host + 3 : value;
	len = strcspn(host, "/?#");
	/* user information ends at the last of them, which may be in it, too */
	for (size_t i = len; i-- > 0;)
		if (host[i] == '@') {
			host += i + 1;
			len -= i + 1;
			break;
		}
	out[0] = '\0';
	if (len && strspn(host, bytes) >= len)
		snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), host);
}

void proxies_read(struct proxies *ret, const char *environment, size_t len)
{
	const char *end = environment + len;
	char all[PROXY_LEN] = "";

	*ret = (struct proxies){ 0 };
	for (const char *e = environment; e < end; e += strnlen(e, (size_t)(end - e)) + 1) {
		const char *value;

		if (!memchr(e, '\0', (size_t)(end - e)))
			break; /* it was cut off here */
		if ((value = value_of_name(e, "http_proxy")))
			reduce(ret->http, sizeof(ret->http), value);
		else if ((value = value_of_name(e, "https_proxy")))
			reduce(ret->https, sizeof(ret->https), value);
		else if ((value = value_of_name(e, "all_proxy")))
			reduce(all, sizeof(all), value);
		else if ((value = value_of_name(e, "no_proxy")))
			snprintf(ret->except, sizeof(ret->except), "%.*s",
				 (int)sizeof(ret->except) - 1, value);
	}
	if (!ret->http[0])
		memcpy(ret->http, all, sizeof(all));
	if (!ret->https[0])
		memcpy(ret->https, all, sizeof(all));
}

static bool in_network(const struct addr *a, const char *text)
{
	struct addr net;
	unsigned int bits;

	if (parse_network(text, &net, &bits))
		return false;
	if (bits % 8 && (a->bytes[bits / 8] ^ net.bytes[bits / 8]) >> (8 - bits % 8))
		return false;
	return !memcmp(a->bytes, net.bytes, bits / 8);
}

/* One item of no_proxy: "*", a host, a domain with or without a dot in front, an address, a
 * network; with or without a port. */
static bool excepts(const char *item, const char *host)
{
	size_t n;
	size_t h = strlen(host);
	char name[256];
	struct addr a;
	const char *port;

	if (!strcmp(item, "*"))
		return true;
	if (!parse_addr(host, &a) && in_network(&a, item))
		return true;
	if (*item == '*' || *item == '.')
		item += strspn(item, "*.");
	port = strrchr(item, ':');
	n = port && strchr(item, ':') == port ? (size_t)(port - item) : strlen(item);
	if (*item == '[') {
		item++;
		n = strcspn(item, "]");
	}
	if (!n || n >= sizeof(name) || n > h)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)n, item);
	return !strcasecmp(host + h - n, name) && (n == h || host[h - n - 1] == '.');
}

const char *proxies_for(const struct proxies *p, bool https, const char *host)
{
	const char *proxy = https ? p->https : p->http;
	char except[PROXY_EXCEPT];
	char *rest = except;
	const char *item;

	if (!proxy[0])
		return NULL;
	memcpy(except, p->except, sizeof(except));
	while ((item = strsep(&rest, ", \t")))
		if (*item && excepts(item, host))
			return NULL;
	return proxy;
}
