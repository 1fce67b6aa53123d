/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and endpoints as the keys of maps, and the servers that are found by them. */
#ifndef SWITCHGEAR_ADDR_BPF_H
#define SWITCHGEAR_ADDR_BPF_H

#include "maps.bpf.h"
#include "verdict.h"

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

/*
 * Fills the key's netns and, for an address that leads back to its own
 * namespace, replaces it by 127.0.0.1: whichever of its names a local server
 * is called by, it is one endpoint.
 */
static __always_inline void sg_ep_normalise(struct sg_ep *ep, __u64 netns)
{
	struct sg_local local = { .netns = netns };

	__builtin_memcpy(local.addr, ep->addr, sizeof(local.addr));
	if (!sg_addr_loops(ep->addr) && !bpf_map_lookup_elem(&local_addrs, &local))
		return;
	ep->netns = netns;
	sg_addr_v4(ep->addr, bpf_htonl(0x7f000001));
}

/* The server at an endpoint, or NULL. */
static __always_inline __u32 *sg_server_at(const struct sg_ep *ep, const struct sg_cfg *c)
{
	struct sg_net net;
	__u32 *id = bpf_map_lookup_elem(&ep2srv, ep);

	if (id || !c->networks || ep->netns)
		return id;
	net.prefixlen = 128; /* not by an initialiser: a copy of it in .rodata is no variable */
	__builtin_memcpy(net.addr, ep->addr, sizeof(net.addr));
	return bpf_map_lookup_elem(&net2srv, &net);
}

/* A server that has an endpoint at this address, while any server is in quarantine. */
static __always_inline __u32 *sg_listed_at(const struct sg_ep *ep, __u64 now)
{
	struct sg_local at = { .netns = ep->netns };
	__u64 *until = SG_ONLY(cutoff);

	if (!until || !sg_quarantined(*until, now))
		return NULL;
	__builtin_memcpy(at.addr, ep->addr, sizeof(at.addr));
	return bpf_map_lookup_elem(&listed, &at);
}

#endif
