/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is listed of the kernel's sockets: with connections over the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataplane/sockdiag.h"

struct look {
	uint64_t cookie;
	size_t n;
	struct sg_kill_target v;
};

static int count(void *data, const struct sg_kill_target *socket)
{
	struct look *l = data;

	if (socket->cookie == l->cookie) {
		l->n++;
		l->v = *socket;
	}
	return 0;
}

static struct look look(uint8_t proto, uint64_t cookie)
{
	struct look l = { .cookie = cookie };

	assert_int_equal(sockdiag_list(proto, NULL, count, &l), 0);
	return l;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	return cookie;
}

static struct sockaddr_in bound(int fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	assert_int_equal(bind(fd, (void *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (void *)&at, &len), 0);
	return at;
}

/* Until its peer has closed, too, the kernel keeps a closed connection's addresses. */
static void test_closed_by_its_owner(void **state)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = bound(listener);
	uint64_t at_client = cookie_of(client);
	uint64_t at_server;
	struct look l;
	int server;

	(void)state;
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(look(IPPROTO_TCP, cookie_of(listener)).n, 0); /* it has no peer */
	assert_int_equal(connect(client, (void *)&at, sizeof(at)), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	at_server = cookie_of(server);
	l = look(IPPROTO_TCP, at_client);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v.remote_port, at.sin_port);
	assert_int_equal(l.v.family, AF_INET);
	assert_int_equal(look(IPPROTO_TCP, at_server).n, 1);
	close(client);
	for (int i = 0; look(IPPROTO_TCP, at_client).n && i < 500; i++)
		usleep(10000); /* the peer may take its time to acknowledge the end */
	assert_int_equal(look(IPPROTO_TCP, at_client).n, 0);
	assert_int_equal(look(IPPROTO_TCP, at_server).n, 1);
	close(server);
	close(listener);
}

/* What it has still to send keeps the socket, but nobody has it any more. */
static void test_closed_with_something_to_send(void **state)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = bound(listener);
	uint64_t at_client = cookie_of(client);
	static char data[1 << 16];
	struct look l;

	(void)state;
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(client, (void *)&at, sizeof(at)), 0);
	while (send(client, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	l = look(IPPROTO_TCP, at_client);
	assert_int_equal(l.n, 1);
	assert_false(l.v.closed);
	close(client);
	l = look(IPPROTO_TCP, at_client);
	assert_int_equal(l.n, 1);
	assert_true(l.v.closed);
	close(listener);
}

static void test_datagrams(void **state)
{
	int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = bound(server);
	struct look l;

	(void)state;
	assert_int_equal(look(IPPROTO_UDP, cookie_of(client)).n, 0);
	assert_int_equal(connect(client, (void *)&at, sizeof(at)), 0);
	l = look(IPPROTO_UDP, cookie_of(client));
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v.proto, IPPROTO_UDP);
	assert_int_equal(l.v.remote_port, at.sin_port);
	assert_int_equal(look(IPPROTO_UDP, cookie_of(server)).n, 0);
	close(client);
	close(server);
}

/* What is there is told, connected or not, by each family; -1: it is told wrongly. */
static int tell_any(int family, int type, uint8_t proto)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET };
	bool is_six = family == AF_INET6;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	int r = 0;

	if (sockdiag_any(IPPROTO_TCP) || sockdiag_any(IPPROTO_UDP) || fd < 0)
		r = -1;
	else if (bind(fd, is_six ? (void *)&six : (void *)&four,
		      is_six ? sizeof(six) : sizeof(four)))
		r = -1;
	else if (type == SOCK_STREAM && listen(fd, 1))
		r = -1;
	else if (!sockdiag_any(proto) || sockdiag_any(proto ^ IPPROTO_TCP ^ IPPROTO_UDP))
		r = -1;
	close(fd);
	return r;
}

static void test_any(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
			_exit(77);
		_exit(tell_any(AF_INET, SOCK_STREAM, IPPROTO_TCP)    ? 1
		      : tell_any(AF_INET6, SOCK_STREAM, IPPROTO_TCP) ? 2
		      : tell_any(AF_INET, SOCK_DGRAM, IPPROTO_UDP)   ? 3
		      : tell_any(AF_INET6, SOCK_DGRAM, IPPROTO_UDP)  ? 4
								     : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_by_its_owner),
		cmocka_unit_test(test_closed_with_something_to_send),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
