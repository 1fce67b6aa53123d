/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The processes of a cgroup and all below it, with the environments that they were started in. */
#ifndef SWITCHGEAR_DATAPLANE_PROCESSES_H
#define SWITCHGEAR_DATAPLANE_PROCESSES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define PROCESSES_MAX 4096U          /* more are not looked at */
#define PROCESSES_ENVIRON_MAX 65536U /* bytes of an environment that are read */

typedef void process_fn(void *data, pid_t pid, const char *comm, const char *environment,
			size_t len);

/* Calls fn for each whose environment may be read; what is read is wiped after it. May take long:
 * for a child. How many there were, or -errno. */
ssize_t processes_each(const char *cgroup, process_fn *fn, void *data) MUST_CHECK;

#endif
