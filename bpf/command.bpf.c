/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only way in which user space changes a breaker: a program that is never
 * attached, run by BPF_PROG_TEST_RUN with a struct sg_command as its packet.
 * It takes the breaker's lock as every hook does, so that no failure counted
 * in between is lost, and reports transitions as every hook does.
 */
#include "admit.bpf.h"
#include "event.bpf.h"
#include "flows.bpf.h"
#include "group.bpf.h"
#include "maps.bpf.h"
#include "report.bpf.h"

#define SG_EINVAL 22
#define SG_ENOENT 2

/* Applies the command to the breaker; the caller holds its lock. */
static __always_inline void sg_apply(struct sg_server *srv, const struct sg_command *cmd, __u64 now)
{
	struct sg_breaker *b = &srv->breaker;
	__u32 generation = b->generation;
	struct sg_transition unused;

	switch (cmd->op) {
	case SG_CMD_CONFIGURE:
		srv->flags = (srv->flags & SG_SRV_OWN) | (cmd->flags & ~SG_SRV_OWN);
		srv->group = cmd->group;
		srv->policy = cmd->policy;
		b->may_trip = cmd->breaker.may_trip;
		b->next_open_ns = cmd->breaker.next_open_ns;
		break;
	case SG_CMD_ORDER:
		sg_breaker_order(b, &srv->policy, cmd->state, now, cmd->until_ns, &unused);
		break;
	case SG_CMD_RESET:
		sg_breaker_reset(b, &srv->policy, now, &unused);
		srv->longest_ns = 0;
		srv->success_ns = 0;
		break;
	case SG_CMD_RESTORE:
		*b = cmd->breaker;
		break;
	case SG_CMD_FORGET:
		srv->flags = 0;
		srv->group = 0;
		__builtin_memset(b, 0, sizeof(*b));
		b->generation = generation + 1; /* connections of the old owner are strangers */
		__builtin_memset(&srv->policy, 0, sizeof(srv->policy));
		__builtin_memset(&srv->slots, 0, sizeof(srv->slots));
		__builtin_memset(&srv->sources, 0, sizeof(srv->sources));
		srv->success_ns = 0;
		srv->longest_ns = 0;
		__builtin_memset(srv->route, 0, sizeof(srv->route));
		srv->held_ns = 0;
		srv->doubt_ns = 0;
		srv->incarnation++; /* and so are their records, and entries of ep2srv */
		break;
	case SG_CMD_REACHED:
		srv->doubt_ns = 0;
		if (sg_breaker_reached(b, &srv->policy, now, cmd->generation, &unused))
			sg_source_succeeded(&srv->sources, SG_SOURCE_DAEMON, b->generation, now);
		break;
	case SG_CMD_SLOTS:
		sg_slots_set(&srv->slots, (__u8)cmd->flags);
		break;
	case SG_CMD_VIA:
		srv->route[cmd->flags % SG_SLOTS_MAX] = (__u16)cmd->limit;
		sg_slot_nowhere(&srv->slots, cmd->flags % SG_SLOTS_MAX,
				cmd->flags & SG_VIA_NOWHERE);
		break;
	default: /* SG_CMD_READ, and what was done before */
		break;
	}
}

static __always_inline void sg_count_killed(__u32 id, __u32 n)
{
	struct sg_stats *st = bpf_map_lookup_elem(&stats, &id);

	if (st)
		__sync_fetch_and_add(&st->killed, n);
}

/* A flow to report by, of something whose own flow user space cannot reach. */
SG_MAP(ended, ARRAY, 0, 1, __u32, struct sg_flow);

/* What user space itself saw end: its own probe. */
static __always_inline void sg_end(const struct sg_scope *s, const struct sg_ended *e, __u64 now)
{
	struct sg_result r = { .now = now };
	struct sg_flow *f;
	__u32 zero = 0;

	if (e->outcome >= SG_CLASS_COUNT) {
		sg_probe_back(s->id, SG_SOURCE_DAEMON, e->generation, false);
		return;
	}
	f = bpf_map_lookup_elem(&ended, &zero);
	if (!f)
		return;
	f->flags = e->flags & SG_OUT_PROBE ? SG_FLOW_PROBE : 0;
	f->generation = e->generation;
	f->http.number[SG_SLOT_STATUS] = e->status;
	f->method = e->method;
	r.serial = f->serial;
	f->cookie = s->cookie;
	sg_result_is(&r, e->outcome, e->cause);
	r.flags = e->flags & SG_OUT_COMPLETE;
	r.latency_ns = e->latency_ns;
	r.first_ns = e->first_ns;
	r.retry_after_ns = e->retry_after_ns;
	if (r.outcome == SG_SUCCESS) {
		sg_hist_add(s->id, SG_METRIC_FIRST_BYTE, r.first_ns);
		sg_hist_add(s->id, SG_METRIC_ANSWER, r.latency_ns);
	}
	sg_report(s, f, &r);
}

/* The daemon's own probe: the first token, unless an agent was quicker. */
static __always_inline void sg_own_probe(struct sg_command *cmd, __u64 now)
{
	cmd->state = (__u8)sg_admit_slow(cmd->server, SG_SOURCE_DAEMON, now, SG_MAY_PROBE);
}

/* Limits of a group; takes places back that do not count any more. */
static __always_inline int sg_group_command(struct sg_command *cmd)
{
	__u32 index = cmd->server;
	struct sg_group *g = bpf_map_lookup_elem(&groups, &index);
	__u32 open;

	if (!g)
		return SG_ENOENT;
	bpf_spin_lock(&g->lock);
	open = g->open;
	g->open = open > cmd->flags ? open - cmd->flags : 0;
	open = g->open;
	g->limit = cmd->limit;
	g->rest_ns = cmd->until_ns;
	bpf_spin_unlock(&g->lock);
	cmd->flags = open;
	return 0;
}

/* What the daemon knows of a route. */
static __always_inline int sg_route_command(struct sg_command *cmd)
{
	__u32 index = cmd->server;
	struct sg_route_entry *r = bpf_map_lookup_elem(&routes, &index);
	__u64 back = cmd->flags & SG_VIA_BACK ? cmd->until_ns : 0;

	if (!r || !index)
		return SG_ENOENT;
	bpf_spin_lock(&r->lock);
	if (back) {
		sg_route_came(&r->route, r->route.ok_ns > back ? r->route.ok_ns : back);
		r->route.back_ns = r->route.back_ns > back ? r->route.back_ns : back;
	}
	r->route.flags &= ~SG_ROUTE_OFFLINE;
	if (cmd->flags & SG_VIA_OFFLINE)
		r->route.flags |= SG_ROUTE_OFFLINE;
	bpf_spin_unlock(&r->lock);
	return 0;
}

/* A server leaves the routes of its addresses, or that of one of them. */
static __always_inline void sg_unroute(const struct sg_server *srv, const struct sg_command *cmd)
{
	__u32 i;

	if (cmd->op == SG_CMD_VIA)
		sg_route_left(srv->route[cmd->flags % SG_SLOTS_MAX], cmd->server);
	if (cmd->op != SG_CMD_FORGET)
		return;
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_SLOTS_MAX; i++)
		sg_route_left(srv->route[i], cmd->server);
}

/* A trip that user space decided: within the limits, unless nothing is enforced anyway. */
static __always_inline void sg_trip_command(const struct sg_scope *s, struct sg_command *cmd,
					    __u64 now)
{
	struct sg_trip trip = { .generation = cmd->generation, .reason = cmd->reason };
	struct sg_breaker *b = &s->server->breaker;
	struct sg_transition mv = {};

	cmd->effect = SG_EFFECT_STALE;
	if (trip.generation != b->generation || (b->state != SG_CLOSED && b->state != SG_RAMP))
		return;
	cmd->effect = SG_EFFECT_HELD;
	if (trip.reason != SG_REASON_CONSECUTIVE && sg_route_holds(s->id, now))
		return;
	cmd->effect = SG_EFFECT_OVERFLOW;
	if (b->may_trip)
		cmd->effect = sg_trip(s->server, &trip, now, &mv);
	if (cmd->effect == SG_EFFECT_OVERFLOW)
		SG_COUNT(s, overflow);
	cmd->moved = cmd->effect == SG_EFFECT_MOVED;
	if (cmd->moved)
		sg_event_transition(s->id, &mv, SG_SOURCE_NONE, now);
}

/* Which group the server counts in changes with its configuration. */
static __always_inline void sg_regroup(struct sg_server *srv, __u32 from, int place)
{
	__u32 to = srv->group;

	if (from == to) {
		if (place)
			sg_group_slot_move(to, place);
		return;
	}
	if ((int)srv->placed - place)
		sg_group_slot_move(from, -1);
	if (srv->placed)
		sg_group_slot_move(to, 1);
}

SEC("xdp")
int sg_command(struct xdp_md *ctx)
{
	struct sg_command *cmd = (void *)(long)ctx->data;
	struct sg_server *srv;
	struct sg_scope s;
	struct sg_transition mv;
	__u32 group;
	__u64 now;
	__u32 seq;
	__u32 id;
	int place;

	if ((void *)(cmd + 1) > (void *)(long)ctx->data_end || cmd->magic != SG_COMMAND_MAGIC)
		return SG_EINVAL;
	if (cmd->op < SG_CMD_READ || cmd->op >= SG_CMD_COUNT)
		return SG_EINVAL;
	if (cmd->op == SG_CMD_GROUP)
		return sg_group_command(cmd);
	if (cmd->op == SG_CMD_ROUTE)
		return sg_route_command(cmd);
	id = cmd->server;
	srv = bpf_map_lookup_elem(&srv_state, &id);
	if (!srv)
		return SG_ENOENT;
	if (cmd->op == SG_CMD_ORDER && cmd->state != SG_FORCED_OPEN &&
	    cmd->state != SG_FORCED_CLOSED && cmd->state != SG_DISABLED && cmd->state != SG_SHADOW)
		return SG_EINVAL;
	if (cmd->op == SG_CMD_CONFIGURE && cmd->group >= SG_GROUPS_MAX)
		return SG_EINVAL;
	if (cmd->op == SG_CMD_VIA && cmd->limit >= SG_ROUTES_MAX)
		return SG_EINVAL;
	if (cmd->op == SG_CMD_KILLED)
		sg_count_killed(id, cmd->flags);
	s.server = srv;
	s.stats = bpf_map_lookup_elem(&stats, &id);
	s.id = id;
	s.cookie = cmd->ended.cookie;
	now = cmd->now_ns ? cmd->now_ns : bpf_ktime_get_boot_ns();
	cmd->moved = 0;
	if (srv->flags & SG_SRV_USED)
		sg_bring_up(&s, now);
	else if (cmd->op == SG_CMD_OUTCOME || cmd->op == SG_CMD_PROBE || cmd->op == SG_CMD_TRIP)
		return SG_ENOENT;
	if (cmd->op == SG_CMD_OUTCOME)
		sg_end(&s, &cmd->ended, now);
	else if (cmd->op == SG_CMD_PROBE)
		sg_own_probe(cmd, now);
	else if (cmd->op == SG_CMD_TRIP)
		sg_trip_command(&s, cmd, now);
	sg_unroute(srv, cmd);

	bpf_spin_lock(&srv->lock);
	group = srv->group;
	seq = srv->breaker.last.seq;
	sg_apply(srv, cmd, now);
	cmd->breaker = srv->breaker;
	cmd->policy = srv->policy;
	cmd->flags = srv->flags;
	mv = srv->breaker.last;
	place = sg_slot(srv);
	bpf_spin_unlock(&srv->lock);
	sg_regroup(srv, group, place);
	if (mv.seq == seq || cmd->op == SG_CMD_RESTORE || cmd->op == SG_CMD_FORGET)
		return 0;
	cmd->moved = 1;
	sg_event_transition(id, &mv, SG_SOURCE_NONE, now);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
