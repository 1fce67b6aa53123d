/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Outcomes, transitions, time and orders, up to what an operator is shown of them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/names.h"
#include "unit/modules/modules_rig.h"

/* Every second call fails: no streak, but a rate. */
static void alternate(const char *name, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		fake_failures(rig.d.dp, id_of(name), 1);
		fake_successes(rig.d.dp, id_of(name), 1);
	}
	rig_pass(&rig);
}

static void test_streak(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(kernel("b")->kernel.breaker.next_open_ns, SECONDS(30));
	open_up("b");
	assert_int_equal(kernel("b")->kernel.breaker.state, SG_OPEN);
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_OPEN);
	assert_int_equal(rig_events(&rig, "\"event\":\"transition\"", NULL), 1);
	assert_int_equal(rig_events(&rig, "\"to\":\"open\"", "\"reason\":\"consecutive\""), 1);
	assert_int_equal(fake_log_said("b: closed -> open (consecutive), for 30"), 1);
	/* the next opening is longer, and the kernel knows already */
	assert_int_equal(kernel("b")->kernel.breaker.next_open_ns, SECONDS(60));
	assert_true(rig_metric(&rig, "switchgear_transitions_total{server=\"b\"} 1"));
	assert_true(rig_metric(&rig, "switchgear_circuit_state{server=\"b\",state=\"open\"} 1"));
	assert_true(rig_metric(&rig, "switchgear_circuit_state{server=\"b\",state=\"closed\"} 0"));
}

static void test_rate(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	alternate("b", 4);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_TRIP, 0), 0);
	alternate("b", 1);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_TRIP, id_of("b")), 1);
	assert_int_equal(kernel("b")->kernel.breaker.state, SG_OPEN);
	rig_turn(&rig); /* its transition comes by the ring */
	assert_int_equal(rig_events(&rig, "\"to\":\"open\"", "\"reason\":\"failure_rate\""), 1);
	assert_int_equal(rig_events(&rig, "\"failure_rate\":0.5", NULL), 1);
}

static void test_due(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	open_up("b");
	rig_advance(&rig, SECONDS(29));
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_OPEN);
	rig_advance(&rig, SECONDS(1));
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_HALF_OPEN);
	assert_int_equal(rig_events(&rig, "\"to\":\"half_open\"", "\"reason\":\"deadline\""), 1);
}

/* A closed breaker forgives a trip by time alone: the kernel is told. */
static void test_decay(void **state)
{
	(void)state;
	rig_start(&rig, "{" EXACT "\"mcpServers\":{\"c\":{\"url\":\"https://127.0.0.1:3/\","
			"\"ramp_seconds\":0,\"half_open_probes\":1}}}");
	open_up("c");
	rig_advance(&rig, SECONDS(30));
	fake_order(rig.d.dp, id_of("c"), SG_FORCED_CLOSED, clock_boot_ns() + SECONDS(1));
	rig_pass(&rig);
	rig_advance(&rig, SECONDS(1)); /* closed */
	assert_int_equal(rig_server(&rig, "c")->breaker.state, SG_CLOSED);
	assert_int_equal(kernel("c")->kernel.breaker.next_open_ns, SECONDS(60));
	rig_advance(&rig, SECONDS(60));
	assert_int_equal(kernel("c")->kernel.breaker.next_open_ns, SECONDS(30));
}

static void test_restart_and_reboot(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	open_up("b");
	rig_advance(&rig, SECONDS(10));
	rig_restart(&rig, SERVERS(B));
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_OPEN);
	assert_int_equal(rig_server(&rig, "b")->wanted.next_open_ns, SECONDS(60));
	fake_clock_advance(SECONDS(5));
	rig_reboot(&rig, SERVERS(B));
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_OPEN);
	assert_int_equal(rig_server(&rig, "b")->breaker.deadline_ns, clock_boot_ns() + SECONDS(15));
	assert_int_equal(kernel("b")->kernel.breaker.next_open_ns, SECONDS(60));
	assert_int_equal(rig_events(&rig, "transition", NULL), 0); /* a restore reports nothing */
}

static void test_policy_of_a_reload(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	rig_reload(&rig, SERVERS("\"b\":{\"url\":\"https://127.0.0.1:2/mcp\",\"open_seconds\":7}"));
	assert_int_equal(kernel("b")->kernel.breaker.next_open_ns, SECONDS(7));
	open_up("b");
	assert_int_equal(rig_server(&rig, "b")->breaker.deadline_ns, clock_boot_ns() + SECONDS(7));
}

static void test_usual_latency(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	assert_true(kernel("b")->kernel.policy.slow_ns == SG_FOREVER); /* nothing is usual yet */
	fake_successes(rig.d.dp, id_of("b"), 40);
	rig_pass(&rig);
	assert_int_equal(kernel("b")->kernel.policy.slow_ns, SECONDS(1)); /* far above usual */
	fake_forget_calls(rig.d.dp);
	fake_successes(rig.d.dp, id_of("b"), 40);
	rig_pass(&rig);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 0);
}

/* Thirty good calls of eleven seconds, from the first one on; then ten times as long. */
static void test_as_fast_as_ever(void **state)
{
	const struct fake_ended usual = { .outcome = SG_SUCCESS, .latency_ns = SECONDS(11) };
	const struct fake_ended slow = { .outcome = SG_SUCCESS, .latency_ns = SECONDS(110) };

	(void)state;
	rig_start(&rig, SERVERS(B));
	for (int i = 0; i < 30; i++)
		fake_end(rig.d.dp, id_of("b"), &usual);
	rig_pass(&rig);
	assert_int_equal(fake_commands(rig.d.dp, SG_CMD_TRIP, 0), 0);
	for (int i = 0; i < 130; i++)
		fake_end(rig.d.dp, id_of("b"), &slow);
	rig_pass(&rig);
	rig_turn(&rig);
	assert_int_equal(rig_events(&rig, "\"to\":\"open\"", "\"reason\":\"slow_rate\""), 1);
}

static void test_orders(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(rig_ask(&rig, "POST", "/v1/servers/b/trip", "{\"for\":\"1m\"}", &a), 200);
	assert_string_equal(a.body, "{\"server\":\"b\",\"state\":\"forced_open\"}");
	rig_answer_done(&a);
	assert_int_equal(kernel("b")->kernel.breaker.order_until_ns, clock_boot_ns() + SECONDS(60));
	assert_int_equal(rig_events(&rig, "\"to\":\"forced_open\"", "\"reason\":\"manual\""), 1);
	rig_advance(&rig, SECONDS(60));
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_HALF_OPEN);
	assert_int_equal(rig_order(&rig, "b", "reset", NULL), 200);
	assert_int_equal(rig_server(&rig, "b")->breaker.state, SG_CLOSED);
	assert_int_equal(rig_order(&rig, "b", "force", "{\"to\":\"shadow\"}"), 200);
	assert_int_equal(rig_server(&rig, "b")->breaker.shadow, 1);
	assert_int_equal(rig_order(&rig, "b", "force", "{\"to\":\"sideways\"}"), 400);
	assert_int_equal(rig_order(&rig, "b", "trip", "{\"foo\":1}"), 400);
	fake_fail(rig.d.dp, FAKE_COMMAND, 1, 1, EIO);
	assert_int_equal(rig_order(&rig, "b", "trip", NULL), 500);
	assert_int_equal(kernel("a")->kernel.breaker.state, SG_CLOSED);
}

/* A reset of what is closed is no transition, and empties the windows all the same. */
static void test_reset_of_a_closed_one(void **state)
{
	size_t before;

	(void)state;
	rig_start(&rig, SERVERS(B));
	alternate("b", 4);
	before = rig_events(&rig, "transition", NULL);
	assert_int_equal(rig_order(&rig, "b", "reset", "{\"reason\":\"new release\"}"), 200);
	assert_int_equal(rig_events(&rig, "transition", NULL), before);
	assert_int_equal(rig_events(&rig, "\"event\":\"reset\",\"by\":\"root (uid 0), pid ",
				    "\"text\":\"new release\"}"),
			 1);
	assert_int_equal(fake_log_said("b: history forgotten, by root (uid 0), pid"), 1);
	alternate("b", 4);
	assert_int_equal(kernel("b")->kernel.breaker.state, SG_CLOSED);
	alternate("b", 1);
	assert_int_equal(kernel("b")->kernel.breaker.state, SG_OPEN);
}

static bool has_nothing_to_reset(const char *name)
{
	uint32_t generation = kernel(name)->kernel.breaker.generation;
	char path[64];
	struct rig_answer a;
	bool said;

	snprintf(path, sizeof(path), "/v1/servers/%s/reset", name);
	assert_int_equal(rig_ask(&rig, "POST", path, NULL, &a), 200);
	said = strstr(a.body, "\"unchanged\":true") != NULL;
	/* then nothing has changed in the kernel, nor is anything told */
	assert_int_equal(said, kernel(name)->kernel.breaker.generation == generation);
	rig_answer_done(&a);
	return said;
}

static void test_nothing_to_reset(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_true(has_nothing_to_reset("b"));
	assert_int_equal(rig_events(&rig, "reset", NULL), 0);
	fake_failures(rig.d.dp, id_of("b"), 1);
	rig_restart(&rig, SERVERS(A "," B));
	assert_false(has_nothing_to_reset("b")); /* a streak, that the kernel alone remembers */
	assert_true(has_nothing_to_reset("b"));
	fake_successes(rig.d.dp, id_of("b"), 1);
	assert_false(has_nothing_to_reset("b")); /* a window, reported in this moment */
	assert_true(has_nothing_to_reset("b"));
	open_up("b");
	assert_false(has_nothing_to_reset("b"));
	assert_true(has_nothing_to_reset("b"));
	assert_int_equal(rig_order(&rig, "b", "force", "{\"to\":\"shadow\"}"), 200);
	assert_false(has_nothing_to_reset("b"));
	assert_true(has_nothing_to_reset("b"));
	assert_int_equal(rig_order(&rig, "b", "trip", "{\"for\":1}"), 200);
	rig_advance(&rig, SECONDS(1)); /* half-open */
	assert_false(has_nothing_to_reset("b"));
	assert_int_equal(rig_order(&rig, "b", "reset", "{\"for\":1}"), 400);
}

/* The order in force on b: "STATE REASON BY", by cut off behind the user; "": none. */
static const char *order_of_b(void)
{
	static char text[512];
	struct status s;
	const struct status_server *b;

	rig_status(&rig, &s);
	b = &s.servers[1];
	text[0] = '\0';
	if (b->ordered)
		snprintf(text, sizeof(text), "%s \"%s\" %.*s", state_name(b->order_state),
			 b->order.reason, (int)strcspn(b->order.by, ","), b->order.by);
	status_done(&s);
	return text;
}

static void test_authors(void **state)
{
	char by[160];
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "");
	assert_int_equal(rig_order(&rig, "b", "trip", "{\"for\":\"1m\",\"reason\":\"deploy\"}"),
			 200);
	assert_string_equal(order_of_b(), "forced_open \"deploy\" root (uid 0)");
	rig_status(&rig, &s);
	snprintf(by, sizeof(by), "root (uid 0), pid %d (test_breaker)", (int)getpid());
	assert_string_equal(s.servers[1].order.by, by);
	assert_int_equal(s.servers[1].order.since_wall_ns, clock_wall_ns());
	assert_int_equal(s.servers[1].order.until_wall_ns, clock_wall_ns() + SECONDS(60));
	assert_false(s.servers[0].ordered);
	status_done(&s);
	snprintf(by, sizeof(by),
		 "\"by\":\"root (uid 0), pid %d (test_breaker)\",\"text\":\"deploy\"",
		 (int)getpid());
	assert_int_equal(rig_events(&rig, "\"to\":\"forced_open\"", by), 1);
	assert_int_equal(fake_log_said("forced_open (manual), for 1m, by root (uid 0), pid"), 1);
	rig_advance(&rig, SECONDS(60)); /* it ends, and nobody ordered that */
	assert_string_equal(order_of_b(), "");
	assert_int_equal(rig_events(&rig, "\"reason\":\"force_expired\"", "\"by\""), 0);
	assert_int_equal(rig_events(&rig, "\"reason\":\"force_expired\"", NULL), 1);
	assert_int_equal(rig_order(&rig, "b", "reset", "{\"reason\":\"well\"}"), 200);
	assert_int_equal(rig_events(&rig, "\"reason\":\"reset\"", "\"text\":\"well\""), 1);
	assert_int_equal(rig_order(&rig, "b", "force", "{\"to\":\"closed\"}"), 200);
	assert_string_equal(order_of_b(), "forced_closed \"\" root (uid 0)");
	fake_order(rig.d.dp, id_of("b"), SG_DISABLED, SG_FOREVER);
	rig_pass(&rig);
	assert_string_equal(order_of_b(), "disabled \"\" another program");
	open_up("a"); /* nobody's order */
	assert_int_equal(rig_events(&rig, "\"server\":\"a\"", "\"by\""), 0);
}

static void test_authors_over_restart_and_reboot(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(rig_order(&rig, "b", "force", "{\"to\":\"shadow\",\"reason\":\"trial\"}"),
			 200);
	open_up("b"); /* in the shadow */
	rig_restart(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "shadow \"trial\" root (uid 0)");
	rig_reboot(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "shadow \"trial\" root (uid 0)");
	assert_int_equal(rig_order(&rig, "b", "trip", "{\"reason\":\"worse\",\"for\":60}"), 200);
	rig_restart(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "forced_open \"worse\" root (uid 0)");
	rig_reboot(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "forced_open \"worse\" root (uid 0)");
	rig_advance(&rig, SECONDS(60));
	assert_string_equal(order_of_b(), "");
	rig_restart(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "");
	/* another one, while no daemon ran */
	assert_int_equal(rig_order(&rig, "b", "trip", "{\"reason\":\"first\"}"), 200);
	rig_end(&rig);
	fake_order(rig.d.dp, fake_id(rig.d.dp, "b"), SG_FORCED_OPEN, SG_FOREVER);
	rig_start(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "forced_open \"\" another program");
	/* and nobody hears of that */
	assert_int_equal(rig_order(&rig, "b", "trip", "{\"reason\":\"second\"}"), 200);
	rig_end(&rig);
	rig.d.dp->ring_full = true;
	fake_order(rig.d.dp, fake_id(rig.d.dp, "b"), SG_FORCED_OPEN, SG_FOREVER);
	rig.d.dp->ring_full = false;
	rig_start(&rig, SERVERS(A "," B));
	assert_string_equal(order_of_b(), "forced_open \"\" unknown");
}

/* The transition was lost with the ring: told once, and not again when it comes. */
static void test_lost_transition(void **state)
{
	struct sg_event late = { .type = SG_EV_TRANSITION };

	(void)state;
	rig_start(&rig, SERVERS(B));
	rig.d.dp->ring_full = true;
	open_up("b");
	late.server = id_of("b");
	late.move = kernel("b")->kernel.breaker.last;
	assert_int_equal(rig_events(&rig, "\"to\":\"open\"", NULL), 1);
	assert_int_equal(rig_events(&rig, "\"event\":\"loss\"", "\"count\":6"), 1);
	assert_int_equal(kernel("b")->kernel.breaker.next_open_ns, SECONDS(60));
	rig.d.dp->ring_full = false;
	fake_push(rig.d.dp, &late);
	rig_pass(&rig);
	assert_int_equal(rig_events(&rig, "\"to\":\"open\"", NULL), 1);
	assert_int_equal(kernel("b")->kernel.breaker.next_open_ns, SECONDS(60));
}

static void test_shown(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	fake_failures(rig.d.dp, id_of("a"), 2);
	open_up("b");
	rig_advance(&rig, SECONDS(12));
	rig_status(&rig, &s);
	assert_int_equal(s.servers[0].breaker.consecutive_failures, 2);
	assert_int_equal(s.servers[0].breaker.open_remaining_ns, 0);
	assert_int_equal(s.servers[0].verdict, VERDICT_ALLOW);
	assert_int_equal(s.servers[1].state, SG_OPEN);
	assert_int_equal(s.servers[1].verdict, VERDICT_REFUSE);
	assert_int_equal(s.servers[1].breaker.open_remaining_ns, SECONDS(18));
	status_done(&s);
	assert_int_equal(rig_order(&rig, "b", "trip", NULL), 200);
	rig_status(&rig, &s);
	assert_int_equal(s.servers[1].breaker.open_remaining_ns, STATUS_NEVER);
	status_done(&s);
	dataplane_observe(rig.d.dp, true);
	rig_status(&rig, &s);
	assert_int_equal(s.servers[1].verdict, VERDICT_ALLOW);
	status_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_streak),
		TEST(test_rate),
		TEST(test_due),
		TEST(test_decay),
		TEST(test_restart_and_reboot),
		TEST(test_policy_of_a_reload),
		TEST(test_usual_latency),
		TEST(test_as_fast_as_ever),
		TEST(test_orders),
		TEST(test_reset_of_a_closed_one),
		TEST(test_nothing_to_reset),
		TEST(test_authors),
		TEST(test_authors_over_restart_and_reboot),
		TEST(test_lost_transition),
		TEST(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
