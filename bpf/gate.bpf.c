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
#define SG_ECONNREFUSED 111
#define SG_ERRNO_MAX 4095

/*
 * Refuses with the server's errno. Where the kernel offers no choice that is
 * EPERM, but for ECONNREFUSED of a stream: sent to a port of the loopback at
 * which nobody can listen, a connect gets it from TCP itself. A socket that is
 * bound to an interface would not get there and hang.
 */
static __always_inline int sg_refuse(struct bpf_sock_addr *ctx, const struct sg_server *srv,
				     bool v6)
{
	if (sg_rodata.has_retval) {
		/* the verifier wants to see that it is an errno, since 7.2 */
		bpf_set_retval(-(int)(srv->policy.deny_errno & SG_ERRNO_MAX));
		return SG_REJECT;
	}
	if (ctx->type != SG_SOCK_STREAM || srv->policy.deny_errno != SG_ECONNREFUSED || !ctx->sk ||
	    ctx->sk->bound_dev_if)
		return SG_REJECT;
	ctx->user_port = 0;
	if (!v6) {
		ctx->user_ip4 = bpf_htonl(0x7f000001);
		return SG_PROCEED;
	}
	if (ctx->user_ip6[2] == bpf_htonl(0xffff)) { /* v4-mapped stays so */
		ctx->user_ip6[3] = bpf_htonl(0x7f000001);
		return SG_PROCEED;
	}
	ctx->user_ip6[0] = 0;
	ctx->user_ip6[1] = 0;
	ctx->user_ip6[2] = 0;
	ctx->user_ip6[3] = bpf_htonl(1);
	return SG_PROCEED;
}

/* SG_FLOW_UNTRUSTED unless the socket's namespace belongs to the initial user namespace. */
static __always_inline __u32 sg_flow_origin(struct sg_flow *f, struct bpf_sock_addr *ctx)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(ctx->sk);
	struct sock *sk = (struct sock *)tp;

	if (!tp)
		return SG_FLOW_UNTRUSTED;
	f->netns = sk->__sk_common.skc_net.net->ns.inum;
	return sk->__sk_common.skc_net.net->user_ns->level ? SG_FLOW_UNTRUSTED : 0;
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
	__u32 flags = SG_FLOW_UDP | SG_FLOW_UNTRUSTED;

	if (!f)
		return NULL;
	if (f->server != id)
		sg_flow_leave(f);
	sg_flow_settle(f);
	if (ctx->protocol == SG_IPPROTO_TCP)
		flags = sg_flow_origin(f, ctx);
	/* whoever owns a namespace may set any mark in it */
	if (ctx->sk->mark == SG_MARK && !(flags & SG_FLOW_UNTRUSTED))
		flags |= SG_FLOW_EXEMPT;
	f->cookie = bpf_get_socket_cookie(ctx);
	bpf_spin_lock(&f->lock);
	f->server = id;
	f->flags = (f->flags & SG_FLOW_PROBE) | flags;
	f->connect_ns = now;
	f->phase = SG_PHASE_IDLE;
	f->turn = 0;
	f->serial++;
	bpf_spin_unlock(&f->lock);
	return f;
}

/* A datagram, or a connect of which no record could be made: the verdict alone. */
static __always_inline int sg_gate_plain(struct bpf_sock_addr *ctx, const struct sg_cfg *c,
					 const struct sg_scope *s, bool quarantined, bool v6,
					 __u64 now)
{
	struct sg_admission a;
	bool observe = c->observe || s->server->flags & SG_SRV_OBSERVE;

	sg_admit(s, now, 0, false, &a);
	switch (sg_verdict(quarantined, false, observe, a.admit)) {
	case SG_VERDICT_REFUSE:
		SG_COUNT(s, denied);
		return sg_refuse(ctx, s->server, v6);
	case SG_VERDICT_WOULD_REFUSE:
		SG_COUNT(s, would_deny);
		return SG_PROCEED;
	default:
		return SG_PROCEED;
	}
}

/* A connect: the verdict, the probe, and the record that its outcome needs. */
static __always_inline int sg_gate_connect(struct bpf_sock_addr *ctx, const struct sg_cfg *c,
					   const struct sg_scope *s, bool quarantined, bool v6,
					   __u64 now)
{
	bool observe = c->observe || s->server->flags & SG_SRV_OBSERVE;
	struct sg_admission a = { .admit = SG_ALLOW_PROBE };
	struct sg_flow *f;

	f = sg_flow_start(ctx, s->id, now);
	if (!f) {
		SG_COUNT(s, unrecorded);
		return sg_gate_plain(ctx, c, s, quarantined, v6, now);
	}
	if (!(f->flags & SG_FLOW_PROBE) || f->generation != s->server->breaker.generation) {
		sg_admit(s, now, sg_hash(f->cookie),
			 !quarantined && !(f->flags & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT)), &a);
		sg_flow_stamp(f, &a);
	} /* else a second try of a connect that took a probe before */
	switch (sg_verdict(quarantined, f->flags & SG_FLOW_EXEMPT, observe, a.admit)) {
	case SG_VERDICT_REFUSE:
		SG_COUNT(s, denied);
		sg_give_back(s, f, false);
		bpf_sk_storage_delete(&sk_ctx, ctx->sk);
		return sg_refuse(ctx, s->server, v6);
	case SG_VERDICT_WOULD_REFUSE:
		SG_COUNT(s, would_deny);
		sg_flags(f, 0, SG_FLOW_DENY_SEEN);
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

static __always_inline int sg_gate(struct bpf_sock_addr *ctx, struct sg_ep *ep, bool connect,
				   bool v6)
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
		return sg_gate_connect(ctx, c, &s, quarantined, v6, now);
	return sg_gate_plain(ctx, c, &s, quarantined, v6, now);
}

/* The family of the address given does not tell the socket's (AF_UNSPEC, v4-mapped):
 * which hook fires does. */
static __always_inline int sg_gate4(struct bpf_sock_addr *ctx, bool connect)
{
	struct sg_ep ep = {};

	sg_addr_v4(ep.addr, ctx->user_ip4);
	return sg_gate(ctx, &ep, connect, false);
}

static __always_inline int sg_gate6(struct bpf_sock_addr *ctx, bool connect)
{
	struct sg_ep ep = {};

	sg_addr_v6(ep.addr, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
	return sg_gate(ctx, &ep, connect, true);
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

/* Run on a socket that the daemon makes: tells it the namespace's cookie before 5.14. */
SEC("cgroup/sock_create")
int sg_netns(struct bpf_sock *ctx)
{
	__u32 zero = 0;
	struct sg_job *j = bpf_map_lookup_elem(&job, &zero);

	if (j)
		j->netns = bpf_get_netns_cookie(ctx);
	return 1;
}
