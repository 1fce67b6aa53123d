/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of tracked sockets: found through the socket's storage, changed under
 * their lock, ended without being removed (see struct sg_flow). Whoever changes
 * one says which cookie he means: the element may be another socket's by now.
 */
#ifndef SWITCHGEAR_FLOWS_BPF_H
#define SWITCHGEAR_FLOWS_BPF_H

#include "addr.bpf.h"
#include "admit.bpf.h"
#include "event.bpf.h"
#include "flow.h"
#include "maps.bpf.h"
#include "report.bpf.h"
#include "route.bpf.h"
#include "verdict.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define SG_TCP_ESTABLISHED 1
#define SG_TCP_CLOSE 7

/*
 * The record that a socket's storage points to; `stored` is NULL for sockets of
 * others, to which that one failed lookup is all that happens. *cookie is for
 * struct sg_scope.
 */
static __always_inline struct sg_flow *sg_flow_at(const __u64 *stored, __u64 *cookie)
{
	if (!stored)
		return NULL;
	*cookie = *stored;
	return bpf_map_lookup_elem(&flows, cookie);
}

/* The same with the scope of its server; NULL if that is not in use any more. */
static __always_inline struct sg_flow *sg_flow_scope(const __u64 *stored, struct sg_scope *s)
{
	__u64 cookie;
	struct sg_flow *f = sg_flow_at(stored, &cookie);

	if (!f || !sg_scope_find(s, f->server) || f->incarnation != s->server->incarnation)
		return NULL;
	s->cookie = cookie;
	return f;
}

/* What the record that a socket's storage points to says of whose it may be (enum sg_proxied). */
static __always_inline __u8 sg_flow_whose(const __u64 *stored)
{
	__u64 cookie;
	struct sg_flow *f = sg_flow_at(stored, &cookie);

	return f ? f->proxied : SG_PROXIED_NOT;
}

/* Is one sequence number before another? */
static __always_inline bool sg_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

/* The record of a cookie and the scope of its server, or NULL. */
static __always_inline struct sg_flow *sg_flow_find(__u64 cookie, struct sg_scope *s)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);

	if (!f || f->cookie != cookie || !sg_scope_find(s, f->server) ||
	    f->incarnation != s->server->incarnation)
		return NULL;
	s->cookie = cookie;
	return f;
}

/*
 * Changes a flow's flags and returns what they were. Packets in and out, state
 * changes and walks meet on different CPUs: whoever sees SG_FLOW_PROBE or a
 * missing SG_FLOW_COUNTED in the result owns that probe or that outcome. Of a
 * record that is another socket's by now nobody owns anything.
 */
static __always_inline __u32 sg_flags(const struct sg_scope *s, struct sg_flow *f, __u32 clear,
				      __u32 set)
{
	__u32 was = ~SG_FLOW_PROBE;

	bpf_spin_lock(&f->lock);
	if (f->cookie == s->cookie) {
		was = f->flags;
		f->flags = (was & ~clear) | set;
	}
	bpf_spin_unlock(&f->lock);
	return was;
}

/*
 * What becomes of a flow by where it goes (SG_AT); `home`: from the daemon's own namespace. There
 * anybody may listen at an address that its server has not taken: verdicts hold, but what is
 * answered proves nothing. From elsewhere, as from a container, it is the way to the server.
 */
static __always_inline __u32 sg_alias_kind(__u32 at, bool home)
{
	if (!SG_AT_ALIAS(at))
		return 0;
	return home ? SG_FLOW_ALIAS | SG_FLOW_UNTRUSTED : SG_FLOW_ALIAS;
}

/*
 * Is a connection to a server to be asked whom it names? What is in clear only where that
 * decides: it may call a server of one name by many.
 */
static __always_inline __u8 sg_named_how(const struct sg_server *srv, __u32 kind)
{
	if (!(srv->flags & SG_SRV_NAMED) || kind & (SG_FLOW_UDP | SG_FLOW_EXEMPT))
		return SG_PROXIED_NOT;
	return sg_by_name(srv) ? SG_PROXIED_UNNAMED : SG_PROXIED_CHECKED;
}

/* A flow of which nothing may be learned or counted. */
static __always_inline bool sg_flow_silent(const struct sg_flow *f)
{
	return f->flags & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT);
}

/* The flow is to end by itself, its kill or not: its socket is told by a callback. */
static __always_inline void sg_pulse_armed(__u64 now)
{
	struct sg_pulse *p = SG_ONLY(pulse);

	if (p)
		p->armed_ns = now;
}

/* Gives back the probe that a flow holds without having decided it. */
static __always_inline void sg_give_back(const struct sg_scope *s, struct sg_flow *f, bool complete)
{
	__u32 generation = 0;
	__u32 was = 0;

	if (!(f->flags & SG_FLOW_PROBE))
		return;
	bpf_spin_lock(&f->lock);
	if (f->cookie == s->cookie) {
		was = f->flags;
		f->flags = was & ~SG_FLOW_PROBE;
		generation = f->generation;
		f->lease_ns = 0;
	}
	bpf_spin_unlock(&f->lock);
	if (was & SG_FLOW_PROBE)
		sg_probe_back(s->id, f->source, generation, complete);
}

/* The flow goes on in this generation, with or without a probe of it. */
static __always_inline void sg_flow_stamp(const struct sg_scope *s, struct sg_flow *f,
					  const struct sg_admission *a)
{
	__u32 probe = a->admit == SG_ALLOW_PROBE ? SG_FLOW_PROBE : 0;

	bpf_spin_lock(&f->lock);
	if (f->cookie == s->cookie) {
		f->generation = a->generation;
		f->flags = (f->flags & ~SG_FLOW_PROBE) | probe;
	}
	bpf_spin_unlock(&f->lock);
}

/* --- options ------------------------------------------------------------------- */

#define SG_HOPS_ENOUGH 32 /* no path is longer that packets with the usual limits pass */

/* Has the socket options with which a connect fails that others succeed with? A device that
 * the caller chose, fewer hops than a path may have, signatures that nobody asked for. */
static __always_inline bool sg_options_own(struct tcp_sock *tp)
{
	struct inet_sock *inet = (struct inet_sock *)tp;
	__s16 hops = inet->uc_ttl;

	if (((struct sock *)tp)->__sk_common.skc_bound_dev_if)
		return true;
	if (hops >= 0 && hops < SG_HOPS_ENOUGH)
		return true;
	if (inet->pinet6) {
		hops = BPF_CORE_READ_BITFIELD_PROBED(inet->pinet6, hop_limit);
		if (hops >= 0 && hops < SG_HOPS_ENOUGH)
			return true;
	}
	return bpf_core_field_exists(tp->md5sig_info) && BPF_CORE_READ(tp, md5sig_info);
}

/* What a TCP socket is by itself: SG_FLOW_MPTCP, _UNTRUSTED, _OPTIONS. */
static __always_inline __u32 sg_socket_kind(struct tcp_sock *tp)
{
	__u32 flags = 0;

	if (bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp)
		flags |= SG_FLOW_MPTCP;
	/* a namespace that the initial user namespace does not own */
	if (((struct sock *)tp)->__sk_common.skc_net.net->user_ns->level)
		flags |= SG_FLOW_UNTRUSTED;
	if (sg_options_own(tp))
		flags |= SG_FLOW_OPTIONS;
	return flags;
}

/* --- outcomes ------------------------------------------------------------------ */

/* Is it a failure only because time went by? */
static __always_inline bool sg_by_clock(const struct sg_result *r)
{
	return r->cause == SG_CAUSE_NO_ANSWER || r->cause == SG_CAUSE_LEASE ||
	       r->cause == SG_CAUSE_TIMEOUT;
}

/*
 * Takes the outcome of what ended, and its probe, which then are the caller's
 * alone; returns the flags before: SG_FLOW_COUNTED in them, and others were
 * quicker, or the flow is at something else by now; but with SG_FLOW_OVERDUE and
 * SG_FLOW_SETTLED, too, it is the caller's to correct. What is reported goes through
 * the flow, so that the verifier knows nothing of its values, but inside the lock:
 * it is what this caller put.
 */
static __always_inline __u32 sg_outcome_take(const struct sg_scope *s, struct sg_flow *f,
					     struct sg_result *r)
{
	bool overdue = sg_by_clock(r);
	bool answered = r->flags & (SG_OUT_COMPLETE | SG_OUT_LATE);
	__u32 was;

	bpf_spin_lock(&f->lock);
	was = f->flags;
	if (f->cookie != s->cookie || f->serial != r->serial)
		was = (was | SG_FLOW_COUNTED) & ~SG_FLOW_OVERDUE;
	else
		was = sg_flow_claim(f, overdue, answered);
	f->outcome = r->outcome;
	f->cause = r->cause;
	f->result_flags = r->flags;
	r->outcome = *(volatile __u8 *)&f->outcome;
	r->cause = *(volatile __u8 *)&f->cause;
	r->flags = *(volatile __u8 *)&f->result_flags;
	r->generation = f->generation;
	bpf_spin_unlock(&f->lock);
	return was;
}

/* What comes late replaces the failure that was counted for it. */
static __always_inline void sg_correct(const struct sg_scope *s, const struct sg_flow *f,
				       const struct sg_result *r, __u64 retry_s)
{
	__u64 who = sg_who_pack(r->generation, s->id);
	__u64 what = sg_what_pack(r, retry_s, f->http.number[SG_SLOT_STATUS], f->method);
	__u64 times = sg_times_pack(r->latency_ns, r->first_ns);

	SG_COUNT(s, corrected);
	if (r->outcome == SG_SUCCESS)
		sg_weigh(who, what, r->now, times, f->cookie);
	sg_outcome_correct(who, what, r->now, times, f->cookie);
}

/* The breaker has taken what the clock ended: true if it came to an end meanwhile. */
static __always_inline bool sg_conclude(const struct sg_scope *s, struct sg_flow *f, __u32 serial)
{
	bool late = false;

	bpf_spin_lock(&f->lock);
	if (f->cookie == s->cookie && f->serial == serial)
		late = sg_flow_settle(f);
	bpf_spin_unlock(&f->lock);
	return late;
}

/*
 * Reports how the connect or the current exchange of a tracked flow ended, which *r
 * tells: counters, the breaker's transition, events. Trips here, at the failing
 * event. Nothing is learned from untrusted or exempt flows, and nothing twice.
 * Returns true if this opened the breaker.
 */
static __always_inline bool sg_report(const struct sg_scope *s, struct sg_flow *f,
				      struct sg_result *r)
{
	__u64 retry_s = sg_retry_s(r); /* later, verifiers before 6.12 take a third longer */
	__u64 what;
	int settled;
	__u32 was;

	if (sg_quarantined(sg_quarantine_until(s->id), r->now)) {
		/* what ends now, ends by our hand or as a consequence of it */
		r->outcome = SG_LOCAL;
		r->cause = SG_CAUSE_KILLED;
	}
	was = sg_outcome_take(s, f, r);
	if (was & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT))
		return false;
	if (was & SG_FLOW_COUNTED) {
		if ((was & SG_FLOW_CORRECTABLE) == SG_FLOW_CORRECTABLE)
			sg_correct(s, f, r, retry_s);
		return false;
	}
	if (was & SG_FLOW_PROBE)
		r->flags |= SG_OUT_PROBE;
	if (r->latency_ns > s->server->policy.slow_ns && r->outcome <= SG_SOFT)
		r->flags |= SG_OUT_SLOW;
	if (was & SG_FLOW_H2)
		r->flags |= SG_OUT_ESTIMATE;
	f->counted_ns = r->now;
	f->counted_flags = r->flags;
	sg_bring_up(s, r->now);
	what = sg_what_pack(r, retry_s, f->http.number[SG_SLOT_STATUS], f->method);
	what = sg_excuse(sg_who_pack(r->generation, s->id), what, r->now, r->latency_ns, f->cookie);
	what = sg_weigh(sg_who_pack(r->generation, s->id), what, r->now,
			sg_times_pack(r->latency_ns, r->first_ns), f->cookie);
	f->counted_outcome = sg_what_outcome(what);
	f->counted_cause = sg_what_cause(what);
	sg_count_outcome(s, sg_what_outcome(what), sg_what_cause(what));
	settled = sg_outcome_apply(sg_who_pack(r->generation, s->id), what, r->now,
				   sg_times_pack(r->latency_ns, r->first_ns), f->cookie);
	if (settled == SG_EFFECT_STALE)
		SG_COUNT(s, stale);
	if (settled == SG_EFFECT_OVERFLOW)
		SG_COUNT(s, overflow);
	return settled & SG_APPLIED_OPENED;
}

/*
 * Asks the daemon to kill a flow's socket now: at once and, as long as it is still
 * there, again after SG_ASK_NS, since the event may have been lost.
 */
static __always_inline void sg_ask_kill(const struct sg_scope *s, struct sg_flow *f, __u64 now)
{
	struct sg_event *e;

	if (f->asked_ns && now < f->asked_ns + SG_ASK_NS)
		return;
	f->asked_ns = now;
	e = sg_event_new(SG_EV_KILL, s->id, now);
	if (!e)
		return;
	e->generation = f->generation;
	e->cookie = s->cookie;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/* --- the life of a record -------------------------------------------------------- */

/* Bound to the register: clang would merge reads, and compute with the pointer to a socket. */
#define SG_READ(x)                              \
	({                                      \
		__typeof__(x) read_ = (x);      \
		asm volatile("" : "+r"(read_)); \
		read_;                          \
	})

static __always_inline void sg_sock_peer(struct bpf_sock *sk, __u32 family, __u8 *addr)
{
	if (family == SG_AF_INET)
		sg_addr_v4(addr, SG_READ(sk->dst_ip4));
	else
		sg_addr_v6(addr, SG_READ(sk->dst_ip6[0]), SG_READ(sk->dst_ip6[1]),
			   SG_READ(sk->dst_ip6[2]), SG_READ(sk->dst_ip6[3]));
}

/* A record for a socket that has none; NULL if that cannot be. */
static __always_inline struct sg_flow *sg_flow_new(struct bpf_sock *sk, __u64 cookie)
{
	struct sg_flow *f = NULL;
	void *zeros = SG_ONLY(blank);

	if (!zeros || !bpf_sk_storage_get(&sk_ctx, sk, &cookie, BPF_SK_STORAGE_GET_F_CREATE))
		return NULL;
	if (!bpf_map_update_elem(&flows, &cookie, zeros, BPF_NOEXIST))
		f = bpf_map_lookup_elem(&flows, &cookie);
	if (!f)
		bpf_sk_storage_delete(&sk_ctx, sk);
	return f;
}

/* Notes by what user space can name the socket; its SYN, or its first datagram, leaves now. */
static __always_inline void sg_flow_name(const struct sg_scope *s, struct sg_flow *f,
					 struct bpf_sock *sk)
{
	__u32 family = SG_READ(sk->family);

	if (f->cookie != s->cookie)
		return;
	if (family == SG_AF_INET) {
		sg_addr_v4(f->local, SG_READ(sk->src_ip4));
	} else {
		sg_addr_v6(f->local, SG_READ(sk->src_ip6[0]), SG_READ(sk->src_ip6[1]),
			   SG_READ(sk->src_ip6[2]), SG_READ(sk->src_ip6[3]));
	}
	sg_sock_peer(sk, family, f->remote);
	f->local_port = bpf_htons((__u16)SG_READ(sk->src_port));
	f->remote_port = SG_READ(sk->dst_port);
	f->ifindex = SG_READ(sk->bound_dev_if);
	f->family = (__u8)family;
	sg_flags(s, f, 0, SG_FLOW_TUPLE);
}

/* The socket is at its end, or was never connected, whether its server is in use or not. */
static __always_inline void sg_flow_end(__u64 cookie, __u64 now)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	struct sg_cfg *c = sg_config();
	struct sg_pulse *p;
	bool ours;

	if (!f)
		return;
	bpf_spin_lock(&f->lock);
	ours = f->cookie == cookie;
	if (ours && !(f->flags & SG_FLOW_DEAD)) {
		f->flags |= SG_FLOW_DEAD;
		f->dead_ns = now;
	}
	bpf_spin_unlock(&f->lock);
	if (!ours)
		return;
	if (c && !sg_daemon_alive(c, now)) {
		bpf_map_delete_elem(&flows, &cookie);
		return;
	}
	p = SG_ONLY(pulse);
	if (p)
		p->dead_ns = now;
}

#endif
