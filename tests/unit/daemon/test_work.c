/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Jobs with real children, in a loop that nothing else is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "daemon/work.h"
#include "fake/clock.h"

#define JOBS 4

struct ended {
	struct fixture *f;
	int n;     /* how often its callback came */
	int order; /* its place among them */
	int r;
	bool result;
	int value;
};

struct fixture {
	struct daemon d;
	struct work *work;
	struct work_job *job[JOBS];
	struct ended ended[JOBS];
	int n_ended;
	int pair[2];
};

/* The one descriptor that a child is to have here. */
size_t dataplane_child_fds(const struct dataplane *dp, int *ret, size_t max)
{
	assert_true(max >= DATAPLANE_FDS_MAX);
	*ret = *(const int *)(const void *)dp;
	return 1;
}

/* --- what children do ----------------------------------------------------------- */

struct task {
	int ms;
	int value;
	int fd; /* -1: none; a byte is written to it */
};

static int task_run(void *data, void *result, size_t size)
{
	const struct task *t = data;
	const struct timespec nap = { .tv_sec = t->ms / 1000,
				      .tv_nsec = t->ms % 1000 * (long)NS_PER_MS };

	if (size != sizeof(int))
		return -EINVAL;
	if (t->fd >= 0 && write(t->fd, "x", 1) != 1)
		return -errno;
	nanosleep(&nap, NULL);
	if (t->value < 0)
		raise(SIGKILL);
	*(int *)result = t->value;
	return t->value == 13 ? -EPERM : 0;
}

static void on_done(void *owner, int r, const void *result)
{
	struct ended *e = owner;

	e->n++;
	e->order = e->f->n_ended++;
	e->r = r;
	e->result = result;
	e->value = result ? *(const int *)result : 0;
}

static void add(struct fixture *f, int i, struct task task, uint64_t run_ns, uint64_t by_ns)
{
	const struct work_order order = { .name = "work-test",
					  .fn = task_run,
					  .data = &task,
					  .data_len = sizeof(task),
					  .size = sizeof(int),
					  .run_ns = run_ns,
					  .by_ns = by_ns,
					  .done = on_done,
					  .owner = &f->ended[i] };

	f->ended[i].f = f;
	assert_int_equal(work_add(f->work, &order, &f->job[i]), 0);
}

static void turn_until(struct fixture *f, int n)
{
	uint64_t until = clock_boot_ns() + 20 * NS_PER_SEC;

	while (f->n_ended < n && clock_boot_ns() < until)
		assert_int_equal(loop_turn(f->d.loop, 1000), 0);
	assert_int_equal(f->n_ended, n);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(pipe(f->pair), 0);
	f->d.dp = (struct dataplane *)(void *)&f->pair[1];
	assert_int_equal(loop_new(&f->d.loop), 0);
	assert_int_equal(work_new(&f->d, &f->work), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	work_free(f->work);
	loop_free(f->d.loop);
	close(f->pair[0]);
	close(f->pair[1]);
	free(f);
	return 0;
}

/* --- tests ------------------------------------------------------------------------ */

static void hands_over_results_in_order(void **state)
{
	struct fixture *f = *state;
	char byte = 0;

	add(f, 0, (struct task){ 30, 5, f->pair[1] }, SG_FOREVER, SG_FOREVER);
	add(f, 1, (struct task){ 0, 13, -1 }, SG_FOREVER, SG_FOREVER);
	add(f, 2, (struct task){ 0, 7, -1 }, SG_FOREVER, SG_FOREVER);
	assert_int_equal(f->n_ended, 0);
	turn_until(f, 3);
	assert_int_equal(read(f->pair[0], &byte, 1), 1); /* it had its descriptor */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(f->ended[i].n, 1);
		assert_int_equal(f->ended[i].order, i);
		assert_true(f->ended[i].result);
	}
	assert_int_equal(f->ended[0].value, 5);
	assert_int_equal(f->ended[1].r, -EPERM);
	assert_int_equal(f->ended[1].value, 13);
	assert_int_equal(f->ended[2].r, 0);
	assert_int_equal(f->ended[2].value, 7);
}

static void who_dies_or_is_late_has_no_result(void **state)
{
	struct fixture *f = *state;

	add(f, 0, (struct task){ 0, -1, -1 }, SG_FOREVER, SG_FOREVER);
	add(f, 1, (struct task){ 60000, 1, -1 }, 20 * NS_PER_MS, SG_FOREVER);
	add(f, 2, (struct task){ 0, 2, -1 }, SG_FOREVER, SG_FOREVER);
	turn_until(f, 3);
	assert_int_equal(f->ended[0].r, -EOWNERDEAD);
	assert_false(f->ended[0].result);
	assert_int_equal(f->ended[1].r, -ETIMEDOUT);
	assert_false(f->ended[1].result);
	assert_int_equal(f->ended[2].value, 2);
}

/* Its time is over, whether it has begun or not; the one before it goes on. */
static void who_waits_too_long_is_told(void **state)
{
	struct fixture *f = *state;
	uint64_t start = clock_boot_ns();

	add(f, 0, (struct task){ 60000, 1, -1 }, SG_FOREVER, SG_FOREVER);
	add(f, 1, (struct task){ 0, 2, -1 }, SG_FOREVER, start + 30 * NS_PER_MS);
	add(f, 2, (struct task){ 0, 3, -1 }, SG_FOREVER, SG_FOREVER);
	turn_until(f, 1);
	assert_int_equal(f->ended[1].r, -ETIMEDOUT);
	assert_true(clock_boot_ns() - start < 10 * NS_PER_SEC);
	work_cancel(f->job[0]);
	turn_until(f, 2);
	assert_int_equal(f->ended[2].value, 3);
	assert_int_equal(f->ended[0].n, 0);
}

static void who_is_cancelled_is_not_called(void **state)
{
	struct fixture *f = *state;

	work_cancel(NULL);
	add(f, 0, (struct task){ 0, 1, -1 }, SG_FOREVER, SG_FOREVER);
	add(f, 1, (struct task){ 0, 2, -1 }, SG_FOREVER, SG_FOREVER);
	add(f, 2, (struct task){ 0, 3, -1 }, SG_FOREVER, SG_FOREVER);
	work_cancel(f->job[1]);
	work_cancel(f->job[0]);
	turn_until(f, 1);
	assert_int_equal(f->ended[2].value, 3);
	assert_int_equal(loop_turn(f->d.loop, 20), 0);
	assert_int_equal(f->n_ended, 1);
	add(f, 3, (struct task){ 60000, 4, -1 }, SG_FOREVER, SG_FOREVER);
	assert_int_equal(loop_turn(f->d.loop, 1000), 0); /* it runs, and ends with the fixture */
}

static void can_be_waited_for(void **state)
{
	struct fixture *f = *state;

	add(f, 0, (struct task){ 10, 1, -1 }, SG_FOREVER, SG_FOREVER);
	work_wait(f->work, clock_boot_ns() + 10 * NS_PER_SEC);
	assert_int_equal(f->ended[0].value, 1);
	add(f, 1, (struct task){ 60000, 1, -1 }, SG_FOREVER, SG_FOREVER);
	work_wait(f->work, clock_boot_ns() + 20 * NS_PER_MS);
	assert_int_equal(f->n_ended, 1);
}

static void refuses_what_is_too_large(void **state)
{
	struct fixture *f = *state;
	struct work_order order = { .fn = task_run, .data = "", .done = on_done };

	order.data_len = WORK_DATA_MAX + 1;
	assert_int_equal(work_add(f->work, &order, &f->job[0]), -EINVAL);
	order.data_len = 0;
	order.size = CHILD_RESULT_MAX + 1;
	assert_int_equal(work_add(f->work, &order, &f->job[0]), -EINVAL);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(hands_over_results_in_order), TEST(who_dies_or_is_late_has_no_result),
		TEST(who_waits_too_long_is_told),  TEST(who_is_cancelled_is_not_called),
		TEST(can_be_waited_for),           TEST(refuses_what_is_too_large),
	};

	fake_clock_live(); /* children are real */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
