/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon's side of workers. The worker is this program itself, as it is told to behave. */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "io/worker.h"

#define AMPLE_NS (20 * NS_PER_SEC)
#define RESULT 8

/* --- the worker ----------------------------------------------------------------------------- */

static void say(uint32_t kind, int r, const void *data, size_t len, int fd)
{
	const struct wire_head head = { .kind = kind, .what = 7, .r = r, .len = (uint32_t)len };

	if (wire_send(3, &head, data, fd))
		_exit(9);
}

static void obey(const char *order, struct wire *in, int with)
{
	char read_from[RESULT] = "nothing";
	int fd = -1;

	if (!strcmp(order, "die"))
		_exit(5);
	if (!strcmp(order, "crash"))
		raise(SIGTERM);
	if (!strcmp(order, "babble"))
		say(99, 0, "", 0, -1);
	if (!strcmp(order, "greet again"))
		say(WIRE_HELLO, 0, SWITCHGEAR_VERSION, sizeof(SWITCHGEAR_VERSION), -1);
	if (!strcmp(order, "mumble") && send(3, "x", 1, 0) != 1)
		_exit(9);
	if (!strcmp(order, "be silent"))
		pause();
	if (!strcmp(order, "be short"))
		say(WIRE_DONE, 0, "1234567", RESULT - 1, -1);
	if (!strcmp(order, "ask")) {
		say(WIRE_ASK, 0, "what", 5, 3);
		if (wire_recv(3, 0, in, &fd) != 1 || in->head.kind != WIRE_REPLY)
			_exit(9);
		say(WIRE_DONE, in->head.r, "answered", RESULT, -1);
		return;
	}
	if (!strcmp(order, "read")) {
		if (with >= 0 && pread(with, read_from, RESULT, 0) != RESULT)
			_exit(9);
		say(WIRE_DONE, 0, read_from, RESULT, -1);
		return;
	}
	if (!strcmp(order, "say twice"))
		say(WIRE_DONE, 0, "12345678", RESULT, -1);
	say(WIRE_DONE, 4, "12345678", RESULT, -1);
}

static int be_a_worker(const char *start)
{
	static struct wire in;

	if (!strcmp(start, "exit"))
		return 6;
	if (!strcmp(start, "of another version"))
		say(WIRE_HELLO, 0, "0", 2, -1);
	else
		say(WIRE_HELLO, 0, SWITCHGEAR_VERSION, sizeof(SWITCHGEAR_VERSION), -1);
	for (;;) {
		CLEANUP(closep) int fd = -1;

		if (wire_recv(3, 0, &in, &fd) != 1)
			return 0;
		obey(in.data, &in, fd);
	}
}

/* --- the daemon's side ------------------------------------------------------------------------ */

static struct worker_program program;
static int asked;

static int on_ask(void *owner, uint32_t what, const void *data, size_t len, int fd)
{
	struct stat st;

	assert_ptr_equal(owner, &asked);
	assert_int_equal(what, 7);
	assert_int_equal(len, 5);
	assert_string_equal(data, "what");
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	asked++;
	return -EACCES;
}

static struct worker *start_program(const char *start)
{
	struct worker *w = NULL;

	worker_program_open(&program, "/proc/self/exe", start);
	assert_true(program.program.fd > 3);
	assert_int_equal(worker_new(&program, &w), 0);
	assert_int_equal(worker_due_ns(w), UINT64_MAX);
	return w;
}

static void end_program(struct worker *w)
{
	worker_free(w);
	worker_program_close(&program);
}

static enum worker_state finish(struct worker *w)
{
	enum worker_state state;

	while ((state = worker_run(w)) == WORKER_RUNNING) {
		struct pollfd p = { .fd = worker_fd(w), .events = POLLIN };
		uint64_t now = clock_boot_ns();
		uint64_t due = worker_due_ns(w);

		assert_true(due != UINT64_MAX);
		poll(&p, 1, due > now ? (int)((due - now) / NS_PER_MS) + 1 : 0);
	}
	return state;
}

static enum worker_state order(struct worker *w, const char *text, uint64_t patience_ns)
{
	const struct worker_job job = { .op = WORKER_LOOK_UP,
					.data = text,
					.len = strlen(text) + 1,
					.size = RESULT,
					.deadline_ns = clock_boot_ns() + patience_ns,
					.ask = on_ask,
					.owner = &asked };

	assert_int_equal(worker_start(w, &job), 0);
	assert_int_equal(worker_start(w, &job), -EBUSY);
	return finish(w);
}

/* What goes with a job goes with that one alone, and again if another process has to do it. */
static void a_descriptor_goes_with_a_job(void **state)
{
	struct worker_job job = { .op = WORKER_LOOK_UP,
				  .data = "read",
				  .len = 5,
				  .size = RESULT,
				  .deadline_ns = clock_boot_ns() + AMPLE_NS };
	struct worker *w = start_program("");
	int fd = memfd_create("test", MFD_CLOEXEC);
	int r;

	(void)state;
	assert_int_equal(pwrite(fd, "a secret", RESULT, 0), RESULT);
	job.fd = &fd;
	assert_int_equal(worker_start(w, &job), 0);
	close(fd); /* it was copied */
	fd = -1;
	assert_int_equal(finish(w), WORKER_DONE);
	assert_memory_equal(worker_result(w, &r), "a secret", RESULT);
	job.fd = NULL;
	assert_int_equal(worker_start(w, &job), 0);
	assert_int_equal(finish(w), WORKER_DONE);
	assert_memory_equal(worker_result(w, &r), "nothing", RESULT);
	job.fd = &fd;
	assert_int_equal(worker_start(w, &job), -EBADF);
	end_program(w);
}

static void expect_work(struct worker *w)
{
	int r = 0;

	assert_int_equal(order(w, "work", AMPLE_NS), WORKER_DONE);
	assert_memory_equal(worker_result(w, &r), "12345678", RESULT);
	assert_int_equal(r, 4);
}

static void one_process_does_one_job_after_the_other(void **state)
{
	struct worker *w = start_program("");
	pid_t pid;

	(void)state;
	assert_int_equal(worker_pid(w), 0); /* none without a job */
	expect_work(w);
	pid = worker_pid(w);
	assert_true(pid > 0);
	expect_work(w);
	assert_int_equal(worker_pid(w), pid);
	assert_string_equal(worker_why(w), "");
	end_program(w);
	/* killed, and reaped if it has ended by then: else by us, when it does */
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(kill(pid, 0), -1);
}

static void it_may_ask(void **state)
{
	struct worker *w = start_program("");
	int r = 0;

	(void)state;
	asked = 0;
	assert_int_equal(order(w, "ask", AMPLE_NS), WORKER_DONE);
	assert_int_equal(asked, 1);
	assert_memory_equal(worker_result(w, &r), "answered", RESULT);
	assert_int_equal(r, -EACCES);
	end_program(w);
}

static void what_fails_fails_three_times(void **state)
{
	static const struct {
		const char *order;
		const char *why;
	} cases[] = {
		{ "die", "exit status 5" },         { "crash", "signal 15" },
		{ "babble", "nobody understands" }, { "greet again", "nobody understands" },
		{ "mumble", "nobody understands" }, { "be short", "nobody understands" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct worker *w = start_program("");
		uint64_t before = clock_boot_ns();
		int r;

		assert_int_equal(order(w, cases[i].order, AMPLE_NS), WORKER_DIED);
		assert_non_null(strstr(worker_why(w), cases[i].why));
		assert_null(worker_result(w, &r));
		assert_int_equal(worker_pid(w), 0);
		/* later each time, and so is the next job; which ends that */
		assert_true(clock_boot_ns() - before >= 3 * WORKER_AGAIN_NS);
		before = clock_boot_ns();
		expect_work(w);
		assert_true(clock_boot_ns() - before >= 3 * WORKER_AGAIN_NS);
		end_program(w);
	}
}

static void what_does_not_start_is_told(void **state)
{
	struct worker *w = start_program("exit");

	(void)state;
	assert_int_equal(order(w, "work", AMPLE_NS), WORKER_DIED);
	assert_non_null(strstr(worker_why(w), "exit status 6"));
	end_program(w);
	w = start_program("of another version");
	assert_int_equal(order(w, "work", AMPLE_NS), WORKER_DIED);
	assert_non_null(strstr(worker_why(w), "another version"));
	end_program(w);
	worker_program_open(&program, "/nonexistent/worker", NULL);
	assert_int_equal(program.program.fd < 0, true);
	assert_int_equal(worker_new(&program, &w), 0);
	assert_int_equal(order(w, "work", AMPLE_NS), WORKER_DIED);
	assert_non_null(strstr(worker_why(w), "/nonexistent/worker"));
	/* also when the patience is over before the third try */
	assert_int_equal(order(w, "work", WORKER_AGAIN_NS), WORKER_DIED);
	end_program(w);
}

static void what_is_late_is_killed(void **state)
{
	struct worker *w = start_program("");
	pid_t pid;

	(void)state;
	expect_work(w);
	pid = worker_pid(w);
	assert_int_equal(order(w, "be silent", NS_PER_SEC / 5), WORKER_TIMED_OUT);
	assert_int_equal(worker_pid(w), 0);
	assert_int_equal(kill(pid, 0), -1);
	expect_work(w); /* at once: that was nobody's fault */
	end_program(w);
}

static void a_job_can_be_cancelled(void **state)
{
	const struct worker_job job = { .op = WORKER_LOOK_UP,
					.data = "be silent",
					.len = 10,
					.size = RESULT,
					.deadline_ns = UINT64_MAX };
	struct worker *w = start_program("");
	pid_t pid;

	(void)state;
	expect_work(w);
	pid = worker_pid(w);
	assert_int_equal(worker_start(w, &job), 0);
	assert_int_equal(worker_run(w), WORKER_RUNNING);
	worker_cancel(w);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(worker_run(w), WORKER_IDLE);
	expect_work(w);
	end_program(w);
}

/* Its next words come while it has no job. */
static void what_speaks_unasked_is_ended(void **state)
{
	struct worker *w = start_program("");
	uint64_t until = clock_boot_ns() + AMPLE_NS;

	(void)state;
	assert_int_equal(order(w, "say twice", AMPLE_NS), WORKER_DONE);
	while (worker_pid(w) && clock_boot_ns() < until)
		worker_run(w);
	assert_int_equal(worker_pid(w), 0);
	end_program(w);
}

static void bad_jobs_are_refused(void **state)
{
	static char big[WIRE_DATA_MAX + 1];
	struct worker *w = start_program("");
	struct worker_job job = { .op = WORKER_OP_COUNT, .data = big };

	(void)state;
	assert_int_equal(worker_start(w, &job), -EINVAL);
	job.op = WORKER_GROUP;
	job.len = sizeof(big);
	assert_int_equal(worker_start(w, &job), -E2BIG);
	job.len = 0;
	job.size = sizeof(big);
	assert_int_equal(worker_start(w, &job), -E2BIG);
	end_program(w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_does_one_job_after_the_other),
		cmocka_unit_test(it_may_ask),
		cmocka_unit_test(a_descriptor_goes_with_a_job),
		cmocka_unit_test(what_fails_fails_three_times),
		cmocka_unit_test(what_does_not_start_is_told),
		cmocka_unit_test(what_is_late_is_killed),
		cmocka_unit_test(a_job_can_be_cancelled),
		cmocka_unit_test(what_speaks_unasked_is_ended),
		cmocka_unit_test(bad_jobs_are_refused),
	};

	if (argc > 3 && !strcmp(argv[1], "3"))
		return be_a_worker(argc > 4 ? argv[4] : "");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
