/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A configuration made from what the MCP clients of one user are configured with. */
#ifndef SWITCHGEAR_DAEMON_IMPORT_H
#define SWITCHGEAR_DAEMON_IMPORT_H

#include "base/cleanup.h"

/* Prints it on stdout, and what was left out on stderr. -ENOENT: nothing was found. */
int import_print(const char *home) MUST_CHECK;

#endif
