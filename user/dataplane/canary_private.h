/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the canary's two sides share; nobody else includes this. */
#ifndef SWITCHGEAR_DATAPLANE_CANARY_PRIVATE_H
#define SWITCHGEAR_DATAPLANE_CANARY_PRIVATE_H

#include <errno.h>

#include "dataplane/canary.h"

#define CANARY_ERRNO EHOSTDOWN /* no failing network gives this on loopback */

struct canary_child {
	const char *cgroup; /* to enter; NULL: it is in there already */
	uint16_t canary_port;
	uint16_t control_port;
	uint16_t target_port;
	uint64_t end_ns; /* boot time */
	int control;     /* a byte from either side says that a step is done */
};

/*
 * canary_child.c: the agent's side, in the child; tells by `control` that it has a connection
 * to the target, waits for the quarantine, tells that it has sent something there, and waits for
 * the connection's end. Blocks, and ends what it opened only by the process's end.
 */
enum canary_found canary_child(const struct canary_child *child);

#endif
