/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"

#define KEYS "keys"
#define SUFFIX ".key"
#define TEMPORARY ".new"
#define TEXT_LEN (2 * STATEMENT_SECRET_LEN) /* and a line break */
#define FILE_NAME 256

static int file_name(const char *name, char ret[FILE_NAME], char *why, size_t why_size)
{
	if (!*name || *name == '.' || strchr(name, '/') ||
	    snprintf(ret, FILE_NAME, "%s" SUFFIX, name) >= FILE_NAME)
		return explain(-EINVAL, why, why_size, "\"%.64s\" is no name of a key", name);
	return 0;
}

static int check_dir(int fd, const char *dir, char *why, size_t why_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return explain(-errno, why, why_size, "%s/" KEYS ": %s", dir, strerror(errno));
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return explain(-EPERM, why, why_size,
			       "%s/" KEYS
			       " belongs to user %u, who could plant keys: chown it to root",
			       dir, (unsigned int)st.st_uid);
	if (st.st_mode & 022)
		return explain(-EPERM, why, why_size,
			       "others can write to %s/" KEYS " (mode %04o): chmod 0700 it", dir,
			       (unsigned int)st.st_mode & 07777);
	return 0;
}

/* The descriptor of the directory, or -errno. */
static int open_keys(const char *dir, bool make, char *why, size_t why_size)
{
	CLEANUP(closep) int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(closep) int fd = -1;
	int r;

	if (parent < 0)
		return explain(-errno, why, why_size, "%s: %s", dir, strerror(errno));
	if (make && mkdirat(parent, KEYS, 0700) < 0 && errno != EEXIST)
		return explain(-errno, why, why_size, "cannot make %s/" KEYS ": %s", dir,
			       strerror(errno));
	fd = openat(parent, KEYS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return explain(-errno, why, why_size, "%s/" KEYS ": %s", dir, strerror(errno));
	r = check_dir(fd, dir, why, why_size);
	return r ? r : TAKE_FD(fd);
}

/* --- writing --------------------------------------------------------------------------------- */

static int write_durably(int keys, const char *temporary, const char *text, size_t len)
{
	CLEANUP(closep) int fd = -1;
	ssize_t n;

	/* What a crash left there goes; O_EXCL makes sure that the file is ours. */
	if (unlinkat(keys, temporary, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(keys, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0 || fsync(fd) < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOSPC;
}

/* The file appears whole or not at all, and in place of none. */
static int put(int keys, const char *file, const char *text, size_t len)
{
	int r = write_durably(keys, TEMPORARY, text, len);

	if (!r && linkat(keys, TEMPORARY, keys, file, 0) < 0)
		r = -errno;
	unlinkat(keys, TEMPORARY, 0);
	if (!r && fsync(keys) < 0)
		r = -errno;
	return r;
}

int keyring_new(const char *dir, const char *name, struct trust_id *ret_public, char *why,
		size_t why_size)
{
	uint8_t secret[STATEMENT_SECRET_LEN];
	char text[TEXT_LEN + 2];
	char file[FILE_NAME];
	struct trust_id key;
	int r = file_name(name, file, why, why_size);
	CLEANUP(closep) int keys = r ? -1 : open_keys(dir, true, why, why_size);

	if (r || keys < 0)
		return r ? r : keys;
	r = statement_key_new(&key, secret);
	if (r)
		return explain(r, why, why_size, "there is no randomness to make a key of");
	hex_print(secret, sizeof(secret), text);
	text[TEXT_LEN] = '\n';
	r = put(keys, file, text, TEXT_LEN + 1);
	statement_key_forget(secret);
	explicit_bzero(text, sizeof(text));
	if (r)
		return explain(r, why, why_size, "cannot write %s/" KEYS "/%s: %s", dir, file,
			       strerror(-r));
	*ret_public = key;
	return 0;
}

/* --- reading ------------------------------------------------------------------------------------ */

static int check_file(const struct stat *st, const char *path, char *why, size_t why_size)
{
	if (!S_ISREG(st->st_mode))
		return explain(-EPERM, why, why_size, "%s is no regular file: move it away", path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return explain(-EPERM, why, why_size,
			       "%s belongs to user %u, who has the key: chown it to root if it is "
			       "meant to be used",
			       path, (unsigned int)st->st_uid);
	if (st->st_mode & 077)
		return explain(-EPERM, why, why_size,
			       "others can read %s (mode %04o): chmod 0600 it, or revoke the key "
			       "if somebody may have it",
			       path, (unsigned int)st->st_mode & 07777);
	return 0;
}

static int read_secret(int fd, const char *path, uint8_t ret[STATEMENT_SECRET_LEN], char *why,
		       size_t why_size)
{
	char text[TEXT_LEN + 3] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);
	bool good = n >= TEXT_LEN && n <= TEXT_LEN + 1;

	if (n < 0)
		return explain(-errno, why, why_size, "%s: %s", path, strerror(errno));
	text[TEXT_LEN] = '\0';
	good = good && hex_parse(text, ret, STATEMENT_SECRET_LEN) && statement_key_whole(ret);
	explicit_bzero(text, sizeof(text));
	if (good)
		return 0;
	statement_key_forget(ret);
	return explain(-EBADMSG, why, why_size,
		       "%s holds no key, or it is damaged: restore it, or make another one", path);
}

int keyring_read(const char *dir, const char *name, uint8_t ret[STATEMENT_SECRET_LEN], char *why,
		 size_t why_size)
{
	CLEANUP(closep) int keys = -1;
	CLEANUP(closep) int fd = -1;
	char file[FILE_NAME];
	char path[1024];
	struct stat st;
	int r = file_name(name, file, why, why_size);

	if (r)
		return r;
	snprintf(path, sizeof(path), "%s/" KEYS "/%s", dir, file);
	keys = open_keys(dir, false, why, why_size);
	if (keys < 0)
		return keys;
	fd = openat(keys, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return explain(-EPERM, why, why_size,
			       "%s is a symbolic link: put the file itself there", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return explain(-errno, why, why_size, "%s: %s", path, strerror(errno));
	r = check_file(&st, path, why, why_size);
	return r ? r : read_secret(fd, path, ret, why, why_size);
}

/* --- the rest ------------------------------------------------------------------------------------- */

static void overwrite(int keys, const char *file)
{
	static const char zeros[TEXT_LEN + 1];
	CLEANUP(closep) int fd = openat(keys, file, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    write(fd, zeros, sizeof(zeros)) > 0)
		(void)!fsync(fd);
}

int keyring_remove(const char *dir, const char *name, char *why, size_t why_size)
{
	char file[FILE_NAME];
	int r = file_name(name, file, why, why_size);
	CLEANUP(closep) int keys = r ? -1 : open_keys(dir, false, why, why_size);

	if (r || keys == -ENOENT)
		return r;
	if (keys < 0)
		return keys;
	overwrite(keys, file);
	if ((unlinkat(keys, file, 0) < 0 && errno != ENOENT) || fsync(keys) < 0)
		return explain(-errno, why, why_size, "cannot remove %s/" KEYS "/%s: %s", dir, file,
			       strerror(errno));
	return 0;
}

void keyring_each(const char *dir, void (*visit)(void *arg, const char *name), void *arg)
{
	CLEANUP(closedirp) DIR *list = NULL;
	const struct dirent *entry;
	char why[1280];
	int fd = open_keys(dir, false, why, sizeof(why));

	if (fd >= 0)
		list = fdopendir(fd);
	if (fd >= 0 && !list)
		close(fd);
	while (list && (entry = readdir(list))) {
		size_t len = strlen(entry->d_name);
		char name[FILE_NAME];

		if (*entry->d_name == '.' || len <= strlen(SUFFIX) ||
		    strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - strlen(SUFFIX)), entry->d_name);
		visit(arg, name);
	}
}
