/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What tests that load the programs share: a place of their own (network
 * namespace, cgroup, pin directory), the data plane in it, and its events.
 */
#ifndef SWITCHGEAR_TESTS_BPF_RIG_H
#define SWITCHGEAR_TESTS_BPF_RIG_H

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/private.h"
#include "unit/unit.h"

#define RIG_SERVER 7U /* the id that tests use */
#define RIG_EVENTS_MAX 256

/*
 * Runs `run` in a child with a network namespace (lo is up), a cgroup and a
 * pin directory of its own, and removes them whatever becomes of the child.
 * Returns the exit status of the program: 77 where this is not permitted.
 */
int rig_main(int (*run)(void));
const char *rig_cgroup(void);
const char *rig_pins(void);
void rig_sysctl(const char *name, const char *value); /* "net/ipv4/..." */

/* Loaded with maps that nothing shares; nothing is attached or pinned. */
struct dataplane *rig_bare(void);
/* Loaded, pinned and attached to rig_cgroup(), as the daemon does it. */
struct dataplane *rig_open(void);

/* Consecutive failures never trip, nothing is slow, no ramp, three probes. */
struct sg_policy rig_policy(void);
/* Puts RIG_SERVER into use, as after a reset, its counters at zero. */
void rig_server(struct dataplane *dp, const struct sg_policy *policy, uint64_t next_open_ns);
/* One endpoint; of a loopback address both families. */
void rig_endpoint(struct dataplane *dp, const char *addr, uint16_t port);
struct sg_command rig_command(struct dataplane *dp, struct sg_command cmd);
/* Puts the breaker into the ramp, since half of the time that this machine runs; its end, which
 * is not what the policy says, never comes. */
void rig_ramp(struct dataplane *dp, uint64_t now);
struct sg_stats rig_stats(struct dataplane *dp);

/* Is this program of the skeleton loaded? */
bool rig_has(const struct dataplane *dp, const char *program);
/* What a connect gets that is refused with this errno: EPERM where the kernel cannot say it. */
int rig_refusal(const struct dataplane *dp, int deny_errno);

uint64_t rig_cookie(int socket);

/* Kills the connections to RIG_SERVER that must die, in every namespace; returns how many
 * there were. None survives. */
size_t rig_kill(struct dataplane *dp);

struct rig_events {
	struct sg_event e[RIG_EVENTS_MAX];
	size_t n;
};

/* Adds what the ring holds. */
void rig_read(struct dataplane *dp, struct rig_events *events);
/* Reads until there are `want` events or a second has passed. */
void rig_wait(struct dataplane *dp, struct rig_events *events, size_t want);
void rig_drain(struct dataplane *dp);

#endif
