/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only way in which user space changes a breaker: a program that is never
 * attached, run by BPF_PROG_TEST_RUN with a struct sg_command as its packet.
 * It takes the breaker's lock as every hook does, so that no failure counted
 * in between is lost, and reports transitions as every hook does.
 */
#include "common.bpf.h"

#define SG_EINVAL 22
#define SG_ENOENT 2

/* Applies the command to the breaker; the caller holds its lock. */
static __always_inline void sg_apply(struct sg_server *srv, const struct sg_command *cmd, __u64 now)
{
	struct sg_breaker *b = &srv->breaker;
	__u32 generation = b->generation;
	struct sg_move unused;

	switch (cmd->op) {
	case SG_CMD_CONFIGURE:
		srv->flags = cmd->flags;
		srv->policy = cmd->policy;
		b->may_trip = cmd->breaker.may_trip;
		b->next_open_ns = cmd->breaker.next_open_ns;
		break;
	case SG_CMD_TRIP:
		sg_breaker_trip(b, &srv->policy, now, cmd->generation, cmd->reason, &unused);
		break;
	case SG_CMD_ORDER:
		sg_breaker_order(b, &srv->policy, cmd->state, now, cmd->until_ns, &unused);
		break;
	case SG_CMD_RESET:
		sg_breaker_reset(b, &srv->policy, now, &unused);
		break;
	case SG_CMD_RESTORE:
		*b = cmd->breaker;
		break;
	case SG_CMD_FORGET:
		srv->flags = 0;
		__builtin_memset(b, 0, sizeof(*b));
		b->generation = generation + 1; /* connections of the old owner are strangers */
		__builtin_memset(&srv->policy, 0, sizeof(srv->policy));
		break;
	default: /* SG_CMD_READ, SG_CMD_KILLED */
		break;
	}
}

static __always_inline void sg_count_killed(__u32 id, __u32 n)
{
	struct sg_stats *st = bpf_map_lookup_elem(&stats, &id);

	if (st)
		__sync_fetch_and_add(&st->killed, n);
}

SEC("xdp")
int sg_command(struct xdp_md *ctx)
{
	struct sg_command *cmd = (void *)(long)ctx->data;
	struct sg_server *srv;
	struct sg_scope s;
	struct sg_move mv;
	__u64 now;
	__u32 seq;
	__u32 id;

	if ((void *)(cmd + 1) > (void *)(long)ctx->data_end || cmd->magic != SG_COMMAND_MAGIC)
		return SG_EINVAL;
	if (cmd->op < SG_CMD_READ || cmd->op >= SG_CMD_COUNT)
		return SG_EINVAL;
	id = cmd->server;
	srv = bpf_map_lookup_elem(&srv_state, &id);
	if (!srv)
		return SG_ENOENT;
	if (cmd->op == SG_CMD_ORDER && cmd->state != SG_FORCED_OPEN &&
	    cmd->state != SG_FORCED_CLOSED && cmd->state != SG_DISABLED && cmd->state != SG_SHADOW)
		return SG_EINVAL;
	if (cmd->op == SG_CMD_KILLED)
		sg_count_killed(id, cmd->flags);
	s.server = srv;
	s.stats = NULL;
	s.id = id;
	now = cmd->now_ns ? cmd->now_ns : bpf_ktime_get_boot_ns();
	if (srv->flags & SG_SRV_USED)
		sg_bring_up(&s, now);

	bpf_spin_lock(&srv->lock);
	seq = srv->breaker.last.seq;
	sg_apply(srv, cmd, now);
	cmd->breaker = srv->breaker;
	cmd->policy = srv->policy;
	cmd->flags = srv->flags;
	mv = srv->breaker.last;
	bpf_spin_unlock(&srv->lock);

	cmd->moved = mv.seq != seq && cmd->op != SG_CMD_RESTORE && cmd->op != SG_CMD_FORGET;
	if (cmd->moved)
		sg_event_move(id, &mv, now);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
