/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

#define MAX 4

/* A server in short. */
struct row {
	enum sg_state state;
	bool quarantined;
	const char *band; /* NULL: no trust */
	double score;
	double p50;
	bool restricted;
};

static struct status_server servers[MAX];
static const struct status_server *list[MAX];

static void make(const struct row *rows, size_t n)
{
	memset(servers, 0, sizeof(servers));
	for (size_t i = 0; i < n; i++) {
		servers[i].state = rows[i].state;
		servers[i].quarantined = rows[i].quarantined;
		servers[i].has_trust = rows[i].band != NULL;
		snprintf(servers[i].trust.band, sizeof(servers[i].trust.band), "%s",
			 rows[i].band ? rows[i].band : "");
		servers[i].trust.score = rows[i].score;
		servers[i].trust.restricted = rows[i].restricted;
		servers[i].latency.p50 = rows[i].p50;
		list[i] = &servers[i];
	}
}

#define T "trusted"
#define W "watch"
#define D "degraded"

static void test_order(void **state)
{
	static const struct {
		const char *what;
		struct row rows[MAX];
		size_t n;
		bool for_tool;
		size_t before;
		size_t best;
	} cases[] = {
		{ "nobody", { { 0 } }, 0, false, SELECT_NONE, SELECT_NONE },
		{ "the only one",
		  { { SG_CLOSED, false, W, 40, NAN, false } },
		  1,
		  false,
		  SELECT_NONE,
		  0 },
		{ "the more trusted",
		  { { SG_CLOSED, false, W, 50, 1, false }, { SG_CLOSED, false, W, 60, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
		{ "who lets calls through",
		  { { SG_OPEN, false, T, 90, 1, false }, { SG_CLOSED, false, D, 10, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
		{ "not who is half-open",
		  { { SG_HALF_OPEN, false, T, 90, 1, false },
		    { SG_CLOSED, false, D, 10, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
		{ "not who is in quarantine, whatever its breaker",
		  { { SG_CLOSED, true, T, 90, 1, false }, { SG_CLOSED, false, D, 10, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
		{ "slow start only where there is no other",
		  { { SG_RAMP, false, T, 90, 1, false }, { SG_CLOSED, false, D, 10, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
		{ "slow start before nobody",
		  { { SG_RAMP, false, T, 90, 1, false }, { SG_OPEN, false, T, 95, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  0 },
		{ "forced closed is usable",
		  { { SG_FORCED_CLOSED, false, W, 50, 1, false } },
		  1,
		  false,
		  SELECT_NONE,
		  0 },
		{ "forced open is not",
		  { { SG_FORCED_OPEN, false, W, 50, 1, false } },
		  1,
		  false,
		  SELECT_NONE,
		  SELECT_NONE },
		{ "the better band before the higher score",
		  { { SG_CLOSED, false, W, 72, 1, false }, { SG_CLOSED, false, T, 68, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
		{ "of equals the first",
		  { { SG_CLOSED, false, T, 80, NAN, false },
		    { SG_CLOSED, false, T, 84, NAN, false } },
		  2,
		  false,
		  SELECT_NONE,
		  0 },
		{ "of equals the fastest",
		  { { SG_CLOSED, false, T, 84, 20, false },
		    { SG_CLOSED, false, T, 80, 10, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
		{ "not much slower is as fast",
		  { { SG_CLOSED, false, T, 84, 12, false },
		    { SG_CLOSED, false, T, 80, 10, false } },
		  2,
		  false,
		  SELECT_NONE,
		  0 },
		{ "who was not measured is as fast",
		  { { SG_CLOSED, false, T, 84, NAN, false },
		    { SG_CLOSED, false, T, 80, 10, false } },
		  2,
		  false,
		  SELECT_NONE,
		  0 },
		{ "the one before stays among equals",
		  { { SG_CLOSED, false, T, 84, 10, false },
		    { SG_CLOSED, false, T, 80, 19, false } },
		  2,
		  false,
		  1,
		  1 },
		{ "unless it is much slower",
		  { { SG_CLOSED, false, T, 84, 10, false },
		    { SG_CLOSED, false, T, 80, 21, false } },
		  2,
		  false,
		  1,
		  0 },
		{ "or fell behind",
		  { { SG_CLOSED, false, T, 86, 10, false },
		    { SG_CLOSED, false, T, 80, 10, false } },
		  2,
		  false,
		  1,
		  0 },
		{ "or is refused",
		  { { SG_CLOSED, false, T, 80, 10, false }, { SG_OPEN, false, T, 84, 10, false } },
		  2,
		  false,
		  1,
		  0 },
		{ "for a tool nobody whom findings restrict",
		  { { SG_CLOSED, false, T, 90, 1, true }, { SG_CLOSED, false, D, 10, 9, false } },
		  2,
		  true,
		  SELECT_NONE,
		  1 },
		{ "else it may be",
		  { { SG_CLOSED, false, T, 90, 1, true }, { SG_CLOSED, false, D, 10, 9, false } },
		  2,
		  false,
		  SELECT_NONE,
		  0 },
		{ "without a score as one that is new",
		  { { SG_CLOSED, false, D, 30, 1, false },
		    { SG_CLOSED, false, NULL, 0, 1, false } },
		  2,
		  false,
		  SELECT_NONE,
		  1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t best;

		make(cases[i].rows, cases[i].n);
		best = select_best(list, cases[i].n, cases[i].for_tool, cases[i].before);
		if (best != cases[i].best)
			fail_msg("%s: %zu", cases[i].what, best);
	}
}

/* Scores that tremble by less than what makes a difference change nothing. */
static void expect_order(bool for_tool, bool by_trust, const char *wanted)
{
	size_t order[MAX];
	char got[MAX + 1] = "";

	select_order(list, MAX, for_tool, by_trust, order);
	for (size_t i = 0; i < MAX; i++)
		got[i] = (char)('0' + order[i]);
	assert_string_equal(got, wanted);
}

static void test_order_of_fallbacks(void **state)
{
	static const struct row rows[MAX] = { { SG_CLOSED, false, W, 40, NAN, false },
					      { SG_OPEN, false, T, 90, NAN, false },
					      { SG_CLOSED, false, T, 80, NAN, true },
					      { SG_CLOSED, false, W, 40.1, NAN, false } };

	(void)state;
	make(rows, MAX);
	expect_order(false, false, "0123"); /* as they are listed */
	expect_order(false, true, "2301");
	expect_order(true, true, "3012"); /* who is restricted cannot be called for a tool */
	servers[3].trust.score = 40;      /* equals stay as they are listed */
	expect_order(false, true, "2031");
}

static void test_stable_between_near_equals(void **state)
{
	size_t before = SELECT_NONE;
	unsigned int changes = 0;

	(void)state;
	srand(1);
	for (int i = 0; i < 1000; i++) {
		struct row rows[3];
		size_t best;

		for (int k = 0; k < 3; k++)
			rows[k] = (struct row){ SG_CLOSED,       false,           T,
						80 + rand() % 5, 10 + rand() % 9, false };
		make(rows, 3);
		best = select_best(list, 3, false, before);
		changes += best != before;
		before = best;
	}
	assert_int_equal(changes, 1);
}

/* Whoever is chosen may be called, and who may not has a reason. */
static void test_never_who_is_refused(void **state)
{
	(void)state;
	srand(2);
	for (int i = 0; i < 20000; i++) {
		struct row rows[MAX];
		bool any = false;
		const char *why;
		size_t best;

		for (int k = 0; k < MAX; k++)
			rows[k] = (struct row){ (enum sg_state)(rand() % SG_STATE_COUNT),
						rand() % 4 == 0,
						rand() % 2 ? T : W,
						rand() % 100,
						rand() % 3 ? 1 + rand() % 50 : NAN,
						rand() % 2 };
		make(rows, MAX);
		for (int k = 0; k < MAX; k++)
			any |= select_use(list[k], true, &why) != SELECT_NO;
		best = select_best(list, MAX, true, (size_t)(rand() % MAX));
		assert_int_equal(best != SELECT_NONE, any);
		if (any)
			assert_int_not_equal(select_use(list[best], true, &why), SELECT_NO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_fallbacks),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_stable_between_near_equals),
		cmocka_unit_test(test_never_who_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
