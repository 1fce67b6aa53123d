/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What programs say and count: the configuration and the scope of a server, its
 * counters and histograms, the pulse that gives the sweep its work, and the events
 * of the ring.
 */
#ifndef SWITCHGEAR_EVENT_BPF_H
#define SWITCHGEAR_EVENT_BPF_H

#include "hist.h"
#include "maps.bpf.h"

struct sg_scope {
	struct sg_server *server;
	struct sg_stats *stats; /* NULL: not counted */
	__u64 cookie;           /* of the flow that is looked at, 0: of none */
	__u32 id;
};

static __always_inline struct sg_cfg *sg_config(void)
{
	return SG_ONLY(cfg);
}

static __always_inline __u64 sg_quarantine_until(__u32 id)
{
	__u64 *until = bpf_map_lookup_elem(&quarantine, &id);

	return until ? *until : 0;
}

static __always_inline bool sg_scope_find(struct sg_scope *s, __u32 id)
{
	s->id = id;
	s->server = bpf_map_lookup_elem(&srv_state, &id);
	s->stats = bpf_map_lookup_elem(&stats, &id);
	return s->server && s->server->flags & SG_SRV_USED;
}

/* The server that has an endpoint (SG_AT); false if that entry was another server's. */
static __always_inline bool sg_scope_at(struct sg_scope *s, __u32 at)
{
	return sg_scope_find(s, SG_AT_ID(at)) &&
	       s->server->incarnation % SG_AT_INCARNATIONS == SG_AT_INCARNATION(at);
}

/*
 * Counters are per CPU and still added to atomically: on one CPU a hook in
 * process context can be interrupted by one in softirq, or preempted.
 */
#define SG_COUNT(scope, field)                                           \
	do {                                                             \
		if ((scope)->stats)                                      \
			__sync_fetch_and_add(&(scope)->stats->field, 1); \
	} while (0)

static __always_inline void sg_hist_add(__u32 id, __u32 metric, __u64 ns)
{
	struct sg_hist_key key = { .server = id, .metric = metric };
	struct sg_hist *h = bpf_map_lookup_elem(&hist, &key);
	__u32 i = sg_hist_index(ns);

	if (!h || i >= SG_HIST_BUCKETS)
		return;
	__sync_fetch_and_add(&h->sum_ns, ns);
	__sync_fetch_and_add(&h->count, 1);
	__sync_fetch_and_add(&h->bucket[i], 1);
}

/* --- the pulse --------------------------------------------------------------- */

#define SG_PULSE_STEP_NS 10000000ULL

/* Something began, or went on, whose end the clock may have to bring: the sweep has work. */
static __always_inline void sg_pulse_exchange(__u64 now)
{
	struct sg_pulse *p = SG_ONLY(pulse);

	if (p)
		p->turn_ns = now;
}

/* A probe was handed out: soon it goes back, or is decided. */
static __always_inline void sg_pulse_probe(__u64 now)
{
	__u32 zero = 0;
	struct sg_pulse *p = bpf_map_lookup_elem(&pulse, &zero);

	if (p)
		p->probe_ns = now;
}

/* At each segment of such an answer: seldom enough not to be fought over by processors. */
static __always_inline void sg_pulse_silent(__u64 now)
{
	struct sg_pulse *p = SG_ONLY(pulse);

	if (p && p->silent_ns + SG_PULSE_STEP_NS < now)
		p->silent_ns = now;
}

/* --- events ----------------------------------------------------------------- */

static __always_inline void sg_event_lost(void)
{
	struct sg_pulse *p = SG_ONLY(pulse);

	if (p)
		__sync_fetch_and_add(&p->lost_events, 1);
}

static __always_inline struct sg_event *sg_event_new(__u32 type, __u32 server, __u64 now)
{
	struct sg_event *e = bpf_ringbuf_reserve(&ev, sizeof(*e), 0);

	if (!e) {
		sg_event_lost();
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->t_ns = now;
	e->type = type;
	e->server = server;
	return e;
}

/* `source`: the only one whose failures brought it, or SG_SOURCE_NONE. */
static __always_inline void sg_event_transition(__u32 server, const struct sg_transition *mv,
						__u32 source, __u64 now)
{
	struct sg_event *e = sg_event_new(SG_EV_TRANSITION, server, now);

	if (!e)
		return;
	e->generation = mv->generation;
	e->source = source;
	e->move = *mv;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

#endif
