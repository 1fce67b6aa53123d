/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections older than the load are taken over here, by a walk over the sockets
 * of the namespace that the daemon is in at the moment; `job` says which that is.
 * For each one that it took over the walk writes its cookie. Needs iterators with
 * socket storage and locks (6.1); where they are refused, a quarantine finds those
 * connections by their addresses.
 */
#include "addr.bpf.h"
#include "event.bpf.h"
#include "flows.bpf.h"
#include "maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define SG_SILENT 0 /* return value of an iterator that wants no repetition */

static __always_inline void sg_sock_addrs(struct sock_common *skc, __u8 *local, __u8 *remote)
{
	if (skc->skc_family == SG_AF_INET) {
		sg_addr_v4(local, skc->skc_rcv_saddr);
		sg_addr_v4(remote, skc->skc_daddr);
	} else {
		BPF_CORE_READ_INTO((struct in6_addr *)local, skc, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)remote, skc, skc_v6_daddr);
	}
}

#define SG_CGROUP_DEPTH 64

/* Is the socket in the protected cgroup, or below it? The walk sees everybody's. */
static __always_inline bool sg_protected(struct sock *sk)
{
	struct cgroup *at = sk->sk_cgrp_data.cgroup;
	struct cgroup *above;
	const char *list = (const char *)at;
	int level;
	int i;

	if (!sg_rodata.cgroup || !bpf_core_field_exists(at->ancestors))
		return true;
	list += bpf_core_field_offset(struct cgroup, ancestors);
	level = BPF_CORE_READ(at, level);
	for (i = 0; i < SG_CGROUP_DEPTH; i++) {
		if (i > level ||
		    bpf_probe_read_kernel(&above, sizeof(above), list + i * sizeof(above)))
			break;
		if (BPF_CORE_READ(above, kn, id) == sg_rodata.cgroup)
			return true;
	}
	return false;
}

static __always_inline __u32 sg_adoptable(struct sock_common *skc, __u8 proto, __u64 *netns)
{
	struct sg_cfg *c = sg_config();
	struct sg_ep ep = {};
	struct sg_job *j = SG_ONLY(job);
	__u8 local[16];

	if (!j || !c)
		return SG_AT_NONE;
	sg_sock_addrs(skc, local, ep.addr);
	ep.port = skc->skc_dport;
	ep.proto = proto;
	if (!ep.port)
		return SG_AT_NONE;
	*netns = j->netns;
	sg_ep_normalise(&ep, j->netns);
	return sg_server_at(&ep, c);
}

/* A record for a socket whose storage has just been made. */
static __always_inline int sg_adopted(struct seq_file *seq, struct sock_common *skc, __u64 cookie,
				      __u32 at, __u64 netns, __u32 flags)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct sg_scope s;
	struct sg_flow *f;
	void *zeros = SG_ONLY(blank);

	if (!zeros || !sg_scope_at(&s, at))
		return SG_SILENT;
	if (bpf_map_update_elem(&flows, &cookie, zeros, BPF_NOEXIST)) {
		SG_COUNT(&s, unrecorded);
		return SG_SILENT;
	}
	f = bpf_map_lookup_elem(&flows, &cookie);
	if (!f)
		return SG_SILENT;
	flags |= SG_FLOW_ADOPTED | SG_FLOW_OPENED | SG_FLOW_COUNTED | SG_FLOW_TUPLE;
	if (SG_AT_ALIAS(at))
		flags |= SG_FLOW_ALIAS;
	if (skc->skc_net.net->user_ns->level)
		flags |= SG_FLOW_UNTRUSTED;
	sg_sock_addrs(skc, f->local, f->remote);
	f->local_port = bpf_htons(skc->skc_num);
	f->remote_port = skc->skc_dport;
	f->family = (__u8)skc->skc_family;
	f->proto = flags & SG_FLOW_UDP ? SG_IPPROTO_UDP : SG_IPPROTO_TCP;
	f->ifindex = (__u32)skc->skc_bound_dev_if;
	f->server = s.id;
	f->incarnation = s.server->incarnation;
	f->slot = SG_AT_SLOT(at);
	f->source = SG_SOURCE_UNKNOWN;
	f->generation = s.server->breaker.generation;
	f->netns = netns;
	f->connect_ns = now;
	bpf_spin_lock(&f->lock);
	f->flags = flags;
	f->cookie = cookie;
	bpf_spin_unlock(&f->lock);
	bpf_seq_write(seq, &cookie, sizeof(cookie));
	return SG_SILENT;
}

/* sk: the same socket, of a type that has a storage. */
static __always_inline int sg_adopt(struct seq_file *seq, struct sock_common *skc, struct sock *sk,
				    __u32 flags)
{
	__u8 proto = flags & SG_FLOW_UDP ? SG_IPPROTO_UDP : SG_IPPROTO_TCP;
	__u64 cookie;
	__u64 netns;
	__u32 at = sg_adoptable(skc, proto, &netns);

	if (at == SG_AT_NONE || bpf_sk_storage_get(&sk_ctx, sk, NULL, 0) || !sg_protected(sk))
		return SG_SILENT;
	cookie = bpf_get_socket_cookie(sk);
	if (!bpf_sk_storage_get(&sk_ctx, sk, &cookie, BPF_SK_STORAGE_GET_F_CREATE))
		return SG_SILENT;
	return sg_adopted(seq, skc, cookie, at, netns, flags);
}

SEC("iter/tcp")
int sg_adopt_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;
	__u32 flags;

	if (!skc || skc->skc_state != SG_TCP_ESTABLISHED)
		return SG_SILENT;
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp)
		return SG_SILENT;
	flags = bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp ? SG_FLOW_MPTCP : 0;
	return sg_adopt(ctx->meta->seq, skc, (struct sock *)tp, flags);
}

SEC("iter/udp")
int sg_adopt_udp(struct bpf_iter__udp *ctx)
{
	struct sock *sk = (struct sock *)ctx->udp_sk;

	if (!sk || sk->__sk_common.skc_state != SG_TCP_ESTABLISHED)
		return SG_SILENT;
	return sg_adopt(ctx->meta->seq, &sk->__sk_common, sk, SG_FLOW_UDP);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
