/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The breaker at work in the kernel, over real sockets: trips at the failing
 * event, refuses, stops requests on open connections with a daemon and
 * without, hands out probes, and heals.
 */
#include "bpf/talk.h"

#define POST "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
#define GET "GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define BUSY "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"
#define OPEN_NS (30 * NS_PER_SEC)

static struct dataplane *dp;
static struct talk talk;  /* the connection that trips */
static struct talk other; /* and another one to the same server */
static struct rig_events events;

static int setup(void **state)
{
	(void)state;
	dp = rig_open();
	talk_init(&talk, dp);
	other = talk;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	talk_done(&talk);
	assert_int_equal(dataplane_detach(dp, &(struct detach_result){ 0 }), 0);
	dataplane_close(dp);
	return 0;
}

static void fresh(uint32_t consecutive, uint64_t open_ns)
{
	struct sg_policy policy = rig_policy();

	talk_end(&talk); /* whatever a failed test left */
	talk_end(&other);
	other.name = TALK_V4;
	other.port = talk.port;
	rig_endpoint(dp, "127.0.0.1", talk.port);
	policy.consecutive = consecutive;
	rig_server(dp, &policy, open_ns);
	dataplane_lease(dp, SG_FOREVER);
	dataplane_observe(dp, false);
	events.n = 0;
}

static struct sg_breaker breaker(void)
{
	return rig_command(dp, (struct sg_command){ .op = SG_CMD_READ }).breaker;
}

static void turn(struct talk *t, const char *answer)
{
	talk_ask(t, POST);
	talk_say(t, answer);
}

/* Sends what must not arrive. */
static void ask_in_vain(struct talk *t)
{
	assert_int_equal(send(t->client, POST, strlen(POST), MSG_NOSIGNAL), strlen(POST));
	assert_false(talk_heard(t));
}

/* Collects at least n events; how many are of this type? */
static size_t count(enum sg_event_type type, size_t n)
{
	size_t found = 0;

	rig_wait(dp, &events, n);
	for (size_t i = 0; i < events.n; i++)
		found += events.e[i].type == type;
	return found;
}

static void trip_by_command(void)
{
	struct sg_command cmd = { .op = SG_CMD_TRIP,
				  .generation = breaker().generation,
				  .reason = SG_REASON_FAILURE_RATE };

	assert_int_equal(rig_command(dp, cmd).moved, 1);
	rig_drain(dp);
}

/* --- trips ------------------------------------------------------------------------ */

/* Failures one after another: as many as the threshold says, and the next is refused. */
static void test_trips_at_the_failing_answer(void **state)
{
	const struct sg_event *e = events.e;

	(void)state;
	fresh(3, OPEN_NS);
	assert_int_equal(talk_dial(&talk), 0);
	turn(&talk, BUSY);
	turn(&talk, BUSY);
	turn(&talk, OK); /* starts over */
	turn(&talk, BUSY);
	turn(&talk, BUSY);
	assert_int_equal(breaker().state, SG_CLOSED);
	turn(&talk, BUSY);
	assert_int_equal(breaker().state, SG_OPEN);
	assert_int_equal(count(SG_EV_OUTCOME, 8), 6);
	assert_int_equal(events.n, 8);
	assert_int_equal(e[5].effect, SG_EFFECT_MOVED);
	assert_int_equal(e[5].streak, 0); /* of the new generation */
	assert_int_equal(e[6].type, SG_EV_TRANSITION);
	assert_int_equal(e[6].move.from, SG_CLOSED);
	assert_int_equal(e[6].move.to, SG_OPEN);
	assert_int_equal(e[6].move.reason, SG_REASON_CONSECUTIVE);
	assert_int_equal(e[6].move.failed, 3);
	assert_true(e[6].move.deadline_ns == e[6].move.t_ns + OPEN_NS);
	assert_int_equal(e[7].type, SG_EV_KILL); /* its turn is over */
	assert_true(e[7].cookie == e[5].cookie);
	for (other.name = TALK_V4; other.name < TALK_NAME_COUNT; other.name++)
		assert_int_equal(talk_dial(&other), -ECONNREFUSED);
	other.name = TALK_V4;
	assert_int_equal(rig_stats(dp).denied, 3);
	assert_int_equal(rig_stats(dp).connects, 1);
}

static void test_trips_at_the_failing_connect(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(3, OPEN_NS);
	policy.consecutive = 3;
	policy.deny_errno = EHOSTUNREACH;
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, OPEN_NS, true),
			 0);
	rig_endpoint(dp, "127.0.0.1", 9); /* nobody listens */
	other.port = 9;
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(talk_dial(&other),
				 i < 3 ? -ECONNREFUSED : -rig_refusal(dp, EHOSTUNREACH));
	other.port = talk.port;
	rig_endpoint(dp, "127.0.0.1", talk.port);
	assert_int_equal(count(SG_EV_OUTCOME, 4), 3);
	assert_int_equal(events.n, 4);
	assert_int_equal(rig_stats(dp).refused, 3);
	assert_int_equal(rig_stats(dp).denied, 3);
}

static void test_may_not_trip(void **state)
{
	struct sg_policy policy = rig_policy();

	(void)state;
	fresh(2, OPEN_NS);
	policy.consecutive = 2;
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, OPEN_NS, false),
			 0);
	assert_int_equal(talk_dial(&talk), 0);
	for (size_t i = 0; i < 4; i++)
		turn(&talk, BUSY);
	assert_int_equal(breaker().state, SG_CLOSED);
	assert_int_equal(count(SG_EV_OUTCOME, 4), 4);
	assert_int_equal(events.n, 4);
	assert_int_equal(rig_stats(dp).overflow, 3);
}

/* --- the backstop --------------------------------------------------------------------- */

static void test_stops_requests_while_the_daemon_lives(void **state)
{
	(void)state;
	fresh(0, OPEN_NS);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(talk_dial(&other), 0);
	turn(&talk, OK);
	turn(&other, OK);
	trip_by_command();
	events.n = 0;
	ask_in_vain(&talk);
	assert_true(count(SG_EV_KILL, 1) >= 1); /* again at each retransmission */
	assert_true(events.e[0].cookie != 0);
	assert_int_equal(events.e[0].server, RIG_SERVER);
	assert_int_equal(rig_stats(dp).denied, 1);
	assert_int_equal(rig_kill(dp), 2); /* this one for its request, the other one is idle */
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
	assert_int_equal(talk_error(other.client), ECONNABORTED);
	assert_int_equal(rig_stats(dp).killed, 2);
	assert_int_equal(rig_stats(dp).requests, 2);
	assert_int_equal(rig_stats(dp).hard, 0);
}

/* Without a daemon nobody could kill: an answer is better than a hang. */
static void test_lets_requests_pass_without_a_daemon(void **state)
{
	(void)state;
	fresh(0, OPEN_NS);
	assert_int_equal(talk_dial(&talk), 0);
	turn(&talk, OK);
	trip_by_command();
	dataplane_lease(dp, clock_boot_ns());
	turn(&talk, OK);
	turn(&talk, BUSY);
	assert_int_equal(rig_stats(dp).passed_open, 2);
	assert_int_equal(rig_stats(dp).stale, 2); /* and they teach nothing */
	assert_int_equal(rig_stats(dp).denied, 0);
	assert_int_equal(talk_dial(&other), -ECONNREFUSED);
	dataplane_lease(dp, SG_FOREVER);
	ask_in_vain(&talk);
	assert_int_equal(rig_kill(dp), 1);
}

/* The connection whose answer tripped ends by itself, soon, with an error. */
static void test_the_tripping_connection_ends_by_itself(void **state)
{
	uint64_t start;
	int error;

	(void)state;
	fresh(3, OPEN_NS);
	dataplane_lease(dp, 0);
	assert_int_equal(talk_dial(&talk), 0);
	for (size_t i = 0; i < 3; i++)
		turn(&talk, BUSY);
	assert_int_equal(breaker().state, SG_OPEN);
	start = clock_boot_ns();
	ask_in_vain(&talk);
	error = talk_error(talk.client);
	assert_int_equal(error, ETIMEDOUT);
	assert_true(clock_boot_ns() - start < 2 * NS_PER_SEC);
	assert_int_equal(rig_stats(dp).hard, 3);
}

/* A request that began before may end; its answer then ends the connection. */
static void test_busy_connections_end_after_their_turn(void **state)
{
	struct dataplane_targets targets;

	(void)state;
	fresh(0, OPEN_NS);
	assert_int_equal(talk_dial(&talk), 0);
	assert_int_equal(talk_dial(&other), 0);
	talk_ask(&talk, POST);
	trip_by_command();
	events.n = 0;
	assert_int_equal(dataplane_find(dp, RIG_SERVER, &targets), 0);
	assert_int_equal(targets.n, 1);
	assert_int_equal(targets.busy, 1);
	assert_int_equal(ntohs(targets.v[0].remote_port), talk.port);
	assert_int_equal(targets.v[0].cookie, rig_cookie(other.client));
	dataplane_targets_done(&targets);
	assert_int_equal(rig_kill(dp), 1);
	assert_int_equal(talk_error(other.client), ECONNABORTED);
	talk_ask(&talk, " more of the same request");
	talk_say(&talk, OK); /* arrives whole */
	assert_int_equal(count(SG_EV_OUTCOME, 2), 1);
	assert_int_equal(count(SG_EV_KILL, 2), 1);
	assert_int_equal(rig_stats(dp).stale, 1);
	assert_int_equal(rig_kill(dp), 1);
	assert_int_equal(talk_error(talk.client), ECONNABORTED);
}

static void test_old_connections_go_on_after_a_reset(void **state)
{
	(void)state;
	fresh(2, OPEN_NS);
	assert_int_equal(talk_dial(&talk), 0);
	turn(&talk, BUSY);
	trip_by_command();
	rig_command(dp, (struct sg_command){ .op = SG_CMD_RESET });
	turn(&talk, BUSY);
	assert_int_equal(breaker().streak, 1);
	turn(&talk, BUSY); /* believed: the flow was re-stamped */
	assert_int_equal(breaker().state, SG_OPEN);
	assert_int_equal(rig_stats(dp).stale, 0);
}

static void test_observe_counts_only(void **state)
{
	(void)state;
	fresh(2, OPEN_NS);
	dataplane_observe(dp, true);
	assert_int_equal(talk_dial(&talk), 0);
	turn(&talk, BUSY);
	turn(&talk, BUSY);
	assert_int_equal(breaker().state, SG_OPEN);
	turn(&talk, OK);
	assert_int_equal(talk_dial(&other), 0);
	assert_int_equal(rig_stats(dp).would_deny, 2);
	assert_int_equal(rig_stats(dp).denied, 0);
	assert_int_equal(rig_kill(dp), 0);
}

/* --- quarantine ------------------------------------------------------------------------ */

static void test_quarantine_stops_everything(void **state)
{
	(void)state;
	for (int alive = 0; alive < 2; alive++) {
		fresh(0, OPEN_NS);
		assert_int_equal(talk_dial(&talk), 0);
		turn(&talk, OK);
		talk_ask(&talk, POST);
		dataplane_lease(dp, alive ? SG_FOREVER : 0);
		assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, SG_FOREVER), 0);
		rig_drain(dp);
		ask_in_vain(&talk); /* not even more of what began before */
		assert_true(count(SG_EV_KILL, 1) >= 1);
		assert_true(rig_stats(dp).dropped_packets >= 1);
		assert_int_equal(talk_dial(&other), -ECONNREFUSED);
		assert_int_equal(rig_kill(dp), 1);
		assert_int_equal(talk_error(talk.client), ECONNABORTED);
		assert_int_equal(dataplane_quarantine_set(dp, RIG_SERVER, 0), 0);
		assert_int_equal(talk_dial(&other), 0); /* released */
		turn(&other, OK);
	}
}

/* --- half-open ----------------------------------------------------------------------------- */

static void half_open(void)
{
	fresh(0, 10 * NS_PER_MS);
	trip_by_command();
	usleep(15000);
}

static void expect_probes(uint32_t out, uint32_t ok, uint32_t failed)
{
	struct sg_breaker b = breaker();

	assert_int_equal(b.state, SG_HALF_OPEN);
	assert_int_equal(b.probes_out, out);
	assert_int_equal(b.probes_ok, ok);
	assert_int_equal(b.probes_failed, failed);
}

static void test_probes_heal(void **state)
{
	struct talk probes[4];

	(void)state;
	half_open();
	for (size_t i = 0; i < 4; i++) {
		probes[i] = other;
		assert_int_equal(talk_dial(&probes[i]), i < 3 ? 0 : -ECONNREFUSED);
	}
	expect_probes(3, 0, 0);
	for (size_t i = 0; i < 3; i++) {
		turn(&probes[i], OK);
		if (i < 2)
			expect_probes(2 - (uint32_t)i, (uint32_t)i + 1, 0);
	}
	assert_int_equal(breaker().state, SG_CLOSED);
	assert_int_equal(breaker().last.reason, SG_REASON_PROBES_PASSED);
	for (size_t i = 0; i < 3; i++)
		talk_end(&probes[i]);
	assert_int_equal(talk_dial(&other), 0);
}

static void test_a_failed_probe_opens_again(void **state)
{
	(void)state;
	half_open();
	assert_int_equal(talk_dial(&talk), 0);
	turn(&talk, BUSY);
	assert_int_equal(breaker().state, SG_OPEN);
	assert_int_equal(breaker().last.reason, SG_REASON_HALF_OPEN_FAILED);
}

/* A connection from before takes its probe where the turn starts, one per turn. */
static void test_probes_on_open_connections(void **state)
{
	(void)state;
	fresh(0, 10 * NS_PER_MS);
	assert_int_equal(talk_dial(&talk), 0);
	turn(&talk, OK);
	trip_by_command();
	usleep(15000);
	expect_probes(0, 0, 0);
	talk_ask(&talk, POST);
	expect_probes(1, 0, 0);
	talk_say(&talk, OK);
	expect_probes(0, 1, 0);
	turn(&talk, OK);
	expect_probes(0, 2, 0);
	turn(&talk, OK);
	assert_int_equal(breaker().state, SG_CLOSED);
}

/* What proves nothing gives its probe back. */
static void test_probes_come_back(void **state)
{
	(void)state;
	half_open();
	assert_int_equal(talk_dial(&talk), 0);
	expect_probes(1, 0, 0);
	talk_end(&talk); /* never asked anything */
	expect_probes(0, 0, 0);

	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, GET); /* neutral: at once */
	expect_probes(0, 0, 0);
	talk_end(&talk);

	assert_int_equal(talk_dial(&talk), 0);
	turn(&talk, "HTTP/1.1 202 x\r\nContent-Length: 0\r\n\r\n");
	expect_probes(0, 0, 0);
	talk_end(&talk);

	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, POST);
	expect_probes(1, 0, 0);
	talk_end(&talk); /* given up young */
	expect_probes(0, 0, 0);
	assert_int_equal(rig_stats(dp).hard, 0);
}

#define LEASE_MS 1000 /* emulated processors take their time for what comes before its end */

/* A request without an answer fails when its lease runs out, not before. */
static void test_leases_run_out(void **state)
{
	struct sg_policy policy = rig_policy();
	struct dataplane_sweep sweep;

	(void)state;
	half_open();
	do { /* records of what ended before are due, too, and where all is slow soon */
		usleep(50000);
		assert_int_equal(dataplane_sweep(dp, &sweep), 0);
	} while (sweep.dead);
	policy.probe_lease_ns = LEASE_MS * NS_PER_MS;
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, OPEN_NS, true),
			 0);
	assert_int_equal(talk_dial(&talk), 0);
	talk_ask(&talk, POST);
	assert_int_equal(dataplane_sweep(dp, &sweep), 0);
	assert_int_equal(sweep.flows, 1);
	assert_int_equal(sweep.ended, 0);
	assert_true(dataplane_sweep_due(dp) > clock_boot_ns());
	assert_true(dataplane_sweep_due(dp) < clock_boot_ns() + LEASE_MS * NS_PER_MS);
	expect_probes(1, 0, 0);
	usleep((LEASE_MS + 5) * 1000);
	events.n = 0;
	assert_int_equal(dataplane_sweep(dp, &sweep), 0);
	assert_int_equal(breaker().state, SG_OPEN);
	assert_int_equal(count(SG_EV_OUTCOME, 2), 1);
	for (size_t i = 0; i < events.n; i++)
		if (events.e[i].type == SG_EV_OUTCOME)
			assert_int_equal(events.e[i].cause, SG_CAUSE_LEASE);
	talk_end(&talk);

	half_open(); /* a connection that asks nothing gives it back after a lease */
	assert_int_equal(dataplane_server_set(dp, RIG_SERVER, "rig", 0, 0, &policy, OPEN_NS, true),
			 0);
	assert_int_equal(talk_dial(&talk), 0);
	expect_probes(1, 0, 0);
	usleep((LEASE_MS + 5) * 1000);
	assert_int_equal(dataplane_sweep(dp, &sweep), 0);
	expect_probes(0, 0, 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trips_at_the_failing_answer),
		cmocka_unit_test(test_trips_at_the_failing_connect),
		cmocka_unit_test(test_may_not_trip),
		cmocka_unit_test(test_stops_requests_while_the_daemon_lives),
		cmocka_unit_test(test_lets_requests_pass_without_a_daemon),
		cmocka_unit_test(test_the_tripping_connection_ends_by_itself),
		cmocka_unit_test(test_busy_connections_end_after_their_turn),
		cmocka_unit_test(test_old_connections_go_on_after_a_reset),
		cmocka_unit_test(test_observe_counts_only),
		cmocka_unit_test(test_quarantine_stops_everything),
		cmocka_unit_test(test_probes_heal),
		cmocka_unit_test(test_a_failed_probe_opens_again),
		cmocka_unit_test(test_probes_on_open_connections),
		cmocka_unit_test(test_probes_come_back),
		cmocka_unit_test(test_leases_run_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

int main(void)
{
	return rig_main(run);
}
