/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose a connection is that goes to an address of several names: what its client sends first
 * names the server, another one, or none that is known. Then the verdict is that server's, and
 * so is what becomes of the connection. Nothing is known of who names nobody: it is the
 * server's that has the address, as everything is at an address of one name.
 */
#ifndef SWITCHGEAR_NAME_BPF_H
#define SWITCHGEAR_NAME_BPF_H

#include "flows.bpf.h"
#include "hello.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "proxied.bpf.h"

#define SG_HELLO_STEPS 256 /* of one segment: two for an extension, two for a record */

/* What a packet that leaves is, of a connection that may be of several servers. */
enum sg_leaves {
	SG_LEAVES_ON,   /* it goes on as any other */
	SG_LEAVES_NEW,  /* the exchange before is over by it: to be completed, and asked again */
	SG_LEAVES_PASS, /* it passes, and that is all */
};

/* The beginning of a connection, from its first byte on; NULL: there is no room. */
static __always_inline struct sg_hello *sg_hello_new(struct __sk_buff *skb, __u64 cookie, __u32 at)
{
	void *zeros = SG_ONLY(blank);
	struct sg_hello *h;
	__u8 b[4];

	_Static_assert(sizeof(struct sg_hello) <= sizeof(struct sg_flow), "blank has room");
	if (!zeros || bpf_skb_load_bytes(skb, at, b, 1) ||
	    bpf_map_update_elem(&hellos, &cookie, zeros, BPF_ANY))
		return NULL;
	h = bpf_map_lookup_elem(&hellos, &cookie);
	if (!h)
		return NULL;
	sg_hello_begin(h, b[0]);
	if (!bpf_skb_load_bytes(skb, at, b, sizeof(b)))
		h->head = (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
	return h;
}

/* Gathers bytes at `at`: up to `want`, and up to SG_TARGET_LEN behind what is there. How many, 0:
 * none can be read. */
static __always_inline __u32 sg_hello_load(struct __sk_buff *skb, struct sg_hello *h, __u32 at,
					   __u32 have, __u32 want)
{
	__u64 from = have;
	__u64 n = want;

	if (!n || n > SG_TARGET_LEN || from >= SG_TARGET_LEN)
		return 0;
	asm volatile("" : "+r"(from), "+r"(n)); /* numbers that the verifier knows nothing of */
	from &= SG_TARGET_LEN - 1;
	n = ((n - 1) & (SG_TARGET_LEN - 1)) + 1;
	if (bpf_skb_load_bytes(skb, at, h->key.text + from, n))
		return 0;
	return (__u32)n;
}

/* The loops: functions of their own, so that the verifier walks each once. */
__weak __noinline int sg_hello_cut_one(__u64 cookie, __u32 len)
{
	struct sg_hello *h = bpf_map_lookup_elem(&hellos, &cookie);

	if (h)
		sg_hello_cut(h, len);
	return 0;
}

__weak __noinline int sg_hello_line_one(__u64 cookie, __u32 len)
{
	struct sg_hello *h = bpf_map_lookup_elem(&hellos, &cookie);

	return h && sg_hello_line(h, len);
}

__weak __noinline int sg_hello_seek_one(__u64 cookie, __u32 n)
{
	struct sg_hello *h = bpf_map_lookup_elem(&hellos, &cookie);

	return h ? (int)sg_hello_seek(h, n) : -1;
}

/* What of a request is in clear. */
static __always_inline int sg_hello_clear(struct __sk_buff *skb, struct sg_hello *h, __u32 at,
					  __u32 len, __u64 cookie)
{
	__u32 have = h->stage == SG_HELLO_HOST ? h->have : 0;
	__u32 want = SG_TARGET_LEN - have;
	__u32 n = sg_hello_load(skb, h, at, have, len < want ? len : want);

	if (!n)
		return -1;
	if (h->stage == SG_HELLO_FIND)
		return sg_hello_seek_one(cookie, n);
	h->have = (__u16)(have + n);
	if (sg_hello_line_one(cookie, have + n))
		sg_hello_cut_one(cookie, have + n);
	else if (have + n >= SG_TARGET_LEN)
		h->stage = SG_HELLO_OTHER;
	return (int)n;
}

/* Reads on, of `len` bytes at `at`: how many that took; -1: they cannot be read. */
__weak __noinline int sg_hello_step(struct __sk_buff *skb, __u32 at, __u32 len, __u64 cookie)
{
	struct sg_hello *h = bpf_map_lookup_elem(&hellos, &cookie);
	__u32 want;
	__u32 n;

	if (!h || !len)
		return -1;
	if (h->stage >= SG_HELLO_FIND)
		return sg_hello_clear(skb, h, at, len, cookie);
	if (!h->frame && !h->framed && !bpf_skb_load_bytes(skb, at, h->header, SG_HELLO_FRAME)) {
		sg_hello_frame(h);
		return SG_HELLO_FRAME;
	}
	if (!h->frame) { /* it is torn */
		if (bpf_skb_load_bytes(skb, at, &h->header[h->framed & 7], 1))
			return -1;
		if (++h->framed >= SG_HELLO_FRAME)
			sg_hello_frame(h);
		return 1;
	}
	n = len < h->frame ? len : h->frame;
	if (h->skip) {
		n = n < h->skip ? n : h->skip;
		h->skip -= (__u16)n;
		h->frame -= (__u16)n;
		return (int)n;
	}
	want = h->need - h->have;
	n = sg_hello_load(skb, h, at, h->have, n < want ? n : want);
	if (!n)
		return -1;
	h->have += (__u16)n;
	h->frame -= (__u16)n;
	if (h->have < h->need)
		return (int)n;
	if (h->stage == SG_HELLO_NAME)
		sg_hello_cut_one(cookie, h->have);
	else
		sg_hello_field(h);
	return (int)n;
}

/* Reads a segment's payload; enum sg_hello_stage, SG_HELLO_FIND while it is not known yet. */
__weak __noinline int sg_hello_read(struct __sk_buff *skb, __u32 at, __u32 len, __u64 cookie,
				    __u32 first)
{
	struct sg_hello *h;
	__u32 i;
	int n;

	h = first ? sg_hello_new(skb, cookie, at) : bpf_map_lookup_elem(&hellos, &cookie);
	if (!h)
		return SG_HELLO_NONE; /* more is open at once than there is room for */
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_HELLO_STEPS; i++) {
		if (!len || !sg_hello_open(h))
			break;
		n = sg_hello_step(skb, at, len, cookie);
		if (n < 0)
			return SG_HELLO_NONE;
		at += (__u32)n;
		len -= (__u32)n;
	}
	if (!sg_hello_open(h))
		return h->stage;
	return len ? SG_HELLO_NONE : SG_HELLO_FIND;
}

/* Whose the name is that was read (SG_AT), or SG_AT_NONE. */
__weak __noinline __u32 sg_hello_at(__u64 cookie, __u32 port)
{
	struct sg_hello *h = bpf_map_lookup_elem(&hellos, &cookie);
	__u32 *at;

	if (!h)
		return SG_AT_NONE;
	h->key.port = (__be16)port;
	at = bpf_map_lookup_elem(&host_names, &h->key);
	return at ? *at : SG_AT_NONE;
}

/* The first four bytes that a connection began with, as they stand in `head` elsewhere. */
static __always_inline __u32 sg_hello_head(__u64 cookie, __u32 head)
{
	struct sg_hello *h = bpf_map_lookup_elem(&hellos, &cookie);

	return h ? h->head : head;
}

/* The server's addresses are others', too: whoever is trusted has shown it. */
static __always_inline void sg_name_learn(const struct sg_scope *s, const struct sg_flow *f)
{
	if (s->server->flags & SG_SRV_LEARNED || sg_flow_silent(f))
		return;
	bpf_spin_lock(&s->server->lock);
	s->server->flags |= SG_SRV_LEARNED;
	bpf_spin_unlock(&s->server->lock);
}

/* It has told whose it is, in enum sg_proxied. */
static __always_inline void sg_named_is(struct sg_flow *f, __u64 cookie, __u8 whose)
{
	bpf_spin_lock(&f->lock);
	if (f->cookie == cookie)
		f->proxied = whose;
	bpf_spin_unlock(&f->lock);
}

/* It names `at`, SG_AT_NONE: a stranger. The record is whose it is from now on. */
__weak __noinline int sg_named_take(__u64 cookie, __u32 at, __u64 now)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);

	if (!f)
		return 0;
	if (at != SG_AT_NONE && SG_AT_ID(at) == s.id) {
		sg_named_is(f, cookie, SG_PROXIED_NAMED);
		sg_proxied_count(&s, cookie, now);
		return 0;
	}
	if (f->proxied == SG_PROXIED_CHECKED)
		sg_name_learn(&s, f);
	sg_proxied_release(cookie);
	if (at != SG_AT_NONE && sg_proxied_take(cookie, at, now))
		sg_named_is(f, cookie, SG_PROXIED_NAMED);
	else
		sg_named_is(f, cookie, SG_PROXIED_FOREIGN);
	return 0;
}

/* The server that a flow is of, as what an endpoint says it is. */
static __always_inline __u32 sg_named_self(const struct sg_flow *f)
{
	return SG_AT(f->server, 0, 0, f->incarnation % SG_AT_INCARNATIONS);
}

static __always_inline bool sg_hello_tls(struct __sk_buff *skb, __u32 at)
{
	__u8 first = 0;

	return !bpf_skb_load_bytes(skb, at, &first, 1) && first == SG_TLS_HANDSHAKE;
}

/* A segment leaves on a connection that has not told yet whose it is; enum sg_leaves. */
__weak __noinline int sg_named_leaves(struct __sk_buff *skb, __u64 cookie, __u64 now)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	struct sg_scope s = { .cookie = cookie };
	struct sg_segment seg = {};
	__u32 old = 0;
	bool unnamed;
	int stage;

	if (!f || f->cookie != cookie)
		return SG_LEAVES_ON;
	unnamed = f->proxied == SG_PROXIED_UNNAMED;
	if (!sg_segment(skb, &seg)) {
		if (unnamed)
			sg_named_take(cookie, sg_named_self(f), now);
		return SG_LEAVES_ON;
	}
	if (!seg.len)
		return SG_LEAVES_ON;
	if (f->flags & SG_FLOW_SEEN_TX) {
		if (!sg_before(f->tx_next, seg.seq + seg.len))
			return unnamed ? SG_LEAVES_PASS : SG_LEAVES_ON; /* retransmitted */
		old = f->tx_next - seg.seq;
	}
	if (!unnamed && !(f->flags & SG_FLOW_SEEN_TX) && !sg_hello_tls(skb, seg.payload))
		stage = SG_HELLO_NONE;
	else if (old < seg.len)
		stage = sg_hello_read(skb, seg.payload + old, seg.len - old, cookie,
				      !(f->flags & SG_FLOW_SEEN_TX));
	else
		stage = SG_HELLO_NONE; /* something left unseen */
	if (stage == SG_HELLO_FIND) {
		if (!unnamed)
			return SG_LEAVES_ON;
		sg_flags(&s, f, 0, SG_FLOW_SEEN_TX);
		f->tx_next = seg.seq + seg.len;
		return SG_LEAVES_PASS;
	}
	if (stage == SG_HELLO_NONE)
		sg_named_take(cookie, sg_named_self(f), now);
	else
		sg_named_take(cookie,
			      stage == SG_HELLO_OVER ? sg_hello_at(cookie, f->remote_port)
						     : SG_AT_NONE,
			      now);
	return f->proxied == SG_PROXIED_FOREIGN ? SG_LEAVES_PASS : SG_LEAVES_ON;
}

#endif
