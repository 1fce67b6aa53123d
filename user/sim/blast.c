/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "sim/blast.h"

#include <string.h>

#include "sim/private.h"

static bool may_trip(void *arg, const struct sim_breaker *server, uint64_t now)
{
	struct sim_blast *b = arg;

	b->failed |= blast_traffic(&b->blast, server->index, now) < 0;
	blast_aged(&b->blast, now);
	return b->blast.n_places < blast_limit(&b->blast, now);
}

/* Only who opens for its performance, and denies somebody, takes a place. */
static void moved(void *arg, const struct sim_breaker *server, const struct sg_transition *mv)
{
	struct sim_blast *b = arg;

	if (mv->reason != SG_REASON_CONSECUTIVE && mv->reason != SG_REASON_FAILURE_RATE &&
	    mv->reason != SG_REASON_SLOW_RATE)
		return;
	if (server->b.shadow || blast_limit(&b->blast, mv->t_ns) == SG_UNLIMITED)
		return;
	b->failed |= blast_slots(&b->blast, (uint32_t)b->blast.n_places + 1, mv->t_ns) < 0;
}

struct sim_limits sim_blast_init(struct sim_blast *b, const struct breaker_policy *policy)
{
	memset(b, 0, sizeof(*b));
	blast_set_policy(&b->blast, policy);
	return (struct sim_limits){ .arg = b, .may_trip = may_trip, .moved = moved };
}

void sim_blast_done(struct sim_blast *b)
{
	blast_done(&b->blast);
}
