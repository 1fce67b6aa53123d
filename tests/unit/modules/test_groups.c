/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Limits across servers: groups, the blast limit, and alarms about who is held. */
#include <errno.h>
#include <string.h>

#include "unit/modules/modules_rig.h"

#define IN(name, port, group) \
	"\"" name "\":{\"url\":\"https://127.0.0.1:" port "/\",\"group\":\"" group "\"}"
#define X IN("x", "11", "g")
#define Y IN("y", "12", "g")
#define Z IN("z", "13", "g")

static uint32_t limit(const char *name)
{
	return rig.d.dp->groups[id_of(name)].limit;
}

static uint32_t group(const char *name)
{
	return kernel(name)->kernel.group;
}

static void test_formed(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(A "," X "," Y "," Z));
	assert_int_equal(group("a"), 0);
	assert_int_equal(group("x"), id_of("x"));
	assert_int_equal(group("y"), id_of("x"));
	assert_int_equal(group("z"), id_of("x"));
	assert_int_equal(limit("x"), 2); /* never the last one */
	assert_true(rig_metric(&rig, "switchgear_group_limit{group=\"g\",first=\"x\"} 2"));
	assert_true(rig_metric(&rig, "switchgear_group_open{group=\"g\",first=\"x\"} 0"));
	open_up("y");
	assert_true(rig_metric(&rig, "switchgear_group_open{group=\"g\",first=\"x\"} 1"));
	rig_status(&rig, &s);
	assert_int_equal(s.servers[0].places.members, 0);
	assert_int_equal(s.servers[1].places.members, 3);
	assert_int_equal(s.servers[1].places.open, 1);
	assert_int_equal(s.servers[1].places.limit, 2);
	status_done(&s);
}

/* Nobody of a group may open while its members change: before a server moves into it or
 * out of it, its limit is none. */
static void test_member_comes(void **state)
{
	const struct dataplane *dp = rig.d.dp;
	uint32_t last = SG_UNLIMITED;

	(void)state;
	rig_start(&rig, SERVERS(X "," Y "," IN("z", "13", "other")));
	fake_forget_calls(rig.d.dp);
	rig_reload(&rig, SERVERS(X "," Y "," Z));
	for (size_t i = 0; i < dp->n_calls; i++) {
		const struct fake_call *c = &dp->calls[i];

		if (c->fn == FAKE_GROUP_SET && c->id == id_of("x"))
			last = c->arg;
		if (c->fn == FAKE_SERVER_SET && c->id == id_of("z"))
			assert_int_equal(last, 0);
	}
	assert_int_equal(last, 2);
	assert_int_equal(group("z"), id_of("x"));
}

static void test_members_change(void **state)
{
	const struct dataplane *dp = rig.d.dp;
	bool closed = false;
	bool moved = false;
	uint32_t last = 0;

	(void)state;
	rig_start(&rig, SERVERS(X "," Y "," Z));
	fake_forget_calls(rig.d.dp);
	rig_reload(&rig, SERVERS(X "," Y "," IN("z", "13", "other")));
	for (size_t i = 0; i < dp->n_calls; i++) {
		const struct fake_call *c = &dp->calls[i];

		if (c->fn == FAKE_GROUP_SET && c->id == id_of("x")) {
			closed |= c->arg == 0;
			last = c->arg;
		}
		if (c->fn == FAKE_SERVER_SET && c->id == id_of("z")) {
			assert_true(closed);
			assert_int_equal(last, 0);
			moved = true;
		}
	}
	assert_true(moved);
	assert_int_equal(limit("x"), 1);
	assert_int_equal(group("z"), 0); /* alone */
	fake_forget_calls(rig.d.dp);
	rig_reload(&rig, SERVERS(X "," Y "," IN("z", "13", "other")));
	assert_int_equal(fake_called(rig.d.dp, FAKE_GROUP_SET, id_of("x")), 0);
	assert_int_equal(fake_called(rig.d.dp, FAKE_SERVER_SET, 0), 0);
}

/* The limit follows who is in quarantine: the last usable one stays. */
static void test_quarantine(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(X "," Y "," Z));
	assert_int_equal(rig_order(&rig, "y", "quarantine", "{\"reason\":\"r\"}"), 200);
	assert_int_equal(limit("x"), 1);
	assert_int_equal(rig_order(&rig, "y", "release", NULL), 200);
	assert_int_equal(limit("x"), 2);
}

/* Its rates are well again, too. */
static void recover(const char *name)
{
	fake_successes(rig.d.dp, id_of(name), 100);
	rig_pass(&rig);
	fake_successes(rig.d.dp, id_of(name), 1);
	rig_pass(&rig);
}

static void test_panic(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(X "," Y));
	open_up("x");
	open_up("y");
	assert_int_equal(kernel("y")->kernel.breaker.state, SG_CLOSED);
	assert_int_equal(rig_events(&rig, "alarm", "the last usable server of its group"), 1);
	rig_status(&rig, &s);
	assert_true(s.servers[1].held);
	assert_true(s.servers[1].panic);
	assert_false(s.servers[0].held);
	status_done(&s);
	assert_true(rig_metric(&rig, "switchgear_held{server=\"y\"} 1"));
	assert_true(rig_metric(&rig, "switchgear_panic{server=\"y\"} 1"));
	fake_failures(rig.d.dp, id_of("y"), 50); /* one alarm for all of them */
	rig_pass(&rig);
	rig_advance(&rig, SECONDS(11)); /* held all the time: it is no other burst */
	fake_failures(rig.d.dp, id_of("y"), 5);
	rig_pass(&rig);
	assert_int_equal(rig_events(&rig, "alarm", NULL), 1);
	recover("y");
	assert_true(rig_metric(&rig, "switchgear_held{server=\"y\"} 0"));
	fake_failures(rig.d.dp, id_of("y"), 5); /* so soon it is the same burst */
	rig_pass(&rig);
	assert_int_equal(rig_events(&rig, "alarm", NULL), 1);
	recover("y");
	rig_advance(&rig, SECONDS(11));
	fake_failures(rig.d.dp, id_of("y"), 5);
	rig_pass(&rig);
	assert_int_equal(rig_events(&rig, "alarm", NULL), 2);
	assert_int_equal(rig_order(&rig, "y", "reset", NULL), 200);
	assert_true(rig_metric(&rig, "switchgear_held{server=\"y\"} 0"));
}

/* The same by a rate, which the daemon asks for. */
static void test_held_by_rate(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(X "," Y));
	open_up("x");
	for (int i = 0; i < 6; i++) {
		fake_failures(rig.d.dp, id_of("y"), 1);
		fake_successes(rig.d.dp, id_of("y"), 1);
	}
	rig_pass(&rig);
	assert_int_equal(kernel("y")->kernel.breaker.state, SG_CLOSED);
	assert_int_equal(rig_events(&rig, "alarm", "the last usable server of its group"), 1);
	assert_true(fake_commands(rig.d.dp, SG_CMD_TRIP, id_of("y")) > 0);
}

static void test_limit_that_is_not_written(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(X "," Y "," Z));
	fake_fail(rig.d.dp, FAKE_GROUP_SET, 1, 1, EIO);
	assert_int_equal(rig_order(&rig, "y", "quarantine", "{\"reason\":\"r\"}"), 200);
	assert_int_equal(fake_log_said("the limit of group 2 cannot be written"), 1);
	assert_int_equal(limit("x"), 2);
	open_up("x"); /* the next that happens in it tries again */
	assert_int_equal(limit("x"), 1);
}

/* --- the blast limit ------------------------------------------------------------------------ */

static const char *many(void)
{
	static char text[2048];
	size_t n = (size_t)snprintf(text, sizeof(text), "{" EXACT "\"mcpServers\":{");

	for (int i = 0; i < 10; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%s\"s%d\":{\"url\":\"https://127.0.0.1:%d/\"}", i ? "," : "",
				      i, 20 + i);
	snprintf(text + n, sizeof(text) - n, "}}");
	return text;
}

static void test_blast(void **state)
{
	char name[16];
	size_t open = 0;

	(void)state;
	rig_start(&rig, many());
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].limit, SG_UNLIMITED);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		fake_successes(rig.d.dp, id_of(name), 1);
	}
	rig_pass(&rig);
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].limit, 2);
	assert_true(rig_metric(&rig, "switchgear_blast_limit 2"));
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		fake_failures(rig.d.dp, id_of(name), 5);
		open += kernel(name)->kernel.breaker.state == SG_OPEN;
	}
	rig_pass(&rig);
	assert_int_equal(open, 2);
	assert_int_equal(rig_events(&rig, "alarm", NULL), 1);
	assert_int_equal(rig_events(&rig, "\"server\":null,\"event\":\"alarm\"",
				    "as many servers opened within"),
			 1);
	assert_true(rig_metric(&rig, "switchgear_blast_places 2"));
	assert_true(rig_metric(&rig, "switchgear_held{server=\"s7\"} 1"));
	/* places are taken back when they are old */
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].open, 2);
	rig_advance(&rig, SECONDS(10));
	rig_pass(&rig);
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].open, 0);
	assert_true(rig_metric(&rig, "switchgear_blast_places 0"));
	/* where that fails, the place counts as one that is taken anew */
	fake_failures(rig.d.dp, id_of("s9"), 5);
	rig_pass(&rig);
	rig_advance(&rig, SECONDS(9));
	fake_fail(rig.d.dp, FAKE_GROUP_SET, 1, 1, EIO);
	rig_advance(&rig, SECONDS(1));
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].open, 1);
	rig_advance(&rig, NS_PER_SEC / 10);
	rig_advance(&rig, SECONDS(10));
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].open, 0);
}

/* A daemon that takes over knows who had traffic and who is in which group. */
static void test_takeover(void **state)
{
	char name[16];

	(void)state;
	rig_start(&rig, many());
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		kernel(name)->stats.connects = 1;
	}
	rig_restart(&rig, many());
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].limit, 2);
	rig_restart(&rig, SERVERS(X "," Y));
	assert_int_equal(rig.d.dp->groups[SG_GROUP_ALL].limit, SG_UNLIMITED);
	fake_forget_calls(rig.d.dp);
	rig_restart(&rig, SERVERS(X "," Y));
	for (size_t i = 0; i < rig.d.dp->n_calls; i++) /* nobody is let out in between */
		assert_false(rig.d.dp->calls[i].fn == FAKE_GROUP_SET &&
			     rig.d.dp->calls[i].id == id_of("x") && !rig.d.dp->calls[i].arg);
	assert_int_equal(limit("x"), 1);
	fake_fail(rig.d.dp, FAKE_SERVER_GROUP, 1, 1, EIO);
	rig_restart(&rig, SERVERS(X "," Y));
	assert_int_equal(fake_log_said("\"x\" is not (fully) monitored"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_formed),
		TEST(test_members_change),
		TEST(test_member_comes),
		TEST(test_quarantine),
		TEST(test_panic),
		TEST(test_held_by_rate),
		TEST(test_limit_that_is_not_written),
		TEST(test_blast),
		TEST(test_takeover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
