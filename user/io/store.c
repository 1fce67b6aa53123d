/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Write a temporary file, fsync, rename, fsync the directory: in this order. */
#include "io/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#define SUB "store"
#define CHUNK 65536

struct store {
	char *path;
	int dir;
};

static const char *remedy(int r)
{
	switch (r) {
	case -ENOSPC:
	case -EDQUOT:
		return "free some space there";
	case -EROFS:
		return "it is mounted read-only: choose another place with --state-dir";
	case -EACCES:
	case -EPERM:
		return "run as root, or choose another place with --state-dir";
	case -ENOTDIR:
		return "a file is in the way: remove it, or choose another place with --state-dir";
	case -EIO:
		return "the disk fails: see the kernel's log";
	default:
		return "choose another place with --state-dir";
	}
}

static int fail(const struct store *store, int r, const char *what, const char *name)
{
	/* log_failure() appends the reason. */
	return log_failure(r, SUB, "cannot %s %s/%s (%s)", what, store->path, name, remedy(r));
}

static int make_dirs(const char *path)
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
	return mkdir(dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int check_dir(const struct store *store)
{
	struct stat st;

	if (fstat(store->dir, &st) < 0)
		return log_failure(-errno, SUB, "cannot look at %s", store->path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return log_failure(-EPERM, SUB,
				   "the state directory %s belongs to user %u, who could plant "
				   "state: chown it to root",
				   store->path, st.st_uid);
	if (st.st_mode & 022)
		return log_failure(-EPERM, SUB,
				   "others can write to the state directory %s (mode %04o) and "
				   "could plant state: chmod 0700 it",
				   store->path, st.st_mode & 07777);
	return 0;
}

int store_open(const char *dir, struct store **ret)
{
	CLEANUP(store_closep) struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return -ENOMEM;
	store->dir = -1;
	store->path = strdup(dir);
	if (!store->path)
		return -ENOMEM;
	r = make_dirs(dir);
	if (r)
		return log_failure(r, SUB, "cannot make the state directory %s (%s)", dir,
				   remedy(r));
	store->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir < 0) {
		r = -errno;
		return log_failure(r, SUB, "cannot open the state directory %s (%s)", dir,
				   remedy(r));
	}
	r = check_dir(store);
	if (r)
		return r;
	*ret = TAKE_PTR(store);
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	closep(&store->dir);
	free(store->path);
	free(store);
}

static int check_name(const char *name)
{
	return !name[0] || name[0] == '.' || strchr(name, '/') || strlen(name) > 200 ? -EINVAL : 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_temporary(const struct store *store, const char *temporary, const void *data,
			   size_t len)
{
	CLEANUP(closep) int fd = -1;
	int r;

	/* What a crash left there goes; O_EXCL makes sure that the file is ours. */
	if (unlinkat(store->dir, temporary, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(store->dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r)
		unlinkat(store->dir, temporary, 0);
	return r;
}

int store_write(struct store *store, const char *name, const void *data, size_t len)
{
	char temporary[256];
	int r = check_name(name);

	if (r)
		return r;
	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	r = write_temporary(store, temporary, data, len);
	if (r)
		return fail(store, r, "write", name);
	if (renameat(store->dir, temporary, store->dir, name) < 0) {
		r = -errno;
		unlinkat(store->dir, temporary, 0);
		return fail(store, r, "replace", name);
	}
	if (fsync(store->dir) < 0)
		return fail(store, -errno, "make durable", name);
	return 0;
}

int store_remove(struct store *store, const char *name)
{
	int r = check_name(name);

	if (r)
		return r;
	if (unlinkat(store->dir, name, 0) && errno != ENOENT &&
	    (errno != EISDIR || unlinkat(store->dir, name, AT_REMOVEDIR)))
		return fail(store, -errno, "remove", name);
	return fsync(store->dir) ? fail(store, -errno, "make durable", name) : 0;
}

/* --- reading ---------------------------------------------------------------------------- */

static int read_all(int fd, size_t max, char **ret, size_t *ret_len)
{
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	ssize_t n;

	do {
		char *more;

		if (len > max)
			return -EFBIG;
		more = realloc(text, len + CHUNK + 1);
		if (!more)
			return -ENOMEM;
		text = more;
		n = read(fd, text + len, CHUNK);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	} while (n);
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_all(fd, max, ret, ret_len);
}

int store_read(struct store *store, const char *name, size_t max, char **ret, size_t *ret_len)
{
	CLEANUP(closep) int fd = -1;
	struct stat st;
	int r = check_name(name);

	if (r)
		return r;
	fd = openat(store->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : fail(store, -errno, "open", name);
	if (fstat(fd, &st) < 0)
		return fail(store, -errno, "look at", name);
	if (!S_ISREG(st.st_mode))
		return fail(store, -EINVAL, "read what is not a file,", name);
	r = read_all(fd, max, ret, ret_len);
	return r ? fail(store, r, "read", name) : 0;
}
