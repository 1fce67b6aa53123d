/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Admission: asks a breaker, brought up to date first, and keeps the first probe for the daemon. */
#ifndef SWITCHGEAR_ADMIT_BPF_H
#define SWITCHGEAR_ADMIT_BPF_H

#include "event.bpf.h"
#include "group.bpf.h"
#include "maps.bpf.h"
#include "verdict.h"

/* What a hook of connect returns. */
#define SG_REJECT 0
#define SG_PROCEED 1
#define SG_ERRNO_MAX 4095

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
	struct sg_transition unused;
	struct sg_transition mv;
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
		place = sg_slot(srv);
		group = srv->group;
		bpf_spin_unlock(&srv->lock);
		if (place)
			sg_group_slot_move(group, place);
		if (mv.seq != seq)
			sg_event_transition(id, &mv, SG_SOURCE_NONE, now);
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

#define SG_MAY_PROBE (1U << 31) /* beside a hash */

/*
 * Asks a breaker that is not simply closed: its generation << 32 | enum sg_admit.
 * Among those who ask for probes each is to have one (witness.h).
 */
__weak __noinline __u64 sg_admit_slow(__u32 id, __u32 source, __u64 now, __u32 hash)
{
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_breaker *b;
	__u32 generation;
	bool may_probe;
	__u32 admit;

	if (!srv)
		return SG_ALLOW;
	b = &srv->breaker;
	may_probe = hash & SG_MAY_PROBE;
	bpf_spin_lock(&srv->lock);
	generation = b->generation;
	if (may_probe && b->state == SG_HALF_OPEN)
		may_probe = sg_source_asks(&srv->sources, source, generation, now);
	admit = sg_breaker_admit(b, &srv->policy, now, hash & ~SG_MAY_PROBE, may_probe);
	if (admit == SG_ALLOW_PROBE)
		sg_source_takes(&srv->sources, source, generation, now);
	bpf_spin_unlock(&srv->lock);
	if (admit == SG_ALLOW_PROBE)
		sg_pulse_probe(now);
	return (__u64)generation << 32 | admit;
}

/*
 * A probe goes back that decided nothing; `complete`: after a whole answer. A function of
 * its own, as the former.
 */
__weak __noinline int sg_probe_back(__u32 id, __u32 source, __u32 generation, __u32 complete)
{
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);

	if (!srv)
		return 0;
	bpf_spin_lock(&srv->lock);
	sg_breaker_give_back(&srv->breaker, generation, complete);
	sg_source_returns(&srv->sources, source, generation, complete);
	bpf_spin_unlock(&srv->lock);
	return 0;
}

/*
 * Asks the breaker, bringing it up to date first. A closed breaker is read
 * without its lock: a trip at the same instant makes the call one that was
 * already in flight.
 */
static __always_inline void sg_admit(const struct sg_scope *s, __u64 now, __u32 source, __u32 hash,
				     bool may_probe, struct sg_admission *a)
{
	struct sg_server *srv = s->server;
	__u64 asked;

	if (srv->breaker.state == SG_CLOSED && !srv->breaker.shadow) {
		a->generation = srv->breaker.generation;
		a->admit = SG_ALLOW;
		return;
	}
	sg_bring_up(s, now);
	if (may_probe && !sg_probe_reserved(srv, now))
		hash |= SG_MAY_PROBE;
	asked = sg_admit_slow(s->id, source, now, hash);
	a->admit = (__u32)asked;
	a->generation = asked >> 32;
}

/* Is the connect refused? Counts it, or that it would have been. */
static __always_inline bool sg_refused(const struct sg_scope *s, enum sg_verdict verdict)
{
	if (verdict == SG_VERDICT_REFUSE)
		SG_COUNT(s, denied);
	else if (verdict == SG_VERDICT_WOULD_REFUSE)
		SG_COUNT(s, would_deny);
	return verdict == SG_VERDICT_REFUSE;
}

/* Places a connection in the ramp. */
static __always_inline __u32 sg_hash(__u64 cookie)
{
	return (__u32)((cookie * 0x9e3779b97f4a7c15ULL) >> 32) % SG_HASH_RANGE;
}

#endif
