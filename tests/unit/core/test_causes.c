/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sums over the last hour, compared with a list of all calls that are still in it. */
#include <stdlib.h>

#include "base/clock.h"
#include "core/causes.h"
#include "unit/unit.h"

#define MINUTES(n) ((uint64_t)((n)*60) * NS_PER_SEC)

static uint64_t sum(const struct causes *c, uint8_t class, uint8_t cause, uint64_t now)
{
	uint8_t at = c->at[class][cause];

	return at ? minutes_sum(&c->v[at - 1].minutes, now) : 0;
}

static void test_hour(void **state)
{
	struct causes c = { 0 };

	(void)state;
	causes_add(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(10.9), SECONDS(60));
	causes_add(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(11), SECONDS(1));
	causes_add(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(11), SECONDS(2));
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(11)), 1);
	assert_int_equal(sum(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(11)), 2);
	assert_int_equal(sum(&c, SG_SUCCESS, SG_CAUSE_STATUS, MINUTES(11)), 0);
	/* 60 minutes that are over, and the one that runs */
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(70.99)), 1);
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(71)), 0);
	assert_int_equal(sum(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(71.99)), 2);
	assert_int_equal(sum(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(72)), 0);
	assert_int_equal(sum(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(9999)), 0);
	assert_int_equal(c.v[1].total, 2);
	assert_int_equal(c.v[1].latest_ns, MINUTES(11));
	assert_int_equal(c.v[1].latency_ns, SECONDS(2));
	causes_done(&c);
}

/* The place of a minute is the next one's an hour later. */
static void test_turns(void **state)
{
	struct causes c = { 0 };

	(void)state;
	for (uint64_t m = 0; m < 500; m++) {
		causes_add(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(m), 0);
		assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(m)),
				 m < 61 ? m + 1 : 61);
	}
	causes_add(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(530), 0);
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(530)), 31);
	/* late ones: in the hour, and before it */
	causes_add(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(470), 0);
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(530)), 32);
	causes_add(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(469), 0);
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(530)), 32);
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_REFUSED, MINUTES(531)), 30);
	assert_int_equal(c.v[0].total, 503);
	assert_int_equal(c.v[0].latest_ns, MINUTES(530));
	causes_done(&c);
}

static void test_corrected(void **state)
{
	struct causes c = { 0 };

	(void)state;
	causes_correct(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(1)); /* nobody counted it */
	assert_int_equal(c.n, 0);
	causes_add(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(1), 0);
	causes_add(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(3), 0);
	causes_correct(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(2));
	causes_add(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(2), 0);
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(61.5)), 1);
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(63.5)), 1);
	assert_int_equal(sum(&c, SG_SUCCESS, SG_CAUSE_ANSWER, MINUTES(3)), 1);
	assert_int_equal(c.v[0].total, 2);
	assert_int_equal(c.v[0].corrected, 1);
	causes_correct(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(200)); /* its minute is over */
	assert_int_equal(sum(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(3)), 0);
	causes_correct(&c, SG_HARD, SG_CAUSE_NO_ANSWER, MINUTES(200)); /* more than there were */
	assert_int_equal(c.v[0].corrected, 2);
	causes_done(&c);
}

/* What is no class or cause of ours, and what there is no memory for. */
static void test_missed(void **state)
{
	struct causes c = { 0 };

	(void)state;
	causes_add(&c, SG_CLASS_COUNT, SG_CAUSE_ANSWER, MINUTES(1), 0);
	causes_add(&c, SG_SUCCESS, SG_CAUSE_COUNT, MINUTES(1), 0);
	causes_correct(&c, SG_CLASS_COUNT, SG_CAUSE_ANSWER, MINUTES(1));
	causes_correct(&c, SG_SUCCESS, SG_CAUSE_COUNT, MINUTES(1));
	assert_int_equal(c.missed, 2);
	assert_int_equal(c.n, 0);
	for (uint8_t class = 0; class < SG_CLASS_COUNT; class ++)
		for (uint8_t cause = 0; cause < SG_CAUSE_COUNT; cause++)
			causes_add(&c, class, cause, MINUTES(1), 0);
	assert_int_equal(c.n, SG_CLASS_COUNT * SG_CAUSE_COUNT);
	for (size_t i = 0; i < c.n; i++)
		assert_int_equal(sum(&c, (uint8_t)c.v[i].class, (uint8_t)c.v[i].cause, MINUTES(1)),
				 1);
	causes_done(&c);
}

#define CALLS 20000

/* At random, against the list. */
static void test_exact(void **state)
{
	static uint64_t when[CALLS];
	struct minutes m = { 0 };
	uint64_t now = MINUTES(100);

	(void)state;
	srand(1);
	for (size_t n = 0; n < CALLS; n++) {
		uint64_t want = 0;

		now += (uint64_t)(rand() % 20000) * 1000000;
		when[n] = now - (uint64_t)(rand() % 90) * NS_PER_SEC;
		minutes_add(&m, when[n], 1);
		if (n % 97)
			continue;
		for (size_t i = 0; i <= n; i++)
			want += now / MINUTE_NS - when[i] / MINUTE_NS <= 60;
		assert_int_equal(minutes_sum(&m, now), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hour),      cmocka_unit_test(test_turns),
		cmocka_unit_test(test_corrected), cmocka_unit_test(test_missed),
		cmocka_unit_test(test_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
