/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "daemon/app.h"
#include "unit/unit.h"

static void test_kill_is_noted(void **state)
{
	struct app_server s = { .kill_counted = false };
	struct app_kill kill = { .killed = 3, .survivors = 2 };

	(void)state;
	app_kill_note(&s, &kill, 0);
	assert_true(s.kill_counted);
	assert_int_equal(s.kill_survivors, 2);
	assert_int_equal(s.kills_unproved, 0);
	/* The number that was reached before the error is not the number of survivors. */
	app_kill_note(&s, &kill, -ENOMEM);
	assert_false(s.kill_counted);
	assert_int_equal(s.kills_unproved, 1);
	kill.survivors = STATUS_UNKNOWN;
	app_kill_note(&s, &kill, 0);
	assert_false(s.kill_counted);
	assert_int_equal(s.kills_unproved, 2);
	kill.survivors = 0;
	app_kill_note(&s, &kill, 0);
	assert_true(s.kill_counted);
	assert_int_equal(s.kill_survivors, 0);
	assert_int_equal(s.kills_unproved, 2);
}

static void test_kill_in_an_event(void **state)
{
	const struct app_kill kill = { .killed = 3, .survivors = 0, .busy = 1 };
	struct event e;

	(void)state;
	app_event_init(&e, EVENT_KILL, "a");
	app_event_killed(&e, &kill, 0);
	assert_int_equal(e.killed, 3);
	assert_int_equal(e.survivors, 0);
	assert_int_equal(e.busy, 1);
	assert_string_equal(e.error, "");
	app_event_killed(&e, &kill, -ENOMEM);
	assert_int_equal(e.killed, 3);
	assert_int_equal(e.survivors, STATUS_UNKNOWN);
	assert_int_equal(e.busy, STATUS_UNKNOWN);
	assert_string_equal(e.error, strerror(ENOMEM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill_is_noted),
		cmocka_unit_test(test_kill_in_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
