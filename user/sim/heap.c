/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A binary heap of the breakers for which time will do something. Invariant:
 * heap[i]->heap == i + 1, and no entry is due before its parent.
 */
#include <errno.h>

#include "sim/private.h"

int sim_heap_reserve(struct sim *sim)
{
	uint32_t cap = sim->heap_cap ? 2 * sim->heap_cap : 64;
	struct sim_breaker **heap;

	if (sim->n_breakers < sim->heap_cap)
		return 0;
	heap = reallocarray(sim->heap, cap, sizeof(struct sim_breaker *));
	if (!heap)
		return -ENOMEM;
	sim->heap = heap;
	sim->heap_cap = cap;
	return 0;
}

static bool earlier(const struct sim_breaker *a, const struct sim_breaker *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->index < b->index;
}

static void place(struct sim *sim, uint32_t i, struct sim_breaker *k)
{
	sim->heap[i] = k;
	k->heap = i + 1;
}

/* From place i to where it belongs: who has risen has nothing earlier below it. */
static void sift(struct sim *sim, uint32_t i, struct sim_breaker *k)
{
	for (; i && earlier(k, sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
		place(sim, i, sim->heap[(i - 1) / 2]);
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < sim->n_heap && earlier(sim->heap[child + 1], sim->heap[child]))
			child++;
		if (child >= sim->n_heap || !earlier(sim->heap[child], k))
			break;
		place(sim, i, sim->heap[child]);
		i = child;
	}
	place(sim, i, k);
}

static void leave(struct sim *sim, struct sim_breaker *k)
{
	uint32_t i = k->heap - 1;
	struct sim_breaker *last = sim->heap[--sim->n_heap];

	k->heap = 0;
	if (last != k)
		sift(sim, i, last);
}

void sim_heap_update(struct sim *sim, struct sim_breaker *k)
{
	uint64_t lease = sim_breaker_lease(k);
	uint64_t due = sg_breaker_due(&k->b);

	if (lease < due)
		due = lease;
	if (due == k->due_ns)
		return;
	k->due_ns = due;
	if (due == SG_FOREVER)
		leave(sim, k);
	else
		sift(sim, k->heap ? k->heap - 1 : sim->n_heap++, k);
}
