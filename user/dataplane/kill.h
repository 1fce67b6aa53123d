/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ending live connections to a server, in every network namespace. Those with a
 * record are found by it, killed in the namespace where they are, and proved dead
 * by their records. Those without one (older than the load where they cannot be
 * taken over; or no record could be made of them) are found by the address of
 * their peer, which takes a listing of every namespace.
 *
 * Fail-closed: what could not be killed is counted as a survivor, its packets are
 * dropped by a quarantine all the same, and where nobody could count, the
 * functions fail: then nobody knows.
 */
#ifndef SWITCHGEAR_DATAPLANE_KILL_H
#define SWITCHGEAR_DATAPLANE_KILL_H

#include "dataplane/dataplane.h"
#include "dataplane/netns.h"

struct kill_result {
	uint32_t killed;
	uint32_t survivors; /* counted after the last attempt */
	uint32_t busy;      /* these die when their turn ends */
};

/*
 * Kills what must die of a server, until nothing is found or
 * nothing more dies. 0: *ret is right. -errno: connections could not be counted;
 * ret->killed is right all the same.
 */
int kill_tracked(struct dataplane *dp, struct netns *netns, uint32_t server,
		 struct kill_result *ret) MUST_CHECK;

/* Kills connections to a server that have no record, of the cgroup and all below it (NULL: of
 * whatever cgroup); adds to *ret. -errno: they could not be counted, as from kill_tracked(). */
int kill_strays(struct dataplane *dp, struct netns *netns, const char *cgroup, uint32_t server,
		struct kill_result *ret) MUST_CHECK;

/* Removes records of sockets that are no more, though nobody saw their end: asks for each
 * that has been at rest for `idle_ns`. *ret_n: how many there were. */
int kill_forget_lost(struct dataplane *dp, struct netns *netns, uint64_t idle_ns,
		     size_t *ret_n) MUST_CHECK;

#endif
