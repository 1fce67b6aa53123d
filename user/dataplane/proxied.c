/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HTTP proxies, and the names by which they and shared addresses are asked for servers: made exactly
 * what the caller says. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"
#define KEYS_MAX 2 /* of one address, see keys_of() */

/* Removes all keys but these. */
static int keep_only(const struct bpf_map *map, const void *wanted, size_t n)
{
	return dataplane_map_keep(map, "cannot list the proxies", SG_NOBODY, wanted, n);
}

static int put(const struct bpf_map *map, const void *key, const void *value)
{
	if (!dataplane_map_put(map, key, value, BPF_ANY))
		return 0;
	if (errno != E2BIG)
		return log_failure(-errno, SUB, "cannot enter a proxy or a name");
	log_error(SUB,
		  "the map %s is full (%u entries): some calls through proxies, or to addresses of "
		  "several names, are not told apart",
		  bpf_map__name(map), bpf_map__max_entries(map));
	return -E2BIG;
}

/* By what keys the connect hook asks for an endpoint, see sg_ep_normalise(): one of this host's
 * own addresses from its namespace, and from others. */
static size_t keys_of(struct dataplane *dp, const struct addr *a, uint16_t port, struct sg_ep *ret)
{
	struct sg_ep ep = { .port = htons(port), .proto = IPPROTO_TCP };
	bool loops = addr_is_loopback(a);
	size_t n = 0;

	memcpy(ep.addr, a->bytes, sizeof(ep.addr));
	if (!loops)
		ret[n++] = ep;
	ep.netns = dp->home_netns;
	if (loops || dataplane_is_own(dp, a))
		ret[n++] = ep;
	return n;
}

int dataplane_proxies_set(struct dataplane *dp, const struct addr *addrs, const uint16_t *ports,
			  size_t n, bool add)
{
	CLEANUP(freep) struct sg_ep *keys = calloc(n * KEYS_MAX + 1, sizeof(*keys));
	const struct bpf_map *map = dp->skel->maps.proxies;
	size_t n_keys = 0;
	uint8_t one = 1;
	int r = 0;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		n_keys += keys_of(dp, &addrs[i], ports[i], &keys[n_keys]);
	if (n_keys) /* before there is one to be found */
		__atomic_store_n(&dp->cfg->proxies, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < n_keys; i++) {
		int failed = put(map, &keys[i], &one);

		r = r ? r : failed;
	}
	if (add)
		return r;
	if (!r)
		r = keep_only(map, keys, n_keys);
	if (!r && !n_keys)
		__atomic_store_n(&dp->cfg->proxies, 0, __ATOMIC_RELAXED);
	return r;
}

int dataplane_targets_set(struct dataplane *dp, const struct dataplane_target *targets, size_t n)
{
	CLEANUP(freep) struct sg_target *keys = calloc(n + 1, sizeof(*keys));
	const struct bpf_map *map = dp->skel->maps.proxy_names;
	int r = 0;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = targets[i].server;
		uint32_t at = SG_AT(id, 0, 0, dataplane_incarnation(dp, id));
		int failed;

		keys[i] = targets[i].name;
		failed = put(map, &keys[i], &at);
		r = r ? r : failed;
	}
	return r ? r : keep_only(map, keys, n);
}

int dataplane_hosts_set(struct dataplane *dp, const struct dataplane_host *hosts, size_t n)
{
	CLEANUP(freep) struct sg_host *keys = calloc(n + 1, sizeof(*keys));
	const struct bpf_map *map = dp->skel->maps.host_names;
	int r = 0;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = hosts[i].server;
		uint32_t at = SG_AT(id, 0, 0, dataplane_incarnation(dp, id));
		int failed;

		keys[i] = hosts[i].name;
		failed = put(map, &keys[i], &at);
		r = r ? r : failed;
	}
	return r ? r : keep_only(map, keys, n);
}
