/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/cgroup.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/list.h"
#include "base/log.h"

#define SUB "cgroup"

/* --- mountinfo -------------------------------------------------------------- */

static bool octal(const char *s, char *ret)
{
	for (int i = 0; i < 3; i++)
		if (s[i] < '0' || s[i] > (i ? '7' : '3'))
			return false;
	*ret = (char)((s[0] - '0') << 6 | (s[1] - '0') << 3 | (s[2] - '0'));
	return true;
}

/* Space, tab, line feed and backslash come as \040, \011, \012, \134. */
static int unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s != '\\') {
			*out++ = *s;
			continue;
		}
		if (!octal(s + 1, out) || !*out)
			return -EINVAL;
		out++;
		s += 3;
	}
	*out = '\0';
	return 0;
}

int cgroup_parse_mount(const char *line, struct cgroup_mount *ret)
{
	CLEANUP(freep) char *root = NULL;
	CLEANUP(freep) char *point = NULL;
	const char *rest;
	char type[16];
	int at = 0;

	/* "31 23 0:28 /root /point options [optional]... - type source options" */
	if (sscanf(line, "%*s %*s %*s %ms %ms %*s%n", &root, &point, &at) != 2 || !at)
		return -EINVAL;
	rest = strstr(line + at, " - ");
	if (!rest || sscanf(rest, " - %15s", type) != 1)
		return -EINVAL;
	if (strcmp(type, "cgroup2"))
		return -ENOENT;
	if (unescape(root) < 0 || unescape(point) < 0)
		return -EINVAL;
	ret->root = TAKE_PTR(root);
	ret->point = TAKE_PTR(point);
	return 0;
}

void cgroup_mount_done(struct cgroup_mount *mount)
{
	freep(&mount->root);
	freep(&mount->point);
	mount->root = mount->point = NULL;
}

/* Length of prefix if it is path itself or a directory above it, else 0. */
static size_t above(const char *prefix, const char *path)
{
	size_t len = strlen(prefix);

	while (len > 1 && prefix[len - 1] == '/')
		len--;
	if (len == 1 && prefix[0] == '/')
		return path[0] == '/';
	if (!len || strncmp(prefix, path, len))
		return 0;
	return path[len] == '\0' || path[len] == '/' ? len : 0;
}

/*
 * The mount that path is on or, without path, the best one: of the whole
 * hierarchy (root "/") if there is one, else the first.
 */
static int find_mount(const char *path, struct cgroup_mount *ret)
{
	CLEANUP(fclosep) FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP(cgroup_mount_done) struct cgroup_mount best = { 0 };
	CLEANUP(freep) char *line = NULL;
	size_t best_score = 0;
	size_t size = 0;

	if (!f)
		return log_failure(-errno, SUB,
				   "cannot read /proc/self/mountinfo: is /proc mounted?");
	while (getline(&line, &size, f) > 0) {
		CLEANUP(cgroup_mount_done) struct cgroup_mount m = { 0 };
		size_t score;

		if (cgroup_parse_mount(line, &m) < 0)
			continue;
		if (path)
			score = above(m.point, path);
		else
			score = strcmp(m.root, "/") ? 1 : 2;
		/* Of two mounts at one place the later one is on top. */
		if (score > best_score || (path && score && score == best_score)) {
			cgroup_mount_done(&best);
			best = m;
			m.root = m.point = NULL;
			best_score = score;
		}
	}
	if (!best_score)
		return -ENOENT;
	*ret = best;
	best.root = best.point = NULL;
	return 0;
}

int cgroup_find(char **ret)
{
	CLEANUP(cgroup_mount_done) struct cgroup_mount mount = { 0 };
	int r = find_mount(NULL, &mount);

	if (r == -ENOENT)
		return log_failure(r, SUB,
				   "no cgroup2 file system is mounted: mount one (mkdir -p "
				   "/sys/fs/cgroup/unified && mount -t cgroup2 none "
				   "/sys/fs/cgroup/unified), or name a group with --cgroup");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(mount.point);
	return 0;
}

int cgroup_mount_of(const char *path, char **ret)
{
	CLEANUP(cgroup_mount_done) struct cgroup_mount mount = { 0 };
	CLEANUP(freep) char *real = realpath(path, NULL);
	int r = real ? find_mount(real, &mount) : -errno;

	if (!r)
		*ret = TAKE_PTR(mount.point);
	return r;
}

int cgroup_check(const char *path)
{
	struct statfs fs;
	struct stat st;

	if (stat(path, &st) < 0)
		return log_failure(-errno, SUB,
				   "cannot use the cgroup %s: name another one with "
				   "--cgroup, or let --cgroup auto find it",
				   path);
	if (!S_ISDIR(st.st_mode))
		return log_failure(-ENOTDIR, SUB,
				   "cannot use the cgroup %s: name a directory of a "
				   "cgroup2 file system with --cgroup",
				   path);
	if (statfs(path, &fs) < 0)
		return log_failure(-errno, SUB, "cannot use the cgroup %s", path);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return log_failure(-EINVAL, SUB,
				   "%s is not on a cgroup2 file system (version 1 cannot be used): "
				   "name another one with --cgroup, or let --cgroup auto find it",
				   path);
	return 0;
}

/* --- membership ------------------------------------------------------------- */

/* The path of the process in the cgroup2 hierarchy: the line "0::/path". */
static int process_path(pid_t pid, char **ret)
{
	CLEANUP(fclosep) FILE *f = NULL;
	CLEANUP(freep) char *line = NULL;
	char file[64] = "/proc/self/cgroup";
	size_t size = 0;

	if (pid)
		snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	f = fopen(file, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (getline(&line, &size, f) > 0) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = '\0';
		*ret = strdup(line + 3);
		return *ret ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

int cgroup_contains(const char *path, pid_t pid, bool *ret)
{
	CLEANUP(cgroup_mount_done) struct cgroup_mount mount = { 0 };
	CLEANUP(freep) char *real = realpath(path, NULL);
	CLEANUP(freep) char *process = NULL;
	CLEANUP(freep) char *group = NULL;
	const char *rest;
	int r;

	if (!real)
		return -errno;
	r = find_mount(real, &mount);
	if (!mount.root || !mount.point)
		return r < 0 ? r : -ENOENT;
	r = process_path(pid, &process);
	if (r < 0)
		return r;
	/* Inside the hierarchy the group is at the mount's root plus what follows its point. */
	rest = real + above(mount.point, real);
	if (asprintf(&group, "%s%s", strcmp(mount.root, "/") ? mount.root : "",
		     *rest ? rest : "/") < 0) {
		group = NULL;
		return -ENOMEM;
	}
	*ret = above(group, process) > 0;
	return 0;
}

int cgroup_of(pid_t pid, char **ret)
{
	CLEANUP(cgroup_mount_done) struct cgroup_mount mount = { 0 };
	CLEANUP(freep) char *process = NULL;
	int r = process_path(pid, &process);
	size_t root;

	if (!r)
		r = find_mount(NULL, &mount);
	if (r < 0)
		return r;
	root = above(mount.root, process);
	if (!root)
		return -ENOENT; /* beside what is mounted here */
	if (!strcmp(mount.root, "/"))
		root = 0;
	if (asprintf(ret, "%s%s", mount.point, strcmp(process + root, "/") ? process + root : "") <
	    0)
		return -ENOMEM;
	return 0;
}

bool cgroup_above(const char *path, const char *other)
{
	return above(path, other) > 0;
}

/* --- what is inside ----------------------------------------------------------- */

#define ROOT_ID 1 /* the inode of a hierarchy's root; an inode is the id of its cgroup */

static int ids_add(struct cgroup_ids *ids, uint64_t id)
{
	int r = list_grow(&ids->v, ids->n, sizeof(*ids->v));

	if (!r)
		ids->v[ids->n++] = id;
	return r;
}

static void fts_closep(FTS **tree)
{
	if (*tree)
		fts_close(*tree);
}

/* Adds the group at path and all below it; those that vanish are skipped. */
static int ids_walk(const char *path, struct cgroup_ids *ids)
{
	char *const roots[] = { (char *)path, NULL };
	CLEANUP(fts_closep)
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
	const FTSENT *e;
	int r = tree ? 0 : -errno;

	while (!r && (e = fts_read(tree))) {
		if (e->fts_info == FTS_D)
			r = ids_add(ids, e->fts_statp->st_ino);
		else if ((e->fts_info == FTS_DNR || e->fts_info == FTS_NS) &&
			 e->fts_errno != ENOENT && e->fts_errno != ENODEV)
			r = -e->fts_errno;
	}
	return r ? r : -errno; /* 0 at the end of the tree */
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int cgroup_ids(const char *path, struct cgroup_ids *ret)
{
	CLEANUP(cgroup_ids_done) struct cgroup_ids ids = { 0 };
	struct stat st;
	int r;

	*ret = ids;
	if (stat(path, &st))
		return -errno;
	ret->all = st.st_ino == ROOT_ID;
	r = ret->all ? 0 : ids_walk(path, &ids);
	if (r || ret->all)
		return r;
	qsort(ids.v, ids.n, sizeof(*ids.v), by_id);
	*ret = ids;
	ids = (struct cgroup_ids){ 0 };
	return 0;
}

bool cgroup_ids_has(const struct cgroup_ids *ids, uint64_t id)
{
	return ids->all || (ids->n && bsearch(&id, ids->v, ids->n, sizeof(*ids->v), by_id));
}

void cgroup_ids_done(struct cgroup_ids *ids)
{
	free(ids->v);
	*ids = (struct cgroup_ids){ 0 };
}
