/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Host names to addresses without ever waiting: getaddrinfo() runs in child
 * processes, so that whatever nsswitch.conf asks for works and none of its code
 * runs with the daemon's rights. A child that dies is replaced, one that takes
 * longer than the caller's patience is killed and replaced; the question it had
 * is answered with an error. The children die with the daemon.
 *
 * The caller watches resolver_fd() for reading and calls resolver_run() when it
 * is readable and when resolver_due_ns() is reached.
 */
#ifndef SWITCHGEAR_IO_RESOLVER_H
#define SWITCHGEAR_IO_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define RESOLVER_WORKERS 4
#define RESOLVER_ADDRS_MAX 64
#define RESOLVER_HOST_MAX 253
#define RESOLVER_QUEUE_MAX 4096U
#define RESOLVER_PATIENCE_NS 15000000000ULL /* for every day */

struct resolver;

/*
 * The answer to one question; called from resolver_run() only. n > 0 addresses
 * (each once, IPv4 v4-mapped) and error NULL, or n 0 and a text for people that
 * says why. All borrowed. It may ask again, but not free the resolver.
 */
typedef void resolver_fn(void *data, uint64_t id, const struct addr *addrs, size_t n,
			 const char *error);

/* Starts no process yet. patience_ns: for one question, see RESOLVER_PATIENCE_NS. */
int resolver_new(resolver_fn *fn, void *data, uint64_t patience_ns,
		 struct resolver **ret) MUST_CHECK;
void resolver_free(struct resolver *resolver); /* kills its children; NULL-safe */

int resolver_fd(const struct resolver *resolver); /* borrowed; level-triggered */
/* Boot time at which resolver_run() must be called; UINT64_MAX: not before it is readable. */
uint64_t resolver_due_ns(const struct resolver *resolver);
void resolver_run(struct resolver *resolver);

/* id is the caller's and comes back with the answer. Call resolver_run() or look at
 * resolver_due_ns() afterwards. -EINVAL for an empty or too long name, -ENOBUFS when the
 * queue is full, -ENOMEM. */
int resolver_ask(struct resolver *resolver, uint64_t id, const char *host) MUST_CHECK;

static inline void resolver_freep(struct resolver **resolver)
{
	resolver_free(*resolver);
}

#endif
