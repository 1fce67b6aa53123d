/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connects that a server does not get go elsewhere, where user space has said so: to another
 * server, or to the relay of the daemon's own namespace. Fail-closed: whatever does not fit is
 * refused, as without it.
 *
 * Only where a redirect is right: a stream, from the daemon's own namespace or to an address that
 * means the same everywhere, of a socket that is not bound to an interface. Neither the daemon's
 * own sockets nor the relay's go anywhere else.
 */
#ifndef SWITCHGEAR_REDIRECT_BPF_H
#define SWITCHGEAR_REDIRECT_BPF_H

#include "addr.bpf.h"
#include "admit.bpf.h"
#include "flows.bpf.h"
#include "maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define SG_SOCK_STREAM 1

/* A copy of where the connects of a server go; its kind is SG_REDIRECT_NONE if nowhere. */
static __always_inline void sg_redirect_read(__u32 id, struct sg_redirect *ret)
{
	struct sg_redirect *r = bpf_map_lookup_elem(&redirects, &id);

	ret->kind = SG_REDIRECT_NONE;
	if (!r || r->kind == SG_REDIRECT_NONE)
		return;
	bpf_spin_lock(&r->lock);
	ret->kind = r->kind;
	ret->at4 = r->at4;
	ret->at6 = r->at6;
	ret->netns = r->netns;
	__builtin_memcpy(ret->addr4, r->addr4, sizeof(ret->addr4));
	__builtin_memcpy(ret->addr6, r->addr6, sizeof(ret->addr6));
	ret->port4 = r->port4;
	ret->port6 = r->port6;
	bpf_spin_unlock(&r->lock);
}

/* Is another server ready for the connects of this one? */
static __always_inline bool sg_redirect_ready(const struct sg_redirect *r)
{
	return r && (r->kind == SG_REDIRECT_FORWARD || r->kind == SG_REDIRECT_DIRECT);
}

static __always_inline bool sg_in_doubt(const struct sg_server *srv, __u64 now)
{
	return srv->doubt_ns && now < srv->doubt_ns + SG_DOUBT_NS;
}

/* Do connects that a server would get go elsewhere all the same? For the sake of their sessions, or
 * since it may be gone, and another server is ready. */
static __always_inline bool sg_redirect_all(const struct sg_scope *s, __u64 now)
{
	struct sg_redirect *r = bpf_map_lookup_elem(&redirects, &s->id);

	if (!sg_redirect_ready(r))
		return false;
	return r->flags & SG_REDIRECT_ALL || sg_in_doubt(s->server, now);
}

static __always_inline bool sg_addr_none(const __u8 *addr)
{
	const __u64 *halves = (const __u64 *)addr;

	return !(halves[0] | halves[1]);
}

/*
 * Do connects of a server go elsewhere now? Not to another server that would not let through one
 * that is no probe. A function of its own, for want of stack.
 */
__weak __noinline int sg_redirect_open(__u32 id, __u64 now)
{
	struct sg_redirect *r = bpf_map_lookup_elem(&redirects, &id);
	struct sg_admission a;
	struct sg_scope t;

	if (!r || r->kind == SG_REDIRECT_NONE)
		return 0;
	if (r->kind != SG_REDIRECT_DIRECT)
		return 1;
	if (!sg_scope_at(&t, sg_addr_none(r->addr6) ? r->at4 : r->at6) || t.id == id ||
	    sg_quarantined(sg_quarantine_until(t.id), now))
		return 0;
	sg_admit(&t, now, SG_SOURCE_UNKNOWN, 0, false, &a);
	return a.admit == SG_ALLOW;
}

/* May the connects of this socket go where r says? */
static __always_inline bool sg_redirect_right(struct bpf_sock_addr *ctx,
					      const struct sg_redirect *r, const struct sg_cfg *c,
					      __u64 now)
{
	if (ctx->type != SG_SOCK_STREAM || ctx->protocol != SG_IPPROTO_TCP || !ctx->sk ||
	    ctx->sk->bound_dev_if)
		return false;
	if (r->netns && r->netns != bpf_get_netns_cookie(ctx))
		return false;
	if (r->kind == SG_REDIRECT_DIRECT)
		return true;
	return sg_daemon_alive(c, now) && r->kind < SG_REDIRECT_COUNT;
}

/* The relay's own connects go where it says. */
static __always_inline bool sg_is_relay(const struct sg_cfg *c)
{
	return c->relay_user && (__u32)bpf_get_current_uid_gid() == c->relay_user;
}

/* Is the socket for IPv6 only? Then no mapped address will do. */
static __always_inline bool sg_only_v6(struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return !tp || BPF_CORE_READ_BITFIELD_PROBED((struct sock *)tp, __sk_common.skc_ipv6only);
}

/* --- at the socket ---------------------------------------------------------------- */

/* A SYN is about to leave for the relay: what had been asked for, where the relay looks. */
static __always_inline void sg_to_relay(struct bpf_sock_ops *ops, const struct sg_scope *s,
					struct sg_flow *f, struct bpf_sock *sk)
{
	__u32 port = SG_READ(sk->src_port) & (SG_ORIGINS_MAX - 1);
	struct sg_origin *o = bpf_map_lookup_elem(&origins, &port);

	sg_flow_name(s, f, sk);
	if (sg_rodata.by_sockops)
		bpf_sock_ops_cb_flags_set(ops,
					  ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	if (!o)
		return;
	o->t_ns = 0;
	__builtin_memcpy(o->local, f->local, sizeof(o->local));
	__builtin_memcpy(o->remote, f->asked, sizeof(o->remote));
	o->remote_port = f->asked_port;
	o->cookie = s->cookie;
	o->server = (__u16)f->origin;
	o->incarnation = f->origin_incarnation;
	*(volatile __u64 *)&o->t_ns = f->connect_ns;
}

/*
 * The server closed a connection on which it had nothing to do, or a stream without an end: most do
 * after a while, and all that are killed. Where another server is ready the next connect goes
 * there, and the daemon asks whether this one is still there.
 */
__weak __noinline int sg_closed_idle(__u32 id, __u64 now)
{
	struct sg_redirect *r = bpf_map_lookup_elem(&redirects, &id);
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_event *e;

	if (!srv || !sg_redirect_ready(r) || srv->breaker.state != SG_CLOSED ||
	    sg_in_doubt(srv, now))
		return 0;
	e = sg_event_new(SG_EV_DOUBT, id, now);
	if (!e)
		return 0; /* nobody would end it */
	srv->doubt_ns = now;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 1;
}

#endif
