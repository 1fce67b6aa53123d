/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "io/loop.h"

struct fixture {
	struct loop *loop;
	struct loop_source *a;
	struct loop_source *b;
	struct loop_timer *timer;
	int pipe_a[2];
	int pipe_b[2];
	int calls;
	uint64_t fired_ns;
	int signal;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(loop_new(&f->loop), 0);
	assert_int_equal(pipe2(f->pipe_a, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(pipe2(f->pipe_b, O_NONBLOCK | O_CLOEXEC), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	close(f->pipe_a[0]);
	close(f->pipe_a[1]);
	close(f->pipe_b[0]);
	close(f->pipe_b[1]);
	free(f);
	return 0;
}

static void drain(void *data)
{
	struct fixture *f = data;
	char c;

	assert_int_equal(read(f->pipe_a[0], &c, 1), 1);
	f->calls++;
}

static void delivers_and_stops_delivering(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_fd(f->loop, f->pipe_a[0], drain, f, &f->a), 0);
	assert_int_equal(write(f->pipe_a[1], "xyz", 3), 3);
	assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_int_equal(f->calls, 1); /* level-triggered: one call a turn */
	assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_int_equal(f->calls, 2);
	loop_del(f->a);
	loop_del(f->a); /* twice before the turn ends is harmless */
	assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_int_equal(f->calls, 2);
}

static void rejects_what_epoll_rejects(void **state)
{
	struct fixture *f = *state;
	struct loop_source *none = NULL;

	assert_int_equal(loop_add_fd(f->loop, -1, drain, f, &none), -EBADF);
	assert_null(none);
	assert_int_equal(loop_add_fd(f->loop, f->pipe_a[0], drain, f, &f->a), 0);
	assert_int_equal(loop_add_fd(f->loop, f->pipe_a[0], drain, f, &none), -EEXIST);
	loop_del(NULL);
}

static void remove_both(void *data)
{
	struct fixture *f = data;

	f->calls++;
	loop_del(f->a);
	loop_del(f->b);
}

/* Both are ready in one batch; whichever comes first removes both (L1). */
static void removal_inside_a_callback_holds_for_the_batch(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_add_fd(f->loop, f->pipe_a[0], remove_both, f, &f->a), 0);
	assert_int_equal(loop_add_fd(f->loop, f->pipe_b[0], remove_both, f, &f->b), 0);
	assert_int_equal(write(f->pipe_a[1], "x", 1), 1);
	assert_int_equal(write(f->pipe_b[1], "x", 1), 1);
	assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_int_equal(f->calls, 1);
}

static void note_time(void *data)
{
	struct fixture *f = data;

	f->calls++;
	f->fired_ns = clock_boot_ns();
	loop_stop(f->loop, 7);
}

static void timer_fires_once_and_not_early(void **state)
{
	struct fixture *f = *state;
	uint64_t due = clock_boot_ns() + 20 * NS_PER_MS;

	assert_int_equal(loop_timer_new(f->loop, note_time, f, &f->timer), 0);
	loop_timer_set(f->timer, due + NS_PER_SEC);
	loop_timer_set(f->timer, due);
	assert_int_equal(loop_run(f->loop), 7);
	assert_int_equal(f->calls, 1);
	assert_true(f->fired_ns >= due);
	assert_true(f->fired_ns < due + 500 * NS_PER_MS);
	assert_int_equal(loop_turn(f->loop, 30), 0);
	assert_int_equal(f->calls, 1); /* L3 */
}

static void timer_of_the_past_fires_in_the_next_turn(void **state)
{
	struct fixture *f = *state;

	uint64_t begin = clock_boot_ns();

	assert_int_equal(loop_timer_new(f->loop, note_time, f, &f->timer), 0);
	loop_timer_set(f->timer, 0);
	assert_int_equal(loop_turn(f->loop, 2000), 0);
	assert_int_equal(f->calls, 1);
	loop_timer_set(f->timer, 1);
	assert_int_equal(loop_turn(f->loop, 2000), 0);
	assert_int_equal(f->calls, 2);
	assert_true(clock_boot_ns() - begin < NS_PER_SEC);
}

static void timer_can_be_turned_off_and_freed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_timer_new(f->loop, note_time, f, &f->timer), 0);
	loop_timer_set(f->timer, clock_boot_ns() + 5 * NS_PER_MS);
	loop_timer_off(f->timer);
	assert_int_equal(loop_turn(f->loop, 20), 0);
	assert_int_equal(f->calls, 0);
	loop_timer_set(f->timer, clock_boot_ns());
	loop_timer_free(f->timer);
	assert_int_equal(loop_turn(f->loop, 20), 0);
	assert_int_equal(f->calls, 0);
	loop_timer_free(NULL);
}

static void later_timer_waits_behind_an_earlier_one(void **state)
{
	struct fixture *f = *state;
	struct loop_timer *early = NULL;
	uint64_t now = clock_boot_ns();

	assert_int_equal(loop_timer_new(f->loop, note_time, f, &f->timer), 0);
	assert_int_equal(loop_timer_new(f->loop, note_time, f, &early), 0);
	loop_timer_set(f->timer, now + 40 * NS_PER_MS);
	loop_timer_set(early, now + 5 * NS_PER_MS);
	assert_int_equal(loop_run(f->loop), 7);
	assert_int_equal(f->calls, 1);
	assert_true(f->fired_ns < now + 40 * NS_PER_MS);
	assert_int_equal(loop_run(f->loop), 7);
	assert_int_equal(f->calls, 2);
	assert_true(f->fired_ns >= now + 40 * NS_PER_MS);
}

static void nearer_setting_replaces_one_that_is_armed(void **state)
{
	struct fixture *f = *state;
	uint64_t begin = clock_boot_ns();

	assert_int_equal(loop_timer_new(f->loop, note_time, f, &f->timer), 0);
	loop_timer_set(f->timer, begin + 5 * NS_PER_SEC);
	assert_int_equal(loop_turn(f->loop, 0), 0);
	loop_timer_set(f->timer, begin + 5 * NS_PER_MS);
	assert_int_equal(loop_turn(f->loop, 2000), 0);
	assert_int_equal(f->calls, 1);
	assert_true(f->fired_ns - begin < NS_PER_SEC);
}

static void nap(void *data)
{
	const struct timespec ms = { .tv_nsec = 30 * (long)NS_PER_MS };

	(void)data;
	nanosleep(&ms, NULL);
}

/* Waiting is none of it, and what was long once stays known. */
static void knows_its_longest_turn(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_longest_ns(f->loop), 0);
	assert_int_equal(loop_turn(f->loop, 30), 0);
	assert_true(loop_longest_ns(f->loop) < 20 * NS_PER_MS);
	assert_int_equal(loop_timer_new(f->loop, nap, f, &f->timer), 0);
	loop_timer_set(f->timer, clock_boot_ns());
	assert_int_equal(loop_turn(f->loop, 1000), 0);
	assert_true(loop_longest_ns(f->loop) >= 30 * NS_PER_MS);
	assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_true(loop_longest_ns(f->loop) >= 30 * NS_PER_MS);
}

static void note_signal(void *data, int signal)
{
	struct fixture *f = data;

	f->signal = signal;
	f->calls++;
}

static void signals_come_as_events(void **state)
{
	struct fixture *f = *state;
	sigset_t mask;

	assert_int_equal(loop_add_signal(f->loop, SIGHUP, note_signal, f), 0);
	assert_int_equal(loop_add_signal(f->loop, SIGTERM, note_signal, f), 0);
	assert_int_equal(loop_add_signal(f->loop, SIGHUP, note_signal, f), -EEXIST);
	assert_int_equal(loop_add_signal(f->loop, 0, note_signal, f), -EINVAL);
	assert_int_equal(loop_add_signal(f->loop, NSIG, note_signal, f), -EINVAL);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	assert_int_equal(loop_turn(f->loop, 1000), 0);
	assert_int_equal(f->signal, SIGHUP);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	assert_int_equal(loop_turn(f->loop, 1000), 0);
	assert_int_equal(f->signal, SIGTERM);
	assert_int_equal(f->calls, 2);
	loop_free(TAKE_PTR(f->loop));
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
	assert_false(sigismember(&mask, SIGHUP));
	assert_int_equal(loop_new(&f->loop), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(delivers_and_stops_delivering),
		TEST(rejects_what_epoll_rejects),
		TEST(removal_inside_a_callback_holds_for_the_batch),
		TEST(timer_fires_once_and_not_early),
		TEST(timer_of_the_past_fires_in_the_next_turn),
		TEST(timer_can_be_turned_off_and_freed),
		TEST(later_timer_waits_behind_an_earlier_one),
		TEST(nearer_setting_replaces_one_that_is_armed),
		TEST(knows_its_longest_turn),
		TEST(signals_come_as_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
