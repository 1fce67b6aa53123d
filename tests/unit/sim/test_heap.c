/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Heap and table against the simplest thing that does the same. */
#include <stdlib.h>
#include <string.h>

#include "sim/private.h"
#include "unit/unit.h"

#define BREAKERS 200
#define STEPS 20000

static uint32_t next(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

static void check_top(const struct sim *sim, struct sim_breaker *const *all)
{
	const struct sim_breaker *first = NULL;

	for (int i = 0; i < BREAKERS; i++) {
		if (all[i]->due_ns == SG_FOREVER)
			assert_int_equal(all[i]->heap, 0);
		else if (!first || all[i]->due_ns < first->due_ns)
			first = all[i];
	}
	if (first)
		assert_ptr_equal(sim->heap[0], first);
	else
		assert_int_equal(sim->n_heap, 0);
}

/* Few different times, so that the order of first sight decides often. */
static void test_heap_order(void **state)
{
	struct sim_breaker *all[BREAKERS];
	struct sim sim = { 0 };
	uint32_t x = 3;

	(void)state;
	for (uint32_t i = 0; i < BREAKERS; i++) {
		assert_int_equal(sim_heap_reserve(&sim), 0);
		all[i] = calloc(1, sizeof(*all[i]));
		assert_non_null(all[i]);
		all[i]->index = i;
		all[i]->due_ns = SG_FOREVER;
		all[i]->b.state = SG_OPEN;
		sim.n_breakers++;
	}
	for (int i = 0; i < STEPS; i++) {
		struct sim_breaker *k = all[next(&x) % BREAKERS];
		/* 0: nothing is due; rarely more than a few, sometimes all */
		bool many = i / 2000 % 2;

		k->b.deadline_ns = next(&x) % (many ? 8 : 2) ? next(&x) % 50 : 0;
		sim_heap_update(&sim, k);
		check_top(&sim, all);
	}
	for (int i = 0; i < BREAKERS; i++)
		free(all[i]);
	free(sim.heap);
}

static void test_table(void **state)
{
	struct sim_node nodes[500] = { 0 };
	uint16_t names[ARRAY_SIZE(nodes)];
	struct sim_table t = { 0 };
	struct sim_node *node;
	size_t cursor = 0;
	size_t left = 0;

	(void)state;
	assert_null(sim_table_find(&t, 1, NULL, (struct sim_text){ "a", 1 }));
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		assert_int_equal(sim_table_reserve(&t), 0);
		/* collisions of both kinds, and names that only differ in what they are of */
		nodes[i].hash = i / 2 % 100 * 64;
		nodes[i].of = i % 2 ? &t : NULL;
		names[i] = (uint16_t)(i / 2);
		nodes[i].name = (struct sim_text){ (const char *)&names[i], sizeof(names[i]) };
		sim_table_add(&t, &nodes[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i += 3)
		sim_table_remove(&t, &nodes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		uint16_t copy = names[i];

		node = sim_table_find(&t, nodes[i].hash, nodes[i].of,
				      (struct sim_text){ (const char *)&copy, sizeof(copy) });
		assert_ptr_equal(node, i % 3 ? &nodes[i] : NULL);
		assert_null(sim_table_find(&t, nodes[i].hash, nodes[i].of,
					   (struct sim_text){ (const char *)&copy, 1 }));
		left += node != NULL;
	}
	assert_int_equal(t.n, left);
	while (sim_table_pop(&t, &cursor))
		left--;
	assert_int_equal(left, 0);
	assert_int_equal(t.n, 0);
	sim_table_done(&t);
}

static void test_hash_spreads(void **state)
{
	uint32_t hits[64] = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 64000; i++)
		hits[sim_table_hash(&i, sizeof(i), 1) % 64]++;
	for (int i = 0; i < 64; i++)
		assert_in_range(hits[i], 800, 1200);
	assert_int_not_equal(sim_table_hash("a", 1, 1), sim_table_hash("a\0", 2, 1));
	assert_int_not_equal(sim_table_hash("a", 1, 1), sim_table_hash("a", 1, 2));
	assert_int_equal(sim_table_hash("abcdefghi", 9, 1), sim_table_hash("abcdefghi", 9, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap_order),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_hash_spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
