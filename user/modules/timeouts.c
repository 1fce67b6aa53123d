/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the clock does: the tick, which renews the daemon's lease in the kernel and
 * reads what wakes nobody, and the sweep for connects and answers that stay out.
 */
#include "base/clock.h"
#include "daemon/bus.h"
#include "dataplane/kill.h"
#include "modules/modules.h"

#define TICK_NS (100 * NS_PER_MS)
#define FORGET_NS (60 * NS_PER_SEC)
#define LOST_NS (120 * NS_PER_SEC) /* a record at rest for so long is asked for */

struct timeouts {
	struct part part;
	struct loop_timer *tick;
	uint64_t forgot_ns; /* when records without a socket were last looked for */
};

/* Looks for what only the clock ends, when something can have become due. */
static void sweep(struct timeouts *t, uint64_t now)
{
	struct dataplane *dp = t->part.d->dp;
	struct dataplane_sweep result;
	size_t lost;

	if (dataplane_sweep_due(dp) <= now)
		(void)!dataplane_sweep(dp, &result);
	if (now < t->forgot_ns + FORGET_NS)
		return;
	t->forgot_ns = now;
	(void)!kill_forget_lost(dp, LOST_NS, &lost);
}

static void on_tick(void *data)
{
	struct timeouts *t = data;
	uint64_t now = clock_boot_ns();

	dataplane_lease(t->part.d->dp, now + SG_LEASE_NS);
	sweep(t, now);
	bus_emit(t->part.d->bus, &(struct signal){ .type = SIGNAL_TICK });
	bus_pass(t->part.d->bus);
	loop_timer_set(t->tick, now + TICK_NS);
}

static int timeouts_start(void *m)
{
	struct timeouts *t = m;
	int r = loop_timer_new(t->part.d->loop, on_tick, t, &t->tick);

	if (r)
		return r;
	dataplane_lease(t->part.d->dp, clock_boot_ns() + SG_LEASE_NS);
	loop_timer_set(t->tick, clock_boot_ns());
	return 0;
}

const struct module timeouts_module = {
	.name = "timeouts",
	.size = sizeof(struct timeouts),
	.start = timeouts_start,
};
