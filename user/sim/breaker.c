/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One breaker of the simulation: the shared transition with the engine beside
 * it, the leases of its probes, and what it reports. Invariants: k->b.next_open_ns
 * is right at sim->now_ns whenever something may trip; listed probes are of
 * k->b's generation, and as many as k->b.probes_out.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "sim/private.h"

size_t sim_breaker_size(const struct breaker_policy *policy)
{
	return sizeof(struct sim_breaker) + policy->window_calls * sizeof(uint64_t) +
	       policy->window_buckets * sizeof(struct window_counts);
}

/* --- the length of the next opening ------------------------------------------------ */

static void backoff_update(struct sim_breaker *k, uint64_t now_ns)
{
	k->b.next_open_ns = engine_next_open_ns(&k->engine, now_ns);
	k->change_ns = engine_next_change_ns(&k->engine, now_ns);
}

int sim_breaker_new(struct sim *sim, struct sim_breaker *server, struct sim_text name,
		    uint64_t hash, struct sim_breaker **ret)
{
	CLEANUP(freep) struct sim_breaker *k = calloc(1, sizeof(*k) + name.len);
	int r;

	if (!k)
		return -ENOMEM;
	r = engine_init(&k->engine, &sim->setup.policy, sim->setup.seed, (uint32_t)(hash >> 32));
	if (r < 0)
		return r;
	k->b.may_trip = 1;
	k->due_ns = SG_FOREVER;
	k->server = server;
	k->index = sim->n_breakers;
	TAILQ_INIT(&k->probes);
	STAILQ_INIT(&k->tools);
	memcpy(k->name, name.s, name.len);
	k->node.name = (struct sim_text){ k->name, name.len };
	k->node.hash = hash;
	k->node.of = server;
	baseline_init(&k->baseline, &sim->setup.policy);
	backoff_update(k, sim->now_ns);
	*ret = TAKE_PTR(k);
	return 0;
}

/* --- probes ------------------------------------------------------------------------- */

void sim_probe_take(struct sim *sim, struct sim_breaker *k, struct sim_probe *probe)
{
	probe->lease_ns = sim->now_ns + sim->kernel.probe_lease_ns;
	probe->listed = true;
	TAILQ_INSERT_TAIL(&k->probes, probe, others);
	sim_heap_update(sim, k);
}

void sim_probe_drop(struct sim_breaker *k, struct sim_probe *probe)
{
	if (!probe->listed)
		return;
	TAILQ_REMOVE(&k->probes, probe, others);
	probe->listed = false;
	if (probe->alone)
		free(probe);
}

static void drop_probes(struct sim_breaker *k)
{
	while (!TAILQ_EMPTY(&k->probes))
		sim_probe_drop(k, TAILQ_FIRST(&k->probes));
}

void sim_breaker_free(struct sim_breaker *k)
{
	drop_probes(k);
	engine_done(&k->engine);
	sim_trust_free(k->trust);
	free(k);
}

/* --- transitions -------------------------------------------------------------------- */

static void name_report(const struct sim_breaker *k, struct sim_report *report)
{
	report->server = (k->server ? k->server : k)->node.name;
	if (k->server)
		report->tool = k->node.name;
}

/* crossed: the window that tripped it; NULL: none did. */
static void report_move(struct sim *sim, struct sim_breaker *k, const struct sg_transition *mv,
			const struct window_rates *crossed)
{
	struct sim_report report = { .type = SIM_TRANSITION, .t_ns = mv->t_ns, .move = mv };
	struct window_rates rates;

	name_report(k, &report);
	if (mv->from == SG_HALF_OPEN && mv->total) {
		report.failure_rate = (double)mv->failed / mv->total;
		report.slow_rate = (double)mv->slow / mv->total;
		report.calls = mv->calls;
	} else {
		rates = crossed ? *crossed : engine_rates(&k->engine, mv->t_ns);
		report.failure_rate = rates.failure_rate;
		report.slow_rate = rates.slow_rate;
		report.calls = rates.counts.calls;
	}
	sim->setup.report(sim->setup.arg, &report);
}

static void moved(struct sim *sim, struct sim_breaker *k, const struct sg_transition *mv,
		  const struct window_rates *crossed)
{
	report_move(sim, k, mv, crossed);
	if (mv->reason != SG_REASON_RAMP_DONE)
		drop_probes(k);
	engine_transition(&k->engine, mv);
	backoff_update(k, mv->t_ns);
	sim_heap_update(sim, k);
	if (!k->server && sim->setup.limits.moved)
		sim->setup.limits.moved(sim->setup.limits.arg, k, mv);
}

/* For trust a probe of a call counts when that ends; one by itself has no other end. */
static void lease_out(struct sim *sim, struct sim_breaker *k)
{
	const struct sim_event failure = { .outcome = SG_HARD, .latency_ns = SG_FOREVER };

	if (TAILQ_FIRST(&k->probes)->alone && k->trust)
		(void)!sim_trust_call(sim, k, NULL, &failure, false); /* takes no memory */

	sim_probe_drop(k, TAILQ_FIRST(&k->probes));
	sim_breaker_outcome(sim, k, &failure, k->b.generation, true, false);
}

bool sim_breaker_due(struct sim *sim, uint64_t now_ns)
{
	struct sim_breaker *k = sim->n_heap ? sim->heap[0] : NULL;
	struct sg_transition mv;

	if (!k || k->due_ns > now_ns)
		return false;
	sim->now_ns = k->due_ns;
	if (sim_breaker_lease(k) == k->due_ns)
		lease_out(sim, k);
	else if (sg_breaker_tick(&k->b, &sim->kernel, sim->now_ns, &mv))
		moved(sim, k, &mv, NULL);
	return true;
}

/* --- events ---------------------------------------------------------------------------- */

enum sg_admit sim_breaker_admit(struct sim *sim, struct sim_breaker *k, uint32_t hash)
{
	enum sg_admit admit = sg_breaker_admit(&k->b, &sim->kernel, sim->now_ns, hash, true);

	if (admit == SG_DENY && !k->server)
		k->not_permitted++;
	else if (admit == SG_DENY || admit == SG_WOULD_DENY)
		k->would_denies++;
	return admit;
}

void sim_breaker_outcome(struct sim *sim, struct sim_breaker *k, const struct sim_event *e,
			 uint32_t generation, bool probe, bool slow)
{
	const struct sim_limits *limits = &sim->setup.limits;
	uint32_t flags = (slow ? SG_OUT_SLOW : 0) | (probe ? SG_OUT_PROBE : 0) |
			 (e->complete ? SG_OUT_COMPLETE : 0);
	struct window_rates crossed;
	enum sg_effect effect;
	enum sg_reason reason;
	struct sg_transition mv;

	if (sim->now_ns >= k->change_ns)
		backoff_update(k, sim->now_ns);
	if (!k->server && limits->may_trip)
		k->b.may_trip = limits->may_trip(limits->arg, k, sim->now_ns) || k->b.shadow;
	reason = engine_outcome(&k->engine, sim->now_ns, generation, e->outcome, slow, &crossed);
	effect = sg_breaker_outcome(&k->b, &sim->kernel, sim->now_ns, generation, e->outcome, flags,
				    e->retry_after_ns, &mv);
	if (effect == SG_EFFECT_MOVED)
		reason = SG_REASON_NONE;
	else if (effect == SG_EFFECT_NONE && reason != SG_REASON_NONE)
		effect = sg_breaker_trip(&k->b, &sim->kernel, sim->now_ns, generation, (__u8)reason,
					 &mv);
	if (effect == SG_EFFECT_MOVED)
		moved(sim, k, &mv, reason == SG_REASON_NONE ? NULL : &crossed);
	else if (probe)
		sim_heap_update(sim, k);
	k->overflow += effect == SG_EFFECT_OVERFLOW;
	sim->overflow += effect == SG_EFFECT_OVERFLOW;
}

void sim_breaker_cancel(struct sim *sim, struct sim_breaker *k, uint32_t generation,
			struct sim_probe *probe)
{
	if (!probe->listed)
		return;
	sim_probe_drop(k, probe);
	sg_breaker_give_back(&k->b, generation, false);
	sim_heap_update(sim, k);
}

void sim_breaker_order(struct sim *sim, struct sim_breaker *k, enum sg_state to, uint64_t for_ns)
{
	struct sg_transition mv;

	sg_breaker_order(&k->b, &sim->kernel, (__u8)to, sim->now_ns,
			 for_ns == SG_FOREVER ? SG_FOREVER : sim->now_ns + for_ns, &mv);
	moved(sim, k, &mv, NULL);
}

void sim_breaker_reset(struct sim *sim, struct sim_breaker *k)
{
	struct sg_transition mv;

	sg_breaker_reset(&k->b, &sim->kernel, sim->now_ns, &mv);
	if (mv.moved) {
		moved(sim, k, &mv, NULL);
	} else {
		engine_reset(&k->engine, sim->now_ns, k->b.generation);
		backoff_update(k, sim->now_ns);
	}
	k->not_permitted = 0;
	k->would_denies = 0;
	k->overflow = 0;
}

/* As status shows it: until the opening, or the order, ends. */
static uint64_t remaining(const struct sim_breaker *k, uint64_t now_ns)
{
	uint64_t due = sg_breaker_due(&k->b);

	if (k->b.state != SG_OPEN && k->b.state != SG_FORCED_OPEN)
		return 0;
	if (k->b.state == SG_OPEN)
		due = k->b.deadline_ns;
	if (due == SG_FOREVER)
		return SG_FOREVER;
	return due > now_ns ? due - now_ns : 0;
}

void sim_breaker_show(struct sim *sim, struct sim_breaker *k)
{
	struct window_rates rates = engine_rates(&k->engine, sim->now_ns);
	struct sim_report report = {
		.type = SIM_SHOWN_STATE,
		.t_ns = sim->now_ns,
		.state = sg_breaker_shown(&k->b),
		.failure_rate = rates.failure_rate,
		.slow_rate = rates.slow_rate,
		.calls = rates.counts.calls,
		.failed_calls = rates.counts.failed,
		.slow_calls = rates.counts.slow,
		.not_permitted = k->not_permitted,
		.would_denies = k->would_denies,
		.overflow = k->overflow,
		.remaining_ns = remaining(k, sim->now_ns),
	};

	name_report(k, &report);
	sim->setup.report(sim->setup.arg, &report);
}
