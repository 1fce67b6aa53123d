/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Own probes of a server by a worker, as several modules make them. */
#ifndef SWITCHGEAR_DAEMON_PROBING_H
#define SWITCHGEAR_DAEMON_PROBING_H

#include "daemon/servers.h"
#include "io/probe_job.h"

/* For the start of a worker, and its farewell, beyond the limit of a probe. */
#define PROBING_REST_NS (4 * NS_PER_SEC)

/* Whom to ask: addresses, host, port, path, scheme, and how long a connect may take. What else the
 * job says is the caller's. -ENAMETOOLONG. */
int probing_fill(const struct server *s, struct probe_job *job) MUST_CHECK;

/* A socket of the worker's is the daemon's own from now on, which no breaker counts, in the place
 * of the one before (*own, 0: none). */
int probing_own(const struct server *s, int fd, uint64_t *own) MUST_CHECK;
void probing_disown(const struct server *s, uint64_t *own);

#endif
