/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHARE_SLACK 1e-9

/* --- who belongs together ------------------------------------------------------ */

/* Disjoint sets of breakers: the root of a set is its lowest id. */
static uint32_t root_of(uint32_t *parent, uint32_t id)
{
	while (parent[id] != id) {
		parent[id] = parent[parent[id]];
		id = parent[id];
	}
	return id;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
	uint32_t x = root_of(parent, a);
	uint32_t y = root_of(parent, b);

	if (!a || !b)
		return;
	if (x < y)
		parent[y] = x;
	else
		parent[x] = y;
}

static int by_name(const void *a, const void *b)
{
	const struct group_server *x = *(const struct group_server *const *)a;
	const struct group_server *y = *(const struct group_server *const *)b;

	return strcmp(x->name, y->name);
}

static int by_group(const void *a, const void *b)
{
	const struct group_server *x = *(const struct group_server *const *)a;
	const struct group_server *y = *(const struct group_server *const *)b;

	if (!x->group || !y->group)
		return !x->group - !y->group;
	return strcmp(x->group, y->group);
}

static void join_groups(const struct group_server **order, size_t n, uint32_t *parent)
{
	const struct group_server *first = NULL; /* of this group, with a breaker */

	qsort(order, n, sizeof(*order), by_group);
	for (size_t i = 0; i < n && order[i]->group; i++) {
		if (!first || strcmp(first->group, order[i]->group))
			first = NULL;
		if (first)
			join(parent, first->id, order[i]->id);
		else if (order[i]->id)
			first = order[i];
	}
}

static void join_fallbacks(const struct group_server **order, size_t n, uint32_t *parent)
{
	qsort(order, n, sizeof(*order), by_name);
	for (size_t i = 0; i < n; i++) {
		const struct group_server *s = order[i];

		for (size_t k = 0; k < s->n_fallback; k++) {
			const struct group_server key = { .name = s->fallback[k] };
			const struct group_server *p = &key;
			const struct group_server **other =
				bsearch(&p, order, n, sizeof(*order), by_name);

			if (other)
				join(parent, s->id, (*other)->id);
		}
	}
}

int group_partition(const struct group_server *servers, size_t n, uint32_t *ret_group)
{
	CLEANUP(freep) const struct group_server **order = calloc(n + 1, sizeof(*order));
	CLEANUP(freep) uint32_t *parent = calloc(SG_SERVERS_MAX, sizeof(*parent));
	CLEANUP(freep) bool *shared = calloc(SG_SERVERS_MAX, sizeof(*shared));

	if (!order || !parent || !shared)
		return -ENOMEM;
	for (uint32_t id = 0; id < SG_SERVERS_MAX; id++)
		parent[id] = id;
	for (size_t i = 0; i < n; i++)
		order[i] = &servers[i];
	join_groups(order, n, parent);
	join_fallbacks(order, n, parent);
	for (uint32_t id = 1; id < SG_SERVERS_MAX; id++) {
		uint32_t root = root_of(parent, id);

		if (root != id)
			shared[root] = true;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t root = root_of(parent, servers[i].id);

		ret_group[i] = shared[root] ? root : 0;
	}
	return 0;
}

/* --- how many may be open -------------------------------------------------------- */

void group_count_add(struct group_count *c, const struct sg_breaker *b, bool quarantined)
{
	c->members++;
	if (!b->shadow &&
	    (b->state == SG_OPEN || b->state == SG_HALF_OPEN || b->state == SG_FORCED_OPEN))
		c->open++;
	else if (quarantined)
		c->quarantined++;
}

uint32_t group_share(double share, uint32_t of)
{
	return (uint32_t)(share * of + SHARE_SLACK);
}

uint32_t group_limit(const struct group_count *c, double max_open)
{
	uint32_t share = group_share(max_open, c->members);
	uint32_t needed = c->quarantined + 1;
	uint32_t floor = c->members > needed ? c->members - needed : 0;

	return share < floor ? share : floor;
}

bool group_exhausted(const struct group_count *c)
{
	return c->members <= c->open + c->quarantined + 1;
}
