/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples of what is denied: who wanted where. All are counted (counters.h); one of a server in
 * ten seconds is told, so that an agent that hammers at a closed door fills neither the ring nor
 * the history. Packets that a quarantine drops are nobody's: they are counted alone.
 */
#ifndef SWITCHGEAR_DENIAL_BPF_H
#define SWITCHGEAR_DENIAL_BPF_H

#include "report.bpf.h"

#include <bpf/bpf_endian.h>

/* When one of each server was told, boot time. Processors that deny at one moment may tell two. */
SG_MAP(denied_at, ARRAY, 0, SG_SERVERS_MAX, __u32, __u64);

static __always_inline bool sg_denial_due(__u32 id, __u64 now)
{
	__u64 *at = bpf_map_lookup_elem(&denied_at, &id);

	if (!at || (*at && now < *at + SG_DENIAL_NS))
		return false;
	*at = now;
	return true;
}

/*
 * By the process that runs now, to the address in these words (IPv4 v4-mapped), port in network
 * order; a port of 0: to none. A function of its own, of numbers, to be verified once.
 */
__weak __noinline int sg_denial_tell(__u32 id, __u64 now, __u64 first, __u64 last, __u32 port)
{
	struct sg_event *e = sg_event_new(SG_EV_DENIAL, id, now);

	if (!e)
		return 0;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	__builtin_memcpy(e->addr, &first, sizeof(first));
	__builtin_memcpy(e->addr + sizeof(first), &last, sizeof(last));
	e->port = (__be16)port;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 1;
}

static __always_inline void sg_denial_connect(const struct bpf_sock_addr *ctx, __u32 id, bool v6,
					      __u64 now)
{
	union {
		__u32 words[4];
		__u64 halves[2];
	} to = { .words = { 0, 0, bpf_htonl(0xffff), 0 } };

	if (!sg_denial_due(id, now))
		return;
	if (!v6) {
		to.words[3] = ctx->user_ip4;
	} else {
		to.words[0] = ctx->user_ip6[0];
		to.words[1] = ctx->user_ip6[1];
		to.words[2] = ctx->user_ip6[2];
		to.words[3] = ctx->user_ip6[3];
	}
	sg_denial_tell(id, now, to.halves[0], to.halves[1], ctx->user_port & 0xffff);
}

/* What was stopped on an open connection: by whom its record names. */
__weak __noinline int sg_denial_tell_flow(__u32 id, __u64 now, __u64 cookie)
{
	struct sg_event *e = sg_event_new(SG_EV_DENIAL, id, now);

	if (!e)
		return 0;
	sg_event_whose(e, cookie);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 1;
}

static __always_inline void sg_denial_flow(__u32 id, __u64 cookie, __u64 now)
{
	if (sg_denial_due(id, now))
		sg_denial_tell_flow(id, now, cookie);
}

#endif
