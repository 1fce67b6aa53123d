/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is listed of the kernel's sockets: with connections over the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_by_its_owner),
		cmocka_unit_test(test_closed_with_something_to_send),
		cmocka_unit_test(test_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
