/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Start, reload and end of the daemon. */
#ifndef SWITCHGEAR_DAEMON_RUN_H
#define SWITCHGEAR_DAEMON_RUN_H

#include "daemon/bus.h"
#include "daemon/settings.h"

/* What a daemon is made of; all of it outlives the run. */
struct run {
	struct settings *settings;
	const struct module *const *modules;
	size_t n_modules;
	const struct subscription *table;
	size_t n_table;
};

/* Runs until it is told to end; 0, or -errno, logged, when it could not start or go on. What
 * the kernel enforces stays. MARK_EXIT: it was detached, before the start or meanwhile. */
int run_daemon(const struct run *run) MUST_CHECK;
/* Configuration and host, without changing anything; 0 if it would start and enforce all. */
int run_check(struct settings *settings) MUST_CHECK;

#endif
