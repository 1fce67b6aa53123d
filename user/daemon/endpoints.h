/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose each address is (core/claims.h), and the kernel told so. For daemon/servers.c, which
 * has the list of servers.
 */
#ifndef SWITCHGEAR_DAEMON_ENDPOINTS_H
#define SWITCHGEAR_DAEMON_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/claims.h"
#include "daemon/servers.h"

struct endpoints {
	struct claim *claims; /* room for all, so that settling allocates nothing */
	bool *mine;
	bool applying;   /* a configuration: nobody is told of addresses */
	char error[256]; /* what is wrong with the maps, "": nothing */
};

/* Room for the claims of n servers; -ENOMEM. */
int endpoints_room(struct endpoints *e, size_t n) MUST_CHECK;
void endpoints_done(struct endpoints *e);

/* Settles whose the addresses are that the servers from `first` on claim, and writes the
 * endpoints of those for whom that changed, or that are unwritten; emits ADDRS for them. The
 * first error; all others are written all the same. */
int endpoints_settle(struct endpoints *e, struct server *first) MUST_CHECK;
/* Writes those of one server, and its networks. */
int endpoints_write(struct endpoints *e, struct server *s) MUST_CHECK;
/* See server_owner(). */
const struct server *endpoints_owner(const struct server *first, const struct server *s,
				     const struct addr *a);

#endif
