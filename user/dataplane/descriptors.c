/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/parse.h"

#define DESCRIPTORS_MAX 200000U

struct walk {
	descriptor_fn *fn;
	void *data;
	size_t looked_at;
};

/* The next entry that is a number; false at the end. */
static bool next_number(DIR *dir, const char **ret_name, uint64_t *ret)
{
	const struct dirent *entry;

	while ((entry = readdir(dir))) {
		*ret_name = entry->d_name;
		if (!parse_u64(entry->d_name, 0, INT32_MAX, ret))
			return true;
	}
	return false;
}

static int denied(struct walk *w, uint64_t pid)
{
	const struct descriptor nothing = { .pid = (pid_t)pid, .number = -1 };

	return w->fn(w->data, &nothing);
}

/* Processes end while we look. */
static int walk_process(struct walk *w, int proc, uint64_t pid)
{
	CLEANUP(closedirp) DIR *dir = NULL;
	CLEANUP(closep) int fd = -1;
	const char *name;
	char path[32];
	uint64_t number;
	int r = 0;

	snprintf(path, sizeof(path), "%d/fd", (int)pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return denied(w, pid);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return 0;
	(void)TAKE_FD(fd); /* it is the directory's now */
	while (!r && next_number(dir, &name, &number)) {
		char link[64] = "";
		struct descriptor d = { .pid = (pid_t)pid, .number = (int)number, .link = link };

		if (w->looked_at++ == DESCRIPTORS_MAX)
			return -E2BIG;
		if (readlinkat(dirfd(dir), name, link, sizeof(link) - 1) >= 0) {
			r = w->fn(w->data, &d);
		} else if (errno == EACCES) {
			return denied(w, pid); /* as will be the others of this process */
		}
	}
	return r;
}

int descriptors_walk(descriptor_fn *fn, void *data)
{
	struct walk w = { .fn = fn, .data = data };
	CLEANUP(closedirp) DIR *proc = opendir("/proc");
	const char *name;
	uint64_t pid;
	int r = 0;

	if (!proc)
		return -errno;
	while (!r && next_number(proc, &name, &pid))
		r = walk_process(&w, dirfd(proc), pid);
	return r;
}

int descriptor_take(pid_t pid, int number, int *ret_fd)
{
	CLEANUP(closep) int process = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd;

	if (process < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}
