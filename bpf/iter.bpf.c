/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections older than the load are taken over here, by a walk over the sockets
 * of the namespace that the daemon is in at the moment; `job` says which that is.
 * For each one that it took over the walk writes its cookie. Needs iterators with
 * socket storage and locks (6.1); where they are refused, a quarantine finds those
 * connections by their addresses.
 *
 * And those that processes of the protected cgroup hold, wherever the sockets were
 * made: by a walk over the descriptors of all tasks, which takes 5.8.
 */
#include "event.bpf.h"
#include "flows.bpf.h"
#include "holder.bpf.h"
#include "maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define SG_SILENT 0 /* return value of an iterator that wants no repetition */

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
	struct sg_cfg *c = sg_config();

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
	flags |= sg_alias_kind(at, c && netns == c->home_netns);
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

	if (at == SG_AT_NONE || bpf_sk_storage_get(&sk_ctx, sk, NULL, 0) ||
	    !sg_inside(sk->sk_cgrp_data.cgroup))
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

/* --- held by protected processes ------------------------------------------------- */

#define SG_SOCKFS 0x534f434b
#define SG_IPPROTO_MPTCP 262

/* The socket that a descriptor is, else NULL. Never to be read but by probing. */
static __always_inline struct sock *sg_socket_of(struct file *file)
{
	struct socket *socket;
	struct sock *sk = NULL;

	if (file->f_inode->i_sb->s_magic != SG_SOCKFS)
		return NULL;
	socket = (struct socket *)file->private_data;
	bpf_probe_read_kernel(&sk, sizeof(sk), &socket->sk); /* of an O_PATH one it is NULL */
	return sk;
}

/* Fills in what names a connected socket, and its server; false if it has none. */
static __always_inline bool sg_held_as(struct sg_held *h, struct sock *sk)
{
	struct sock_common *skc = &sk->__sk_common;
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	struct sg_ep ep = {};
	__u32 at;

	h->family = (__u8)BPF_CORE_READ(skc, skc_family);
	h->mptcp = protocol == SG_IPPROTO_MPTCP;
	h->proto = h->mptcp ? SG_IPPROTO_TCP : (__u8)protocol;
	if ((h->family != SG_AF_INET && h->family != SG_AF_INET6) ||
	    (h->proto != SG_IPPROTO_TCP && h->proto != SG_IPPROTO_UDP) ||
	    BPF_CORE_READ(skc, skc_state) == SG_TCP_CLOSE)
		return false;
	at = sg_peer_at(skc, h->proto, h->local, &ep);
	if (at == SG_AT_NONE)
		return false;
	h->server = SG_AT_ID(at);
	__builtin_memcpy(h->remote, ep.addr, sizeof(h->remote));
	h->remote_port = ep.port;
	h->local_port = bpf_htons(BPF_CORE_READ(skc, skc_num));
	h->ifindex = (__u32)BPF_CORE_READ(skc, skc_bound_dev_if);
	h->netns = BPF_CORE_READ(skc, skc_net.net, ns.inum);
	h->cookie = (__u64)BPF_CORE_READ(skc, skc_cookie.counter);
	return true;
}

/*
 * Nothing here asks in which cgroup a socket was made: who moves into the protected one, or
 * is given a socket there, holds what no hook of it sees. Only of servers in quarantine.
 */
SEC("iter/task_file")
int sg_find_held(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sg_held h = {};
	struct sock *sk;

	if (!task || !file)
		return SG_SILENT;
	sk = sg_socket_of(file);
	if (!sk || !sg_held_as(&h, sk) ||
	    !sg_quarantined(sg_quarantine_until(h.server), bpf_ktime_get_boot_ns()) ||
	    !sg_inside(task->cgroups->dfl_cgrp))
		return SG_SILENT;
	h.inode = file->f_inode->i_ino;
	bpf_seq_write(ctx->meta->seq, &h, sizeof(h));
	return SG_SILENT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
