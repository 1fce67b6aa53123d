/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Invariant: a node is in bucket hash % n_buckets; n <= n_buckets after sim_table_reserve(). */
#include "sim/table.h"

#include <errno.h>
#include <string.h>

#define BUCKETS_MIN 64

/* Odd constants and the final mix of MurmurHash3 (Appleby), over words of eight bytes. */
uint64_t sim_table_hash(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *p = data;
	uint64_t h = seed ^ len * UINT64_C(0x9e3779b97f4a7c15);

	while (len) {
		size_t n = len < 8 ? len : 8;
		uint64_t word = 0;

		memcpy(&word, p, n);
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
		p += n;
		len -= n;
	}
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

struct sim_node *sim_table_find(const struct sim_table *t, uint64_t hash, const void *of,
				struct sim_text name)
{
	struct sim_node *node = t->n_buckets ? t->buckets[hash & (t->n_buckets - 1)] : NULL;

	while (node && (node->hash != hash || node->of != of || node->name.len != name.len ||
			memcmp(node->name.s, name.s, name.len) != 0))
		node = node->next;
	return node;
}

static void push(struct sim_node **buckets, size_t n_buckets, struct sim_node *node)
{
	struct sim_node **bucket = &buckets[node->hash & (n_buckets - 1)];

	node->next = *bucket;
	*bucket = node;
}

int sim_table_reserve(struct sim_table *t)
{
	size_t n = t->n_buckets ? 2 * t->n_buckets : BUCKETS_MIN;
	struct sim_node **buckets;

	if (t->n < t->n_buckets)
		return 0;
	buckets = calloc(n, sizeof(struct sim_node *));
	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_buckets; i++) {
		while (t->buckets[i]) {
			struct sim_node *node = t->buckets[i];

			t->buckets[i] = node->next;
			push(buckets, n, node);
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n;
	return 0;
}

void sim_table_add(struct sim_table *t, struct sim_node *node)
{
	push(t->buckets, t->n_buckets, node);
	t->n++;
}

void sim_table_remove(struct sim_table *t, struct sim_node *node)
{
	struct sim_node **link = &t->buckets[node->hash & (t->n_buckets - 1)];

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	t->n--;
}

void sim_table_done(struct sim_table *t)
{
	free(t->buckets);
	*t = (struct sim_table){ 0 };
}

struct sim_node *sim_table_pop(struct sim_table *t, size_t *cursor)
{
	for (; *cursor < t->n_buckets; ++*cursor) {
		struct sim_node *node = t->buckets[*cursor];

		if (node) {
			t->buckets[*cursor] = node->next;
			t->n--;
			return node;
		}
	}
	return NULL;
}
