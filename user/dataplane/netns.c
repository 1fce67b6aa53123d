/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <search.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/sockios.h>

#include "base/clock.h"
#include "base/list.h"
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
	int home;                     /* descriptor of our own */
	dev_t dev;                    /* of the kernel's nsfs: inodes count only there */
	struct netns_entry **entries; /* base/list.h */
	size_t n;
	void *by_inode;    /* the same, for tfind(3) */
	uint64_t until_ns; /* no search goes on after that; 0: to its end */
	netns_cookie_fn *cookie_fn;
	void *cookie_data;
	bool all;            /* the last scan looked at descriptors, too */
	uint64_t missing;    /* the last cookie that was not found even so, */
	uint64_t missing_ns; /* and when */
};

static const char *const directories[] = { "/run/netns", "/run/docker/netns" };

static void entry_free(struct netns_entry *e)
{
	free(e->path);
	free(e);
}

static int by_inode(const void *a, const void *b)
{
	ino_t x = ((const struct netns_entry *)a)->inode;
	ino_t y = ((const struct netns_entry *)b)->inode;

	return (x > y) - (x < y);
}

static struct netns_entry *find(const struct netns *netns, ino_t inode)
{
	const struct netns_entry like = { .inode = inode };
	void *node = tfind(&like, &netns->by_inode, by_inode);

	return node ? *(struct netns_entry **)node : NULL;
}

/* Takes the entry, whose inode is not known yet, if there is room for it. */
static int append(struct netns *netns, struct netns_entry *e)
{
	if (netns->n == ENTRIES_MAX)
		return -E2BIG;
	if (list_grow(&netns->entries, netns->n, sizeof(e)) ||
	    !tsearch(e, &netns->by_inode, by_inode))
		return -ENOMEM;
	netns->entries[netns->n++] = e;
	return 0;
}

/* path NULL: it is that of the process's socket with this number. */
static int add(struct netns *netns, ino_t inode, const char *path, pid_t pid, int number)
{
	struct netns_entry *e;
	int r;

	if (find(netns, inode))
		return 0;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	*e = (struct netns_entry){ .inode = inode, .pid = pid, .number = number };
	e->path = path ? strdup(path) : NULL;
	r = path && !e->path ? -ENOMEM : append(netns, e);
	if (r)
		entry_free(e);
	return r;
}

/* Whatever is gone or is no namespace is skipped: processes end while we look. */
static int add_path(struct netns *netns, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || st.st_dev != netns->dev)
		return 0;
	return add(netns, st.st_ino, path, 0, -1);
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
static int merge(struct netns *netns, struct netns_entry **old, size_t n, bool keep)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		struct netns_entry *e = find(netns, old[i]->inode);

		if (e)
			e->cookie = old[i]->cookie;
		else if (keep && !r)
			r = append(netns, old[i]);
		if (e || !keep || r)
			entry_free(old[i]);
	}
	free(old);
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

static void leave(UNUSED void *entry)
{
}

int netns_scan(struct netns *netns)
{
	struct netns_entry **old = TAKE_PTR(netns->entries);
	size_t n = netns->n;
	int kept;
	int r;

	netns->n = 0;
	tdestroy(TAKE_PTR(netns->by_inode), leave);
	netns->all = false;
	r = scan(netns);
	kept = merge(netns, old, n, r == -ETIME);
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
	struct stat st;
	int r = open_socket(d->pid, d->number, &fd);

	if (r == -EPERM || r == -EACCES)
		deny(ds, d->pid);
	if (r || fstat(fd, &st) || st.st_dev != netns->dev)
		return 0; /* what is gone, or no socket any more, keeps nothing alive */
	return add(netns, st.st_ino, NULL, d->pid, d->number);
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
	r = add(netns, st.st_ino, SELF, 0, -1);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(netns);
	return 0;
}

void netns_free(struct netns *netns)
{
	if (!netns)
		return;
	tdestroy(netns->by_inode, leave);
	for (size_t i = 0; i < netns->n; i++)
		entry_free(netns->entries[i]);
	free(netns->entries);
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
	return netns->entries[index]->inode;
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
			struct netns_entry *e = netns->entries[i];

			if (e->cookie != (unasked ? 0 : cookie))
				continue;
			if (unasked && netns->until_ns && clock_boot_ns() >= netns->until_ns)
				return -ETIME;
			if (!open_asked(netns, e, cookie, ret_fd))
				return 0;
		}
	return -ENOENT;
}

/* Among those that are known; if it is none of them they are looked for anew, but once only. */
static int open_cookie(struct netns *netns, uint64_t cookie, bool *scanned, int *ret_fd)
{
	int r = open_cookie_known(netns, cookie, ret_fd);

	if (r != -ENOENT || *scanned)
		return r;
	*scanned = true;
	r = netns_scan(netns);
	return r ? r : open_cookie_known(netns, cookie, ret_fd);
}

int netns_open_cookie(struct netns *netns, uint64_t cookie, int *ret_fd)
{
	bool scanned = false;
	int r = netns->cookie_fn ? open_cookie(netns, cookie, &scanned, ret_fd) : -ENOTSUP;

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

	if (!netns->cookie_fn)
		return -ENOENT;
	netns->until_ns = search->until_ns;
	r = open_cookie(netns, cookie, &search->scanned, ret_fd);
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
