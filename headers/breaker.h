/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The breaker's state transition: the one piece of policy that the kernel and
 * user space share. BPF programs call it at the failing event, so that a trip
 * needs no daemon; the daemon and `simulate` call the same functions.
 *
 * Invariants (referred to by number in code and tests):
 *  B1  No clock is read, nothing is allocated, nothing loops, no helper is
 *      called: everything that a decision depends on is an argument.
 *  B2  Every transition but ramp -> closed starts a new generation; an outcome
 *      of an older generation changes nothing. A late answer may take back the
 *      opening that its own failure brought: sg_breaker_correct().
 *  B3  probes_out + probes_ok + probes_failed never exceeds policy.probes.
 *  B4  half-open with a probe handed out always has a deadline.
 *  B5  A refused admission changes nothing.
 *
 * Callers serialise access to one breaker (bpf_spin_lock in the kernel) and
 * bring time up to date first: call sg_breaker_tick() until it returns false
 * (after three times at most: half-open runs out, then the opening, then a
 * shadow), then the event's function.
 *
 * Times are nanoseconds of CLOCK_BOOTTIME; durations are nanoseconds; rates
 * are parts in 10^9, (0, 10^9].
 */
#ifndef SWITCHGEAR_BREAKER_H
#define SWITCHGEAR_BREAKER_H

#include "types.h"

#define SG_FOREVER (~0ULL)
#define SG_RATE_ONE 1000000000U
#define SG_HASH_RANGE 10000U /* hash of a connection: [0, SG_HASH_RANGE) */
#define SG_PROBES_MAX 1000U
#define SG_RETRY_AFTER_MAX_NS 300000000000ULL

/* Values are part of the ABI: append only. */
enum sg_state {
	SG_CLOSED,
	SG_OPEN,
	SG_HALF_OPEN,
	SG_RAMP,
	SG_FORCED_OPEN,
	SG_FORCED_CLOSED,
	SG_DISABLED,
	SG_SHADOW, /* never stored in sg_breaker.state: see sg_breaker.shadow */
	SG_STATE_COUNT
};

/* What one finished call means to the breaker. */
enum sg_class {
	SG_SUCCESS, /* complete answer: streak to 0, counts as success */
	SG_HARD,    /* failure: streak + 1, counts as failure */
	SG_SOFT,    /* overload: counts as failure, streak unchanged */
	SG_APP,     /* the tool said no: ignored, gives its probe back */
	SG_CALLER,  /* the caller's fault or neutral: ignored, gives its probe back */
	SG_LOCAL,   /* this host's fault or our own doing: ignored likewise */
	SG_UNKNOWN, /* nobody saw how it ended: ignored likewise */
	SG_CLASS_COUNT
};

enum sg_reason {
	SG_REASON_NONE,
	SG_REASON_CONSECUTIVE,
	SG_REASON_FAILURE_RATE,
	SG_REASON_SLOW_RATE,
	SG_REASON_HALF_OPEN_FAILED,
	SG_REASON_HALF_OPEN_TIMEOUT,
	SG_REASON_DEADLINE,
	SG_REASON_PROBES_PASSED,
	SG_REASON_REACHABLE,
	SG_REASON_RAMP_DONE,
	SG_REASON_MANUAL,
	SG_REASON_RESET,
	SG_REASON_FORCE_EXPIRED,
	SG_REASON_RESTART,
	SG_REASON_OWN_PROBE,
	SG_REASON_COUNT
};

enum sg_admit {
	SG_ALLOW,
	SG_ALLOW_PROBE, /* allowed, and holds a probe: give it back or decide it */
	SG_DENY,
	SG_WOULD_DENY, /* allowed because of shadow; enforced it would be SG_DENY */
};

/* Flags of an outcome. */
#define SG_OUT_SLOW 1U      /* its latency is strictly above the slow limit */
#define SG_OUT_PROBE 2U     /* the call held a probe */
#define SG_OUT_COMPLETE 4U  /* a complete answer came, whatever it said */
#define SG_OUT_HELD 8U      /* others are well: it does not open the breaker, see witness.h */
#define SG_OUT_ESTIMATE 32U /* HTTP/2, whose exchanges cannot be told apart */
#define SG_OUT_LATE 16U     /* it replaces what was counted of the same call before */

/* What the transition needs to know of a server's policy. */
struct sg_policy {
	__u64 half_open_max_ns; /* > 0 */
	__u64 ramp_ns;          /* 0: close at once */
	__u64 probe_lease_ns;   /* for the callers that time probes */
	__u64 slow_ns;          /* strictly later is slow; SG_FOREVER: never */
	__u64 connect_ns;       /* a SYN unanswered for so long failed */
	__u64 timeout_ns;       /* no answer for so long: failed */
	__u64 abandon_ns;       /* given up by the agent at this age: failed */
	__u32 consecutive;      /* hard failures in a row that trip; 0: off */
	__u32 probes;           /* 1 .. SG_PROBES_MAX; 0: nobody sees how calls end */
	__u32 half_open_rate;   /* share of failed probes that opens again */
	__u32 slow_rate;        /* share of slow probes that opens again */
	__u32 retry_after;      /* 1: Retry-After lengthens the next opening */
	__u32 deny_errno;       /* positive errno of a refusal */
};

/* One transition, as it is reported. */
struct sg_transition {
	__u64 t_ns; /* when it was due */
	__u64 deadline_ns;
	__u32 generation; /* the new one */
	__u32 calls;      /* half-open: decided probes */
	__u32 failed;
	__u32 slow;
	__u32 total; /* half-open: policy.probes, the denominator */
	__u8 from;   /* enum sg_state */
	__u8 to;
	__u8 reason; /* enum sg_reason */
	__u8 moved;  /* 0: nothing happened, the rest is meaningless */
	__u32 seq;   /* counts the transitions of one breaker */
	__u32 pad;
};

struct sg_breaker {
	__u64 since_ns;       /* when `state` was entered */
	__u64 deadline_ns;    /* open: end; half-open: limit, 0 before the first probe; ramp: end */
	__u64 order_until_ns; /* end of an order (forced, disabled, shadow); SG_FOREVER */
	__u64 next_open_ns;   /* length of the next opening, backoff and jitter applied (daemon) */
	__u64 this_open_ns;   /* length of the last opening, 0 if there was none since a reset */
	__u64 retry_after_ns; /* largest Retry-After of this generation */
	__u32 generation;
	__u32 streak;     /* hard failures in a row */
	__u32 probes_out; /* handed out and undecided */
	__u32 probes_ok;
	__u32 probes_failed;
	__u32 probes_slow;    /* of the decided ones */
	__u32 probes_neutral; /* given back after a complete but ignored answer */
	__u8 state;           /* enum sg_state */
	__u8 shadow;          /* 1: decide and report, enforce nothing */
	__u8 may_trip;        /* 0: floor or blast limit forbid a trip (daemon) */
	__u8 pad;
	__u32 failures; /* hard ones ever, wraps: tells which of them a late answer replaces */
	__u32 pad2;
	struct sg_transition last; /* the latest transition */
};

/* Outcome of a trip attempt; see sg_breaker_outcome(). */
enum sg_effect {
	SG_EFFECT_NONE,     /* counted, or ignored */
	SG_EFFECT_STALE,    /* of an older generation: nothing changed (B2) */
	SG_EFFECT_MOVED,    /* *mv tells the transition */
	SG_EFFECT_OVERFLOW, /* would have tripped, may_trip forbade it */
	SG_EFFECT_HELD,     /* would have tripped, but others are well: SG_OUT_HELD */
};

/*
 * Enters `to`; starts a new generation unless this is the end of a ramp (B2).
 * `length` is the open time. The move is recorded in b->last and *mv.
 */
static __always_inline void sg_breaker_enter(struct sg_breaker *b, const struct sg_policy *p,
					     __u8 to, __u8 reason, __u64 length, __u64 now,
					     struct sg_transition *mv)
{
	__u64 retry_after = b->retry_after_ns;

	b->last.from = b->state;
	if (b->shadow && (reason == SG_REASON_MANUAL || reason == SG_REASON_RESET ||
			  reason == SG_REASON_FORCE_EXPIRED))
		b->last.from = SG_SHADOW;
	b->last.to = to;
	b->last.reason = reason;
	b->last.moved = 1;
	b->last.t_ns = now;
	b->last.calls = b->probes_ok + b->probes_failed;
	b->last.failed = b->probes_failed;
	b->last.slow = b->probes_slow;
	b->last.total = p->probes;
	if (reason == SG_REASON_CONSECUTIVE)
		b->last.failed = b->streak;
	if (reason != SG_REASON_RAMP_DONE) {
		b->generation++;
		b->streak = 0;
		b->retry_after_ns = 0;
	}
	b->state = to;
	b->since_ns = now;
	b->deadline_ns = 0;
	if (to == SG_OPEN) {
		b->this_open_ns = length;
		b->deadline_ns = now + (retry_after > length ? retry_after : length);
	} else if (to == SG_RAMP) {
		b->deadline_ns = now + p->ramp_ns;
	}
	b->probes_out = 0;
	b->probes_ok = 0;
	b->probes_failed = 0;
	b->probes_slow = 0;
	b->probes_neutral = 0;
	b->last.generation = b->generation;
	b->last.deadline_ns = b->deadline_ns;
	b->last.seq++;
	*mv = b->last;
}

/* Where a breaker goes that leaves half-open for good. */
static __always_inline __u8 sg_breaker_healed(const struct sg_policy *p)
{
	return p->ramp_ns ? SG_RAMP : SG_CLOSED;
}

/* When sg_breaker_tick() will next have something to do; SG_FOREVER if never. */
static __always_inline __u64 sg_breaker_due(const struct sg_breaker *b)
{
	__u64 due = SG_FOREVER;

	if (b->state == SG_FORCED_OPEN || b->state == SG_FORCED_CLOSED || b->state == SG_DISABLED)
		return b->order_until_ns;
	if (b->state != SG_CLOSED && b->deadline_ns)
		due = b->deadline_ns;
	if (b->shadow && b->order_until_ns < due)
		due = b->order_until_ns;
	return due;
}

/*
 * Carries out at most one transition that time alone brings at or before now.
 * Returns true and fills *mv if there was one; call again until it is false.
 */
static __always_inline bool sg_breaker_tick(struct sg_breaker *b, const struct sg_policy *p,
					    __u64 now, struct sg_transition *mv)
{
	__u64 due = sg_breaker_due(b);
	__u8 reason = SG_REASON_FORCE_EXPIRED;
	__u8 to = SG_CLOSED;
	__u64 length = 0;

	mv->moved = 0;
	if (due > now)
		return false;
	if (b->shadow && due == b->order_until_ns) {
		to = SG_CLOSED; /* whatever the machine did in the shadow */
	} else if (b->state == SG_OPEN) {
		to = p->probes ? SG_HALF_OPEN : SG_CLOSED;
		reason = SG_REASON_DEADLINE;
	} else if (b->state == SG_HALF_OPEN) {
		reason = SG_REASON_HALF_OPEN_TIMEOUT;
		length = b->probes_failed || !b->this_open_ns ? b->next_open_ns : b->this_open_ns;
		to = SG_OPEN;
		if (!b->probes_failed && b->probes_neutral) {
			reason = SG_REASON_REACHABLE;
			to = sg_breaker_healed(p);
		}
	} else if (b->state == SG_RAMP) {
		reason = SG_REASON_RAMP_DONE;
	} else if (b->state == SG_FORCED_OPEN && p->probes) {
		to = SG_HALF_OPEN; /* without probes nothing would ever end that */
	}
	sg_breaker_enter(b, p, to, reason, length, due, mv);
	if (reason == SG_REASON_FORCE_EXPIRED) {
		b->shadow = 0;
		b->order_until_ns = 0;
	}
	return true;
}

/* Share of connections that the ramp admits at `now`, of SG_HASH_RANGE. */
static __always_inline __u32 sg_breaker_ramp_share(const struct sg_breaker *b,
						   const struct sg_policy *p, __u64 now)
{
	__u64 age = now > b->since_ns ? now - b->since_ns : 0;

	if (age < p->ramp_ns / 4)
		return SG_HASH_RANGE / 10;
	if (age < p->ramp_ns / 2)
		return SG_HASH_RANGE / 4;
	if (age < p->ramp_ns / 4 * 3)
		return SG_HASH_RANGE / 2;
	return SG_HASH_RANGE;
}

/*
 * May a call that starts now go through? `hash` in [0, SG_HASH_RANGE) places
 * it in the ramp; `may_probe` is false for callers from which nothing may be
 * learned (they are refused while half-open). SG_ALLOW_PROBE takes a probe.
 */
static __always_inline enum sg_admit sg_breaker_admit(struct sg_breaker *b,
						      const struct sg_policy *p, __u64 now,
						      __u32 hash, bool may_probe)
{
	enum sg_admit deny = b->shadow ? SG_WOULD_DENY : SG_DENY;

	switch (b->state) {
	case SG_OPEN:
		return deny;
	case SG_FORCED_OPEN:
		return SG_DENY;
	case SG_HALF_OPEN:
		if (!may_probe || b->probes_out + b->probes_ok + b->probes_failed >= p->probes)
			return deny;
		b->probes_out++;
		if (!b->deadline_ns)
			b->deadline_ns = now + p->half_open_max_ns;
		return SG_ALLOW_PROBE;
	case SG_RAMP:
		return hash < sg_breaker_ramp_share(b, p, now) ? SG_ALLOW : deny;
	default:
		return SG_ALLOW;
	}
}

/* Gives a probe back that decided nothing; a stale one is ignored (B2). */
static __always_inline void sg_breaker_give_back(struct sg_breaker *b, __u32 generation,
						 bool complete)
{
	if (generation != b->generation || b->state != SG_HALF_OPEN || !b->probes_out)
		return;
	b->probes_out--;
	if (complete)
		b->probes_neutral++;
}

/* What the probes decided so far say: SG_OPEN, SG_CLOSED (healed), or still SG_HALF_OPEN. */
static __always_inline __u8 sg_breaker_judge(const struct sg_breaker *b, const struct sg_policy *p)
{
	__u64 n = p->probes;
	__u64 decided = (__u64)b->probes_ok + b->probes_failed;
	__u64 open = n > decided ? n - decided : 0; /* n may have been lowered meanwhile */
	__u64 failed = b->probes_failed;
	__u64 slow = b->probes_slow;

	if (failed * SG_RATE_ONE >= p->half_open_rate * n || slow * SG_RATE_ONE >= p->slow_rate * n)
		return SG_OPEN;
	if ((failed + open) * SG_RATE_ONE < p->half_open_rate * n &&
	    (slow + open) * SG_RATE_ONE < p->slow_rate * n)
		return SG_CLOSED;
	return SG_HALF_OPEN;
}

/*
 * Records how an admitted call of `generation` ended. `flags` are SG_OUT_*;
 * `retry_after_ns` is what a soft answer asked for, 0 if nothing. On a trip
 * the open time is b->next_open_ns. SG_EFFECT_OVERFLOW: the failure counted,
 * but b->may_trip forbade the trip; the breaker stays closed (fail-open).
 */
static __always_inline enum sg_effect sg_breaker_outcome(struct sg_breaker *b,
							 const struct sg_policy *p, __u64 now,
							 __u32 generation, enum sg_class class,
							 __u32 flags, __u64 retry_after_ns,
							 struct sg_transition *mv)
{
	bool failure = class == SG_HARD || class == SG_SOFT;
	__u8 reason = SG_REASON_CONSECUTIVE;
	__u8 to = SG_OPEN;

	mv->moved = 0;
	if (generation != b->generation)
		return SG_EFFECT_STALE;
	if (class == SG_SOFT && p->retry_after && retry_after_ns > b->retry_after_ns)
		b->retry_after_ns = retry_after_ns < SG_RETRY_AFTER_MAX_NS ? retry_after_ns
									   : SG_RETRY_AFTER_MAX_NS;
	if (b->state == SG_HALF_OPEN) {
		if (!(flags & SG_OUT_PROBE) || !b->probes_out)
			return SG_EFFECT_NONE;
		b->probes_out--;
		if (flags & SG_OUT_SLOW && (failure || class == SG_SUCCESS))
			b->probes_slow++;
		if (failure)
			b->probes_failed++;
		else if (class == SG_SUCCESS)
			b->probes_ok++;
		else if (flags & SG_OUT_COMPLETE)
			b->probes_neutral++;
		to = sg_breaker_judge(b, p);
		if (to == SG_HALF_OPEN)
			return SG_EFFECT_NONE;
		reason = SG_REASON_HALF_OPEN_FAILED;
		if (to == SG_CLOSED) {
			reason = SG_REASON_PROBES_PASSED;
			to = sg_breaker_healed(p);
		}
	} else {
		if (b->state != SG_CLOSED && b->state != SG_RAMP)
			return SG_EFFECT_NONE;
		if (class == SG_SUCCESS)
			b->streak = 0;
		if (class != SG_HARD)
			return SG_EFFECT_NONE;
		b->streak++;
		b->failures++;
		if (!p->consecutive || b->streak < p->consecutive)
			return SG_EFFECT_NONE;
		if (!b->may_trip)
			return SG_EFFECT_OVERFLOW;
	}
	sg_breaker_enter(b, p, to, reason, b->next_open_ns, now, mv);
	return SG_EFFECT_MOVED;
}

/*
 * A failure of `generation` that was counted as number `counted` of b->failures, with the flags
 * `was`, turns out to have been something else: the call ended after all, as `class`. It is as
 * if that had been counted in its place: only failures after it are in a row with what
 * comes. An opening that rested on it is taken back if the answer was a success.
 */
static __always_inline enum sg_effect sg_breaker_correct(
	struct sg_breaker *b, const struct sg_policy *p, __u64 now, __u32 generation, __u32 counted,
	__u32 was, enum sg_class class, __u32 flags, __u64 retry_after_ns, struct sg_transition *mv)
{
	__u32 since = b->failures - counted;

	mv->moved = 0;
	if (generation != b->generation) {
		if (class != SG_SUCCESS || b->state != SG_OPEN || generation + 1 != b->generation ||
		    b->last.reason != SG_REASON_CONSECUTIVE || since >= b->last.failed)
			return SG_EFFECT_STALE;
		sg_breaker_enter(b, p, SG_CLOSED, SG_REASON_REACHABLE, 0, now, mv);
		return SG_EFFECT_MOVED;
	}
	if (b->state == SG_HALF_OPEN) {
		if (!(was & SG_OUT_PROBE) || !b->probes_failed)
			return SG_EFFECT_NONE;
		b->probes_failed--;
		if (was & SG_OUT_SLOW && b->probes_slow)
			b->probes_slow--;
		b->probes_out++;
		return sg_breaker_outcome(b, p, now, generation, class, flags | SG_OUT_PROBE,
					  retry_after_ns, mv);
	}
	if ((b->state != SG_CLOSED && b->state != SG_RAMP) || class == SG_HARD)
		return SG_EFFECT_NONE;
	if (b->streak > since)
		b->streak = class == SG_SUCCESS ? since : b->streak - 1;
	return SG_EFFECT_NONE;
}

/*
 * A trip that user space decided from windows of `generation`. Nothing happens
 * unless the breaker is still closed (or in ramp) in that generation: two
 * reports of one trip are one trip.
 */
static __always_inline enum sg_effect sg_breaker_trip(struct sg_breaker *b,
						      const struct sg_policy *p, __u64 now,
						      __u32 generation, __u8 reason,
						      struct sg_transition *mv)
{
	mv->moved = 0;
	if (generation != b->generation || (b->state != SG_CLOSED && b->state != SG_RAMP))
		return SG_EFFECT_STALE;
	if (!b->may_trip)
		return SG_EFFECT_OVERFLOW;
	sg_breaker_enter(b, p, SG_OPEN, reason, b->next_open_ns, now, mv);
	return SG_EFFECT_MOVED;
}

/*
 * The daemon has reached the server itself: an opening of `generation` that rested on one
 * caller's word is taken back. True and *mv if it was still open.
 */
static __always_inline bool sg_breaker_reached(struct sg_breaker *b, const struct sg_policy *p,
					       __u64 now, __u32 generation,
					       struct sg_transition *mv)
{
	mv->moved = 0;
	if (generation != b->generation || b->state != SG_OPEN)
		return false;
	sg_breaker_enter(b, p, SG_CLOSED, SG_REASON_REACHABLE, 0, now, mv);
	return true;
}

/*
 * Carries out an order: SG_FORCED_OPEN, SG_FORCED_CLOSED, SG_DISABLED or
 * SG_SHADOW, until `until_ns` (SG_FOREVER: until the next order or a reset).
 * Shadow keeps the machine running from closed and enforces nothing.
 */
static __always_inline void sg_breaker_order(struct sg_breaker *b, const struct sg_policy *p,
					     __u8 to, __u64 now, __u64 until_ns,
					     struct sg_transition *mv)
{
	sg_breaker_enter(b, p, to, SG_REASON_MANUAL, 0, now, mv);
	b->shadow = to == SG_SHADOW;
	if (b->shadow)
		b->state = SG_CLOSED;
	b->order_until_ns = until_ns;
	b->last.deadline_ns = until_ns;
	*mv = b->last;
}

/*
 * Back to closed with everything at zero and a new generation. *mv reports a
 * transition only if the state (or shadow) changed.
 */
static __always_inline void sg_breaker_reset(struct sg_breaker *b, const struct sg_policy *p,
					     __u64 now, struct sg_transition *mv)
{
	bool was_closed = b->state == SG_CLOSED && !b->shadow;

	sg_breaker_enter(b, p, SG_CLOSED, SG_REASON_RESET, 0, now, mv);
	b->shadow = 0;
	b->order_until_ns = 0;
	b->this_open_ns = 0;
	if (was_closed) {
		b->last.seq--;
		mv->moved = 0;
	}
}

/* The state as it is shown: an overlaid shadow hides the machine's own. */
static __always_inline enum sg_state sg_breaker_shown(const struct sg_breaker *b)
{
	return b->shadow ? SG_SHADOW : (enum sg_state)b->state;
}

#endif
