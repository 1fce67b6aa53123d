/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What several programs need: addresses to keys, counters, events, admission. */
#ifndef SWITCHGEAR_COMMON_BPF_H
#define SWITCHGEAR_COMMON_BPF_H

#include "group.bpf.h"
#include "hist.h"
#include "maps.bpf.h"
#include "verdict.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#define SG_AF_INET 2
#define SG_AF_INET6 10
#define SG_IPPROTO_TCP 6
#define SG_IPPROTO_UDP 17
#define SG_IPPROTO_UDPLITE 136
#define SG_TCP_ESTABLISHED 1
#define SG_TCP_SYN_SENT 2
#define SG_TCP_CLOSE 7
#define SG_PF_EXITING 0x4

struct sg_scope {
	struct sg_server *server;
	struct sg_stats *stats; /* NULL: not counted */
	__u64 cookie;           /* of the flow that is looked at, 0: of none */
	__u32 id;
};

static __always_inline struct sg_cfg *sg_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cfg, &zero);
}

static __always_inline __u64 sg_quarantine_until(__u32 id)
{
	__u64 *until = bpf_map_lookup_elem(&quarantine, &id);

	return until ? *until : 0;
}

static __always_inline bool sg_scope_find(struct sg_scope *s, __u32 id)
{
	s->id = id;
	s->server = bpf_map_lookup_elem(&srv_state, &id);
	s->stats = bpf_map_lookup_elem(&stats, &id);
	return s->server && s->server->flags & SG_SRV_USED;
}

/*
 * Counters are per CPU and still added to atomically: on one CPU a hook in
 * process context can be interrupted by one in softirq, or preempted.
 */
#define SG_COUNT(scope, field)                                           \
	do {                                                             \
		if ((scope)->stats)                                      \
			__sync_fetch_and_add(&(scope)->stats->field, 1); \
	} while (0)

static __always_inline void sg_hist_add(__u32 id, __u32 metric, __u64 ns)
{
	struct sg_hist_key key = { .server = id, .metric = metric };
	struct sg_hist *h = bpf_map_lookup_elem(&hist, &key);
	__u32 i = sg_hist_index(ns);

	if (!h || i >= SG_HIST_BUCKETS)
		return;
	__sync_fetch_and_add(&h->sum_ns, ns);
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->bucket[i], 1);
}

/* --- addresses -------------------------------------------------------------- */

static __always_inline void sg_addr_v4(__u8 *addr, __be32 v4)
{
	__u32 *w = (__u32 *)addr;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = v4;
}

static __always_inline void sg_addr_v6(__u8 *addr, __u32 a, __u32 b, __u32 c, __u32 d)
{
	__u32 *w = (__u32 *)addr;

	w[0] = a;
	w[1] = b;
	w[2] = c;
	w[3] = d;
}

/* Does this address lead to the host itself, wherever it is asked from? */
static __always_inline bool sg_addr_loops(const __u8 *addr)
{
	const __u32 *w = (const __u32 *)addr;

	if (w[0] | w[1])
		return false;
	if (w[2] == bpf_htonl(0xffff)) /* v4-mapped: 127/8 or unspecified */
		return addr[12] == 127 || !w[3];
	return !w[2] && (!w[3] || w[3] == bpf_htonl(1)); /* :: or ::1 */
}

/* What a protocol counts as in keys. */
static __always_inline __u8 sg_ep_proto(__u8 proto)
{
	return proto == SG_IPPROTO_UDPLITE ? SG_IPPROTO_UDP : proto;
}

/*
 * Fills the key's netns and, for an address that leads back to its own
 * namespace, replaces it by 127.0.0.1: whichever of its names a local server
 * is called by, it is one endpoint.
 */
static __always_inline void sg_ep_normalise(struct sg_ep *ep, __u64 netns)
{
	struct sg_local local = { .netns = netns };

	__builtin_memcpy(local.addr, ep->addr, sizeof(local.addr));
	if (!sg_addr_loops(ep->addr) && !bpf_map_lookup_elem(&local_addrs, &local))
		return;
	ep->netns = netns;
	sg_addr_v4(ep->addr, bpf_htonl(0x7f000001));
}

/* The server at an endpoint, or NULL. */
static __always_inline __u32 *sg_server_at(const struct sg_ep *ep, const struct sg_cfg *c)
{
	struct sg_net net;
	__u32 *id = bpf_map_lookup_elem(&ep2srv, ep);

	if (id || !c->networks || ep->netns)
		return id;
	net.prefixlen = 128; /* not by an initialiser: a copy of it in .rodata is no variable */
	__builtin_memcpy(net.addr, ep->addr, sizeof(net.addr));
	return bpf_map_lookup_elem(&net2srv, &net);
}

/* A server that has an endpoint at this address, while any server is in quarantine. */
static __always_inline __u32 *sg_listed_at(const struct sg_ep *ep, __u64 now)
{
	struct sg_local at = { .netns = ep->netns };
	__u32 zero = 0;
	__u64 *until = bpf_map_lookup_elem(&cutoff, &zero);

	if (!until || !sg_quarantined(*until, now))
		return NULL;
	__builtin_memcpy(at.addr, ep->addr, sizeof(at.addr));
	return bpf_map_lookup_elem(&listed, &at);
}

#define SG_BEAT_NS 10000000ULL

/* Something began, or went on, whose end the clock may have to bring: the sweep has work. */
static __always_inline void sg_pulse_beat(__u64 now)
{
	__u32 zero = 0;
	struct sg_pulse *p = bpf_map_lookup_elem(&pulse, &zero);

	if (p)
		p->turn_ns = now;
}

/* At each segment of such an answer: seldom enough not to be fought over by processors. */
static __always_inline void sg_pulse_silent(__u64 now)
{
	__u32 zero = 0;
	struct sg_pulse *p = bpf_map_lookup_elem(&pulse, &zero);

	if (p && p->silent_ns + SG_BEAT_NS < now)
		p->silent_ns = now;
}

/* --- events ----------------------------------------------------------------- */

static __always_inline void sg_event_lost(void)
{
	__u32 zero = 0;
	struct sg_pulse *p = bpf_map_lookup_elem(&pulse, &zero);

	if (p)
		__sync_fetch_and_add(&p->lost_events, 1);
}

static __always_inline struct sg_event *sg_event_new(__u32 type, __u32 server, __u64 now)
{
	struct sg_event *e = bpf_ringbuf_reserve(&ev, sizeof(*e), 0);

	if (!e) {
		sg_event_lost();
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->t_ns = now;
	e->type = type;
	e->server = server;
	return e;
}

static __always_inline void sg_event_move(__u32 server, const struct sg_move *mv, __u64 now)
{
	struct sg_event *e = sg_event_new(SG_EV_MOVE, server, now);

	if (!e)
		return;
	e->generation = mv->generation;
	e->move = *mv;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/* --- admission ---------------------------------------------------------------- */

struct sg_admission {
	__u32 generation;
	enum sg_admit admit;
};

/*
 * The verifier walks every path: results of the transition are therefore read
 * back from the map (b->last, its seq), where it knows nothing of their values
 * and the paths meet again, and never from the transition's return value.
 */

/* Carries out what is due by time, and tells the daemon; in a function of its own, see below. */
__weak __noinline int sg_bring_up_slow(__u32 id, __u64 now)
{
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_move unused;
	struct sg_move mv;
	__u32 group;
	__u32 seq;
	int place;
	__u32 i;

	if (!srv)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < 3; i++) {
		if (sg_breaker_due(&srv->breaker) > now)
			return 0;
		bpf_spin_lock(&srv->lock);
		seq = srv->breaker.last.seq;
		sg_breaker_tick(&srv->breaker, &srv->policy, now, &unused);
		mv = srv->breaker.last;
		place = sg_place(srv);
		group = srv->group;
		bpf_spin_unlock(&srv->lock);
		if (place)
			sg_group_move(group, place);
		if (mv.seq != seq)
			sg_event_move(id, &mv, now);
	}
	return 0;
}

static __always_inline void sg_bring_up(const struct sg_scope *s, __u64 now)
{
	if (sg_breaker_due(&s->server->breaker) <= now)
		sg_bring_up_slow(s->id, now);
}

/*
 * Is the first probe the daemon's own? For a moment after the deadline, while
 * it lives; then agents' calls are the probes.
 */
static __always_inline bool sg_probe_reserved(const struct sg_server *srv, __u64 now)
{
	const struct sg_breaker *b = &srv->breaker;
	struct sg_cfg *c;

	if (!(srv->flags & SG_SRV_PROBED) || b->state != SG_HALF_OPEN ||
	    now >= b->since_ns + SG_OWN_PROBE_NS || b->deadline_ns)
		return false;
	c = sg_config();
	return c && sg_daemon_alive(c, now);
}

/*
 * Asks the breaker, bringing it up to date first. A closed breaker is read
 * without its lock: a trip at the same instant makes the call one that was
 * already in flight.
 */
static __always_inline void sg_admit(const struct sg_scope *s, __u64 now, __u32 hash,
				     bool may_probe, struct sg_admission *a)
{
	struct sg_server *srv = s->server;

	if (srv->breaker.state == SG_CLOSED && !srv->breaker.shadow) {
		a->generation = srv->breaker.generation;
		a->admit = SG_ALLOW;
		return;
	}
	sg_bring_up(s, now);
	may_probe &= !sg_probe_reserved(srv, now);
	bpf_spin_lock(&srv->lock);
	a->admit = sg_breaker_admit(&srv->breaker, &srv->policy, now, hash, may_probe);
	a->generation = srv->breaker.generation;
	bpf_spin_unlock(&srv->lock);
}

/* Places a connection in the ramp. */
static __always_inline __u32 sg_hash(__u64 cookie)
{
	return (__u32)((cookie * 0x9e3779b97f4a7c15ULL) >> 32) % SG_HASH_RANGE;
}

/* --- outcomes ------------------------------------------------------------------ */

/* How a connect or a turn ended. */
struct sg_result {
	__u64 now;
	__u64 latency_ns;
	__u64 first_ns; /* from the request to the first byte, 0 if none came */
	__u64 retry_after_ns;
	__u32 serial;     /* of what ended: by now the flow may be at something else */
	__u32 generation; /* filled in by sg_claim() */
	__u8 outcome;     /* enum sg_class */
	__u8 cause;       /* enum sg_cause */
	__u8 flags;       /* SG_OUT_* */
};

static __always_inline void sg_result_is(struct sg_result *r, __u8 outcome, __u8 cause)
{
	r->outcome = outcome;
	r->cause = cause;
	r->flags = 0;
}

static __always_inline void sg_count_outcome(const struct sg_scope *s, const struct sg_result *r)
{
	if (r->outcome == SG_SUCCESS)
		SG_COUNT(s, success);
	else if (r->outcome == SG_HARD)
		SG_COUNT(s, hard);
	else if (r->outcome == SG_SOFT)
		SG_COUNT(s, soft);
	else
		SG_COUNT(s, ignored);
	switch (r->cause) {
	case SG_CAUSE_REFUSED:
		SG_COUNT(s, refused);
		break;
	case SG_CAUSE_TIMEOUT:
		SG_COUNT(s, timeout);
		break;
	case SG_CAUSE_UNREACHABLE:
		SG_COUNT(s, unreachable);
		break;
	case SG_CAUSE_RESET:
	case SG_CAUSE_TRUNCATED:
	case SG_CAUSE_TLS:
		SG_COUNT(s, reset);
		break;
	case SG_CAUSE_NO_ANSWER:
	case SG_CAUSE_LEASE:
		SG_COUNT(s, timeouts);
		break;
	case SG_CAUSE_ABANDONED:
		SG_COUNT(s, abandoned);
		break;
	case SG_CAUSE_BAD_RESPONSE:
		SG_COUNT(s, bad_responses);
		break;
	}
}

struct sg_trip {
	__u32 generation; /* only if it is still this one */
	__u8 reason;      /* enum sg_reason */
};

/*
 * Opens a breaker for its performance, within the limits of its group: returns
 * enum sg_effect, SG_EFFECT_OVERFLOW if there was no place. *mv is the latest
 * transition in any case.
 */
static __always_inline __u8 sg_trip(struct sg_server *srv, const struct sg_trip *trip, __u64 now,
				    struct sg_move *mv)
{
	__u32 group = srv->group;
	struct sg_move unused;
	__u32 seq;
	int place = 0;

	if (!sg_group_reserve(group, now))
		return SG_EFFECT_OVERFLOW;
	bpf_spin_lock(&srv->lock);
	seq = srv->breaker.last.seq;
	if (srv->group == group) { /* else it changed its group just now: not this time */
		sg_breaker_trip(&srv->breaker, &srv->policy, now, trip->generation, trip->reason,
				&unused);
		place = sg_place(srv);
	}
	*mv = srv->breaker.last;
	bpf_spin_unlock(&srv->lock);
	if (place <= 0)
		sg_group_give_back(group, now);
	return mv->seq != seq ? SG_EFFECT_MOVED : SG_EFFECT_STALE;
}

/*
 * How an outcome reaches the daemon. To wake it costs the agent more than all the
 * rest of a call: what went well waits for its next tick, unless the ring fills while
 * somebody is there to empty it.
 */
static __always_inline __u64 sg_wakeup(__u8 outcome, __u8 flags, __u64 now)
{
	struct sg_cfg *c;

	if (outcome == SG_HARD || outcome == SG_SOFT || flags & SG_OUT_SLOW)
		return BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_query(&ev, BPF_RB_AVAIL_DATA) < SG_RING_BYTES / 4)
		return BPF_RB_NO_WAKEUP;
	c = sg_config();
	return c && sg_daemon_alive(c, now) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* Of a result: what sg_settle() returns. */
#define SG_SETTLED_OPENED 256 /* this opened the breaker; the low byte is enum sg_effect */

/* Two times in one number, of 1024 ns each, up to 73 minutes. */
static __always_inline __u64 sg_times(__u64 latency_ns, __u64 first_ns)
{
	__u64 latency = latency_ns >> 10 < ~0U ? latency_ns >> 10 : ~0U;
	__u64 first = first_ns >> 10 < ~0U ? first_ns >> 10 : ~0U;

	return first << 32 | latency;
}

/*
 * Takes an outcome to the breaker, which trips here, and reports both. A function
 * of its own, of numbers only (and with no record of the ring held over the call,
 * before 6.2), so that the verifier walks it once and not for every way to an
 * outcome. `who`: generation << 32 | id; `what`: Retry-After in seconds << 48 |
 * status << 32 | method << 24 | cause << 16 | outcome << 8 | flags.
 */
__weak __noinline int sg_settle(__u64 who, __u64 what, __u64 now, __u64 times, __u64 cookie)
{
	__u32 id = (__u32)who;
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_trip trip = { .generation = who >> 32, .reason = SG_REASON_CONSECUTIVE };
	struct sg_move unused;
	struct sg_event *e;
	struct sg_move mv;
	__u8 may_trip;
	__u32 streak;
	__u32 group;
	__u8 effect;
	int place;

	if (!srv)
		return SG_EFFECT_STALE;
	bpf_spin_lock(&srv->lock);
	may_trip = srv->breaker.may_trip;
	srv->breaker.may_trip = srv->breaker.shadow; /* else only with a place: see below */
	effect = sg_breaker_outcome(&srv->breaker, &srv->policy, now, trip.generation,
				    what >> 8 & 0xff, what & 0xff, (what >> 48) * 1000000000ULL,
				    &unused);
	srv->breaker.may_trip = may_trip;
	mv = srv->breaker.last;
	streak = srv->breaker.streak;
	place = sg_place(srv);
	group = srv->group;
	bpf_spin_unlock(&srv->lock);
	if (place)
		sg_group_move(group, place);
	if (effect == SG_EFFECT_OVERFLOW && may_trip) {
		effect = sg_trip(srv, &trip, now, &mv);
		if (effect == SG_EFFECT_MOVED)
			streak = 0;
	}
	e = sg_event_new(SG_EV_OUTCOME, id, now);
	if (e) {
		e->generation = who >> 32;
		e->cookie = cookie;
		e->latency_ns = (times & ~0U) << 10;
		e->first_ns = times >> 32 << 10;
		e->retry_after_ns = (what >> 48) * 1000000000ULL;
		e->streak = streak;
		e->status = what >> 32 & 0xffff;
		e->method = what >> 24 & 0xff;
		e->cause = what >> 16 & 0xff;
		e->outcome = what >> 8 & 0xff;
		e->flags = what & 0xff;
		e->effect = effect;
		bpf_ringbuf_submit(e, sg_wakeup(what >> 8 & 0xff, what & 0xff, now));
	}
	if (effect != SG_EFFECT_MOVED)
		return effect;
	sg_event_move(id, &mv, now);
	return mv.to == SG_OPEN ? effect | SG_SETTLED_OPENED : effect;
}

#endif
