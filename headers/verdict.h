/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The verdict: how quarantine, exemption, observe mode and the breaker's
 * admission combine. One place for every hook.
 */
#ifndef SWITCHGEAR_VERDICT_H
#define SWITCHGEAR_VERDICT_H

#include "abi.h"

enum sg_verdict {
	SG_VERDICT_ALLOW,
	SG_VERDICT_REFUSE,
	SG_VERDICT_WOULD_REFUSE, /* allowed, and counted as would_deny */
};

/* Is a quarantine that ends at `until_ns` (0: none) in force? */
static __always_inline bool sg_quarantined(__u64 until_ns, __u64 now)
{
	return until_ns > now;
}

/* Has the daemon shown life within its lease? */
static __always_inline bool sg_daemon_alive(const struct sg_cfg *cfg, __u64 now)
{
	return cfg->lease_until_ns > now;
}

/*
 * Is nothing refused of this server just now: in observe mode, or while everything is let pass for
 * an emergency? That ends by the kernel's own clock, whatever became of the daemon.
 */
static __always_inline bool sg_lets_pass(const struct sg_cfg *cfg, const struct sg_server *srv,
					 __u64 now)
{
	/* without branches, each of which would double what the verifier walks: a time ahead is negative */
	return cfg->observe | (srv->flags & SG_SRV_OBSERVE) | (now - cfg->bypass_until_ns) >> 63;
}

/* Are the server's addresses others', too, so that only what names it may be refused? */
static __always_inline bool sg_by_name(const struct sg_server *srv)
{
	return srv->flags & SG_SRV_NAMED && srv->flags & (SG_SRV_SHARED | SG_SRV_LEARNED);
}

/* Quarantine always wins: over an exemption and over a breaker that admits, not over observe. */
static __always_inline enum sg_verdict sg_verdict(bool quarantined, bool exempt, bool observe,
						  enum sg_admit admit)
{
	bool refuse = quarantined || (!exempt && admit == SG_DENY);

	if (refuse)
		return observe ? SG_VERDICT_WOULD_REFUSE : SG_VERDICT_REFUSE;
	return admit == SG_WOULD_DENY && !exempt ? SG_VERDICT_WOULD_REFUSE : SG_VERDICT_ALLOW;
}

/* Does a call that ended so look as if nobody were there any more? */
static __always_inline bool sg_looks_gone(__u8 outcome, __u8 cause)
{
	return outcome == SG_HARD && (cause == SG_CAUSE_REFUSED || cause == SG_CAUSE_RESET ||
				      cause == SG_CAUSE_TRUNCATED || cause == SG_CAUSE_UNREACHABLE);
}

/*
 * Does the breaker, as it stands, refuse a call that holds no probe and is
 * outside the ramp's share? For the verdict that `status` shows, for killing
 * idle connections and for datagrams, which cannot be probes.
 */
static __always_inline bool sg_breaker_denies(const struct sg_breaker *b, __u64 now)
{
	if (b->shadow)
		return false;
	if (b->state == SG_FORCED_OPEN)
		return b->order_until_ns > now;
	return b->state == SG_OPEN || b->state == SG_HALF_OPEN;
}

#endif
