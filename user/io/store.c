/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Write a temporary file, fsync, give what is there its second name, rename, fsync the
 * directory: in this order.
 */
#include "io/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/log.h"

#define SUB "store"
#define CHUNK 65536
#define NAME_SIZE 256
#define ASIDE ".damaged-"
#define ASIDE_MAX 9999U

struct store {
	char *path;
	int dir;
	int said; /* the failure that was logged last, and at what */
	const char *said_at;
};

static const char *remedy(int r)
{
	switch (r) {
	case -ENOSPC:
	case -EDQUOT:
		return "free some space there";
	case -ENOENT:
		return "it was removed; it is made again";
	case -EROFS:
		return "it is mounted read-only: choose another place with --state-dir";
	case -EACCES:
	case -EPERM:
		return "run as root, or choose another place with --state-dir";
	case -ENOTDIR:
		return "a file is in the way: remove it, or choose another place with --state-dir";
	case -EISDIR:
	case -EEXIST:
	case -ENOTEMPTY:
	case -EINVAL:
	case -ELOOP:
		return "something else is in its place: move that away";
	case -EIO:
		return "the disk fails: see the kernel's log";
	default:
		return "choose another place with --state-dir";
	}
}

static int fail(struct store *store, int r, const char *what, const char *name)
{
	if (r == store->said && what == store->said_at)
		return r;
	store->said = r;
	store->said_at = what;
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

static int check_dir(int dir, const char *path, struct buf *why)
{
	struct stat st;

	if (fstat(dir, &st) < 0) {
		int r = -errno;

		buf_printf(why, "cannot look at the state directory %s", path);
		return r;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid())
		buf_printf(why,
			   "the state directory %s belongs to user %u, who could plant "
			   "state: chown it to root",
			   path, st.st_uid);
	else if (st.st_mode & 022)
		buf_printf(why,
			   "others can write to the state directory %s (mode %04o) and "
			   "could plant state: chmod 0700 it",
			   path, st.st_mode & 07777);
	return why->len ? -EPERM : 0;
}

/* A file system that has no locks is used without. */
static int lock_dir(int dir, const char *path, struct buf *why)
{
	if (!flock(dir, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK) {
		log_warning(SUB,
			    "the state directory %s cannot be locked (%s): nothing keeps a "
			    "second switchgeard out of it",
			    path, strerror(errno));
		return 0;
	}
	buf_printf(why,
		   "another switchgeard keeps its state in %s; stop it first, or give this one "
		   "another --state-dir",
		   path);
	return -EBUSY;
}

static int open_dir(const char *path, bool lock, int *ret, struct buf *why)
{
	int r = make_dirs(path);

	if (r) {
		buf_printf(why, "cannot make the state directory %s (%s)", path, remedy(r));
		return r;
	}
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0) {
		r = -errno;
		buf_printf(why, "cannot open the state directory %s (%s)", path, remedy(r));
		return r;
	}
	r = check_dir(*ret, path, why);
	return r || !lock ? r : lock_dir(*ret, path, why);
}

static int make_store(const char *dir, bool lock, int said, struct store **ret)
{
	CLEANUP(store_closep) struct store *store = calloc(1, sizeof(*store));
	CLEANUP(buf_done) struct buf why = BUF(8192);
	int r;

	if (!store)
		return -ENOMEM;
	store->dir = -1;
	store->path = strdup(dir);
	if (!store->path)
		return -ENOMEM;
	r = open_dir(dir, lock, &store->dir, &why);
	if (r)
		return r == said ? r : log_failure(r, SUB, "%s", buf_str(&why));
	*ret = TAKE_PTR(store);
	return 0;
}

int store_open(const char *dir, int said, struct store **ret)
{
	return make_store(dir, true, said, ret);
}

int store_open_beside(const char *dir, struct store **ret)
{
	return make_store(dir, false, 0, ret);
}

int store_busy(const char *dir)
{
	CLEANUP(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(buf_done) struct buf why = BUF(8192);

	if (fd < 0 || !lock_dir(fd, dir, &why))
		return 0;
	return log_failure(-EBUSY, SUB, "%s", buf_str(&why));
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

/*
 * The text that is there gets its second name without losing its first; where the file system
 * cannot do that, it has only the second for a moment.
 */
static int keep(const struct store *store, const char *name)
{
	char previous[NAME_SIZE], second[NAME_SIZE];
	const char *from = second;
	struct stat st;

	if (fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	snprintf(previous, sizeof(previous), "%s.1", name);
	snprintf(second, sizeof(second), ".%s.old", name);
	unlinkat(store->dir, second, 0); /* what a crash left there */
	if (linkat(store->dir, name, store->dir, second, 0) < 0) {
		if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
			return -errno;
		from = name;
	}
	return renameat(store->dir, from, store->dir, previous) < 0 ? -errno : 0;
}

int store_write(struct store *store, const char *name, const void *data, size_t len)
{
	char temporary[NAME_SIZE];
	const char *what = "write";
	int r = check_name(name);

	if (r)
		return r;
	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	r = write_temporary(store, temporary, data, len);
	if (r)
		return fail(store, r, what, name);
	what = "keep the previous generation of";
	r = keep(store, name);
	if (!r) {
		what = "replace";
		r = renameat(store->dir, temporary, store->dir, name) < 0 ? -errno : 0;
	}
	if (r) {
		unlinkat(store->dir, temporary, 0);
		return fail(store, r, what, name);
	}
	if (fsync(store->dir) < 0)
		return fail(store, -errno, "make durable", name);
	store->said = 0;
	return 0;
}

/* Whatever it is, an empty directory, too. */
static int remove_one(const struct store *store, const char *name)
{
	if (unlinkat(store->dir, name, 0) < 0 && errno != ENOENT &&
	    (errno != EISDIR || unlinkat(store->dir, name, AT_REMOVEDIR) < 0))
		return -errno;
	return 0;
}

int store_remove(struct store *store, const char *name)
{
	char previous[NAME_SIZE];
	int r = check_name(name);

	if (r)
		return r;
	snprintf(previous, sizeof(previous), "%s.1", name);
	r = remove_one(store, previous);
	if (!r)
		r = remove_one(store, name);
	if (!r && fsync(store->dir) < 0)
		r = -errno;
	return r ? fail(store, r, "remove", name) : 0;
}

int store_set_aside(struct store *store, const char *name, char *ret, size_t size)
{
	static const char what[] = "set aside the damaged";
	struct stat st;
	int r = check_name(name);

	if (r)
		return r;
	r = -EEXIST;
	for (unsigned int n = 1; n <= ASIDE_MAX && r == -EEXIST; n++) {
		snprintf(ret, size, "%s" ASIDE "%u", name, n);
		if (fstatat(store->dir, ret, &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = errno == ENOENT ? 0 : -errno;
	}
	if (!r && renameat(store->dir, name, store->dir, ret) < 0)
		r = -errno;
	if (!r && fsync(store->dir) < 0)
		r = -errno;
	return r ? fail(store, r, what, name) : 0;
}

void store_damaged(struct store *store, const char *sub, const char *name, int r, const char *why)
{
	char aside[NAME_MAX + 1];
	bool moved = !store_set_aside(store, name, aside, sizeof(aside));

	log_error(sub, "%s/%s: %s; %s%s", store->path, name, *why ? why : strerror(-r),
		  moved ? "it was set aside as " : "it could not be set aside", moved ? aside : "");
}

size_t store_aside(struct store *store, char *ret, size_t size)
{
	CLEANUP(closedirp) DIR *dir = NULL;
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	size_t n = 0;

	ret[0] = '\0';
	if (fd >= 0)
		dir = fdopendir(fd);
	if (fd >= 0 && !dir)
		close(fd);
	while (dir && (entry = readdir(dir)))
		if (strstr(entry->d_name, ASIDE) && !n++)
			snprintf(ret, size, "%s", entry->d_name);
	return n;
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

int boot_id_read(char *ret, size_t size)
{
	CLEANUP(freep) char *text = NULL;
	size_t len;
	int r = file_read(BOOT_ID, 256, &text, &len);

	snprintf(ret, size, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
	return r;
}
