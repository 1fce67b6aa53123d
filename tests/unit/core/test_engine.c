/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The engine beside a breaker driven by the shared transition, as simulate drives them. */
#include "unit/core/engine_rig.h"

static void test_s1_success_that_crosses(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	rig_calls(&r, "FFFS");
	check_rates(&r, (double)NAN, 4, 3);
	assert_int_equal(r.b.state, SG_CLOSED);
	rig_calls(&r, "S");
	assert_int_equal(r.b.state, SG_OPEN);
	assert_int_equal(r.last.reason, SG_REASON_FAILURE_RATE);
	assert_double(r.rates.failure_rate, 0.6);
	assert_int_equal(r.rates.counts.calls, 5);
	assert_false(rig_call(&r, SG_SUCCESS, false));
	engine_done(&r.e);
}

static void test_s2_one_a_second(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	for (int i = 0; i < 5; i++) {
		rig_at(&r, i);
		rig_calls(&r, i < 3 ? "S" : "F");
	}
	assert_int_equal(r.b.state, SG_CLOSED);
	rig_at(&r, 5);
	rig_calls(&r, "F");
	assert_int_equal(r.b.state, SG_OPEN);
	assert_double(r.rates.failure_rate, 0.5);
	engine_done(&r.e);
}

static void open_at_zero(struct rig *r)
{
	rig_calls(r, "FFFFF");
	assert_int_equal(r->b.state, SG_OPEN);
}

static void test_s3_half_open_after_the_deadline(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	open_at_zero(&r);
	rig_at(&r, 3);
	assert_false(rig_call(&r, SG_SUCCESS, false));
	rig_at(&r, 6);
	assert_int_equal(r.b.state, SG_HALF_OPEN);
	assert_int_equal(r.last.t_ns, SECONDS(5));
	check_rates(&r, (double)NAN, 0, 0);
	rig_calls(&r, "S");
	check_rates(&r, (double)NAN, 0, 0);
	engine_done(&r.e);
}

static void test_s4_backoff_after_a_failed_half_open(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	p.open_factor = 1.5;
	rig_init(&r, &p);
	open_at_zero(&r);
	rig_at(&r, 3);
	assert_false(rig_call(&r, SG_SUCCESS, false));
	rig_at(&r, 6);
	rig_calls(&r, "FF");
	assert_int_equal(r.last.reason, SG_REASON_HALF_OPEN_FAILED);
	assert_int_equal(r.last.deadline_ns, SECONDS(13.5));
	rig_at(&r, 12);
	assert_false(rig_call(&r, SG_SUCCESS, false));
	rig_at(&r, 17);
	assert_true(rig_call(&r, SG_SUCCESS, false));
	engine_done(&r.e);
}

static void test_s12_reset_empties(void **state)
{
	struct breaker_policy p = policy_r();
	struct sg_transition mv;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	rig_calls(&r, "FFF");
	sg_breaker_reset(&r.b, &r.kernel, r.now, &mv);
	assert_false(mv.moved);
	engine_reset(&r.e, r.now, r.b.generation);
	check_rates(&r, (double)NAN, 0, 0);
	open_at_zero(&r);
	assert_int_equal(r.e.trips, 1);
	sg_breaker_reset(&r.b, &r.kernel, r.now, &mv);
	rig_moved(&r, &mv);
	assert_int_equal(r.b.state, SG_CLOSED);
	assert_int_equal(r.e.trips, 0);
	engine_done(&r.e);
}

static void test_s16_stale_generations_change_nothing(void **state)
{
	struct breaker_policy p = policy_r();
	uint32_t old;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	old = r.b.generation;
	open_at_zero(&r);
	rig_at(&r, 6);
	rig_calls(&r, "SSS");
	assert_int_equal(r.b.state, SG_CLOSED);
	for (int i = 0; i < 10; i++)
		rig_end(&r, old, i % 2 ? SG_HARD : SG_SUCCESS, true, SG_OUT_PROBE);
	check_rates(&r, (double)NAN, 0, 0);
	assert_int_equal(r.b.state, SG_CLOSED);
	engine_done(&r.e);
}

static void test_s18_nothing_recorded_never_trips(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	p.min_calls = 1;
	p.failure_rate = 1;
	rig_init(&r, &p);
	rig_calls(&r, "IIIIII");
	rig_at(&r, 1000);
	assert_int_equal(r.b.state, SG_CLOSED);
	check_rates(&r, (double)NAN, 0, 0);
	rig_calls(&r, "F");
	assert_int_equal(r.b.state, SG_OPEN);
	engine_done(&r.e);
}

static void test_s19_bursts_equal_trickles(void **state)
{
	struct breaker_policy p = policy_r();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct rig r;

		rig_init(&r, &p);
		for (int call = 0; call < 5; call++) {
			assert_int_equal(r.b.state, SG_CLOSED);
			rig_at(&r, i ? call : call * 0.0002);
			rig_calls(&r, "F");
		}
		assert_int_equal(r.b.state, SG_OPEN);
		engine_done(&r.e);
	}
}

static void test_s20_idle_longer_than_the_window(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	rig_calls(&r, "FFFF");
	rig_at(&r, 21);
	rig_calls(&r, "FFFF");
	assert_int_equal(r.b.state, SG_CLOSED);
	rig_calls(&r, "F");
	assert_int_equal(r.b.state, SG_OPEN);
	engine_done(&r.e);
}

static void test_s21_soft_failures_trip_by_rate(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	p.consecutive_failures = 3;
	rig_init(&r, &p);
	rig_calls(&r, "oooo");
	assert_int_equal(r.b.streak, 0);
	assert_int_equal(r.b.state, SG_CLOSED);
	rig_calls(&r, "o");
	assert_int_equal(r.last.reason, SG_REASON_FAILURE_RATE);
	engine_done(&r.e);
}

static void test_s22_precedence_of_reasons(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	p.consecutive_failures = 5;
	rig_init(&r, &p);
	rig_calls(&r, "FFFFF");
	assert_int_equal(r.last.reason, SG_REASON_CONSECUTIVE);
	engine_done(&r.e);

	/* a slow failure crosses both rates: the failure rate is reported */
	p.consecutive_failures = 0;
	rig_init(&r, &p);
	rig_calls(&r, "SSs");
	rig_call(&r, SG_HARD, true);
	assert_int_equal(r.b.state, SG_CLOSED);
	rig_call(&r, SG_HARD, true);
	assert_int_equal(r.last.reason, SG_REASON_SLOW_RATE);
	engine_done(&r.e);

	rig_init(&r, &p);
	rig_calls(&r, "SSF");
	rig_call(&r, SG_HARD, true);
	rig_call(&r, SG_HARD, true);
	assert_int_equal(r.last.reason, SG_REASON_FAILURE_RATE);
	engine_done(&r.e);
}

/* The count window crosses by slowness, the time window by failures: failures go first. */
static void test_failure_rate_of_any_window_goes_first(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	p.window_calls = 5;
	p.min_calls = 5;
	p.slow_rate = 1;
	p.failure_rate = 0.6;
	rig_init(&r, &p);
	rig_calls(&r, "sss");
	rig_at(&r, 1);
	rig_calls(&r, "s");
	assert_int_equal(r.b.state, SG_CLOSED);
	rig_calls(&r, "s");
	assert_int_equal(r.last.reason, SG_REASON_SLOW_RATE);
	assert_double(r.rates.slow_rate, 1);
	engine_done(&r.e);

	p.slow_rate = 0.8;
	p.failure_rate = 0.4;
	p.window_calls = 6;
	p.min_calls = 6;
	rig_init(&r, &p);
	rig_calls(&r, "FF");
	rig_at(&r, 1);
	rig_calls(&r, "Sss");
	assert_true(rig_call(&r, SG_HARD, true));
	assert_int_equal(r.last.reason, SG_REASON_FAILURE_RATE);
	assert_double(r.rates.failure_rate, 0.5);
	engine_done(&r.e);
}

/* One failure, one probe each time: three trips, then time closed. */
static struct breaker_policy policy_backoff(void)
{
	struct breaker_policy p = policy_r();

	p.window_seconds = 0;
	p.window_buckets = 0;
	p.consecutive_failures = 1;
	p.half_open_probes = 1;
	p.half_open_failure_rate = 0.01;
	p.open_seconds = 30;
	p.open_factor = 2;
	p.half_open_max_seconds = 1000;
	return p;
}

static void three_trips(struct rig *r)
{
	double open[] = { 30, 60, 120 };
	double t = 0;

	for (int i = 0; i < 3; i++) {
		rig_calls(r, "F");
		assert_int_equal(r->b.state, SG_OPEN);
		assert_int_equal(r->b.deadline_ns - r->now, SECONDS(open[i]));
		t += open[i];
		rig_at(r, t);
		assert_int_equal(r->b.state, SG_HALF_OPEN);
	}
	assert_int_equal(r->e.trips, 3);
	rig_calls(r, "S");
	assert_int_equal(r->b.state, SG_CLOSED);
}

static void test_s23_backoff_and_decay(void **state)
{
	static const struct {
		double closed, next;
	} rows[] = { { 0, 240 },  { 59.999, 240 }, { 60, 120 }, { 119.999, 120 },
		     { 120, 60 }, { 180, 30 },     { 1e6, 30 } };
	struct breaker_policy p = policy_backoff();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rig r;

		rig_init(&r, &p);
		three_trips(&r);
		rig_at(&r, 210 + rows[i].closed);
		rig_calls(&r, "F");
		assert_int_equal(r.b.deadline_ns - r.now, SECONDS(rows[i].next));
		engine_done(&r.e);
	}
}

/* A server that only asks to be called less is opened for as long each time; one that fails
 * besides is not. What is taken back was no trip. */
static void test_limits_do_not_lengthen(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct sg_transition back;
	struct rig r;
	double t = 0;

	(void)state;
	p.consecutive_failures = 3;
	p.window_calls = 4;
	p.min_calls = 4;
	rig_init(&r, &p);
	rig_calls(&r, "Sooo");
	for (int i = 0; i < 5; i++) {
		assert_int_equal(r.b.state, SG_OPEN);
		assert_int_equal(r.b.deadline_ns - r.now, SECONDS(30));
		rig_at(&r, t += 30);
		assert_int_equal(r.b.state, SG_HALF_OPEN);
		rig_calls(&r, "o");
	}
	rig_at(&r, t += 30);
	rig_calls(&r, "F");
	assert_int_equal(r.b.deadline_ns - r.now, SECONDS(30));
	assert_int_equal(r.e.trips, 1);
	assert_int_equal(sg_breaker_reached(&r.b, &r.kernel, r.now, r.b.generation, &back), true);
	rig_moved(&r, &back);
	assert_int_equal(r.e.trips, 0);
	engine_done(&r.e);
}

static void test_cap_holds_and_nothing_overflows(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct sg_transition mv = { .moved = 1, .to = SG_OPEN, .reason = SG_REASON_CONSECUTIVE };
	struct engine e;

	(void)state;
	p.jitter = 0.25;
	assert_int_equal(engine_init(&e, &p, 1, 1), 0);
	for (uint32_t i = 1; i < 5000; i++) {
		uint64_t next = engine_next_open_ns(&e, 0);

		assert_in_range(next, SECONDS(22.5), SECONDS(900));
		if (i > 6)
			assert_int_equal(next, SECONDS(900));
		mv.generation = i;
		engine_transition(&e, &mv);
		assert_int_equal(e.trips, i);
	}
	engine_done(&e);
}

/* The length changes exactly at the announced time, and not before. */
static void test_next_change(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	assert_true(engine_next_change_ns(&r.e, SECONDS(5)) == SG_FOREVER);
	three_trips(&r);
	for (int i = 1; i <= 3; i++) {
		uint64_t at = engine_next_change_ns(&r.e, r.now);

		assert_int_equal(at, SECONDS(210 + 60 * i));
		assert_int_equal(engine_next_open_ns(&r.e, at - 1), SECONDS(30 << (4 - i)));
		assert_int_equal(engine_next_change_ns(&r.e, at - SECONDS(20)), at);
		assert_int_equal(engine_next_open_ns(&r.e, at), SECONDS(30 << (3 - i)));
		r.now = at;
	}
	assert_true(engine_next_change_ns(&r.e, r.now) == SG_FOREVER);
	engine_done(&r.e);
}

/* Time in ramp and closed counts towards decay, open and half-open do not. */
static void test_ramp_counts_as_good_time(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct rig r;

	(void)state;
	p.ramp_seconds = 40;
	rig_init(&r, &p);
	rig_calls(&r, "F");
	assert_true(engine_next_change_ns(&r.e, r.now) == SG_FOREVER);
	rig_at(&r, 500);
	assert_int_equal(r.b.state, SG_HALF_OPEN);
	assert_int_equal(engine_good_ns(&r.e, r.now), 0);
	rig_calls(&r, "S");
	assert_int_equal(r.b.state, SG_RAMP);
	rig_at(&r, 559.999);
	assert_int_equal(r.last.reason, SG_REASON_RAMP_DONE);
	assert_int_equal(engine_trips(&r.e, r.now), 1);
	rig_at(&r, 560);
	assert_int_equal(engine_trips(&r.e, r.now), 0);
	engine_done(&r.e);
}

/* Time closed before a trip forgives nothing of what comes after it. */
static void test_a_trip_uses_good_time_up(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct rig r;

	(void)state;
	p.ramp_seconds = 30;
	rig_init(&r, &p);
	rig_calls(&r, "F");
	rig_at(&r, 30);
	rig_calls(&r, "S");
	rig_at(&r, 85);
	assert_int_equal(engine_good_ns(&r.e, r.now), SECONDS(55));
	rig_calls(&r, "F");
	assert_int_equal(r.e.trips, 2);
	rig_at(&r, 145);
	rig_calls(&r, "S");
	rig_at(&r, 145 + 59);
	assert_int_equal(engine_trips(&r.e, r.now), 2);
	rig_at(&r, 145 + 60);
	assert_int_equal(engine_trips(&r.e, r.now), 1);
	engine_done(&r.e);
}

/* Windows survive the end of the ramp: it starts no generation. */
static void test_ramp_end_keeps_windows(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	p.ramp_seconds = 10;
	rig_init(&r, &p);
	open_at_zero(&r);
	rig_at(&r, 5);
	rig_calls(&r, "SSS");
	assert_int_equal(r.b.state, SG_RAMP);
	rig_at(&r, 14);
	rig_calls(&r, "FF");
	rig_at(&r, 16);
	assert_int_equal(r.b.state, SG_CLOSED);
	check_rates(&r, (double)NAN, 2, 2);
	engine_done(&r.e);
}

static void test_half_open_timeout_without_failure_keeps_n(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct rig r;

	(void)state;
	p.half_open_probes = 4;
	p.half_open_failure_rate = 0.5;
	p.half_open_max_seconds = 10;
	rig_init(&r, &p);
	rig_calls(&r, "F");
	rig_at(&r, 30);
	assert_int_equal(sg_breaker_admit(&r.b, &r.kernel, r.now, 0, true), SG_ALLOW_PROBE);
	rig_at(&r, 40);
	assert_int_equal(r.last.reason, SG_REASON_HALF_OPEN_TIMEOUT);
	assert_int_equal(r.last.deadline_ns, SECONDS(70));
	assert_int_equal(r.e.trips, 1);
	rig_at(&r, 70);
	rig_calls(&r, "F"); /* one of four failed, below the rate */
	rig_at(&r, 80);
	assert_int_equal(r.last.reason, SG_REASON_HALF_OPEN_TIMEOUT);
	assert_int_equal(r.e.trips, 2);
	assert_int_equal(r.last.deadline_ns, SECONDS(80 + 60));
	engine_done(&r.e);
}

static void test_two_reports_of_one_transition(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct sg_transition first;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	rig_calls(&r, "F");
	first = r.last;
	engine_transition(&r.e, &first);
	assert_int_equal(r.e.trips, 1);
	rig_at(&r, 31);
	engine_transition(&r.e, &first);
	assert_int_equal(r.e.state, SG_HALF_OPEN);
	assert_int_equal(r.e.trips, 1);
	first.moved = 0;
	first.generation = 99;
	engine_transition(&r.e, &first);
	assert_int_equal(r.e.state, SG_HALF_OPEN);
	engine_done(&r.e);
}

static void test_shadow_keeps_the_machine_running(void **state)
{
	struct breaker_policy p = policy_r();
	struct sg_transition mv;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	sg_breaker_order(&r.b, &r.kernel, SG_SHADOW, r.now, SG_FOREVER, &mv);
	rig_moved(&r, &mv);
	for (int i = 0; i < 5; i++)
		rig_end(&r, r.b.generation, SG_HARD, false, 0);
	assert_int_equal(r.b.state, SG_OPEN);
	assert_int_equal(r.last.reason, SG_REASON_FAILURE_RATE);
	assert_int_equal(sg_breaker_shown(&r.b), SG_SHADOW);
	assert_int_equal(r.e.trips, 1);
	engine_done(&r.e);
}

static void test_forced_closed_counts_and_never_trips(void **state)
{
	struct breaker_policy p = policy_r();
	struct sg_transition mv;
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	sg_breaker_order(&r.b, &r.kernel, SG_FORCED_CLOSED, r.now, SG_FOREVER, &mv);
	rig_moved(&r, &mv);
	for (int i = 0; i < 6; i++)
		assert_int_equal(engine_outcome(&r.e, r.now, r.b.generation, SG_HARD, false, NULL),
				 SG_REASON_NONE);
	check_rates(&r, 1, 6, 6);
	engine_done(&r.e);
}

/* Equal seeds and servers give equal openings, others do not; the spread is the promised one. */
static void test_jitter(void **state)
{
	struct breaker_policy p = breaker_policy_defaults();
	double low = 1e9, high = 0, sum = 0;
	uint64_t first = 0;
	struct engine e;

	(void)state;
	for (uint32_t server = 0; server < 1000; server++) {
		double seconds;

		assert_int_equal(engine_init(&e, &p, 42, server), 0);
		seconds = (double)engine_next_open_ns(&e, 0) / 1e9;
		low = fmin(low, seconds);
		high = fmax(high, seconds);
		sum += seconds;
		if (!server)
			first = engine_next_open_ns(&e, 0);
		engine_done(&e);
	}
	assert_true(low >= 22.5 && low < 23);
	assert_true(high <= 37.5 && high > 37);
	assert_float_equal(sum / 1000, 30, 0.5);
	assert_int_equal(engine_init(&e, &p, 42, 0), 0);
	assert_int_equal(engine_next_open_ns(&e, 0), first);
	assert_int_equal(engine_next_open_ns(&e, SECONDS(9999)), first);
	e.generation++; /* the next series does not repeat the last one */
	assert_int_not_equal(engine_next_open_ns(&e, 0), first);
	engine_done(&e);
	assert_int_equal(engine_init(&e, &p, 43, 0), 0);
	assert_int_not_equal(engine_next_open_ns(&e, 0), first);
	engine_done(&e);
}

static void test_restore(void **state)
{
	struct breaker_policy p = policy_backoff();
	struct sg_breaker b = { .state = SG_CLOSED, .generation = 9, .since_ns = SECONDS(100) };
	struct engine e;

	(void)state;
	assert_int_equal(engine_init(&e, &p, 1, 1), 0);
	/* saved after 50 s closed, away for 10 s: a minute is forgiven */
	engine_restore(&e, &b, 2, SECONDS(50), SECONDS(150));
	assert_int_equal(e.generation, 9);
	assert_int_equal(engine_trips(&e, SECONDS(160) - 1), 2);
	assert_int_equal(engine_trips(&e, SECONDS(160)), 1);
	/* it opened while nobody watched: only what was saved counts */
	b.state = SG_OPEN;
	b.since_ns = SECONDS(300);
	engine_restore(&e, &b, 2, SECONDS(50), SECONDS(150));
	assert_int_equal(engine_good_ns(&e, SECONDS(400)), SECONDS(50));
	assert_true(engine_next_change_ns(&e, SECONDS(400)) == SG_FOREVER);
	engine_done(&e);
}

static void test_new_policy(void **state)
{
	struct breaker_policy p = policy_r();
	struct rig r;

	(void)state;
	rig_init(&r, &p);
	rig_calls(&r, "FFF");
	p.open_seconds = 7;
	assert_int_equal(engine_set_policy(&r.e, &p), 0);
	check_rates(&r, (double)NAN, 3, 3);
	assert_int_equal(engine_next_open_ns(&r.e, 0), SECONDS(7));
	p.window_buckets = 10;
	assert_int_equal(engine_set_policy(&r.e, &p), 0);
	check_rates(&r, (double)NAN, 0, 0);
	p.window_calls = 50;
	assert_int_equal(engine_set_policy(&r.e, &p), 0);
	rig_calls(&r, "F");
	check_rates(&r, (double)NAN, 1, 1);
	engine_done(&r.e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_s1_success_that_crosses),
		cmocka_unit_test(test_s2_one_a_second),
		cmocka_unit_test(test_s3_half_open_after_the_deadline),
		cmocka_unit_test(test_s4_backoff_after_a_failed_half_open),
		cmocka_unit_test(test_s12_reset_empties),
		cmocka_unit_test(test_s16_stale_generations_change_nothing),
		cmocka_unit_test(test_s18_nothing_recorded_never_trips),
		cmocka_unit_test(test_s19_bursts_equal_trickles),
		cmocka_unit_test(test_s20_idle_longer_than_the_window),
		cmocka_unit_test(test_s21_soft_failures_trip_by_rate),
		cmocka_unit_test(test_s22_precedence_of_reasons),
		cmocka_unit_test(test_failure_rate_of_any_window_goes_first),
		cmocka_unit_test(test_s23_backoff_and_decay),
		cmocka_unit_test(test_limits_do_not_lengthen),
		cmocka_unit_test(test_cap_holds_and_nothing_overflows),
		cmocka_unit_test(test_next_change),
		cmocka_unit_test(test_ramp_counts_as_good_time),
		cmocka_unit_test(test_a_trip_uses_good_time_up),
		cmocka_unit_test(test_ramp_end_keeps_windows),
		cmocka_unit_test(test_half_open_timeout_without_failure_keeps_n),
		cmocka_unit_test(test_two_reports_of_one_transition),
		cmocka_unit_test(test_shadow_keeps_the_machine_running),
		cmocka_unit_test(test_forced_closed_counts_and_never_trips),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_new_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
