/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A detach that lasts: the mark in the state directory, without a daemon. */
#ifndef SWITCHGEAR_CLI_MARK_H
#define SWITCHGEAR_CLI_MARK_H

#include "codec/mark.h"

/* Is there one? who, of MARK_TEXT_MAX bytes: by whom and when. -errno: that cannot be told. */
int mark_find(const char *state_dir, bool *ret, char *who) MUST_CHECK;
/* By who runs this, now; the directory is made if missing. -errno. */
int mark_put(const char *state_dir) MUST_CHECK;
int mark_remove(const char *state_dir) MUST_CHECK;

#endif
