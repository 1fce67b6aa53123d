/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The gate: admits or refuses connects and datagrams to known servers, before
 * anything leaves the host. Destinations that are not listed pay for building
 * a key and one or two failed lookups. Fail-open: a lookup that fails, or a
 * flow record that cannot be allocated, lets the connect through untracked.
 */
#include "common.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SG_REJECT 0
#define SG_PROCEED 1
#define SG_SOCK_STREAM 1

/* Refuses with the server's errno, or with EPERM where the kernel offers no choice. */
static __always_inline int sg_refuse(const struct sg_server *srv)
{
	if (sg_rodata.has_retval)
		bpf_set_retval(-(int)srv->policy.deny_errno);
	return SG_REJECT;
}

/* Marks the flow untrusted unless its namespace belongs to the initial user namespace. */
static __always_inline void sg_flow_origin(struct sg_flow *f, struct bpf_sock_addr *ctx)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(ctx->sk);
	struct sock *sk = (struct sock *)tp;

	if (!tp) {
		f->flags |= SG_FLOW_UNTRUSTED;
		return;
	}
	f->netns = sk->__sk_common.skc_net.net->ns.inum;
	if (sk->__sk_common.skc_net.net->user_ns->level)
		f->flags |= SG_FLOW_UNTRUSTED;
}

/* The socket turns elsewhere: a probe that it took and never used goes back. */
static __always_inline void sg_flow_leave(struct sg_flow *f)
{
	struct sg_scope s;

	if (f->flags & SG_FLOW_PROBE && sg_scope_find(&s, f->server))
		sg_give_back(&s, f, false);
}

/* The flow record of a connecting socket, ready for a new connect. */
static __always_inline struct sg_flow *sg_flow_start(struct bpf_sock_addr *ctx, __u32 id, __u64 now)
{
	struct sg_flow *f = bpf_sk_storage_get(&sk_ctx, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	__u32 kept;

	if (!f)
		return NULL;
	if (f->server != id)
		sg_flow_leave(f);
	kept = f->flags & SG_FLOW_PROBE;
	f->server = id;
	f->flags = kept;
	f->cookie = bpf_get_socket_cookie(ctx);
	f->connect_ns = now;
	f->phase = SG_PHASE_IDLE;
	f->turn = 0;
	if (ctx->protocol == SG_IPPROTO_TCP)
		sg_flow_origin(f, ctx);
	else
		f->flags |= SG_FLOW_UDP | SG_FLOW_UNTRUSTED;
	/* whoever owns a namespace may set any mark in it */
	if (ctx->sk->mark == SG_MARK && !(f->flags & SG_FLOW_UNTRUSTED))
		f->flags |= SG_FLOW_EXEMPT;
	return f;
}

/* A datagram, or a connect of which no record could be made: the verdict alone. */
static __always_inline int sg_gate_plain(const struct sg_cfg *c, const struct sg_scope *s,
					 bool quarantined, __u64 now)
{
	struct sg_admission a;
	bool observe = c->observe || s->server->flags & SG_SRV_OBSERVE;

	sg_admit(s, now, 0, false, &a);
	switch (sg_verdict(quarantined, false, observe, a.admit)) {
	case SG_VERDICT_REFUSE:
		SG_COUNT(s, denied);
		return sg_refuse(s->server);
	case SG_VERDICT_WOULD_REFUSE:
		SG_COUNT(s, would_deny);
		return SG_PROCEED;
	default:
		return SG_PROCEED;
	}
}

/* A connect: the verdict, the probe, and the record that its outcome needs. */
static __always_inline int sg_gate_connect(struct bpf_sock_addr *ctx, const struct sg_cfg *c,
					   const struct sg_scope *s, bool quarantined, __u64 now)
{
	bool observe = c->observe || s->server->flags & SG_SRV_OBSERVE;
	bool held = false;
	struct sg_admission a;
	struct sg_flow *f;

	f = sg_flow_start(ctx, s->id, now);
	if (!f)
		return sg_gate_plain(c, s, quarantined, now);
	held = f->flags & SG_FLOW_PROBE && f->generation == s->server->breaker.generation;
	if (held)
		a = (struct sg_admission){ .generation = f->generation, .admit = SG_ALLOW_PROBE };
	else
		sg_admit(s, now, sg_hash(f->cookie),
			 !quarantined && !(f->flags & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT)), &a);
	f->generation = a.generation;
	f->flags &= ~SG_FLOW_PROBE;
	if (a.admit == SG_ALLOW_PROBE)
		f->flags |= SG_FLOW_PROBE;
	switch (sg_verdict(quarantined, f->flags & SG_FLOW_EXEMPT, observe, a.admit)) {
	case SG_VERDICT_REFUSE:
		SG_COUNT(s, denied);
		sg_give_back(s, f, false);
		bpf_sk_storage_delete(&sk_ctx, ctx->sk);
		return sg_refuse(s->server);
	case SG_VERDICT_WOULD_REFUSE:
		SG_COUNT(s, would_deny);
		f->flags |= SG_FLOW_DENY_SEEN;
		break;
	default:
		break;
	}
	sg_pulse_beat(now);
	if ((f->flags & (SG_FLOW_UNTRUSTED | SG_FLOW_UDP)) == SG_FLOW_UNTRUSTED)
		SG_COUNT(s, untrusted);
	else if (!(f->flags & SG_FLOW_EXEMPT))
		SG_COUNT(s, connects);
	return SG_PROCEED;
}

static __always_inline int sg_gate(struct bpf_sock_addr *ctx, struct sg_ep *ep, bool connect)
{
	struct sg_cfg *c = sg_config();
	struct sg_scope s;
	struct sg_flow *f;
	bool quarantined;
	__u32 *id;
	__u64 now;

	if (!c)
		return SG_PROCEED;
	ep->port = (__be16)ctx->user_port;
	ep->proto = (__u8)ctx->protocol;
	sg_ep_normalise(ep, bpf_get_netns_cookie(ctx));
	id = sg_server_at(ep, c);
	if (!id) {
		/* the same socket may have been tried at a server before */
		f = connect && ctx->sk ? bpf_sk_storage_get(&sk_ctx, ctx->sk, NULL, 0) : NULL;
		if (f) {
			sg_flow_leave(f);
			bpf_sk_storage_delete(&sk_ctx, ctx->sk);
		}
		return SG_PROCEED;
	}
	if (!sg_scope_find(&s, *id))
		return SG_PROCEED;
	now = bpf_ktime_get_boot_ns();
	quarantined = sg_quarantined(sg_quarantine_until(s.id), now);
	if (connect && ctx->sk)
		return sg_gate_connect(ctx, c, &s, quarantined, now);
	return sg_gate_plain(c, &s, quarantined, now);
}

/* The family of the address given does not tell the socket's (AF_UNSPEC, v4-mapped):
 * which hook fires does. */
static __always_inline int sg_gate4(struct bpf_sock_addr *ctx, bool connect)
{
	struct sg_ep ep = {};

	sg_addr_v4(ep.addr, ctx->user_ip4);
	return sg_gate(ctx, &ep, connect);
}

static __always_inline int sg_gate6(struct bpf_sock_addr *ctx, bool connect)
{
	struct sg_ep ep = {};

	sg_addr_v6(ep.addr, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
	return sg_gate(ctx, &ep, connect);
}

SEC("cgroup/connect4")
int sg_connect4(struct bpf_sock_addr *ctx)
{
	return sg_gate4(ctx, true);
}

SEC("cgroup/connect6")
int sg_connect6(struct bpf_sock_addr *ctx)
{
	return sg_gate6(ctx, true);
}

SEC("cgroup/sendmsg4")
int sg_sendmsg4(struct bpf_sock_addr *ctx)
{
	return sg_gate4(ctx, false);
}

SEC("cgroup/sendmsg6")
int sg_sendmsg6(struct bpf_sock_addr *ctx)
{
	return sg_gate6(ctx, false);
}

/* A socket that took a probe and never got as far as a SYN gives it back. */
SEC("cgroup/sock_release")
int sg_release(struct bpf_sock *ctx)
{
	struct sg_flow *f = bpf_sk_storage_get(&sk_ctx, ctx, NULL, 0);
	struct sg_scope s;

	if (!f || !(f->flags & SG_FLOW_PROBE) || ctx->state != SG_TCP_CLOSE)
		return 1;
	if (sg_scope_find(&s, f->server))
		sg_give_back(&s, f, false);
	return 1;
}
