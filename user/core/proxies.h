/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which proxy a process would call a server through, by the variables that HTTP clients ask:
 * http_proxy, https_proxy, all_proxy and no_proxy, in small letters or capitals. Of everything
 * else in an environment nothing is looked at, and of a proxy's URL only host and port are kept.
 */
#ifndef SWITCHGEAR_CORE_PROXIES_H
#define SWITCHGEAR_CORE_PROXIES_H

#include <stdbool.h>
#include <stddef.h>

#define PROXY_LEN 80      /* "host:port"; longer ones are cut */
#define PROXY_EXCEPT 1024 /* of no_proxy, so much is read */

struct proxies {
	char http[PROXY_LEN]; /* "": none */
	char https[PROXY_LEN];
	char except[PROXY_EXCEPT];
};

/* An environment as the kernel has it: NAME=VALUE, each ended by a zero byte. */
void proxies_read(struct proxies *ret, const char *environment, size_t len);

/* The proxy for a server, "host:port"; NULL: it is called directly. */
const char *proxies_for(const struct proxies *p, bool https, const char *host);

#endif
