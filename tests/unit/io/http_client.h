/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of the HTTP server share: its loop, and how a client reaches it. */
#ifndef SWITCHGEAR_TESTS_HTTP_CLIENT_H
#define SWITCHGEAR_TESTS_HTTP_CLIENT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "io/http.h"

/* As a loop would, which calls http_run() for the descriptor and the timeout only: for so
 * long, or until nothing happens any more (ms 0). */
static inline void http_pump(struct http *http, int ms)
{
	uint64_t end = clock_boot_ns() + (uint64_t)ms * NS_PER_MS;

	for (;;) {
		struct pollfd p = { .fd = http_fd(http), .events = POLLIN };
		uint64_t now = clock_boot_ns();
		int left = now >= end ? 0 : (int)((end - now) / NS_PER_MS) + 1;
		int timeout = http_timeout_ms(http);
		bool timed = timeout >= 0 && timeout <= left;

		if (poll(&p, 1, timed ? timeout : left) == 1 || timed)
			http_run(http);
		else if (left == 0)
			return;
	}
}

#endif
