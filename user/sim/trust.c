/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The trust in the servers of a simulation: what the daemon's module would tell the model. Memory
 * is taken when something is known of a server, and counts as that of its breakers does.
 */
#include <errno.h>

#include "sim/private.h"

struct sim_trust {
	struct trust trust;
	struct trust_tool *tools;
	struct trust_finding *findings;
};

void sim_trust_free(struct sim_trust *t)
{
	if (!t)
		return;
	free(t->tools);
	free(t->findings);
	free(t);
}

/* Zeroed memory within the simulation's bound, if *at has none yet. */
static enum sim_fault take(struct sim *sim, void *at, size_t n, size_t size)
{
	void **memory = at;

	if (*memory)
		return SIM_FAULT_NONE;
	if (n * size > sim->setup.bounds.memory - sim->memory)
		return SIM_FAULT_SIZE;
	*memory = calloc(n, size);
	if (!*memory)
		return SIM_FAULT_MEMORY;
	sim->memory += n * size;
	return SIM_FAULT_NONE;
}

enum sim_fault sim_trust_make(struct sim *sim, struct sim_breaker *server)
{
	enum sim_fault fault = SIM_FAULT_NONE;

	if (server->trust)
		return SIM_FAULT_NONE;
	fault = take(sim, &server->trust, 1, sizeof(*server->trust));
	if (fault == SIM_FAULT_NONE)
		trust_init(&server->trust->trust, &sim->setup.trust, sim->now_ns);
	return fault;
}

enum sim_fault sim_trust_call(struct sim *sim, struct sim_breaker *server,
			      const struct sim_breaker *tool, const struct sim_event *e, bool learn)
{
	enum sim_fault fault = sim_trust_make(sim, server);
	struct trust_call call = {
		.tool = tool ? tool->node.hash | 1 : 0,
		.class = e->outcome,
		.latency_ns = e->latency_ns,
		.learn = learn,
	};

	if (fault == SIM_FAULT_NONE && tool)
		fault = take(sim, &server->trust->tools, TRUST_TOOLS, sizeof(struct trust_tool));
	if (fault != SIM_FAULT_NONE)
		return fault;
	trust_give(&server->trust->trust, server->trust->tools, NULL);
	trust_call(&server->trust->trust, &sim->setup.trust, sim->now_ns, &call);
	return SIM_FAULT_NONE;
}

/* Each line is a finding of its own; a clean one is a scan by the same scanner. */
enum sim_fault sim_trust_finding(struct sim *sim, struct sim_breaker *server,
				 const struct sim_event *e)
{
	enum sim_fault fault = sim_trust_make(sim, server);
	const struct trust_scan clean = { .scanner = 1, .clean = true };
	struct trust_report report = {
		.identity = { ++sim->n_findings },
		.scanner = 1,
		.severity = e->severity,
		.confidence = e->confidence,
	};
	struct trust *trust;

	if (fault == SIM_FAULT_NONE)
		fault = take(sim, &server->trust->findings, TRUST_FINDINGS,
			     sizeof(struct trust_finding));
	if (fault != SIM_FAULT_NONE)
		return fault;
	trust = &server->trust->trust;
	trust_give(trust, NULL, server->trust->findings);
	if (e->clean)
		(void)trust_scan(trust, &sim->setup.trust, sim->now_ns, NULL, &clean);
	else
		(void)trust_finding(trust, &sim->setup.trust, sim->now_ns, NULL, &report);
	return SIM_FAULT_NONE;
}

void sim_trust_show(struct sim *sim, const struct sim_breaker *server, struct sim_text name)
{
	struct sim_report report = {
		.type = SIM_SHOWN_TRUST,
		.t_ns = sim->now_ns,
		.server = name,
		.community_weight = sim->setup.trust.community_weight,
		.strike_penalty = sim->setup.trust.strike_penalty,
	};
	struct trust unknown;
	const struct trust *trust = &unknown;

	if (server && server->trust)
		trust = &server->trust->trust;
	else
		trust_init(&unknown, &sim->setup.trust, sim->now_ns);
	trust_read(trust, &sim->setup.trust, sim->now_ns, &report.trust);
	sim->setup.report(sim->setup.arg, &report);
}
