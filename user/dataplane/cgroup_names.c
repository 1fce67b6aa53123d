/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/cgroup_names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dataplane/cgroup.h"

#define NAMES_MAX 256         /* a power of two; others take places */
#define NAME_BYTES 256        /* longer ones are shown by their ends */
#define HANDLE_OF_KERNFS 0xfe /* FILEID_KERNFS of the kernel: the handle is the id */

struct cgroup_name {
	uint64_t id; /* 0: free */
	char text[NAME_BYTES];
};

struct cgroup_names {
	int mount; /* a descriptor of it */
	char *point;
	struct cgroup_name v[NAMES_MAX];
};

/* What open_by_handle_at(2) takes. */
union handle {
	struct file_handle head;
	char room[sizeof(struct file_handle) + sizeof(uint64_t)];
};

struct cgroup_names *cgroup_names_new(const char *path)
{
	struct cgroup_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->mount = -1;
	if (!cgroup_mount_of(path, &names->point))
		names->mount = open(names->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (names->mount >= 0)
		return names;
	cgroup_names_free(names);
	return NULL;
}

void cgroup_names_free(struct cgroup_names *names)
{
	if (!names)
		return;
	closep(&names->mount);
	free(names->point);
	free(names);
}

/* Where a descriptor is, below the mount. */
static int path_of(const struct cgroup_names *names, int fd, char *out, size_t size)
{
	size_t above = strlen(names->point);
	char link[32];
	char path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	if (above == 1)
		above = 0; /* mounted at / */
	if (strncmp(path, names->point, above) || (path[above] != '/' && path[above]))
		return -ENOENT;
	n -= (ssize_t)above;
	if (!n)
		snprintf(out, size, "/");
	else if ((size_t)n < size)
		snprintf(out, size, "%s", path + above);
	else
		snprintf(out, size, "...%s", path + above + (size_t)n + 4 - size);
	return 0;
}

static int look_up(const struct cgroup_names *names, uint64_t id, char *out, size_t size)
{
	union handle h = { .head = { .handle_bytes = sizeof(id),
				     .handle_type = HANDLE_OF_KERNFS } };
	CLEANUP(closep) int fd = -1;

	memcpy(h.room + offsetof(struct file_handle, f_handle), &id, sizeof(id));
	fd = open_by_handle_at(names->mount, &h.head, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : path_of(names, fd, out, size);
}

char *cgroup_names_get(struct cgroup_names *names, uint64_t id, char *out, size_t size)
{
	struct cgroup_name *at = names ? &names->v[id % NAMES_MAX] : NULL;

	if (at && at->id != id) {
		at->id = id;
		if (look_up(names, id, at->text, sizeof(at->text)))
			snprintf(at->text, sizeof(at->text), "%" PRIu64, id);
	}
	if (at) { /* for each call: without a format */
		size_t len = strnlen(at->text, size - 1);

		memcpy(out, at->text, len);
		out[len] = '\0';
	} else {
		snprintf(out, size, "%" PRIu64, id);
	}
	return out;
}
