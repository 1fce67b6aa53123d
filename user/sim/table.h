/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A hash table of nodes that live in their owners' structs, by name and by what they
 * are of. It grows by itself; nothing that anybody sees depends on its order.
 */
#ifndef SWITCHGEAR_SIM_TABLE_H
#define SWITCHGEAR_SIM_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Borrowed bytes, not terminated. Length 0: not given. */
struct sim_text {
	const char *s;
	size_t len;
};

struct sim_node {
	struct sim_node *next; /* of the same bucket */
	uint64_t hash;
	const void *of;       /* the names of one server are apart from those of another */
	struct sim_text name; /* in the owner's struct */
};

struct sim_table {
	struct sim_node **buckets;
	size_t n_buckets; /* a power of two; 0: none yet */
	size_t n;
};

/* Hash of bytes, continued from `seed`. */
uint64_t sim_table_hash(const void *data, size_t len, uint64_t seed);

/* NULL: there is none. */
struct sim_node *sim_table_find(const struct sim_table *t, uint64_t hash, const void *of,
				struct sim_text name);

/* Room for one more node. -ENOMEM. */
int sim_table_reserve(struct sim_table *t) MUST_CHECK;
/* After sim_table_reserve(); hash, of and name are set. */
void sim_table_add(struct sim_table *t, struct sim_node *node);
void sim_table_remove(struct sim_table *t, struct sim_node *node);
/* Frees the buckets; the nodes are the owner's: sim_table_pop() them first. */
void sim_table_done(struct sim_table *t);
/* Takes any node out, in O(buckets) for all of them together; NULL: it is empty. */
struct sim_node *sim_table_pop(struct sim_table *t, size_t *cursor);

#endif
