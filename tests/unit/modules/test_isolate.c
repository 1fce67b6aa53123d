/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Isolation as the daemon orders, tells and ends it; what it is is tried in tests/bpf/. */
#include <string.h>

#include "codec/messages.h"
#include "unit/modules/modules_rig.h"

#define LOCAL                                                                           \
	"{\"isolation\":{\"allow\":[\"10.0.0.5\"]},\"mcpServers\":{\"a\":{\"url\":"     \
	"\"http://127.0.0.1:1/mcp\",\"local\":{\"unit\":\"a.service\"},\"isolation\":{" \
	"\"allow\":[\"192.0.2.0/24:514\"]}}," B "}}"

/* What the next orders about "a" come to. */
static void comes_to(enum isolate_state state, const char *why)
{
	struct isolate_result *r = &kernel("a")->isolate;

	*r = (struct isolate_result){ .state = state, .processes = 2, .cut = 3 };
	snprintf(r->cgroup, sizeof(r->cgroup), "/fake/77");
	snprintf(r->why, sizeof(r->why), "%s", why);
}

static void quarantine(const char *body, struct reply_kill *ret)
{
	struct rig_answer a;

	assert_int_equal(rig_ask(&rig, "POST", "/v1/servers/a/quarantine", body, &a), 200);
	assert_int_equal(reply_kill_decode(a.body, strlen(a.body), ret), 0);
	rig_answer_done(&a);
}

static void status_of_a(struct status_server *ret)
{
	struct rig_answer a;

	assert_int_equal(rig_ask(&rig, "GET", "/v1/servers/a", NULL, &a), 200);
	assert_int_equal(status_server_decode(a.body, strlen(a.body), ret), 0);
	rig_answer_done(&a);
}

static void test_the_answer_says_what_became_of_it(void **state)
{
	struct status_server s;
	struct reply_kill k;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_DONE, "");
	quarantine("{\"reason\":\"case 17\",\"freeze\":true}", &k);
	assert_true(k.has_isolation);
	assert_string_equal(k.isolation.state, "isolated");
	assert_string_equal(k.isolation.cgroup, "/fake/77");
	assert_int_equal(k.isolation.cut, 3);
	assert_true(k.isolation.frozen);
	assert_false(k.isolation.forced);
	status_of_a(&s);
	assert_true(s.has_isolation);
	assert_string_equal(s.isolation.state, "isolated");
	assert_non_null(strstr(s.isolation.not_cut, "packet sockets"));
	status_server_done(&s);
	assert_int_equal(rig_events(&rig, "\"isolation\"", "case 17"), 1);
	assert_int_equal(rig_events(&rig, "\"isolation\"", "\"frozen\":true"), 1);
	assert_int_equal(rig_events(&rig, "\"isolation\"", "root"), 1);
	assert_true(rig_metric(&rig, "switchgear_isolated{server=\"a\"} 1"));
	assert_true(rig_metric(&rig, "switchgear_isolated{server=\"b\"} 0"));
}

static void test_what_is_asked_of_the_kernel(void **state)
{
	const struct isolate_order *o;
	struct reply_kill k;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_DONE, "");
	quarantine("{\"reason\":\"x\",\"force\":true}", &k);
	o = &kernel("a")->isolate_order;
	assert_true(o->force);
	assert_false(o->freeze || o->again);
	assert_string_equal(o->ask.unit, "a.service");
	assert_int_equal(o->ask.n_addrs, 1);
	assert_int_equal(o->ask.port, 1);
	assert_int_equal(o->n_allow, 2);
	assert_int_equal(o->allow[0].len, 128);
	assert_int_equal(o->allow[1].len, 120);
	assert_int_equal(o->allow[1].port, 514);
}

static void test_a_refusal_is_told_once(void **state)
{
	struct reply_kill k;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_REFUSED, "others are in it: bash (pid 4711)");
	quarantine("{\"reason\":\"x\"}", &k);
	assert_string_equal(k.isolation.state, "refused");
	assert_non_null(strstr(k.isolation.why, "bash (pid 4711)"));
	rig_advance(&rig, SECONDS(6));
	rig_advance(&rig, SECONDS(6));
	assert_true(kernel("a")->isolate_orders >= 3);
	assert_true(kernel("a")->isolate_order.again);
	assert_int_equal(rig_events(&rig, "\"isolation\"", "refused"), 1);
	/* the others went: it is isolated at the next look, which is told */
	comes_to(ISOLATE_DONE, "");
	rig_advance(&rig, SECONDS(6));
	assert_int_equal(rig_events(&rig, "\"isolation\"", "isolated"), 1);
}

static void test_of_a_server_elsewhere_nothing_is_said(void **state)
{
	struct status_server s;
	struct reply_kill k;

	(void)state;
	rig_start(&rig, SERVERS(A));
	quarantine("{\"reason\":\"x\"}", &k);
	assert_false(k.has_isolation);
	status_of_a(&s);
	assert_false(s.has_isolation);
	status_server_done(&s);
	assert_int_equal(rig_events(&rig, "\"isolation\"", NULL), 0);
	rig_advance(&rig, SECONDS(6)); /* nor is it looked for all the time */
	assert_int_equal(kernel("a")->isolate_orders, 1);
}

static void test_release_undoes_it(void **state)
{
	struct reply_kill k;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_DONE, "");
	quarantine("{\"reason\":\"x\",\"freeze\":true}", &k);
	assert_int_equal(kernel("a")->isolation.cgroup, 77);
	assert_int_equal(rig_order(&rig, "a", "release", NULL), 200);
	assert_int_equal(kernel("a")->isolation.cgroup, 0);
	assert_int_equal(rig_events(&rig, "\"isolation\"", "released"), 1);
	rig_advance(&rig, SECONDS(12));
	assert_int_equal(kernel("a")->isolation.cgroup, 0);
}

static void test_its_time_undoes_it(void **state)
{
	struct reply_kill k;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_DONE, "");
	quarantine("{\"reason\":\"x\",\"for\":30}", &k);
	rig_advance(&rig, SECONDS(31));
	assert_int_equal(kernel("a")->isolation.cgroup, 0);
}

static void test_the_next_daemon_keeps_it(void **state)
{
	struct status_server s;
	struct reply_kill k;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_DONE, "");
	quarantine("{\"reason\":\"x\",\"freeze\":true}", &k);
	rig_end(&rig);
	assert_int_equal(rig.d.dp->servers[fake_id(rig.d.dp, "a")].isolation.cgroup, 77);
	rig.d.dp->taken_over = true;
	rig_start(&rig, LOCAL);
	status_of_a(&s);
	assert_string_equal(s.isolation.state, "isolated");
	assert_true(s.isolation.frozen);
	status_server_done(&s);
	rig_turn(&rig);
	assert_false(kernel("a")->isolate_order.freeze); /* the kernel's entry says so already */
}

/* Released by hand while no daemon ran: what is left of it goes. */
static void test_what_nobody_holds_is_undone_at_a_start(void **state)
{
	struct reply_kill k;
	uint32_t id;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_DONE, "");
	quarantine("{\"reason\":\"x\"}", &k);
	id = id_of("a");
	rig_end(&rig);
	rig.d.dp->servers[id].quarantine_ns = 0;
	rig.d.dp->taken_over = true;
	rig_start(&rig, LOCAL);
	assert_int_equal(rig.d.dp->servers[id].isolation.cgroup, 0);
}

static void test_where_it_must_be_asked_for(void **state)
{
	static const char text[] = "{\"isolation\":{\"when\":\"asked\"},\"mcpServers\":{" A "}}";
	struct reply_kill k;

	(void)state;
	rig_start(&rig, text);
	comes_to(ISOLATE_DONE, "");
	quarantine("{\"reason\":\"x\"}", &k);
	assert_false(k.has_isolation);
	rig_advance(&rig, SECONDS(12));
	assert_int_equal(kernel("a")->isolate_orders, 0);
	quarantine("{\"reason\":\"x\",\"freeze\":true}", &k);
	assert_string_equal(k.isolation.state, "isolated");
	rig_advance(&rig, SECONDS(6)); /* and is looked after from then on */
	assert_true(kernel("a")->isolate_order.again);
	rig_restart(&rig, text);
	assert_int_equal(kernel("a")->isolation.cgroup, 77);
}

static void test_who_only_observes_isolates_nobody(void **state)
{
	struct reply_kill k;

	(void)state;
	rig_start(&rig, LOCAL);
	comes_to(ISOLATE_DONE, "");
	dataplane_observe(rig.d.dp, true);
	quarantine("{\"reason\":\"x\"}", &k);
	assert_false(k.has_isolation);
	rig_advance(&rig, SECONDS(12));
	assert_int_equal(kernel("a")->isolate_orders, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_answer_says_what_became_of_it),
		TEST(test_what_is_asked_of_the_kernel),
		TEST(test_a_refusal_is_told_once),
		TEST(test_of_a_server_elsewhere_nothing_is_said),
		TEST(test_release_undoes_it),
		TEST(test_its_time_undoes_it),
		TEST(test_the_next_daemon_keeps_it),
		TEST(test_what_nobody_holds_is_undone_at_a_start),
		TEST(test_where_it_must_be_asked_for),
		TEST(test_who_only_observes_isolates_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
