/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <linux/bpf.h>
#include <linux/magic.h>

#define DEPTH_MAX 4
#define PASSES_MAX 8

/*
 * A link lets go of what it is attached to when its last reference is gone, which the
 * kernel puts off for a while after the pin is. So it is told to let go at once. What is no
 * link, or of a kind that cannot be told (tracing), is left to that.
 */
static void let_go(int dir, const char *name)
{
	union bpf_attr attr = { 0 };
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	attr.pathname = (uintptr_t)path;
	fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.link_detach.link_fd = (__u32)fd;
	(void)syscall(SYS_bpf, BPF_LINK_DETACH, &attr, sizeof(attr));
	close(fd);
}

/* Takes the descriptor. */
static int empty(int fd, unsigned int depth, size_t *removed)
{
	CLEANUP(closedirp) DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		int below;
		int r;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (entry->d_type != DT_DIR)
			let_go(fd, entry->d_name);
		if (unlinkat(fd, entry->d_name, 0) == 0) {
			++*removed;
			continue;
		}
		if (errno != EISDIR || depth == DEPTH_MAX)
			return -errno;
		below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			return -errno;
		r = empty(below, depth + 1, removed);
		if (r)
			return r;
		if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0)
			return -errno;
	}
	return 0;
}

int pins_remove(const char *dir, size_t *ret_removed)
{
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	int below;
	int r = 0;

	*ret_removed = 0;
	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if ((unsigned int)fs.f_type != BPF_FS_MAGIC)
		return -EMEDIUMTYPE;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return -EBUSY;
	/* Reading while deleting may skip some: again until nothing is left. The first
	 * descriptor keeps the lock, a second one is read. */
	for (int pass = 0; r == 0 && pass < PASSES_MAX; pass++) {
		below = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = below < 0 ? -errno : empty(below, 0, ret_removed);
		if (r == 0 && rmdir(dir) == 0)
			return 0;
		if (r == 0 && errno != ENOTEMPTY)
			r = -errno;
	}
	return r < 0 ? r : -ENOTEMPTY;
}
