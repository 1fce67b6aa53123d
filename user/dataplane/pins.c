/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pin directory, and pinned maps: taken over before a load, pinned after it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"
#define BPFFS_DEFAULT "/sys/fs/bpf"

/* --- the pin directory -------------------------------------------------------------- */

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* Mounts bpffs at its usual place if the pins are to be there and it is missing. */
static int bpffs_ensure(const char *pin_dir)
{
	char parent[512];

	snprintf(parent, sizeof(parent), "%s", pin_dir);
	for (char *slash = strrchr(parent, '/'); slash && slash != parent && access(parent, F_OK);
	     slash = strrchr(parent, '/'))
		*slash = '\0';
	if (is_bpffs(parent))
		return 0;
	if (!strncmp(pin_dir, BPFFS_DEFAULT "/", strlen(BPFFS_DEFAULT) + 1) &&
	    !mount("bpf", BPFFS_DEFAULT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")) {
		log_notice(SUB, "mounted the BPF file system at " BPFFS_DEFAULT);
		return 0;
	}
	log_error(SUB,
		  "%s is not in a BPF file system, so enforcement could not outlive the daemon; "
		  "mount one (mount -t bpf bpf " BPFFS_DEFAULT ") or choose another --pin-dir",
		  pin_dir);
	return -ENOTSUP;
}

static int pin_dir_make(const char *path)
{
	char part[512];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(part, 0700) && errno != EEXIST)
			return log_failure(-errno, SUB, "cannot make %s for the pins", part);
		*p = '/';
	}
	if (mkdir(part, 0700) && errno != EEXIST)
		return log_failure(-errno, SUB, "cannot make the pin directory %s", part);
	if (chmod(part, 0700))
		return log_failure(-errno, SUB, "cannot restrict the pin directory %s", part);
	return 0;
}

/* " (process 123)" for whom /proc/locks names as the holder of this lock, else "". */
static void lock_holder(int fd, char *out, size_t size)
{
	CLEANUP(fclosep) FILE *locks = fopen("/proc/locks", "re");
	unsigned long long inode;
	unsigned int major, minor;
	char line[256];
	struct stat st;
	int pid;

	out[0] = '\0';
	if (!locks || fstat(fd, &st))
		return;
	while (fgets(line, sizeof(line), locks)) {
		if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%llu", &pid, &major, &minor, &inode) ==
			    4 &&
		    inode == st.st_ino && makedev(major, minor) == st.st_dev && pid > 0) {
			snprintf(out, size, " (process %d)", pid);
			return;
		}
	}
}

bool dataplane_runs(const char *pin_dir)
{
	CLEANUP(closep) int fd = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char holder[32] = "";

	if (fd >= 0)
		lock_holder(fd, holder, sizeof(holder));
	return holder[0];
}

static int pin_dir_lock(struct dataplane *dp)
{
	char holder[32];

	dp->dir_fd = open(dp->pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dp->dir_fd < 0)
		return log_failure(-errno, SUB, "cannot open the pin directory %s", dp->pin_dir);
	if (!flock(dp->dir_fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return log_failure(-errno, SUB, "cannot lock the pin directory %s", dp->pin_dir);
	lock_holder(dp->dir_fd, holder, sizeof(holder));
	log_error(SUB,
		  "another switchgeard%s owns the pins in %s; stop it first, or give this one "
		  "another --pin-dir",
		  holder, dp->pin_dir);
	return -EBUSY;
}

/* --- maps ----------------------------------------------------------------------------- */

static int stale(const struct dataplane *dp, const char *what)
{
	log_error(SUB,
		  "the pins in %s are of another layout of Switchgear (%s); remove them with "
		  "\"switchgear --pin-dir %s detach\", of the version that made them if this one "
		  "refuses (this ends enforcement until the next start)",
		  dp->pin_dir, what, dp->pin_dir);
	return -ESTALE;
}

static bool map_is_private(const char *name)
{
	return !strcmp(name, "scratch") || !strcmp(name, "ended") || !strcmp(name, "blank") ||
	       !strcmp(name, "subuids") || !strcmp(name, "holders") ||
	       !strcmp(name, "unrecorded") || !strcmp(name, "hellos") || !strcmp(name, "waste") ||
	       strchr(name, '.');
}

/* Takes a pinned map over, if it is there and is what we would make. */
static int map_reuse(struct dataplane *dp, struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	char path[640];
	int fd;
	int r;

	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return log_failure(-errno, SUB, "cannot open the pinned map %s", path);
	r = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!r && (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
		   info.value_size != bpf_map__value_size(map)))
		r = stale(dp, name);
	else if (!r)
		r = bpf_map__reuse_fd(map, fd);
	close(fd);
	if (r && r != -ESTALE)
		return log_failure(r, SUB, "cannot take over the pinned map %s", path);
	dp->taken_over |= !r;
	return r;
}

int dataplane_pinned_cfg(const struct dataplane *dp, struct sg_cfg *ret)
{
	CLEANUP(closep) int fd = -1;
	char path[640];
	__u32 zero = 0;

	snprintf(path, sizeof(path), "%s/cfg", dp->pin_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -ENOENT;
	return bpf_map_lookup_elem(fd, &zero, ret) ? -EIO : 0;
}

/* Looks at the pins before anything is loaded: an older layout is refused as a whole. */
static int pins_check(struct dataplane *dp)
{
	char path[640];
	struct sg_cfg cfg = { 0 };
	int r = dataplane_pinned_cfg(dp, &cfg);

	if (r == -ENOENT) {
		snprintf(path, sizeof(path), "%s/ep2srv", dp->pin_dir);
		return access(path, F_OK) ? 0 : stale(dp, "no map \"cfg\"");
	}
	if (r)
		return stale(dp, "map \"cfg\" cannot be read");
	if (cfg.abi && cfg.abi != SG_ABI)
		return stale(dp, "another ABI number");
	return 0;
}

int dataplane_maps_prepare(struct dataplane *dp, uint32_t endpoints_max)
{
	struct bpf_map *map;
	int r;

	if (endpoints_max) {
		r = bpf_map__set_max_entries(dp->skel->maps.ep2srv, endpoints_max);
		if (!r)
			r = bpf_map__set_max_entries(dp->skel->maps.listed, endpoints_max);
		if (r)
			return r;
	}
	bpf_object__for_each_map(map, dp->skel->obj)
	{
		if (map_is_private(bpf_map__name(map)))
			continue;
		r = map_reuse(dp, map);
		if (r)
			return r;
	}
	return 0;
}

static int map_pin(struct dataplane *dp, const struct bpf_map *map)
{
	char path[640];

	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, bpf_map__name(map));
	if (!access(path, F_OK) || !bpf_obj_pin(bpf_map__fd(map), path))
		return 0;
	return log_failure(-errno, SUB, "cannot pin the map %s", path);
}

/* The one that tells the layout comes first: without it nobody knows whose the others are. */
int dataplane_maps_pin(struct dataplane *dp)
{
	struct bpf_map *map;
	int r = map_pin(dp, dp->skel->maps.cfg);

	bpf_object__for_each_map(map, dp->skel->obj)
	{
		if (!r && !map_is_private(bpf_map__name(map)))
			r = map_pin(dp, map);
	}
	return r;
}

/* --- whose they are -------------------------------------------------------------------- */

static bool map_ours(const char *path, const char *name)
{
	CLEANUP(closep) int fd = bpf_obj_get(path);
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	/* of what is no map the kernel tells something else, but no such name at that place */
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, name);
}

static bool xdp_ours(const char *path)
{
	CLEANUP(closep) int fd = bpf_obj_get(path);
	CLEANUP(closep) int prog = -1;
	struct bpf_link_info link = { 0 };
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(link);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &link, &len) || link.type != BPF_LINK_TYPE_XDP)
		return false;
	prog = bpf_prog_get_fd_by_id(link.prog_id);
	len = sizeof(info);
	return prog >= 0 && !bpf_obj_get_info_by_fd(prog, &info, &len) &&
	       !strcmp(info.name, PINS_XDP_PROGRAM);
}

bool dataplane_pin_ours(const struct dataplane *dp, const char *name)
{
	char path[640];

	for (size_t i = 0; i < dp->n_links; i++)
		if (!strcmp(dp->links[i].pin, name))
			return true;
	snprintf(path, sizeof(path), "%s/%s", dp->pin_dir, name);
	if (pins_map(name))
		return map_ours(path, name);
	return !strncmp(name, PINS_XDP, strlen(PINS_XDP)) ? xdp_ours(path) : pins_link(name);
}

int dataplane_pins_open(struct dataplane *dp)
{
	int r = bpffs_ensure(dp->pin_dir);

	if (!r)
		r = pin_dir_make(dp->pin_dir);
	if (!r)
		r = pin_dir_lock(dp);
	return r ? r : pins_check(dp);
}
