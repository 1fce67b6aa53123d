/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "io/child.h"
#include "io/loop.h"

#define SOON (clock_boot_ns() + 5 * NS_PER_SEC)

struct answer {
	int a;
	char text[100];
	pid_t pid;
};

/* As a loop does: by the descriptor and the time only. */
static enum child_state wait_end(struct child *child)
{
	for (;;) {
		struct pollfd p = { .fd = child_fd(child), .events = POLLIN };
		enum child_state state = child_run(child);
		uint64_t due = child_due_ns(child);
		uint64_t now = clock_boot_ns();

		if (state != CHILD_RUNNING)
			return state;
		if (due != UINT64_MAX)
			due = due < now ? 0 : (due - now) / NS_PER_MS + 1;
		poll(&p, 1, due == UINT64_MAX ? -1 : (int)due);
	}
}

/* No child is left, not as a zombie either. */
static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static int fill(void *data, void *result, size_t size)
{
	struct answer *answer = result;

	if (size != sizeof(*answer) || answer->a)
		return -1;
	answer->a = *(int *)data + 1;
	answer->pid = getpid();
	snprintf(answer->text, sizeof(answer->text), "from the child");
	*(int *)data = 0; /* its copy */
	return -42;
}

static void result_comes_back(void **state)
{
	int number = 6;
	const struct child_job job = { .name = "sg-test",
				       .fn = fill,
				       .data = &number,
				       .size = sizeof(struct answer),
				       .deadline_ns = SOON };
	struct child *child;
	const struct answer *answer;
	int r = 0;

	(void)state;
	assert_int_equal(child_start(&job, &child), 0);
	assert_true(child_due_ns(child) == job.deadline_ns);
	assert_null(child_result(child, &r));
	assert_int_equal(wait_end(child), CHILD_DONE);
	assert_int_equal(child_run(child), CHILD_DONE);
	assert_true(child_due_ns(child) == UINT64_MAX);
	answer = child_result(child, &r);
	assert_non_null(answer);
	assert_int_equal(r, -42);
	assert_int_equal(answer->a, 7);
	assert_string_equal(answer->text, "from the child");
	assert_int_not_equal(answer->pid, getpid());
	assert_int_equal(number, 6);
	child_free(child);
	assert_no_child();
}

static int fill_bytes(void *data, void *result, size_t size)
{
	(void)data;
	memset(result, 'z', size);
	return 0;
}

static void sizes_from_none_to_the_maximum(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 4097, CHILD_RESULT_MAX };
	struct child_job job = { .fn = fill_bytes, .deadline_ns = UINT64_MAX };
	struct child *child = NULL;
	int r = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const char *result;

		job.size = sizes[i];
		assert_int_equal(child_start(&job, &child), 0);
		assert_int_equal(wait_end(child), CHILD_DONE);
		result = child_result(child, &r);
		assert_non_null(result);
		assert_int_equal(r, 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(result[k], 'z');
		child_free(child);
	}
	job.size = CHILD_RESULT_MAX + 1;
	assert_int_equal(child_start(&job, &child), -E2BIG);
	job.fn = NULL;
	assert_int_equal(child_start(&job, &child), -EINVAL);
	assert_no_child();
}

static int die(void *data, void *result, size_t size)
{
	(void)result;
	(void)size;
	if (*(int *)data)
		raise(*(int *)data);
	_exit(3);
}

static void death_is_told_from_a_result(void **state)
{
	int signal = 0;
	const struct child_job job = { .fn = die, .data = &signal, .size = 8, .deadline_ns = SOON };
	struct child *child;
	int r;

	(void)state;
	assert_int_equal(child_start(&job, &child), 0);
	assert_int_equal(wait_end(child), CHILD_DIED);
	assert_true(WIFEXITED(child_status(child)) && WEXITSTATUS(child_status(child)) == 3);
	assert_null(child_result(child, &r));
	child_free(child);
	signal = SIGTERM;
	assert_int_equal(child_start(&job, &child), 0);
	assert_int_equal(wait_end(child), CHILD_DIED);
	assert_true(WIFSIGNALED(child_status(child)));
	assert_int_equal(WTERMSIG(child_status(child)), SIGTERM);
	child_free(child);
	assert_no_child();
}

static int hang(void *data, void *result, size_t size)
{
	(void)data;
	(void)result;
	(void)size;
	pause();
	return 0;
}

static void deadline_ends_it(void **state)
{
	uint64_t begin = clock_boot_ns();
	const struct child_job job = { .fn = hang,
				       .size = 8,
				       .deadline_ns = begin + 50 * NS_PER_MS };
	struct child *child;
	int r;

	(void)state;
	assert_int_equal(child_start(&job, &child), 0);
	assert_int_equal(child_run(child), CHILD_RUNNING);
	assert_int_equal(wait_end(child), CHILD_TIMED_OUT);
	assert_true(clock_boot_ns() - begin >= 50 * NS_PER_MS);
	assert_true(clock_boot_ns() - begin < NS_PER_SEC);
	assert_null(child_result(child, &r));
	child_free(child);
	assert_no_child();
}

/* It was in time, and nobody looked until the deadline was over. */
static void a_complete_result_counts_however_late_it_is_read(void **state)
{
	const struct child_job job = { .fn = fill_bytes,
				       .size = 8,
				       .deadline_ns = clock_boot_ns() + 20 * NS_PER_MS };
	struct pollfd p = { .events = POLLIN };
	struct child *child;
	int r = 1;

	(void)state;
	assert_int_equal(child_start(&job, &child), 0);
	p.fd = child_fd(child);
	assert_int_equal(poll(&p, 1, 5000), 1);
	usleep(30000);
	assert_int_equal(child_run(child), CHILD_DONE);
	assert_memory_equal(child_result(child, &r), "zzzzzzzz", 8);
	child_free(child);
}

static void one_that_runs_is_ended_by_free(void **state)
{
	const struct child_job job = { .fn = hang, .deadline_ns = UINT64_MAX };
	struct child *child;

	(void)state;
	assert_int_equal(child_start(&job, &child), 0);
	child_free(child);
	child_free(NULL);
	assert_no_child();
}

struct insight {
	bool blocked;
	bool ignores_int;
	bool handles_usr1;
	bool has_kept;
	bool has_other;
	bool has_high;
};

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int look(void *data, void *result, size_t size)
{
	const int *fds = data;
	struct insight *in = result;
	struct sigaction action;
	sigset_t mask;

	(void)size;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int s = 1; s < NSIG; s++)
		in->blocked |= sigismember(&mask, s) == 1;
	sigaction(SIGINT, NULL, &action);
	in->ignores_int = action.sa_handler == SIG_IGN;
	sigaction(SIGUSR1, NULL, &action);
	in->handles_usr1 = action.sa_handler != SIG_DFL;
	in->has_kept = is_open(fds[0]);
	in->has_other = is_open(fds[1]);
	in->has_high = is_open(fds[2]);
	return 0;
}

static void on_usr1(int signal)
{
	(void)signal;
}

static void on_term(void *data, int signal)
{
	(void)data;
	(void)signal;
}

/* Nothing of the daemon's is in its way, nor in the way of the daemon. */
static void child_keeps_only_what_it_needs(void **state)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	int fds[3] = { open("/dev/null", O_RDONLY | O_CLOEXEC),
		       open("/dev/null", O_RDONLY | O_CLOEXEC), -1 };
	const struct child_job job = { .fn = look,
				       .data = fds,
				       .size = sizeof(struct insight),
				       .deadline_ns = SOON,
				       .keep = fds,
				       .n_keep = 1 };
	const struct insight *in;
	struct child *child;
	sigset_t before;
	sigset_t after;
	int r;

	(void)state;
	fds[2] = fcntl(fds[1], F_DUPFD_CLOEXEC, 500);
	assert_true(fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(loop_add_signal(loop, SIGTERM, on_term, NULL), 0);
	signal(SIGUSR1, on_usr1);
	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(child_start(&job, &child), 0);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int s = 1; s < NSIG; s++)
		assert_int_equal(sigismember(&before, s), sigismember(&after, s));
	assert_int_equal(wait_end(child), CHILD_DONE);
	in = child_result(child, &r);
	assert_non_null(in);
	assert_false(in->blocked);
	assert_true(in->ignores_int);
	assert_false(in->handles_usr1);
	assert_true(in->has_kept);
	assert_false(in->has_other);
	assert_false(in->has_high);
	assert_true(is_open(fds[0]) && is_open(fds[1]) && is_open(fds[2]));
	child_free(child);
	signal(SIGUSR1, SIG_DFL);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

struct looped {
	struct loop *loop;
	struct loop_source *source;
	struct child *child;
	enum child_state state;
	unsigned int ticks;
	struct loop_timer *tick;
};

static void on_child(void *data)
{
	struct looped *l = data;

	l->state = child_run(l->child);
	if (l->state == CHILD_RUNNING)
		return;
	loop_del(l->source);
	loop_stop(l->loop, 0);
}

static void on_tick(void *data)
{
	struct looped *l = data;

	l->ticks++;
	loop_timer_set(l->tick, clock_boot_ns() + 5 * NS_PER_MS);
}

static int sleep_a_little(void *data, void *result, size_t size)
{
	(void)data;
	(void)result;
	(void)size;
	usleep(100000);
	return 5;
}

static void loop_goes_on_meanwhile(void **state)
{
	const struct child_job job = { .fn = sleep_a_little, .deadline_ns = SOON };
	struct looped l = { 0 };
	int r;

	(void)state;
	assert_int_equal(loop_new(&l.loop), 0);
	assert_int_equal(loop_timer_new(l.loop, on_tick, &l, &l.tick), 0);
	on_tick(&l);
	assert_int_equal(child_start(&job, &l.child), 0);
	assert_int_equal(loop_add_fd(l.loop, child_fd(l.child), on_child, &l, &l.source), 0);
	assert_int_equal(loop_run(l.loop), 0);
	assert_int_equal(l.state, CHILD_DONE);
	assert_non_null(child_result(l.child, &r));
	assert_int_equal(r, 5);
	assert_true(l.ticks > 3);
	child_free(l.child);
	loop_free(l.loop);
}

/* Who starts it dies: so does the child, and its end of a pipe with it. */
static void it_dies_with_its_parent(void **state)
{
	int out[2];
	struct pollfd p = { .events = POLLIN };
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		const struct child_job job = {
			.fn = hang, .deadline_ns = UINT64_MAX, .keep = &out[1], .n_keep = 1
		};
		struct child *child;

		if (child_start(&job, &child))
			_exit(1);
		usleep(50000);
		_exit(0);
	}
	close(out[1]);
	p.fd = out[0];
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(read(out[0], &byte, 1), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(out[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(result_comes_back),
		cmocka_unit_test(sizes_from_none_to_the_maximum),
		cmocka_unit_test(death_is_told_from_a_result),
		cmocka_unit_test(deadline_ends_it),
		cmocka_unit_test(a_complete_result_counts_however_late_it_is_read),
		cmocka_unit_test(one_that_runs_is_ended_by_free),
		cmocka_unit_test(child_keeps_only_what_it_needs),
		cmocka_unit_test(loop_goes_on_meanwhile),
		cmocka_unit_test(it_dies_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
