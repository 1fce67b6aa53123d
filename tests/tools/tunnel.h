/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a client says to an HTTP proxy to be connected through it. */
#ifndef SWITCHGEAR_TESTS_TUNNEL_H
#define SWITCHGEAR_TESTS_TUNNEL_H

#include "dial.h"

/* Asks on a connection for `name` ("host:port") and waits for the answer, whose body must be empty.
 * 0; -EPROTO: it was another one than 200; -errno. */
static inline int tunnel_open(int fd, const char *name, double until)
{
	char text[1024];
	size_t len = 0;
	int n = snprintf(text, sizeof(text),
			 "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: agent\r\n\r\n", name,
			 name);

	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return -errno;
	while (len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4) != 0) {
		ssize_t got;
		int r = wait_for(fd, POLLIN, until);

		if (r)
			return r;
		got = recv(fd, text + len, 1, 0);
		if (got < 0)
			return -errno;
		if (!got || ++len == sizeof(text) - 1)
			return -EPIPE;
	}
	text[len] = '\0';
	return strncmp(text, "HTTP/1.1 200 ", 13) ? -EPROTO : 0;
}

#endif
