/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Groups: servers that stand in for each other, of which not all may be open at
 * once. Who belongs together, how many may be open, and when a member is all
 * that is left. The kernel keeps the count and the limit (struct sg_group);
 * this says what the limit is. The limit across all servers is core/blast.h.
 */
#ifndef SWITCHGEAR_CORE_GROUP_H
#define SWITCHGEAR_CORE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"

struct group_server {
	const char *name;
	uint32_t id;       /* of its breaker, < SG_SERVERS_MAX; 0: it has none and is in no group */
	const char *group; /* NULL: none */
	const char *const *fallback; /* names; unknown ones are passed over */
	size_t n_fallback;
};

/*
 * Which servers form a group: those with the same `group`, those of which one is
 * the other's fallback, and those that share a breaker, taken together.
 * ret_group[i]: the lowest breaker id of the group of servers[i], an index of
 * the map `groups`; 0 for a server without breaker and for a breaker that is
 * alone: it opens as usual. -ENOMEM, ret_group untouched.
 */
int group_partition(const struct group_server *servers, size_t n, uint32_t *ret_group) MUST_CHECK;

/* The breakers of one group. */
struct group_count {
	uint32_t members;
	uint32_t open;        /* open, half-open or forced open, not in a shadow: no call is sure
			       * to get through */
	uint32_t quarantined; /* of the others */
};

/* Counts one breaker in: adds to the members and to what it is. */
void group_count_add(struct group_count *c, const struct sg_breaker *b, bool quarantined);

/*
 * How many members may be open at once: at most the share max_open (0, 1] of
 * them, and never the last one that is neither open nor in quarantine. 0: none
 * may. Counted after the opening.
 */
uint32_t group_limit(const struct group_count *c, double max_open);

/* Is one member, or none, left that is neither open nor in quarantine? */
bool group_exhausted(const struct group_count *c);

/*
 * A share of a whole number, rounded down; what binary fractions lose (0.29 of
 * 100 is 28.99...) is given back.
 */
uint32_t group_share(double share, uint32_t of);

#endif
