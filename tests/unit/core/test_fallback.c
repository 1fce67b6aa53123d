/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/fallback.h"

#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

#define MAX 3

static struct status_server servers[MAX];
static struct fallback_candidate list[MAX];

/* All of them can be used. */
static void fresh(void)
{
	memset(servers, 0, sizeof(servers));
	for (size_t i = 0; i < MAX; i++) {
		servers[i].has_trust = true;
		servers[i].trust.score = 50;
		snprintf(servers[i].trust.band, sizeof(servers[i].trust.band), "watch");
		list[i] = (struct fallback_candidate){ .status = &servers[i],
						       .addressed = true,
						       .asked = true,
						       .answered = true,
						       .failure = "",
						       .differs = "" };
	}
}

static void refused(const char *because)
{
	char why[200];

	assert_false(fallback_usable(&list[0], false, why, sizeof(why)));
	assert_non_null(strstr(why, because));
	assert_int_equal(fallback_choose(list, MAX, false, false), 1);
	fresh();
}

/* F1 to F3, each alone. */
static void test_rules(void **state)
{
	char why[200];

	(void)state;
	fresh();
	assert_true(fallback_usable(&list[0], false, why, sizeof(why)));
	assert_string_equal(why, "");
	for (unsigned int s = 0; s < SG_STATE_COUNT; s++) {
		bool closed = s == SG_CLOSED || s == SG_FORCED_CLOSED || s == SG_DISABLED ||
			      s == SG_SHADOW;

		servers[0].state = (enum sg_state)s;
		assert_int_equal(fallback_usable(&list[0], false, why, sizeof(why)), closed);
		assert_int_equal(!*why, closed);
	}
	fresh();
	servers[0].state = SG_OPEN;
	refused("breaker is open");
	servers[0].quarantined = true;
	refused("quarantine");
	servers[0].orphan = true;
	refused("not configured");
	list[0].addressed = false;
	refused("no address");
	list[0].asked = false;
	list[0].answered = false;
	refused("not been asked");
	list[0].answered = false;
	list[0].failure = "timeout";
	refused("does not answer: timeout");
	list[0].missing = 2;
	list[0].differs = "gone: a, b";
	refused("does not offer 2 of the tools (gone: a, b)");
	list[0].missing = 2;
	assert_true(fallback_usable(&list[0], true, why, sizeof(why)));
	assert_int_equal(fallback_choose(list, MAX, false, true), 0);
}

static void test_order(void **state)
{
	(void)state;
	fresh();
	servers[1].trust.score = 60;
	servers[2].trust.score = 55;
	assert_int_equal(fallback_choose(list, MAX, false, false), 0);
	assert_int_equal(fallback_choose(list, MAX, true, false), 1);
	list[1].answered = false;
	assert_int_equal(fallback_choose(list, MAX, true, false), 2);
	snprintf(servers[0].trust.band, sizeof(servers[0].trust.band), "trusted");
	assert_int_equal(fallback_choose(list, MAX, true, false), 0);
	for (size_t i = 0; i < MAX; i++)
		list[i].asked = false;
	assert_int_equal(fallback_choose(list, MAX, true, false), FALLBACK_NONE);
	assert_int_equal(fallback_choose(list, 0, true, false), FALLBACK_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
