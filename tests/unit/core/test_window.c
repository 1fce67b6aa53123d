/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/window.h"

#include <math.h>
#include <string.h>

#include "unit/unit.h"

static void check(struct window_counts got, uint32_t calls, uint32_t failed, uint32_t slow)
{
	assert_int_equal(got.calls, calls);
	assert_int_equal(got.failed, failed);
	assert_int_equal(got.slow, slow);
}

static void count_add(struct count_window *w, uint64_t now, const char *outcomes)
{
	for (; *outcomes; outcomes++)
		count_window_add(w, now, *outcomes == 'F', false);
}

/* Scenario 13 of the conformance list. */
static void test_count_window_keeps_the_last(void **state)
{
	struct count_window w;
	struct window_rates rates;

	(void)state;
	assert_int_equal(count_window_init(&w, 10, 0), 0);
	count_add(&w, 1, "SSFF");
	rates = window_rates(count_window_counts(&w, 1), 10);
	assert_true(isnan(rates.failure_rate) && isnan(rates.slow_rate));
	assert_int_equal(rates.counts.calls, 4);
	count_add(&w, 2, "FFFFSSSS");
	rates = window_rates(count_window_counts(&w, 2), 10);
	check(rates.counts, 10, 6, 0);
	assert_double(rates.failure_rate, 0.6);
	count_add(&w, 3, "SSS");
	assert_double(window_rates(count_window_counts(&w, 3), 10).failure_rate, 0.3);
	count_window_clear(&w);
	check(count_window_counts(&w, 4), 0, 0, 0);
	count_window_done(&w);
}

static void test_count_window_age(void **state)
{
	struct count_window w;

	(void)state;
	assert_int_equal(count_window_init(&w, 4, SECONDS(10)), 0);
	count_window_add(&w, SECONDS(1), true, false);
	count_window_add(&w, SECONDS(5), false, true);
	check(count_window_counts(&w, SECONDS(11)), 2, 1, 1);
	check(count_window_counts(&w, SECONDS(11) + 1), 1, 0, 1);
	/* a record from before the newest one counts as that one, and nothing comes back */
	count_window_add(&w, SECONDS(2), true, true);
	check(count_window_counts(&w, SECONDS(3)), 2, 1, 2);
	check(count_window_counts(&w, SECONDS(15) + 1), 1, 1, 1);
	check(count_window_counts(&w, SECONDS(21) + 2), 0, 0, 0);
	count_window_done(&w);
}

static void test_count_window_without_age(void **state)
{
	struct count_window w;

	(void)state;
	assert_int_equal(count_window_init(&w, 2, 0), 0);
	count_window_add(&w, 0, true, true);
	check(count_window_counts(&w, SECONDS(1e9)), 1, 1, 1);
	count_window_done(&w);
}

/* Scenario 14: five buckets of a second on absolute time. */
static void test_time_window_buckets_are_absolute(void **state)
{
	struct time_window w;

	(void)state;
	assert_int_equal(time_window_init(&w, 5, SECONDS(1)), 0);
	time_window_add(&w, 0, true, false);
	time_window_add(&w, SECONDS(0.1), false, false);
	time_window_add(&w, SECONDS(0.8), true, true);
	check(time_window_counts(&w, SECONDS(4.8)), 3, 2, 1);
	check(time_window_counts(&w, SECONDS(5) - 1), 3, 2, 1);
	check(time_window_counts(&w, SECONDS(5)), 0, 0, 0);
	/* the first outcome comes late in its bucket: the bucket ends all the same */
	time_window_add(&w, SECONDS(7.9), true, false);
	check(time_window_counts(&w, SECONDS(11.9)), 1, 1, 0);
	check(time_window_counts(&w, SECONDS(12)), 0, 0, 0);
	time_window_done(&w);
}

static void test_time_window_slides_one_bucket_at_a_time(void **state)
{
	struct time_window w;

	(void)state;
	assert_int_equal(time_window_init(&w, 3, 10), 0);
	for (uint64_t t = 1000; t < 1060; t += 10)
		time_window_add(&w, t, t % 20 == 0, false);
	check(time_window_counts(&w, 1059), 3, 1, 0);
	time_window_add(&w, 5, true, true); /* late record: into the newest bucket */
	check(time_window_counts(&w, 1060), 3, 2, 1);
	check(time_window_counts(&w, 1070), 2, 1, 1);
	check(time_window_counts(&w, 1080), 0, 0, 0);
	time_window_add(&w, UINT64_MAX, true, false);
	check(time_window_counts(&w, UINT64_MAX), 1, 1, 0);
	time_window_clear(&w);
	check(time_window_counts(&w, UINT64_MAX), 0, 0, 0);
	time_window_done(&w);
}

static void test_windows_that_are_off(void **state)
{
	struct count_window count;
	struct time_window time;

	(void)state;
	assert_int_equal(count_window_init(&count, 0, SECONDS(1)), 0);
	assert_int_equal(time_window_init(&time, 0, 0), 0);
	count_window_add(&count, 1, true, true);
	time_window_add(&time, 1, true, true);
	check(count_window_counts(&count, 2), 0, 0, 0);
	check(time_window_counts(&time, 2), 0, 0, 0);
	count_window_clear(&count);
	time_window_clear(&time);
	count_window_done(&count);
	time_window_done(&time);
}

struct record {
	uint64_t t;
	bool failed;
	bool slow;
};

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

/* Both windows against counting everything anew, over random steps. */
/* A failure of before turns out to have been a call that did not fail. */
static void correct(struct count_window *count, struct time_window *time, struct record *all, int j)
{
	bool slow = random_below(2);

	if (j < 0 || !all[j].failed)
		return;
	count_window_correct(count, all[j].t, slow);
	time_window_correct(time, all[j].t, all[j].slow, slow);
	all[j].failed = false;
	all[j].slow = slow;
}

static void test_against_a_naive_count(void **state)
{
	enum {
		N = 3000,
		CAPACITY = 7,
		AGE = 50,
		BUCKETS = 6,
		WIDTH = 13
	};
	static struct record all[N];
	struct count_window count;
	struct time_window time;
	uint64_t now = 1000;

	(void)state;
	assert_int_equal(count_window_init(&count, CAPACITY, AGE), 0);
	assert_int_equal(time_window_init(&time, BUCKETS, WIDTH), 0);
	for (int i = 0; i < N; i++) {
		struct window_counts last = { 0 }, recent = { 0 };

		now += 1 + (random_below(4) ? random_below(8) : random_below(150));
		all[i] = (struct record){ now, random_below(2), random_below(3) == 0 };
		count_window_add(&count, now, all[i].failed, all[i].slow);
		time_window_add(&time, now, all[i].failed, all[i].slow);
		if (random_below(3) == 0)
			correct(&count, &time, all, i - (int)random_below(12));
		now += random_below(3) ? 0 : random_below(60);
		for (int j = 0; j <= i; j++) {
			if (j > i - CAPACITY && now - all[j].t <= AGE) {
				last.calls++;
				last.failed += all[j].failed;
				last.slow += all[j].slow;
			}
			if (now / WIDTH - all[j].t / WIDTH < BUCKETS) {
				recent.calls++;
				recent.failed += all[j].failed;
				recent.slow += all[j].slow;
			}
		}
		check(count_window_counts(&count, now), last.calls, last.failed, last.slow);
		check(time_window_counts(&time, now), recent.calls, recent.failed, recent.slow);
	}
	count_window_done(&count);
	time_window_done(&time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_window_keeps_the_last),
		cmocka_unit_test(test_count_window_age),
		cmocka_unit_test(test_count_window_without_age),
		cmocka_unit_test(test_time_window_buckets_are_absolute),
		cmocka_unit_test(test_time_window_slides_one_bucket_at_a_time),
		cmocka_unit_test(test_windows_that_are_off),
		cmocka_unit_test(test_against_a_naive_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
