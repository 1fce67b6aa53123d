/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Patience, and whose an outcome is, in every order of who comes when. */
#include "flow.h"

#include "unit/unit.h"

#define MS 1000000ULL

static void test_one_claims_it(void **state)
{
	struct sg_flow f = { .flags = SG_FLOW_PROBE | SG_FLOW_OPENED, .lease_ns = 5 };

	(void)state;
	assert_int_equal(sg_flow_claim(&f, false, true), SG_FLOW_PROBE | SG_FLOW_OPENED);
	assert_int_equal(f.flags, SG_FLOW_COUNTED | SG_FLOW_OPENED);
	assert_int_equal(f.lease_ns, 0);
	/* nobody else does, and there is nothing to correct */
	assert_true(sg_flow_claim(&f, false, true) & SG_FLOW_COUNTED);
	assert_true(sg_flow_claim(&f, true, false) & SG_FLOW_COUNTED);
	assert_false(sg_flow_settle(&f));
	assert_int_not_equal(sg_flow_claim(&f, false, true) & SG_FLOW_CORRECTABLE,
			     SG_FLOW_CORRECTABLE);
}

/* Counted, taken by the breaker, and then the answer: it corrects, once. */
static void test_answer_after_the_breaker(void **state)
{
	struct sg_flow f = { 0 };

	(void)state;
	assert_false(sg_flow_claim(&f, true, false) & SG_FLOW_COUNTED);
	assert_false(sg_flow_settle(&f));
	/* its connection breaks: that is no answer */
	assert_int_not_equal(sg_flow_claim(&f, false, false) & SG_FLOW_CORRECTABLE,
			     SG_FLOW_CORRECTABLE);
	assert_int_equal(sg_flow_claim(&f, false, true) & SG_FLOW_CORRECTABLE, SG_FLOW_CORRECTABLE);
	assert_int_not_equal(sg_flow_claim(&f, false, true) & SG_FLOW_CORRECTABLE,
			     SG_FLOW_CORRECTABLE);
}

/* Counted, and the answer comes before the breaker has taken it: who settles it corrects. */
static void test_answer_before_the_breaker(void **state)
{
	struct sg_flow f = { 0 };

	(void)state;
	assert_false(sg_flow_claim(&f, true, false) & SG_FLOW_COUNTED);
	assert_int_not_equal(sg_flow_claim(&f, false, true) & SG_FLOW_CORRECTABLE,
			     SG_FLOW_CORRECTABLE);
	assert_true(sg_flow_settle(&f));
	assert_int_equal(sg_flow_claim(&f, false, true) & SG_FLOW_CORRECTABLE, SG_FLOW_CORRECTABLE);
	assert_false(sg_flow_settle(&f)); /* and once only */
}

static void test_patience(void **state)
{
	struct sg_server srv = { 0 };

	(void)state;
	assert_int_equal(sg_patience(&srv, 10 * MS), 10 * MS);
	srv.longest_ns = 8 * MS;
	assert_int_equal(sg_patience(&srv, 10 * MS), 10 * MS);
	srv.longest_ns = 12 * MS;
	assert_int_equal(sg_patience(&srv, 10 * MS), 15 * MS);
	srv.longest_ns = 1000 * MS; /* there is an end to it */
	assert_int_equal(sg_patience(&srv, 10 * MS), 100 * MS);
	assert_true(sg_patience(&srv, SG_FOREVER) == SG_FOREVER);
	assert_int_equal(sg_patience(&srv, 0), 0);
}

/* It rises at once, and falls by half in some 700 answers. */
static void test_longest(void **state)
{
	uint64_t longest = sg_longest(3 * MS, 64000 * MS);
	int n = 0;

	(void)state;
	assert_int_equal(longest, 64000 * MS);
	while (longest > 32000 * MS && n < 2000) {
		longest = sg_longest(longest, MS);
		n++;
	}
	assert_in_range(n, 650, 750);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_claims_it),
		cmocka_unit_test(test_answer_after_the_breaker),
		cmocka_unit_test(test_answer_before_the_breaker),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
