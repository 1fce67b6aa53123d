/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A host name to addresses by getaddrinfo(), so that whatever nsswitch.conf asks for works.
 * It blocks, and what it parses comes from the network: for a worker only.
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

/* *answer: all zero. */
void resolver_look_up(const char *host, struct resolver_answer *answer);

/* The same for the name of a group: that, too, may ask a server. */
struct resolver_group {
	bool found;
	gid_t gid;
	char error[160]; /* why not, for people */
};
void resolver_group(const char *name, struct resolver_group *answer);

/* Why nothing was found, for people, borrowed from it; NULL: something was. What a worker says
 * may be anything, and is used only if these return NULL. */
const char *resolver_answer_why(const struct resolver_answer *answer);
const char *resolver_group_why(const struct resolver_group *answer);

#endif
