/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections to HTTP proxies: no server's, until a request names one. Then the flow is that
 * server's, until its answer is complete, or to the end if it is a tunnel.
 */
#ifndef SWITCHGEAR_PROXIED_BPF_H
#define SWITCHGEAR_PROXIED_BPF_H

#include "denial.bpf.h"
#include "flows.bpf.h"
#include "http1.h"
#include "maps.bpf.h"

/* What of a flow's flags is the connection's, whoever's it is. */
#define SG_FLOW_LASTING                                                                          \
	(SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT | SG_FLOW_KILLED | SG_FLOW_SEEN_TX | SG_FLOW_TUPLE | \
	 SG_FLOW_DEAD | SG_FLOW_GONE | SG_FLOW_STUCK | SG_FLOW_MPTCP | SG_FLOW_ORPHAN |          \
	 SG_FLOW_TIMED | SG_FLOW_OPTIONS | SG_FLOW_WATCHED)

/* The flow is nobody's from now on. */
__weak __noinline int sg_proxied_release(__u64 cookie)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	struct sg_scope s;

	if (!f || f->server == SG_NOBODY)
		return 0;
	if (sg_flow_find(cookie, &s))
		sg_give_back(&s, f, false);
	bpf_spin_lock(&f->lock);
	if (f->cookie == cookie) {
		f->server = SG_NOBODY;
		f->phase = SG_PHASE_IDLE;
		f->flags &= SG_FLOW_LASTING;
	}
	bpf_spin_unlock(&f->lock);
	return 0;
}

/* An exchange is over: its proxy's connection is free for the next, or was made a tunnel. What
 * follows a CONNECT is as on a connection of the server's own. */
__weak __noinline int sg_proxied_idle(__u64 cookie, __u64 now)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);

	if (!f || f->cookie != cookie)
		return 0;
	if (!sg_http_tunnel(&f->http, f->method))
		return sg_proxied_release(cookie);
	f->proxied = SG_PROXIED_TUNNEL;
	if (f->method != SG_METHOD_CONNECT)
		return 0;
	f->method = SG_METHOD_UNKNOWN;
	f->exchange = 0;
	f->opened_ns = now;
	sg_http_reset(&f->http);
	return 0;
}

/* Counts what a quarantine stops, as a connect would be. */
static __always_inline void sg_proxied_count(const struct sg_scope *s, __u64 cookie, __u64 now)
{
	struct sg_cfg *c = sg_config();

	if (!c || !sg_quarantined(sg_quarantine_until(s->id), now))
		return;
	if (sg_lets_pass(c, s->server, now)) {
		SG_COUNT(s, would_deny);
		return;
	}
	SG_COUNT(s, denied);
	sg_denial_flow(s->id, cookie, now);
}

/*
 * A request on the flow names a server (SG_AT): it is that one's from now on, in no generation
 * of its breaker, so that this is asked. 0 if there is no such server any more.
 */
__weak __noinline int sg_proxied_take(__u64 cookie, __u32 at, __u64 now)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	struct sg_scope s;
	__u32 incarnation;
	__u32 generation;

	if (!f || f->cookie != cookie || !sg_scope_at(&s, at))
		return 0;
	incarnation = s.server->incarnation;
	if (f->server == s.id && f->incarnation == incarnation)
		return 1;
	generation = s.server->breaker.generation - 1;
	bpf_spin_lock(&f->lock);
	if (f->cookie == cookie) {
		f->server = s.id;
		f->incarnation = incarnation;
		f->generation = generation;
		f->flags = (f->flags & SG_FLOW_LASTING) | SG_FLOW_OPENED;
		f->phase = SG_PHASE_IDLE;
		f->method = SG_METHOD_UNKNOWN;
		f->exchange = 0;
		f->slot = SG_SLOTS_MAX - 1; /* none of its addresses was connected to */
		f->lease_ns = 0;
		f->asked_ns = 0;
		f->serial++;
	}
	bpf_spin_unlock(&f->lock);
	sg_proxied_count(&s, cookie, now);
	return 1;
}

#endif
