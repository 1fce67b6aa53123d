/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon's side of the relay: a process of its own, another program (user/relay/) under
 * another user and without rights, that answers agents in the place of servers which are not
 * available, or hands what they say on to another server. Whom it is for is said by rules, one a
 * server; who is sent there is the kernel's decision.
 *
 * It is started by the first relay_run(), and again after it died, later each time. The caller
 * watches relay_fd() for reading and calls relay_run() when it is readable, when relay_due_ns() is
 * reached, and after it has changed rules.
 *
 * Invariants:
 *  R1  Nothing here waits, but for a process that was killed, PROGRAM_REAP_NS at most.
 *  R2  The ports are the daemon's as long as the relay exists: what connects while there is no
 *      process is hung up on at once, and nobody else can listen there.
 *  R3  A process that is new gets all rules before it takes the first connection.
 *  R4  What the process says is checked for its shape, its server and its order here. It cannot
 *      make the daemon do anything but count.
 *  R5  A process that says nothing for six seconds is killed, and another one started.
 *  R6  Fail-closed for agents: without a process, or without a rule for it, a connection that was
 *      sent here ends at once. It never reaches the server that it was meant for.
 */
#ifndef SWITCHGEAR_IO_RELAY_H
#define SWITCHGEAR_IO_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "io/relay_wire.h"

#define RELAY_AGAIN_NS 100000000ULL       /* after its first death; twice as long each time, */
#define RELAY_AGAIN_MAX_NS 30000000000ULL /* up to this; one that lived for a minute ends that */

struct relay;

/* Counters of one server; they begin at 0 with each process. Must not touch the relay. */
typedef void relay_stats_fn(void *owner, const struct relay_stats *stats);

struct relay_spec {
	const char *path;   /* of the program; NULL: beside this one, else where it is installed */
	const int *origins; /* map of struct sg_origin, or a file of that layout; copied, the caller's
				* as before. Must be there */
	relay_stats_fn *stats; /* NULL: nobody counts */
	void *owner;
};

/* Listens, on 127.0.0.1 and ::1, at ports of 700 to 739 where these can be had, which ordinary users
 * cannot take, else at any; starts nothing. That there is
 * no program is no error: relay_why(). -ENOMEM, -EMFILE; -EADDRNOTAVAIL: neither family is there. */
int relay_new(const struct relay_spec *spec, struct relay **ret) MUST_CHECK;
/* Kills the process, and no longer listens; NULL-safe. */
void relay_free(struct relay *r);

int relay_fd(const struct relay *r);          /* borrowed, the same for ever; level-triggered */
uint64_t relay_due_ns(const struct relay *r); /* boot time; 0: at once, UINT64_MAX: never */
void relay_run(struct relay *r);

/*
 * Sets the rule of rule->server, in the place of the one it has: from the process's next look on
 * for requests that begin then, while those under way end as they began. Rule and tools are
 * copied; it holds for processes to come, too. `tools`: the "tools" list of its last known
 * tools/list, JSON, at most RELAY_TOOLS_MAX bytes; NULL: none is known.
 * -EINVAL (relay_rule_check()), -E2BIG (tools), -ENOMEM, -EMFILE: the former rule stands.
 */
int relay_set_rule(struct relay *r, const struct relay_rule *rule, const char *tools,
		   size_t len) MUST_CHECK;
/* The rule ends, if there is one: requests under way end as they began, idle connections and
 * streams without an end (after a word that the list of tools has changed) at once. Sessions are
 * kept, as far as there is room, for the case that it comes back. */
void relay_drop_rule(struct relay *r, uint32_t server);

/* Host byte order; 0: that family is not there. The same as long as the relay exists. */
void relay_ports(const struct relay *r, uint16_t *ret_v4, uint16_t *ret_v6);
/* Takes connections: it has greeted, and was told all rules. Redirect nobody while it does not. */
bool relay_up(const struct relay *r);
/* For people: why the latest process died, or why there is none; "" if none did. */
const char *relay_why(const struct relay *r);
pid_t relay_pid(const struct relay *r); /* 0: none is running */
/* Its user: the kernel knows its connects, which are never redirected, by that. Meaningless unless
 * the daemon is root. */
uid_t relay_user(const struct relay *r);

static inline void relay_freep(struct relay **r)
{
	relay_free(*r);
}

#endif
