/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The addresses that a network namespace owns. An address that
 * is missing here is an address that is taken for a remote one.
 */
#ifndef SWITCHGEAR_DATAPLANE_LOCALS_H
#define SWITCHGEAR_DATAPLANE_LOCALS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define LOCALS_MAX 65536U

struct locals_list {
	struct addr *addrs;
	size_t n;
};

/* All addresses of the calling thread's network namespace, loopback ones too, IPv4
 * v4-mapped, each once. Waits for the kernel alone. ret is initialised here and freed
 * with locals_list_done(). -E2BIG beyond LOCALS_MAX. */
int locals_read(struct locals_list *ret) MUST_CHECK;
void locals_list_done(struct locals_list *list);
bool locals_list_has(const struct locals_list *list, const struct addr *address);

/* A descriptor, for reading, that tells of changes in the namespace in which this is called,
 * wherever the thread goes later. The caller closes it. */
int locals_watch(int *ret_fd) MUST_CHECK;
/* Takes what is there, never blocks: 1 if addresses changed (or messages were lost),
 * 0 if not, or -errno. */
int locals_changed(int fd) MUST_CHECK;

#endif
