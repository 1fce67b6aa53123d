/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A server as the status document has it, for modules that show it or judge by what is shown. */
#ifndef SWITCHGEAR_DAEMON_SHOWN_H
#define SWITCHGEAR_DAEMON_SHOWN_H

#include "core/status.h"
#include "daemon/servers.h"

/*
 * Fills *to, of whatever content before, from the kernel's maps as they are now and from what the
 * modules know. Also of a server that the kernel knows nothing of, or that another one covers.
 * -errno: to be done with all the same, status_server_done().
 */
int shown_server(struct server *s, struct status_server *to) MUST_CHECK;

/* The same without what costs system calls: counters, latencies, endpoints. */
int shown_judged(struct server *s, struct status_server *to) MUST_CHECK;

#endif
