/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets and tasks as walks and tracepoints come by them, for which no hook of a
 * cgroup vouches: who is in the protected cgroup, and which server a socket is at.
 */
#ifndef SWITCHGEAR_HOLDER_BPF_H
#define SWITCHGEAR_HOLDER_BPF_H

#include "addr.bpf.h"

#include <bpf/bpf_core_read.h>

#define SG_CGROUP_DEPTH 64
#define SG_NETNS_NONE (~0ULL) /* the cookie of no namespace */

/* Is it the protected cgroup, or below it? */
static __always_inline bool sg_inside(struct cgroup *at)
{
	int i;

	if (!sg_rodata.cgroup)
		return true;
	for (i = 0; i < SG_CGROUP_DEPTH && at; i++) {
		if (BPF_CORE_READ(at, kn, id) == sg_rodata.cgroup)
			return true;
		at = BPF_CORE_READ(at, self.parent, cgroup);
	}
	return false;
}

static __always_inline void sg_sock_addrs(struct sock_common *skc, __u8 *local, __u8 *remote)
{
	if (BPF_CORE_READ(skc, skc_family) == SG_AF_INET) {
		sg_addr_v4(local, BPF_CORE_READ(skc, skc_rcv_saddr));
		sg_addr_v4(remote, BPF_CORE_READ(skc, skc_daddr));
	} else {
		BPF_CORE_READ_INTO((struct in6_addr *)local, skc, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)remote, skc, skc_v6_daddr);
	}
}

/* Where its peer is (SG_AT), or SG_AT_NONE. The peer's address comes in ep->addr. Loopback
 * addresses are servers' in the daemon's own namespace only. */
static __always_inline __u32 sg_peer_at(struct sock_common *skc, __u8 proto, __u8 *local,
					struct sg_ep *ep)
{
	struct sg_cfg *c = SG_ONLY(cfg);
	__u64 netns = SG_NETNS_NONE;

	ep->port = BPF_CORE_READ(skc, skc_dport);
	ep->proto = proto;
	if (!ep->port || !c)
		return SG_AT_NONE;
	sg_sock_addrs(skc, local, ep->addr);
	if (BPF_CORE_READ(skc, skc_net.net, ns.inum) == sg_rodata.home_inode)
		netns = c->home_netns;
	sg_ep_normalise(ep, netns);
	return sg_server_at(ep, c);
}

#endif
