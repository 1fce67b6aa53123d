/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/event.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "unit/unit.h"

static void test_names(void **state)
{
	static const char *const names[] = {
		"call",   "transition",   "quarantine", "release",  "kill",
		"alarm",  "loss",         "reload",     "selftest", "one_client",
		"reset",  "host_offline", "denial",     "finding",  "tools",
		"bypass", "isolation",    "capture",    "fallback"
	};

	(void)state;
	for (unsigned int i = 0; i < EVENT_TYPE_COUNT; i++) {
		assert_string_equal(event_type_name(i), names[i]);
		assert_int_equal(event_type_from_name(names[i]), i);
	}
	assert_string_equal(event_type_name(EVENT_TYPE_COUNT), "unknown");
	assert_int_equal(event_type_from_name("Call"), -EINVAL);
}

static void test_init(void **state)
{
	struct event e;

	(void)state;
	memset(&e, 0xff, sizeof(e));
	event_init(&e, EVENT_KILL);
	assert_int_equal(e.type, EVENT_KILL);
	assert_true(isnan(e.failure_rate) && isnan(e.slow_rate));
	assert_true(e.until_wall_ns == STATUS_NEVER);
	assert_int_equal(e.wall_ns, 0);
	assert_int_equal(e.survivors, 0);
	assert_string_equal(e.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
