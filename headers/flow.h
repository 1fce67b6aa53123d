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
	       f->method == SG_METHOD_HEAD;
}

/* Has its SYN left, and nothing come back? */
static __always_inline bool sg_flow_connecting(const struct sg_flow *f)
{
	return (f->flags & (SG_FLOW_TUPLE | SG_FLOW_OPENED)) == SG_FLOW_TUPLE;
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
static __always_inline void sg_due_limit(const struct sg_flow *f, const struct sg_policy *p,
					 bool connecting, struct sg_due *d)
{
	__u64 since = connecting ? f->connect_ns : f->request_ns;
	__u64 limit = connecting ? p->connect_ns : p->timeout_ns;

	/* an answer that is still coming is alive */
	if (!connecting && f->last_ns > since)
		since = f->last_ns;
	d->what = SG_DUE_OVERDUE;
	d->outcome = SG_HARD;
	d->cause = connecting ? SG_CAUSE_TIMEOUT : SG_CAUSE_NO_ANSWER;
	if (connecting && f->flags & SG_FLOW_OPTIONS) {
		d->outcome = SG_CALLER;
		d->cause = SG_CAUSE_OPTIONS;
	}
	d->at = since + limit;
	if (f->lease_ns && f->lease_ns < d->at) {
		d->at = f->lease_ns;
		d->cause = SG_CAUSE_LEASE;
	} else if (!connecting && sg_exchange_ambiguous(f) && f->rx_bytes) {
		d->outcome = SG_CALLER;
	}
}

/* What the clock will make of a flow, and when; nobody is late for the time that this host,
 * which was asleep for `asleep` since boot, slept meanwhile. */
static __always_inline void sg_flow_due(const struct sg_flow *f, const struct sg_policy *p,
					__u64 asleep, struct sg_due *d)
{
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
		sg_due_limit(f, p, connecting, d);
		d->at += sg_flow_slept(f, asleep);
	}
}

/* --- what a verdict ends ------------------------------------------------------------ */

/*
 * The fate of a flow. Quarantine spares nobody; an opening breaker ends idle
 * connections of older generations at once and busy ones at the end of their
 * exchange; a request stopped at egress ends its connection.
 */
static __always_inline __u8 sg_flow_disposition(const struct sg_flow *f,
						const struct sg_server *srv, bool observe,
						bool quarantined, __u64 now)
{
	const struct sg_breaker *b = &srv->breaker;

	if (observe || srv->flags & SG_SRV_OBSERVE || f->flags & SG_FLOW_DEAD)
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

#endif
