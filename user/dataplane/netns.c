/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/sockios.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/descriptors.h"

#define SUB "netns"
#define ENTRIES_MAX 65536U
#define SELF "/proc/thread-self/ns/net"

struct netns_entry {
	ino_t inode;
	uint64_t cookie; /* as it was when it was asked, 0: it was not */
	char *path;      /* NULL: that of a socket, which is this descriptor */
	pid_t pid;
	int number;
};

struct netns {
	int home;  /* descriptor of our own */
	dev_t dev; /* of the kernel's nsfs: inodes count only there */
	struct netns_entry *entries;
	size_t n;
	size_t cap;
	uint32_t *index;   /* of inodes: numbers of entries, counted from 1; 0: free */
	size_t n_index;    /* a power of two, and at least twice as many as entries */
	uint64_t until_ns; /* no search goes on after that; 0: to its end */
	netns_cookie_fn *cookie_fn;
	void *cookie_data;
	bool all;            /* the last scan looked at descriptors, too */
	uint64_t missing;    /* the last cookie that was not found even so, */
	uint64_t missing_ns; /* and when */
};

static const char *const directories[] = { "/run/netns", "/run/docker/netns" };

static void forget(struct netns *netns)
{
	for (size_t i = 0; i < netns->n; i++)
		free(netns->entries[i].path);
	netns->n = 0;
	if (netns->index)
		memset(netns->index, 0, netns->n_index * sizeof(*netns->index));
}

/* Where in the index an inode is, or would be. */
static uint32_t *place(const struct netns *netns, ino_t inode)
{
	size_t at = (size_t)((uint64_t)inode * 0x9e3779b97f4a7c15ULL >> 32);

	for (;; at++) {
		uint32_t *slot = &netns->index[at & (netns->n_index - 1)];

		if (!*slot || netns->entries[*slot - 1].inode == inode)
			return slot;
	}
}

static struct netns_entry *find(const struct netns *netns, ino_t inode)
{
	uint32_t slot = netns->n ? *place(netns, inode) : 0;

	return slot ? &netns->entries[slot - 1] : NULL;
}

static int grow(struct netns *netns)
{
	size_t cap = netns->cap ? netns->cap * 2 : 16;
	struct netns_entry *grown;
	uint32_t *index;

	if (netns->n == ENTRIES_MAX)
		return -E2BIG;
	if (netns->n < netns->cap)
		return 0;
	grown = realloc(netns->entries, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	netns->entries = grown;
	index = calloc(2 * cap, sizeof(*index));
	if (!index)
		return -ENOMEM;
	free(netns->index);
	netns->index = index;
	netns->n_index = 2 * cap;
	netns->cap = cap;
	for (size_t i = 0; i < netns->n; i++)
		*place(netns, grown[i].inode) = (uint32_t)i + 1;
	return 0;
}

/* The next entry, for an inode that is not known. */
static int append(struct netns *netns, ino_t inode, struct netns_entry **ret)
{
	uint32_t *slot;
	int r = grow(netns);

	if (r)
		return r;
	slot = place(netns, inode);
	netns->entries[netns->n] = (struct netns_entry){ .inode = inode };
	*ret = &netns->entries[netns->n++];
	*slot = (uint32_t)netns->n;
	return 0;
}

static int add(struct netns *netns, ino_t inode, const char *path)
{
	struct netns_entry *e;
	char *copy;
	int r;

	if (find(netns, inode))
		return 0;
	copy = strdup(path);
	r = copy ? append(netns, inode, &e) : -ENOMEM;
	if (r)
		free(copy);
	else
		e->path = copy;
	return r;
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
		if (netns->until_ns && clock_boot_ns() >= netns->until_ns)
			return -ETIME;
		snprintf(file, sizeof(file), "%s/%s%s", path, entry->d_name,
			 processes ? "/ns/net" : "");
		r = add_path(netns, file);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * What was known of the inodes that are still there: to ask all again takes time. Where the
 * search did not come to its end, those that it did not come to are not forgotten.
 */
static int merge(struct netns *netns, struct netns_entry *old, size_t n, bool keep)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct netns_entry *e = find(netns, old[i].inode);

		if (e) {
			e->cookie = old[i].cookie;
		} else if (keep && !r) {
			r = append(netns, old[i].inode, &e);
			if (!r)
				*e = old[i];
			if (!r)
				continue; /* its path has gone there */
		}
		free(old[i].path);
	}
	return r;
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
	int kept;
	int r;

	if (!old)
		return -ENOMEM;
	memcpy(old, netns->entries, n * sizeof(*old));
	netns->n = 0; /* their paths are the copies' now */
	forget(netns);
	netns->all = false;
	r = scan(netns);
	kept = merge(netns, old, n, r == -ETIME);
	free(old);
	return kept ? kept : r;
}

/* --- kept alive by a descriptor ------------------------------------------------------ */

/* The namespace of the socket that a descriptor is. */
static int open_socket(pid_t pid, int number, int *ret_fd)
{
	CLEANUP(closep) int fd = -1;
	int r = descriptor_take(pid, number, &fd);

	if (r)
		return r;
	r = ioctl(fd, SIOCGSKNS);
	if (r < 0)
		return -errno;
	*ret_fd = r;
	return 0;
}

struct descriptors {
	struct netns *netns;
	netns_matters_fn *matters;
	const void *data;
	int error; /* a descriptor of somebody who matters was not to be had */
};

static void deny(struct descriptors *ds, pid_t pid)
{
	if (!ds->matters || ds->matters(ds->data, pid))
		ds->error = -EPERM;
}

static int add_socket(struct descriptors *ds, const struct descriptor *d)
{
	struct netns *netns = ds->netns;
	CLEANUP(closep) int fd = -1;
	struct netns_entry *e;
	struct stat st;
	int r = open_socket(d->pid, d->number, &fd);

	if (r == -EPERM || r == -EACCES)
		deny(ds, d->pid);
	if (r || fstat(fd, &st) || st.st_dev != netns->dev || find(netns, st.st_ino))
		return 0; /* what is gone, or no socket any more, keeps nothing alive */
	r = append(netns, st.st_ino, &e);
	if (r)
		return r;
	e->pid = d->pid;
	e->number = d->number;
	return 0;
}

static int add_descriptor(void *data, const struct descriptor *d)
{
	struct descriptors *ds = data;
	char path[64];

	if (!d->link) {
		deny(ds, d->pid);
		return 0;
	}
	if (!strncmp(d->link, "socket:", strlen("socket:")))
		return add_socket(ds, d);
	if (strncmp(d->link, "net:", strlen("net:")) != 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", d->pid, d->number);
	return add_path(ds->netns, path);
}

int netns_scan_all(struct netns *netns, netns_matters_fn *matters, const void *data)
{
	struct descriptors ds = { .netns = netns, .matters = matters, .data = data };
	int r = netns_scan(netns);

	if (r)
		return r;
	netns->all = true;
	r = descriptors_walk(add_descriptor, &ds);
	return r ? r : ds.error;
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
	free(netns->index);
	closep(&netns->home);
	free(netns);
}

ino_t netns_home(const struct netns *netns)
{
	struct stat st;

	return fstat(netns->home, &st) < 0 ? 0 : st.st_ino;
}

int netns_home_fd(const struct netns *netns)
{
	return netns->home;
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
	const struct netns_entry *e = find(netns, inode);
	CLEANUP(closep) int fd = -1;
	struct stat st;

	if (!e)
		return -ENOENT;
	if (e->path)
		fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	else
		(void)!open_socket(e->pid, e->number, &fd);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != inode || st.st_dev != netns->dev)
		return -ENOENT;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int netns_open(struct netns *netns, ino_t inode, int *ret_fd)
{
	int r = open_known(netns, inode, ret_fd);

	if (r == 0)
		return 0;
	r = netns->all ? netns_scan_all(netns, NULL, NULL) : netns_scan(netns);
	if (r < 0 && !netns->all)
		return r;
	return open_known(netns, inode, ret_fd);
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

			if (e->cookie != (unasked ? 0 : cookie))
				continue;
			if (unasked && netns->until_ns && clock_boot_ns() >= netns->until_ns)
				return -ETIME;
			if (!open_asked(netns, e, cookie, ret_fd))
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
	if (!r)
		r = open_cookie_known(netns, cookie, ret_fd);
	if (r != -ENOENT ||
	    (cookie == netns->missing && clock_boot_ns() < netns->missing_ns + NS_PER_SEC))
		return r;
	/* whether all of them could be seen matters only if it is not among them */
	(void)!netns_scan_all(netns, NULL, NULL);
	r = open_cookie_known(netns, cookie, ret_fd);
	if (r == -ENOENT) {
		netns->missing = cookie;
		netns->missing_ns = clock_boot_ns();
	}
	return r;
}

int netns_open_soon(struct netns *netns, uint64_t cookie, struct netns_search *search, int *ret_fd)
{
	int r;

	netns->until_ns = search->until_ns;
	r = netns->cookie_fn ? open_cookie_known(netns, cookie, ret_fd) : -ENOENT;
	if (r == -ENOENT && netns->cookie_fn && !search->scanned) {
		search->scanned = true;
		r = netns_scan(netns);
		if (!r)
			r = open_cookie_known(netns, cookie, ret_fd);
	}
	netns->until_ns = 0;
	return r;
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
