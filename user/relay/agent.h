/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections of agents, each for one request: every answer ends its connection, so that an agent
 * that comes back goes where the kernel sends it then.
 *
 * A request is taken whole before anything is done about it: it has to be read to be answered, and
 * kept to be repeated where that is allowed.
 */
#ifndef SWITCHGEAR_RELAY_AGENT_H
#define SWITCHGEAR_RELAY_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/env.h"

#define AGENTS_MAX 1024U
#define AGENTS_EXTRA 64U                /* more, who are told that there is no room */
#define AGENT_REQUEST_MAX (1U << 20)    /* bytes of a body */
#define AGENT_HELD_MAX (64U << 20)      /* of all of them */
#define AGENT_REQUEST_NS 30000000000ULL /* until a request is there */
#define AGENT_STUCK_NS 60000000000ULL   /* that it takes nothing of what is for it */
#define AGENT_LINGER_NS 2000000000ULL   /* from the end of an answer to that of the connection */

struct agent;

struct agents {
	struct env *env;
	struct agent *first;
	size_t n;
	size_t max; /* at most AGENTS_MAX: fewer where there are few descriptors */
};

/* Takes fd, a connection that was meant for `server` in that incarnation, in any case. */
void agent_new(struct agents *all, int fd, uint32_t server, uint32_t incarnation);
/* All of them at once. */
void agents_done(struct agents *all);

/* The server has another rule, or none: see relay_drop_rule(). */
void agents_retire(struct agents *all, uint32_t server);

#endif
