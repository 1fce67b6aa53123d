/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does enforcement really bite? A canary: a listener of our own at an endpoint
 * that is denied for good. A child inside the protected cgroup connects to it
 * and must be refused with the canary's errno, and must reach a second listener
 * that nobody denies. A third connection is put into quarantine: nothing may
 * pass either way, and it must be killed; whether it could be decides what open
 * breakers do to open connections (cfg.can_kill). Attached is not enforcing (wrong
 * cgroup, stale pins, a map that somebody emptied): this notices.
 *
 * The caller watches canary_fd() for reading and calls canary_step() when it is readable
 * and when canary_due_ns() is reached, until canary_running() says no.
 *
 * Invariants:
 *  K1  Nothing here blocks but canary_wait(), which is for the time before the loop, and
 *      canary_free() while a test runs. A step takes as long as killing one connection.
 *  K2  One test at a time, of CANARY_RUN_NS at most; then its child is killed, and given
 *      CANARY_GRACE_NS to die. It dies with the daemon, and holds none of its descriptors.
 */
#ifndef SWITCHGEAR_DATAPLANE_CANARY_H
#define SWITCHGEAR_DATAPLANE_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

#define CANARY_RUN_NS 500000000ULL
#define CANARY_GRACE_NS 500000000ULL
#define CANARY_TEXT_LEN 256

struct canary;

/* What was found; the child exits with its own. */
enum canary_found {
	CANARY_OK,
	CANARY_CONNECTED, /* enforcement does not bite */
	CANARY_OTHER_ERRNO,
	CANARY_CONTROL,   /* an endpoint that nobody denies was not reached */
	CANARY_NO_CGROUP, /* the child could not enter the cgroup */
	CANARY_NOTHING,   /* no socket */
	CANARY_REQUEST,   /* what the agent sent in quarantine arrived */
	CANARY_ANSWER,    /* what the server sent in quarantine arrived */
	CANARY_ALIVE,     /* the connection was not killed */
	CANARY_NO_QUARANTINE,
	CANARY_FOUND_COUNT
};

struct canary_result {
	enum canary_found found;
	bool ok;                    /* nothing was found, or what observing is like; no link gone */
	char text[CANARY_TEXT_LEN]; /* for people: all that was found, and what to do */
	uint64_t elapsed_ns;
	size_t links_gone; /* detached by somebody: dataplane_check() */
};

/*
 * Listens on loopback and puts the two servers into the maps: SG_CANARY, forced open for ever,
 * and SG_TARGET. cgroup: the protected one. Both are borrowed until canary_free(). Logs its errors: -errno of
 * the sockets, or of the maps.
 */
int canary_new(struct dataplane *dp, const char *cgroup, struct canary **ret) MUST_CHECK;
/* Ends a test that runs (its child is killed and waited for, CANARY_GRACE_NS at most); the
 * servers stay in the maps. NULL-safe. */
void canary_free(struct canary *canary);

/* Starts a test; nothing if one runs already. What cannot even be started is a result, too:
 * look at canary_running() afterwards. */
void canary_start(struct canary *canary);
bool canary_running(const struct canary *canary);
int canary_fd(const struct canary *canary); /* borrowed, one for all tests; level-triggered */
/* Boot time at which canary_step() must be called; UINT64_MAX: no test runs. */
uint64_t canary_due_ns(const struct canary *canary);
/* Goes as far as it can; nothing if no test runs. */
void canary_step(struct canary *canary);
/* Of the latest test that ended; NULL: none has. Valid until the next one ends. */
const struct canary_result *canary_result(const struct canary *canary);

/* A whole test, or the rest of the one that runs. Blocks, CANARY_RUN_NS + CANARY_GRACE_NS at
 * most. */
const struct canary_result *canary_wait(struct canary *canary);

static inline void canary_freep(struct canary **canary)
{
	canary_free(*canary);
}

#endif
