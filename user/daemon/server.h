/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of one server, for daemon/servers.c; what others may do with one is in servers.h. */
#ifndef SWITCHGEAR_DAEMON_SERVER_H
#define SWITCHGEAR_DAEMON_SERVER_H

#include <stdbool.h>

#include "daemon/servers.h"

/* Does the kernel have anything to do with it? (stdio servers are only listed, and those at Unix
 * sockets where connects to these are not seen) */
bool server_to_be_watched(struct daemon *d, const struct config_server *c);

/* NULL: no memory. It is nothing to the kernel yet. */
struct server *server_new(struct daemon *d, struct modules *modules,
			  const struct config_server *config);
/* Modules are told that it goes; the kernel keeps what it has of its id. NULL-safe. */
void server_free(struct modules *modules, struct server *s);

/* Takes an id for it, the one that it had if the kernel or the state on disk knows it under
 * its name, or under another at the same origin that `config` does not have. -errno: it is
 * half begun; its endpoints are the caller's to write. */
int server_begin(struct modules *modules, const struct config *config, struct server *s,
		 struct server_start *start) MUST_CHECK;
/* It stays, with another entry; diff is CONFIG_DIFF_*. */
int server_change(struct modules *modules, struct server *s, const struct config_server *now,
		  unsigned int diff) MUST_CHECK;

/* Writes what is wanted of it. */
int server_write(struct server *s) MUST_CHECK;
/* Is something else wanted than was written? */
bool server_differs(const struct server *s);

#endif
