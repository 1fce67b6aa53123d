/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What goes over the socket between the resolver and its children. */
#ifndef SWITCHGEAR_IO_RESOLVER_PRIVATE_H
#define SWITCHGEAR_IO_RESOLVER_PRIVATE_H

#include <sys/types.h>

#include "io/resolver.h"

struct resolver_question {
	char host[RESOLVER_HOST_MAX + 1];
};

struct resolver_answer {
	uint32_t n;
	struct addr addrs[RESOLVER_ADDRS_MAX];
	char error[160];
};

/* Forks a child that answers on the other end of *ret_fd, which does not block. */
int resolver_spawn(int *ret_fd, pid_t *ret_pid) MUST_CHECK;

#endif
