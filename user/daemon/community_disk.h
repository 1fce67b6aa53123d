/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file of keys and statements (codec/community.h), its two generations, and what becomes of
 * one that is damaged. */
#ifndef SWITCHGEAR_DAEMON_COMMUNITY_DISK_H
#define SWITCHGEAR_DAEMON_COMMUNITY_DISK_H

#include <stdbool.h>

#include "codec/community.h"
#include "daemon/bus.h"
#include "io/store.h"

/* Adds what is on disk to *c. One that is damaged is set aside, with an alarm; the statements in
 * it that have good signatures are taken all the same. Was there such a one? */
bool community_disk_load(struct store *store, struct bus *bus, struct community *c);
/* -errno, which the store has logged. */
int community_disk_save(struct store *store, const struct community *c) MUST_CHECK;

#endif
