/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a server offers in its own words, on disk: one file each, so that who answers for it can
 * show it after a start while it is away. Foreign text, which the daemon does not parse. What
 * cannot be kept is not known after a restart, and nothing worse.
 */
#ifndef SWITCHGEAR_DAEMON_LISTING_H
#define SWITCHGEAR_DAEMON_LISTING_H

#include "base/buf.h"
#include "io/store.h"

/* *kept (owned by the caller; NULL: none) becomes a copy of it, on disk too, if it is another. One
 * that is empty or was too long changes nothing. store NULL: there is none. */
void listing_keep(struct store *store, const char *server, const struct buf *listing, char **kept);
/* The caller's; NULL: there is none that could be one. */
char *listing_load(struct store *store, const char *server);

#endif
