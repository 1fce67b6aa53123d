/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <linux/bpf.h>
#include <linux/magic.h>

#define DEPTH_MAX 4

static void fts_closep(FTS **tree)
{
	if (*tree)
		fts_close(*tree);
}

/*
 * A link lets go of what it is attached to when its last reference is gone, which the
 * kernel puts off for a while after the pin is. So it is told to let go at once. What is no
 * link, or of a kind that cannot be told (tracing), is left to that.
 */
static void let_go(const char *path)
{
	union bpf_attr attr = { 0 };
	int fd;

	attr.pathname = (uintptr_t)path;
	fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.link_detach.link_fd = (__u32)fd;
	(void)syscall(SYS_bpf, BPF_LINK_DETACH, &attr, sizeof(attr));
	close(fd);
}

static int take_away(const FTSENT *e, size_t *removed)
{
	switch (e->fts_info) {
	case FTS_D: /* before what is in it */
		return e->fts_level > DEPTH_MAX ? -EISDIR : 0;
	case FTS_DP: /* after it */
		return rmdir(e->fts_path) < 0 ? -errno : 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return -e->fts_errno;
	default:
		let_go(e->fts_path);
		if (unlink(e->fts_path) < 0)
			return -errno;
		++*removed;
		return 0;
	}
}

int pins_remove(const char *dir, size_t *ret_removed)
{
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char *const paths[] = { (char *)(uintptr_t)dir, NULL };
	CLEANUP(fts_closep) FTS *tree = NULL;
	const FTSENT *entry;
	struct statfs fs;
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
	tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!tree)
		return -errno;
	/* A directory is read as a whole before the first of its entries is here. */
	while (!r && (entry = fts_read(tree)))
		r = take_away(entry, ret_removed);
	return r ? r : -errno; /* 0 after the last one */
}
