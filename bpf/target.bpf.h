/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whom the packets of a connection to a proxy are for, by what they begin with. */
#ifndef SWITCHGEAR_TARGET_BPF_H
#define SWITCHGEAR_TARGET_BPF_H

#include "exchange.bpf.h"
#include "name.bpf.h"
#include "packet.bpf.h"
#include "proxied.bpf.h"
#include "target.h"

/* What a segment asks for, where it is not the SG_AT of a server. */
#define SG_ASKS_OTHERS SG_AT_NONE        /* another server */
#define SG_ASKS_NOTHING (SG_AT_NONE - 1) /* it is no request's first one */

/* Whom a segment asks a proxy for: SG_AT, or SG_ASKS_*. */
__weak __noinline __u32 sg_target_of(struct __sk_buff *skb, __u32 at, __u32 len)
{
	struct sg_target t;
	__u8 b[8];
	__u32 *found;
	__u32 head;
	__u32 skip;
	__u64 left;

	if (bpf_skb_load_bytes(skb, at, b, sizeof(b)))
		return SG_ASKS_NOTHING;
	head = (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
	skip = sg_target_method(head);
	if (!skip)
		return SG_ASKS_NOTHING;
	if (head != SG_TARGET_CONNECT) {
		if (bpf_skb_load_bytes(skb, at + skip, b, SG_TARGET_SCHEME_LEN) ||
		    !sg_target_scheme(b))
			return SG_ASKS_OTHERS;
		skip += SG_TARGET_SCHEME_LEN;
	}
	if (len <= skip)
		return SG_ASKS_OTHERS;
	__builtin_memset(&t, 0, sizeof(t));
	left = len - skip;
	if (left > SG_TARGET_LEN)
		left = SG_TARGET_LEN;
	asm volatile("" : "+r"(left));
	left = ((left - 1) & (SG_TARGET_LEN - 1)) + 1;
	if (bpf_skb_load_bytes(skb, at + skip, t.text, left))
		return SG_ASKS_OTHERS;
	sg_target_cut(&t);
	found = bpf_map_lookup_elem(&proxy_names, &t);
	return found ? *found : SG_ASKS_OTHERS;
}

/* Is an exchange under way that new payload does not end? */
static __always_inline bool sg_proxied_busy(const struct sg_flow *f)
{
	return f->server != SG_NOBODY && f->phase != SG_PHASE_IDLE &&
	       (f->phase != SG_PHASE_BODY || f->http.framing != SG_FRAMING_UNKNOWN);
}

/* A segment leaves on a connection to a proxy: notes whose it is from now on; enum sg_leaves. */
__weak __noinline int sg_proxied_leaves(struct __sk_buff *skb, __u64 cookie, __u64 now)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	struct sg_scope s = { .cookie = cookie };
	struct sg_segment seg = {};
	__u32 at;

	if (!f || f->cookie != cookie || f->proxied != SG_PROXIED_EACH)
		return SG_LEAVES_ON;
	if (!sg_segment(skb, &seg) || !seg.len)
		return SG_LEAVES_ON;
	if (f->flags & SG_FLOW_SEEN_TX && !sg_before(f->tx_next, seg.seq + seg.len))
		return SG_LEAVES_ON; /* a retransmission */
	if (sg_proxied_busy(f))
		return SG_LEAVES_ON;
	at = sg_target_of(skb, seg.payload, seg.len);
	if (at != SG_ASKS_NOTHING && f->server != SG_NOBODY && f->phase != SG_PHASE_IDLE)
		return SG_LEAVES_NEW;
	if (at == SG_ASKS_NOTHING) {
		if (f->server != SG_NOBODY)
			return SG_LEAVES_ON;
	} else if (at != SG_ASKS_OTHERS && sg_proxied_take(cookie, at, now)) {
		return SG_LEAVES_ON;
	} else {
		sg_proxied_release(cookie);
	}
	sg_flags(&s, f, 0, SG_FLOW_SEEN_TX);
	f->tx_next = seg.seq + seg.len;
	return SG_LEAVES_ON;
}

/* A packet leaves on a connection whose owner may change with it; enum sg_leaves. */
static __always_inline int sg_leaves(struct __sk_buff *skb, __u64 cookie, __u8 proxied, __u64 now)
{
	int what;

	if (proxied == SG_PROXIED_FOREIGN)
		return SG_LEAVES_PASS;
	if (proxied != SG_PROXIED_EACH)
		return sg_named_leaves(skb, cookie, now);
	what = sg_proxied_leaves(skb, cookie, now);
	if (what == SG_LEAVES_NEW) {
		sg_flow_complete(cookie, now, now);
		what = sg_proxied_leaves(skb, cookie, now);
	}
	return what;
}

/* Does one have to ask that of it? */
static __always_inline bool sg_leaves_open(__u8 proxied)
{
	return proxied != SG_PROXIED_NOT && proxied != SG_PROXIED_TUNNEL &&
	       proxied != SG_PROXIED_NAMED;
}

#endif
