/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Judges flows that user space names by their cookies, up to SG_WALK_MAX at a
 * time: a program that is never attached, run by BPF_PROG_TEST_RUN with a struct
 * sg_walk_command as its packet. User space walks the map in batches and chooses
 * from copies; what happens is decided here, under the locks that the hooks take.
 */
#include "event.bpf.h"
#include "flow.h"
#include "flows.bpf.h"
#include "maps.bpf.h"
#include "sweep.bpf.h"
#include "verdict.h"

#define SG_EINVAL 22

/* Does the server that a connection was meant for get connects again? */
static __always_inline bool sg_origin_back(const struct sg_flow *f, __u64 now)
{
	struct sg_scope s;

	return sg_scope_find(&s, f->origin) && s.server->incarnation == f->origin_incarnation &&
	       !sg_quarantined(sg_quarantine_until(s.id), now) &&
	       !sg_breaker_denies(&s.server->breaker, now) && s.server->breaker.state != SG_RAMP;
}

/* enum sg_disposition; marks a target, so that its end is nobody's failure, or a busy flow to die later. */
__weak __noinline int sg_dispose_one(__u64 cookie, __u64 now)
{
	struct sg_cfg *c = sg_config();
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);
	__u8 fate;

	if (!f || !c)
		return SG_DISPOSITION_LIVE;
	fate = sg_flow_disposition(f, s.server, sg_lets_pass(c, s.server, now),
				   sg_quarantined(sg_quarantine_until(s.id), now), now);
	if (fate == SG_DISPOSITION_LIVE && f->redirect == SG_REDIRECT_DIRECT &&
	    sg_origin_back(f, now))
		fate = sg_flow_drains(f);
	if (fate == SG_DISPOSITION_KILL)
		sg_flags(&s, f, 0, SG_FLOW_KILLED);
	else if (fate == SG_DISPOSITION_BUSY)
		sg_flags(&s, f, 0, SG_FLOW_LAST);
	return fate;
}

/* User space killed it, cannot kill it, or found no such socket. */
__weak __noinline int sg_note_one(__u64 cookie, __u32 op, __u64 now)
{
	struct sg_flow *f = bpf_map_lookup_elem(&flows, &cookie);
	struct sg_scope s;

	if (!f || f->cookie != cookie)
		return 0;
	if (op == SG_WALK_ENDED && !(f->flags & (SG_FLOW_UDP | SG_FLOW_ORPHAN)))
		return 1; /* its state tells */
	f = sg_flow_find(cookie, &s);
	if (f && op == SG_WALK_STUCK)
		sg_flags(&s, f, 0, SG_FLOW_STUCK);
	else if (f)
		sg_give_back(&s, f, false);
	if (op != SG_WALK_STUCK)
		sg_flow_end(cookie, now);
	return 1;
}

static __always_inline __u32 sg_walk_one(const struct sg_walk_item *item, __u32 op, __u64 now)
{
	switch (op) {
	case SG_WALK_SWEEP:
		return sg_sweep_flow(item->cookie, item->serial, now);
	case SG_WALK_DISPOSITION:
		return (__u32)sg_dispose_one(item->cookie, now);
	case SG_WALK_BURY:
		return (__u32)sg_bury_one(item->cookie, now);
	default:
		return (__u32)sg_note_one(item->cookie, op, now);
	}
}

SEC("xdp")
int sg_walk(struct xdp_md *ctx)
{
	struct sg_walk_command *cmd = (void *)(long)ctx->data;
	__u64 now;
	__u32 op;
	__u32 i;

	if ((void *)(cmd + 1) > (void *)(long)ctx->data_end || cmd->magic != SG_WALK_MAGIC)
		return SG_EINVAL;
	op = cmd->op;
	if (op < SG_WALK_SWEEP || op >= SG_WALK_COUNT || cmd->n > SG_WALK_MAX)
		return SG_EINVAL;
	now = cmd->now_ns ? cmd->now_ns : bpf_ktime_get_boot_ns();
	for (i = 0; i < SG_WALK_MAX; i++) {
		if (i >= cmd->n)
			break;
		cmd->item[i].result = sg_walk_one(&cmd->item[i], op, now);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
