/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the cgroup2 hierarchy is, and who is inside one of its groups. On
 * hybrid hosts it is not at /sys/fs/cgroup: only /proc/self/mountinfo knows.
 */
#ifndef SWITCHGEAR_DATAPLANE_CGROUP_H
#define SWITCHGEAR_DATAPLANE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* The mount point of the whole hierarchy as far as this process can see it; *ret is the
 * caller's. Logs, with the remedy, -ENOENT when none is mounted. */
int cgroup_find(char **ret) MUST_CHECK;

/* The mount point that a path is on; *ret is the caller's. -ENOENT: it is on none of cgroup2. */
int cgroup_mount_of(const char *path, char **ret) MUST_CHECK;

/* Logs, with the remedy, when path is not a directory (-ENOENT, -ENOTDIR) or not on a
 * cgroup2 file system (-EINVAL). */
int cgroup_check(const char *path) MUST_CHECK;

/* Whether the process is in the group at path, or in one below it. pid 0: this process. */
int cgroup_contains(const char *path, pid_t pid, bool *ret) MUST_CHECK;

/* The directory of the group that a process is in; *ret is the caller's. -ESRCH: there is no such
 * process; -ENOENT: it is in none that is seen from here. */
int cgroup_of(pid_t pid, char **ret) MUST_CHECK;

/* Is the group at `path` the one at `other`, or above it? Both as realpath(3) has them. */
bool cgroup_above(const char *path, const char *other);

/* The ids of the group at path and of all below it, sorted; of the whole hierarchy none are
 * listed: `all`. The list is the caller's, and empty after an error. */
struct cgroup_ids {
	bool all;
	uint64_t *v;
	size_t n;
};

int cgroup_ids(const char *path, struct cgroup_ids *ret) MUST_CHECK;
bool cgroup_ids_has(const struct cgroup_ids *ids, uint64_t id);
void cgroup_ids_done(struct cgroup_ids *ids);

/* One line of mountinfo (proc(5)), for tests. The strings are decoded and the caller's. */
struct cgroup_mount {
	char *root;
	char *point;
};

/* 0 if the line is a cgroup2 mount, -ENOENT if it is not, -EINVAL if it is malformed. */
int cgroup_parse_mount(const char *line, struct cgroup_mount *ret) MUST_CHECK;
void cgroup_mount_done(struct cgroup_mount *mount);

#endif
