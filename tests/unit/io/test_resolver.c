/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "io/child.h"
#include "io/resolver.h"

#define AMPLE_NS (20 * NS_PER_SEC)

/* What a child that runs fn answers about host. */
static int ask(child_fn *fn, const char *host, struct resolver_answer *ret)
{
	char name[RESOLVER_HOST_MAX + 1];
	const struct child_job job = { .fn = fn,
				       .data = name,
				       .size = sizeof(*ret),
				       .deadline_ns = clock_boot_ns() + AMPLE_NS };
	CLEANUP(child_freep) struct child *child = NULL;
	const void *result;
	int r = -1;

	snprintf(name, sizeof(name), "%s", host);
	assert_int_equal(child_start(&job, &child), 0);
	while (child_run(child) == CHILD_RUNNING) {
		struct pollfd p = { .fd = child_fd(child), .events = POLLIN };

		poll(&p, 1, 100);
	}
	result = child_result(child, &r);
	assert_non_null(result);
	memcpy(ret, result, sizeof(*ret));
	return r;
}

static void finds_localhost(void **state)
{
	struct resolver_answer answer;

	(void)state;
	assert_int_equal(ask(resolver_look_up, "localhost", &answer), 0);
	assert_in_range(answer.n, 1, RESOLVER_ADDRS_MAX);
	for (uint32_t i = 0; i < answer.n; i++)
		assert_true(addr_is_loopback(&answer.addrs[i]));
	assert_string_equal(answer.error, "");
	/* each once, of whatever type of socket */
	assert_int_equal(ask(resolver_look_up, "127.0.0.1", &answer), 0);
	assert_int_equal(answer.n, 1);
	assert_true(addr_is_v4(&answer.addrs[0]));
}

static void explains_a_failure(void **state)
{
	struct resolver_answer answer;

	(void)state;
	assert_int_equal(ask(resolver_look_up, "not a host name", &answer), 0);
	assert_int_equal(answer.n, 0);
	assert_true(strlen(answer.error) > 5);
}

/* Says in `error` what the process is after a look-up. */
static int look_up_and_tell(void *host, void *result, size_t size)
{
	struct resolver_answer *answer = result;
	int deathsig = 0;
	int r = resolver_look_up(host, result, size);

	prctl(PR_GET_PDEATHSIG, &deathsig);
	snprintf(answer->error, sizeof(answer->error), "%d %d %d", deathsig,
		 prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), geteuid() != 0 && setuid(0) != 0);
	return r;
}

static void keeps_no_rights(void **state)
{
	struct resolver_answer answer;

	(void)state;
	assert_int_equal(ask(look_up_and_tell, "localhost", &answer), 0);
	assert_string_equal(answer.error, "9 1 1");
}

static int wrong_size(void *host, void *result, size_t size)
{
	return resolver_look_up(host, result, size - 1);
}

static void refuses_another_size(void **state)
{
	struct resolver_answer answer;

	(void)state;
	assert_int_equal(ask(wrong_size, "localhost", &answer), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_localhost),
		cmocka_unit_test(explains_a_failure),
		cmocka_unit_test(keeps_no_rights),
		cmocka_unit_test(refuses_another_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
