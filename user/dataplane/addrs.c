/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Endpoints, networks and own addresses: made exactly what the caller says. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/private.h"

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

static int put_failed(const struct bpf_map *map, uint32_t id)
{
	if (errno == E2BIG)
		return full(bpf_map__name(map), bpf_map__max_entries(map));
	return log_failure(-errno, SUB, "cannot enter an endpoint of server %u", id);
}

static struct sg_local address_of(const struct sg_ep *ep)
{
	struct sg_local at = { .netns = ep->netns };

	memcpy(at.addr, ep->addr, sizeof(at.addr));
	return at;
}

static int ep_put(struct dataplane *dp, const struct sg_ep *ep, uint32_t id)
{
	const struct bpf_map *eps = dp->skel->maps.ep2srv;
	const struct bpf_map *listed = dp->skel->maps.listed;
	struct sg_local at = address_of(ep);

	if (dataplane_map_put(eps, ep, &id, BPF_ANY))
		return put_failed(eps, id);
	if (dataplane_map_put(listed, &at, &id, BPF_ANY))
		return put_failed(listed, id);
	return 0;
}

#define NAMES_MAX 4

/* Every key that an endpoint can be asked for by; ret has NAMES_MAX. Returns how many. */
static size_t ep_names(struct dataplane *dp, const struct addr *a, uint16_t port, struct sg_ep *ret)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	bool own = is_own(dp, a);
	bool everywhere = !addr_is_loopback(a) && !addr_is_unspecified(a);
	size_t n = 0;

	for (size_t p = 0; p < ARRAY_SIZE(protos); p++) {
		if (everywhere)
			ret[n++] = ep_make(a, port, protos[p], 0);
		if (own)
			ret[n++] = ep_make(a, port, protos[p], dp->home_netns);
	}
	return n;
}

/* What fits is entered, whatever else fails. */
static int ep_enter(struct dataplane *dp, uint32_t id, const struct addr *a, uint16_t port)
{
	struct sg_ep names[NAMES_MAX];
	size_t n = ep_names(dp, a, port, names);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		int one = ep_put(dp, &names[i], id);

		r = r ? r : one;
	}
	return r;
}

/* --- pruning ---------------------------------------------------------------------- */

/* Calls fn with every endpoint of every server; what it returns, if not 0, ends the walk. */
static int ep_walk(struct dataplane *dp,
		   int (*fn)(void *data, const struct sg_ep *ep, uint32_t owner), void *data)
{
	int fd = bpf_map__fd(dp->skel->maps.ep2srv);
	CLEANUP(freep) struct sg_ep *keys = calloc(BATCH, sizeof(*keys));
	CLEANUP(freep) uint32_t *owners = calloc(BATCH, sizeof(*owners));
	uint32_t cursor[16];
	bool first = true;
	int r = 0;

	if (!keys || !owners)
		return -ENOMEM;
	while (!r) {
		uint32_t got = BATCH;
		int one = 0;

		r = bpf_map_lookup_batch(fd, first ? NULL : cursor, cursor, keys, owners, &got,
					 NULL);
		if (r && r != -ENOENT)
			return log_failure(r, SUB, "cannot list the endpoints");
		first = false;
		for (uint32_t i = 0; i < got && !one; i++)
			one = fn(data, &keys[i], owners[i]);
		if (one)
			return one;
	}
	return 0;
}

struct prune {
	struct dataplane *dp;
	uint32_t id;
	const struct addr *addrs; /* wanted, with their ports */
	const uint16_t *ports;
	size_t n;
	struct sg_ep *stale;
	size_t n_stale;
};

static bool ep_wanted(const struct prune *p, const struct sg_ep *ep)
{
	struct sg_ep names[NAMES_MAX];

	for (size_t i = 0; i < p->n; i++) {
		size_t n = htons(p->ports[i]) == ep->port
				   ? ep_names(p->dp, &p->addrs[i], p->ports[i], names)
				   : 0;

		for (size_t k = 0; k < n; k++)
			if (!memcmp(&names[k], ep, sizeof(*ep)))
				return true;
	}
	return false;
}

static int prune_collect(void *data, const struct sg_ep *ep, uint32_t owner)
{
	struct prune *p = data;
	struct sg_ep *more;

	if (owner != p->id || ep_wanted(p, ep))
		return 0;
	more = realloc(p->stale, (p->n_stale + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->stale = more;
	p->stale[p->n_stale++] = *ep;
	return 0;
}

/* Addresses at which endpoints were removed, and who has others there. */
struct left {
	struct left_at {
		struct sg_local at; /* first: what the order is by */
		uint32_t owner;     /* SG_SERVERS_MAX: nobody */
	} * v;                      /* sorted */
	size_t n;
};

static int left_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sg_local));
}

static int left_find(void *data, const struct sg_ep *ep, uint32_t owner)
{
	struct left *left = data;
	struct sg_local at = address_of(ep);
	struct left_at *found = bsearch(&at, left->v, left->n, sizeof(*left->v), left_order);

	if (found)
		found->owner = owner;
	return 0;
}

/* Takes the addresses of removed endpoints off the list, but for those that others are at:
 * one more walk for all of them. */
static int unlist(struct dataplane *dp, const struct sg_ep *gone, size_t n)
{
	int fd = bpf_map__fd(dp->skel->maps.listed);
	CLEANUP(freep) struct left_at *v = calloc(n, sizeof(*v));
	struct left left = { .v = v };
	int r;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = (struct left_at){ .at = address_of(&gone[i]), .owner = SG_SERVERS_MAX };
	qsort(v, n, sizeof(*v), left_order);
	for (size_t i = 0; i < n; i++)
		if (!i || left_order(&v[left.n - 1], &v[i]))
			v[left.n++] = v[i];
	r = ep_walk(dp, left_find, &left);
	for (size_t i = 0; i < left.n && !r; i++) {
		if (v[i].owner == SG_SERVERS_MAX)
			bpf_map_delete_elem(fd, &v[i].at);
		else
			bpf_map_update_elem(fd, &v[i].at, &v[i].owner, BPF_EXIST);
	}
	return r;
}

/* Removes the entries of a server that are not wanted any more. */
static int ep_prune(struct dataplane *dp, uint32_t id, const struct addr *addrs,
		    const uint16_t *ports, size_t n)
{
	struct prune p = { .dp = dp, .id = id, .addrs = addrs, .ports = ports, .n = n };
	int r = ep_walk(dp, prune_collect, &p);

	for (size_t i = 0; i < p.n_stale && !r; i++)
		bpf_map_delete_elem(bpf_map__fd(dp->skel->maps.ep2srv), &p.stale[i]);
	if (p.n_stale && !r)
		r = unlist(dp, p.stale, p.n_stale);
	free(p.stale);
	return r;
}

int dataplane_endpoints_set(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n)
{
	int r = ep_prune(dp, id, addrs, ports, n); /* first: it may make room */

	for (size_t i = 0; i < n && !r; i++)
		r = ep_enter(dp, id, &addrs[i], ports[i]);
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
	size_t n_stale = 0;
	uint32_t total = 0;
	uint32_t owner;
	int r = 0;

	stale = calloc(SG_NETWORKS_MAX, sizeof(*stale));
	if (!stale)
		return -ENOMEM;
	while (total + n_stale < SG_NETWORKS_MAX && !bpf_map_get_next_key(fd, at, &key)) {
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
			stale[n_stale++] = key;
	}
	for (size_t i = 0; i < n_stale; i++)
		bpf_map_delete_elem(fd, &stale[i]);
	free(stale);
	for (size_t i = 0; i < n && !r; i++) {
		key.prefixlen = nets[i].len;
		memcpy(key.addr, nets[i].addr.bytes, sizeof(key.addr));
		if (!bpf_map_lookup_elem(fd, &key, &owner) && owner == id)
			continue;
		if (!dataplane_map_put(map, &key, &id, BPF_ANY))
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
		if (dataplane_map_put(dp->skel->maps.local_addrs, &key, &one, BPF_ANY))
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
