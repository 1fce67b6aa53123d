/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "io/notify.h"

struct fixture {
	int fd;
	char path[64];
	char text[600];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/sg-test-notify-%d", getpid());
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", f->path);
	unlink(f->path);
	f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(f->fd >= 0);
	assert_int_equal(bind(f->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", f->path, 1), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unsetenv("NOTIFY_SOCKET");
	close(f->fd);
	unlink(f->path);
	free(f);
	return 0;
}

static const char *heard(struct fixture *f)
{
	ssize_t n = recv(f->fd, f->text, sizeof(f->text) - 1, 0);

	f->text[n < 0 ? 0 : n] = '\0';
	return f->text;
}

static void says_what_happens(void **state)
{
	struct fixture *f = *state;
	unsigned long long usec = 0;

	assert_int_equal(notify_ready("3 servers"), 0);
	assert_string_equal(heard(f), "READY=1\nSTATUS=3 servers");
	assert_int_equal(notify_stopping(), 0);
	assert_string_equal(heard(f), "STOPPING=1");
	assert_int_equal(notify_reloading(), 0);
	assert_int_equal(sscanf(heard(f), "RELOADING=1\nMONOTONIC_USEC=%llu", &usec), 1);
	assert_true(usec > 0);
}

static void is_silent_without_a_manager(void **state)
{
	struct fixture *f = *state;

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_ready(""), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(notify_ready(""), 0);
	assert_string_equal(heard(f), "");
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(notify_ready(""), -EAFNOSUPPORT);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	assert_int_equal(notify_ready(""), -ENOENT);
}

static void speaks_to_abstract_sockets(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	CLEANUP(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char name[64];

	snprintf(name, sizeof(name), "@sg-test-notify-%d", getpid());
	memcpy(sun.sun_path + 1, name + 1, strlen(name) - 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_stopping(), 0);
	assert_int_equal(recv(fd, f->text, sizeof(f->text), 0), 10);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(says_what_happens),
		TEST(is_silent_without_a_manager),
		TEST(speaks_to_abstract_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
