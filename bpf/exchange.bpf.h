/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The end of an exchange (a request and its answer), which packets, socket states
 * and the sweep all bring about.
 */
#ifndef SWITCHGEAR_EXCHANGE_BPF_H
#define SWITCHGEAR_EXCHANGE_BPF_H

#include "event.bpf.h"
#include "flows.bpf.h"
#include "http1.h"
#include "report.bpf.h"

static __always_inline void sg_exchange_result(const struct sg_flow *f, struct sg_result *r,
					       __u64 now, __u64 end)
{
	r->now = now;
	r->latency_ns = end > f->request_ns ? end - f->request_ns : 0;
	r->latency_ns = sg_awake_for(r->latency_ns, f->asleep_ns);
	r->first_ns = f->first_ns > f->request_ns ? f->first_ns - f->request_ns : 0;
	r->retry_after_ns = f->http.number[SG_SLOT_RETRY] * 1000000000ULL;
}

/*
 * Reports the outcome of an exchange: of its header (`whole` false), when the status
 * alone decides, or of its whole answer. `end` is the time of the last byte.
 * Returns true if this opened the breaker.
 */
static __always_inline bool sg_exchange_end(const struct sg_scope *s, struct sg_flow *f, __u64 now,
					    __u64 end, bool whole)
{
	struct sg_result r = { .serial = f->serial, .cause = SG_CAUSE_ANSWER };

	if (f->method != SG_METHOD_UNKNOWN)
		r.outcome = sg_http_class(&f->http, f->method, &r.cause);
	r.flags = SG_OUT_COMPLETE;
	if (!whole && r.outcome != SG_HARD && r.outcome != SG_SOFT)
		return false;
	sg_exchange_result(f, &r, now, end);
	if (whole && r.outcome == SG_SUCCESS && !sg_flow_silent(f)) {
		sg_hist_add(s->id, SG_METRIC_FIRST_BYTE, r.first_ns);
		sg_hist_add(s->id, SG_METRIC_ANSWER, r.latency_ns);
	}
	return sg_report(s, f, &r);
}

/* The flow is idle from now on; if it was to die after this exchange, the daemon is told. */
static __always_inline void sg_exchange_idle(const struct sg_scope *s, struct sg_flow *f, __u64 now)
{
	f->phase = SG_PHASE_IDLE;
	if (f->flags & SG_FLOW_LAST)
		sg_ask_kill(s, f, now);
}

/* The answer is complete: reports it unless its status already was. */
static __always_inline void sg_exchange_complete(const struct sg_scope *s, struct sg_flow *f,
						 __u64 now, __u64 end)
{
	if (!sg_exchange_handshake(f))
		sg_exchange_end(s, f, now, end, true);
	sg_exchange_idle(s, f, now);
}

#endif
