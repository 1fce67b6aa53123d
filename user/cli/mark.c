/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define TEMPORARY "." MARK_FILE ".new"

int mark_find(const char *state_dir, bool *ret, char *who)
{
	CLEANUP(closep) int fd = -1;
	char text[MARK_SIZE_MAX];
	char path[512];
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/" MARK_FILE, state_dir);
	*ret = !lstat(path, &st);
	if (!*ret)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n >= 0)
		text[n] = '\0';
	mark_describe(n < 0 ? NULL : text, n < 0 ? 0 : (size_t)n, who);
	return 0;
}

/* As the daemon makes it: 0700, its parents 0755. */
static int dir_open(const char *path, int *ret)
{
	CLEANUP(freep) char *dir = strdup(path);

	if (!dir)
		return -ENOMEM;
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	*ret = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? -errno : 0;
}

/* Whole or not at all, and on disk. */
static int put(int dir, const struct buf *text)
{
	CLEANUP(closep) int fd = -1;

	if (unlinkat(dir, TEMPORARY, 0) && errno != ENOENT)
		return -errno;
	fd = openat(dir, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = EIO; /* of a write that was cut short */
	if (write(fd, text->data, text->len) != (ssize_t)text->len || fsync(fd) ||
	    renameat(dir, TEMPORARY, dir, MARK_FILE) || fsync(dir))
		return -errno;
	return 0;
}

int mark_put(const char *state_dir)
{
	CLEANUP(buf_done) struct buf text = BUF(MARK_SIZE_MAX);
	CLEANUP(closep) int dir = -1;
	struct mark mark = { .by = "root (uid 0)", .wall_ns = clock_wall_ns() };
	int r;

	if (geteuid())
		snprintf(mark.by, sizeof(mark.by), "uid %u", (unsigned int)geteuid());
	r = mark_encode(&mark, &text);
	if (!r)
		r = dir_open(state_dir, &dir);
	return r ? r : put(dir, &text);
}

int mark_remove(const char *state_dir)
{
	CLEANUP(closep) int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || fstatat(dir, MARK_FILE, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	/* whatever was put there */
	if (unlinkat(dir, MARK_FILE, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) || fsync(dir))
		return -errno;
	return 0;
}
