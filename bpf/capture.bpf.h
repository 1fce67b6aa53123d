/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps the beginnings of packets that were refused, for people: some of each server in a second,
 * and only where one is dropped, so that nothing that passes pays for it. A packet that finds no
 * room is not kept, and dropped all the same.
 */
#ifndef SWITCHGEAR_CAPTURE_BPF_H
#define SWITCHGEAR_CAPTURE_BPF_H

#include "isolation.h"
#include "maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SG_CAPTURE_RING);
} captures SEC(".maps") __weak;

/* Processors that count at one moment may keep one more. */
SG_MAP(capture_at, ARRAY, 0, SG_SERVERS_MAX, __u32, struct sg_capture_rate);

#define SG_CAPTURE_WINDOW_NS 1000000000ULL
#define SG_CAPTURE_OUT (1U << 8) /* beside enum sg_capture_by */

/* NULL: enough of this server are kept for now, or there is no room. */
static __always_inline struct sg_captured *sg_capture_new(__u32 id, __u32 how, __u64 now)
{
	struct sg_capture_rate *rate = bpf_map_lookup_elem(&capture_at, &id);
	struct sg_captured *p;
	__u32 skipped;

	if (!rate)
		return NULL;
	if (now > rate->since_ns + SG_CAPTURE_WINDOW_NS) {
		rate->since_ns = now;
		rate->n = 0;
	}
	if (rate->n >= SG_CAPTURE_RATE) {
		rate->skipped++;
		return NULL;
	}
	rate->n++;
	skipped = rate->skipped;
	p = bpf_ringbuf_reserve(&captures, sizeof(*p), 0);
	if (!p)
		return NULL;
	rate->skipped = 0;
	p->t_ns = now;
	p->server = id;
	p->by = (__u8)how;
	p->out = how & SG_CAPTURE_OUT ? 1 : 0;
	p->skipped = skipped;
	return p;
}

/* Of a packet as the hooks of sockets see it: from its IP header on. How: enum sg_capture_by. */
__weak __noinline int sg_capture(struct __sk_buff *skb, __u32 id, __u32 how, __u64 now)
{
	struct sg_captured *p = sg_capture_new(id, how, now);
	__u64 have;

	if (!p)
		return 0;
	p->len = skb->len;
	have = p->len < SG_CAPTURE_BYTES ? p->len : SG_CAPTURE_BYTES;
	/* a number of 1 .. SG_CAPTURE_BYTES for the verifier, in the register that is passed on */
	asm volatile("" : "+r"(have));
	have = ((have - 1) & (SG_CAPTURE_BYTES - 1)) + 1;
	if (bpf_skb_load_bytes(skb, 0, p->data, have))
		have = 0;
	p->have = (__u16)have;
	bpf_ringbuf_submit(p, BPF_RB_NO_WAKEUP);
	return 1;
}

#endif
