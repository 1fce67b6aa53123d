/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/parse.h"
#include "dataplane/locals.h"

static bool has(const struct locals_list *list, const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(text, &a), 0);
	return locals_list_has(list, &a);
}

static int run(const char *command)
{
	return system(command) == 0 ? 0 : -1;
}

static int poll_in(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms);
}

/* In a network namespace of its own. */
static int in_namespace(void)
{
	CLEANUP(closep) int watch = -1;
	CLEANUP(locals_list_done) struct locals_list list = { 0 };

	if (unshare(CLONE_NEWNET) < 0 || run("command -v ip >/dev/null"))
		return 77;
	if (locals_watch(&watch) < 0 || locals_changed(watch) != 0)
		return 1;
	if (run("ip link add sgtest0 type veth peer name sgtest1"))
		return 77;
	if (run("ip addr add 10.77.0.1/24 dev sgtest0 && ip link set sgtest0 up") ||
	    run("ip addr add 10.78.0.1 peer 10.78.0.2 dev sgtest0") ||
	    run("ip addr add 10.77.0.1/24 dev sgtest1") ||
	    run("ip addr add fd77::1/64 dev sgtest0 nodad"))
		return 2;
	if (poll_in(watch, 2000) != 1 || locals_changed(watch) != 1)
		return 3;
	if (locals_read(&list) < 0)
		return 4;
	if (!has(&list, "10.77.0.1") || !has(&list, "fd77::1") || has(&list, "10.77.0.2"))
		return 5;
	/* the own end of a point-to-point link, and each address once */
	if (!has(&list, "10.78.0.1") || has(&list, "10.78.0.2") || list.n > 4)
		return 10;
	while (poll_in(watch, 200) == 1)
		if (locals_changed(watch) < 0)
			return 6;
	if (locals_changed(watch) != 0)
		return 7;
	if (run("ip addr del 10.77.0.1/24 dev sgtest0") ||
	    run("ip addr del 10.77.0.1/24 dev sgtest1") || locals_changed(watch) != 1)
		return 8;
	locals_list_done(&list);
	return locals_read(&list) == 0 && !has(&list, "10.77.0.1") ? 0 : 9;
}

static void follows_the_kernel(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(in_namespace());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
