/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

#define NOW 1700000000000000000ULL
#define MINUTE 60000000000ULL

static void test_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < WHY_RULE_COUNT; i++)
		assert_int_equal(why_rule_from_name(why_rule_name(i)), i);
	assert_int_equal(why_rule_from_name("because"), -EINVAL);
}

static void test_rules(void **state)
{
	static const struct {
		enum sg_state state;
		enum why_rule rule;
	} cases[] = {
		{ SG_CLOSED, WHY_NOTHING },      { SG_OPEN, WHY_OPEN },
		{ SG_HALF_OPEN, WHY_HALF_OPEN }, { SG_RAMP, WHY_RAMP },
		{ SG_FORCED_OPEN, WHY_ORDER },   { SG_FORCED_CLOSED, WHY_NOTHING },
		{ SG_DISABLED, WHY_NOTHING },    { SG_SHADOW, WHY_NOTHING },
	};
	struct status_server s;
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		status_server_init(&s);
		s.state = cases[i].state;
		s.since_wall_ns = NOW - MINUTE;
		s.breaker.open_remaining_ns = MINUTE;
		why_of(&s, NOW, &why);
		assert_int_equal(why.rule, cases[i].rule);
		assert_int_equal(!*why.because, why.rule == WHY_NOTHING);
		if (why.rule == WHY_OPEN) {
			assert_int_equal(why.since_wall_ns, NOW - MINUTE);
			assert_int_equal(why.until_wall_ns, NOW + MINUTE);
		}
		s.quarantined = true; /* wins over all of them */
		snprintf(s.quarantine.reason, sizeof(s.quarantine.reason), "poisoned");
		snprintf(s.quarantine.by, sizeof(s.quarantine.by), "root");
		s.quarantine.since_wall_ns = NOW - 2 * MINUTE;
		why_of(&s, NOW, &why);
		assert_int_equal(why.rule, WHY_QUARANTINE);
		assert_string_equal(why.because, "it is in quarantine: poisoned");
		assert_string_equal(why.by, "root");
		assert_int_equal(why.since_wall_ns, NOW - 2 * MINUTE);
		assert_true(why.until_wall_ns == STATUS_NEVER);
	}
}

static void test_order(void **state)
{
	struct status_server s;
	struct why why;

	(void)state;
	status_server_init(&s);
	s.state = SG_FORCED_OPEN;
	why_of(&s, NOW, &why);
	assert_string_equal(why.because, "an operator has taken it out of service");
	s.ordered = true;
	snprintf(s.order.reason, sizeof(s.order.reason), "upgrade");
	s.order.until_wall_ns = NOW + MINUTE;
	why_of(&s, NOW, &why);
	assert_string_equal(why.because, "an operator has taken it out of service: upgrade");
	assert_int_equal(why.until_wall_ns, NOW + MINUTE);
}

static void test_failures(void **state)
{
	struct status_cause causes[] = {
		{ SG_SUCCESS, SG_CAUSE_ANSWER, 900, NOW, 0 },
		{ SG_HARD, SG_CAUSE_REFUSED, 3, NOW, 0 },
		{ SG_HARD, SG_CAUSE_STATUS, 12, NOW, 0 },
		{ SG_HARD, SG_CAUSE_NO_ANSWER, 4, NOW, 0 },
		{ SG_CALLER, SG_CAUSE_STALE, 99, NOW, 0 },
	};
	struct status_server s;
	struct why why;

	(void)state;
	status_server_init(&s);
	s.causes = causes; /* borrowed */
	s.n_causes = ARRAY_SIZE(causes);
	s.state = SG_OPEN;
	why_of(&s, NOW, &why);
	assert_string_equal(why.because, "its circuit breaker is open (in the last hour: HTTP "
					 "errors (12), calls without an answer in time (4))");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
