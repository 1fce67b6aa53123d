/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How outcomes reach a breaker and the daemon: what a call's end counts as, trips
 * within the limits of groups, and whom to wake.
 */
#ifndef SWITCHGEAR_REPORT_BPF_H
#define SWITCHGEAR_REPORT_BPF_H

#include "event.bpf.h"
#include "flow.h"
#include "group.bpf.h"
#include "maps.bpf.h"
#include "verdict.h"

/* How a connect or an exchange ended. */
struct sg_result {
	__u64 now;
	__u64 latency_ns;
	__u64 first_ns; /* from the request to the first byte, 0 if none came */
	__u64 retry_after_ns;
	__u32 serial;     /* of what ended: by now the flow may be at something else */
	__u32 generation; /* filled in by sg_outcome_take() */
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

static __always_inline void sg_count_outcome(const struct sg_scope *s, __u8 outcome, __u8 cause)
{
	if (outcome == SG_SUCCESS)
		SG_COUNT(s, success);
	else if (outcome == SG_HARD)
		SG_COUNT(s, hard);
	else if (outcome == SG_SOFT)
		SG_COUNT(s, soft);
	else
		SG_COUNT(s, ignored);
	switch (cause) {
	case SG_CAUSE_REFUSED:
		SG_COUNT(s, refused);
		break;
	case SG_CAUSE_TIMEOUT:
		SG_COUNT(s, timeout);
		break;
	case SG_CAUSE_UNREACHABLE:
		SG_COUNT(s, unreachable);
		break;
	case SG_CAUSE_TLS:
		SG_COUNT(s, handshake_failures);
		SG_COUNT(s, reset);
		break;
	case SG_CAUSE_DISTRUST:
	case SG_CAUSE_CERTIFICATE:
		SG_COUNT(s, handshake_failures);
		break;
	case SG_CAUSE_RESET:
	case SG_CAUSE_TRUNCATED:
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

/* Where a transition tells what it did, while that is read back from the breaker: the stack is
 * short. Nobody reads it. */
SG_MAP(waste, PERCPU_ARRAY, 0, 1, __u32, struct sg_transition);

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
				    struct sg_transition *mv)
{
	__u32 group = srv->group;
	struct sg_transition *unused = SG_ONLY(waste);
	__u32 seq;
	int place = 0;

	if (!unused || !sg_group_reserve(group, now))
		return SG_EFFECT_OVERFLOW;
	bpf_spin_lock(&srv->lock);
	seq = srv->breaker.last.seq;
	if (srv->group == group) { /* else it changed its group just now: not this time */
		sg_breaker_trip(&srv->breaker, &srv->policy, now, trip->generation, trip->reason,
				unused);
		place = sg_slot(srv);
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

/* --- the words of a report ------------------------------------------------------ */

/*
 * What sg_outcome_apply() takes, which may be no more than numbers, is packed and unpacked
 * here alone:
 *   who    generation << 32 | id of the server
 *   what   Retry-After in seconds << 48 | status << 32 | method << 24 | cause << 16 |
 *          outcome << 8 | flags
 *   times  first byte << 32 | latency, of 1024 ns each, up to 73 minutes
 */
static __always_inline __u64 sg_who_pack(__u32 generation, __u32 id)
{
	return (__u64)generation << 32 | id;
}

static __always_inline __u32 sg_who_id(__u64 who)
{
	return (__u32)who;
}

static __always_inline __u32 sg_who_generation(__u64 who)
{
	return who >> 32;
}

static __always_inline __u64 sg_retry_s(const struct sg_result *r)
{
	return r->retry_after_ns / 1000000000ULL;
}

static __always_inline __u64 sg_what_pack(const struct sg_result *r, __u64 retry_s, __u64 status,
					  __u8 method)
{
	return (retry_s < 0xffff ? retry_s : 0xffff) << 48 | (status & 0xffff) << 32 |
	       (__u32)method << 24 | (__u32)r->cause << 16 | (__u32)r->outcome << 8 | r->flags;
}

static __always_inline __u64 sg_what_retry_ns(__u64 what)
{
	return (what >> 48) * 1000000000ULL;
}

static __always_inline __u8 sg_what_outcome(__u64 what)
{
	return what >> 8 & 0xff;
}

static __always_inline __u8 sg_what_cause(__u64 what)
{
	return what >> 16 & 0xff;
}

/* The same, as another class for another cause. */
static __always_inline __u64 sg_what_become(__u64 what, __u8 outcome, __u8 cause)
{
	return (what & ~0xffff00ULL) | (__u32)cause << 16 | (__u32)outcome << 8;
}

static __always_inline __u8 sg_what_flags(__u64 what)
{
	return what & 0xff;
}

static __always_inline __u64 sg_times_pack(__u64 latency_ns, __u64 first_ns)
{
	__u64 latency = latency_ns >> 10 < ~0U ? latency_ns >> 10 : ~0U;
	__u64 first = first_ns >> 10 < ~0U ? first_ns >> 10 : ~0U;

	return first << 32 | latency;
}

/* All of it, into the event that tells of it. */
static __always_inline void sg_words_unpack(struct sg_event *e, __u64 who, __u64 what, __u64 times)
{
	e->generation = sg_who_generation(who);
	e->latency_ns = (times & ~0U) << 10;
	e->first_ns = times >> 32 << 10;
	e->retry_after_ns = sg_what_retry_ns(what);
	e->status = what >> 32 & 0xffff;
	e->method = what >> 24 & 0xff;
	e->cause = sg_what_cause(what);
	e->outcome = sg_what_outcome(what);
	e->flags = sg_what_flags(what);
}

/* Whose socket it was, and where it went. A record that is another socket's by now tells nothing. */
static __always_inline void sg_event_whose(struct sg_event *e, __u64 cookie)
{
	const struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);

	e->cookie = cookie;
	e->source = SG_SOURCE_DAEMON;
	if (!f || f->cookie != cookie)
		return;
	e->source = f->source;
	e->pid = f->pid;
	e->cgroup = f->cgroup;
	e->port = f->remote_port;
	e->proxied = sg_flow_proxied(f) ? f->proxied : SG_PROXIED_NOT;
	__builtin_memcpy(e->addr, f->remote, sizeof(e->addr));
	__builtin_memcpy(e->comm, f->comm, sizeof(e->comm));
}

/*
 * Whose outcome it is: where a connect failed, and who saw it (witness.h). Returns what
 * it counts as. A function of its own, of numbers, as the one below; not one with it,
 * for want of stack.
 */
__weak __noinline __u64 sg_weigh(__u64 who, __u64 what, __u64 now, __u64 times, __u64 cookie)
{
	__u32 id = sg_who_id(who);
	__u32 generation = sg_who_generation(who);
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	__u32 source = SG_SOURCE_DAEMON;
	__u8 outcome = sg_what_outcome(what);
	__u32 flags = SG_FLOW_OPENED;
	__u8 cause = sg_what_cause(what);
	bool said = cause == SG_CAUSE_STATUS || cause == SG_CAUSE_BAD_RESPONSE ||
		    cause == SG_CAUSE_NO_ROUTE;
	bool elsewhere = false;
	bool held = false;
	__u32 slot = 0;

	if (!srv)
		return what;
	if (f && f->cookie == cookie) {
		source = f->source;
		flags = f->flags;
		slot = f->slot;
	}
	bpf_spin_lock(&srv->lock);
	if (generation == srv->breaker.generation) {
		if (sg_what_flags(what) & SG_OUT_PROBE)
			sg_source_returns(&srv->sources, source, generation, outcome <= SG_SOFT);
		if (outcome == SG_HARD && !(flags & SG_FLOW_OPENED))
			elsewhere = flags & SG_FLOW_ALIAS || !sg_slot_failed(&srv->slots, slot);
		if (outcome == SG_HARD && !elsewhere)
			held = sg_source_failed(&srv->sources, source, generation, said, now);
	}
	if (outcome == SG_SUCCESS) {
		sg_source_succeeded(&srv->sources, source, srv->breaker.generation, now);
		sg_slot_reached(&srv->slots, slot);
		srv->success_ns = now;
		srv->longest_ns = sg_longest(srv->longest_ns, (times & ~0U) << 10);
	}
	bpf_spin_unlock(&srv->lock);
	if (elsewhere)
		return sg_what_become(what, SG_CALLER, SG_CAUSE_OTHER_ADDRESS);
	return held ? what | SG_OUT_HELD : what;
}

/* Of a result: what sg_outcome_apply() returns. */
#define SG_APPLIED_OPENED 256 /* this opened the breaker; the low byte is enum sg_effect */

/*
 * Takes an outcome to the breaker, which trips here, and reports both. A function
 * of its own, of numbers only (and with no record of the ring held over the call,
 * before 6.2), so that the verifier walks it once and not for every way to an
 * outcome.
 */
__weak __noinline int sg_outcome_apply(__u64 who, __u64 what, __u64 now, __u64 times, __u64 cookie)
{
	__u32 id = sg_who_id(who);
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_trip trip = { .generation = sg_who_generation(who),
				.reason = SG_REASON_CONSECUTIVE };
	struct sg_transition *unused = SG_ONLY(waste);
	struct sg_transition mv;
	struct sg_event *e;
	struct sg_flow *f;
	__u32 failures;
	__u8 may_trip;
	__u32 streak;
	__u32 group;
	__u8 effect;
	int place;

	if (!srv || !unused)
		return SG_EFFECT_STALE;
	bpf_spin_lock(&srv->lock);
	may_trip = srv->breaker.may_trip;
	/* else only with a place: see below */
	srv->breaker.may_trip = srv->breaker.shadow && !(sg_what_flags(what) & SG_OUT_HELD);
	effect = sg_breaker_outcome(&srv->breaker, &srv->policy, now, trip.generation,
				    sg_what_outcome(what), sg_what_flags(what),
				    sg_what_retry_ns(what), unused);
	srv->breaker.may_trip = may_trip;
	/* then the next connect had better go elsewhere, until the daemon has asked */
	if (effect != SG_EFFECT_STALE && sg_looks_gone(sg_what_outcome(what), sg_what_cause(what)))
		srv->doubt_ns = now;
	mv = srv->breaker.last;
	streak = srv->breaker.streak;
	failures = srv->breaker.failures;
	place = sg_slot(srv);
	group = srv->group;
	bpf_spin_unlock(&srv->lock);
	if (place)
		sg_group_slot_move(group, place);
	if (effect == SG_EFFECT_OVERFLOW && sg_what_flags(what) & SG_OUT_HELD) {
		effect = SG_EFFECT_HELD;
	} else if (effect == SG_EFFECT_OVERFLOW && may_trip) {
		effect = sg_trip(srv, &trip, now, &mv);
		if (effect == SG_EFFECT_MOVED)
			streak = 0;
	}
	f = bpf_map_lookup_elem(&flows, &cookie);
	if (f && f->cookie == cookie)
		f->counted = failures;
	e = sg_event_new(SG_EV_OUTCOME, id, now);
	if (e) {
		sg_event_whose(e, cookie);
		e->streak = streak;
		sg_words_unpack(e, who, what, times);
		e->effect = effect;
		bpf_ringbuf_submit(e, sg_wakeup(sg_what_outcome(what), sg_what_flags(what), now));
	}
	if (effect != SG_EFFECT_MOVED)
		return effect;
	sg_event_transition(id, &mv, sg_source_only(&srv->sources), now);
	return mv.to == SG_OPEN ? effect | SG_APPLIED_OPENED : effect;
}

/*
 * What was counted as a failure of the clock, or excused as one, has come to an end after all:
 * that replaces it. A function of its own, as the former. Returns SG_EFFECT_*.
 */
__weak __noinline int sg_outcome_correct(__u64 who, __u64 what, __u64 now, __u64 times,
					 __u64 cookie)
{
	__u32 id = sg_who_id(who);
	struct sg_server *srv = bpf_map_lookup_elem(&srv_state, &id);
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	struct sg_transition *unused = SG_ONLY(waste);
	struct sg_transition mv;
	struct sg_event *e;
	__u32 streak;
	__u32 group;
	bool failed;
	__u32 seq;
	int place;

	if (!srv || !f || !unused)
		return SG_EFFECT_STALE;
	failed = f->counted_outcome == SG_HARD;
	bpf_spin_lock(&srv->lock);
	seq = srv->breaker.last.seq;
	if (failed || sg_what_outcome(what) == SG_SUCCESS)
		sg_breaker_correct(&srv->breaker, &srv->policy, now, sg_who_generation(who),
				   f->counted, failed ? f->counted_flags : 0, sg_what_outcome(what),
				   sg_what_flags(what), sg_what_retry_ns(what), unused);
	mv = srv->breaker.last;
	streak = srv->breaker.streak;
	place = sg_slot(srv);
	group = srv->group;
	bpf_spin_unlock(&srv->lock);
	if (place)
		sg_group_slot_move(group, place);
	e = sg_event_new(SG_EV_OUTCOME, id, now);
	if (e) {
		sg_event_whose(e, cookie);
		e->streak = streak;
		sg_words_unpack(e, who, what | SG_OUT_LATE, times);
		e->was_ns = f->counted_ns;
		e->was_outcome = f->counted_outcome;
		e->was_cause = f->counted_cause;
		e->effect = mv.seq != seq ? SG_EFFECT_MOVED : SG_EFFECT_NONE;
		bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	}
	if (mv.seq == seq)
		return SG_EFFECT_NONE;
	sg_event_transition(id, &mv, SG_SOURCE_NONE, now);
	return SG_EFFECT_MOVED;
}

#endif
