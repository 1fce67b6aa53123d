/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The outcome of connects and the end of connections, from the state changes
 * of tracked sockets. A connect that succeeds is not a success: only answers
 * are. What we refused ourselves never gets here, what we killed is excluded.
 */
#include "caller.bpf.h"
#include "event.bpf.h"
#include "exchange.bpf.h"
#include "flow.h"
#include "flows.bpf.h"
#include "holder.bpf.h"
#include "http1.h"
#include "maps.bpf.h"
#include "redirect.bpf.h"
#include "report.bpf.h"
#include "tls.bpf.h"

#include <bpf/bpf_core_read.h>

#define SG_ENETUNREACH 101
#define SG_ECONNABORTED 103
#define SG_ECONNRESET 104
#define SG_ETIMEDOUT 110
#define SG_ECONNREFUSED 111
#define SG_EPIPE 32
#define SG_CROSSING_NS 1000000ULL /* how much longer than the usual round trip one may be */
#define SG_TCP_SYN_SENT 2
#define SG_TCP_FIN_WAIT1 4
#define SG_TCP_FIN_WAIT2 5
#define SG_TCP_CLOSE_WAIT 8
#define SG_TCP_CLOSING 11
#define SG_SOCK_DONE 1 /* bit of sk_flags: the peer's FIN has been taken */
#define SG_SHUTDOWN_MASK 3
#define SG_SHUTDOWN_SEND 2
#define SG_PF_EXITING 0x4

/* Tracing programs of a replaced load stay attached for a moment: only one may count. */
static __always_inline bool sg_current(void)
{
	struct sg_cfg *c = sg_config();

	return c && c->epoch == sg_rodata.epoch;
}

static __always_inline bool sg_exiting(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, flags) & SG_PF_EXITING;
}

/* The agent closed while it waited: its own doing, or a sign of a hang at that age? */
static __always_inline void sg_given_up(struct sg_result *r, bool hangs, __u8 cause)
{
	if (hangs && !sg_exiting())
		sg_result_is(r, SG_HARD, cause);
	else
		sg_result_is(r, SG_CALLER, SG_CAUSE_ABANDONED);
}

/* Has the answer been out for so long that it failed, whether the clock was looked at or not? */
static __always_inline bool sg_overdue(const struct sg_scope *s, const struct sg_flow *f, __u64 now)
{
	return now >= sg_flow_waits(f, false) + sg_flow_slept(f, sg_asleep(now)) +
			      sg_patience(s->server, s->server->policy.timeout_ns);
}

/*
 * Does the server hang, by an agent that gave a call up? Only after more time than it takes
 * for its longest answers, and not if it has answered anybody well since this was asked.
 */
static __always_inline bool sg_hangs(const struct sg_scope *s, const struct sg_flow *f, __u64 now)
{
	return now - f->request_ns >= sg_patience(s->server, s->server->policy.abandon_ns) &&
	       s->server->success_ns < f->request_ns;
}

/*
 * May the caller's own socket options be why nothing came back? Those that he connected
 * with, or has now; or he would not wait, for fewer SYNs or less time than the server is
 * given.
 */
static __always_inline bool sg_options_explain(const struct sg_flow *f, struct sock *sk, __u64 age,
					       __u64 limit)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)tp;

	if (f->flags & SG_FLOW_OPTIONS)
		return true;
	return tp && (sg_options_own(tp) ||
		      (age < limit && (icsk->icsk_syn_retries || icsk->icsk_user_timeout)));
}

/* What a connect that did not succeed means; `age` since the connect. */
static __always_inline void sg_judge_connect(const struct sg_scope *s, const struct sg_flow *f,
					     struct sg_result *r, struct sock *sk, __u64 age)
{
	switch (sk->sk_err) {
	case SG_ECONNREFUSED:
		sg_result_is(r, SG_HARD, SG_CAUSE_REFUSED);
		break;
	case SG_ETIMEDOUT:
		sg_result_is(r, SG_HARD, SG_CAUSE_TIMEOUT);
		break;
	case SG_ECONNRESET:
		sg_result_is(r, SG_HARD, SG_CAUSE_RESET);
		break;
	case SG_ECONNABORTED:
		sg_result_is(r, SG_LOCAL, SG_CAUSE_KILLED);
		break;
	case 0:
		if (sk->sk_shutdown || age >= s->server->policy.connect_ns)
			sg_given_up(r, age >= s->server->policy.connect_ns, SG_CAUSE_TIMEOUT);
		else /* nobody closed it: no port was free, and no SYN left */
			sg_result_is(r, SG_LOCAL, SG_CAUSE_NONE);
		break;
	default: /* ICMP, or no neighbour */
		sg_result_is(r, SG_HARD, SG_CAUSE_UNREACHABLE);
		break;
	}
	if (r->outcome == SG_HARD && r->cause != SG_CAUSE_REFUSED && r->cause != SG_CAUSE_RESET &&
	    sg_options_explain(f, sk, age, s->server->policy.connect_ns))
		sg_result_is(r, SG_CALLER, SG_CAUSE_OPTIONS);
}

/*
 * The server closed: did the rest of an answer come before what was missing in
 * front of it? TCP takes it from its queue together with the FIN (which has a
 * number, too), so that no acknowledgement shows it first (see sg_catch_up). Returns
 * how many bytes that were.
 */
static __always_inline __u32 sg_came_early(const struct sg_flow *f, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 gap;

	if (!tp || !(f->flags & SG_FLOW_SEEN_RX))
		return 0;
	gap = tp->rcv_nxt - 1 - f->rx_next;
	return gap >> 31 ? 0 : gap;
}

/*
 * Has the server closed, by this change of state? An agent that has nothing more to send
 * (shutdown) waits for its answer, and need not have closed before it.
 */
static __always_inline bool sg_server_closed(struct sock *sk, int oldstate, int newstate)
{
	if (newstate == SG_TCP_CLOSE && oldstate == SG_TCP_FIN_WAIT2)
		return !sk->sk_err && sk->__sk_common.skc_flags >> SG_SOCK_DONE & 1;
	return newstate == SG_TCP_CLOSE_WAIT || newstate == SG_TCP_CLOSING;
}

/* Does a change of state end what is outstanding? When an agent closes what it had half
 * closed before, its state changes to the one that it has. */
static __always_inline bool sg_state_ends(struct sock *sk, int newstate)
{
	if (newstate == SG_TCP_FIN_WAIT1 || newstate == SG_TCP_FIN_WAIT2)
		return sk->sk_shutdown == SG_SHUTDOWN_MASK;
	return newstate == SG_TCP_CLOSE || newstate == SG_TCP_CLOSE_WAIT ||
	       newstate == SG_TCP_CLOSING;
}

/*
 * Was it a connection from the agent's pool that the server had given up, or did just then? It
 * had answered before, of this request it has not even acknowledged a byte, and nothing
 * came back: agents make such a call again, on a new connection, and that one is judged. A reset
 * is looked at before what it acknowledges, so that it must have come within a round trip.
 */
static __always_inline bool sg_stale(const struct sg_flow *f, struct sock *sk, int err, __u64 now)
{
	struct tcp_sock *tp;

	if (f->phase != SG_PHASE_REQUEST || f->exchange < 2 || f->flags & SG_FLOW_ADOPTED)
		return false;
	if (f->flags & SG_FLOW_HALF)
		return true;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || sg_before(f->request_seq, tp->snd_una))
		return false;
	return !err || now - f->request_ns <= (tp->srtt_us >> 3) * 1000ULL + SG_CROSSING_NS;
}

/* An event stream of which something has come: whoever closes it may have had his answer. */
static __always_inline bool sg_streamed(const struct sg_flow *f)
{
	return f->phase == SG_PHASE_BODY && f->http.body == SG_HTTP_BODY_BEGUN &&
	       f->http.bits & SG_HTTP_STREAM;
}

/* What sg_flow_closed() returns, besides a class, and a cause << 8. */
#define SG_CLOSED_WHOLE (1 << 16) /* all of the answer came */
#define SG_CLOSED_OPEN (1 << 17)  /* the answer does not decide it, but how the connection ended */

/* What the answer means, as complete as it will be. */
static __always_inline int sg_closed_answer(const struct sg_scope *s, const struct sg_flow *f)
{
	__u8 cause = SG_CAUSE_ANSWER;
	__u8 outcome = SG_SUCCESS;

	if (f->method != SG_METHOD_UNKNOWN)
		outcome = sg_exchange_class(s, f, &cause);
	if (outcome == SG_SUCCESS)
		sg_exchange_learn(s, f);
	return outcome | cause << 8;
}

/* Of an encrypted one. */
static __always_inline int sg_closed_tls(const struct sg_flow *f, __u64 now)
{
	struct sg_result r;

	sg_tls_end(f, &r, now);
	return r.outcome | r.cause << 8 | SG_CLOSED_WHOLE;
}

/*
 * A connection is over, without `err` or with it, `ended` by its server, `early` bytes of the answer
 * having come unseen: does the request, or what came of the answer, decide what that means? A
 * function of its own, so that the verifier walks it once and not for every way to that end.
 */
__noinline int sg_flow_closed(__u64 cookie, __u32 early, __u32 ended, __u32 err, __u64 now)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);
	bool whole;

	if (!f)
		return SG_CLOSED_OPEN;
	if (early)
		sg_flow_skip(cookie, early);
	if (f->method == SG_METHOD_CONNECT)
		return SG_CALLER | SG_CAUSE_PROXY << 8;
	if (sg_exchange_neutral(f))
		return SG_LOCAL | SG_CAUSE_NONE << 8;
	if (f->phase != SG_PHASE_BODY)
		return SG_CLOSED_OPEN;
	if (sg_http_refuses(&f->http))
		return sg_closed_answer(&s, f);
	if (f->flags & SG_FLOW_TLS && !sg_exchange_handshake(f) &&
	    (!err || now - f->last_ns > SG_SILENCE_NS))
		return sg_closed_tls(f, now);
	if (err)
		return SG_CLOSED_OPEN;
	whole = ended && f->http.framing == SG_FRAMING_CLOSE;
	if (whole && !early)
		sg_http_body_end(&f->http);
	if (f->http.framing == SG_FRAMING_LENGTH)
		whole = early && !f->http.number[SG_SLOT_LENGTH];
	if (f->http.framing == SG_FRAMING_UNKNOWN)
		whole = true;
	return whole ? sg_closed_answer(&s, f) | SG_CLOSED_WHOLE : SG_CLOSED_OPEN;
}

/* The answer, or the request, decided it. */
static __always_inline void sg_closed(struct sg_result *r, __u32 what)
{
	sg_result_is(r, what & 0xff, what >> 8 & 0xff);
	if (what & SG_CLOSED_WHOLE && r->outcome != SG_UNKNOWN)
		r->flags = SG_OUT_COMPLETE;
}

/*
 * May the proxy itself have ended what went through it? One that forwards requests, however it
 * does that; that of a tunnel is at fault if nothing of its host came.
 */
static __always_inline bool sg_proxy_ended(const struct sg_flow *f, __u8 cause, int err)
{
	if (f->proxied == SG_PROXIED_EACH)
		return cause == SG_CAUSE_RESET || cause == SG_CAUSE_TRUNCATED ||
		       cause == SG_CAUSE_UNREACHABLE || err == SG_ETIMEDOUT;
	return sg_flow_proxied(f) && err && err != SG_ECONNRESET && err != SG_EPIPE;
}

/* What the end of a connection means for the exchange that was outstanding. */
static __always_inline void sg_judge_exchange(const struct sg_scope *s, struct sg_flow *f,
					      struct sg_result *r, struct sock *sk, bool ended,
					      __u64 now)
{
	__u32 early = ended ? sg_came_early(f, sk) : 0;
	int err = sk->sk_err;
	__u32 what = (__u32)sg_flow_closed(s->cookie, early, ended, err != 0, now);

	if (f->flags & SG_FLOW_KILLED || err == SG_ECONNABORTED ||
	    (err == SG_ETIMEDOUT && f->flags & (SG_FLOW_ARMED | SG_FLOW_STOPPED))) {
		sg_result_is(r, SG_LOCAL, SG_CAUSE_KILLED);
	} else if (!(what & SG_CLOSED_OPEN)) {
		sg_closed(r, what);
	} else if ((ended || err == SG_ECONNRESET || err == SG_EPIPE) &&
		   sg_stale(f, sk, err, now)) {
		sg_result_is(r, SG_CALLER, SG_CAUSE_STALE);
	} else if (f->phase == SG_PHASE_REQUEST && sk->sk_shutdown & SG_SHUTDOWN_SEND &&
		   (ended || err == SG_ECONNRESET || err == SG_EPIPE) && !sg_overdue(s, f, now)) {
		/* the agent was at its end first, which many servers take for a cancel */
		sg_given_up(r, sg_hangs(s, f, now), SG_CAUSE_ABANDONED);
	} else if (err == SG_ECONNRESET) {
		sg_result_is(r, SG_HARD, SG_CAUSE_RESET);
	} else if (err == SG_ETIMEDOUT) {
		sg_result_is(r, SG_HARD, SG_CAUSE_NO_ANSWER);
	} else if (err) {
		sg_result_is(r, SG_HARD, SG_CAUSE_UNREACHABLE);
	} else if (ended) {
		sg_result_is(r, SG_HARD, SG_CAUSE_TRUNCATED);
	} else if (sg_overdue(s, f, now)) {
		sg_result_is(r, SG_HARD, SG_CAUSE_NO_ANSWER);
	} else if (sg_streamed(f)) {
		sg_result_is(r, SG_CALLER, SG_CAUSE_ABANDONED);
	} else {
		sg_given_up(r, sg_hangs(s, f, now), SG_CAUSE_ABANDONED);
	}
	if (r->outcome == SG_HARD && sg_proxy_ended(f, r->cause, err)) {
		sg_result_is(r, SG_UNKNOWN, SG_CAUSE_PROXY);
		return;
	}
	if (sg_exchange_handshake(f) && r->outcome == SG_HARD)
		r->cause = SG_CAUSE_TLS;
	if (sg_exchange_handshake(f) && r->outcome == SG_SUCCESS)
		r->outcome = SG_CALLER;
}

/* Round-trip time as the connection leaves ESTABLISHED. */
static __always_inline void sg_count_rtt(const struct sg_scope *s, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp || !tp->srtt_us || !s->stats)
		return;
	__sync_fetch_and_add(&s->stats->rtt_us_sum, tp->srtt_us >> 3);
	__sync_fetch_and_add(&s->stats->rtt_count, 1);
}

/* A connect succeeded: its address is well. */
static __always_inline void sg_reached(const struct sg_scope *s, const struct sg_flow *f)
{
	struct sg_slots *a = &s->server->slots;
	__u32 slot = f->slot % SG_SLOTS_MAX;

	if (f->flags & SG_FLOW_ALIAS || (!a->level && !a->failed[slot]))
		return;
	bpf_spin_lock(&s->server->lock);
	sg_slot_reached(a, slot);
	bpf_spin_unlock(&s->server->lock);
}

/* Does a change of state come of something that the server sent? */
static __always_inline bool sg_state_came(struct sock *sk, int oldstate, int newstate)
{
	int err = sk->sk_err;

	if (oldstate == SG_TCP_SYN_SENT && newstate == SG_TCP_ESTABLISHED)
		return true;
	return newstate == SG_TCP_CLOSE_WAIT || err == SG_ECONNREFUSED || err == SG_ECONNRESET ||
	       err == SG_EPIPE;
}

/* What a change of state means for the connect or the exchange. */
static __always_inline void sg_state_outcome(const struct sg_scope *s, struct sg_flow *f,
					     struct sock *sk, int oldstate, int newstate, __u64 now)
{
	struct sg_result r = { .serial = f->serial };

	if (sg_state_came(sk, oldstate, newstate))
		sg_came(s, f, now);
	if (oldstate == SG_TCP_SYN_SENT && newstate == SG_TCP_ESTABLISHED) {
		f->opened_ns = now;
		sg_flags(s, f, 0, SG_FLOW_OPENED);
		if (sg_flow_silent(f))
			return;
		sg_reached(s, f);
		SG_COUNT(s, established);
		sg_hist_add(s->id, SG_METRIC_CONNECT, now - f->connect_ns);
		return;
	}
	if (!sg_state_ends(sk, newstate))
		return;
	if (oldstate == SG_TCP_ESTABLISHED && !sg_flow_silent(f) &&
	    (f->phase == SG_PHASE_IDLE || sg_exchange_neutral(f)) &&
	    (newstate == SG_TCP_CLOSE_WAIT || sk->sk_err == SG_ECONNRESET))
		sg_closed_idle(s->id, now);
	if (oldstate == SG_TCP_SYN_SENT) {
		r.latency_ns = now - f->connect_ns;
		sg_judge_connect(s, f, &r, sk, r.latency_ns);
	} else {
		if (oldstate == SG_TCP_ESTABLISHED)
			sg_count_rtt(s, sk);
		if (f->phase == SG_PHASE_IDLE) {
			if (newstate == SG_TCP_CLOSE_WAIT)
				sg_flags(s, f, 0, SG_FLOW_HALF);
			sg_give_back(s, f, false);
			if (!(sg_flags(s, f, SG_FLOW_QUIET, 0) & SG_FLOW_QUIET))
				return;
			sg_result_is(&r, SG_UNKNOWN, SG_CAUSE_UNSEEN);
		} else {
			sg_judge_exchange(s, f, &r, sk, sg_server_closed(sk, oldstate, newstate),
					  now);
		}
		f->phase = SG_PHASE_IDLE;
		sg_exchange_result(f, &r, now, f->last_ns ? f->last_ns : now);
	}
	r.now = now;
	sg_report(s, f, &r);
}

/* A tracked socket goes from one state to another; it is in the old one still. `stored`: its
 * storage. A server that is not in use any more leaves nothing but the record. */
static __always_inline void sg_state_change(const __u64 *stored, struct sock *sk, int oldstate,
					    int newstate)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct sg_scope s;
	struct sg_flow *f = sg_flow_scope(stored, &s);

	if (f)
		sg_state_outcome(&s, f, sk, oldstate, newstate, now);
	if (stored && newstate == SG_TCP_CLOSE)
		sg_flow_end(*stored, now);
}

/*
 * A tracing program is left out where it would interrupt itself on a processor, which
 * preemption makes common from 7.x on. So states come from sockops, and from here only
 * for connections that no callback was asked of: those older than the load.
 */
SEC("tp_btf/inet_sock_set_state")
int sg_state(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	__u64 *stored = bpf_sk_storage_get(&sk_ctx, sk, NULL, 0);
	struct sg_flow *f;
	__u64 cookie;

	f = sg_flow_at(stored, &cookie);
	if (!f || f->flags & SG_FLOW_UDP || (sg_rodata.by_sockops && !(f->flags & SG_FLOW_ADOPTED)))
		return 0;
	if (sg_current())
		sg_state_change(stored, sk, (int)ctx[1], (int)ctx[2]);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int sg_retransmit(__u64 *ctx)
{
	struct sg_scope s;
	struct sg_flow *f =
		sg_flow_scope(bpf_sk_storage_get(&sk_ctx, (struct sock *)ctx[0], NULL, 0), &s);

	if (f && sg_current())
		SG_COUNT(&s, retransmits);
	return 0;
}

/* A socket without a record connects to a server in quarantine. */
static __always_inline void sg_ask_search(__u32 server, __u64 cookie, __u64 now)
{
	struct sg_event *e = sg_event_new(SG_EV_KILL, server, now);

	if (!e)
		return;
	e->cookie = cookie;
	e->flags = SG_KILL_SEARCH;
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
}

/*
 * A process of the protected cgroup connects a socket that was made outside of it: the connect
 * hook is not asked, and what passes this tracepoint cannot be refused. In quarantine the
 * daemon is told, which looks for it. No storage of sockets, which older kernels do not give
 * to tracing programs.
 */
SEC("tp_btf/inet_sock_set_state")
int sg_brought(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	__u64 *until = SG_ONLY(cutoff);
	struct task_struct *task;
	struct sg_ep ep = {};
	struct sg_scope s;
	__u8 local[16];
	__u64 cookie;
	__u64 now;
	__u32 at;

	if ((int)ctx[2] != SG_TCP_SYN_SENT || !until || !*until || !sg_rodata.cgroup)
		return 0;
	now = bpf_ktime_get_boot_ns();
	task = (struct task_struct *)bpf_get_current_task();
	if (!sg_quarantined(*until, now) || !sg_current() ||
	    !sg_inside(BPF_CORE_READ(task, cgroups, dfl_cgrp)))
		return 0;
	cookie = (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (bpf_map_lookup_elem(&flows, &cookie))
		return 0; /* the connect hook saw it */
	at = sg_peer_at(&sk->__sk_common, SG_IPPROTO_TCP, local, &ep);
	if (at != SG_AT_NONE && sg_scope_at(&s, at) &&
	    sg_quarantined(sg_quarantine_until(s.id), now))
		sg_ask_search(s.id, cookie, now);
	return 0;
}

/* --- callbacks of tracked sockets ------------------------------------------------ */

#define SG_SOL_TCP 6
#define SG_TCP_USER_TIMEOUT 18
#define SG_USER_TIMEOUT_MS 100       /* the kernel looks at it after 0.2, 0.6, 1.4 s */
#define SG_ARMED_NS 3600000000000ULL /* how long after it was armed a socket is disarmed */

/* By this callback, which is hardly ever made, a connection to a proxy is known. */
#define SG_CALLBACK_PROXIED BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG

/* Which callbacks a connecting socket is to make. */
static __always_inline int sg_callbacks(struct bpf_sock_ops *ops, int more)
{
	int flags = ops->bpf_sock_ops_cb_flags | more | BPF_SOCK_OPS_RTT_CB_FLAG |
		    BPF_SOCK_OPS_RTO_CB_FLAG | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;

	if (sg_rodata.by_sockops)
		flags |= BPF_SOCK_OPS_STATE_CB_FLAG;
	if (sg_rodata.retransmits)
		flags |= BPF_SOCK_OPS_RETRANS_CB_FLAG;
	return bpf_sock_ops_cb_flags_set(ops, flags);
}

/* Lets the socket end by itself when what it sends is not acknowledged soon. */
static __always_inline void sg_arm(struct bpf_sock_ops *ops, const struct sg_scope *s,
				   struct sg_flow *f)
{
	int timeout = SG_USER_TIMEOUT_MS;
	int own = 0;

	if (f->flags & SG_FLOW_TIMED)
		return;
	if (bpf_getsockopt(ops, SG_SOL_TCP, SG_TCP_USER_TIMEOUT, &own, sizeof(own)))
		own = 0; /* kernels before 6.1 do not tell */
	if (bpf_setsockopt(ops, SG_SOL_TCP, SG_TCP_USER_TIMEOUT, &timeout, sizeof(timeout)))
		return;
	f->user_timeout = (__u32)own;
	sg_flags(s, f, 0, SG_FLOW_TIMED);
	sg_pulse_armed(bpf_ktime_get_boot_ns());
}

/* What was stopped may go on: the socket has again as much time as it had before. */
static __always_inline void sg_disarm(struct bpf_sock_ops *ops, const struct sg_scope *s,
				      struct sg_flow *f)
{
	int own = (int)f->user_timeout;

	sg_flags(s, f, SG_FLOW_TIMED, 0);
	bpf_setsockopt(ops, SG_SOL_TCP, SG_TCP_USER_TIMEOUT, &own, sizeof(own));
}

/*
 * Nothing was acknowledged in time. A connect that has waited for its limit is
 * judged here too: without a daemon nobody else would. And what a verdict has
 * stopped ends by itself, if no kill comes. A function of its own, for want of stack.
 */
static __noinline int sg_rto(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct sg_scope s;
	struct sg_flow *f = sk ? sg_flow_scope(bpf_sk_storage_get(&sk_ctx, sk, NULL, 0), &s) : NULL;
	__u64 now = bpf_ktime_get_boot_ns();
	struct sg_result r = { .now = now };

	if (!f)
		return 1;
	r.serial = f->serial;
	if (f->flags & SG_FLOW_STOPPED) {
		sg_arm(ops, &s, f);
		return 1;
	}
	if (!sg_flow_connecting(f) || f->flags & SG_FLOW_COUNTED ||
	    sg_awake_for(now - f->connect_ns, f->asleep_ns) < s.server->policy.connect_ns)
		return 1;
	if (f->flags & SG_FLOW_OPTIONS)
		sg_result_is(&r, SG_CALLER, SG_CAUSE_OPTIONS);
	else
		sg_result_is(&r, SG_HARD, SG_CAUSE_TIMEOUT);
	r.latency_ns = now - f->connect_ns;
	sg_report(&s, f, &r);
	sg_conclude(&s, f, r.serial); /* nothing comes meanwhile: this holds the socket */
	return 1;
}

/* A state of a tracked socket changes, where states come from here. */
static __always_inline void sg_state_callback(struct bpf_sock_ops *ops, struct bpf_sock *sk,
					      const __u64 *stored)
{
	struct tcp_sock *tp = sg_rodata.by_sockops ? bpf_skc_to_tcp_sock(sk) : NULL;

	if (tp)
		sg_state_change(stored, (struct sock *)tp, (int)ops->args[0], (int)ops->args[1]);
}

/*
 * A segment that egress drops counts as not sent at all: TCP tries it again from its
 * probe timer, of which no callback tells, and for minutes. So the socket is watched:
 * the callback for header options is made for each segment that leaves, and arms it
 * when what a verdict has stopped is tried again. Each costs as much as an answer does.
 * So a socket is not watched while it waits for an acknowledgement: from a send() while
 * nothing is in quarantine until that comes, or until RTO tells that it does not. But for a
 * connection to a proxy, on which any request may be stopped.
 */
static __always_inline void sg_watch_socket(struct bpf_sock_ops *ops, bool on)
{
	int flags = ops->bpf_sock_ops_cb_flags;
	int want = on ? flags | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG
		      : flags & ~BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG;

	if (want != flags)
		bpf_sock_ops_cb_flags_set(ops, want);
}

/* A segment is about to leave or, with `mss`, send() asks how large the next may be. */
static __always_inline void sg_leaving(struct bpf_sock_ops *ops, bool mss)
{
	__u64 *until = SG_ONLY(cutoff);
	bool watched = ops->bpf_sock_ops_cb_flags & SG_CALLBACK_PROXIED || (until && *until);
	struct bpf_sock *sk = ops->sk;
	struct sg_scope s;
	struct sg_flow *f;

	if (mss) {
		if (!watched)
			sg_watch_socket(ops, false);
		return;
	}
	if (!watched || !sk)
		return;
	f = sg_flow_at(bpf_sk_storage_get(&sk_ctx, sk, NULL, 0), &s.cookie);
	if (f && f->flags & SG_FLOW_STOPPED)
		sg_arm(ops, &s, f);
}

/*
 * Something was acknowledged. With the answer that tripped comes the arming of its
 * socket, with the first one that was let pass again its end. That is all a kernel can
 * do alone.
 */
static __always_inline void sg_acknowledged(struct bpf_sock_ops *ops)
{
	struct sg_pulse *p = SG_ONLY(pulse);
	__u64 armed = p ? p->armed_ns : 0;
	struct bpf_sock *sk = ops->sk;
	struct sg_scope s;
	struct sg_flow *f;

	sg_watch_socket(ops, true);
	if (!armed || !sk || armed + SG_ARMED_NS < bpf_ktime_get_boot_ns())
		return; /* this is all that an answer costs while nothing trips */
	f = sg_flow_at(bpf_sk_storage_get(&sk_ctx, sk, NULL, 0), &s.cookie);
	if (!f)
		return;
	if (f->flags & SG_FLOW_ARMED)
		sg_arm(ops, &s, f);
	else if (f->flags & SG_FLOW_TIMED && !(f->flags & SG_FLOW_STOPPED))
		sg_disarm(ops, &s, f);
}

/*
 * A socket without a record connects: another program may have rewritten the address that the
 * connect hook was asked for, and its peer be a server. It cannot be refused any more. It gets
 * its record, so that what its breaker denies is stopped at the first request, and a quarantine
 * at its SYN. A function of its own, for the verifier.
 */
__weak __noinline int sg_rewritten(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct sg_cfg *c = sg_config();
	struct tcp_sock *tp;
	struct sg_ep ep = { .proto = SG_IPPROTO_TCP };
	struct sg_scope s;
	struct sg_flow *f;
	__u64 netns;
	__u32 kind;
	__u32 at;

	if (!sk || !c || !c->foreign)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 1;
	sg_sock_peer(sk, SG_READ(sk->family), ep.addr);
	ep.port = SG_READ(sk->dst_port);
	netns = sg_netns_of((struct sock *)tp);
	sg_ep_normalise(&ep, netns);
	at = sg_server_at(&ep, c);
	if (at == SG_AT_NONE || !sg_scope_at(&s, at))
		return 1;
	s.cookie = bpf_get_socket_cookie(ops);
	f = sg_flow_new(sk, s.cookie);
	if (!f) {
		if (!sg_unrecorded_before(s.cookie))
			SG_COUNT(&s, unrecorded);
		return 1;
	}
	kind = sg_alias_kind(at, ep.netns) | sg_socket_kind(tp);
	if (bpf_map_lookup_elem(&own, &s.cookie))
		kind |= SG_FLOW_EXEMPT;
	sg_task_process(f);
	f->server = s.id;
	f->incarnation = s.server->incarnation;
	f->generation = s.server->breaker.generation;
	f->slot = SG_AT_SLOT(at);
	f->netns = netns;
	f->proto = SG_IPPROTO_TCP;
	f->connect_ns = bpf_ktime_get_boot_ns();
	f->serial = 1;
	bpf_spin_lock(&f->lock);
	f->flags = kind;
	f->cookie = s.cookie;
	bpf_spin_unlock(&f->lock);
	sg_flow_name(&s, f, sk);
	sg_callbacks(ops, 0);
	sg_pulse_exchange(f->connect_ns);
	if (!sg_flow_silent(f))
		SG_COUNT(&s, connects);
	return 1;
}

/* What comes seldom: a function of its own, so that the others are short. */
static __noinline int sg_callback(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	__u32 op = ops->op;
	struct sg_scope s;
	struct sg_flow *f;
	__u64 *stored;

	if (!sk)
		return 1;
	stored = bpf_sk_storage_get(&sk_ctx, sk, NULL, 0);
	if (!stored) {
		if (op == BPF_SOCK_OPS_TCP_CONNECT_CB)
			sg_rewritten(ops);
		return 1;
	}
	if (op == BPF_SOCK_OPS_STATE_CB) {
		sg_state_callback(ops, sk, stored);
		return 1;
	}
	f = sg_flow_at(stored, &s.cookie);
	if (f && sg_flow_late(f) && op == BPF_SOCK_OPS_TCP_CONNECT_CB) {
		sg_flow_name(&s, f, sk);
		if (!sg_callbacks(ops, SG_CALLBACK_PROXIED))
			sg_flags(&s, f, 0, SG_FLOW_WATCHED);
		return 1;
	}
	if (f && f->redirect > SG_REDIRECT_DIRECT) {
		if (op == BPF_SOCK_OPS_TCP_CONNECT_CB)
			sg_to_relay(ops, &s, f, sk);
		return 1;
	}
	f = sg_flow_scope(stored, &s);
	if (!f)
		return 1;
	if (op == BPF_SOCK_OPS_TCP_CONNECT_CB) {
		sg_flow_name(&s, f, sk);
		sg_callbacks(ops, 0);
	} else {
		SG_COUNT(&s, retransmits);
	}
	return 1;
}

/*
 * Callbacks of tracked sockets. States and retransmissions come here where tracing
 * programs cannot see flows.
 */
SEC("sockops")
int sg_sockops(struct bpf_sock_ops *ops)
{
	switch (ops->op) {
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		sg_leaving(ops, ops->args[0] == BPF_WRITE_HDR_TCP_CURRENT_MSS);
		return 1;
	case BPF_SOCK_OPS_RTT_CB:
		sg_acknowledged(ops);
		return 1;
	case BPF_SOCK_OPS_STATE_CB:
		sg_callback(ops);
		if (ops->args[1] == SG_TCP_ESTABLISHED) /* here and not there, for want of stack */
			sg_connect_late(bpf_get_socket_cookie(ops), bpf_ktime_get_boot_ns());
		return 1;
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_RETRANS_CB:
		return sg_callback(ops);
	case BPF_SOCK_OPS_RTO_CB:
		sg_watch_socket(ops, true);
		return sg_rto(ops);
	default:
		return 1;
	}
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
