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

/*
 * Ends what is due of a flow, if it is still at `serial`: 1 if something was. An
 * event may be quicker: the outcome is claimed under the lock, by its serial.
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
	sg_flow_due(f, &s.server->policy, sg_asleep(0), &due);
	if (due.what == SG_DUE_NOTHING || due.at > now)
		return 0;
	if (due.what == SG_DUE_UNUSED) {
		sg_give_back(&s, f, false);
		return 1;
	}
	if (due.what == SG_DUE_SILENCE) {
		sg_exchange_complete(&s, f, now, f->last_ns);
		return 1;
	}
	since = sg_flow_connecting(f) ? f->connect_ns : f->request_ns;
	sg_result_is(&r, due.outcome, due.cause);
	r.latency_ns = now > since ? now - since : 0;
	sg_report(&s, f, &r);
	return 1;
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
