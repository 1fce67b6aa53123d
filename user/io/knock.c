/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/knock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

int knock_open(const struct addr *to, int *ret_fd)
{
	/* An answer is all that is wanted: what follows it is a reset. */
	const struct linger at_once = { .l_onoff = 1 };
	CLEANUP(closep)
	int fd = socket(addr_is_v4(to) ? AF_INET : AF_INET6,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)))
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static bool is_answer(int error)
{
	return !error || error == ECONNREFUSED || error == ECONNRESET;
}

int knock_send(int fd, const struct addr *to, uint16_t port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool v4 = addr_is_v4(to);

	memcpy(&sin6.sin6_addr, to->bytes, 16);
	memcpy(&sin.sin_addr, to->bytes + 12, 4);
	if (!connect(fd, v4 ? (const void *)&sin : (const void *)&sin6,
		     v4 ? sizeof(sin) : sizeof(sin6)))
		return 0;
	return errno == EINPROGRESS ? 0 : -errno;
}

int knock_answered(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	if (poll(&p, 1, 0) <= 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size))
		return -errno;
	return is_answer(error) ? 1 : -error;
}
