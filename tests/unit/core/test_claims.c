/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/claims.h"

#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

static struct claim claim(const char *addr, size_t rank, bool literal, bool held)
{
	struct claim c = { .port = 80, .rank = rank, .literal = literal, .held = held };

	assert_int_equal(parse_addr(addr, &c.addr), 0);
	c.addr = claim_addr(&c.addr);
	return c;
}

static size_t owner_of(const struct claim *claims, size_t n, size_t rank)
{
	for (size_t i = 0; i < n; i++)
		if (claims[i].rank == rank)
			return claims[i].owner;
	fail_msg("no claim of %zu", rank);
	return 0;
}

static void test_literal_before_name(void **state)
{
	struct claim c[] = { claim("192.0.2.1", 0, false, true),
			     claim("192.0.2.1", 1, true, false) };

	(void)state;
	claims_settle(c, 2);
	assert_int_equal(owner_of(c, 2, 0), 1);
	assert_int_equal(owner_of(c, 2, 1), 1);
}

static void test_a_name_takes_nothing_from_another(void **state)
{
	struct claim c[] = { claim("192.0.2.1", 0, false, false),
			     claim("192.0.2.1", 1, false, true),
			     claim("192.0.2.1", 2, false, false) };

	(void)state;
	claims_settle(c, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(owner_of(c, 3, i), 1);
}

static void test_first_before_later(void **state)
{
	struct claim names[] = { claim("192.0.2.1", 4, false, false),
				 claim("192.0.2.1", 2, false, false) };
	struct claim literals[] = { claim("::1", 4, true, true), claim("::1", 2, true, false) };

	(void)state;
	claims_settle(names, 2);
	assert_int_equal(owner_of(names, 2, 4), 2);
	claims_settle(literals, 2);
	assert_int_equal(owner_of(literals, 2, 4), 2);
}

static void test_places(void **state)
{
	struct claim c[] = {
		claim("0.0.0.0", 0, true, false),   claim("127.0.0.1", 1, true, false),
		claim("127.0.0.2", 2, true, false), claim("::", 3, true, false),
		claim("::1", 4, true, false),       claim("127.0.0.1", 5, true, false)
	};

	(void)state;
	c[5].port = 81;
	claims_settle(c, 6);
	assert_int_equal(owner_of(c, 6, 1), 0);
	assert_int_equal(owner_of(c, 6, 2), 2);
	assert_int_equal(owner_of(c, 6, 4), 3);
	assert_int_equal(owner_of(c, 6, 5), 5);
	claims_settle(NULL, 0);
}

/* Whatever comes and goes: each endpoint has one owner, who claims it, and the rules hold. */
static void test_random(void **state)
{
	unsigned int seed = 3;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct claim c[8];
		size_t n = (size_t)rand_r(&seed) % 8 + 1;

		for (size_t i = 0; i < n; i++) {
			const char *addr = rand_r(&seed) % 2 ? "192.0.2.1" : "192.0.2.2";

			c[i] = claim(addr, i, rand_r(&seed) % 3 == 0, rand_r(&seed) % 3 == 0);
		}
		claims_settle(c, n);
		for (size_t i = 0; i < n; i++) {
			const struct claim *owner = NULL;

			for (size_t k = 0; k < n; k++)
				if (c[k].rank == c[i].owner)
					owner = &c[k];
			assert_non_null(owner);
			assert_memory_equal(&owner->addr, &c[i].addr, sizeof(c[i].addr));
			assert_int_equal(owner->owner, owner->rank);
			if (owner == &c[i])
				continue;
			assert_true(owner->literal >= c[i].literal);
			if (owner->literal == c[i].literal &&
			    (owner->literal || owner->held == c[i].held))
				assert_true(owner->rank < c[i].rank);
			if (!owner->literal && c[i].held)
				assert_true(owner->held);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literal_before_name),
		cmocka_unit_test(test_a_name_takes_nothing_from_another),
		cmocka_unit_test(test_first_before_later),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
