/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the clock does: the tick, which renews the daemon's lease in the kernel and
 * reads what wakes nobody, and the sweep for connects and answers that stay out.
 * Records without a socket are looked for in a child: that may take long.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/work.h"
#include "dataplane/kill.h"
#include "modules/modules.h"

#define SUB "timeouts"
#define TICK_NS (100 * NS_PER_MS)
#define FORGET_NS (60 * NS_PER_SEC)
#define LOOK_NS (50 * NS_PER_SEC)  /* for one such look */
#define LOST_NS (120 * NS_PER_SEC) /* a record at rest for so long is asked for */

struct timeouts {
	struct part part;
	struct loop_timer *tick;
	struct work *work;
	struct work_job *job; /* it looks for records without a socket */
	uint64_t forgot_ns;   /* when that began last */
};

static void on_looked(void *owner, int r, const void *data)
{
	struct timeouts *t = owner;

	t->job = NULL;
	if (!data)
		log_failure(r, SUB,
			    "not all records without a socket were looked for; trying "
			    "again in a minute");
}

static void look(struct timeouts *t)
{
	const struct kill_search what = { t->part.d->dp, LOST_NS };
	const struct work_order order = { .name = "switchgear-lost",
					  .fn = kill_forget_lost,
					  .data = &what,
					  .data_len = sizeof(what),
					  .size = sizeof(size_t),
					  .run_ns = LOOK_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_looked,
					  .owner = t };

	(void)!work_add(t->work, &order, &t->job);
}

/* Looks for what only the clock ends, when something can have become due. */
static void sweep(struct timeouts *t, uint64_t now)
{
	struct dataplane *dp = t->part.d->dp;
	struct dataplane_sweep result;

	if (dataplane_sweep_due(dp) <= now)
		(void)!dataplane_sweep(dp, &result);
	if (t->job || now < t->forgot_ns + FORGET_NS)
		return;
	t->forgot_ns = now;
	look(t);
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

	if (!r)
		r = work_new(t->part.d, &t->work);
	if (r)
		return r;
	dataplane_lease(t->part.d->dp, clock_boot_ns() + SG_LEASE_NS);
	loop_timer_set(t->tick, clock_boot_ns());
	return 0;
}

static void timeouts_stop(void *m)
{
	struct timeouts *t = m;

	work_free(t->work);
}

static void timeouts_metrics(void *m, struct metrics *to)
{
	const struct timeouts *t = m;

	metrics_family(to, "switchgear_loop_longest_turn_seconds", METRICS_GAUGE,
		       "The longest time since the start that the daemon did one thing and heard "
		       "of no other.");
	metrics_double(to, NULL, 0, (double)loop_longest_ns(t->part.d->loop) / (double)NS_PER_SEC);
}

const struct module timeouts_module = {
	.name = SUB,
	.size = sizeof(struct timeouts),
	.start = timeouts_start,
	.stop = timeouts_stop,
	.write_metrics = timeouts_metrics,
};
