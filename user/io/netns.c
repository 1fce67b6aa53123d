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
	uint64_t cookie; /* as it was when it was asked, 0: it was not */
	char *path;
};

struct netns {
	int home;  /* descriptor of our own */
	dev_t dev; /* of the kernel's nsfs: inodes count only there */
	struct netns_entry *entries;
	size_t n;
	size_t cap;
	netns_cookie_fn *cookie_fn;
	void *cookie_data;
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
	netns->entries[netns->n].cookie = 0;
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

/* What was known of the inodes that are still there: to ask all again takes time. */
static void cookies_keep(struct netns *netns, const struct netns_entry *old, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < netns->n; k++)
			if (netns->entries[k].inode == old[i].inode) {
				netns->entries[k].cookie = old[i].cookie;
				break;
			}
}

static int scan(struct netns *netns)
{
	int r;

	r = add_path(netns, SELF);
	/* Bind mounts first: their paths outlive the processes. */
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		r = scan_directory(netns, directories[i], false);
	if (r == 0)
		r = scan_directory(netns, "/proc", true);
	return r;
}

int netns_scan(struct netns *netns)
{
	size_t n = netns->n;
	struct netns_entry *old = calloc(n + 1, sizeof(*old));
	int r;

	if (!old)
		return -ENOMEM;
	memcpy(old, netns->entries, n * sizeof(*old)); /* their paths are not looked at */
	forget(netns);
	r = scan(netns);
	cookies_keep(netns, old, n);
	free(old);
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

/* --- by cookie --------------------------------------------------------------------- */

void netns_cookies(struct netns *netns, netns_cookie_fn *fn, void *data)
{
	netns->cookie_fn = fn;
	netns->cookie_data = data;
}

struct question {
	struct netns *netns;
	uint64_t cookie;
};

static int ask(void *data)
{
	struct question *q = data;

	return q->netns->cookie_fn(q->netns->cookie_data, &q->cookie);
}

/* Opens an entry and asks it for its cookie. */
static int open_asked(struct netns *netns, struct netns_entry *e, uint64_t cookie, int *ret_fd)
{
	struct question q = { .netns = netns };
	CLEANUP(closep) int fd = -1;
	int r = open_known(netns, e->inode, &fd);

	if (!r)
		r = netns_call(netns, fd, ask, &q);
	e->cookie = r ? 0 : q.cookie;
	if (r || q.cookie != cookie)
		return -ENOENT;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Those that had this cookie first, then those that were never asked. */
static int open_cookie_known(struct netns *netns, uint64_t cookie, int *ret_fd)
{
	for (int unasked = 0; unasked < 2; unasked++)
		for (size_t i = 0; i < netns->n; i++) {
			struct netns_entry *e = &netns->entries[i];

			if (e->cookie == (unasked ? 0 : cookie) &&
			    !open_asked(netns, e, cookie, ret_fd))
				return 0;
		}
	return -ENOENT;
}

int netns_open_cookie(struct netns *netns, uint64_t cookie, int *ret_fd)
{
	int r = netns->cookie_fn ? open_cookie_known(netns, cookie, ret_fd) : -ENOTSUP;

	if (r != -ENOENT)
		return r;
	r = netns_scan(netns);
	return r < 0 ? r : open_cookie_known(netns, cookie, ret_fd);
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
