/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How this host gets to an address, by rtnetlink: the next hop, the interface, and signs that
 * neither is of use. Of the network namespace in which ways_open() was called.
 */
#ifndef SWITCHGEAR_DATAPLANE_WAYS_H
#define SWITCHGEAR_DATAPLANE_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/parse.h"

struct way {
	struct addr hop; /* IPv4 v4-mapped; zero: none, the address is on the link */
	uint32_t ifindex;
};

enum way_sign {
	WAY_FINE,
	WAY_UNKNOWN,    /* nothing says so, nor otherwise */
	WAY_GONE,       /* there is no route any more */
	WAY_DOWN,       /* the interface is */
	WAY_NO_CARRIER, /* of the interface */
	WAY_NO_HOP,     /* the next hop does not answer ARP, or its like */
	WAY_SIGN_COUNT
};

/* A descriptor for the questions below. The caller closes it. */
int ways_open(int *ret_fd) MUST_CHECK;
/* The way to an address: 0; 1: it is this host's own; -errno as a connect would get it. */
int ways_ask(int fd, const struct addr *to, struct way *ret) MUST_CHECK;
/* Of the interface, then of the next hop, if there is one. */
enum way_sign ways_sign(int fd, const struct way *way);
bool way_sign_bad(enum way_sign sign);
/* "the interface is down", for people. */
const char *way_sign_text(enum way_sign sign);
/* "10.0.0.1 dev eth0", or "the link of eth0". Returns out. */
const char *way_text(char *out, size_t size, const struct way *way);

#define WAYS_ROUTES 1 /* addresses, links or routes have changed */
#define WAYS_SIGNS 2  /* links or next hops */

/* A descriptor, for reading, that tells of changes. The caller closes it. */
int ways_watch(int *ret_fd) MUST_CHECK;
/* Takes what is there, never blocks: WAYS_*, or -errno. */
int ways_changed(int fd) MUST_CHECK;

#endif
