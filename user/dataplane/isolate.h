/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Isolation: while a server of this host is in quarantine, its own cgroup is cut off from
 * everything but an allow list, so that nobody reaches its processes and they reach nothing. The
 * programs are attached to that very cgroup by links that are pinned: it outlives the daemon, holds for
 * processes that come into the cgroup later, and ends with the quarantine, by the kernel's clock.
 *
 * Fail-closed for what is isolated. Where a cgroup cannot be isolated nothing of it is changed but
 * that the server's own connections are cut, and the result says so: who is in it besides the
 * server is not to suffer.
 */
#ifndef SWITCHGEAR_DATAPLANE_ISOLATE_H
#define SWITCHGEAR_DATAPLANE_ISOLATE_H

#include "dataplane/dataplane.h"
#include "dataplane/hosted.h"
#include "isolation.h"

#define ISOLATE_ALLOW_MAX 64
#define ISOLATE_PATH_LEN 256

struct isolate_allowed {
	struct addr addr;
	uint8_t len;   /* of 128 bits */
	uint16_t port; /* 0: any */
};

struct isolate_order {
	struct dataplane *dp;
	uint32_t server;
	bool force;  /* whoever else is in the cgroup */
	bool freeze; /* stop its processes, too */
	bool again;  /* only to look whether it is still so: nothing is reset or frozen anew */
	struct hosted_ask ask;
	struct isolate_allowed allow[ISOLATE_ALLOW_MAX];
	size_t n_allow;
};

enum isolate_state {
	ISOLATE_NONE,    /* none of its processes is on this host, as far as can be seen */
	ISOLATE_DONE,    /* its cgroup is cut off */
	ISOLATE_REFUSED, /* others would be cut off, too: why */
	ISOLATE_FAILED,  /* why */
	ISOLATE_STATE_COUNT
};

struct isolate_result {
	enum isolate_state state;
	char cgroup[ISOLATE_PATH_LEN]; /* below the mount; "": none */
	uint32_t processes;            /* in it */
	uint32_t cut;                  /* connections */
	uint32_t survivors; /* connections that could not be cut; UINT32_MAX: not known */
	uint32_t outside; /* sockets of its processes that were made in another cgroup, and stay */
	bool fresh;       /* it was not isolated there before */
	bool frozen;
	char why[HOSTED_WHY_LEN];
};

/*
 * The whole of it, in a child (dataplane_child_fds()): given a struct isolate_order, it fills a struct
 * isolate_result. Always 0: what came of it is in the result. May be repeated: who is found
 * isolated stays so without a gap.
 */
int isolate_order_run(void *order, void *result, size_t size) MUST_CHECK;

/* What the kernel has of a server; false: it is not isolated. */
bool dataplane_isolation(struct dataplane *dp, uint32_t server, struct sg_isolation *ret);
/* Does its cgroup still exist, and is it stopped? */
bool dataplane_isolation_frozen(struct dataplane *dp, const struct sg_isolation *iso);
/*
 * Undoes all of it: detaches, thaws what was frozen by it, forgets what was allowed. Of one that is not
 * isolated it does nothing. -errno: some of it is still there (logged).
 */
int dataplane_isolation_end(struct dataplane *dp, uint32_t server) MUST_CHECK;
/* At a start: what a daemon before pinned gets the programs of this one; what nobody is isolated
 * by is removed. For dataplane_open(). */
void dataplane_isolations_take_over(struct dataplane *dp);
/* Is what isolated processes connect to of Unix sockets refused here? */
bool dataplane_isolates_unix(const struct dataplane *dp);
/* The programs, for dataplane_child_fds(). */
size_t dataplane_isolation_fds(const struct dataplane *dp, int *ret, size_t max);
/* Before a detach: of all. */
void dataplane_isolations_end(struct dataplane *dp);

#endif
