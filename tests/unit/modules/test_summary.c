/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How calls ended, as `show`, the events and the metrics tell it. */
#include <arpa/inet.h>
#include <string.h>

#include "unit/modules/modules_rig.h"
#include "unit/unit.h"
#include "witness.h"

static struct sg_event outcome(uint8_t class, uint8_t cause)
{
	return (struct sg_event){ .t_ns = clock_boot_ns(),
				  .type = SG_EV_OUTCOME,
				  .server = id_of("a"),
				  .source = SG_SOURCE_USER,
				  .latency_ns = SECONDS(2),
				  .outcome = class,
				  .cause = cause };
}

static void told(const struct sg_event *e)
{
	fake_push(rig.d.dp, e);
	rig_pass(&rig);
}

/* Calls of a class and cause, by the status; of any other server there are none. */
static uint64_t calls(enum sg_class class, enum sg_cause cause)
{
	struct status s;
	uint64_t n = 0;

	rig_status(&rig, &s);
	assert_int_equal(s.servers[1].n_causes, 0);
	for (size_t i = 0; i < s.servers[0].n_causes; i++)
		if (s.servers[0].causes[i].class == class && s.servers[0].causes[i].cause == cause)
			n += s.servers[0].causes[i].calls;
	status_done(&s);
	return n;
}

static uint64_t lost(void)
{
	struct status s;
	uint64_t n;

	rig_status(&rig, &s);
	n = s.servers[0].causes_lost;
	status_done(&s);
	return n;
}

/* A late answer replaces the failure that was counted before it. */
static void test_corrected(void **state)
{
	struct sg_event e;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	e = outcome(SG_HARD, SG_CAUSE_NO_ANSWER);
	told(&e);
	told(&e);
	assert_int_equal(calls(SG_HARD, SG_CAUSE_NO_ANSWER), 2);
	rig_advance(&rig, SECONDS(150));
	e = outcome(SG_SUCCESS, SG_CAUSE_ANSWER);
	e.flags = SG_OUT_LATE;
	e.was_outcome = SG_HARD;
	e.was_cause = SG_CAUSE_NO_ANSWER;
	told(&e);
	assert_int_equal(calls(SG_HARD, SG_CAUSE_NO_ANSWER), 1);
	assert_int_equal(calls(SG_SUCCESS, SG_CAUSE_ANSWER), 1);
	assert_int_equal(rig_events(&rig, "\"cause\":\"answer\"", "\"corrected\":true"), 1);
	assert_int_equal(rig_events(&rig, "\"cause\":\"no_answer\"", "\"corrected\""), 0);
	assert_true(rig_metric(
		&rig,
		"switchgear_causes_total{server=\"a\",class=\"hard\",cause=\"no_answer\"} 2"));
	assert_true(rig_metric(
		&rig,
		"switchgear_causes_corrected_total{server=\"a\",class=\"hard\",cause=\"no_answer\"} 1"));
	rig_advance(&rig, SECONDS(3700));
	assert_int_equal(calls(SG_HARD, SG_CAUSE_NO_ANSWER), 0);
	assert_int_equal(calls(SG_SUCCESS, SG_CAUSE_ANSWER), 0);
	assert_true(rig_metric(
		&rig,
		"switchgear_causes_total{server=\"a\",class=\"success\",cause=\"answer\"} 1"));
}

/* What was lost an hour ago is missing in no sum any more. */
static void test_lost(void **state)
{
	struct sg_event e;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	e = outcome(SG_SUCCESS, SG_CAUSE_ANSWER);
	assert_int_equal(lost(), 0);
	rig.d.dp->ring_full = true;
	told(&e);
	told(&e);
	rig.d.dp->ring_full = false;
	told(&e);
	assert_int_equal(lost(), 2);
	e = outcome(SG_CLASS_COUNT, SG_CAUSE_ANSWER);
	told(&e);
	assert_int_equal(lost(), 3);
	rig_advance(&rig, SECONDS(3700));
	assert_int_equal(lost(), 1);
	rig_restart(&rig, SERVERS(A "," B));
	assert_int_equal(lost(), 0);
}

/* An event has what the kernel knew of the socket, and no key for the rest. */
static void test_whose(void **state)
{
	static const char comm[SG_COMM_LEN] = "sixteen bytes: 0"; /* no NUL */
	struct sg_event e;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	e = outcome(SG_HARD, SG_CAUSE_REFUSED);
	e.source = SG_SOURCE_UNKNOWN;
	told(&e);
	assert_int_equal(rig_events(&rig, "\"cause\":\"refused\"", NULL), 1);
	for (size_t i = 0; i < 5; i++) {
		static const char *const keys[] = { "pid", "comm", "cgroup", "address", "by" };
		char key[16];

		snprintf(key, sizeof(key), "\"%s\":", keys[i]);
		assert_int_equal(rig_events(&rig, "\"cause\":\"refused\"", key), 0);
	}
	e.pid = 4711;
	e.cgroup = 77;
	memcpy(e.comm, comm, sizeof(e.comm));
	e.addr[15] = 1;
	e.port = htons(8080);
	told(&e);
	assert_int_equal(rig_events(&rig, "\"pid\":4711,\"comm\":\"sixteen bytes: \",",
				    "\"cgroup\":\"/fake/77\",\"address\":\"[::1]:8080\""),
			 1);
	e = outcome(SG_HARD, SG_CAUSE_REFUSED);
	e.source = SG_SOURCE_DAEMON;
	told(&e);
	assert_int_equal(rig_events(&rig, "\"by\":\"switchgear\"", NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_corrected), TEST(test_lost),
					    TEST(test_whose) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
