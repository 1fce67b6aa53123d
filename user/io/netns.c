/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#define SUB "netns"
#define ENTRIES_MAX 65536U
#define SELF "/proc/thread-self/ns/net"

struct netns_entry {
	ino_t inode;
	char *path;
};

struct netns {
	int home;  /* descriptor of our own */
	dev_t dev; /* of the kernel's nsfs: inodes count only there */
	struct netns_entry *entries;
	size_t n;
	size_t cap;
};

static const char *const directories[] = { "/run/netns", "/run/docker/netns" };

static void forget(struct netns *netns)
{
	for (size_t i = 0; i < netns->n; i++)
		free(netns->entries[i].path);
	netns->n = 0;
}

static int add(struct netns *netns, ino_t inode, const char *path)
{
	for (size_t i = 0; i < netns->n; i++)
		if (netns->entries[i].inode == inode)
			return 0;
	if (netns->n == ENTRIES_MAX)
		return -E2BIG;
	if (netns->n == netns->cap) {
		size_t cap = netns->cap ? netns->cap * 2 : 16;
		struct netns_entry *grown = realloc(netns->entries, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		netns->entries = grown;
		netns->cap = cap;
	}
	netns->entries[netns->n].path = strdup(path);
	if (!netns->entries[netns->n].path)
		return -ENOMEM;
	netns->entries[netns->n++].inode = inode;
	return 0;
}

/* Whatever is gone or is no namespace is skipped: processes end while we look. */
static int add_path(struct netns *netns, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || st.st_dev != netns->dev)
		return 0;
	return add(netns, st.st_ino, path);
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* processes: the entries are /proc/PID, else the namespaces themselves. */
static int scan_directory(struct netns *netns, const char *path, bool processes)
{
	CLEANUP(closedirp) DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir)
		return errno == ENOENT && !processes ? 0 : -errno;
	while ((entry = readdir(dir))) {
		char file[512];
		int r;

		if (processes && (entry->d_name[0] < '1' || entry->d_name[0] > '9'))
			continue;
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s%s", path, entry->d_name,
			 processes ? "/ns/net" : "");
		r = add_path(netns, file);
		if (r < 0)
			return r;
	}
	return 0;
}

int netns_scan(struct netns *netns)
{
	int r;

	forget(netns);
	r = add_path(netns, SELF);
	/* Bind mounts first: their paths outlive the processes. */
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		r = scan_directory(netns, directories[i], false);
	if (r == 0)
		r = scan_directory(netns, "/proc", true);
	return r;
}

int netns_new(struct netns **ret)
{
	CLEANUP(netns_freep) struct netns *netns = calloc(1, sizeof(*netns));
	struct stat st;
	int r;

	if (!netns)
		return -ENOMEM;
	netns->home = open(SELF, O_RDONLY | O_CLOEXEC);
	if (netns->home < 0 || fstat(netns->home, &st) < 0)
		return log_failure(-errno, SUB, "cannot open %s: is /proc mounted?", SELF);
	netns->dev = st.st_dev;
	r = add(netns, st.st_ino, SELF);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(netns);
	return 0;
}

void netns_free(struct netns *netns)
{
	if (!netns)
		return;
	forget(netns);
	free(netns->entries);
	closep(&netns->home);
	free(netns);
}

ino_t netns_home(const struct netns *netns)
{
	struct stat st;

	return fstat(netns->home, &st) < 0 ? 0 : st.st_ino;
}

size_t netns_count(const struct netns *netns)
{
	return netns->n;
}

ino_t netns_inode(const struct netns *netns, size_t index)
{
	return netns->entries[index].inode;
}

static int open_known(const struct netns *netns, ino_t inode, int *ret_fd)
{
	for (size_t i = 0; i < netns->n; i++) {
		CLEANUP(closep) int fd = -1;
		struct stat st;

		if (netns->entries[i].inode != inode)
			continue;
		fd = open(netns->entries[i].path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != inode || st.st_dev != netns->dev)
			return -ENOENT;
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	return -ENOENT;
}

int netns_open(struct netns *netns, ino_t inode, int *ret_fd)
{
	int r = open_known(netns, inode, ret_fd);

	if (r == 0)
		return 0;
	r = netns_scan(netns);
	return r < 0 ? r : open_known(netns, inode, ret_fd);
}

int netns_call(struct netns *netns, int fd, int (*fn)(void *data), void *data)
{
	int r;

	if (setns(fd, CLONE_NEWNET) < 0)
		return -errno;
	r = fn(data);
	if (setns(netns->home, CLONE_NEWNET) < 0) {
		log_failure(-errno, SUB,
			    "cannot come back to the own network namespace: aborting, "
			    "what is enforced in the kernel stays");
		abort();
	}
	return r;
}
