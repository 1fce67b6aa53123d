/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The daemon: what a module gets to see of the others. One object, one thread, one
 * loop. A further member needs a decision record (docs/decisions/).
 *
 * Invariants:
 *  A1  The kernel's maps are the truth; what is kept here is a copy for showing.
 *  A2  A transition is on disk before it is reported (log, events): see bus.h.
 *  A3  Nothing in the loop waits for anything but the kernel and the disk.
 */
#ifndef SWITCHGEAR_DAEMON_DAEMON_H
#define SWITCHGEAR_DAEMON_DAEMON_H

#include "base/cleanup.h"
#include "dataplane/dataplane.h"
#include "io/loop.h"

struct bus;
struct servers;
struct settings;

struct daemon {
	struct loop *loop;
	struct dataplane *dp;
	struct bus *bus;
	struct servers *servers;
	struct settings *settings;
};

#endif
