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

/* Do connects that a server would get go to the relay all the same? */
static __always_inline bool sg_redirect_all(__u32 id)
{
	struct sg_redirect *r = bpf_map_lookup_elem(&redirects, &id);

	return r && r->kind == SG_REDIRECT_FORWARD && r->flags & SG_REDIRECT_ALL;
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

#endif
