/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Endpoints, networks and own addresses: made exactly what the caller says. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"

static const uint8_t v4_loopback[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };
static const uint8_t v6_loopback[16] = { [15] = 1 };
static const uint8_t any[16] = { 0 };

bool dataplane_is_own(struct dataplane *dp, const struct addr *a)
{
	struct sg_local local = { .netns = dp->home_netns };
	uint8_t value;

	memcpy(local.addr, a->bytes, sizeof(local.addr));
	return !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.local_addrs), &local, &value);
}

static struct sg_ep ep_make(const uint8_t addr[16], uint16_t port, uint8_t proto, uint64_t netns)
{
	struct sg_ep ep = { .netns = netns, .port = htons(port), .proto = proto };

	memcpy(ep.addr, addr, sizeof(ep.addr));
	return ep;
}

static uint32_t id_at(struct dataplane *dp, const struct sg_ep *ep)
{
	uint32_t at;

	return bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.ep2srv), ep, &at) ? SG_SERVERS_MAX
										: SG_AT_ID(at);
}

/* The same order as sg_ep_normalise() and sg_server_at(). */
uint32_t dataplane_server_at(struct dataplane *dp, const uint8_t addr[16], uint16_t port, bool home)
{
	struct sg_net net = { .prefixlen = 128 };
	struct sg_ep ep = ep_make(addr, port, IPPROTO_TCP, 0);
	struct sg_ep alias = ep_make(any, port, IPPROTO_TCP, dp->home_netns);
	struct addr a;
	uint32_t id;
	uint32_t at;
	bool loops;
	bool own;

	memcpy(a.bytes, addr, sizeof(a.bytes));
	loops = addr_is_loopback(&a);
	own = !loops && dataplane_is_own(dp, &a);
	if (loops && !home)
		return SG_SERVERS_MAX; /* that namespace's own */
	if (home && (loops || own))
		ep.netns = dp->home_netns;
	id = id_at(dp, &ep);
	if (id == SG_SERVERS_MAX && (own || loops))
		id = id_at(dp, &alias);
	memcpy(net.addr, addr, sizeof(net.addr));
	if (id == SG_SERVERS_MAX && !ep.netns &&
	    !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.net2srv), &net, &at))
		id = SG_AT_ID(at);
	return id;
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

/* A key that an endpoint can be asked for by. */
struct ep_key {
	struct sg_ep ep;
	bool alias;
};

#define KEYS_MAX 6

static void key_add(struct ep_key *keys, size_t *n, struct sg_ep ep, bool alias)
{
	keys[(*n)++] = (struct ep_key){ ep, alias };
}

/*
 * Every key of an endpoint; ret has KEYS_MAX. Returns how many. One of this host has all its
 * other addresses as aliases, by a key that stands for them.
 */
static size_t ep_keys(struct dataplane *dp, const struct addr *a, uint16_t port, struct ep_key *ret)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	uint64_t home = dp->home_netns;
	bool loops = addr_is_loopback(a) || addr_is_unspecified(a);
	const uint8_t *bytes = a->bytes;
	bool own = !loops && dataplane_is_own(dp, a);
	size_t n = 0;

	if (addr_is_unspecified(a)) /* connects to it go there */
		bytes = addr_is_v4(a) ? v4_loopback : v6_loopback;
	for (size_t p = 0; p < ARRAY_SIZE(protos); p++) {
		if (!loops)
			key_add(ret, &n, ep_make(bytes, port, protos[p], 0), false);
		if (loops || own) {
			key_add(ret, &n, ep_make(bytes, port, protos[p], home), false);
			key_add(ret, &n, ep_make(any, port, protos[p], home), true);
		}
	}
	return n;
}

/* --- entering ---------------------------------------------------------------------- */

uint32_t dataplane_incarnation(struct dataplane *dp, uint32_t id)
{
	struct sg_server entry = { 0 };

	(void)!bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_state), &id, &entry);
	return entry.incarnation % SG_AT_INCARNATIONS;
}

bool dataplane_others(struct dataplane *dp, uint32_t id, uint32_t at)
{
	return SG_AT_ID(at) != id &&
	       dataplane_incarnation(dp, SG_AT_ID(at)) == SG_AT_INCARNATION(at);
}

/* 1: an alias that is another server's already, or another's endpoint. */
static int ep_put(struct dataplane *dp, const struct ep_key *key, uint32_t at)
{
	const struct bpf_map *eps = dp->skel->maps.ep2srv;
	const struct bpf_map *listed = dp->skel->maps.listed;
	struct sg_local where = address_of(&key->ep);
	uint32_t now;

	if (key->alias && !bpf_map_lookup_elem(bpf_map__fd(eps), &key->ep, &now) &&
	    dataplane_others(dp, SG_AT_ID(at), now))
		return 1;
	if (dataplane_map_put(eps, &key->ep, &at, BPF_ANY))
		return put_failed(eps, SG_AT_ID(at));
	if (dataplane_map_put(listed, &where, &at, BPF_ANY))
		return put_failed(listed, SG_AT_ID(at));
	return 0;
}

/* What fits is entered, whatever else fails. */
static int ep_enter(struct dataplane *dp, uint32_t at, const struct addr *a, uint16_t port)
{
	struct ep_key keys[KEYS_MAX];
	size_t n = ep_keys(dp, a, port, keys);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		int one = ep_put(dp, &keys[i], at | SG_AT(0, 0, keys[i].alias, 0));

		if (r >= 0 && one)
			r = one;
	}
	return r;
}

/*
 * Gives each address its slot: what it had, or one that is free; the last one is for all
 * that find none. Returns the mask of those in use.
 */
static uint8_t slots_give(struct dataplane *dp, uint32_t id, uint32_t incarnation,
			  const struct addr *addrs, const uint16_t *ports, size_t n, uint8_t *slots)
{
	int fd = bpf_map__fd(dp->skel->maps.ep2srv);
	uint8_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		struct ep_key keys[KEYS_MAX];
		uint32_t at;

		ep_keys(dp, &addrs[i], ports[i], keys);
		slots[i] = SG_SLOTS_MAX;
		if (bpf_map_lookup_elem(fd, &keys[0].ep, &at) || SG_AT_ID(at) != id ||
		    SG_AT_INCARNATION(at) != incarnation || SG_AT_ALIAS(at))
			continue;
		slots[i] = SG_AT_SLOT(at);
		mask |= 1 << slots[i];
	}
	for (size_t i = 0; i < n; i++) {
		if (slots[i] < SG_SLOTS_MAX)
			continue;
		slots[i] = mask == 0xff ? SG_SLOTS_MAX - 1
					: (uint8_t)__builtin_ctz(~(unsigned int)mask);
		mask |= 1 << slots[i];
	}
	return mask;
}

int dataplane_endpoint_at(struct dataplane *dp, uint32_t id, const struct addr *a, uint16_t port,
			  uint32_t *ret)
{
	struct ep_key keys[KEYS_MAX];
	uint32_t at;

	ep_keys(dp, a, port, keys);
	if (bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.ep2srv), &keys[0].ep, &at) ||
	    SG_AT_ID(at) != id || SG_AT_ALIAS(at))
		return -ENOENT;
	*ret = at;
	return 0;
}

uint32_t dataplane_server_slot(struct dataplane *dp, uint32_t id, const struct addr *a,
			       uint16_t port)
{
	uint32_t at;

	return dataplane_endpoint_at(dp, id, a, port, &at) ? SG_SLOTS_MAX : SG_AT_SLOT(at);
}

static int slots_set(struct dataplane *dp, uint32_t id, uint8_t mask)
{
	struct sg_command cmd = { .op = SG_CMD_SLOTS, .server = id, .flags = mask };

	return dataplane_command(dp, &cmd);
}

/* --- pruning ---------------------------------------------------------------------- */

/* Calls fn with every endpoint of every server and its owner. */
static int ep_walk(struct dataplane *dp, dataplane_element_fn *fn, void *data)
{
	return dataplane_map_walk(dp->skel->maps.ep2srv, "cannot list the endpoints", fn, data);
}

struct prune {
	struct dataplane *dp;
	uint32_t id;
	const struct addr *addrs; /* wanted, with their ports */
	const uint16_t *ports;
	size_t n;
	struct sg_ep *stale;
	size_t n_stale;
	uint32_t aliases; /* of all servers, that stay */
};

static bool ep_wanted(const struct prune *p, const struct sg_ep *ep)
{
	struct ep_key keys[KEYS_MAX];

	for (size_t i = 0; i < p->n; i++) {
		size_t n = htons(p->ports[i]) == ep->port
				   ? ep_keys(p->dp, &p->addrs[i], p->ports[i], keys)
				   : 0;

		for (size_t k = 0; k < n; k++)
			if (!memcmp(&keys[k].ep, ep, sizeof(*ep)))
				return true;
	}
	return false;
}

static int prune_collect(void *data, const void *key, const void *owner)
{
	struct prune *p = data;
	const struct sg_ep *ep = key;

	uint32_t at = *(const uint32_t *)owner;

	if (SG_AT_ID(at) != p->id || ep_wanted(p, ep)) {
		p->aliases += SG_AT_ALIAS(at);
		return 0;
	}
	if (list_grow(&p->stale, p->n_stale, sizeof(*p->stale)))
		return -ENOMEM;
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

static int left_find(void *data, const void *key, const void *owner)
{
	struct left *left = data;
	struct sg_local at = address_of(key);
	struct left_at *found = bsearch(&at, left->v, left->n, sizeof(*left->v), left_order);

	if (found)
		found->owner = *(const uint32_t *)owner;
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
	if (!r) /* while there is none nobody asks for them */
		__atomic_store_n(&dp->cfg->aliases, p.aliases, __ATOMIC_RELAXED);
	if (p.n_stale && !r)
		r = unlist(dp, p.stale, p.n_stale);
	free(p.stale);
	return r;
}

int dataplane_endpoints_add(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n)
{
	CLEANUP(freep) uint8_t *slots = calloc(n + 1, sizeof(*slots));
	uint32_t incarnation = dataplane_incarnation(dp, id);
	int r;

	if (!slots)
		return -ENOMEM;
	dp->left[id] = false;
	r = slots_set(dp, id, slots_give(dp, id, incarnation, addrs, ports, n, slots));
	for (size_t i = 0; i < n && !r; i++) {
		uint32_t at = SG_AT(id, slots[i], 0, incarnation);

		r = ep_enter(dp, at, &addrs[i], ports[i]);
		if (r == -E2BIG && !ep_prune(dp, id, addrs, ports, n))
			r = ep_enter(dp, at, &addrs[i], ports[i]);
		dp->left[id] |= r > 0;
		r = r > 0 ? 0 : r;
	}
	return r;
}

int dataplane_endpoints_set(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n)
{
	int r = dataplane_endpoints_add(dp, id, addrs, ports, n);
	int one = ep_prune(dp, id, addrs, ports, n);

	return r ? r : one;
}

struct listing {
	uint32_t id;
	struct addr *addrs;
	size_t n;
	size_t max;
};

static int list_one(void *data, const void *key, const void *owner)
{
	struct listing *list = data;
	const struct sg_ep *ep = key;
	uint32_t at = *(const uint32_t *)owner;
	struct addr a;

	memcpy(a.bytes, ep->addr, sizeof(a.bytes));
	if (SG_AT_ID(at) != list->id || SG_AT_ALIAS(at) || list->n == list->max)
		return 0;
	for (size_t i = 0; i < list->n; i++)
		if (!memcmp(&list->addrs[i], &a, sizeof(a)))
			return 0;
	list->addrs[list->n++] = a;
	return 0;
}

int dataplane_endpoints_get(struct dataplane *dp, uint32_t id, struct addr *ret, size_t max,
			    size_t *ret_n)
{
	struct listing list = { .id = id, .addrs = ret, .max = max };
	int r = ep_walk(dp, list_one, &list);

	*ret_n = r ? 0 : list.n;
	return r;
}

int dataplane_networks_set(struct dataplane *dp, uint32_t id, const struct dataplane_net *nets,
			   size_t n)
{
	const struct bpf_map *map = dp->skel->maps.net2srv;
	int fd = bpf_map__fd(map);
	CLEANUP(freep) struct sg_net *stale = calloc(SG_NETWORKS_MAX, sizeof(*stale));
	CLEANUP(freep) bool *taken = calloc(n + 1, sizeof(*taken)); /* of nets: what others have */
	struct sg_net here;
	struct sg_net key;
	const struct sg_net *at = NULL;
	size_t n_stale = 0;
	uint32_t at_id = SG_AT(id, 0, 0, dataplane_incarnation(dp, id));
	uint32_t total = 0;
	uint32_t owner;
	int r = 0;

	if (!stale || !taken)
		return -ENOMEM;
	while (total + n_stale < SG_NETWORKS_MAX && !bpf_map_get_next_key(fd, at, &key)) {
		bool wanted = false;

		here = key;
		at = &here;
		if (bpf_map_lookup_elem(fd, &key, &owner))
			continue;
		for (size_t i = 0; i < n; i++) {
			bool same = key.prefixlen == nets[i].len &&
				    !memcmp(key.addr, nets[i].addr.bytes, sizeof(key.addr));

			wanted |= same;
			if (same && dataplane_others(dp, id, owner))
				taken[i] = true;
		}
		if (SG_AT_ID(owner) != id)
			total++;
		else if (!wanted)
			stale[n_stale++] = key;
	}
	for (size_t i = 0; i < n_stale; i++)
		bpf_map_delete_elem(fd, &stale[i]);
	for (size_t i = 0; i < n && !r; i++) {
		key.prefixlen = nets[i].len;
		memcpy(key.addr, nets[i].addr.bytes, sizeof(key.addr));
		if (taken[i]) {
			dp->left[id] = true; /* who was first keeps it */
			continue;
		}
		if (!dataplane_map_put(map, &key, &at_id, BPF_ANY))
			total++;
		else if (errno == ENOSPC || errno == E2BIG)
			r = full(bpf_map__name(map), SG_NETWORKS_MAX);
		else
			r = log_failure(-errno, SUB, "cannot enter a network of server %u", id);
	}
	dp->cfg->networks = total;
	if (!r && n)
		r = slots_set(dp, id, 0); /* behind a network each connect counts */
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

bool dataplane_endpoints_left(const struct dataplane *dp, uint32_t id)
{
	return dp->left[id];
}
