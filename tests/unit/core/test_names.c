/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/names.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

static void test_words_of_the_contract(void **state)
{
	(void)state;
	assert_string_equal(state_name(SG_CLOSED), "closed");
	assert_string_equal(state_name(SG_HALF_OPEN), "half_open");
	assert_string_equal(state_name(SG_FORCED_CLOSED), "forced_closed");
	assert_string_equal(state_name(SG_SHADOW), "shadow");
	assert_string_equal(reason_name(SG_REASON_NONE), "none");
	assert_string_equal(reason_name(SG_REASON_HALF_OPEN_TIMEOUT), "half_open_timeout");
	assert_string_equal(reason_name(SG_REASON_REACHABLE), "reachable");
	assert_string_equal(class_name(SG_LOCAL), "local");
	assert_int_equal(class_from_name("unknown"), SG_UNKNOWN);
	assert_string_equal(cause_name(SG_CAUSE_NO_ANSWER), "no_answer");
}

static const struct {
	const char *(*name)(unsigned int value);
	int (*value)(const char *name);
	unsigned int count;
} tables[] = {
	{ state_name, state_from_name, SG_STATE_COUNT },
	{ reason_name, reason_from_name, SG_REASON_COUNT },
	{ class_name, class_from_name, SG_CLASS_COUNT },
	{ cause_name, cause_from_name, SG_CAUSE_COUNT },
};

static void test_every_value_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (unsigned int i = 0; i < tables[t].count; i++) {
			assert_non_null(tables[t].name(i));
			assert_int_equal(tables[t].value(tables[t].name(i)), i);
			for (unsigned int j = 0; j < i; j++)
				assert_string_not_equal(tables[t].name(i), tables[t].name(j));
		}
		assert_string_equal(tables[t].name(tables[t].count), "unknown");
		assert_string_equal(tables[t].name(~0U), "unknown");
		if (tables[t].name != class_name) /* of which it is one */
			assert_int_equal(tables[t].value("unknown"), -EINVAL);
		assert_int_equal(tables[t].value(""), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_of_the_contract),
		cmocka_unit_test(test_every_value_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
