/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sweep without a daemon: a timer that looks once in SG_WATCH_NS and does
 * nothing while one lives. It outlives its loader as long as its map is pinned.
 * Needs timers and walks from programs (5.15); before, only connects are seen to
 * time out then, by their retransmissions.
 */
#include "event.bpf.h"
#include "maps.bpf.h"
#include "sweep.bpf.h"
#include "verdict.h"

#define SG_CLOCK_BOOTTIME 7

struct sg_watcher {
	struct bpf_timer timer;
};

SG_MAP(watch, ARRAY, 0, 1, __u32, struct sg_watcher);

struct sg_look {
	__u64 now;
};

/* By key, not by the value that is passed: that has no lock before 6.2. */
static long sg_watch_flow(void *map, __u64 *key, struct sg_flow *seen, struct sg_look *look)
{
	__u64 cookie = *key;

	(void)map;
	if (seen->flags & SG_FLOW_DEAD)
		sg_bury_one(cookie, look->now);
	else
		sg_sweep_flow(cookie, seen->serial, look->now);
	return 0;
}

static int sg_watch_look(void *map, __u32 *key, struct sg_watcher *w)
{
	struct sg_look look = { .now = bpf_ktime_get_boot_ns() };
	struct sg_cfg *c = sg_config();

	(void)map;
	(void)key;
	if (c && !sg_daemon_alive(c, look.now))
		bpf_for_each_map_elem(&flows, sg_watch_flow, &look, 0);
	bpf_timer_start(&w->timer, SG_WATCH_NS, 0);
	return 0;
}

/* Run once at each load: starts the timer, or gives the running one its new program. */
SEC("xdp")
int sg_watch(struct xdp_md *ctx)
{
	struct sg_watcher *w = SG_ONLY(watch);

	(void)ctx;
	if (!w)
		return 1;
	bpf_timer_init(&w->timer, &watch, SG_CLOCK_BOOTTIME); /* EBUSY: it is there already */
	if (bpf_timer_set_callback(&w->timer, sg_watch_look))
		return 1;
	return bpf_timer_start(&w->timer, SG_WATCH_NS, 0) ? 1 : 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
