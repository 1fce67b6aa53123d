/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/proxies.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"

#define HTTP_PORT 80

/* The value of NAME=VALUE if the name is that, in small letters or capitals; else NULL. */
static const char *value_of_name(const char *entry, const char *name)
{
	size_t n = strlen(name);

	return !strncasecmp(entry, name, n) && entry[n] == '=' ? entry + n + 1 : NULL;
}

void proxy_reduce(char *out, size_t size, const char *value)
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

bool proxy_plain(const char *value)
{
	return !strstr(value, "://") || !strncasecmp(value, "http://", 7);
}

int proxy_split(const char *proxy, char *host, size_t size, uint16_t *port)
{
	const char *end = *proxy == '[' ? strchr(proxy, ']') : strrchr(proxy, ':');
	const char *digits;
	uint64_t value = 0;
	size_t len;

	if (!end && *proxy == '[')
		return -EINVAL;
	if (!end)
		end = proxy + strlen(proxy);
	digits = *end == ']' ? end + 1 : end;
	len = (size_t)(end - proxy);
	if (*proxy == '[') {
		proxy++;
		len--;
	}
	if (!len || len >= size)
		return -EINVAL;
	if (*digits && (*digits != ':' || parse_u64(digits + 1, 1, UINT16_MAX, &value)))
		return -EINVAL;
	snprintf(host, size, "%.*s", (int)len, proxy);
	*port = (uint16_t)value;
	return 0;
}

/* Returns how long it is; port 0: none. */
static int target_print(char *out, const char *host, uint16_t port)
{
	bool v6 = strchr(host, ':');
	char digits[8] = "";
	int n;

	if (port)
		snprintf(digits, sizeof(digits), ":%u", port);
	n = snprintf(out, SG_TARGET_LEN, "%s%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "", digits);
	for (; *out; out++)
		if (*out >= 'A' && *out <= 'Z')
			*out += 'a' - 'A';
	return n;
}

size_t proxy_targets(bool https, const char *host, uint16_t port, struct sg_target *ret)
{
	size_t n = !https && port == HTTP_PORT ? 2 : 1;

	memset(ret, 0, PROXY_TARGETS_MAX * sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		char *text = (char *)ret[i].text;
		int len = i ? target_print(text, host, 0) : target_print(text, host, port);

		if (len >= SG_TARGET_LEN)
			return 0;
	}
	return n;
}

void proxies_read(struct proxies *ret, const char *environment, size_t len)
{
	const char *end = environment + len;
	char all[PROXY_LEN] = "";
	bool all_plain = false;

	*ret = (struct proxies){ 0 };
	for (const char *e = environment; e < end; e += strnlen(e, (size_t)(end - e)) + 1) {
		const char *value;

		if (!memchr(e, '\0', (size_t)(end - e)))
			break; /* it was cut off here */
		if ((value = value_of_name(e, "http_proxy"))) {
			proxy_reduce(ret->http, sizeof(ret->http), value);
			ret->http_plain = proxy_plain(value);
		} else if ((value = value_of_name(e, "https_proxy"))) {
			proxy_reduce(ret->https, sizeof(ret->https), value);
			ret->https_plain = proxy_plain(value);
		} else if ((value = value_of_name(e, "all_proxy"))) {
			proxy_reduce(all, sizeof(all), value);
			all_plain = proxy_plain(value);
		} else if ((value = value_of_name(e, "no_proxy"))) {
			snprintf(ret->except, sizeof(ret->except), "%.*s",
				 (int)sizeof(ret->except) - 1, value);
		}
	}
	if (!ret->http[0]) {
		memcpy(ret->http, all, sizeof(all));
		ret->http_plain = all_plain;
	}
	if (!ret->https[0]) {
		memcpy(ret->https, all, sizeof(all));
		ret->https_plain = all_plain;
	}
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
