/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks over sockets. sg_adopt* take over connections older than the load,
 * sg_find lists who must die, in every namespace, sg_kill_* end them in the
 * namespace they are run in, sg_sweep ends what only the clock can end.
 * Parameters are in the map `job`; the daemon runs one walk at a time.
 *
 * The variants named _plain are for kernels whose iterators have neither socket
 * storage nor locks (before 6.1): they see a flow as the walk shows it and
 * write only members that are theirs alone.
 */
#include "turn.bpf.h"

#define SG_SILENT 0 /* return value of an iterator that wants no repetition */
#define SG_ENOSYS 38

extern int bpf_sock_destroy(struct sock_common *sk) __weak __ksym;

static __always_inline struct sg_job *sg_this_job(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&job, &zero);
}

/* --- who must die --------------------------------------------------------------- */

/*
 * The fate of a tracked socket. Quarantine spares nobody; an opening breaker
 * ends idle connections of older generations at once and busy ones at the end
 * of their turn; a request stopped at egress ends its connection.
 */
static __always_inline __u8 sg_fate(const struct sg_cfg *c, const struct sg_scope *s,
				    const struct sg_flow *f, __u64 now)
{
	const struct sg_breaker *b = &s->server->breaker;

	if (c->observe || s->server->flags & SG_SRV_OBSERVE)
		return SG_VICTIM_LIVE;
	if (sg_quarantined(sg_quarantine_until(s->id), now))
		return SG_VICTIM_KILL;
	if (f->flags & (SG_FLOW_EXEMPT | SG_FLOW_UDP))
		return SG_VICTIM_LIVE;
	if (f->flags & SG_FLOW_STOPPED)
		return SG_VICTIM_KILL;
	if (!(f->flags & SG_FLOW_OPENED) || f->generation == b->generation ||
	    !sg_breaker_denies(b, now))
		return SG_VICTIM_LIVE;
	return f->phase == SG_PHASE_IDLE ? SG_VICTIM_KILL : SG_VICTIM_BUSY;
}

static __always_inline bool sg_wanted(const struct sg_job *j, const struct sg_flow *f)
{
	return (j->server >= SG_SERVERS_MAX || j->server == f->server) &&
	       (!j->cookie || j->cookie == f->cookie);
}

static __always_inline void sg_sock_addrs(struct sock_common *skc, __u8 *local, __u8 *remote)
{
	if (skc->skc_family == SG_AF_INET) {
		sg_addr_v4(local, skc->skc_rcv_saddr);
		sg_addr_v4(remote, skc->skc_daddr);
	} else {
		BPF_CORE_READ_INTO((struct in6_addr *)local, skc, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO((struct in6_addr *)remote, skc, skc_v6_daddr);
	}
}

static __always_inline void sg_write_victim(struct seq_file *seq, struct sock_common *skc,
					    const struct sg_flow *f, __u8 fate, int error)
{
	struct sg_victim v = {
		.cookie = f->cookie,
		.server = f->server,
		.netns = skc->skc_net.net->ns.inum,
		.local_port = bpf_htons(skc->skc_num),
		.remote_port = skc->skc_dport,
		.family = skc->skc_family,
		.proto = f->flags & SG_FLOW_UDP ? SG_IPPROTO_UDP : SG_IPPROTO_TCP,
		.verdict = fate,
		.error = error,
	};

	sg_sock_addrs(skc, v.local, v.remote);
	bpf_seq_write(seq, &v, sizeof(v));
}

/* Lists the socket if it must die now or, being busy, when its turn ends. */
static __always_inline __u8 sg_found(struct seq_file *seq, struct sock *sk, struct sg_flow *f)
{
	struct sg_job *j = sg_this_job();
	struct sg_cfg *c = sg_config();
	struct sg_scope s;
	__u8 fate;

	if (!j || !c || !sg_wanted(j, f) || !sg_scope_find(&s, f->server))
		return SG_VICTIM_LIVE;
	if (sk->__sk_common.skc_state == SG_TCP_CLOSE) /* dead, or a datagram socket cut loose */
		return SG_VICTIM_LIVE;
	fate = sg_fate(c, &s, f, bpf_ktime_get_boot_ns());
	if (fate != SG_VICTIM_LIVE)
		sg_write_victim(seq, &sk->__sk_common, f, fate, 0);
	return fate;
}

SEC("iter/bpf_sk_storage_map")
int sg_find(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct sg_flow *f;

	f = sk ? bpf_sk_storage_get(&sk_ctx, sk, NULL, 0) : NULL;
	if (f && sg_found(ctx->meta->seq, sk, f) == SG_VICTIM_BUSY)
		sg_flags(f, 0, SG_FLOW_LAST);
	return SG_SILENT;
}

SEC("iter/bpf_sk_storage_map")
int sg_find_plain(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sg_flow *f = ctx->value;
	struct sock *sk = ctx->sk;

	if (f && sk && sg_found(ctx->meta->seq, sk, f) == SG_VICTIM_BUSY)
		f->last = f->serial;
	return SG_SILENT;
}

static __always_inline int sg_kill(struct seq_file *seq, struct sock_common *skc, struct sg_flow *f)
{
	struct sg_job *j = sg_this_job();
	struct sg_cfg *c = sg_config();
	struct sg_scope s;
	int error = -SG_ENOSYS;
	__u32 was;

	if (!j || !c || !sg_wanted(j, f) || !sg_scope_find(&s, f->server))
		return SG_SILENT;
	if (sg_fate(c, &s, f, bpf_ktime_get_boot_ns()) != SG_VICTIM_KILL)
		return SG_SILENT;
	was = sg_flags(f, 0, SG_FLOW_KILLED);
	if (bpf_sock_destroy) {
		error = bpf_sock_destroy(skc);
		/* a full output buffer has this socket walked over twice: it is dead by then */
		if (was & SG_FLOW_KILLED)
			error = 0;
		else if (!error)
			SG_COUNT(&s, killed);
	}
	sg_write_victim(seq, skc, f, SG_VICTIM_KILL, error);
	return SG_SILENT;
}

SEC("iter/tcp")
int sg_kill_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct sg_flow *f;

	if (!skc)
		return SG_SILENT;
	f = bpf_sk_storage_get(&sk_ctx, skc, NULL, 0);
	if (!f)
		return SG_SILENT;
	return sg_kill(ctx->meta->seq, skc, f);
}

SEC("iter/udp")
int sg_kill_udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *udp = ctx->udp_sk;
	struct sg_flow *f;

	if (!udp)
		return SG_SILENT;
	f = bpf_sk_storage_get(&sk_ctx, udp, NULL, 0);
	if (!f)
		return SG_SILENT;
	return sg_kill(ctx->meta->seq, (struct sock_common *)udp, f);
}

/* --- adoption --------------------------------------------------------------------- */

static __always_inline __u32 *sg_adoptable(struct sock_common *skc, __u8 proto)
{
	struct sg_job *j = sg_this_job();
	struct sg_cfg *c = sg_config();
	struct sg_ep ep = {};
	__u8 local[16];

	if (!j || !c)
		return NULL;
	sg_sock_addrs(skc, local, ep.addr);
	ep.port = skc->skc_dport;
	ep.proto = proto;
	if (!ep.port)
		return NULL;
	sg_ep_normalise(&ep, j->netns);
	return sg_server_at(&ep, c);
}

static __always_inline int sg_adopted(struct seq_file *seq, struct sock_common *skc,
				      struct sg_flow *f, __u32 id, __u32 flags)
{
	struct sg_scope s;

	if (!f || !sg_scope_find(&s, id))
		return SG_SILENT;
	f->server = id;
	f->generation = s.server->breaker.generation;
	f->flags = flags | SG_FLOW_ADOPTED | SG_FLOW_OPENED | SG_FLOW_COUNTED;
	f->netns = skc->skc_net.net->ns.inum;
	if (skc->skc_net.net->user_ns->level)
		f->flags |= SG_FLOW_UNTRUSTED;
	f->connect_ns = bpf_ktime_get_boot_ns();
	sg_write_victim(seq, skc, f, SG_VICTIM_LIVE, 0);
	return SG_SILENT;
}

SEC("iter/tcp")
int sg_adopt_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;
	struct sg_flow *f;
	__u32 *id;

	if (!skc || skc->skc_state != SG_TCP_ESTABLISHED)
		return SG_SILENT;
	id = sg_adoptable(skc, SG_IPPROTO_TCP);
	if (!id || bpf_sk_storage_get(&sk_ctx, skc, NULL, 0))
		return SG_SILENT;
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp)
		return SG_SILENT;
	f = bpf_sk_storage_get(&sk_ctx, tp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (f)
		f->cookie = bpf_get_socket_cookie(tp);
	return sg_adopted(ctx->meta->seq, skc, f, *id, 0);
}

SEC("iter/udp")
int sg_adopt_udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *udp = ctx->udp_sk;
	struct sock_common *skc = (struct sock_common *)udp;
	struct sg_flow *f;
	__u32 *id;

	if (!udp || skc->skc_state != SG_TCP_ESTABLISHED)
		return SG_SILENT;
	id = sg_adoptable(skc, SG_IPPROTO_UDP);
	if (!id || bpf_sk_storage_get(&sk_ctx, udp, NULL, 0))
		return SG_SILENT;
	f = bpf_sk_storage_get(&sk_ctx, udp, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (f)
		f->cookie = bpf_get_socket_cookie(udp);
	return sg_adopted(ctx->meta->seq, skc, f, *id, SG_FLOW_UDP);
}

/* --- the sweep ---------------------------------------------------------------------- */

/* How something ended that only the clock could end. */
struct sg_ruling {
	__u8 outcome; /* enum sg_class */
	__u8 cause;   /* enum sg_cause */
	__u8 flags;   /* SG_OUT_* */
};

static __always_inline void sg_due(struct sg_sweep *w, __u64 at)
{
	w->pending++;
	if (at < w->next_ns)
		w->next_ns = at;
}

/* What the clock says of one flow: true and *ruling, else *w tells when to look again. */
static __always_inline bool sg_overdue(const struct sg_policy *p, const struct sg_flow *f,
				       __u64 now, bool connecting, struct sg_sweep *w,
				       struct sg_ruling *ruling)
{
	__u64 since = connecting ? f->connect_ns : f->request_ns;
	__u64 limit = connecting ? p->connect_ns : p->timeout_ns;
	__u64 due;

	if (f->flags & SG_FLOW_COUNTED)
		return false;
	/* an answer that is still coming is alive */
	if (!connecting && f->last_ns > since)
		since = f->last_ns;
	due = since + limit;
	ruling->outcome = SG_HARD;
	ruling->cause = connecting ? SG_CAUSE_TIMEOUT : SG_CAUSE_NO_ANSWER;
	ruling->flags = 0;
	if (f->lease_ns && f->lease_ns < due) {
		due = f->lease_ns;
		ruling->cause = SG_CAUSE_LEASE;
	} else if (!connecting && sg_turn_ambiguous(f) && f->rx_bytes) {
		ruling->outcome = SG_CALLER;
	}
	if (due <= now)
		return true;
	sg_due(w, due);
	return false;
}

/* Does silence end this answer? */
static __always_inline bool sg_silent(const struct sg_flow *f, __u64 now, struct sg_sweep *w)
{
	if (f->phase != SG_PHASE_BODY || f->http.framing != SG_FRAMING_UNKNOWN ||
	    sg_turn_ambiguous(f))
		return false;
	if (f->last_ns + SG_SILENCE_NS <= now)
		return true;
	sg_due(w, f->last_ns + SG_SILENCE_NS);
	return false;
}

/* Has this idle connection kept a probe for a lease without using it? */
static __always_inline bool sg_unused(const struct sg_scope *s, const struct sg_flow *f, __u64 now,
				      struct sg_sweep *w)
{
	__u64 end = f->connect_ns + s->server->policy.probe_lease_ns;

	if (!(f->flags & SG_FLOW_PROBE))
		return false;
	if (end > now)
		sg_due(w, end);
	return end <= now;
}

SEC("iter/bpf_sk_storage_map")
int sg_sweep(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct sg_ruling ruling;
	struct sg_result r = {};
	struct sg_sweep *w;
	struct sg_scope s;
	struct sg_flow *f;
	__u32 zero = 0;
	bool connecting;
	__u64 now;

	w = bpf_map_lookup_elem(&swept, &zero);
	if (!sk || !w)
		return SG_SILENT;
	f = bpf_sk_storage_get(&sk_ctx, sk, NULL, 0);
	if (!f || f->flags & SG_FLOW_UDP || !sg_scope_find(&s, f->server))
		return SG_SILENT;
	w->flows++;
	r.serial = f->serial; /* what is judged here, and nothing that begins meanwhile */
	now = bpf_ktime_get_boot_ns();
	connecting = sk->__sk_common.skc_state == SG_TCP_SYN_SENT;
	if (!connecting && f->phase == SG_PHASE_IDLE) {
		if (sg_unused(&s, f, now, w))
			sg_give_back(&s, f, false);
		return SG_SILENT;
	}
	if (!connecting && sg_silent(f, now, w)) {
		sg_turn_complete(&s, f, now, f->last_ns);
		return SG_SILENT;
	}
	if (!connecting && sg_turn_neutral(f))
		return SG_SILENT;
	if (!sg_overdue(&s.server->policy, f, now, connecting, w, &ruling))
		return SG_SILENT;
	sg_result_is(&r, ruling.outcome, ruling.cause);
	r.now = now;
	r.latency_ns = now - (connecting ? f->connect_ns : f->request_ns);
	sg_report(&s, f, &r);
	return SG_SILENT;
}

/* --- the sweep in two passes: see struct sg_ended ------------------------------------- */

/* Leaves the ruling in the flow; from here on no hook reports what it is at. */
static __always_inline void sg_mark(struct sg_flow *f, const struct sg_ruling *ruling, __u64 since,
				    __u64 end, struct sg_sweep *w)
{
	struct sg_ended *m = &f->mark;

	m->cookie = f->cookie;
	m->latency_ns = end > since ? end - since : 0;
	m->first_ns = f->first_ns > since ? f->first_ns - since : 0;
	m->retry_after_ns = f->http.number[SG_SLOT_RETRY] * 1000000000ULL;
	m->server = f->server;
	m->generation = f->generation;
	m->status = (__u16)f->http.number[SG_SLOT_STATUS];
	m->outcome = ruling->outcome;
	m->cause = ruling->cause;
	m->flags = ruling->flags;
	if (f->flags & SG_FLOW_PROBE)
		m->flags |= SG_OUT_PROBE;
	m->method = f->method;
	asm volatile("" ::: "memory");
	m->serial = f->serial;
	w->marked++;
}

/* The flow is at rest from now on, if it is still where it was marked. */
static __always_inline void sg_rest(struct sg_flow *f, __u64 now)
{
	if (f->phase == SG_PHASE_BODY && f->http.framing == SG_FRAMING_UNKNOWN)
		f->phase = SG_PHASE_IDLE;
	if (f->phase == SG_PHASE_IDLE &&
	    (f->flags & SG_FLOW_LAST || (f->last && f->last == f->serial)))
		sg_ask_kill(f, now);
}

/* A pass later: whose is it? What a packet ended before it saw the mark is reported already. */
static __always_inline void sg_hand_over(struct seq_file *seq, struct sg_flow *f, __u64 now)
{
	struct sg_ended m = f->mark;
	bool here = f->serial == m.serial;

	if ((here ? !(f->flags & SG_FLOW_COUNTED) : f->left == m.serial) &&
	    !(f->flags & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT)) && bpf_seq_write(seq, &m, sizeof(m)))
		return; /* no room: this socket is shown again */
	f->taken = m.serial;
	if (!here)
		return;
	f->lease_ns = 0;
	sg_rest(f, now);
}

/* What the sweep makes of an answer that silence ends. */
static __always_inline void sg_rule_silent(const struct sg_flow *f, struct sg_ruling *ruling)
{
	ruling->outcome = SG_SUCCESS;
	ruling->cause = SG_CAUSE_ANSWER;
	ruling->flags = SG_OUT_COMPLETE;
	if (f->method != SG_METHOD_UNKNOWN)
		ruling->outcome = sg_http_class(&f->http, f->method, &ruling->cause);
}

static __always_inline void sg_sweep_flow(const struct sg_scope *s, struct sg_flow *f,
					  bool connecting, __u64 now, struct sg_sweep *w)
{
	struct sg_ruling ruling = { .outcome = SG_CLASS_COUNT };

	if (!connecting && f->phase == SG_PHASE_IDLE) {
		if (sg_unused(s, f, now, w))
			sg_mark(f, &ruling, now, now, w);
	} else if (!connecting && sg_silent(f, now, w)) {
		if (sg_turn_handshake(f) || f->flags & SG_FLOW_COUNTED) {
			sg_rest(f, now);
			return;
		}
		sg_rule_silent(f, &ruling);
		sg_mark(f, &ruling, f->request_ns, f->last_ns, w);
	} else if ((connecting || !sg_turn_neutral(f)) &&
		   sg_overdue(&s->server->policy, f, now, connecting, w, &ruling)) {
		sg_mark(f, &ruling, connecting ? f->connect_ns : f->request_ns, now, w);
	}
}

SEC("iter/bpf_sk_storage_map")
int sg_sweep_plain(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sg_flow *f = ctx->value;
	struct sock *sk = ctx->sk;
	struct sg_sweep *w;
	struct sg_scope s;
	__u32 zero = 0;
	__u64 now;

	w = bpf_map_lookup_elem(&swept, &zero);
	if (!sk || !w || !f || f->flags & SG_FLOW_UDP || !sg_scope_find(&s, f->server))
		return SG_SILENT;
	w->flows++;
	now = bpf_ktime_get_boot_ns();
	if (f->mark.serial != f->taken)
		sg_hand_over(ctx->meta->seq, f, now);
	else if (!f->serial || f->mark.serial != f->serial)
		sg_sweep_flow(&s, f, sk->__sk_common.skc_state == SG_TCP_SYN_SENT, now, w);
	return SG_SILENT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
