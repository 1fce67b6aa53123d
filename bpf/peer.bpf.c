/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a redirected connection's own end is told of its peer: the address that it asked for. */
#include "addr.bpf.h"
#include "flows.bpf.h"
#include "maps.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The record of a socket whose connect was redirected, or NULL. */
static __always_inline struct sg_flow *sg_peer_flow(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct sg_flow *f;
	__u64 cookie;

	if (!sk)
		return NULL;
	f = sg_flow_at(bpf_sk_storage_get(&sk_ctx, sk, NULL, 0), &cookie);
	return f && f->cookie == cookie && f->redirect ? f : NULL;
}

SEC("cgroup/getpeername4")
int sg_peer4(struct bpf_sock_addr *ctx)
{
	struct sg_flow *f = sg_peer_flow(ctx);

	if (!f)
		return 1;
	ctx->user_ip4 = *(__be32 *)(f->asked + 12);
	ctx->user_port = f->asked_port;
	return 1;
}

SEC("cgroup/getpeername6")
int sg_peer6(struct bpf_sock_addr *ctx)
{
	struct sg_flow *f = sg_peer_flow(ctx);
	const __u32 *w;

	if (!f)
		return 1;
	w = (const __u32 *)f->asked;
	ctx->user_ip6[0] = w[0];
	ctx->user_ip6[1] = w[1];
	ctx->user_ip6[2] = w[2];
	ctx->user_ip6[3] = w[3];
	ctx->user_port = f->asked_port;
	return 1;
}
