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
 * Invariants:
 *  K1  Only canary_order_run() blocks: it is for a child (io/child.h), which has the descriptors
 *      of dataplane_child_fds() and of canary_fds().
 *  K2  One test at a time, of CANARY_RUN_NS at most; then its child is killed.
 */
#ifndef SWITCHGEAR_DATAPLANE_CANARY_H
#define SWITCHGEAR_DATAPLANE_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

#define CANARY_RUN_NS 500000000ULL
#define CANARY_TEXT_LEN 256
#define CANARY_FDS 3

struct canary;

/* What was found. */
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
/* Takes away what a test left that was not ended; its child is dead. The servers stay in the maps.
 * NULL-safe. */
void canary_free(struct canary *canary);

/* What the child found. */
struct canary_outcome {
	enum canary_found found;
	bool tried; /* the kill was tried */
};

/* A test: begin, run in a child, end, whatever became of the child. */
void canary_begin(struct canary *canary);
/* order: a struct canary *; fills a struct canary_outcome. */
int canary_order_run(void *order, void *outcome, size_t size) MUST_CHECK;
/* The child is dead. outcome NULL: it told nothing, and `r` is why: -ETIMEDOUT, -EOWNERDEAD, or
 * that it could not be begun. The result is valid until the next end. */
const struct canary_result *canary_end(struct canary *canary, int r,
				       const struct canary_outcome *outcome);
const int *canary_fds(const struct canary *canary); /* CANARY_FDS, borrowed */

static inline void canary_freep(struct canary **canary)
{
	canary_free(*canary);
}

#endif
