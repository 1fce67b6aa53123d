/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The bypass: that it is limited, ends by itself, is said loudly, and outlives its daemon. */
#include <string.h>

#include "unit/modules/modules_rig.h"

static unsigned int bypass(const char *body)
{
	struct rig_answer a;
	unsigned int status = rig_ask(&rig, "POST", "/v1/bypass", body, &a);

	rig_answer_done(&a);
	return status;
}

static bool is_on(void)
{
	struct status s;
	bool on;

	rig_status(&rig, &s);
	on = s.bypassed;
	status_done(&s);
	return on;
}

static void test_it_must_be_limited(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_int_equal(bypass("{}"), 400);
	assert_int_equal(bypass("{\"on\":true}"), 400);
	assert_int_equal(bypass("{\"on\":true,\"for\":\"25h\"}"), 400);
	assert_int_equal(bypass("{\"on\":\"yes\",\"for\":\"1h\"}"), 400);
	assert_false(is_on());
	assert_int_equal(bypass("{\"on\":true,\"for\":\"24h\"}"), 200);
	assert_true(is_on());
}

static void test_it_is_for_those_who_may_change(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	rig_client(RIG_NOBODY, RIG_NOBODY);
	assert_int_equal(bypass("{\"on\":true,\"for\":\"1h\"}"), 403);
	assert_int_equal(dataplane_bypass_until(rig.d.dp), 0);
}

static void test_it_is_said_loudly_and_ends_by_itself(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_true(rig_metric(&rig, "switchgear_bypass 0"));
	assert_int_equal(bypass("{\"on\":true,\"for\":\"10m\",\"reason\":\"fire\"}"), 200);
	assert_true(dataplane_lets_pass(rig.d.dp));
	rig_status(&rig, &s);
	assert_string_equal(s.bypass.reason, "fire");
	assert_non_null(strstr(s.bypass.by, "root"));
	assert_false(s.observe);
	status_done(&s);
	assert_true(rig_degraded(&rig, "NOTHING IS REFUSED until"));
	assert_true(rig_metric(&rig, "switchgear_bypass 1"));
	assert_int_equal(rig_events(&rig, "\"bypass\"", "\"on\":true"), 1);
	fake_log_forget();
	rig_advance(&rig, SECONDS(61));
	assert_int_equal(fake_log_said("NOTHING IS REFUSED for another"), 1);
	rig_advance(&rig, SECONDS(61));
	assert_int_equal(fake_log_said("NOTHING IS REFUSED for another"), 2);
	rig_advance(&rig, SECONDS(600));
	rig_advance(&rig, SECONDS(1));
	assert_false(is_on());
	assert_int_equal(rig_events(&rig, "\"on\":false", "its time is over"), 1);
	assert_false(rig_degraded(&rig, "NOTHING IS REFUSED"));
}

static void test_it_is_turned_off(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_int_equal(bypass("{\"on\":true,\"for\":\"10m\"}"), 200);
	assert_int_equal(bypass("{\"on\":false,\"reason\":\"over\"}"), 200);
	assert_false(is_on());
	assert_int_equal(rig.d.dp->bypass_ns, 0);
	assert_int_equal(rig_events(&rig, "\"on\":false", "over"), 1);
	assert_int_equal(bypass("{\"on\":false}"), 200); /* it was off */
	assert_int_equal(rig_events(&rig, "\"on\":false", NULL), 1);
}

static void test_the_next_daemon_knows_of_it(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_int_equal(bypass("{\"on\":true,\"for\":\"10m\"}"), 200);
	rig_restart(&rig, SERVERS(A));
	assert_true(is_on());
	assert_true(rig_degraded(&rig, "by unknown"));
}

static void test_others_may_write_the_map(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A));
	dataplane_bypass(rig.d.dp, clock_boot_ns() + SECONDS(30));
	rig_advance(&rig, SECONDS(1));
	assert_true(rig_degraded(&rig, "by another program"));
	dataplane_bypass(rig.d.dp, 0);
	rig_advance(&rig, SECONDS(1));
	assert_int_equal(rig_events(&rig, "\"on\":false", "taken out"), 1);
}

/* What is denied during it is left alone: nothing is killed, and the quarantine stays an order. */
static void test_quarantines_wait(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(A));
	assert_int_equal(bypass("{\"on\":true,\"for\":\"10m\"}"), 200);
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"x\"}"), 200);
	rig_status(&rig, &s);
	assert_true(s.servers[0].quarantined);
	assert_int_equal(s.servers[0].verdict, VERDICT_ALLOW);
	status_done(&s);
	assert_int_equal(bypass("{\"on\":false}"), 200);
	rig_status(&rig, &s);
	assert_int_equal(s.servers[0].verdict, VERDICT_REFUSE);
	status_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_must_be_limited),
		TEST(test_it_is_for_those_who_may_change),
		TEST(test_it_is_said_loudly_and_ends_by_itself),
		TEST(test_it_is_turned_off),
		TEST(test_the_next_daemon_knows_of_it),
		TEST(test_others_may_write_the_map),
		TEST(test_quarantines_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
