/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Endpoints, networks and own addresses: made exactly what the caller says. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "io/bpf_private.h"

#define SUB "bpf"
#define BATCH 8192 /* more than a bucket of the hash can hold */

static const uint8_t v4_loopback[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };

/* The reverse of sg_ep_normalise(): as which key an address is asked for here. */
static bool is_own(struct dataplane *dp, const struct addr *a)
{
	struct sg_local local = { .netns = dp->home_netns };
	uint8_t value;

	memcpy(local.addr, a->bytes, sizeof(local.addr));
	return addr_is_loopback(a) || addr_is_unspecified(a) ||
	       !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.local_addrs), &local, &value);
}

static struct sg_ep ep_make(const struct addr *a, uint16_t port, uint8_t proto, uint64_t netns)
{
	struct sg_ep ep = { .netns = netns, .port = htons(port), .proto = proto };

	memcpy(ep.addr, netns ? v4_loopback : a->bytes, sizeof(ep.addr));
	return ep;
}

uint32_t dataplane_server_at(struct dataplane *dp, const uint8_t addr[16], uint16_t port, bool home)
{
	struct sg_net net = { .prefixlen = 128 };
	struct sg_ep ep;
	struct addr a;
	uint32_t id;

	memcpy(a.bytes, addr, sizeof(a.bytes));
	ep = ep_make(&a, port, IPPROTO_TCP, home && is_own(dp, &a) ? dp->home_netns : 0);
	if (!bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.ep2srv), &ep, &id))
		return id;
	memcpy(net.addr, addr, sizeof(net.addr));
	if (!ep.netns && !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.net2srv), &net, &id))
		return id;
	return SG_SERVERS_MAX;
}

static int full(const char *map, uint32_t max)
{
	log_error(
		SUB,
		"the map %s is full (%u entries): some endpoints of servers are not watched; raise "
		"\"limits\".\"endpoints\" in the configuration, then detach and start again",
		map, max);
	return -E2BIG;
}

static int ep_put(struct dataplane *dp, const struct sg_ep *ep, uint32_t id)
{
	const struct bpf_map *map = dp->skel->maps.ep2srv;

	if (!bpf_map_update_elem(bpf_map__fd(map), ep, &id, BPF_ANY))
		return 0;
	if (errno == E2BIG)
		return full(bpf_map__name(map), bpf_map__max_entries(map));
	return log_failure(-errno, SUB, "cannot enter an endpoint of server %u", id);
}

/* Enters an endpoint under every name it can be asked for by; wanted may be NULL. */
static int ep_each(struct dataplane *dp, uint32_t id, const struct addr *a, uint16_t port,
		   const struct sg_ep *wanted, bool *found)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	bool own = is_own(dp, a);
	bool everywhere = !addr_is_loopback(a) && !addr_is_unspecified(a);
	int r = 0;

	for (size_t p = 0; p < ARRAY_SIZE(protos); p++) {
		for (int local = 0; local < 2; local++) {
			struct sg_ep ep;
			int one = 0;

			if (local ? !own : !everywhere)
				continue;
			ep = ep_make(a, port, protos[p], local ? dp->home_netns : 0);
			if (wanted)
				*found |= !memcmp(&ep, wanted, sizeof(ep));
			else
				one = ep_put(dp, &ep, id);
			r = r ? r : one;
		}
	}
	return r;
}

static bool ep_wanted(struct dataplane *dp, const struct sg_ep *ep, const struct addr *addrs,
		      const uint16_t *ports, size_t n)
{
	bool found = false;

	for (size_t i = 0; i < n && !found; i++)
		if (htons(ports[i]) == ep->port)
			(void)!ep_each(dp, 0, &addrs[i], ports[i], ep, &found);
	return found;
}

/* Removes the entries of a server that are not wanted any more. */
static int ep_prune(struct dataplane *dp, uint32_t id, const struct addr *addrs,
		    const uint16_t *ports, size_t n)
{
	int fd = bpf_map__fd(dp->skel->maps.ep2srv);
	CLEANUP(freep) struct sg_ep *keys = calloc(BATCH, sizeof(*keys));
	CLEANUP(freep) uint32_t *owners = calloc(BATCH, sizeof(*owners));
	CLEANUP(freep) struct sg_ep *stale = NULL;
	size_t stale_n = 0;
	uint32_t cursor[16];
	bool first = true;
	int r = 0;

	if (!keys || !owners)
		return -ENOMEM;
	while (!r) {
		uint32_t got = BATCH;

		r = bpf_map_lookup_batch(fd, first ? NULL : cursor, cursor, keys, owners, &got,
					 NULL);
		if (r && r != -ENOENT)
			return log_failure(r, SUB, "cannot list the endpoints");
		first = false;
		for (uint32_t i = 0; i < got; i++) {
			struct sg_ep *more;

			if (owners[i] != id || ep_wanted(dp, &keys[i], addrs, ports, n))
				continue;
			more = realloc(stale, (stale_n + 1) * sizeof(*more));
			if (!more)
				return -ENOMEM;
			stale = more;
			stale[stale_n++] = keys[i];
		}
	}
	for (size_t i = 0; i < stale_n; i++)
		bpf_map_delete_elem(fd, &stale[i]);
	return 0;
}

int dataplane_endpoints_set(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n)
{
	int r = ep_prune(dp, id, addrs, ports, n); /* first: it may make room */

	for (size_t i = 0; i < n && !r; i++)
		r = ep_each(dp, id, &addrs[i], ports[i], NULL, NULL);
	return r;
}

int dataplane_networks_set(struct dataplane *dp, uint32_t id, const struct dataplane_net *nets,
			   size_t n)
{
	const struct bpf_map *map = dp->skel->maps.net2srv;
	int fd = bpf_map__fd(map);
	struct sg_net *stale;
	struct sg_net here;
	struct sg_net key;
	const struct sg_net *at = NULL;
	size_t stale_n = 0;
	uint32_t total = 0;
	uint32_t owner;
	int r = 0;

	stale = calloc(SG_NETWORKS_MAX, sizeof(*stale));
	if (!stale)
		return -ENOMEM;
	while (total + stale_n < SG_NETWORKS_MAX && !bpf_map_get_next_key(fd, at, &key)) {
		bool wanted = false;

		here = key;
		at = &here;
		if (bpf_map_lookup_elem(fd, &key, &owner) || owner != id) {
			total++;
			continue;
		}
		for (size_t i = 0; i < n; i++)
			wanted |= key.prefixlen == nets[i].len &&
				  !memcmp(key.addr, nets[i].addr.bytes, sizeof(key.addr));
		if (wanted)
			total++;
		else
			stale[stale_n++] = key;
	}
	for (size_t i = 0; i < stale_n; i++)
		bpf_map_delete_elem(fd, &stale[i]);
	free(stale);
	for (size_t i = 0; i < n && !r; i++) {
		key.prefixlen = nets[i].len;
		memcpy(key.addr, nets[i].addr.bytes, sizeof(key.addr));
		if (!bpf_map_lookup_elem(fd, &key, &owner) && owner == id)
			continue;
		if (!bpf_map_update_elem(fd, &key, &id, BPF_ANY))
			total++;
		else if (errno == ENOSPC || errno == E2BIG)
			r = full(bpf_map__name(map), SG_NETWORKS_MAX);
		else
			r = log_failure(-errno, SUB, "cannot enter a network of server %u", id);
	}
	dp->cfg->networks = total;
	return r;
}

int dataplane_locals_set(struct dataplane *dp, const struct addr *addrs, size_t n)
{
	int fd = bpf_map__fd(dp->skel->maps.local_addrs);
	struct sg_local key = { .netns = dp->home_netns };
	struct sg_local next;
	struct sg_local here;
	const struct sg_local *at = NULL;
	uint8_t one = 1;
	bool wanted;

	for (size_t i = 0; i < n; i++) {
		memcpy(key.addr, addrs[i].bytes, sizeof(key.addr));
		if (bpf_map_update_elem(fd, &key, &one, BPF_ANY))
			return log_failure(-errno, SUB, "cannot enter an address of this host");
	}
	for (uint32_t i = 0; i <= SG_LOCALS_MAX && !bpf_map_get_next_key(fd, at, &next); i++) {
		wanted = next.netns != dp->home_netns;
		for (size_t k = 0; k < n && !wanted; k++)
			wanted = !memcmp(next.addr, addrs[k].bytes, sizeof(next.addr));
		if (!wanted && !bpf_map_delete_elem(fd, &next))
			continue;
		here = next;
		at = &here;
	}
	return 0;
}
