/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Proxies: which one a process would call a server through, by the variables that HTTP clients ask:
 * http_proxy, https_proxy, all_proxy and no_proxy, in small letters or capitals. Of everything
 * else in an environment nothing is looked at, and of a proxy's URL only host and port are kept.
 */
#ifndef SWITCHGEAR_CORE_PROXIES_H
#define SWITCHGEAR_CORE_PROXIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define PROXY_LEN 80      /* "host:port"; longer ones are cut */
#define PROXY_EXCEPT 1024 /* of no_proxy, so much is read */

struct proxies {
	char http[PROXY_LEN]; /* "": none */
	char https[PROXY_LEN];
	bool http_plain; /* proxy_plain() */
	bool https_plain;
	char except[PROXY_EXCEPT];
};

/* An environment as the kernel has it: NAME=VALUE, each ended by a zero byte. */
void proxies_read(struct proxies *ret, const char *environment, size_t len);

/*
 * What the value of such a variable names: "host:port" of "scheme://user:secret@host:port/path",
 * "" if that is none. Is it a proxy to which HTTP is spoken in clear?
 */
void proxy_reduce(char *out, size_t size, const char *value);
bool proxy_plain(const char *value);

/* "host:port" in two; port 0: there is none. -EINVAL. */
int proxy_split(const char *proxy, char *host, size_t size, uint16_t *port);

/* By what names a proxy is asked for a server: how many, 0: its own is too long. */
#define PROXY_TARGETS_MAX 2
size_t proxy_targets(bool https, const char *host, uint16_t port, struct sg_target *ret);

/* The proxy for a server, "host:port"; NULL: it is called directly. */
const char *proxies_for(const struct proxies *p, bool https, const char *host);

#endif
