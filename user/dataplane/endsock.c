/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/endsock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/log.h"
#include "dataplane/descriptors.h"
#include "dataplane/sockdiag.h"

#define SUB "kill"

/* --- by a descriptor of it --------------------------------------------------------- */

#define BUSY_TRIES 20
#define BUSY_WAIT_US 1000

struct search {
	ino_t inode;
	char link[32]; /* what a descriptor of it is a link to */
	bool denied;   /* somebody's descriptor was not to be had */
};

/*
 * Some kernels (from 6.4 to 6.6, and older ones to which it was carried) refuse
 * while a thread waits in the socket, so that wait is ended first.
 */
static int disconnect(int fd)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	for (int i = 0; i < BUSY_TRIES; i++) {
		if (!connect(fd, &nowhere, sizeof(nowhere)))
			return 0;
		if (errno != EBUSY)
			return -errno;
		(void)shutdown(fd, SHUT_RDWR);
		usleep(BUSY_WAIT_US);
	}
	return -EBUSY;
}

/* A positive result: it was one of the socket, which is ended. */
static int end_descriptor(void *data, const struct descriptor *d)
{
	struct search *s = data;
	CLEANUP(closep) int fd = -1;
	struct stat st;
	int r;

	s->denied |= !d->link;
	if (!d->link || strcmp(d->link, s->link) != 0)
		return 0;
	r = descriptor_take(d->pid, d->number, &fd);
	if (r == -EPERM || r == -EACCES)
		s->denied = true;
	else if (r && r != -ESRCH && r != -EBADF)
		return r;
	if (r || fstat(fd, &st) || !S_ISSOCK(st.st_mode) || st.st_ino != s->inode)
		return 0;
	r = disconnect(fd);
	return r ? r : 1;
}

int endsock_inode(ino_t inode)
{
	struct search s = { .inode = inode };
	int r;

	snprintf(s.link, sizeof(s.link), "socket:[%llu]", (unsigned long long)inode);
	r = descriptors_walk(end_descriptor, &s);
	if (r > 0)
		return 0;
	return r ? r : s.denied ? -EPERM : -ENOENT;
}

/* --- MPTCP connections --------------------------------------------------------------- */

#define SUBFLOWS_MAX 16 /* the kernel has at most nine */

struct connection {
	const struct sg_kill_target *subflow; /* by which it is looked for */
	ino_t inode;                          /* 0: its owner has closed it */
	struct sg_kill_target found[SUBFLOWS_MAX];
	size_t n;
};

static int match_addresses(void *data, const struct sg_kill_target *socket)
{
	struct connection *c = data;
	const struct sg_kill_target *v = c->subflow;

	if (socket->local_port != v->local_port || socket->remote_port != v->remote_port ||
	    memcmp(socket->local, v->local, sizeof(v->local)) != 0 ||
	    memcmp(socket->remote, v->remote, sizeof(v->remote)) != 0)
		return 0;
	c->found[0] = *socket;
	c->n = 1;
	return 1;
}

static int match_inode(void *data, const struct sg_kill_target *socket)
{
	struct connection *c = data;

	if (socket->inode == c->inode && c->n < SUBFLOWS_MAX)
		c->found[c->n++] = *socket;
	return 0;
}

/* Finds the sockets of the connection; without an inode only the one with its addresses. */
static int find(struct connection *c, uint32_t protocol)
{
	c->n = 0;
	return c->inode ? sockdiag_list(protocol, NULL, match_inode, c)
			: sockdiag_list(protocol, c->subflow, match_addresses, c);
}

/*
 * A connection has the addresses of its first subflow and outlives it; every subflow
 * has the inode of its connection. So it is looked for under both protocols.
 */
static int identify(struct connection *c)
{
	int mptcp = find(c, IPPROTO_MPTCP);
	int tcp = c->n ? 0 : find(c, IPPROTO_TCP);

	if (c->n) {
		c->inode = c->found[0].inode;
		return 0;
	}
	if (tcp)
		return tcp;
	return mptcp == -ENOENT ? -EOPNOTSUPP : mptcp ? mptcp : -ENOENT;
}

/* --- by its time limit ---------------------------------------------------------------- */

#define CLOSE_TIMEOUT "/proc/sys/net/mptcp/close_timeout" /* of the namespace we are in */
#define GONE_TRIES 50
#define GONE_WAIT_US 1000

static int timeout_write(const char *text)
{
	CLEANUP(closep) int fd = open(CLOSE_TIMEOUT, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Makes it 0; what it was is in *old, "" if it was not changed. */
static int timeout_clear(char *old, size_t size)
{
	CLEANUP(closep) int fd = open(CLOSE_TIMEOUT, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, old, size - 1);
	int r = n < 0 ? -errno : timeout_write("0");

	old[n < 0 || r ? 0 : n] = '\0';
	old[strcspn(old, "\n")] = '\0';
	return r == -ENOENT ? -EOPNOTSUPP : r;
}

/* 0: it is gone; -ETIMEDOUT: it is not; -ENOENT: the kernel does not tell. */
static int wait_gone(struct connection *c)
{
	int r = 0;

	for (int i = 0; i < GONE_TRIES && (!r || r == -ENOENT); i++) {
		usleep(GONE_WAIT_US);
		r = find(c, IPPROTO_MPTCP);
		if (!r && !c->n)
			return 0;
	}
	return r ? r : -ETIMEDOUT;
}

/* The kernel reads the limit when the last subflow ends, and never again. */
static int end_subflows(struct connection *c)
{
	CLEANUP(closep) int fd = -1;
	char old[32] = "";
	int opened = sockdiag_open(&fd);
	int r = opened ? opened : find(c, IPPROTO_TCP);
	int limit = r ? r : timeout_clear(old, sizeof(old));
	int gone;

	for (size_t i = 0; i < c->n; i++) {
		int one = sockdiag_destroy(fd, &c->found[i]);

		r = r || one == -ENOENT ? r : one;
	}
	gone = r ? r : wait_gone(c);
	if (old[0] && timeout_write(old))
		return log_failure(-errno, SUB, "cannot make " CLOSE_TIMEOUT " %s again", old);
	if (gone == -ENOENT)
		return limit;
	return gone == -ETIMEDOUT && limit ? limit : gone;
}

int endsock_mptcp(const struct sg_kill_target *subflow)
{
	struct connection c = { .subflow = subflow };
	int r = identify(&c);

	if (r)
		return r;
	if (c.inode && !endsock_inode(c.inode))
		return 0;
	return end_subflows(&c);
}
