/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the clock and a verdict mean for one flow: pure rules over its record.
 * User space asks them of a copy, to choose whom to look at; the programs ask
 * them again of the record itself, and only their answer counts.
 */
#ifndef SWITCHGEAR_FLOW_H
#define SWITCHGEAR_FLOW_H

#include "abi.h"
#include "verdict.h"

/* An answer so short, first after a TLS handshake, may be session tickets only. */
#define SG_TLS_TICKETS_MAX 700

/* Is the request on this flow part of a TLS handshake? */
static __always_inline bool sg_exchange_handshake(const struct sg_flow *f)
{
	return (f->flags & (SG_FLOW_TLS | SG_FLOW_TLS_READY)) == SG_FLOW_TLS;
}

/* Does it go by a proxy? */
static __always_inline bool sg_flow_proxied(const struct sg_flow *f)
{
	return f->proxied == SG_PROXIED_EACH || f->proxied == SG_PROXIED_TUNNEL;
}

/* Is it known only by what is sent on it whose it is, and so stopped there if at all? */
static __always_inline bool sg_flow_late(const struct sg_flow *f)
{
	return sg_flow_proxied(f) || f->proxied == SG_PROXIED_UNNAMED;
}

/* Could what came so far be no answer at all, but TLS session tickets? */
static __always_inline bool sg_exchange_ambiguous(const struct sg_flow *f)
{
	return f->flags & SG_FLOW_TLS_READY && f->exchange <= 3 &&
	       f->rx_bytes <= SG_TLS_TICKETS_MAX;
}

/* Requests whose answer may stay out for ever, and whose failure proves nothing. */
static __always_inline bool sg_exchange_neutral(const struct sg_flow *f)
{
	return f->method == SG_METHOD_GET || f->method == SG_METHOD_DELETE ||
	       f->method == SG_METHOD_HEAD || f->method == SG_METHOD_CONNECT;
}

/* Has its SYN left, and nothing come back? */
static __always_inline bool sg_flow_connecting(const struct sg_flow *f)
{
	return (f->flags & (SG_FLOW_TUPLE | SG_FLOW_OPENED)) == SG_FLOW_TUPLE;
}

/* --- patience ---------------------------------------------------------------------- */

#define SG_PATIENCE_MAX 10  /* times the configured limit */
#define SG_LONGEST_SHIFT 10 /* each answer takes so much of the difference off the longest */

/* The longest answer, now that one took `latency`. */
static __always_inline __u64 sg_longest(__u64 longest, __u64 latency)
{
	return latency >= longest ? latency : longest - ((longest - latency) >> SG_LONGEST_SHIFT);
}

/*
 * How long a server is given that is given `limit` by its policy: a quarter more than its
 * longest answer takes if that is more, so that what always took so long is no failure.
 */
static __always_inline __u64 sg_patience(const struct sg_server *srv, __u64 limit)
{
	__u64 most = limit < SG_FOREVER / SG_PATIENCE_MAX ? limit * SG_PATIENCE_MAX : limit;
	__u64 usual = srv->longest_ns + srv->longest_ns / 4;

	if (usual <= limit)
		return limit;
	return usual < most ? usual : most;
}

/* Since when a connect or an exchange has waited: an answer that is still coming is alive. */
static __always_inline __u64 sg_flow_waits(const struct sg_flow *f, bool connecting)
{
	if (connecting)
		return f->connect_ns;
	return f->last_ns > f->request_ns ? f->last_ns : f->request_ns;
}

/* How long this host slept since the connect or the exchange began; `asleep`: since boot. */
static __always_inline __u64 sg_flow_slept(const struct sg_flow *f, __u64 asleep)
{
	return asleep > f->asleep_ns + SG_NAP_NS ? asleep - f->asleep_ns : 0;
}

/* --- what the clock ends ----------------------------------------------------------- */

enum sg_due_what {
	SG_DUE_NOTHING, /* only events end it, or nothing does */
	SG_DUE_UNUSED,  /* a probe that its connection never used goes back */
	SG_DUE_SILENCE, /* an answer of unknown end is over */
	SG_DUE_OVERDUE, /* a connect or an answer did not come in time */
};

struct sg_due {
	__u64 at; /* boot time; SG_FOREVER with SG_DUE_NOTHING */
	__u8 what;
	__u8 outcome; /* enum sg_class, SG_DUE_OVERDUE */
	__u8 cause;   /* enum sg_cause */
};

/* The connect or the exchange: its limit, or the lease of its probe if that ends first. */
static __always_inline void sg_due_limit(const struct sg_flow *f, const struct sg_server *srv,
					 bool connecting, struct sg_due *d)
{
	__u64 limit = connecting ? srv->policy.connect_ns
				 : sg_patience(srv, srv->policy.timeout_ns);

	d->what = SG_DUE_OVERDUE;
	d->outcome = SG_HARD;
	d->cause = connecting ? SG_CAUSE_TIMEOUT : SG_CAUSE_NO_ANSWER;
	if (connecting && f->flags & SG_FLOW_OPTIONS) {
		d->outcome = SG_CALLER;
		d->cause = SG_CAUSE_OPTIONS;
	}
	d->at = sg_flow_waits(f, connecting) + limit;
	if (f->lease_ns && f->lease_ns < d->at) {
		d->at = f->lease_ns;
		d->cause = SG_CAUSE_LEASE;
	} else if (!connecting && sg_exchange_ambiguous(f) && f->rx_bytes) {
		d->outcome = SG_UNKNOWN;
		d->cause = SG_CAUSE_UNSEEN;
	}
}

/* What the clock will make of a flow, and when; nobody is late for the time that this host,
 * which was asleep for `asleep` since boot, slept meanwhile. */
static __always_inline void sg_flow_due(const struct sg_flow *f, const struct sg_server *srv,
					__u64 asleep, struct sg_due *d)
{
	const struct sg_policy *p = &srv->policy;
	bool connecting = sg_flow_connecting(f);

	d->at = SG_FOREVER;
	d->what = SG_DUE_NOTHING;
	d->outcome = SG_SUCCESS;
	d->cause = SG_CAUSE_NONE;
	if (f->flags & (SG_FLOW_UDP | SG_FLOW_DEAD))
		return;
	if (!connecting && f->phase == SG_PHASE_IDLE) {
		if (!(f->flags & SG_FLOW_PROBE))
			return;
		d->what = SG_DUE_UNUSED;
		d->at = f->connect_ns + p->probe_lease_ns;
		if (f->flags & SG_FLOW_OPENED) {
			d->at = f->opened_ns > f->last_ns ? f->opened_ns : f->last_ns;
			d->at += SG_UNUSED_NS;
		}
	} else if (!connecting && f->phase == SG_PHASE_BODY &&
		   f->http.framing == SG_FRAMING_UNKNOWN && !sg_exchange_ambiguous(f)) {
		d->what = SG_DUE_SILENCE;
		d->at = f->last_ns + SG_SILENCE_NS;
	} else if (!(f->flags & SG_FLOW_COUNTED) && (connecting || !sg_exchange_neutral(f))) {
		sg_due_limit(f, srv, connecting, d);
		d->at += sg_flow_slept(f, asleep);
	}
}

/* --- whose an outcome is ------------------------------------------------------------- */

/* What the clock counted, and the breaker has taken: a late answer may correct it. */
#define SG_FLOW_CORRECTABLE (SG_FLOW_OVERDUE | SG_FLOW_SETTLED)

/*
 * Somebody saw the connect or the exchange end; the caller holds the record's lock. Returns the
 * flags before. Without SG_FLOW_COUNTED in them the outcome, and its probe, are his to
 * report. With both of SG_FLOW_CORRECTABLE it was counted as overdue, and is his to
 * correct. `answered`: an answer came; `overdue`: only time went by. An answer that comes
 * between the report and sg_flow_settle() is left to whoever settles.
 */
static __always_inline __u32 sg_flow_claim(struct sg_flow *f, bool overdue, bool answered)
{
	__u32 was = f->flags;

	if (!(was & SG_FLOW_COUNTED)) {
		f->flags = (was & ~(SG_FLOW_PROBE | SG_FLOW_CORRECTABLE | SG_FLOW_LATE)) |
			   SG_FLOW_COUNTED | (overdue ? SG_FLOW_OVERDUE : 0);
		f->lease_ns = 0;
		return was;
	}
	if (!answered || !(was & SG_FLOW_OVERDUE))
		return was & ~SG_FLOW_OVERDUE;
	f->flags = was & SG_FLOW_SETTLED ? was & ~SG_FLOW_OVERDUE : was | SG_FLOW_LATE;
	return was;
}

/* The breaker has taken what was overdue, under the same lock: true if an answer came first. */
static __always_inline bool sg_flow_settle(struct sg_flow *f)
{
	f->flags |= SG_FLOW_SETTLED;
	return f->flags & SG_FLOW_OVERDUE && f->flags & SG_FLOW_LATE;
}

/* --- what a verdict ends ------------------------------------------------------------ */

/*
 * The fate of a flow. Quarantine spares nobody; an opening breaker ends idle
 * connections of older generations at once and busy ones at the end of their
 * exchange; a request stopped at egress ends its connection. One that has not told yet whose
 * it is waits until it has.
 */
static __always_inline __u8 sg_flow_disposition(const struct sg_flow *f,
						const struct sg_server *srv, bool observe,
						bool quarantined, __u64 now)
{
	const struct sg_breaker *b = &srv->breaker;

	if (observe || srv->flags & SG_SRV_OBSERVE || f->flags & SG_FLOW_DEAD ||
	    f->proxied == SG_PROXIED_UNNAMED)
		return SG_DISPOSITION_LIVE;
	if (!(f->flags & SG_FLOW_TUPLE) && !(f->flags & SG_FLOW_UDP))
		return SG_DISPOSITION_LIVE; /* no SYN left yet; it will be stopped */
	if (quarantined)
		return SG_DISPOSITION_KILL;
	if (f->flags & (SG_FLOW_EXEMPT | SG_FLOW_UDP))
		return SG_DISPOSITION_LIVE;
	if (f->flags & SG_FLOW_STOPPED)
		return SG_DISPOSITION_KILL;
	if (!(f->flags & SG_FLOW_OPENED) || f->generation == b->generation ||
	    !sg_breaker_denies(b, now))
		return SG_DISPOSITION_LIVE;
	return f->phase == SG_PHASE_IDLE ? SG_DISPOSITION_KILL : SG_DISPOSITION_BUSY;
}

/* The fate of one that was redirected to another server, now that its own gets connects again:
 * it goes back there after its exchange. */
static __always_inline __u8 sg_flow_drains(const struct sg_flow *f)
{
	if (f->flags & SG_FLOW_DEAD || !(f->flags & SG_FLOW_OPENED))
		return SG_DISPOSITION_LIVE;
	return f->phase == SG_PHASE_IDLE ? SG_DISPOSITION_KILL : SG_DISPOSITION_BUSY;
}

#endif
