/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the walk over descriptors writes, and what becomes of it; dataplane_find_held() uses it. */
#ifndef SWITCHGEAR_DATAPLANE_HELD_H
#define SWITCHGEAR_DATAPLANE_HELD_H

#include "dataplane/dataplane.h"

/* Calls fn with each one that can be read, wherever reads cut them. A result of fn that is not 0
 * ends that and is returned. -EBADMSG: the last was a part of one. Else -errno. */
typedef int held_fn(void *data, const struct sg_held *h);
int held_read(int fd, held_fn *fn, void *data) MUST_CHECK;

/* Sorted by namespaces, and each socket once, however many descriptors it has. */
void held_unite(struct dataplane_targets *all);

#endif
