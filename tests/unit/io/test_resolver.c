/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "io/resolver.h"

#define QUESTIONS 40
#define PATIENCE_NS (500 * NS_PER_MS) /* with a child that hangs */
#define AMPLE_NS (10 * NS_PER_SEC)    /* with one that may have to wait for a processor */

struct fixture {
	struct resolver *resolver;
	unsigned int answers;
	unsigned int errors;
	uint64_t ids; /* bit per id that was answered */
	bool loopback;
	char error[200];
};

static void note(void *data, uint64_t id, const struct addr *addrs, size_t n, const char *error)
{
	struct fixture *f = data;

	assert_true((n > 0) == (error == NULL));
	assert_false(f->ids >> id & 1);
	f->ids |= 1ULL << id;
	f->answers++;
	for (size_t i = 0; i < n; i++)
		f->loopback = f->loopback || addr_is_loopback(&addrs[i]);
	if (error) {
		f->errors++;
		snprintf(f->error, sizeof(f->error), "%s", error);
	}
}

static int setup_with(void **state, uint64_t patience_ns)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(resolver_new(note, f, patience_ns, &f->resolver), 0);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, AMPLE_NS);
}

static int setup_impatient(void **state)
{
	return setup_with(state, PATIENCE_NS);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	resolver_free(f->resolver);
	free(f);
	return 0;
}

/* Runs until so many answers are there, as a loop would; false after 20 s. */
static bool run_until(struct fixture *f, unsigned int answers)
{
	uint64_t end = clock_boot_ns() + 20 * NS_PER_SEC;

	resolver_run(f->resolver);
	while (f->answers < answers && clock_boot_ns() < end) {
		struct pollfd p = { .fd = resolver_fd(f->resolver), .events = POLLIN };
		uint64_t due = resolver_due_ns(f->resolver);
		uint64_t now = clock_boot_ns();
		int wait = due <= now ? 0 : 100;

		poll(&p, 1, wait);
		resolver_run(f->resolver);
	}
	return f->answers >= answers;
}

static void finds_localhost(void **state)
{
	struct fixture *f = *state;

	assert_true(resolver_due_ns(f->resolver) == UINT64_MAX);
	assert_int_equal(resolver_ask(f->resolver, 3, "localhost"), 0);
	assert_true(resolver_due_ns(f->resolver) == 0);
	assert_true(run_until(f, 1));
	assert_true(f->loopback);
	assert_int_equal(f->ids, 8);
	assert_int_equal(f->errors, 0);
}

static void explains_a_failure(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(resolver_ask(f->resolver, 1, "not a host name"), 0);
	assert_true(run_until(f, 1));
	assert_int_equal(f->errors, 1);
	assert_true(strlen(f->error) > 5);
}

static void refuses_impossible_names(void **state)
{
	struct fixture *f = *state;
	char name[RESOLVER_HOST_MAX + 2];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(resolver_ask(f->resolver, 1, ""), -EINVAL);
	assert_int_equal(resolver_ask(f->resolver, 1, name), -EINVAL);
}

static void answers_each_of_many_once(void **state)
{
	struct fixture *f = *state;

	for (uint64_t id = 0; id < QUESTIONS; id++)
		assert_int_equal(resolver_ask(f->resolver, id, "127.0.0.1"), 0);
	assert_true(run_until(f, QUESTIONS));
	assert_int_equal(f->answers, QUESTIONS);
	assert_int_equal(f->errors, 0);
}

static void queue_is_bounded(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < RESOLVER_QUEUE_MAX; i++)
		assert_int_equal(resolver_ask(f->resolver, i, "a"), 0);
	assert_int_equal(resolver_ask(f->resolver, 1, "a"), -ENOBUFS);
}

/* The one child of this process (and none else). */
static pid_t only_child(void)
{
	CLEANUP(fclosep) FILE *file = fopen("/proc/thread-self/children", "re");
	int pid = 0;

	if (!file || fscanf(file, "%d", &pid) != 1)
		return 0;
	return pid;
}

static void replaces_a_dead_child(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	assert_int_equal(resolver_ask(f->resolver, 0, "localhost"), 0);
	assert_true(run_until(f, 1));
	pid = only_child();
	if (!pid)
		skip(); /* a kernel without the list of children */
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(resolver_ask(f->resolver, 1, "localhost"), 0);
	assert_true(run_until(f, 2));
	/* The question that met the corpse may have failed; the next one must not. */
	f->errors = 0;
	assert_int_equal(resolver_ask(f->resolver, 2, "localhost"), 0);
	assert_true(run_until(f, 3));
	assert_int_equal(f->errors, 0);
	assert_int_not_equal(only_child(), pid);
}

static void gives_up_on_a_child_that_hangs(void **state)
{
	struct fixture *f = *state;
	uint64_t start;
	pid_t pid;

	assert_int_equal(resolver_ask(f->resolver, 0, "localhost"), 0);
	assert_true(run_until(f, 1));
	pid = only_child();
	if (!pid)
		skip();
	assert_int_equal(kill(pid, SIGSTOP), 0);
	start = clock_boot_ns();
	assert_int_equal(resolver_ask(f->resolver, 1, "localhost"), 0);
	assert_true(run_until(f, 2));
	assert_int_equal(f->errors, 1);
	assert_true(clock_boot_ns() - start >= PATIENCE_NS);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void leaves_no_children(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(resolver_ask(f->resolver, 0, "localhost"), 0);
	assert_true(run_until(f, 1));
	resolver_free(TAKE_PTR(f->resolver));
	assert_int_equal(only_child(), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(finds_localhost),
		TEST(explains_a_failure),
		TEST(refuses_impossible_names),
		TEST(answers_each_of_many_once),
		TEST(queue_is_bounded),
		TEST(replaces_a_dead_child),
		cmocka_unit_test_setup_teardown(gives_up_on_a_child_that_hangs, setup_impatient,
						teardown),
		TEST(leaves_no_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
