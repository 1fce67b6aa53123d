/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets as the cgroup hooks see them, and the cut-off by address: a quarantine
 * also holds for packets of sockets that have no record.
 */
#ifndef SWITCHGEAR_PACKET_BPF_H
#define SWITCHGEAR_PACKET_BPF_H

#include "addr.bpf.h"
#include "admit.bpf.h"
#include "capture.bpf.h"
#include "event.bpf.h"
#include "maps.bpf.h"
#include "verdict.h"

#include <bpf/bpf_core_read.h>

#define SG_PASS 1
#define SG_DROP 0
#define SG_EXTENSIONS_MAX 8
#define SG_TCP_SYN 2

struct sg_segment {
	__u32 payload; /* offset of the first payload byte */
	__u32 len;     /* payload bytes */
	__u32 seq;
	bool syn;
};

/*
 * Walks IPv6 extension headers from `next` on: offset << 8 | protocol of what is
 * behind them, or -1 if they are too many, or end too early, or a fragment hides
 * the rest. An ordinary user may put a routing header in front of TCP.
 */
__weak __noinline int sg_skip_extensions(struct __sk_buff *skb, __u32 next)
{
	__u32 at = 40;
	__u8 h[4];
	__u32 i;

	for (i = 0; i < SG_EXTENSIONS_MAX; i++) {
		if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
			return (int)(at << 8 | (next & 0xff));
		if (bpf_skb_load_bytes(skb, at, h, sizeof(h)))
			return -1;
		if (next == 44 && (h[2] || h[3] & 0xf8))
			return -1;
		if (next == 44)
			at += 8;
		else if (next == 51)
			at += ((__u32)h[1] + 2) * 4;
		else
			at += ((__u32)h[1] + 1) * 8;
		next = h[0];
	}
	return -1;
}

/* Offset << 8 | protocol of what IP carries, or -1. `ip`: its first 20 bytes. */
static __always_inline int sg_transport(struct __sk_buff *skb, const __u8 *ip)
{
	if (ip[0] >> 4 == 4)
		return (int)((__u32)(ip[0] & 15) << 10 | ip[9]);
	if (ip[6] == SG_IPPROTO_TCP || ip[6] == SG_IPPROTO_UDP)
		return (int)(40U << 8 | ip[6]);
	return sg_skip_extensions(skb, ip[6]);
}

/* What a TCP header at `at`, of which the first 16 bytes are `tcp`, says of its segment. */
static __always_inline void sg_tcp_read(struct __sk_buff *skb, __u32 at, const __u8 *tcp,
					struct sg_segment *seg)
{
	seg->seq = (__u32)tcp[4] << 24 | (__u32)tcp[5] << 16 | (__u32)tcp[6] << 8 | tcp[7];
	seg->syn = tcp[13] & SG_TCP_SYN;
	if (seg->syn) /* takes a number */
		seg->seq++;
	seg->payload = at + (tcp[12] >> 4) * 4;
	seg->len = skb->len > seg->payload ? skb->len - seg->payload : 0;
}

/* The same; false if the header is not all there. */
static __always_inline bool sg_tcp_segment(struct __sk_buff *skb, __u32 at, struct sg_segment *seg)
{
	__u8 tcp[16];

	if (bpf_skb_load_bytes(skb, at, tcp, sizeof(tcp)))
		return false;
	sg_tcp_read(skb, at, tcp, seg);
	return true;
}

/* Finds the TCP payload; false where there is none that can be found. */
static __always_inline bool sg_segment(struct __sk_buff *skb, struct sg_segment *seg)
{
	__u8 ip[40];
	int found;

	/* both headers at once, where they are as they mostly are: half the cost of this */
	if (!bpf_skb_load_bytes(skb, 0, ip, sizeof(ip)) && ip[0] == 0x45 &&
	    ip[9] == SG_IPPROTO_TCP) {
		sg_tcp_read(skb, 20, ip + 20, seg);
		return true;
	}
	if (bpf_skb_load_bytes(skb, 0, ip, 20))
		return false;
	found = sg_transport(skb, ip);
	if (found < 0 || (found & 0xff) != SG_IPPROTO_TCP ||
	    bpf_skb_load_bytes(skb, (__u32)found >> 8, ip, 16)) /* done with: the stack is short */
		return false;
	sg_tcp_read(skb, (__u32)found >> 8, ip, seg);
	return true;
}

/* --- by address --------------------------------------------------------------------- */

/* The cookie of the namespace that a packet is in, 0 if it cannot be told. */
static __always_inline __u64 sg_skb_netns(struct __sk_buff *skb)
{
	struct bpf_sock *sk;
	struct tcp_sock *tp;

	if (sg_rodata.skb_netns)
		return bpf_get_netns_cookie(skb);
	sk = skb->sk;
	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!tp)
		return 0;
	return sg_netns_of((struct sock *)tp);
}

#define SG_CUT_OUT 1U     /* by destination, else by source */
#define SG_CUT_BREAKER 2U /* a breaker's denial counts, too */

enum sg_cut {
	SG_CUT_PASS,
	SG_CUT_DENIED,  /* by the breaker */
	SG_CUT_DROPPED, /* by a quarantine */
	SG_CUT_BLIND,   /* whom it is from or for cannot be read */
};

/* With the server's id: what sg_cut() returns. The stack is too short for keeping the packet there. */
#define SG_CUT(cut, id) ((int)((cut) | (id) << 8))
#define SG_CUT_OF(result) ((result)&0xff)
#define SG_CUT_ID(result) ((__u32)(result) >> 8)

/* The verdict on a packet from or for a server. */
static __always_inline enum sg_cut sg_cut_server(const struct sg_cfg *c, __u32 at, __u32 how,
						 __u64 now)
{
	struct sg_scope s;

	if (!sg_scope_at(&s, at) || sg_lets_pass(c, s.server, now))
		return SG_CUT_PASS;
	if (sg_quarantined(sg_quarantine_until(s.id), now)) {
		SG_COUNT(&s, dropped_packets);
		return SG_CUT_DROPPED;
	}
	if (!(how & SG_CUT_BREAKER))
		return SG_CUT_PASS;
	sg_bring_up(&s, now); /* a deadline passes for those who send only datagrams, too */
	if (!sg_breaker_denies(&s.server->breaker, now))
		return SG_CUT_PASS;
	SG_COUNT(&s, denied);
	return SG_CUT_DENIED;
}

/* The ports cannot be read: while anything is in quarantine, any server at that address will do. */
static __always_inline int sg_cut_blind(const struct sg_cfg *c, const struct sg_ep *ep, __u64 now)
{
	__u32 at = sg_listed_at(ep, c, now);
	struct sg_scope s;

	if (at == SG_AT_NONE || !sg_scope_at(&s, at) || sg_lets_pass(c, s.server, now))
		return SG_CUT_BLIND;
	SG_COUNT(&s, dropped_packets);
	return SG_CUT(SG_CUT_DROPPED, s.id);
}

/*
 * Looks a packet up by its address: returns SG_CUT(). TCP segments without
 * payload pass, so that both ends can finish, but for the SYN. `netns`: cookie of
 * its namespace, 0 if that is not known yet.
 */
__weak __noinline int sg_cut(struct __sk_buff *skb, __u64 netns, __u32 how, __u64 now)
{
	struct sg_cfg *c = sg_config();
	struct sg_segment seg;
	struct sg_ep ep = {};
	__u8 ip[20];
	__be16 ports[2];
	int found;
	__u32 at;

	if (!c || bpf_skb_load_bytes(skb, 0, ip, 20))
		return SG_CUT_PASS;
	if (ip[0] >> 4 == 4)
		sg_addr_v4(ep.addr, how & SG_CUT_OUT ? *(__be32 *)(ip + 16) : *(__be32 *)(ip + 12));
	else if (bpf_skb_load_bytes(skb, how & SG_CUT_OUT ? 24 : 8, ep.addr, sizeof(ep.addr)))
		return SG_CUT_BLIND;
	sg_ep_normalise(&ep, netns ? netns : sg_skb_netns(skb));
	found = sg_transport(skb, ip);
	if (found < 0 || bpf_skb_load_bytes(skb, (__u32)found >> 8, ports, sizeof(ports)))
		return sg_cut_blind(c, &ep, now);
	ep.proto = sg_ep_proto(found & 0xff);
	if (ep.proto != SG_IPPROTO_TCP && ep.proto != SG_IPPROTO_UDP)
		return SG_CUT_PASS;
	if (ep.proto == SG_IPPROTO_TCP && sg_tcp_segment(skb, (__u32)found >> 8, &seg) &&
	    !seg.len && !seg.syn)
		return SG_CUT_PASS;
	ep.port = ports[how & SG_CUT_OUT];
	at = sg_server_at(&ep, c);
	if (at == SG_AT_NONE)
		return SG_CUT_PASS;
	return SG_CUT(sg_cut_server(c, at, how, now), SG_AT_ID(at));
}

/*
 * Lets the packet pass, here and now, if `word` is 0. A `return` would be a jump to the
 * end of a program of several kilobytes, into code that nobody else has run: for a
 * packet of an untracked socket most of its cost. What such a packet runs lies together.
 */
static __always_inline void sg_pass_unless(__u64 word)
{
	asm volatile("if %[word] != 0 goto +2\n\tr0 = 1\n\texit" : : [word] "r"(word) : "r0");
}

/* Keeps a packet that is dropped, of this result of sg_cut(). */
static __always_inline void sg_cut_keep(struct __sk_buff *skb, int cut, __u32 how, __u64 now)
{
	__u32 by = SG_CUT_OF(cut) == SG_CUT_DROPPED ? SG_CAPTURE_QUARANTINE : SG_CAPTURE_BREAKER;

	sg_capture(skb, SG_CUT_ID(cut), by | (how & SG_CUT_OUT ? SG_CAPTURE_OUT : 0), now);
}

/* A packet of a socket without a record: nothing while nothing is in quarantine. */
static __always_inline int sg_untracked(struct __sk_buff *skb, __u32 how)
{
	__u64 *until = SG_ONLY(cutoff);
	__u64 now;
	int cut;

	if (!until)
		return SG_PASS;
	sg_pass_unless(*until);
	now = bpf_ktime_get_boot_ns();
	if (!sg_quarantined(*until, now))
		return SG_PASS;
	cut = sg_cut(skb, 0, how, now);
	if (SG_CUT_OF(cut) != SG_CUT_DROPPED)
		return SG_PASS;
	sg_cut_keep(skb, cut, how, now);
	return SG_DROP;
}

#endif
