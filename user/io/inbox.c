/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"

void inbox_done(struct inbox *box)
{
	free(box->seen);
	*box = (struct inbox){ 0 };
}

/* Can nobody else have written it? */
static bool is_ours(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & S_IWOTH) &&
	       !(st->st_mode & S_IWGRP && st->st_gid != 0);
}

static uint64_t changed_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st->st_mtim.tv_nsec;
}

/* The same file again is the same number, and written anew it is another. */
static uint64_t number_of(const char *name, const struct stat *st)
{
	const uint64_t what[] = { st->st_dev, st->st_ino, (uint64_t)st->st_size, changed_ns(st) };

	return fnv1a(name, strlen(name)) ^ fnv1a(what, sizeof(what));
}

static bool is_seen(const struct inbox *box, uint64_t number)
{
	for (size_t i = 0; i < box->n_seen; i++)
		if (box->seen[i] == number)
			return true;
	return false;
}

/* What is found in one look at the directory. */
struct look {
	const struct inbox *box;
	uint64_t wall_ns;
	uint64_t *here; /* those that are seen and still there */
	size_t n_here;
	char *name; /* of the oldest new one */
	uint64_t number;
	uint64_t oldest_ns;
};

static bool is_candidate(const struct stat *st, uint64_t now)
{
	return S_ISREG(st->st_mode) && st->st_size > 0 && is_ours(st) &&
	       changed_ns(st) + INBOX_STILL_NS <= now;
}

static int look_at(struct look *l, const char *name, const struct stat *st)
{
	uint64_t number = number_of(name, st);

	if (is_seen(l->box, number)) {
		l->here[l->n_here++] = number;
		return 0;
	}
	if (l->name && changed_ns(st) >= l->oldest_ns)
		return 0;
	free(l->name);
	l->name = strdup(name);
	l->number = number;
	l->oldest_ns = changed_ns(st);
	return l->name ? 0 : -ENOMEM;
}

static int look(struct look *l, DIR *d)
{
	const struct dirent *e;
	size_t n = 0;
	int r = 0;

	while (!r && n < INBOX_FILES_MAX && (e = readdir(d))) {
		struct stat st;

		if (e->d_name[0] == '.' ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !is_candidate(&st, l->wall_ns))
			continue;
		n++;
		r = look_at(l, e->d_name, &st);
	}
	return r;
}

static int read_file(int dir, const char *name, size_t max, char **ret, size_t *ret_len)
{
	CLEANUP(closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	CLEANUP(freep) char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !is_ours(&st))
		return -EPERM;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

int inbox_take(struct inbox *box, const char *dir, size_t max, uint64_t wall_ns, char **ret_name,
	       char **ret_text, size_t *ret_len)
{
	CLEANUP(closedirp) DIR *d = opendir(dir);
	struct look l = { .box = box, .wall_ns = wall_ns };
	struct stat st;
	int r;

	*ret_name = *ret_text = NULL;
	if (!d || fstat(dirfd(d), &st) < 0)
		return -errno;
	if (!is_ours(&st))
		return -EPERM;
	l.here = malloc((INBOX_FILES_MAX + 1) * sizeof(*l.here));
	r = l.here ? look(&l, d) : -ENOMEM;
	if (r) {
		free(l.here);
		free(l.name);
		return r;
	}
	/* what is gone is forgotten */
	if (l.name)
		l.here[l.n_here++] = l.number;
	free(box->seen);
	box->seen = l.here;
	box->n_seen = l.n_here;
	*ret_name = l.name;
	return l.name ? read_file(dirfd(d), l.name, max, ret_text, ret_len) : 0;
}
