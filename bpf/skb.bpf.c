/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow: exchanges on tracked sockets, read from their packets, and the
 * backstop that stops a request whose verdict changed after the connect.
 * Packets of other sockets cost one failed socket-storage lookup, and while a
 * quarantine is in force a lookup by address.
 *
 * Only payload at the next expected sequence number counts: these hooks see
 * retransmissions, duplicates and forgeries that TCP itself will not take.
 * Fail-open: whatever cannot be parsed passes, but in quarantine, where it is
 * dropped. Quarantine is looked at before anything is parsed further or learned.
 */
#include "admit.bpf.h"
#include "denial.bpf.h"
#include "event.bpf.h"
#include "exchange.bpf.h"
#include "flows.bpf.h"
#include "http1.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "target.bpf.h"
#include "tls.bpf.h"
#include "verdict.h"

#define SG_SCAN 1024     /* bytes of an answer's header that are scanned at a time */
#define SG_HEADS 64      /* and how many times in one segment: interim answers, long headers */
#define SG_CHUNK_SCAN 32 /* bytes between the data of chunks that are scanned at a time */
#define SG_CHUNKS 512    /* and how many times in one segment: chunks, long extensions */

struct sg_scratch {
	__u8 data[SG_SCAN];
	__u64 len;
};

SG_MAP(scratch, PERCPU_ARRAY, 0, 1, __u32, struct sg_scratch);

/* --- functions of their own, so that the verifier walks them once ------------- */

/* The header is complete or hopeless: reports what its status alone decides; 1 if it trips. */
__noinline int sg_flow_header(__u64 cookie, __u64 now)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);

	if (!f || !sg_exchange_end(&s, f, now, now, false))
		return 0;
	/* a connection that other servers share has to live on */
	sg_flags(&s, f, 0, sg_flow_proxied(f) ? SG_FLOW_LAST : SG_FLOW_ARMED | SG_FLOW_LAST);
	return 1;
}

/* An interim answer came. */
static __always_inline void sg_interim(struct sg_flow *f)
{
	struct sg_scope s;

	if (sg_scope_find(&s, f->server))
		SG_COUNT(&s, r1xx);
	sg_http_reset(&f->http);
}

/*
 * Scans header bytes at `payload` up to the end of one answer's header; returns how many
 * of `len` it took. An interim answer is counted and forgotten: what follows it is next.
 * The loop leaves where it has to stop: each branch in it counts a thousandfold.
 */
__noinline int sg_flow_scan(struct __sk_buff *skb, __u32 payload, __u32 len, __u64 cookie)
{
	struct sg_scratch *buf = SG_ONLY(scratch);
	struct sg_http_table *table = SG_ONLY(http_dfa);
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	__u32 state;
	__u32 bits;
	__u64 part;
	__u64 i;

	if (!f || !buf || !table || !len)
		return 0;
	/*
	 * Read back, it is one number of 1 .. SG_SCAN for the verifier, in the very
	 * register that is passed on, and not two that it would follow through the loop.
	 */
	*(volatile __u64 *)&buf->len = len < SG_SCAN ? len : SG_SCAN;
	part = *(volatile __u64 *)&buf->len;
	part = ((part - 1) & (SG_SCAN - 1)) + 1;
	if (bpf_skb_load_bytes(skb, payload, buf->data, part))
		return 0;
	state = f->http.state;
	bits = f->http.bits;
	for (i = 0; i < part; i++) {
		state = sg_http_step(&f->http, table, state, &bits, buf->data[i]);
		if (bits & SG_HTTP_STOP) {
			i++;
			break;
		}
	}
	f->http.state = (__u8)state;
	f->http.bits = (__u16)bits;
	if (bits & SG_HTTP_STOP)
		sg_http_stopped(&f->http);
	if (sg_http_interim(&f->http))
		sg_interim(f);
	return (int)i;
}

/*
 * Reads a body in chunks, the `len` bytes that end at `end`: skips data, and scans what is in
 * front of the next. Returns how many bytes are still to be read, 0 when there is a stop.
 */
__noinline int sg_flow_chunk(struct __sk_buff *skb, __u32 end, __u32 len, __u64 cookie)
{
	struct sg_scratch *buf = SG_ONLY(scratch);
	struct sg_http_table *table = SG_ONLY(http_dfa);
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	__u32 state;
	__u64 left;
	__u64 part;
	__u64 i;

	if (!f || !buf || !table)
		return 0;
	len -= sg_chunk_skip(&f->http, len);
	if (!len)
		return 0;
	*(volatile __u64 *)&buf->len = len < SG_CHUNK_SCAN ? len : SG_CHUNK_SCAN;
	part = *(volatile __u64 *)&buf->len; /* as in sg_flow_scan() */
	part = ((part - 1) & (SG_CHUNK_SCAN - 1)) + 1;
	if (bpf_skb_load_bytes(skb, end - len, buf->data, part))
		return (int)len; /* it cannot be followed */
	state = f->http.chunk;
	left = f->http.number[SG_SLOT_LENGTH];
	for (i = 0; i < part; i++) {
		state = sg_chunk_step(table, state, &left, buf->data[i]);
		if (sg_chunk_stops(state, left)) {
			i++;
			break;
		}
	}
	sg_chunk_stopped(&f->http, state, left);
	return f->http.chunk > SG_CHUNK_END ? (int)(len - i) : 0;
}

/* The same for as many chunks as one segment may hold. */
__noinline int sg_flow_chunks(struct __sk_buff *skb, __u32 end, __u32 len, __u64 cookie)
{
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < SG_CHUNKS; i++) {
		len = (__u32)sg_flow_chunk(skb, end, len, cookie);
		if (!len)
			break;
	}
	return (int)len;
}

/* --- requests --------------------------------------------------------------- */

/*
 * TLS: is this client payload a request, and not a part of the handshake? The
 * client's last flight (CCS and Finished, or Finished alone) is short.
 */
static __always_inline bool sg_tls_request(const struct sg_scope *s, struct sg_flow *f, __u32 head,
					   __u32 len, __u64 now)
{
	__u32 type = head >> 24;

	if (f->flags & SG_FLOW_TLS_READY)
		return true;
	if (type != SG_TLS_DATA && type != SG_TLS_CHANGE_CIPHER)
		return false;
	sg_flags(s, f, 0, SG_FLOW_TLS_READY);
	if (!sg_flow_silent(f)) {
		SG_COUNT(s, handshakes);
		if (f->opened_ns)
			sg_hist_add(s->id, SG_METRIC_TLS, now - f->opened_ns);
	}
	return len > 90;
}

/* A connection begins as TLS does. */
static __always_inline void sg_tls_begin(struct __sk_buff *skb, const struct sg_scope *s,
					 struct sg_flow *f, const struct sg_segment *seg)
{
	bool h2 = sg_tls_offers_h2(skb, seg->payload, seg->len);

	sg_flags(s, f, 0, h2 ? SG_FLOW_TLS | SG_FLOW_H2 : SG_FLOW_TLS);
	if (h2 && !sg_flow_silent(f))
		SG_COUNT(s, h2);
}

/* Is this payload of a TLS client no request: an alert, or what keeps HTTP/2 going? */
static __always_inline bool sg_tls_aside(struct __sk_buff *skb, const struct sg_scope *s,
					 const struct sg_flow *f, const struct sg_segment *seg,
					 __u64 now)
{
	int alert = sg_tls_alert(skb, seg->payload, seg->len);

	if (alert != SG_ALERT_NONE) {
		if (alert != SG_ALERT_CLOSE_NOTIFY || !sg_exchange_handshake(f))
			sg_flow_alert(s->cookie, (__u32)alert, 1, now);
		return true;
	}
	return f->flags & SG_FLOW_H2 && f->flags & SG_FLOW_TLS_READY &&
	       seg->len < SG_TLS_H2_CONTROL_MAX;
}

/* Notes that an exchange begins; decides what kind of request it is. */
static __always_inline void sg_exchange_begin(const struct sg_scope *s, struct sg_flow *f,
					      __u32 head, __u64 now)
{
	sg_flags(s, f,
		 SG_FLOW_COUNTED | SG_FLOW_DENY_SEEN | SG_FLOW_STOPPED | SG_FLOW_ARMED |
			 SG_FLOW_OVERDUE | SG_FLOW_QUIET,
		 0);
	f->exchange++;
	f->serial++;
	f->request_ns = now;
	f->asleep_ns = sg_asleep(now);
	f->first_ns = 0;
	f->last_ns = 0;
	f->rx_bytes = 0;
	f->method = sg_http_method(head);
	sg_http_reset(&f->http);
	f->phase = SG_PHASE_REQUEST;
	if (f->flags & SG_FLOW_PROBE) {
		if (sg_exchange_neutral(f))
			sg_give_back(s, f, false);
		else
			f->lease_ns = now + s->server->policy.probe_lease_ns;
	}
	sg_pulse_exchange(now);
}

/* May a new exchange begin on this flow? Takes a probe where the breaker asks for one. */
static __always_inline enum sg_admit sg_exchange_admit(const struct sg_scope *s, struct sg_flow *f,
						       __u64 now)
{
	struct sg_breaker *b = &s->server->breaker;
	struct sg_admission a;

	if (f->generation == b->generation &&
	    (b->state == SG_CLOSED || b->state == SG_RAMP || f->flags & SG_FLOW_PROBE))
		return SG_ALLOW;
	sg_admit(s, now, f->source, sg_hash(f->cookie),
		 !(f->flags & (SG_FLOW_UNTRUSTED | SG_FLOW_EXEMPT)), &a);
	if (a.admit == SG_DENY)
		return a.admit;
	sg_flow_stamp(s, f, &a);
	return a.admit;
}

/*
 * The backstop at the first payload of an exchange that the breaker denies. Where a
 * kill follows at once it is dropped. That takes a daemon that lives and has seen
 * a kill work, and a socket that it can reach: else a drop would be a hang, so it
 * passes (fail-open), unless the socket ends by its own timeout.
 */
static __always_inline int sg_backstop(const struct sg_cfg *c, const struct sg_scope *s,
				       struct sg_flow *f, __u64 now)
{
	bool kills = sg_daemon_alive(c, now) && c->can_kill && !(f->flags & SG_FLOW_STUCK);
	bool ends = (f->flags & (SG_FLOW_ARMED | SG_FLOW_ADOPTED)) == SG_FLOW_ARMED ||
		    f->flags & SG_FLOW_WATCHED;

	if (!kills && !ends) {
		if (!(sg_flags(s, f, 0, SG_FLOW_DENY_SEEN) & SG_FLOW_DENY_SEEN))
			SG_COUNT(s, passed_open);
		return SG_PASS;
	}
	if (!(sg_flags(s, f, 0, SG_FLOW_STOPPED) & SG_FLOW_STOPPED)) {
		SG_COUNT(s, denied);
		sg_denial_flow(s->id, s->cookie, now);
	}
	sg_ask_kill(s, f, now);
	return SG_DROP;
}

/* Does the breaker deny whatever this flow, which holds no probe of it, goes on to send? */
static __always_inline bool sg_flow_denied(const struct sg_scope *s, const struct sg_flow *f,
					   bool observe, __u64 now)
{
	return !observe && !(f->flags & SG_FLOW_EXEMPT) &&
	       f->generation != s->server->breaker.generation &&
	       sg_breaker_denies(&s->server->breaker, now);
}

static __always_inline int sg_request(struct __sk_buff *skb, const struct sg_cfg *c,
				      const struct sg_scope *s, struct sg_flow *f,
				      const struct sg_segment *seg, __u64 now)
{
	bool observe = sg_lets_pass(c, s->server, now);
	enum sg_admit admit;
	__u8 first[4];
	__u32 head;
	bool more;

	if (f->flags & SG_FLOW_SEEN_TX && !sg_before(f->tx_next, seg->seq + seg->len))
		return SG_PASS; /* a retransmission of what passed before */
	if (bpf_skb_load_bytes(skb, seg->payload, first, sizeof(first)))
		head = 0;
	else
		head = (__u32)first[0] << 24 | (__u32)first[1] << 16 | (__u32)first[2] << 8 |
		       first[3];
	if (!f->exchange && f->proxied == SG_PROXIED_NAMED)
		head = sg_hello_head(s->cookie, head);
	if (f->flags & SG_FLOW_TLS && sg_tls_aside(skb, s, f, seg, now)) {
		if (sg_flow_denied(s, f, observe, now) && sg_backstop(c, s, f, now) == SG_DROP)
			return SG_DROP;
		goto pass;
	}
	more = f->exchange && f->method != SG_METHOD_UNKNOWN &&
	       sg_http_method(head) == SG_METHOD_UNKNOWN;
	/* more of a request that began before; an early answer changes nothing */
	if (f->phase == SG_PHASE_REQUEST || f->phase == SG_PHASE_HEAD ||
	    (f->phase == SG_PHASE_BODY && (more || f->http.framing != SG_FRAMING_UNKNOWN))) {
		if (!sg_exchange_handshake(f))
			goto pass;
	}
	/* nor does more of one whose answer came early, or what is in a tunnel, begin an exchange */
	if (f->phase == SG_PHASE_IDLE && (more || sg_http_tunnel(&f->http, f->method))) {
		if (sg_flow_denied(s, f, observe, now) && sg_backstop(c, s, f, now) == SG_DROP)
			return SG_DROP;
		goto pass;
	}
	if (f->phase != SG_PHASE_IDLE || f->flags & SG_FLOW_QUIET)
		sg_flow_complete(s->cookie, now, f->last_ns ? f->last_ns : now);

	if (!f->exchange && head >> 16 == (SG_TLS_HANDSHAKE << 8 | SG_TLS_MAJOR))
		sg_tls_begin(skb, s, f, seg);
	if (f->flags & SG_FLOW_EXEMPT) {
		admit = SG_ALLOW;
	} else {
		admit = sg_exchange_admit(s, f, now);
		if (admit == SG_DENY && observe)
			admit = SG_WOULD_DENY;
	}
	if (admit == SG_DENY && sg_backstop(c, s, f, now) == SG_DROP)
		return SG_DROP;
	if (admit == SG_WOULD_DENY && !(f->flags & SG_FLOW_DENY_SEEN))
		SG_COUNT(s, would_deny); /* unless its connect was counted for it */
	sg_exchange_begin(s, f, head, now);
	f->request_seq = seg->seq;
	if (f->flags & SG_FLOW_TLS && !sg_tls_request(s, f, head, seg->len, now)) {
		if (f->flags & SG_FLOW_TLS_READY)
			f->phase = SG_PHASE_IDLE; /* the handshake's last flight wants no answer */
		goto pass;
	}
	if (!sg_flow_silent(f))
		SG_COUNT(s, requests);
pass:
	sg_flags(s, f, 0, SG_FLOW_SEEN_TX);
	f->tx_next = seg->seq + seg->len;
	return SG_PASS;
}

/* Counts bytes of a body of known length; true if none is left. */
static __always_inline bool sg_body_take(struct sg_flow *f, __u32 bytes)
{
	__u64 left = f->http.number[SG_SLOT_LENGTH];

	left = left > bytes ? left - bytes : 0;
	f->http.number[SG_SLOT_LENGTH] = left;
	return !left;
}

/*
 * When a hole is filled TCP acknowledges at once, and with it all that waited
 * behind the hole: that may have been the end of the answer.
 */
static __always_inline void sg_catch_up(struct __sk_buff *skb, const struct sg_scope *s,
					struct sg_flow *f, __u64 now)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tp;
	__u32 rcv_nxt;
	__u32 gap;

	if (!sk || !(f->flags & SG_FLOW_SEEN_RX))
		return;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return;
	tp = bpf_tcp_sock(sk);
	if (!tp)
		return;
	rcv_nxt = tp->rcv_nxt;
	asm volatile("" : "+r"(rcv_nxt)); /* read once, here, or the pointer is computed */
	if (!sg_before(f->rx_next, rcv_nxt))
		return;
	gap = rcv_nxt - f->rx_next;
	f->rx_next = rcv_nxt;
	if (f->phase != SG_PHASE_HEAD && f->phase != SG_PHASE_BODY)
		return;
	f->last_ns = now;
	sg_flow_skip(s->cookie, gap);
	if (f->http.framing == SG_FRAMING_LENGTH && !f->http.number[SG_SLOT_LENGTH])
		sg_flow_complete(s->cookie, now, now);
	else if (f->http.framing == SG_FRAMING_UNKNOWN)
		sg_pulse_silent(now);
}

/* --- quarantine ------------------------------------------------------------- */

/*
 * A segment of a tracked connection in quarantine, either way: payload, SYN and
 * what cannot be read are dropped and the kill asked for; the rest passes, so that
 * both ends can finish. It depends on nobody's lease: a quarantine never fails open.
 */
static __always_inline int sg_stop(struct __sk_buff *skb, const struct sg_scope *s,
				   struct sg_flow *f, bool parsed, const struct sg_segment *seg,
				   __u32 how, __u64 now)
{
	if (parsed && !seg->len && !seg->syn)
		return SG_PASS;
	sg_flags(s, f, 0, SG_FLOW_STOPPED);
	sg_ask_kill(s, f, now);
	SG_COUNT(s, dropped_packets);
	sg_capture(skb, s->id, SG_CAPTURE_QUARANTINE | how, now);
	return SG_DROP;
}

/*
 * A datagram of a tracked socket: judged by where it goes to or comes from, which
 * need not be where the socket was once connected to. What a breaker denies is
 * stopped on its way out (the sender gets EPERM at once); answers pass.
 */
static __always_inline int sg_datagram(struct __sk_buff *skb, const struct sg_scope *s,
				       struct sg_flow *f, __u32 how, bool observe, __u64 now)
{
	bool quarantined = !observe && sg_quarantined(sg_quarantine_until(s->id), now);
	int cut;

	if (how & SG_CUT_OUT && !(f->flags & SG_FLOW_EXEMPT))
		how |= SG_CUT_BREAKER;
	cut = sg_cut(skb, f->netns, how, now);
	if (SG_CUT_OF(cut) == SG_CUT_BLIND && quarantined) {
		SG_COUNT(s, dropped_packets);
		cut = SG_CUT(SG_CUT_DROPPED, s->id);
	}
	if (SG_CUT_OF(cut) == SG_CUT_DROPPED && quarantined)
		sg_ask_kill(s, f, now);
	if (SG_CUT_OF(cut) != SG_CUT_DROPPED && SG_CUT_OF(cut) != SG_CUT_DENIED)
		return SG_PASS;
	sg_cut_keep(skb, cut, how, now);
	return SG_DROP;
}

SEC("cgroup_skb/egress")
int sg_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct sg_segment seg = {};
	const __u64 *stored;
	struct sg_scope s;
	struct sg_flow *f;
	struct sg_cfg *c;
	bool observe;
	bool parsed;
	__u8 whose;
	__u64 now;

	if (!sk)
		return SG_PASS;
	stored = bpf_sk_storage_get(&sk_ctx, sk, NULL, 0);
	if (!stored)
		return sg_untracked(skb, SG_CUT_OUT);
	whose = sg_flow_whose(stored);
	if (sg_leaves_open(whose) &&
	    sg_leaves(skb, *stored, whose, bpf_ktime_get_boot_ns()) == SG_LEAVES_PASS)
		return SG_PASS;
	f = sg_flow_scope(stored, &s);
	if (!f)
		return sg_untracked(skb, SG_CUT_OUT);
	c = sg_config();
	if (!c)
		return SG_PASS;
	now = bpf_ktime_get_boot_ns();
	observe = sg_lets_pass(c, s.server, now);
	if (!(f->flags & SG_FLOW_TUPLE)) {
		sk = bpf_sk_fullsock(sk);
		if (sk)
			sg_flow_name(&s, f, sk);
	}
	if (f->flags & SG_FLOW_UDP)
		return sg_datagram(skb, &s, f, SG_CUT_OUT, observe, now);
	parsed = sg_segment(skb, &seg);
	if (f->proxied == SG_PROXIED_UNNAMED)
		return SG_PASS; /* nothing but headers, so far */
	if (!observe && sg_quarantined(sg_quarantine_until(s.id), now))
		return sg_stop(skb, &s, f, parsed, &seg, SG_CAPTURE_OUT, now);
	if (!parsed || sg_rodata.blind)
		return sg_flow_denied(&s, f, observe, now) ? sg_backstop(c, &s, f, now) : SG_PASS;
	sg_catch_up(skb, &s, f, now);
	if (!seg.len)
		return SG_PASS;
	return sg_request(skb, c, &s, f, &seg, now);
}

/* --- answers ---------------------------------------------------------------- */

/*
 * Is this payload new to TCP? Accepts what continues our own count, and what
 * the socket itself expects next (after a gap that TCP filled from its queue).
 * Cuts off what was seen before. Sets *gap if bytes passed us unseen.
 */
static __always_inline bool sg_fresh(const struct sg_scope *s, struct bpf_sock *sk,
				     struct sg_flow *f, struct sg_segment *seg, __u32 *gap)
{
	struct bpf_tcp_sock *tp = bpf_tcp_sock(sk);
	__u32 expected;
	__u32 rcv_nxt;
	__u32 old;

	*gap = 0;
	if (!tp)
		return false;
	rcv_nxt = tp->rcv_nxt;
	asm volatile("" : "+r"(rcv_nxt)); /* read once, here, or the pointer is computed */
	expected = f->flags & SG_FLOW_SEEN_RX ? f->rx_next : rcv_nxt;
	if (sg_before(expected, rcv_nxt)) {
		*gap = rcv_nxt - expected;
		expected = rcv_nxt;
	}
	if (sg_before(expected, seg->seq))
		return false; /* out of order: TCP queues it, it does not count yet */
	old = expected - seg->seq;
	if (old >= seg->len)
		return false;
	seg->seq += old;
	seg->payload += old;
	seg->len -= old;
	f->rx_next = seg->seq + seg->len;
	if (!(f->flags & SG_FLOW_SEEN_RX))
		sg_flags(s, f, 0, SG_FLOW_SEEN_RX);
	return true;
}

/* A segment without payload is a sign of life, too, while nothing else came since the request:
 * if it is TCP's, see sg_fresh(). */
static __always_inline void sg_heard(const struct sg_scope *s, struct bpf_sock *sk,
				     struct sg_flow *f, const struct sg_segment *seg, __u64 now)
{
	struct bpf_tcp_sock *tp;

	if (f->phase != SG_PHASE_REQUEST || f->heard == f->serial)
		return;
	tp = bpf_tcp_sock(sk);
	if (tp && tp->rcv_nxt == seg->seq)
		sg_came(s, f, now);
}

static __always_inline void sg_count_status(const struct sg_scope *s, __u32 status)
{
	if (status < 100 || status > 599)
		return; /* reported as a bad response */
	if (status < 200)
		SG_COUNT(s, r1xx);
	else if (status < 300)
		SG_COUNT(s, r2xx);
	else if (status < 400)
		SG_COUNT(s, r3xx);
	else if (status < 500)
		SG_COUNT(s, r4xx);
	else
		SG_COUNT(s, r5xx);
}

/* Is it what the body claims to be that may make a failure? An empty one claims nothing. */
static __always_inline bool sg_type_decides(const struct sg_http *h)
{
	if (sg_http_status(h) == 404)
		return h->bits & SG_HTTP_TEXT;
	return sg_http_status(h) < 400 &&
	       (h->bits & (SG_HTTP_TYPE | SG_HTTP_TYPE_MCP)) == SG_HTTP_TYPE;
}

/* Can the header alone be a failure? Most are none, and are spared the question. */
static __always_inline bool sg_header_decides(const struct sg_http *h)
{
	__u32 status = sg_http_status(h);

	if (h->bits & SG_HTTP_BAD || status < 100)
		return true;
	if (sg_type_decides(h)) /* else with the first byte of the body */
		return h->framing == SG_FRAMING_LENGTH;
	return status >= 400;
}

static __always_inline void sg_header_done(const struct sg_scope *s, struct sg_flow *f, __u64 now)
{
	f->phase = SG_PHASE_BODY;
	if ((f->http.bits & (SG_HTTP_END | SG_HTTP_BAD)) == SG_HTTP_END)
		sg_http_body_begin(&f->http);
	if (!(f->http.bits & SG_HTTP_BAD) && !sg_flow_silent(f))
		sg_count_status(s, sg_http_status(&f->http));
	if (sg_header_decides(&f->http) && sg_flow_header(s->cookie, now))
		sg_pulse_armed(now);
}

/*
 * Reads chunks, the last `body` bytes of a segment; true if the last one is complete. Where they
 * cannot be followed, because they are malformed or too many, silence ends them.
 */
static __always_inline bool sg_chunks(struct __sk_buff *skb, const struct sg_scope *s,
				      struct sg_flow *f, const struct sg_segment *seg, __u32 body)
{
	bool many = body && sg_flow_chunks(skb, seg->payload + seg->len, body, s->cookie);

	if (many || f->http.chunk == SG_CHUNK_BAD) {
		f->http.framing = SG_FRAMING_UNKNOWN;
		if (!sg_flow_silent(f))
			SG_COUNT(s, unframed);
	}
	if (f->http.chunk != SG_CHUNK_END)
		return false;
	sg_http_body_end(&f->http);
	return true;
}

/* Is the body complete, now that the last `body` bytes of a segment came? */
static __always_inline bool sg_body_done(struct __sk_buff *skb, const struct sg_scope *s,
					 struct sg_flow *f, const struct sg_segment *seg,
					 __u32 body)
{
	if (sg_http_bodyless(&f->http, f->method))
		return true;
	if (f->http.framing == SG_FRAMING_CHUNKED)
		return sg_chunks(skb, s, f, seg, body);
	if (f->http.framing != SG_FRAMING_LENGTH)
		return false;
	return sg_body_take(f, body);
}

/* Scans the header, past interim answers in front of it; returns how many bytes that took. */
static __always_inline __u32 sg_head(struct __sk_buff *skb, const struct sg_scope *s,
				     const struct sg_flow *f, const struct sg_segment *seg)
{
	__u32 taken = 0;
	__u32 i;

#pragma clang loop unroll(disable)
	for (i = 0; i < SG_HEADS; i++) {
		taken +=
			(__u32)sg_flow_scan(skb, seg->payload + taken, seg->len - taken, s->cookie);
		if (taken >= seg->len || f->http.bits & (SG_HTTP_END | SG_HTTP_BAD))
			break;
	}
	return taken;
}

static __always_inline void sg_answer(struct __sk_buff *skb, const struct sg_scope *s,
				      struct sg_flow *f, const struct sg_segment *seg, __u32 gap,
				      __u64 now)
{
	__u32 body = seg->len;
	bool empty;
	bool done;

	if (f->phase == SG_PHASE_IDLE) {
		if (!(f->flags & SG_FLOW_QUIET))
			return;
		sg_flags(s, f, SG_FLOW_QUIET, 0); /* it was not over */
		f->phase = SG_PHASE_BODY;
	}
	if (sg_exchange_handshake(f)) {
		int alert = sg_tls_alert(skb, seg->payload, seg->len);

		if (alert > SG_ALERT_CLOSE_NOTIFY) {
			sg_flow_alert(s->cookie, (__u32)alert, 0, now);
			return;
		}
	}
	f->last_ns = now;
	f->rx_bytes = f->rx_bytes + body < f->rx_bytes ? ~0U : f->rx_bytes + body;
	if (f->phase == SG_PHASE_REQUEST) {
		f->first_ns = now;
		f->phase = SG_PHASE_HEAD;
		if (f->method == SG_METHOD_UNKNOWN)
			f->phase = SG_PHASE_BODY; /* its end is silence */
	}
	if (gap)
		sg_flow_skip(s->cookie, gap);
	if (f->phase == SG_PHASE_HEAD) {
		__u32 taken = sg_head(skb, s, f, seg);

		/* a header longer than what is scanned: what was read must do */
		if (!(f->http.bits & (SG_HTTP_END | SG_HTTP_BAD)) && taken == seg->len)
			return;
		body = seg->len > taken ? seg->len - taken : 0;
		sg_header_done(s, f, now);
	}
	empty = f->http.body != SG_HTTP_BODY_BEGUN;
	if (body && f->http.framing != SG_FRAMING_CHUNKED)
		f->http.body = SG_HTTP_BODY_BEGUN;
	done = sg_body_done(skb, s, f, seg, body);
	if (empty && f->http.body == SG_HTTP_BODY_BEGUN && f->http.framing != SG_FRAMING_LENGTH &&
	    sg_type_decides(&f->http) && sg_flow_header(s->cookie, now))
		sg_pulse_armed(now);
	if (done)
		sg_flow_complete(s->cookie, now, now);
	else if (f->http.framing == SG_FRAMING_UNKNOWN)
		sg_pulse_silent(now);
}

SEC("cgroup_skb/ingress")
int sg_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct sg_segment seg = {};
	const __u64 *stored;
	struct sg_scope s;
	struct sg_flow *f;
	struct sg_cfg *c;
	bool observe;
	bool parsed;
	__u64 now;
	__u32 gap;

	if (!sk)
		return SG_PASS;
	stored = bpf_sk_storage_get(&sk_ctx, sk, NULL, 0);
	if (!stored)
		return sg_untracked(skb, 0);
	f = sg_flow_scope(stored, &s);
	if (!f)
		return sg_flow_whose(stored) == SG_PROXIED_FOREIGN ? SG_PASS : sg_untracked(skb, 0);
	if (f->proxied == SG_PROXIED_UNNAMED)
		return SG_PASS; /* nothing was asked yet */
	c = sg_config();
	if (!c)
		return SG_PASS;
	now = bpf_ktime_get_boot_ns();
	observe = sg_lets_pass(c, s.server, now);
	if (f->flags & SG_FLOW_UDP)
		return sg_datagram(skb, &s, f, 0, observe, now);
	parsed = sg_segment(skb, &seg);
	if (!observe && sg_quarantined(sg_quarantine_until(s.id), now))
		return sg_stop(skb, &s, f, parsed, &seg, 0, now);
	sk = bpf_sk_fullsock(sk);
	if (!sk || !parsed)
		return SG_PASS;
	if (!seg.len) {
		sg_heard(&s, sk, f, &seg, now);
		return SG_PASS;
	}
	if (!sg_fresh(&s, sk, f, &seg, &gap))
		return SG_PASS;
	sg_came(&s, f, now);
	sg_answer(skb, &s, f, &seg, gap, now);
	return SG_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
