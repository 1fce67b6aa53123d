/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all connections of the relay share. */
#ifndef SWITCHGEAR_RELAY_ENV_H
#define SWITCHGEAR_RELAY_ENV_H

#include <stddef.h>
#include <stdint.h>

#include "io/loop.h"
#include "relay/rules.h"
#include "relay/sessions.h"

struct env {
	struct loop *loop;
	struct rules rules;
	struct sessions *sessions;
	struct relay_stats
		stats[SG_SERVERS_MAX]; /* server, incarnation, sessions: when they are told */
	bool news[SG_SERVERS_MAX];     /* in these stats */
	struct loop_timer *tell;       /* when they are told next; NULL: nobody is told */
	size_t held;                   /* bytes of requests that are kept */
};

static inline void env_count(struct env *env, uint32_t server, uint64_t *counter)
{
	(*counter)++;
	env->news[server] = true;
}

/* The daemon is to know at once that a server has a session more: it may be back any moment. */
static inline void env_born(struct env *env, uint32_t server)
{
	env->news[server] = true;
	if (env->tell)
		loop_timer_set(env->tell, 0);
}

#endif
