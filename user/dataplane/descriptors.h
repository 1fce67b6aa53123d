/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The descriptors of the host's processes, by /proc/PID/fd, and how to have one of
 * them: what neither a name nor a process leads to is held by one of these.
 */
#ifndef SWITCHGEAR_DATAPLANE_DESCRIPTORS_H
#define SWITCHGEAR_DATAPLANE_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* One of them, a moment ago: by now it may be closed, or be something else. */
struct descriptor {
	pid_t pid;
	int number;
	/* "socket:[4711]", "net:[4026531840]", a path; cut off at 63 bytes. NULL: this process
	 * may not be looked into, which takes CAP_SYS_PTRACE; number is nothing then. */
	const char *link;
};

/* 0: go on; else the walk ends and returns it. */
typedef int descriptor_fn(void *data, const struct descriptor *d);

/*
 * Calls fn with each descriptor of every process, in no order. Not seen are those of
 * threads with tables of their own, processes that /proc does not show, and what nobody
 * has in a table: on its way in a message, or held by an io_uring or the kernel alone.
 *
 * 0: that was all. -E2BIG: given up after 200,000. Else what fn returned, or -errno.
 * Measured: 2 us a descriptor; 25 ms for 500 processes with 20.
 */
int descriptors_walk(descriptor_fn *fn, void *data) MUST_CHECK;

/*
 * A copy of it, which the caller closes. -EPERM, -EACCES: takes CAP_SYS_PTRACE;
 * -ESRCH, -EBADF: it is gone; else -errno. Whether it is what it was is for the caller
 * to find out.
 */
int descriptor_take(pid_t pid, int number, int *ret_fd) MUST_CHECK;

#endif
