/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "witness.h"

#include "base/cleanup.h"

#include "unit/unit.h"

#define SECOND 1000000000ULL
#define START (100 * SECOND)

enum {
	ALICE = 1003,
	BOB,
	CAROL,
	MALLORY = 9000
};

/* --- addresses ------------------------------------------------------------------------ */

static struct sg_slots addresses(unsigned int n)
{
	struct sg_slots a = { 0 };

	sg_slots_set(&a, (__u8)((1U << n) - 1));
	return a;
}

static void test_one_address_counts_each_failure(void **state)
{
	struct sg_slots a = addresses(1);

	(void)state;
	for (int i = 0; i < 70000; i++) /* also where the count saturates */
		assert_true(sg_slot_failed(&a, 0));
	sg_slot_reached(&a, 0);
	assert_true(sg_slot_failed(&a, 0));
}

static void test_without_addresses_each_counts(void **state)
{
	struct sg_slots a = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		assert_true(sg_slot_failed(&a, i % SG_SLOTS_MAX));
}

/* One good address of any number, whichever it is: never. */
static void test_one_good_address(void **state)
{
	(void)state;
	for (unsigned int n = 2; n <= SG_SLOTS_MAX; n++) {
		for (unsigned int good = 0; good < n; good++) {
			struct sg_slots a = addresses(n);

			for (int call = 0; call < 100; call++)
				for (unsigned int i = 0; i < n; i++) {
					if (i == good && call % 7 == 0)
						sg_slot_reached(&a, i);
					else if (i != good)
						assert_false(sg_slot_failed(&a, i));
				}
		}
	}
}

/* All dead: as many failures of the server as of the one that failed least. */
static void test_all_dead(void **state)
{
	struct sg_slots a = addresses(3);
	int failures = 0;

	(void)state;
	for (int round = 1; round <= 5; round++) {
		for (unsigned int i = 0; i < 3; i++)
			failures += sg_slot_failed(&a, i);
		assert_int_equal(failures, round);
	}
	for (int i = 0; i < 50; i++) /* who only tries one of them proves nothing more */
		assert_false(sg_slot_failed(&a, 0));
}

/* A sibling that has been dead for long does not hide the end of the good one. */
static void test_the_good_one_dies(void **state)
{
	struct sg_slots a = addresses(2);
	int failures = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(sg_slot_failed(&a, 0));
	for (int i = 0; i < 5; i++)
		failures += sg_slot_failed(&a, 1);
	assert_int_equal(failures, 5);
}

static void test_a_new_address_has_not_failed(void **state)
{
	struct sg_slots a = addresses(1);

	(void)state;
	for (int i = 0; i < 9; i++)
		assert_true(sg_slot_failed(&a, 0));
	sg_slots_set(&a, 3);
	for (int i = 0; i < 9; i++)
		assert_false(sg_slot_failed(&a, 0));
	assert_true(sg_slot_failed(&a, 1));
	sg_slots_set(&a, 1); /* it leaves, and comes again */
	sg_slots_set(&a, 3);
	assert_int_equal(a.failed[1], 0);
}

/* Where there is no way to a sibling, no connect can fail there: the others decide. */
static void test_a_sibling_that_is_nowhere(void **state)
{
	struct sg_slots a = addresses(3);
	int failures = 0;

	(void)state;
	assert_false(sg_slot_failed(&a, 1));
	sg_slot_nowhere(&a, 0, true);
	sg_slot_nowhere(&a, 2, true);
	for (int i = 0; i < 5; i++)
		failures += sg_slot_failed(&a, 1);
	assert_int_equal(failures, 5);
	sg_slot_nowhere(&a, 2, false);
	for (int i = 0; i < 5; i++)
		assert_false(sg_slot_failed(&a, 1));
	assert_true(sg_slot_failed(&a, 2));
	sg_slot_nowhere(&a, 1, true); /* without any, all are asked */
	sg_slot_nowhere(&a, 2, true);
	assert_false(sg_slot_failed(&a, 1));
	sg_slots_set(&a, 2); /* who leaves is nowhere no more */
	assert_int_equal(a.nowhere, 2);
}

/* --- sources ----------------------------------------------------------------------------- */

static void test_the_only_user_counts(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	sg_source_succeeded(&w, ALICE, 0, START);
	for (unsigned int i = 0; i < 5; i++)
		assert_false(sg_source_failed(&w, ALICE, 0, false, START + i * SECOND));
	assert_int_equal(sg_source_only(&w), ALICE);
}

static void test_a_witness(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	sg_source_succeeded(&w, BOB, 0, START);
	assert_true(sg_source_failed(&w, MALLORY, 0, false, START + SECOND));
	assert_true(sg_source_failed(&w, MALLORY, 0, false, START + 9 * SECOND));
	assert_false(
		sg_source_failed(&w, MALLORY, 0, false, START + 11 * SECOND)); /* too long ago */
	sg_source_succeeded(&w, BOB, 0, START + 12 * SECOND);
	assert_true(sg_source_failed(&w, MALLORY, 0, false, START + 12 * SECOND));
	assert_false(
		sg_source_failed(&w, BOB, 0, false, START + 13 * SECOND)); /* he saw it fail, too */
	assert_int_equal(sg_source_only(&w), SG_SOURCE_NONE);
	assert_false(sg_source_failed(&w, MALLORY, 0, false, START + 13 * SECOND));
}

/* Any number of sources of one attacker, who also succeeds as he likes. */
static void test_many_sources_of_one_attacker(void **state)
{
	static const unsigned int counts[] = { 1, 3, 16, 500 };

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
		struct sg_sources w = { 0 };
		uint64_t now = START;

		for (unsigned int i = 0; i < 8; i++) /* he had all the places first */
			sg_source_succeeded(&w, MALLORY + i % counts[c], 0, now);
		for (unsigned int i = 0; i < 5000; i++) {
			now += SECOND / 50;
			if (i % 250 == 0) /* each 5 s */
				sg_source_succeeded(&w, ALICE, 0, now);
			assert_true(sg_source_failed(&w, MALLORY + i % counts[c], 0, false, now));
			if (i % 3 == 0 && counts[c] > 1) /* none of his is a failed one for long */
				sg_source_succeeded(&w, MALLORY + i % counts[c], 0, now);
		}
	}
}

/* The daemon's probe is a witness that the server can be reached, and for no more. */
static void test_the_daemon_as_witness(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	sg_source_succeeded(&w, SG_SOURCE_DAEMON, 0, START);
	assert_true(sg_source_failed(&w, ALICE, 0, false, START));
	assert_int_equal(sg_source_only(&w), ALICE);
	assert_false(sg_source_failed(&w, ALICE, 0, true, START));
	assert_int_equal(sg_source_only(&w), SG_SOURCE_NONE); /* the server said so itself */
	sg_source_succeeded(&w, BOB, 0, START);
	assert_true(sg_source_failed(&w, ALICE, 0, true, START));
}

static void test_a_row_ends_with_its_generation(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	(void)!sg_source_failed(&w, ALICE, 1, false, START);
	(void)!sg_source_failed(&w, BOB, 1, false, START);
	assert_int_equal(sg_source_only(&w), SG_SOURCE_NONE);
	(void)!sg_source_failed(&w, BOB, 2, false, START);
	assert_int_equal(sg_source_only(&w), BOB);
	sg_source_succeeded(&w, CAROL, 2, START);
	assert_int_equal(sg_source_only(&w), SG_SOURCE_NONE);
}

/* --- probes -------------------------------------------------------------------------------- */

static bool takes(struct sg_sources *w, __u32 source, __u32 generation, __u64 now)
{
	if (!sg_source_asks(w, source, generation, now))
		return false;
	sg_source_takes(w, source, generation, now);
	return true;
}

static void test_who_is_alone_has_all_probes(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(takes(&w, ALICE, 1, START));
}

static void test_one_each_while_others_ask(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	assert_true(takes(&w, MALLORY, 1, START));
	assert_true(takes(&w, ALICE, 1, START));
	assert_false(takes(&w, MALLORY, 1, START + SECOND));
	assert_false(takes(&w, ALICE, 1, START + SECOND));
	sg_source_returns(&w, ALICE, 1, true);
	assert_true(takes(&w, ALICE, 1, START + SECOND));
	assert_true(takes(&w, MALLORY, 2, START + SECOND)); /* of another half-open */
	assert_true(sg_source_asks(&w, SG_SOURCE_DAEMON, 2, START + SECOND));
}

/* Who wastes probes gets none while others ask, and may again when they are gone. */
static void test_who_wastes_probes(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	assert_true(takes(&w, MALLORY, 1, START));
	sg_source_returns(&w, MALLORY, 1, false);
	assert_true(takes(&w, MALLORY, 1, START));
	sg_source_returns(&w, MALLORY, 1, false);
	assert_true(takes(&w, ALICE, 1, START));
	sg_source_returns(&w, ALICE, 1, true);
	assert_false(takes(&w, MALLORY, 1, START + SECOND));
	assert_true(takes(&w, ALICE, 1, START + SECOND));
	assert_false(takes(&w, MALLORY, 1, START + 2 * SECOND));
	assert_true(takes(&w, MALLORY, 1, START + 8 * SECOND));
}

/* Sources that come and go do not make the count of one who holds a probe forgotten. */
static void test_holders_keep_their_places(void **state)
{
	struct sg_sources w = { 0 };

	(void)state;
	assert_true(takes(&w, MALLORY, 1, START));
	for (unsigned int i = 0; i < 100; i++)
		sg_source_succeeded(&w, ALICE + i, 1, START);
	assert_true(sg_source_asks(&w, BOB, 1, START));
	assert_false(sg_source_asks(&w, MALLORY, 1, START));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_address_counts_each_failure),
		cmocka_unit_test(test_without_addresses_each_counts),
		cmocka_unit_test(test_one_good_address),
		cmocka_unit_test(test_all_dead),
		cmocka_unit_test(test_the_good_one_dies),
		cmocka_unit_test(test_a_new_address_has_not_failed),
		cmocka_unit_test(test_a_sibling_that_is_nowhere),
		cmocka_unit_test(test_the_only_user_counts),
		cmocka_unit_test(test_a_witness),
		cmocka_unit_test(test_many_sources_of_one_attacker),
		cmocka_unit_test(test_the_daemon_as_witness),
		cmocka_unit_test(test_a_row_ends_with_its_generation),
		cmocka_unit_test(test_who_is_alone_has_all_probes),
		cmocka_unit_test(test_one_each_while_others_ask),
		cmocka_unit_test(test_who_wastes_probes),
		cmocka_unit_test(test_holders_keep_their_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
