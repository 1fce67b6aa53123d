/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A host name to addresses by getaddrinfo(), so that whatever nsswitch.conf asks for works.
 * It blocks, and what it parses comes from the network: only for a process of its own, which
 * gives up the daemon's rights first.
 */
#ifndef SWITCHGEAR_IO_RESOLVER_H
#define SWITCHGEAR_IO_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define RESOLVER_ADDRS_MAX 64
#define RESOLVER_HOST_MAX 253

struct resolver_answer {
	uint32_t n; /* addresses, each once, IPv4 v4-mapped; 0: error says why, for people */
	struct addr addrs[RESOLVER_ADDRS_MAX];
	char error[160];
};

/* A child_fn (io/child.h). host: text; answer: struct resolver_answer, all zero. The process
 * is nobody afterwards, without a way back, and dies with its parent still. 0, or -EINVAL. */
int resolver_look_up(void *host, void *answer, size_t size) MUST_CHECK;

/* The same for the name of a group: that, too, may ask a server. */
struct resolver_group {
	bool found;
	gid_t gid;
	char error[160]; /* why not, for people */
};
int resolver_group(void *name, void *answer, size_t size) MUST_CHECK;

#endif
