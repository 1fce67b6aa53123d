/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the clock does to one flow: for the daemon's sweep and for sg_watch, which
 * takes its place while there is none. Functions of numbers, so that the verifier
 * walks them once and not for each flow of a loop.
 */
#ifndef SWITCHGEAR_SWEEP_BPF_H
#define SWITCHGEAR_SWEEP_BPF_H

#include "exchange.bpf.h"
#include "flow.h"
#include "flows.bpf.h"
#include "maps.bpf.h"
#include "report.bpf.h"

enum sg_swept {
	SG_SWEPT_NOTHING,
	SG_SWEPT,
	SG_SWEPT_LATE, /* and meanwhile it was answered: see sg_flow_claim() */
	SG_SWEPT_LATE_CONNECT,
};

/* What was overdue came to an end while that was counted: both are, the answer last. */
__weak __noinline int sg_sweep_late(__u64 cookie, __u64 now)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);

	if (f)
		sg_exchange_end(&s, f, now, f->last_ns, true);
	return 0;
}

/*
 * Ends what is due of a flow, if it is still at `serial`: enum sg_swept. An event may
 * be quicker: the outcome is claimed under the lock, by its serial.
 */
__weak __noinline int sg_sweep_one(__u64 cookie, __u32 serial, __u64 now)
{
	struct sg_result r = { .now = now, .serial = serial };
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);
	struct sg_due due;
	__u64 since;

	if (!f || f->serial != serial)
		return 0;
	sg_flow_due(f, s.server, sg_asleep(0), &due);
	if (due.what == SG_DUE_NOTHING || due.at > now)
		return 0;
	if (due.what == SG_DUE_UNUSED) {
		sg_give_back(&s, f, false);
		return SG_SWEPT;
	}
	if (due.what == SG_DUE_SILENCE) {
		if (!(f->flags & SG_FLOW_TLS)) {
			sg_exchange_complete(&s, f, now, f->last_ns);
		} else { /* perhaps it is over: what comes next tells */
			sg_flags(&s, f, 0, SG_FLOW_QUIET);
			sg_exchange_idle(&s, f, now);
		}
		return SG_SWEPT;
	}
	since = sg_flow_connecting(f) ? f->connect_ns : f->request_ns;
	sg_result_is(&r, due.outcome, due.cause);
	r.latency_ns = now > since ? now - since : 0;
	sg_report(&s, f, &r);
	if (!sg_conclude(&s, f, serial))
		return SG_SWEPT;
	return f->exchange ? SG_SWEPT_LATE : SG_SWEPT_LATE_CONNECT;
}

/* The same; true if something was. Here and not there, for want of stack. */
static __always_inline bool sg_sweep_flow(__u64 cookie, __u32 serial, __u64 now)
{
	int swept = sg_sweep_one(cookie, serial, now);

	if (swept == SG_SWEPT_LATE)
		sg_sweep_late(cookie, now);
	else if (swept == SG_SWEPT_LATE_CONNECT)
		sg_connect_late(cookie, now);
	return swept != SG_SWEPT_NOTHING;
}

/* Removes a record that has been dead long enough for nobody to hold it: 1 if it did. */
__weak __noinline int sg_bury_one(__u64 cookie, __u64 now)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	bool gone;

	if (!f)
		return 0;
	bpf_spin_lock(&f->lock);
	gone = f->cookie == cookie && f->flags & SG_FLOW_DEAD && f->dead_ns + SG_GRACE_NS <= now;
	if (gone) /* a connect that finds it like this makes do without */
		f->flags |= SG_FLOW_GONE;
	bpf_spin_unlock(&f->lock);
	return gone && !bpf_map_delete_elem(&flows, &cookie);
}

#endif
