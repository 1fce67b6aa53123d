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
#include "proxied.bpf.h"
#include "report.bpf.h"

/*
 * Bytes of an answer passed unseen: they came before what was missing in front
 * of them, and TCP had them in its queue. A header with a hole tells its status
 * at most; a hole is bridged where a length, or the data of a chunk, says what it was.
 */
__weak __noinline int sg_flow_skip(__u64 cookie, __u32 gap)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	__u64 left;

	if (!f)
		return 0;
	left = f->http.number[SG_SLOT_LENGTH];
	if (f->phase != SG_PHASE_BODY) {
		f->phase = SG_PHASE_BODY;
		sg_http_hole(&f->http);
	} else if (f->http.framing == SG_FRAMING_LENGTH) {
		f->http.number[SG_SLOT_LENGTH] = left > gap ? left - gap : 0;
	} else if (f->http.framing == SG_FRAMING_CHUNKED) {
		if (f->http.chunk != SG_CHUNK_DATA || left < gap)
			f->http.framing = SG_FRAMING_UNKNOWN;
		else
			sg_chunk_skip(&f->http, gap);
	}
	return 0;
}

/* How long it is from now to a date that Retry-After named (http1.h); 0 if nobody knows. */
__weak __noinline __u64 sg_date_ns(__u64 digits, __u64 now)
{
	struct sg_cfg *c = sg_config();

	return c && c->wall_ns ? sg_http_date_ns(digits, now + c->wall_ns) : 0;
}

static __always_inline void sg_exchange_result(const struct sg_flow *f, struct sg_result *r,
					       __u64 now, __u64 end)
{
	r->now = now;
	r->latency_ns = end > f->request_ns ? end - f->request_ns : 0;
	r->latency_ns = sg_awake_for(r->latency_ns, f->asleep_ns);
	r->first_ns = f->first_ns > f->request_ns ? f->first_ns - f->request_ns : 0;
	if (f->http.bits & SG_HTTP_DATE)
		r->retry_after_ns = sg_date_ns(f->http.number[SG_SLOT_RETRY], now);
	else
		r->retry_after_ns = f->http.number[SG_SLOT_RETRY] * 1000000000ULL;
}

/* What the answer means, as far as it has been read: for a server that has told what it speaks. */
static __always_inline __u8 sg_exchange_class(const struct sg_scope *s, const struct sg_flow *f,
					      __u8 *cause)
{
	__u8 outcome = sg_http_class(&f->http, f->method, cause);

	if (f->proxied == SG_PROXIED_EACH && outcome != SG_SUCCESS &&
	    sg_http_by_proxy(&f->http, *cause)) {
		*cause = SG_CAUSE_PROXY;
		return outcome == SG_CALLER ? SG_CALLER : SG_UNKNOWN;
	}
	if (!(s->server->flags & SG_SRV_SPOKE) || !sg_http_no_route(&f->http, f->method))
		return outcome;
	*cause = SG_CAUSE_NO_ROUTE;
	return SG_HARD;
}

/* A POST had its answer: has the server told now in what it speaks? */
static __always_inline void sg_exchange_learn(const struct sg_scope *s, const struct sg_flow *f)
{
	if (s->server->flags & SG_SRV_SPOKE || f->method != SG_METHOD_POST ||
	    !(f->http.bits & SG_HTTP_TYPE_MCP) || sg_flow_silent(f))
		return;
	bpf_spin_lock(&s->server->lock);
	s->server->flags |= SG_SRV_SPOKE;
	bpf_spin_unlock(&s->server->lock);
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
		r.outcome = sg_exchange_class(s, f, &r.cause);
	if (r.outcome != SG_UNKNOWN)
		r.flags = SG_OUT_COMPLETE;
	if (!whole && r.outcome != SG_HARD && r.outcome != SG_SOFT)
		return false;
	sg_exchange_result(f, &r, now, end);
	if (r.outcome == SG_SUCCESS)
		sg_exchange_learn(s, f);
	if (whole && r.outcome == SG_SUCCESS && !sg_flow_silent(f)) {
		sg_hist_add(s->id, SG_METRIC_FIRST_BYTE, r.first_ns);
		sg_hist_add(s->id, SG_METRIC_ANSWER, r.latency_ns);
	}
	return sg_report(s, f, &r);
}

/* A connect that was counted as unanswered was answered: it is nobody's failure. */
__weak __noinline int sg_connect_late(__u64 cookie, __u64 now)
{
	struct sg_result r = { .now = now };
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);

	if (!f || !(f->flags & SG_FLOW_OVERDUE))
		return 0;
	r.serial = f->serial;
	sg_result_is(&r, SG_CALLER, SG_CAUSE_TIMEOUT);
	r.flags = SG_OUT_LATE;
	r.latency_ns = now - f->connect_ns;
	sg_report(&s, f, &r);
	return 0;
}

/* The flow is idle from now on; if it was to die after this exchange, the daemon is told. */
static __always_inline void sg_exchange_idle(const struct sg_scope *s, struct sg_flow *f, __u64 now)
{
	f->phase = SG_PHASE_IDLE;
	if (f->proxied == SG_PROXIED_EACH)
		sg_proxied_idle(s->cookie, now);
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

/* The answer is complete; `end` is the time of its last byte. A function of its own, so that the verifier
 * walks it once. */
__weak __noinline int sg_flow_complete(__u64 cookie, __u64 now, __u64 end)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);

	if (f)
		sg_exchange_complete(&s, f, now, end);
	return 0;
}

#endif
