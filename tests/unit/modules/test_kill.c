/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When connections are ended, what is told of it, and quarantines from order to release. */
#include <errno.h>
#include <string.h>

#include "unit/modules/modules_rig.h"

#define AGAIN_NS (60 * NS_PER_MS)
#define SEARCH_NS (20 * NS_PER_MS)
#define LOOK_NS (5 * NS_PER_SEC)
#define GAUGE "switchgear_kill_survivors{server="
#define UNPROVED "switchgear_kills_unproved_total{server="

/* Kills of a server, in order, as letters: Recorded, Denied, Quarantined. */
static const char *kills(const char *name)
{
	static char text[64];
	size_t n = 0;

	for (size_t i = 0; i < rig.d.dp->n_calls && n + 1 < sizeof(text); i++)
		if (rig.d.dp->calls[i].fn == FAKE_KILL && rig.d.dp->calls[i].id == id_of(name))
			text[n++] = "RDQ"[rig.d.dp->calls[i].arg];
	text[n] = '\0';
	return text;
}

static bool quarantined(const char *name)
{
	return server_quarantined(rig_server(&rig, name));
}

/* --- kills ----------------------------------------------------------------------------- */

static void test_at_an_opening(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	fake_forget_calls(rig.d.dp);
	open_up("b");
	assert_string_equal(kills("b"), "D");
	assert_string_equal(kills("a"), "");
	rig_advance(&rig, AGAIN_NS - 1);
	assert_string_equal(kills("b"), "D");
	rig_advance(&rig, 1);
	assert_string_equal(kills("b"), "DD");
	rig_advance(&rig, 10 * AGAIN_NS);
	assert_string_equal(kills("b"), "DD");
	fake_ask_kill(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	assert_string_equal(kills("b"), "DDR"); /* what the kernel asks for has records */
	assert_int_equal(rig_events(&rig, "\"event\":\"kill\"", NULL), 0); /* nothing died */
}

/* Passes in between do not put the second one off, nor does another server's. */
static void test_again_under_load(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	rig_turn(&rig);
	fake_forget_calls(rig.d.dp);
	open_up("b");
	for (uint64_t t = 0; t < AGAIN_NS; t += 10 * NS_PER_MS) {
		if (t == AGAIN_NS / 2)
			open_up("a");
		fake_failures(rig.d.dp, id_of("a"), 1);
		rig_advance(&rig, 10 * NS_PER_MS);
	}
	assert_string_equal(kills("b"), "DD");
	assert_string_equal(kills("a"), "D");
	rig_advance(&rig, AGAIN_NS / 2);
	assert_string_equal(kills("a"), "DD");
}

/* An order may have been taken back before the second pass: unrecorded are not its business. */
static void test_taken_back(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	fake_forget_calls(rig.d.dp);
	assert_int_equal(rig_order(&rig, "b", "trip", NULL), 200);
	assert_string_equal(kills("b"), "D");
	assert_int_equal(rig_order(&rig, "b", "reset", NULL), 200);
	rig_advance(&rig, AGAIN_NS);
	assert_string_equal(kills("b"), "DR");
	/* nothing is denied where everything is only observed */
	dataplane_observe(rig.d.dp, true);
	fake_forget_calls(rig.d.dp);
	open_up("b");
	assert_string_equal(kills("b"), "R");
}

static void test_asked_by_the_kernel(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	fake_forget_calls(rig.d.dp);
	kernel("b")->kill = (struct kill_result){ .killed = 3, .busy = 1 };
	fake_ask_kill(rig.d.dp, id_of("b"));
	fake_ask_kill(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	assert_string_equal(kills("b"), "R"); /* once for all that were asked for */
	assert_int_equal(rig_events(&rig, "\"event\":\"kill\"",
				    "\"killed\":3,\"survivors\":0,"
				    "\"busy\":1"),
			 1);
	assert_int_equal(rig_events(&rig, "alarm", NULL), 0);
	rig_advance(&rig, 2 * AGAIN_NS);
	assert_string_equal(kills("b"), "R");
}

/* Who connects without a record again and again starts no search each time, and each connect
 * is followed by one. */
static void test_search_asked_by_the_kernel(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"test\"}"), 200);
	rig_advance(&rig, 2 * AGAIN_NS);
	fake_forget_calls(rig.d.dp);
	fake_ask_search(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	assert_string_equal(kills("b"), "");
	for (uint64_t t = 0; t < SEARCH_NS; t += SEARCH_NS / 4) {
		fake_ask_search(rig.d.dp, id_of("b"));
		rig_advance(&rig, SEARCH_NS / 4);
	}
	assert_string_equal(kills("b"), "Q");
	fake_ask_search(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	rig_advance(&rig, SEARCH_NS);
	assert_string_equal(kills("b"), "QQ");
	rig_advance(&rig, 10 * SEARCH_NS);
	assert_string_equal(kills("b"), "QQ");
	/* released meanwhile: nobody without a record has to die */
	fake_ask_search(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	assert_int_equal(rig_order(&rig, "b", "release", NULL), 200);
	rig_advance(&rig, SEARCH_NS);
	assert_string_equal(kills("b"), "QQR");
}

static void look(void)
{
	rig_advance(&rig, LOOK_NS);
	rig_turn(&rig); /* it is for a child */
}

/* What is brought in during a quarantine is looked for, of all servers at once. */
static void test_look(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	rig.d.dp->finds_held = true;
	rig_pass(&rig);
	look();
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_LOOK, 0),
			 0); /* nothing is in quarantine */
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"test\"}"), 200);
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"test\"}"), 200);
	rig_advance(&rig, 2 * AGAIN_NS);
	fake_forget_calls(rig.d.dp);
	look();
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_LOOK, 0), 1);
	assert_string_equal(kills("b"), "");
	rig.d.dp->held.n[id_of("b")] = 2;
	kernel("b")->kill = (struct kill_result){ .killed = 2, .searched = true };
	look();
	assert_string_equal(kills("b"), "Q");
	assert_string_equal(kills("a"), "");
	kernel("b")->kill = (struct kill_result){ .survivors = 2, .held = 2, .searched = true };
	look(); /* as many as before, but others */
	assert_string_equal(kills("b"), "QQ");
	kernel("b")->kill = (struct kill_result){ .survivors = 2 };
	fake_ask_kill(rig.d.dp, id_of("b"));
	look(); /* those that could not be killed are no news, whatever else was killed since */
	assert_string_equal(kills("b"), "QQR");
	rig.d.dp->held.n[id_of("b")] = 3;
	look();
	assert_string_equal(kills("b"), "QQRQ");
	fake_fail(rig.d.dp, FAKE_KILL_LOOK, 1, 2, EIO);
	look();
	look();
	assert_int_equal(fake_log_said("cannot look for connections that were brought in"), 1);
	rig.d.dp->held.n[id_of("b")] = 1;
	look();
	assert_string_equal(kills("b"), "QQRQQ");
	dataplane_observe(rig.d.dp, true);
	look();
	fake_forget_calls(rig.d.dp);
	look();
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_LOOK, 0), 0); /* nobody has to die */
	dataplane_observe(rig.d.dp, false);
	assert_int_equal(rig_order(&rig, "a", "release", NULL), 200);
	assert_int_equal(rig_order(&rig, "b", "release", NULL), 200);
	fake_forget_calls(rig.d.dp);
	look();
	look();
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_LOOK, 0), 0);
}

static void test_survivors(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B "," FILES));
	assert_false(rig_metric(&rig, GAUGE "\"b\"} 0")); /* before the first kill */
	assert_true(rig_metric(&rig, UNPROVED "\"b\"} 0"));
	assert_false(rig_metric(&rig, UNPROVED "\"files\"} 0"));
	kernel("b")->kill = (struct kill_result){ .killed = 3, .survivors = 2 };
	fake_ask_kill(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	assert_true(rig_metric(&rig, GAUGE "\"b\"} 2"));
	assert_true(rig_metric(&rig, UNPROVED "\"b\"} 0"));
	assert_int_equal(
		rig_events(&rig, "\"event\":\"alarm\"", "2 connections could not be killed"), 1);
	/* The number that was reached before the error is not the number of survivors. */
	fake_fail(rig.d.dp, FAKE_KILL, 1, 1, ENOMEM);
	fake_ask_kill(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	assert_false(rig_metric(&rig, GAUGE "\"b\"} 2"));
	assert_false(rig_metric(&rig, GAUGE "\"b\"} 0"));
	assert_true(rig_metric(&rig, UNPROVED "\"b\"} 1"));
	assert_int_equal(rig_events(&rig, "\"killed\":3,\"survivors\":null,\"busy\":null",
				    "\"error\":\"Cannot allocate memory\""),
			 1);
	assert_int_equal(rig_events(&rig, "alarm", "nobody could count which"), 1);
	kernel("b")->kill = (struct kill_result){ .killed = 1 };
	fake_ask_kill(rig.d.dp, id_of("b"));
	rig_turn(&rig);
	assert_true(rig_metric(&rig, GAUGE "\"b\"} 0"));
	assert_true(rig_metric(&rig, UNPROVED "\"b\"} 1"));
	assert_true(rig_metric(&rig, UNPROVED "\"a\"} 0"));
	assert_false(rig_metric(&rig, GAUGE "\"a\"} 0"));
}

/* Nothing ends connections to a Unix socket, nor counts them: no kill of them is a number. */
static void test_unix_sockets(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS("\"u\":{\"url\":\"unix:/run/u.sock\"},"
				"\"n\":{\"url\":\"unix:@n\",\"networks\":[\"10.0.0.0/8\"]}"));
	fake_forget_calls(rig.d.dp);
	assert_int_equal(rig_order(&rig, "u", "trip", "{}"), 200);
	rig_advance(&rig, 2 * AGAIN_NS);
	assert_false(rig_metric(&rig, GAUGE "\"u\"} 0"));
	assert_int_equal(
		rig_ask(&rig, "POST", "/v1/servers/u/quarantine", "{\"reason\":\"x\"}", &a), 200);
	assert_non_null(strstr(a.body, "\"killed\":0,\"survivors\":null,\"busy\":null"));
	assert_non_null(strstr(a.body, STATUS_UNIX_UNCOUNTED));
	rig_answer_done(&a);
	rig_advance(&rig, 2 * AGAIN_NS);
	assert_string_equal(kills("u"), "");
	assert_false(rig_metric(&rig, GAUGE "\"u\"} 0"));
	assert_true(rig_metric(&rig, UNPROVED "\"u\"} 1"));
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", "\"survivors\":null"), 1);
	/* those to its networks end, and are what is counted */
	kernel("n")->kill = (struct kill_result){ .killed = 2 };
	assert_int_equal(
		rig_ask(&rig, "POST", "/v1/servers/n/quarantine", "{\"reason\":\"x\"}", &a), 200);
	assert_non_null(strstr(a.body, "\"killed\":2,\"survivors\":null,\"busy\":null"));
	rig_answer_done(&a);
	rig_advance(&rig, 2 * AGAIN_NS);
	assert_string_equal(kills("n"), "QQ");
	assert_false(rig_metric(&rig, GAUGE "\"n\"} 0"));
	assert_int_equal(rig_events(&rig, "\"event\":\"kill\"", "\"survivors\":0"), 0);
}

/* Where connects to them are not seen, orders are refused, and say what is missing. */
static void test_unix_sockets_that_are_not_seen(void **state)
{
	struct rig_answer a;

	(void)state;
	rig.d.dp->unix_refused = true;
	rig_start(&rig, SERVERS("\"u\":{\"url\":\"unix:/run/u.sock\"}"));
	assert_int_equal(
		rig_ask(&rig, "POST", "/v1/servers/u/quarantine", "{\"reason\":\"x\"}", &a), 409);
	assert_non_null(strstr(a.body, "at a Unix socket"));
	assert_non_null(strstr(a.body, "Linux 6.7"));
	rig_answer_done(&a);
}

static void test_unrecorded(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_false(rig_degraded(&rig, "could not be recorded"));
	kernel("b")->unrecorded = 4;
	assert_true(rig_degraded(&rig, "4 connects to \"b\" could not be recorded"));
	assert_false(rig_degraded(&rig, "to \"a\""));
}

/* Connections older than the load: asked for once a pass, whatever made it necessary. */
static void test_adopt(void **state)
{
	struct server *s;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_ADOPT, 0), 1);
	rig_pass(&rig);
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_ADOPT, 0), 1);
	open_up("b");
	rig_advance(&rig, AGAIN_NS);
	fake_forget_calls(rig.d.dp);
	s = rig_server(&rig, "a");
	assert_int_equal(server_set_addrs(s, s->addrs, 1), 0);
	s = rig_server(&rig, "b");
	assert_int_equal(server_set_addrs(s, s->addrs, 1), 0);
	rig.d.dp->adopted = 7;
	rig_pass(&rig);
	rig_turn(&rig); /* it is for a child */
	assert_int_equal(fake_called(rig.d.dp, FAKE_KILL_ADOPT, 0), 1);
	assert_int_equal(fake_log_said("took over 7 open connections"), 1);
	assert_string_equal(kills("b"), "D"); /* those to a server that is denied are to end */
	assert_string_equal(kills("a"), "");
	fake_fail(rig.d.dp, FAKE_KILL_ADOPT, 1, 1, EIO);
	rig_reload(&rig, SERVERS(A "," B));
	rig_turn(&rig);
	assert_int_equal(fake_log_said("open already may not be monitored"), 1);
}

/* --- quarantine ------------------------------------------------------------------------------ */

static void test_order(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	fake_forget_calls(rig.d.dp);
	kernel("b")->kill = (struct kill_result){ .killed = 2, .busy = 1 };
	assert_int_equal(rig_ask(&rig, "POST", "/v1/servers/b/quarantine",
				 "{\"reason\":\"odd answers\"}", &a),
			 200);
	assert_non_null(strstr(a.body, "\"server\":\"b\",\"killed\":2,\"survivors\":0,\"busy\":1"));
	rig_answer_done(&a);
	assert_int_equal(kernel("b")->quarantine_ns, SG_FOREVER);
	assert_true(quarantined("b"));
	assert_false(quarantined("a"));
	assert_string_equal(kills("b"), "Q");
	/* first the packets stop, then connections end */
	for (size_t i = 0, set = 0; i < rig.d.dp->n_calls; i++) {
		set |= rig.d.dp->calls[i].fn == FAKE_QUARANTINE_SET;
		assert_true(rig.d.dp->calls[i].fn != FAKE_KILL || set);
	}
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", "\"reason\":\"odd answers\""),
			 1);
	assert_int_equal(rig_events(&rig, "\"until\":null", "\"by\":\"root (uid 0), pid "), 1);
	assert_true(rig_metric(&rig, "switchgear_quarantined{server=\"b\"} 1"));
	assert_true(rig_metric(&rig, "switchgear_quarantined{server=\"a\"} 0"));
	assert_true(rig_metric(&rig, GAUGE "\"b\"} 0"));
	rig_advance(&rig, AGAIN_NS);
	assert_string_equal(kills("b"), "QQ");
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{}"), 400); /* no reason */
}

static void test_order_that_fails(void **state)
{
	struct rig_answer a;

	(void)state;
	rig_start(&rig, SERVERS(B));
	fake_fail(rig.d.dp, FAKE_QUARANTINE_SET, 1, 1, EIO);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"x\"}"), 500);
	assert_false(quarantined("b"));
	assert_int_equal(rig_events(&rig, "quarantine", NULL), 0);
	/* a kill that could not be counted is an answer: the quarantine holds */
	fake_fail(rig.d.dp, FAKE_KILL, 1, 1, ENOMEM);
	assert_int_equal(
		rig_ask(&rig, "POST", "/v1/servers/b/quarantine", "{\"reason\":\"x\"}", &a), 200);
	assert_non_null(strstr(a.body, "\"survivors\":null"));
	rig_answer_done(&a);
	assert_true(quarantined("b"));
	assert_true(rig_metric(&rig, UNPROVED "\"b\"} 1"));
	fake_fail(rig.d.dp, FAKE_QUARANTINE_SET, 1, 1, EIO);
	assert_int_equal(rig_order(&rig, "b", "release", NULL), 500);
	assert_true(quarantined("b"));
}

static void test_release(void **state)
{
	struct rig_answer a;
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(B));
	assert_int_equal(rig_ask(&rig, "POST", "/v1/servers/b/release", NULL, &a), 200);
	assert_string_equal(a.body, "{\"server\":\"b\",\"state\":\"closed\",\"unchanged\":true}");
	rig_answer_done(&a);
	assert_int_equal(rig_events(&rig, "release", NULL), 0);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"x\",\"for\":\"1h\"}"),
			 200);
	rig_status(&rig, &s);
	assert_true(s.servers[0].quarantined);
	assert_string_equal(s.servers[0].quarantine.reason, "x");
	assert_int_equal(s.servers[0].quarantine.until_wall_ns, clock_wall_ns() + SECONDS(3600));
	assert_int_equal(s.servers[0].verdict, VERDICT_REFUSE);
	status_done(&s);
	rig.settings.has_gid = true;
	rig.settings.gid = RIG_GROUP;
	rig_client(1000, RIG_GROUP);
	assert_int_equal(rig_ask(&rig, "POST", "/v1/servers/b/release",
				 "{\"reason\":\"it was the proxy\"}", &a),
			 200);
	assert_string_equal(a.body, "{\"server\":\"b\",\"state\":\"closed\"}");
	rig_answer_done(&a);
	assert_int_equal(rig_events(&rig, "\"event\":\"release\"", "\"text\":\"it was the proxy\""),
			 1);
	assert_int_equal(kernel("b")->quarantine_ns, 0);
	assert_false(quarantined("b"));
	assert_int_equal(rig_events(&rig, "\"event\":\"release\"", "uid 1000"), 1);
	rig_status(&rig, &s);
	assert_false(s.servers[0].quarantined);
	status_done(&s);
}

static void test_expiry(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(B));
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"x\",\"for\":\"30s\"}"),
			 200);
	rig_advance(&rig, SECONDS(30) - 1);
	assert_true(quarantined("b"));
	rig_advance(&rig, 1);
	assert_false(quarantined("b"));
	assert_int_equal(kernel("b")->quarantine_ns, 0);
	assert_int_equal(rig_events(&rig, "\"event\":\"release\"", "\"by\":\"switchgear\""), 1);
	assert_int_equal(fake_log_said("released by switchgear: its time is over"), 1);
}

/* Somebody else writes the map: at the next tick it is carried out to the end. */
static void test_found(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	rig_turn(&rig);
	fake_forget_calls(rig.d.dp);
	kernel("b")->quarantine_ns = SG_FOREVER;
	rig_advance(&rig, 100 * NS_PER_MS);
	assert_true(quarantined("b"));
	assert_false(quarantined("a"));
	assert_string_equal(kills("b"), "Q");
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", "\"by\":\"another program\""),
			 1);
	/* only its end is another one */
	kernel("b")->quarantine_ns = clock_boot_ns() + SECONDS(9);
	rig_advance(&rig, 100 * NS_PER_MS);
	assert_int_equal(rig_server(&rig, "b")->quarantine_ns, kernel("b")->quarantine_ns);
	assert_int_equal(rig_events(&rig, "\"event\":\"quarantine\"", NULL), 1);
	kernel("b")->quarantine_ns = 0;
	rig_advance(&rig, 100 * NS_PER_MS);
	assert_false(quarantined("b"));
	assert_int_equal(rig_events(&rig, "\"event\":\"release\"", "\"by\":\"another program\""),
			 1);
}

static void test_over_restart_and_reboot(void **state)
{
	struct status s;

	(void)state;
	rig_start(&rig, SERVERS(A "," B));
	assert_int_equal(rig_order(&rig, "a", "quarantine", "{\"reason\":\"for good\"}"), 200);
	assert_int_equal(rig_order(&rig, "b", "quarantine", "{\"reason\":\"y\",\"for\":\"60s\"}"),
			 200);
	rig_restart(&rig, SERVERS(A "," B));
	assert_int_equal(rig_server(&rig, "a")->quarantine_ns, SG_FOREVER);
	fake_clock_advance(SECONDS(20));
	rig_reboot(&rig, SERVERS(A "," B));
	assert_int_equal(kernel("a")->quarantine_ns, SG_FOREVER);
	assert_int_equal(kernel("b")->quarantine_ns, clock_boot_ns() + SECONDS(40));
	rig_status(&rig, &s);
	assert_string_equal(s.servers[0].quarantine.reason, "for good");
	assert_non_null(strstr(s.servers[0].quarantine.by, "root (uid 0), pid "));
	status_done(&s);
	rig_advance(&rig, SECONDS(40));
	assert_false(quarantined("b"));
	/* set while no daemon ran */
	rig_end(&rig);
	rig.d.dp->servers[fake_id(rig.d.dp, "b")].quarantine_ns = SG_FOREVER;
	rig_start(&rig, SERVERS(A "," B));
	rig_status(&rig, &s);
	assert_string_equal(s.servers[1].quarantine.reason, "set in the map while no daemon ran");
	assert_string_equal(s.servers[1].quarantine.by, "unknown");
	status_done(&s);
}

/* It is put there before its kill is; and a server without an address is warned of. */
static void test_unresolved(void **state)
{
	(void)state;
	rig_start(&rig, SERVERS(NAMED "," B "," COVERED));
	assert_int_equal(rig_order(&rig, "named", "quarantine", "{\"reason\":\"x\"}"), 200);
	assert_int_equal(fake_log_said("no address of \"named\" is known"), 1);
	/* an order to a server that shares an endpoint is for the owner */
	assert_int_equal(rig_order(&rig, "again", "quarantine", "{\"reason\":\"x\"}"), 200);
	assert_true(quarantined("b"));
	assert_int_equal(rig_order(&rig, "again", "release", NULL), 200);
	assert_false(quarantined("b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_at_an_opening),
		TEST(test_again_under_load),
		TEST(test_taken_back),
		TEST(test_asked_by_the_kernel),
		TEST(test_search_asked_by_the_kernel),
		TEST(test_look),
		TEST(test_survivors),
		TEST(test_unix_sockets),
		TEST(test_unix_sockets_that_are_not_seen),
		TEST(test_unrecorded),
		TEST(test_adopt),
		TEST(test_order),
		TEST(test_order_that_fails),
		TEST(test_release),
		TEST(test_expiry),
		TEST(test_found),
		TEST(test_over_restart_and_reboot),
		TEST(test_unresolved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
