/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The blast limit: when it is on, how many places it has, how they come back, bursts. */
#include "core/blast.h"

#include <string.h>

#include "unit/unit.h"

static struct blast start(uint32_t servers)
{
	struct breaker_policy policy = breaker_policy_defaults();
	struct blast b = { 0 };

	blast_set_policy(&b, &policy);
	for (uint32_t i = 0; i < servers; i++)
		assert_int_equal(blast_traffic(&b, i, 0), 0);
	return b;
}

static void test_limit_of_so_many(void **state)
{
	static const struct {
		uint32_t servers;
		uint32_t limit;
	} rows[] = { { 0, SG_UNLIMITED }, { 7, SG_UNLIMITED }, { 8, 2 },  { 10, 2 },
		     { 11, 2 },           { 12, 3 },           { 16, 4 }, { 1000, 250 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blast b = start(rows[i].servers);

		assert_int_equal(blast_active(&b, 0), rows[i].servers);
		assert_int_equal(blast_limit(&b, 0), rows[i].limit);
		blast_done(&b);
	}
}

/* Servers without traffic for ten minutes do not count, in whatever order they had it. */
static void test_traffic_is_forgotten(void **state)
{
	struct blast b = start(8);

	(void)state;
	assert_int_equal(blast_traffic(&b, 3, SECONDS(100)), 0);
	assert_int_equal(blast_traffic(&b, 0, SECONDS(200)), 0);
	assert_int_equal(blast_traffic(&b, 0, SECONDS(300)), 0);
	assert_int_equal(blast_active(&b, BLAST_TRAFFIC_NS - 1), 8);
	assert_int_equal(blast_limit(&b, BLAST_TRAFFIC_NS), SG_UNLIMITED);
	assert_int_equal(blast_active(&b, BLAST_TRAFFIC_NS), 2);
	assert_int_equal(blast_active(&b, BLAST_TRAFFIC_NS + SECONDS(100)), 1);
	blast_forget(&b, 0);
	blast_forget(&b, 0);
	blast_forget(&b, 100000);
	assert_int_equal(blast_active(&b, BLAST_TRAFFIC_NS + SECONDS(100)), 0);
	assert_int_equal(blast_traffic(&b, 5, BLAST_TRAFFIC_NS + SECONDS(100)), 0);
	assert_int_equal(blast_active(&b, BLAST_TRAFFIC_NS + SECONDS(100)), 1);
	blast_done(&b);
}

static void test_places_age(void **state)
{
	struct blast b = start(0);

	(void)state;
	assert_int_equal(blast_slots(&b, 1, SECONDS(1)), 0);
	assert_int_equal(blast_slots(&b, 1, SECONDS(5)), 0); /* still the same */
	assert_int_equal(blast_slots(&b, 3, SECONDS(6)), 0);
	assert_int_equal(blast_aged(&b, SECONDS(11) - 1), 0);
	assert_int_equal(blast_aged(&b, SECONDS(11)), 1);
	assert_int_equal(blast_slots(&b, 2, SECONDS(11)), 0);
	assert_int_equal(blast_slots(&b, 1, SECONDS(12)), 0); /* the newest was given back */
	assert_int_equal(blast_aged(&b, SECONDS(16) - 1), 0);
	assert_int_equal(blast_aged(&b, SECONDS(16)), 1);
	assert_int_equal(blast_aged(&b, SECONDS(100)), 0);
	blast_done(&b);
}

static void test_one_alarm_for_a_burst(void **state)
{
	struct blast b = start(0);

	(void)state;
	assert_true(blast_held(&b, SECONDS(0.5)));
	for (int i = 1; i < 50; i++)
		assert_false(blast_held(&b, SECONDS(0.5 + i)));
	assert_false(blast_held(&b, SECONDS(59.5) - 1));
	assert_true(blast_held(&b, SECONDS(69.5)));
	blast_done(&b);
}

/* Random traffic and places against a table that is searched from end to end. */
static void test_against_brute_force(void **state)
{
	uint64_t last[40];
	uint64_t taken[4000];
	size_t n_taken = 0;
	uint64_t seed = 3;
	uint64_t now = 0;
	struct blast b = start(0);

	(void)state;
	memset(last, 0xff, sizeof(last));
	for (int round = 0; round < 100000; round++) {
		uint32_t active = 0;
		uint32_t limit;
		size_t recent = 0;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		now += SECONDS((double)(seed >> 40 & 0xff) / 8);
		last[seed >> 33 & 31] = now;
		assert_int_equal(blast_traffic(&b, seed >> 33 & 31, now), 0);
		for (size_t i = 0; i < 40; i++)
			active += last[i] != UINT64_MAX && now - last[i] < BLAST_TRAFFIC_NS;
		assert_int_equal(blast_active(&b, now), active);
		limit = active < 8 ? SG_UNLIMITED : active / 4 > 2 ? active / 4 : 2;
		assert_int_equal(blast_limit(&b, now), limit);
		blast_aged(&b, now);
		for (size_t i = 0; i < n_taken; i++)
			recent += now - taken[i] < SECONDS(10);
		assert_int_equal(b.n_places, recent);
		if (b.n_places < limit && seed >> 60 < 12 && n_taken < ARRAY_SIZE(taken)) {
			taken[n_taken++] = now;
			assert_int_equal(blast_slots(&b, (uint32_t)b.n_places + 1, now), 0);
		}
	}
	assert_int_equal(n_taken, ARRAY_SIZE(taken));
	blast_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_of_so_many),
		cmocka_unit_test(test_traffic_is_forgotten),
		cmocka_unit_test(test_places_age),
		cmocka_unit_test(test_one_alarm_for_a_burst),
		cmocka_unit_test(test_against_brute_force),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
