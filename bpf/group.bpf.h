/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Groups: how many servers may be open at once. A group has a lock of its own,
 * and nobody holds it together with a server's. Functions of their own, so that
 * the verifier walks them once.
 */
#ifndef SWITCHGEAR_GROUP_BPF_H
#define SWITCHGEAR_GROUP_BPF_H

#include "maps.bpf.h"
#include "verdict.h"

/* The blast limit, while there is one and a daemon that works it. */
static __always_inline struct sg_group *sg_blast(__u64 now)
{
	__u32 all = SG_GROUP_ALL;
	struct sg_cfg *c = bpf_map_lookup_elem(&cfg, &all);
	struct sg_group *g = bpf_map_lookup_elem(&groups, &all);

	if (!c || !g || g->limit == SG_UNLIMITED || !g->limit || !sg_daemon_alive(c, now))
		return NULL;
	return g;
}

/* Adds to the places that are taken; they never become fewer than none. */
static __always_inline void sg_group_add(struct sg_group *g, int n)
{
	bpf_spin_lock(&g->lock);
	if (n > 0 || g->open)
		g->open += n;
	bpf_spin_unlock(&g->lock);
}

/* A member of the group (0: none) opened without a reservation (1) or closed (-1). */
__weak __noinline int sg_group_slot_move(__u32 group, int n)
{
	struct sg_group *g = bpf_map_lookup_elem(&groups, &group);

	if (g && group)
		sg_group_add(g, n);
	return 0;
}

/*
 * A place for one more open member of the group (0: none), within the blast
 * limit: 1, or 0 if there is none. Fail-closed to opening: a breaker that gets
 * no place stays closed and its calls go through.
 */
__weak __noinline int sg_group_reserve(__u32 group, __u64 now)
{
	struct sg_group *all = sg_blast(now);
	struct sg_group *g;
	int got = 1;

	if (all) {
		bpf_spin_lock(&all->lock);
		got = all->open < all->limit;
		all->open += got;
		bpf_spin_unlock(&all->lock);
	}
	g = bpf_map_lookup_elem(&groups, &group);
	if (!got || !g || !group)
		return got;
	bpf_spin_lock(&g->lock);
	got = g->open < g->limit && (!all || g->rest_until_ns <= now);
	g->open += got;
	if (got && all)
		g->rest_until_ns = now + all->rest_ns;
	bpf_spin_unlock(&g->lock);
	if (!got && all)
		sg_group_add(all, -1);
	return got;
}

/* A reservation that was not needed: the server did not move. */
__weak __noinline int sg_group_give_back(__u32 group, __u64 now)
{
	struct sg_group *all = sg_blast(now);
	struct sg_group *g = bpf_map_lookup_elem(&groups, &group);

	if (all)
		sg_group_add(all, -1);
	if (!g || !group)
		return 0;
	bpf_spin_lock(&g->lock);
	if (g->open)
		g->open--;
	g->rest_until_ns = 0;
	bpf_spin_unlock(&g->lock);
	return 0;
}

/*
 * To be called under the server's lock after each transition: does the server
 * count in its group now? Returns 1, 0 or -1, to be passed to sg_group_slot_move()
 * after the lock. What a shadow opens denies nobody and takes no place.
 */
static __always_inline int sg_slot(struct sg_server *srv)
{
	const struct sg_breaker *b = &srv->breaker;
	__u32 was = srv->placed;

	srv->placed = !b->shadow && (b->state == SG_OPEN || b->state == SG_HALF_OPEN ||
				     b->state == SG_FORCED_OPEN);
	return (int)srv->placed - (int)was;
}

#endif
