/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and endpoints as the keys of maps, and the servers that are found by them. */
#ifndef SWITCHGEAR_ADDR_BPF_H
#define SWITCHGEAR_ADDR_BPF_H

#include "maps.bpf.h"
#include "verdict.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define SG_AF_INET 2
#define SG_AF_INET6 10
#define SG_IPPROTO_TCP 6
#define SG_IPPROTO_UDP 17
#define SG_IPPROTO_UDPLITE 136

static __always_inline void sg_addr_v4(__u8 *addr, __be32 v4)
{
	__u32 *w = (__u32 *)addr;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = v4;
}

static __always_inline void sg_addr_v6(__u8 *addr, __u32 a, __u32 b, __u32 c, __u32 d)
{
	__u32 *w = (__u32 *)addr;

	w[0] = a;
	w[1] = b;
	w[2] = c;
	w[3] = d;
}

/* Does this address lead to the host itself, wherever it is asked from? */
static __always_inline bool sg_addr_loops(const __u8 *addr)
{
	const __u32 *w = (const __u32 *)addr;

	if (w[0] | w[1])
		return false;
	if (w[2] == bpf_htonl(0xffff)) /* v4-mapped: 127/8 or unspecified */
		return addr[12] == 127 || !w[3];
	return !w[2] && (!w[3] || w[3] == bpf_htonl(1)); /* :: or ::1 */
}

/* What a protocol counts as in keys. */
static __always_inline __u8 sg_ep_proto(__u8 proto)
{
	return proto == SG_IPPROTO_UDPLITE ? SG_IPPROTO_UDP : proto;
}

/* Before 5.12 it is an atomic64_t. */
struct net___old {
	struct {
		__s64 counter;
	} net_cookie;
} __attribute__((preserve_access_index));

/* The cookie of a socket's namespace. */
static __always_inline __u64 sg_netns_of(struct sock *sk)
{
	struct net *net = sk->__sk_common.skc_net.net;
	struct net___old *old = (struct net___old *)net;

	if (bpf_core_field_exists(old->net_cookie.counter))
		return (__u64)old->net_cookie.counter;
	return net->net_cookie;
}

/* Does the namespace own this address? */
static __always_inline bool sg_addr_owned(const __u8 *addr, __u64 netns)
{
	struct sg_local local = { .netns = netns };

	__builtin_memcpy(local.addr, addr, sizeof(local.addr));
	return bpf_map_lookup_elem(&local_addrs, &local);
}

/*
 * Fills the key's netns for an address that leads back to its own namespace. A connect
 * to the unspecified address goes to the loopback's of its family.
 */
static __always_inline void sg_ep_normalise(struct sg_ep *ep, __u64 netns)
{
	__u32 *w = (__u32 *)ep->addr;

	if (sg_addr_loops(ep->addr)) {
		ep->netns = netns;
		if (!w[3])
			w[3] = w[2] ? bpf_htonl(0x7f000001) : bpf_htonl(1);
	} else if (sg_addr_owned(ep->addr, netns)) {
		ep->netns = netns;
	}
}

/* Is it an address of the daemon's namespace, asked for from there or, but for the loopback's,
 * from a namespace that does not own it? */
static __always_inline bool sg_ep_own(const struct sg_ep *ep, const struct sg_cfg *c)
{
	if (ep->netns)
		return ep->netns == c->home_netns;
	return sg_addr_owned(ep->addr, c->home_netns);
}

#define SG_AT_NONE (~0U)

/* Whose an endpoint is (SG_AT), or SG_AT_NONE. */
static __always_inline __u32 sg_server_at(const struct sg_ep *ep, const struct sg_cfg *c)
{
	__u32 *at = bpf_map_lookup_elem(&ep2srv, ep);
	struct sg_ep alias;
	struct sg_net net;

	if (!at && c->aliases && sg_ep_own(ep, c)) {
		__builtin_memset(&alias, 0, sizeof(alias));
		alias.netns = c->home_netns;
		alias.port = ep->port;
		alias.proto = ep->proto;
		at = bpf_map_lookup_elem(&ep2srv, &alias);
	}
	if (!at && c->networks && !ep->netns) {
		/* not by an initialiser: a copy of it in .rodata is no variable */
		net.prefixlen = 128;
		__builtin_memcpy(net.addr, ep->addr, sizeof(net.addr));
		at = bpf_map_lookup_elem(&net2srv, &net);
	}
	return at ? *at : SG_AT_NONE;
}

/* A server that has an endpoint at this address, while any server is in quarantine. */
static __always_inline __u32 sg_listed_at(const struct sg_ep *ep, const struct sg_cfg *c, __u64 now)
{
	struct sg_local where = { .netns = ep->netns };
	__u64 *until = SG_ONLY(cutoff);
	__u32 *at;

	if (!until || !sg_quarantined(*until, now))
		return SG_AT_NONE;
	__builtin_memcpy(where.addr, ep->addr, sizeof(where.addr));
	at = bpf_map_lookup_elem(&listed, &where);
	if (!at && c->aliases && sg_ep_own(ep, c)) {
		__builtin_memset(&where, 0, sizeof(where));
		where.netns = c->home_netns;
		at = bpf_map_lookup_elem(&listed, &where);
	}
	return at ? *at : SG_AT_NONE;
}

#endif
