/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sim/private.h"
#include "unit/unit.h"

#define REPORTS_MAX 64

struct rig {
	struct sim *sim;
	uint64_t now;
	struct sim_report last; /* of any type but a transition */
	struct sg_transition moves[REPORTS_MAX];
	size_t n_moves;
	size_t n_reports;
};

static void on_report(void *arg, const struct sim_report *report)
{
	struct rig *r = arg;

	r->n_reports++;
	if (report->type == SIM_TRANSITION) {
		if (r->n_moves < REPORTS_MAX)
			r->moves[r->n_moves++] = *report->move;
	} else {
		r->last = *report;
	}
}

/* Policy R of the conformance list, with a streak of three and a ramp. */
static struct breaker_policy policy(void)
{
	struct breaker_policy p = breaker_policy_defaults();

	p.window_seconds = 20;
	p.window_buckets = 20;
	p.window_calls = 0;
	p.min_calls = 5;
	p.slow_factor = 0;
	p.half_open_probes = 4;
	p.half_open_failure_rate = 0.5;
	p.open_seconds = 5;
	p.open_factor = 1;
	p.half_open_max_seconds = 90;
	p.probe_lease_seconds = 30;
	p.consecutive_failures = 3;
	p.ramp_seconds = 40;
	p.jitter = 0;
	return p;
}

static void rig_init(struct rig *r, const struct breaker_policy *p)
{
	struct sim_setup setup = { .policy = *p, .seed = 1, .report = on_report, .arg = r };

	memset(r, 0, sizeof(*r));
	assert_int_equal(sim_new(&setup, &r->sim), 0);
}

static struct sim_event event(const struct rig *r, enum sim_op op, const char *server,
			      const char *id)
{
	return (struct sim_event){
		.t_ns = r->now,
		.line = 1,
		.op = op,
		.server = { server, strlen(server) },
		.id = { id, strlen(id) },
		.latency_ns = SG_FOREVER,
		.for_ns = SG_FOREVER,
	};
}

static void feed(struct rig *r, const struct sim_event *e)
{
	assert_int_equal(sim_feed(r->sim, e), SIM_FAULT_NONE);
}

static void act(struct rig *r, enum sim_op op, const char *id)
{
	struct sim_event e = event(r, op, "a", id);

	feed(r, &e);
}

static void finish(struct rig *r, enum sim_op op, const char *id, enum sg_class class)
{
	struct sim_event e = event(r, op, "a", id);

	e.outcome = class;
	e.complete = class == SG_SUCCESS || class == SG_APP || class == SG_CALLER;
	feed(r, &e);
}

static void order(struct rig *r, enum sg_state to, double seconds)
{
	struct sim_event e = event(r, SIM_FORCE, "a", "");

	e.to = to;
	if (seconds > 0)
		e.for_ns = SECONDS(seconds);
	feed(r, &e);
}

static const struct sim_report *show(struct rig *r)
{
	act(r, SIM_STATE, "");
	return &r->last;
}

/* --- every state meets every event ------------------------------------------------- */

enum meeting {
	MEET_SUCCESS,
	MEET_HARD,
	MEET_SOFT,
	MEET_APP,
	MEET_ADMIT,
	MEET_START,
	MEET_END_OLD, /* of a call of the generation before */
	MEET_CANCEL_OLD,
	MEET_OPEN,
	MEET_FORCE_CLOSED,
	MEET_DISABLE,
	MEET_SHADOW,
	MEET_RESET,
	MEET_TIME, /* an hour goes by */
	MEET_COUNT
};

/* Brings server "a", with a call "old" from before, into the state. */
static void enter(struct rig *r, enum sg_state state)
{
	act(r, SIM_START, "old");
	if (state == SG_CLOSED) {
		order(r, SG_CLOSED, 0);
		return;
	}
	if (state >= SG_FORCED_OPEN) {
		order(r, state, 1800);
		return;
	}
	for (int i = 0; i < 3; i++)
		finish(r, SIM_CALL, "", SG_HARD);
	if (state == SG_OPEN)
		return;
	r->now += SECONDS(6);
	act(r, SIM_STATE, "");
	for (int i = 0; state == SG_RAMP && i < 3; i++)
		finish(r, SIM_CALL, "", SG_SUCCESS);
}

static void meet(struct rig *r, enum meeting m)
{
	static const enum sg_class classes[] = { SG_SUCCESS, SG_HARD, SG_SOFT, SG_APP };
	static const enum sg_state orders[] = { SG_FORCED_OPEN, SG_FORCED_CLOSED, SG_DISABLED,
						SG_SHADOW, SG_CLOSED };

	if (m <= MEET_APP)
		finish(r, SIM_CALL, "", classes[m]);
	else if (m == MEET_ADMIT)
		act(r, SIM_ADMIT, "");
	else if (m == MEET_START)
		act(r, SIM_START, "new");
	else if (m == MEET_END_OLD)
		finish(r, SIM_END, "old", SG_HARD);
	else if (m == MEET_CANCEL_OLD)
		act(r, SIM_CANCEL, "old");
	else if (m <= MEET_RESET)
		order(r, orders[m - MEET_OPEN], 0);
	else
		r->now += SECONDS(3600);
}

/*
 * One character per meeting: is the call let through (y, n, . where none asks),
 * then the letter of the state after it and the number of calls counted.
 * C closed, O open, H half-open, R ramp, F forced open, K forced closed,
 * D disabled, S shadow. The ramp's ten percent do not hold line 1.
 */
static const char *const table[SG_STATE_COUNT] = {
	/*  S     F     o     A     admit start end   canc  open  close disab shad  reset time */
	[SG_CLOSED] = "yC1 yC1 yC1 yC0 yC0 yC0 .C0 .C0 .F0 .K0 .D0 .S0 .C0 .C0",
	[SG_OPEN] = "nO0 nO0 nO0 nO0 nO0 nO0 .O0 .O0 .F0 .K0 .D0 .S0 .C0 .H0",
	[SG_HALF_OPEN] = "yH0 yH0 yH0 yH0 yH0 yH0 .H0 .H0 .F0 .K0 .D0 .S0 .C0 .H0",
	[SG_RAMP] = "nR0 nR0 nR0 nR0 nR0 nR0 .R0 .R0 .F0 .K0 .D0 .S0 .C0 .C0",
	[SG_FORCED_OPEN] = "nF0 nF0 nF0 nF0 nF0 nF0 .F0 .F0 .F0 .K0 .D0 .S0 .C0 .H0",
	[SG_FORCED_CLOSED] = "yK1 yK1 yK1 yK0 yK0 yK0 .K0 .K0 .F0 .K0 .D0 .S0 .C0 .C0",
	[SG_DISABLED] = "yD0 yD0 yD0 yD0 yD0 yD0 .D0 .D0 .F0 .K0 .D0 .S0 .C0 .C0",
	[SG_SHADOW] = "yS1 yS1 yS1 yS0 yS0 yS0 .S0 .S0 .F0 .K0 .D0 .S0 .C0 .C0",
};

static void test_every_state_meets_every_event(void **unused)
{
	static const char letters[] = "COHRFKDS";
	struct breaker_policy p = policy();

	(void)unused;
	for (int state = 0; state < SG_STATE_COUNT; state++) {
		for (int m = 0; m < MEET_COUNT; m++) {
			const char *want = table[state] + (size_t)m * 4;
			char got[4];
			struct rig r;

			rig_init(&r, &p);
			enter(&r, (enum sg_state)state);
			assert_int_equal(show(&r)->state, state);
			assert_int_equal(r.last.calls, 0);
			meet(&r, (enum meeting)m);
			got[0] = m > MEET_START ? '.' : sim_last_admitted(r.sim) ? 'y' : 'n';
			show(&r);
			got[1] = letters[r.last.state];
			got[2] = (char)('0' + r.last.calls);
			got[3] = '\0';
			if (strncmp(got, want, 3))
				fail_msg("state %d, event %d: %s, not %.3s", state, m, got, want);
			assert_int_equal(r.last.not_permitted, got[0] == 'n');
			sim_free(r.sim);
		}
	}
}

/* --- the rest ------------------------------------------------------------------------ */

static void test_state_is_small(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();

	(void)state;
	assert_true(sim_breaker_size(&p) + SIM_NAME_MAX + sizeof(void *) < 4096);
	p.window_calls += 100;
	assert_int_equal(sim_breaker_size(&p),
			 800 + sim_breaker_size(&(struct breaker_policy){ .window_calls = 20,
									  .window_buckets = 10 }));
}

static void test_ramp_shares(void **state)
{
	static const double shares[] = { 0.1, 0.25, 0.5, 1 };
	struct breaker_policy p = policy();
	struct rig r;

	(void)state;
	for (int by_id = 0; by_id < 2; by_id++) {
		rig_init(&r, &p);
		enter(&r, SG_RAMP);
		for (int quarter = 0; quarter < 4; quarter++) {
			unsigned int admitted = 0;

			for (unsigned int i = 0; i < 10000; i++) {
				char id[16] = "";
				struct sim_event e;

				if (by_id)
					snprintf(id, sizeof(id), "c%u", i);
				e = event(&r, SIM_ADMIT, "a", id);
				e.line = i;
				feed(&r, &e);
				assert_int_equal(r.last.state, SG_RAMP);
				admitted += sim_last_admitted(r.sim);
			}
			assert_float_equal(admitted / 10000.0, shares[quarter], 0.02);
			r.now += SECONDS(10);
		}
		assert_int_equal(show(&r)->state, SG_CLOSED);
		sim_free(r.sim);
	}
}

/* One connection gets one answer for as long as the share is the same. */
static void test_ramp_is_the_same_for_an_id(void **state)
{
	struct breaker_policy p = policy();
	unsigned int changed = 0;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	enter(&r, SG_RAMP);
	for (unsigned int i = 0; i < 1000; i++) {
		struct sim_event e;
		char id[16];
		bool first;

		snprintf(id, sizeof(id), "%u", i);
		e = event(&r, SIM_ADMIT, "a", id);
		e.line = 2 * i;
		feed(&r, &e);
		first = sim_last_admitted(r.sim);
		e.line++;
		feed(&r, &e);
		changed += first != sim_last_admitted(r.sim);
	}
	assert_int_equal(changed, 0);
	sim_free(r.sim);
}

static void test_bounds(void **state)
{
	struct breaker_policy p = policy();
	struct rig r;
	struct sim_setup setup = {
		.policy = p,
		.report = on_report,
		.arg = &r,
		.bounds = { .breakers = 3, .calls = 2, .memory = 3 * sim_breaker_size(&p) },
	};
	struct sim_event e;

	(void)state;
	memset(&r, 0, sizeof(r));
	assert_int_equal(sim_new(&setup, &r.sim), 0);
	act(&r, SIM_START, "1");
	act(&r, SIM_START, "2");
	e = event(&r, SIM_START, "a", "3");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_CALLS);
	act(&r, SIM_CANCEL, "1");
	act(&r, SIM_START, "3");
	e = event(&r, SIM_STATE, "a", "");
	e.tool = (struct sim_text){ "t", 1 };
	feed(&r, &e);
	/* the names count too: three bytes too many */
	e = event(&r, SIM_STATE, "b", "");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_SIZE);
	/* so does what is known of a server's trust */
	e = event(&r, SIM_FINDING, "a", "");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_SIZE);
	sim_free(r.sim);

	setup.bounds.memory = 0;
	assert_int_equal(sim_new(&setup, &r.sim), 0);
	for (int i = 0; i < 4; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		e = event(&r, SIM_STATE, name, "");
		assert_int_equal(sim_feed(r.sim, &e), i < 3 ? SIM_FAULT_NONE : SIM_FAULT_BREAKERS);
	}
	/* known ones go on */
	e = event(&r, SIM_STATE, "a", "");
	feed(&r, &e);
	sim_free(r.sim);
	sim_free(NULL);
}

static void test_faults_change_nothing(void **state)
{
	struct breaker_policy p = policy();
	struct sim_event e;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	r.now = SECONDS(10);
	act(&r, SIM_START, "x");
	e = event(&r, SIM_START, "a", "x");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_ID_LIVE);
	e = event(&r, SIM_END, "a", "y");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_ID_UNKNOWN);
	e = event(&r, SIM_END, "unseen", "x");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_ID_UNKNOWN);
	r.now--;
	e = event(&r, SIM_STATE, "a", "");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_TIME);
	r.now++;
	assert_int_equal(r.n_reports, 1);
	finish(&r, SIM_END, "x", SG_HARD);
	assert_int_equal(show(&r)->failed_calls, 1);
	sim_free(r.sim);
}

/* The one that asks again after a refusal is a new call; its first end is its own. */
static void test_refused_ids(void **state)
{
	struct breaker_policy p = policy();
	struct sim_event e;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	enter(&r, SG_OPEN);
	act(&r, SIM_START, "x");
	act(&r, SIM_START, "x");
	assert_int_equal(show(&r)->not_permitted, 2);
	finish(&r, SIM_END, "x", SG_HARD);
	e = event(&r, SIM_CANCEL, "a", "x");
	assert_int_equal(sim_feed(r.sim, &e), SIM_FAULT_ID_UNKNOWN);
	act(&r, SIM_START, "x");
	act(&r, SIM_CANCEL, "x");
	assert_int_equal(show(&r)->calls, 0);
	sim_free(r.sim);
}

/* --- limits across servers ---------------------------------------------------------------- */

struct limit {
	bool may_trip;
	size_t asked;
	size_t moved;
	enum sg_state state;
	char name[8];
};

static bool may_trip(void *arg, const struct sim_breaker *server, uint64_t now_ns)
{
	struct limit *l = arg;

	assert_int_equal(server->index, 0);
	assert_true(now_ns >= SECONDS(1));
	l->asked++;
	return l->may_trip;
}

static void has_moved(void *arg, const struct sim_breaker *server, const struct sg_transition *move)
{
	struct limit *l = arg;
	struct sim_text name = server->node.name;

	l->moved++;
	l->state = (enum sg_state)move->to;
	snprintf(l->name, sizeof(l->name), "%.*s", (int)name.len, name.s);
}

static void test_limits_hold_and_let_go(void **state)
{
	struct limit l = { .may_trip = false };
	struct rig r;
	struct sim_setup setup = {
		.policy = policy(),
		.report = on_report,
		.arg = &r,
		.limits = { &l, may_trip, has_moved },
	};

	(void)state;
	memset(&r, 0, sizeof(r));
	r.now = SECONDS(1);
	assert_int_equal(sim_new(&setup, &r.sim), 0);
	for (int i = 0; i < 7; i++) /* consecutive from the third, rate from the fifth */
		finish(&r, SIM_CALL, "", SG_HARD);
	assert_int_equal(l.asked, 7);
	assert_int_equal(l.moved, 0);
	assert_int_equal(show(&r)->overflow, 5);
	assert_int_equal(sim_overflow(r.sim), 5);
	assert_int_equal(r.last.state, SG_CLOSED);
	l.may_trip = true;
	finish(&r, SIM_CALL, "", SG_HARD);
	assert_int_equal(l.moved, 1);
	assert_int_equal(l.state, SG_OPEN);
	assert_string_equal(l.name, "a");
	r.now += SECONDS(6);
	act(&r, SIM_STATE, "");
	assert_int_equal(l.moved, 2);
	assert_int_equal(l.state, SG_HALF_OPEN);
	order(&r, SG_CLOSED, 0);
	assert_int_equal(show(&r)->overflow, 0);
	assert_int_equal(sim_overflow(r.sim), 5);
	sim_free(r.sim);
}

/* A tool may open while its server must not. */
static void test_limits_are_not_for_tools(void **state)
{
	struct limit l = { .may_trip = false };
	struct rig r;
	struct sim_setup setup = { .policy = policy(),
				   .report = on_report,
				   .arg = &r,
				   .limits = { &l, may_trip, has_moved } };

	(void)state;
	memset(&r, 0, sizeof(r));
	r.now = SECONDS(1);
	assert_int_equal(sim_new(&setup, &r.sim), 0);
	for (int i = 0; i < 3; i++) {
		struct sim_event e = event(&r, SIM_CALL, "a", "");

		e.outcome = SG_HARD;
		e.tool = (struct sim_text){ "t", 1 };
		feed(&r, &e);
	}
	assert_int_equal(r.n_moves, 1);
	assert_int_equal(l.moved, 0);
	assert_int_equal(r.moves[0].to, SG_OPEN);
	assert_int_equal(show(&r)->state, SG_CLOSED);
	sim_free(r.sim);
}

/* --- many ------------------------------------------------------------------------------------ */

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Feeds n calls over so many servers of ten tools each; seconds of CPU per call. */
static double feed_many(unsigned int servers, unsigned int n)
{
	struct breaker_policy p = policy();
	double begin, end;
	struct rig r;

	p.window_buckets = 10;
	rig_init(&r, &p);
	begin = seconds_now();
	for (unsigned int i = 0; i < n; i++) {
		unsigned int server = i % servers;
		unsigned int round = i / servers;
		char name[16], tool[16];
		struct sim_event e;

		snprintf(name, sizeof(name), "s%u", server);
		snprintf(tool, sizeof(tool), "t%u", round % 10);
		e = event(&r, SIM_CALL, name, "");
		e.t_ns = SECONDS(round) / 4;
		e.tool = (struct sim_text){ tool, strlen(tool) };
		e.outcome = server % 3 ? SG_SUCCESS : SG_HARD;
		feed(&r, &e);
	}
	end = seconds_now();
	assert_int_equal(r.sim->servers.n, servers);
	assert_int_equal(r.sim->tools.n, (size_t)servers * 10);
	sim_free(r.sim);
	return (end - begin) / n;
}

/* 10,000 servers and 100,000 (server, tool): no call costs much more than with ten. The
 * factor leaves room for memory that no cache holds, and for other load. */
static void test_no_stall_with_many(void **state)
{
	double few = feed_many(10, 200000);
	double many = feed_many(10000, 200000);

	(void)state;
	assert_true(many < few * 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_meets_every_event),
		cmocka_unit_test(test_state_is_small),
		cmocka_unit_test(test_ramp_shares),
		cmocka_unit_test(test_ramp_is_the_same_for_an_id),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_faults_change_nothing),
		cmocka_unit_test(test_refused_ids),
		cmocka_unit_test(test_limits_hold_and_let_go),
		cmocka_unit_test(test_limits_are_not_for_tools),
		cmocka_unit_test(test_no_stall_with_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
