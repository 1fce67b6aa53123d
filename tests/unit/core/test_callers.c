/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/callers.h"

#include <stdlib.h>

#include "unit/unit.h"

#define SECOND 1000000000ULL
#define START (1000 * SECOND)
#define LIMIT 0.5

static void calls(struct callers *c, uint32_t source, int good, int bad, uint64_t t_ns)
{
	while (good-- > 0)
		callers_add(c, source, false, t_ns);
	while (bad-- > 0)
		callers_add(c, source, true, t_ns);
}

static void test_nobody_is_a_witness(void **state)
{
	struct callers c = { 0 };

	(void)state;
	assert_false(callers_served(&c, LIMIT, START));
	calls(&c, 3, CALLERS_ENOUGH - 1, 0, START);
	assert_false(callers_served(&c, LIMIT, START)); /* too few calls */
	calls(&c, 4, 0, 100, START);
	assert_false(callers_served(&c, LIMIT, START));
}

static void test_what_was_none_after_all(void **state)
{
	struct callers c = { 0 };

	(void)state;
	calls(&c, 3, 4, 1, START);
	assert_false(callers_served(&c, 0.5, START));
	callers_correct(&c, 4); /* somebody else's */
	assert_false(callers_served(&c, 0.5, START));
	callers_correct(&c, 3);
	callers_correct(&c, 3); /* there is no other */
	assert_true(callers_served(&c, 0.5, START));
	assert_true(callers_share(&c, 3, START) <= 0);
}

static void test_somebody_is_served_well(void **state)
{
	struct callers c = { 0 };

	(void)state;
	calls(&c, 3, 0, 1000, START);
	calls(&c, 4, CALLERS_ENOUGH, 0, START);
	assert_true(callers_served(&c, LIMIT, START));
	calls(&c, 4, 0, 1, START); /* one of six is too many */
	assert_false(callers_served(&c, LIMIT, START));
	calls(&c, 4, 4, 0, START); /* of ten it is not */
	assert_true(callers_served(&c, LIMIT, START));
}

/* Where a small share of failures opens the breaker, nobody who sees it is a witness. */
static void test_a_small_limit(void **state)
{
	struct callers c = { 0 };

	(void)state;
	calls(&c, 3, 94, 6, START);
	assert_true(callers_served(&c, 0.5, START));
	assert_false(callers_served(&c, 0.05, START));
	assert_true(callers_share(&c, 3, START) > 0.059 && callers_share(&c, 3, START) < 0.061);
	assert_true(callers_share(&c, 4, START) <= 0);
}

static void test_names(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(callers_name(3, text, sizeof(text)), "uid 0");
	assert_string_equal(callers_name(65537, text, sizeof(text)), "uid 65534");
	assert_string_equal(callers_name(0x8000000f, text, sizeof(text)), "cgroup 0x0000000f");
	assert_string_equal(callers_name(1, text, sizeof(text)), "switchgeard");
	assert_string_equal(callers_name(2, text, sizeof(text)), "somebody unknown");
}

/* A witness is one for two windows at most. */
static void test_he_is_forgotten(void **state)
{
	struct callers c = { 0 };
	uint64_t begin = START / CALLERS_WINDOW_NS * CALLERS_WINDOW_NS;

	(void)state;
	calls(&c, 4, 50, 0, begin);
	assert_true(callers_served(&c, LIMIT, begin + 19 * SECOND));
	assert_false(callers_served(&c, LIMIT, begin + 20 * SECOND));
	calls(&c, 4, 1, 0, begin + 100 * SECOND);
	assert_false(callers_served(&c, LIMIT, begin + 100 * SECOND));
}

/* Half of all calls fail, for everybody: nobody is served. */
static void test_a_real_outage_in_part(void **state)
{
	struct callers c = { 0 };
	unsigned int seed = 7;
	int served = 0;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		callers_add(&c, 3 + (unsigned int)rand_r(&seed) % 8, rand_r(&seed) % 2,
			    START + i * SECOND / 20);
		if (i > 1000)
			served += callers_served(&c, LIMIT, START + i * SECOND / 20);
	}
	assert_true(served < 200); /* of 19,000 */
}

/* More callers than places: one who calls is not pushed out by those who do not. */
static void test_more_than_places(void **state)
{
	struct callers c = { 0 };

	(void)state;
	calls(&c, 3, 50, 0, START + CALLERS_WINDOW_NS);
	for (uint32_t i = 0; i < CALLERS_MAX - 1; i++)
		calls(&c, 100 + i, 0, 1, START);
	for (uint32_t i = 0; i < 50; i++)
		calls(&c, 200 + i, 0, 1, START);
	assert_true(callers_served(&c, LIMIT, START + CALLERS_WINDOW_NS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_is_a_witness),
		cmocka_unit_test(test_what_was_none_after_all),
		cmocka_unit_test(test_somebody_is_served_well),
		cmocka_unit_test(test_a_small_limit),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_he_is_forgotten),
		cmocka_unit_test(test_a_real_outage_in_part),
		cmocka_unit_test(test_more_than_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
