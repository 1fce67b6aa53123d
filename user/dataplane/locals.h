/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The addresses that a network namespace owns, from rtnetlink. An address that
 * is missing here is an address that is taken for a remote one.
 */
#ifndef SWITCHGEAR_DATAPLANE_LOCALS_H
#define SWITCHGEAR_DATAPLANE_LOCALS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define LOCALS_MAX 65536U

struct locals;

struct locals_list {
	struct addr *addrs;
	size_t n;
	size_t cap;
};

/* All addresses of the calling thread's network namespace, loopback ones too, IPv4
 * v4-mapped, each once. Waits for the kernel alone. ret is initialised here and freed
 * with locals_list_done(). -E2BIG beyond LOCALS_MAX. */
int locals_read(struct locals_list *ret) MUST_CHECK;
void locals_list_done(struct locals_list *list);
bool locals_list_has(const struct locals_list *list, const struct addr *address);

/* Watches the namespace in which this is called, wherever the thread goes later. */
int locals_watch(struct locals **ret) MUST_CHECK;
void locals_free(struct locals *locals);    /* NULL-safe */
int locals_fd(const struct locals *locals); /* borrowed; for reading */
/* Takes what is there, never blocks: 1 if addresses changed (or messages were lost),
 * 0 if not, or -errno. */
int locals_changed(struct locals *locals) MUST_CHECK;

/* For tests: one datagram of a dump with this sequence number. Adds to list. 1: the dump
 * is complete, 0: more to come, -EAGAIN: it was inconsistent, start again, -EBADMSG: malformed. */
int locals_parse(const void *data, size_t len, unsigned int sequence,
		 struct locals_list *list) MUST_CHECK;

static inline void locals_freep(struct locals **locals)
{
	locals_free(*locals);
}

#endif
