/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ending the connections of a server's processes, for isolate.c. */
#ifndef SWITCHGEAR_DATAPLANE_ISOLATE_CUT_H
#define SWITCHGEAR_DATAPLANE_ISOLATE_CUT_H

#include "dataplane/isolate.h"

/*
 * Ends every connection of the cgroup's sockets and of its processes, in their network namespaces;
 * own: of those processes alone that hold the socket that waits for agents. Fills cut, survivors and
 * outside of *to. What waits for others is left alone: it has nobody at its other end.
 */
void isolate_cut(struct dataplane *dp, const struct hosted *h, bool own, struct isolate_result *to);

#endif
