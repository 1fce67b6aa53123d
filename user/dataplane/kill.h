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
 *
 * An ordinary user can make thousands of namespaces, and what looks into all of them takes
 * seconds then. So kill_soon() is what a loop may call; the other walks are for a child
 * (dataplane_child_fds()), which works on a copy of `dp` and on the same maps.
 */
#ifndef SWITCHGEAR_DATAPLANE_KILL_H
#define SWITCHGEAR_DATAPLANE_KILL_H

#include "dataplane/dataplane.h"

/* What a kill is to find beside connections with a record. */
enum kill_scope {
	KILL_RECORDED,    /* nothing: an order may have been taken back since */
	KILL_DENIED,      /* those without one, as far as connects went unrecorded */
	KILL_QUARANTINED, /* the same, and those older than the load that were not taken over */
};

struct kill_result {
	uint32_t killed;
	uint32_t survivors; /* counted after the last attempt */
	uint32_t busy;      /* these die when their exchange ends */
	uint32_t held;      /* survivors without a record that protected processes hold, */
	bool searched;      /* if such were looked for */
};

/*
 * Kills what must die of a server, until nothing is found or nothing more dies.
 * 0: *ret is right. -errno: connections could not be counted, and nobody knows who
 * survived; ret->killed is right all the same. -ECANCELED: the server was not denied any
 * more before all namespaces had been looked into. Enters every namespace, if need be.
 */
int kill_server(struct dataplane *dp, uint32_t server, enum kill_scope scope,
		struct kill_result *ret) MUST_CHECK;

/*
 * The part of it that is quickly done: connections with a record, as far as their namespaces
 * are found before `until_ns`. *ret_left: others may be left, and ret->survivors and busy count
 * them; kill_server() finds them. What of a namespace is begun is done to its end.
 */
int kill_soon(struct dataplane *dp, uint32_t server, enum kill_scope scope, uint64_t until_ns,
	      struct kill_result *ret, bool *ret_left) MUST_CHECK;

/* kill_server() in a child: the function that it calls, what it is given, and its result. */
struct kill_order {
	struct dataplane *dp;
	uint32_t server;
	enum kill_scope scope;
};
struct kill_outcome {
	struct kill_result kill;
	uint64_t unrecorded_ended;
};
int kill_order_run(void *order, void *outcome, size_t size) MUST_CHECK;
/* In the parent: which connects without a record need not be looked for any more. */
void kill_outcome_note(struct dataplane *dp, uint32_t server, const struct kill_outcome *outcome);

/* Connects to the server without a record since those before were all killed. */
uint64_t kill_unrecorded(struct dataplane *dp, uint32_t server);
/* The id is another server's from now on. */
void kill_forget_server(struct dataplane *dp, uint32_t server);

/* Searches in a child, as kill_order_run(): given a struct kill_search, each fills a size_t. */
struct kill_search {
	struct dataplane *dp;
	uint64_t idle_ns;
};
/* Removes records of sockets that are no more, though nobody saw their end: asks for each
 * that has been at rest for `idle_ns`. How many there were. May enter all namespaces. */
int kill_forget_lost(void *search, void *n, size_t size) MUST_CHECK;
/* Takes over connections that are open already, in every namespace, where the kernel can
 * (dataplane_adopts()). How many. -errno: not in all of them. */
int kill_adopt(void *search, void *n, size_t size) MUST_CHECK;
/* Have all of them been taken over? While they have not, a quarantine looks for those without a
 * record, and so does who says that there are none. True before the first call. */
void kill_adopted(struct dataplane *dp, bool all);

/* How many connections without a record are held by processes of the protected cgroup, by the
 * ids of servers in quarantine; fills a struct kill_seen. Kills nobody. */
struct kill_seen {
	uint32_t n[SG_SERVERS_MAX];
};
int kill_look(void *search, void *seen, size_t size) MUST_CHECK;

#endif
