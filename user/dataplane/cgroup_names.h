/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of cgroups by their ids, for people. An id is never used again and a cgroup of
 * this hierarchy is never renamed, so what was found once holds.
 */
#ifndef SWITCHGEAR_DATAPLANE_CGROUP_NAMES_H
#define SWITCHGEAR_DATAPLANE_CGROUP_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct cgroup_names;

/* Of the hierarchy that a path is in. NULL: there is none, or no memory. */
struct cgroup_names *cgroup_names_new(const char *path);
void cgroup_names_free(struct cgroup_names *names); /* NULL-safe */

/* Its path below the mount ("/agents"); its number where that cannot be told, as without names
 * (NULL). Returns out. */
char *cgroup_names_get(struct cgroup_names *names, uint64_t id, char *out, size_t size);

#endif
