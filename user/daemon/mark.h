/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A detach that lasts: the mark in the state directory, as the daemon reads and writes it. */
#ifndef SWITCHGEAR_DAEMON_MARK_H
#define SWITCHGEAR_DAEMON_MARK_H

#include <stdbool.h>

#include "codec/mark.h"

#define MARK_EXIT 78 /* EX_CONFIG: what a start that respects it exits with */

/* Is there one? Whatever it is, and also if that cannot be told; who, of MARK_TEXT_MAX bytes: by
 * whom and when. */
bool mark_find(const char *state_dir, char *who);
/* -errno, logged. */
int mark_put(const char *state_dir, const char *by) MUST_CHECK;
int mark_remove(const char *state_dir) MUST_CHECK;

#endif
