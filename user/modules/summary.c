/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why calls ended as they did: sums over the last hour for `show`, and totals as metrics. */
#include <errno.h>

#include "base/clock.h"
#include "core/causes.h"
#include "core/metrics.h"
#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "modules/modules.h"

struct summary {
	struct part part;
	uint64_t lost_seen;
	struct minutes lost; /* records of any server that found the ring full */
};

static void summary_signal(void *m, const struct signal *signal)
{
	struct causes *c = module_server(m, signal->server);
	const struct sg_event *k = &signal->kernel;

	if (signal->type != SIGNAL_OUTCOME)
		return;
	if (k->flags & SG_OUT_LATE)
		causes_correct(c, k->was_outcome, k->was_cause, k->t_ns);
	causes_add(c, k->outcome, k->cause, k->t_ns, k->latency_ns);
}

static void summary_turn(void *m, uint64_t now)
{
	struct summary *summary = m;
	uint64_t lost = dataplane_lost(summary->part.d->dp);

	if (lost > summary->lost_seen)
		minutes_add(&summary->lost, now, (uint32_t)(lost - summary->lost_seen));
	summary->lost_seen = lost;
}

/* Those before this daemon's time are missed by no sum of it. */
static int summary_start(void *m)
{
	struct summary *summary = m;

	summary->lost_seen = dataplane_lost(summary->part.d->dp);
	return 0;
}

static void summary_removed(void *m, struct server *s)
{
	causes_done(module_server(m, s));
}

static int summary_fill(void *m, struct server *s, struct status_server *to)
{
	const struct summary *summary = m;
	const struct causes *c = module_server(m, s);
	uint64_t now = clock_boot_ns();

	to->causes_lost = minutes_sum(&summary->lost, now) + c->missed;
	to->causes = calloc(c->n + 1, sizeof(*to->causes));
	if (!to->causes)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		const struct cause_count *k = &c->v[i];
		uint64_t calls = minutes_sum(&k->minutes, now);

		if (calls)
			to->causes[to->n_causes++] = (struct status_cause){
				.class = k->class,
				.cause = k->cause,
				.calls = calls,
				.latest_wall_ns = clock_boot_to_wall_ns(k->latest_ns),
				.latency_ns = k->latency_ns,
			};
	}
	return 0;
}

static void family(const struct summary *m, struct metrics *to, bool corrected)
{
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		const struct causes *c = module_server(m, s);

		for (size_t i = 0; server_watched(s) && i < c->n; i++) {
			const struct metrics_label labels[] = {
				{ "server", s->config->name },
				{ "class", class_name(c->v[i].class) },
				{ "cause", cause_name(c->v[i].cause) },
			};

			if (!corrected)
				metrics_u64(to, labels, ARRAY_SIZE(labels), c->v[i].total);
			else if (c->v[i].corrected)
				metrics_u64(to, labels, ARRAY_SIZE(labels), c->v[i].corrected);
		}
	}
}

static void summary_metrics(void *m, struct metrics *to)
{
	metrics_family(to, "switchgear_causes_total", METRICS_COUNTER,
		       "Calls that ended since the daemon's start, by class and cause.");
	family(m, to, false);
	metrics_family(to, "switchgear_causes_corrected_total", METRICS_COUNTER,
		       "Of switchgear_causes_total those that were something else in the end.");
	family(m, to, true);
}

const struct module summary_module = {
	.name = "summary",
	.size = sizeof(struct summary),
	.server_size = sizeof(struct causes),
	.start = summary_start,
	.server_removed = summary_removed,
	.on_signal = summary_signal,
	.turn = summary_turn,
	.fill_server = summary_fill,
	.write_metrics = summary_metrics,
};
