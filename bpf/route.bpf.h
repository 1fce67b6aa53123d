/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What may explain a failure besides the server: this host slept, or the way to the server is
 * broken (route.h). A route has a lock of its own, and nobody holds it together with a
 * server's. Functions of their own, of numbers, for want of stack.
 */
#ifndef SWITCHGEAR_ROUTE_BPF_H
#define SWITCHGEAR_ROUTE_BPF_H

#include "event.bpf.h"
#include "flow.h"
#include "maps.bpf.h"
#include "report.bpf.h"
#include "verdict.h"

/* --- sleep ------------------------------------------------------------------------ */

/* How far the two clocks are apart. Sleep moves the one that is read here anyway: where that has
 * hardly moved since they were compared, the other needs not be read again. */
static __always_inline __u64 sg_differ(struct sg_pulse *p, __u64 now)
{
	__u64 awake;
	__u64 differ;

	if (now - p->compared_ns < SG_NAP_NS / 2)
		return p->differed_ns;
	awake = bpf_ktime_get_ns();
	now = bpf_ktime_get_boot_ns();
	differ = now > awake ? now - awake : 0;
	p->differed_ns = differ;
	p->compared_ns = now;
	return differ;
}

/* How long this host was asleep since boot; notes that it woke. `now`: the kernel's clock, if it
 * has just been read, else 0. */
__weak __noinline __u64 sg_asleep(__u64 now)
{
	struct sg_cfg *c = sg_config();
	struct sg_pulse *p = SG_ONLY(pulse);
	__u64 asleep;

	if (!c || !p)
		return 0;
	if (!now)
		now = bpf_ktime_get_boot_ns();
	asleep = sg_differ(p, now) + c->asleep_ns;
	if (asleep > p->asleep_ns + SG_NAP_NS) {
		p->asleep_ns = asleep;
		p->awake_ns = now + SG_WAKING_NS;
	}
	return asleep;
}

/* What is left of a latency without the time asleep, if it began at `since` of that. */
__weak __noinline __u64 sg_awake_for(__u64 latency, __u64 since)
{
	__u64 asleep;

	if (latency < SG_NAP_NS)
		return latency;
	asleep = sg_asleep(0);
	asleep = asleep > since + SG_NAP_NS ? asleep - since : 0;
	return latency > asleep ? latency - asleep : 0;
}

/* --- routes ------------------------------------------------------------------------ */

/* Something is to be looked at: see struct sg_pulse. */
static __always_inline void sg_pulse_route(__u64 now)
{
	struct sg_pulse *p = SG_ONLY(pulse);

	if (p)
		p->route_ns = now;
}

/* Something came from a server of a route. */
static __always_inline int sg_route_note(struct sg_route_entry *r, __u64 now)
{
	bool back;

	bpf_spin_lock(&r->lock);
	back = sg_route_came(&r->route, now);
	bpf_spin_unlock(&r->lock);
	if (back)
		sg_pulse_route(now);
	return back;
}

/* A server is not of this route any more. */
__weak __noinline int sg_route_left(__u32 via, __u32 id)
{
	struct sg_route_entry *r = bpf_map_lookup_elem(&routes, &via);

	if (!r || !via)
		return 0;
	bpf_spin_lock(&r->lock);
	sg_route_leave(&r->route, id);
	bpf_spin_unlock(&r->lock);
	return 0;
}

/* The route of a flow's endpoint; from another namespace than the daemon's there may be others,
 * and the way to a proxy is another. */
static __always_inline __u32 sg_via(const struct sg_cfg *c, const struct sg_server *srv,
				    const struct sg_flow *f)
{
	if (f->netns != c->home_netns || sg_flow_proxied(f))
		return SG_ROUTE_NONE;
	return srv->route[f->slot % SG_SLOTS_MAX];
}

/* Something came to a flow that has this route, namespace and SG_FLOW_*. Of a route that is
 * known to be well this is all that it costs. */
__weak __noinline int sg_route_heard(__u32 via, __u64 netns, __u32 flags, __u64 now)
{
	struct sg_route_entry *r = bpf_map_lookup_elem(&routes, &via);
	struct sg_cfg *c;

	if (!via || !r || !sg_route_quiet(&r->route, now))
		return 0;
	c = sg_config();
	if (!c || netns != c->home_netns || flags & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT))
		return 0;
	return sg_route_note(r, now);
}

/* Anything at all came from the server of a flow. */
static __always_inline void sg_came(const struct sg_scope *s, struct sg_flow *f, __u64 now)
{
	__u32 via = s->server->route[f->slot % SG_SLOTS_MAX];

	f->heard = f->serial;
	if (via && !sg_flow_proxied(f))
		sg_route_heard(via, f->netns, f->flags, now);
}

/* Does it mean that nothing came back, if nothing did? */
static __always_inline bool sg_silent_cause(__u8 cause)
{
	return cause == SG_CAUSE_TIMEOUT || cause == SG_CAUSE_UNREACHABLE ||
	       cause == SG_CAUSE_NO_ANSWER || cause == SG_CAUSE_ABANDONED ||
	       cause == SG_CAUSE_TLS || cause == SG_CAUSE_LEASE;
}

/* A failure that would open the breaker of a server, or decide a probe; the caller holds its
 * lock. */
static __always_inline bool sg_decides(const struct sg_server *srv)
{
	const struct sg_breaker *b = &srv->breaker;

	if (b->state == SG_HALF_OPEN)
		return true;
	return srv->policy.consecutive && b->streak + 1 >= srv->policy.consecutive;
}

/*
 * Notes a failure of a server, seen by its route, `via`; the latest break of which anybody knows
 * was over at `back`: what a row counted before is forgotten. Returns what it counts as.
 */
static __always_inline __u32 sg_route_judge(struct sg_server *srv, __u64 who, __u32 via,
					    bool silent, __u64 began, __u64 now)
{
	struct sg_route_entry *r = bpf_map_lookup_elem(&routes, &via);
	struct sg_pulse *p = SG_ONLY(pulse);
	struct sg_cfg *c = sg_config();
	__u32 says = SG_ROUTE_COUNTS;
	__u64 since = now;
	__u64 back = 0;
	bool decides;
	bool alive;
	bool stale;

	if (!r || !c || !p)
		return says;
	if (p->awake_ns <= now)
		back = p->awake_ns;
	if (via && r->route.back_ns > back)
		back = r->route.back_ns;
	alive = sg_daemon_alive(c, now);
	bpf_spin_lock(&srv->lock);
	stale = srv->breaker.generation != sg_who_generation(who);
	if (!stale) {
		if (srv->breaker.streak && srv->row_ns < back)
			srv->breaker.streak = 0;
		if (!srv->breaker.streak)
			srv->row_ns = now;
		since = srv->row_ns;
	}
	decides = sg_decides(srv);
	bpf_spin_unlock(&srv->lock);
	if (stale || !via || !silent)
		return says;
	bpf_spin_lock(&r->lock);
	says = sg_route_failed(&r->route, sg_who_id(who), began, since, decides, alive, now);
	bpf_spin_unlock(&r->lock);
	if (says == SG_ROUTE_HOLDS) {
		srv->held_ns = now;
		sg_pulse_route(now);
	}
	return says;
}

/*
 * What may explain how a call ended, if no whole answer came: returns what it counts as. The
 * words are those of report.bpf.h.
 */
__weak __noinline __u64 sg_excuse(__u64 who, __u64 what, __u64 now, __u64 latency, __u64 cookie)
{
	bool whole = sg_what_flags(what) & SG_OUT_COMPLETE;
	__u8 outcome = sg_what_outcome(what);
	__u8 cause = sg_what_cause(what);
	bool silent = cause == SG_CAUSE_TIMEOUT || cause == SG_CAUSE_UNREACHABLE;
	__u64 began = now - latency; /* of the daemon's own probe, which has no record here */
	__u32 id = sg_who_id(who);
	struct sg_server *srv;
	struct sg_pulse *p;
	struct sg_flow *f;
	struct sg_cfg *c;
	__u64 asleep;
	__u32 via;

	if (outcome != SG_HARD && (whole || outcome != SG_CALLER))
		return what; /* as most are */
	srv = bpf_map_lookup_elem(&srv_state, &id);
	f = bpf_map_lookup_elem(&flows, &cookie);
	p = SG_ONLY(pulse);
	c = sg_config();
	if (!srv || !c || !p)
		return what;
	asleep = sg_asleep(0);
	via = srv->route[0];
	if (f && f->cookie == cookie) {
		if (!whole && sg_flow_slept(f, asleep))
			return sg_what_become(what, SG_LOCAL, SG_CAUSE_ASLEEP);
		began = f->flags & SG_FLOW_OPENED ? f->request_ns : f->connect_ns;
		silent = f->heard != f->serial && sg_silent_cause(cause);
		via = sg_via(c, srv, f);
	}
	if (outcome != SG_HARD)
		return what;
	if (silent && began < p->awake_ns)
		return sg_what_become(what, SG_LOCAL, SG_CAUSE_ASLEEP);
	if (sg_route_judge(srv, who, via, silent, began, now) == SG_ROUTE_COUNTS)
		return what;
	return sg_what_become(what, SG_LOCAL, SG_CAUSE_HOST_OFFLINE);
}

/* Rates would open the breaker of a server: is the way to it suspect? Then it is held. */
__weak __noinline int sg_route_holds(__u32 id, __u64 now)
{
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_route_entry *r;
	__u32 via;
	__u32 i;

	if (!srv || !srv->breaker.streak)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_SLOTS_MAX; i++) {
		via = srv->route[i];
		r = bpf_map_lookup_elem(&routes, &via);
		if (!via || !r || !sg_route_suspect(&r->route, id, srv->row_ns))
			continue;
		bpf_spin_lock(&r->lock);
		if (!r->route.held_ns)
			r->route.held_ns = now;
		bpf_spin_unlock(&r->lock);
		srv->held_ns = now;
		sg_pulse_route(now);
		return 1;
	}
	return 0;
}

#endif
