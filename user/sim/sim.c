/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events to breakers. */
#include "sim/sim.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "sim/private.h"

const char *const sim_ops[SIM_OP_COUNT + 1] = {
	[SIM_CALL] = "call",   [SIM_START] = "start",     [SIM_END] = "end",
	[SIM_ADMIT] = "admit", [SIM_CANCEL] = "cancel",   [SIM_FORCE] = "force",
	[SIM_STATE] = "state", [SIM_FINDING] = "finding", [SIM_TRUST] = "trust",
};
int sim_new(const struct sim_setup *setup, struct sim **ret)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	if (!sim)
		return -ENOMEM;
	sim->setup = *setup;
	if (!setup->bounds.breakers)
		sim->setup.bounds.breakers = SIM_BREAKERS_MAX;
	if (!setup->bounds.calls)
		sim->setup.bounds.calls = SIM_CALLS_MAX;
	if (!setup->bounds.memory)
		sim->setup.bounds.memory = (uint64_t)SIM_MEMORY_MAX_MIB << 20;
	if (!(setup->trust.prior_weight > 0))
		sim->setup.trust = trust_policy_defaults();
	policy_to_kernel(&setup->policy, ECONNREFUSED, &sim->kernel);
	*ret = sim;
	return 0;
}

static void free_breakers(struct sim_table *t)
{
	struct sim_node *node;
	size_t cursor = 0;

	while ((node = sim_table_pop(t, &cursor)))
		sim_breaker_free((struct sim_breaker *)(void *)node);
	sim_table_done(t);
}

void sim_free(struct sim *sim)
{
	struct sim_node *node;
	size_t cursor = 0;

	if (!sim)
		return;
	/* Breakers first: their lists end in the calls. */
	free_breakers(&sim->servers);
	free_breakers(&sim->tools);
	while ((node = sim_table_pop(&sim->calls, &cursor)))
		free(node);
	sim_table_done(&sim->calls);
	free(sim->heap);
	free(sim);
}

uint64_t sim_overflow(const struct sim *sim)
{
	return sim->overflow;
}

bool sim_last_admitted(const struct sim *sim)
{
	return sim->admitted;
}

/* --- breakers by name -------------------------------------------------------------------- */

static enum sim_fault breaker_add(struct sim *sim, struct sim_table *t, struct sim_breaker *server,
				  struct sim_text name, uint64_t hash, struct sim_breaker **ret)
{
	size_t size = sim_breaker_size(&sim->setup.policy) + name.len;

	if (sim->n_breakers >= sim->setup.bounds.breakers)
		return SIM_FAULT_BREAKERS;
	if (size > sim->setup.bounds.memory - sim->memory)
		return SIM_FAULT_SIZE;
	if (sim_table_reserve(t) < 0 || sim_heap_reserve(sim) < 0 ||
	    sim_breaker_new(sim, server, name, hash, ret) < 0)
		return SIM_FAULT_MEMORY;
	sim_table_add(t, &(*ret)->node);
	sim->memory += size;
	sim->n_breakers++;
	return SIM_FAULT_NONE;
}

static enum sim_fault server_get(struct sim *sim, struct sim_text name, struct sim_breaker **ret)
{
	uint64_t hash = sim_table_hash(name.s, name.len, sim->setup.seed);

	*ret = (void *)sim_table_find(&sim->servers, hash, NULL, name);
	return *ret ? SIM_FAULT_NONE : breaker_add(sim, &sim->servers, NULL, name, hash, ret);
}

/* Without a name *ret is NULL. */
static enum sim_fault tool_get(struct sim *sim, struct sim_breaker *server, struct sim_text name,
			       struct sim_breaker **ret)
{
	uint64_t hash = sim_table_hash(name.s, name.len, server->node.hash);
	enum sim_fault fault;

	*ret = NULL;
	if (!name.len)
		return SIM_FAULT_NONE;
	*ret = (void *)sim_table_find(&sim->tools, hash, server, name);
	if (*ret)
		return SIM_FAULT_NONE;
	fault = breaker_add(sim, &sim->tools, server, name, hash, ret);
	if (fault == SIM_FAULT_NONE)
		STAILQ_INSERT_TAIL(&server->tools, *ret, next_tool);
	return fault;
}

/* --- calls in flight ------------------------------------------------------------------------ */

static uint64_t call_hash(const struct sim_breaker *server, struct sim_text id)
{
	return sim_table_hash(id.s, id.len, ~server->node.hash);
}

static struct sim_call *call_find(const struct sim *sim, const struct sim_breaker *server,
				  struct sim_text id)
{
	return (void *)sim_table_find(&sim->calls, call_hash(server, id), server, id);
}

/* Makes a call of this id, in place of a refused one. */
static enum sim_fault call_new(struct sim *sim, struct sim_breaker *server, struct sim_text id,
			       struct sim_call **ret)
{
	struct sim_call *call = call_find(sim, server, id);

	if (call && !call->refused)
		return SIM_FAULT_ID_LIVE;
	if (call) {
		sim_table_remove(&sim->calls, &call->node);
		free(call);
	}
	if (sim->calls.n >= sim->setup.bounds.calls)
		return SIM_FAULT_CALLS;
	call = calloc(1, sizeof(*call) + id.len);
	if (!call || sim_table_reserve(&sim->calls) < 0) {
		free(call);
		return SIM_FAULT_MEMORY;
	}
	call->server = server;
	memcpy(call->id, id.s, id.len);
	call->node = (struct sim_node){ .hash = call_hash(server, id),
					.of = server,
					.name = { call->id, id.len } };
	sim_table_add(&sim->calls, &call->node);
	*ret = call;
	return SIM_FAULT_NONE;
}

/* --- what a call meets ------------------------------------------------------------------------ */

/* Where a call stands in the ramp: [0, SG_HASH_RANGE). */
static uint32_t place_in_ramp(const struct sim *sim, const struct sim_event *e)
{
	uint64_t hash = e->id.len ? sim_table_hash(e->id.s, e->id.len, sim->setup.seed)
				  : sim_table_hash(&e->line, sizeof(e->line), sim->setup.seed);

	return (uint32_t)(hash % SG_HASH_RANGE);
}

static enum sg_admit ask(struct sim *sim, struct sim_breaker *server, const struct sim_event *e)
{
	struct sim_report report = {
		.type = SIM_ADMISSION,
		.t_ns = sim->now_ns,
		.server = server->node.name,
		.op = e->op,
		.state = sg_breaker_shown(&server->b),
	};
	uint32_t hash = server->b.state == SG_RAMP ? place_in_ramp(sim, e) : 0;
	enum sg_admit admit = sim_breaker_admit(sim, server, hash);

	report.admitted = admit != SG_DENY;
	report.would_deny = admit == SG_WOULD_DENY;
	sim->admitted = report.admitted;
	sim->setup.report(sim->setup.arg, &report);
	return admit;
}

static bool is_good(const struct sim_breaker *k)
{
	return k->b.state == SG_CLOSED || k->b.state == SG_RAMP;
}

/* Slow as compared with the usual latency of this tool, which learns from the call first. */
static bool judge_latency(struct sim *sim, struct sim_breaker *server, struct sim_breaker *tool,
			  const struct sim_event *e, uint32_t generation)
{
	const struct breaker_policy *p = &sim->setup.policy;
	struct baseline *baseline = tool ? &tool->baseline : &server->baseline;
	if (p->slow_factor > 0 && e->outcome == SG_SUCCESS && e->latency_ns != SG_FOREVER &&
	    generation == server->b.generation && is_good(server) && (!tool || is_good(tool)))
		baseline_add(baseline, p, sim->now_ns, e->latency_ns);
	return e->latency_ns != SG_FOREVER && e->latency_ns > baseline->slow_ns;
}

static enum sim_fault on_call(struct sim *sim, struct sim_breaker *server,
			      const struct sim_event *e)
{
	struct sim_breaker *tool;
	enum sim_fault fault = tool_get(sim, server, e->tool, &tool);
	uint32_t generation, of_tool;
	enum sg_admit admit;
	bool slow, probe;

	if (fault != SIM_FAULT_NONE)
		return fault;
	admit = ask(sim, server, e);
	/* What the shadow would have refused does not count, as if it were. */
	if (admit == SG_DENY || admit == SG_WOULD_DENY)
		return SIM_FAULT_NONE;
	generation = server->b.generation;
	slow = judge_latency(sim, server, tool, e, generation);
	fault = sim_trust_call(sim, server, tool, e, is_good(server));
	if (fault != SIM_FAULT_NONE)
		return fault;
	if (server->b.state == SG_DISABLED)
		tool = NULL;
	sim_breaker_outcome(sim, server, e, generation, admit == SG_ALLOW_PROBE, slow);
	if (!tool)
		return SIM_FAULT_NONE;
	probe = sim_breaker_admit(sim, tool, 0) == SG_ALLOW_PROBE;
	of_tool = tool->b.generation;
	sim_breaker_outcome(sim, tool, e, of_tool, probe, slow);
	return SIM_FAULT_NONE;
}

static enum sim_fault on_start(struct sim *sim, struct sim_breaker *server,
			       const struct sim_event *e)
{
	struct sim_breaker *tool;
	enum sim_fault fault = tool_get(sim, server, e->tool, &tool);
	struct sim_call *call;
	enum sg_admit admit;

	if (fault == SIM_FAULT_NONE)
		fault = call_new(sim, server, e->id, &call);
	if (fault != SIM_FAULT_NONE)
		return fault;
	admit = ask(sim, server, e);
	call->refused = admit == SG_DENY;
	if (admit == SG_DENY)
		return SIM_FAULT_NONE;
	call->ignored = admit == SG_WOULD_DENY;
	call->generation = server->b.generation;
	if (admit == SG_ALLOW_PROBE)
		sim_probe_take(sim, server, &call->probe);
	if (!tool || call->ignored || server->b.state == SG_DISABLED)
		return SIM_FAULT_NONE;
	call->tool = tool;
	call->tool_generation = tool->b.generation;
	if (sim_breaker_admit(sim, tool, 0) == SG_ALLOW_PROBE)
		sim_probe_take(sim, tool, &call->tool_probe);
	return SIM_FAULT_NONE;
}

static enum sim_fault call_ended(struct sim *sim, struct sim_call *call, const struct sim_event *e)
{
	struct sim_breaker *server = call->server;
	bool probe = call->probe.listed;
	bool tool_probe = call->tool_probe.listed;
	bool disabled = server->b.state == SG_DISABLED;
	enum sim_fault fault;
	bool slow;

	sim_probe_drop(server, &call->probe);
	slow = judge_latency(sim, server, call->tool, e, call->generation);
	fault = sim_trust_call(sim, server, call->tool, e, is_good(server));
	sim_breaker_outcome(sim, server, e, call->generation, probe, slow);
	if (!call->tool)
		return fault;
	if (disabled) {
		sim_breaker_cancel(sim, call->tool, call->tool_generation, &call->tool_probe);
		return fault;
	}
	sim_probe_drop(call->tool, &call->tool_probe);
	sim_breaker_outcome(sim, call->tool, e, call->tool_generation, tool_probe, slow);
	return fault;
}

/* END and CANCEL. */
static enum sim_fault on_end(struct sim *sim, const struct sim_event *e)
{
	uint64_t hash = sim_table_hash(e->server.s, e->server.len, sim->setup.seed);
	struct sim_breaker *server = (void *)sim_table_find(&sim->servers, hash, NULL, e->server);
	struct sim_call *call = server ? call_find(sim, server, e->id) : NULL;
	enum sim_fault fault = SIM_FAULT_NONE;

	if (!call)
		return SIM_FAULT_ID_UNKNOWN;
	sim_table_remove(&sim->calls, &call->node);
	if (e->op == SIM_END && !call->refused && !call->ignored) {
		fault = call_ended(sim, call, e);
	} else {
		sim_breaker_cancel(sim, server, call->generation, &call->probe);
		if (call->tool)
			sim_breaker_cancel(sim, call->tool, call->tool_generation,
					   &call->tool_probe);
	}
	free(call);
	return fault;
}

static enum sim_fault on_admit(struct sim *sim, struct sim_breaker *server,
			       const struct sim_event *e)
{
	struct sim_probe *probe;
	enum sim_fault fault;

	if (server->b.state != SG_HALF_OPEN) {
		(void)ask(sim, server, e);
		return SIM_FAULT_NONE;
	}
	fault = sim_trust_make(sim, server); /* where the end of the probe's lease counts */
	if (fault != SIM_FAULT_NONE)
		return fault;
	probe = calloc(1, sizeof(*probe));
	if (!probe)
		return SIM_FAULT_MEMORY;
	probe->alone = true;
	if (ask(sim, server, e) == SG_ALLOW_PROBE)
		sim_probe_take(sim, server, probe);
	else
		free(probe);
	return SIM_FAULT_NONE;
}

static enum sim_fault on_force(struct sim *sim, struct sim_breaker *server,
			       const struct sim_event *e)
{
	struct sim_breaker *tool;

	if (e->to != SG_CLOSED) {
		sim_breaker_order(sim, server, e->to, e->for_ns);
		return SIM_FAULT_NONE;
	}
	sim_breaker_reset(sim, server);
	for (tool = STAILQ_FIRST(&server->tools); tool; tool = STAILQ_NEXT(tool, next_tool))
		sim_breaker_reset(sim, tool);
	return SIM_FAULT_NONE;
}

static enum sim_fault on_state(struct sim *sim, struct sim_breaker *server,
			       const struct sim_event *e)
{
	struct sim_breaker *tool;
	enum sim_fault fault = tool_get(sim, server, e->tool, &tool);

	if (fault == SIM_FAULT_NONE)
		sim_breaker_show(sim, tool ? tool : server);
	return fault;
}

/* Asking makes no server known. */
static void on_trust(struct sim *sim, const struct sim_event *e)
{
	uint64_t hash = sim_table_hash(e->server.s, e->server.len, sim->setup.seed);

	sim_trust_show(sim, (void *)sim_table_find(&sim->servers, hash, NULL, e->server),
		       e->server);
}

static enum sim_fault (*const on_server[])(struct sim *sim, struct sim_breaker *server,
					   const struct sim_event *e) = {
	[SIM_CALL] = on_call,   [SIM_START] = on_start, [SIM_ADMIT] = on_admit,
	[SIM_FORCE] = on_force, [SIM_STATE] = on_state, [SIM_FINDING] = sim_trust_finding,
};

enum sim_fault sim_feed(struct sim *sim, const struct sim_event *e)
{
	struct sim_breaker *server = NULL;
	enum sim_fault fault = SIM_FAULT_NONE;

	if (e->t_ns < sim->now_ns)
		return SIM_FAULT_TIME;
	while (sim_breaker_due(sim, e->t_ns))
		;
	sim->now_ns = e->t_ns;
	switch (e->op) {
	case SIM_END:
	case SIM_CANCEL:
		return on_end(sim, e);
	case SIM_TRUST:
		on_trust(sim, e);
		return SIM_FAULT_NONE;
	default:
		break;
	}
	fault = server_get(sim, e->server, &server);
	if (fault != SIM_FAULT_NONE)
		return fault;
	return on_server[e->op](sim, server, e);
}
