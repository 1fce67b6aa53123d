/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a daemon does not wait for: it starts without it, is degraded, and tries again. Asked
 * beforehand, for --check.
 */
#ifndef SWITCHGEAR_DAEMON_OUTSIDE_H
#define SWITCHGEAR_DAEMON_OUTSIDE_H

#include "daemon/settings.h"

/* Names, group, interfaces, and, unless a daemon `runs` that has them, the addresses at which it
 * would listen. -ENOENT, -ENOMEM: something is missing; each is logged. */
int outside_check(struct settings *settings, const struct config *config, bool runs) MUST_CHECK;

#endif
