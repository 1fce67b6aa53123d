/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network namespaces by the inode number that the kernel reports: found through
 * the processes in them, the places where they are bind-mounted and, when asked to,
 * what keeps them alive. What is kept are paths, not descriptors: a descriptor would keep a dead container's
 * namespace alive. An opened path is checked for its inode, so a reused process
 * id is noticed and the search repeated.
 */
#ifndef SWITCHGEAR_DATAPLANE_NETNS_H
#define SWITCHGEAR_DATAPLANE_NETNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct netns;

int netns_new(struct netns **ret) MUST_CHECK; /* the first namespace known is our own */
void netns_free(struct netns *netns);         /* NULL-safe */

ino_t netns_home(const struct netns *netns); /* the one netns_new() was called in */

int netns_home_fd(const struct netns *netns); /* borrowed */

/* Looks again; 0 or -errno. A namespace that only a descriptor or a socket keeps alive
 * is not found: nothing but that descriptor tells where it is. */
int netns_scan(struct netns *netns) MUST_CHECK;
/* Does it matter that this process could not be looked into? */
typedef bool netns_matters_fn(const void *data, pid_t pid);
/* Looks for these, too: takes 2 us for each descriptor of the host, 5 us for a socket.
 * Not seen are those in no process's table (dataplane/descriptors.h). -EPERM: a process could
 * not be looked into and matters (fn NULL: whichever); -E2BIG: the host has too many
 * descriptors; what was found is known in both cases. Else -errno. */
int netns_scan_all(struct netns *netns, netns_matters_fn *fn, const void *data) MUST_CHECK;
size_t netns_count(const struct netns *netns);
ino_t netns_inode(const struct netns *netns, size_t index); /* index < netns_count() */

/* The namespace with this inode, scanning if it is not known (any more); the caller
 * closes *ret_fd. -ENOENT when it cannot be found. */
int netns_open(struct netns *netns, ino_t inode, int *ret_fd) MUST_CHECK;

/* Tells the cookie of the namespace that it is called in; 0 or -errno. */
typedef int netns_cookie_fn(void *data, uint64_t *ret);
/* How cookies are asked for: before netns_open_cookie(). */
void netns_cookies(struct netns *netns, netns_cookie_fn *fn, void *data);

/* The namespace with this cookie, as netns_open(), by netns_scan_all() if need be. Cookies are never used again, inode
 * numbers are: what is known of an inode is asked again when it matters. */
int netns_open_cookie(struct netns *netns, uint64_t cookie, int *ret_fd) MUST_CHECK;

/* A search that is not to take long. */
struct netns_search {
	uint64_t until_ns; /* boot time */
	bool scanned;      /* set by the first that looked anew: once is enough */
};
/*
 * The same, where it is quickly found: no descriptors are looked at. -ETIME: the time was over
 * before all were asked; -ENOENT: it is none of those that were found this way. What the search
 * learned is kept: the next one goes on from there.
 */
int netns_open_soon(struct netns *netns, uint64_t cookie, struct netns_search *search,
		    int *ret_fd) MUST_CHECK;

/*
 * Calls fn in the namespace and comes back; returns what fn returned, or -errno
 * when the namespace cannot be entered (-EPERM: needs CAP_SYS_ADMIN). A process
 * that could not come back would do everything else in a foreign namespace:
 * then it aborts.
 */
int netns_call(struct netns *netns, int fd, int (*fn)(void *data), void *data) MUST_CHECK;

static inline void netns_freep(struct netns **netns)
{
	netns_free(*netns);
}

#endif
