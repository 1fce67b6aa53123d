/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the simulation share. Internal to user/sim. */
#ifndef SWITCHGEAR_SIM_PRIVATE_H
#define SWITCHGEAR_SIM_PRIVATE_H

#include <sys/queue.h>

#include "core/baseline.h"
#include "core/engine.h"
#include "core/trust.h"
#include "sim/sim.h"

/* A probe that was handed out. In its breaker's list while it is undecided. */
struct sim_probe {
	TAILQ_ENTRY(sim_probe) others;
	uint64_t lease_ns; /* end of it */
	bool listed;
	bool alone; /* belongs to no call: freed with its end */
};

/* A server's breaker or a tool's. */
struct sim_breaker {
	struct sim_node node; /* tools: of their server */
	struct sg_breaker b;
	struct engine engine;
	uint64_t change_ns; /* when the next opening's length changes */
	struct baseline baseline;
	struct sim_trust *trust; /* of a server; NULL: nothing is known of it */
	uint64_t not_permitted;
	uint64_t would_denies;
	uint64_t overflow;
	TAILQ_HEAD(sim_probes, sim_probe) probes;  /* undecided ones of this generation, by lease */
	struct sim_breaker *server;                /* of a tool; NULL: this is a server */
	STAILQ_HEAD(sim_tools, sim_breaker) tools; /* of a server */
	STAILQ_ENTRY(sim_breaker) next_tool;
	uint64_t due_ns;
	uint32_t heap;  /* place in the heap + 1; 0: nothing is due */
	uint32_t index; /* in the order in which they were first seen, tools counted too, from 0 */
	char name[];
};

/* When the first of its leases ends; SG_FOREVER: there is none. */
static inline uint64_t sim_breaker_lease(const struct sim_breaker *k)
{
	const struct sim_probe *first = TAILQ_FIRST(&k->probes);

	return first ? first->lease_ns : SG_FOREVER;
}

/* A call in flight, or a refused one whose end has not come. */
struct sim_call {
	struct sim_node node; /* by id, of its server */
	struct sim_breaker *server;
	struct sim_breaker *tool; /* NULL: none */
	struct sim_probe probe;
	struct sim_probe tool_probe;
	uint32_t generation;
	uint32_t tool_generation;
	bool refused;
	bool ignored; /* the shadow would have refused it */
	char id[];
};

struct sim {
	struct sim_setup setup;
	struct sg_policy kernel;
	struct sim_table servers;
	struct sim_table tools;
	struct sim_table calls;
	struct sim_breaker **heap; /* by due time, then index */
	uint32_t n_heap;
	uint32_t heap_cap;
	uint32_t n_breakers;
	uint64_t memory;     /* bytes of breakers and of what they have of trust */
	uint64_t n_findings; /* numbers them */
	uint64_t now_ns;
	uint64_t overflow;
	bool admitted;
};

/* --- trust.c: the score --- */

/* Memory for what is known of a server, so that calls without a tool need none. */
enum sim_fault sim_trust_make(struct sim *sim, struct sim_breaker *server) MUST_CHECK;
void sim_trust_free(struct sim_trust *t); /* NULL is fine */
/* A call of the server ended; tool: NULL, it names none. */
enum sim_fault sim_trust_call(struct sim *sim, struct sim_breaker *server,
			      const struct sim_breaker *tool, const struct sim_event *e,
			      bool learn) MUST_CHECK;
enum sim_fault sim_trust_finding(struct sim *sim, struct sim_breaker *server,
				 const struct sim_event *e) MUST_CHECK;
/* server: NULL, it was never seen. */
void sim_trust_show(struct sim *sim, const struct sim_breaker *server, struct sim_text name);

/* --- sim_heap.c: when something is due --- */

/* Room for one more breaker. -ENOMEM. */
int sim_heap_reserve(struct sim *sim) MUST_CHECK;
/* Puts the breaker where its due time, recomputed, belongs. */
void sim_heap_update(struct sim *sim, struct sim_breaker *k);

/* --- sim_breaker.c: one breaker --- */

int sim_breaker_new(struct sim *sim, struct sim_breaker *server, struct sim_text name,
		    uint64_t hash, struct sim_breaker **ret) MUST_CHECK;
void sim_breaker_free(struct sim_breaker *k);
/* Carries out the first thing due; false if nothing is due at or before `now`. */
bool sim_breaker_due(struct sim *sim, uint64_t now_ns);
enum sg_admit sim_breaker_admit(struct sim *sim, struct sim_breaker *k, uint32_t hash);
/* Remembers a probe that was just taken. */
void sim_probe_take(struct sim *sim, struct sim_breaker *k, struct sim_probe *probe);
/* It is decided or given back elsewhere: forgets its lease. */
void sim_probe_drop(struct sim_breaker *k, struct sim_probe *probe);
/* Of a call that was let through in `generation`; `probe`: it holds one, out of the list already. */
void sim_breaker_outcome(struct sim *sim, struct sim_breaker *k, const struct sim_event *e,
			 uint32_t generation, bool probe, bool slow);
void sim_breaker_cancel(struct sim *sim, struct sim_breaker *k, uint32_t generation,
			struct sim_probe *probe);
void sim_breaker_order(struct sim *sim, struct sim_breaker *k, enum sg_state to, uint64_t for_ns);
void sim_breaker_reset(struct sim *sim, struct sim_breaker *k);
void sim_breaker_show(struct sim *sim, struct sim_breaker *k);

#endif
