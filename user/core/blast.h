/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The blast limit: how many servers may newly open within a while. When all of
 * them seem to fail at once, the fault is probably this host's, and refusing
 * everything would make it worse. Off below blast_min_servers servers with
 * traffic in the last ten minutes; then max(2, blast_share of these) may open
 * within blast_seconds.
 *
 * Who opens takes a place. In the kernel that is `open` of the group
 * SG_GROUP_ALL, which nothing but this lowers: blast_slots() compares it with
 * the places known here, and blast_aged() says how many are old enough to be
 * given back. So the kernel's count is the only record, and no lost event and
 * no restart can leave a place taken.
 *
 * Times are ns of one monotonic clock and never decrease from call to call.
 */
#ifndef SWITCHGEAR_CORE_BLAST_H
#define SWITCHGEAR_CORE_BLAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"
#include "core/policy.h"

#define BLAST_TRAFFIC_NS 600000000000ULL
#define BLAST_LEAST 2U /* so many may always open */

struct blast_server {
	uint64_t last_ns; /* of its latest call */
	uint32_t prev;    /* in the order of last_ns; index + 1, 0: none */
	uint32_t next;
	bool active;
};

struct blast {
	uint32_t min_servers;
	double share;
	uint64_t period_ns;
	uint64_t *places; /* when each was taken, oldest first */
	size_t n_places;
	size_t places_cap;
	struct blast_server *servers; /* by index */
	size_t servers_cap;
	uint32_t oldest; /* index + 1, 0: none */
	uint32_t newest;
	uint32_t active;
	uint64_t quiet_ns; /* the burst that is going on ends then, 0: none ever was */
};

/* All zero is an empty one whose policy is missing. */
void blast_set_policy(struct blast *b, const struct breaker_policy *policy);
void blast_done(struct blast *b);

/* A call to this server ended. -ENOMEM: it is not counted. */
int blast_traffic(struct blast *b, uint32_t server, uint64_t now) MUST_CHECK;
/* There is no such server any more. */
void blast_forget(struct blast *b, uint32_t server);
/* How many servers had traffic lately. */
uint32_t blast_active(struct blast *b, uint64_t now);

/* How many places there are: SG_UNLIMITED while the limit is off. */
uint32_t blast_limit(struct blast *b, uint64_t now);

/*
 * `taken` places are taken now: what is more than before was taken now, what is
 * less was given back by who took it last. -ENOMEM: as before.
 */
int blast_slots(struct blast *b, uint32_t taken, uint64_t now) MUST_CHECK;
/* Forgets the places that are blast_seconds old; returns how many those were. */
uint32_t blast_aged(struct blast *b, uint64_t now);

/*
 * A server was held. True if this begins a burst: none was for blast_seconds.
 * Who raises an alarm then, raises one for all of them.
 */
bool blast_held(struct blast *b, uint64_t now);

#endif
