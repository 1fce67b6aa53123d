/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/endsock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "base/log.h"
#include "dataplane/descriptors.h"

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

/* --- what sockets there are ---------------------------------------------------------- */

/* Every state with a peer, but those that only wait for the time to pass. */
#define PEERED (1U << 1 | 1U << 2 | 1U << 4 | 1U << 5 | 1U << 8 | 1U << 9 | 1U << 11)
#define ALIGN4(n) (((size_t)(n) + 3) & ~(size_t)3)

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
	struct nlattr protocol_is;
	uint32_t protocol;
};

typedef int diag_fn(void *data, const struct inet_diag_msg *m);

static int dump_error(const char *body, size_t len)
{
	int error;

	if (len < sizeof(error))
		return -EBADMSG;
	memcpy(&error, body, sizeof(error));
	return error;
}

/* One datagram of an answer: 1 at its end, 0 if more is to come, else what fn or the kernel
 * said. */
static int dump_take(const char *bytes, size_t len, diag_fn *fn, void *data)
{
	struct inet_diag_msg m;
	struct nlmsghdr head;
	size_t body;
	int r = 0;

	for (size_t at = 0; at + sizeof(head) <= len && !r; at += ALIGN4(head.nlmsg_len)) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
			return -EBADMSG;
		body = head.nlmsg_len - sizeof(head);
		if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR) {
			r = dump_error(bytes + at + sizeof(head), body);
			return r ? r : 1;
		}
		if (!fn || body < sizeof(m))
			return -EBADMSG;
		memcpy(&m, bytes + at + sizeof(head), sizeof(m));
		r = fn(data, &m);
	}
	return r;
}

/* Calls fn with every such socket of a family in this namespace; ports 0: any. A result of
 * fn that is not 0 ends the walk and is returned. -ENOENT: the kernel cannot list these. */
static int dump(uint32_t protocol, const struct sg_kill_target *like, diag_fn *fn, void *data)
{
	CLEANUP(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct request q = {
		.header = { .nlmsg_len = sizeof(q),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.diag = { .sdiag_family = (__u8)like->family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = PEERED,
			  .id = { .idiag_sport = like->local_port,
				  .idiag_dport = like->remote_port } },
		.protocol_is = { .nla_len = sizeof(q.protocol_is) + sizeof(q.protocol),
				 .nla_type = INET_DIAG_REQ_PROTOCOL },
		.protocol = protocol,
	};
	char bytes[32768];
	ssize_t n;
	int r = 0;

	if (fd < 0 || send(fd, &q, sizeof(q), 0) != sizeof(q))
		return -errno;
	while (!r) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n >= 0)
			r = dump_take(bytes, (size_t)n, fn, data);
		else if (errno != EINTR)
			return -errno;
	}
	return r == 1 ? 0 : r;
}

/* Destroys exactly the TCP socket that was listed: by its cookie, on its interface. */
static int destroy(const struct inet_diag_msg *m)
{
	CLEANUP(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct request q = {
		.header = { .nlmsg_len = offsetof(struct request, protocol_is),
			    .nlmsg_type = SOCK_DESTROY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.diag = { .sdiag_family = m->idiag_family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = ~0U,
			  .id = m->id },
	};
	char bytes[1024];
	ssize_t n = -1;
	int r;

	if (fd >= 0 && send(fd, &q, q.header.nlmsg_len, 0) == (ssize_t)q.header.nlmsg_len)
		n = recv(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return -errno;
	r = dump_take(bytes, (size_t)n, NULL, NULL);
	return r == 1 ? 0 : r ? r : -EBADMSG;
}

/* --- MPTCP connections --------------------------------------------------------------- */

#define SUBFLOWS_MAX 16 /* the kernel has at most nine */

struct connection {
	const struct sg_kill_target *subflow; /* by which it is looked for */
	ino_t inode;                          /* 0: its owner has closed it */
	struct inet_diag_msg found[SUBFLOWS_MAX];
	size_t n;
};

static bool is_address(const __be32 *a, const __u8 *mapped, unsigned int family)
{
	return family == AF_INET ? !memcmp(a, mapped + 12, 4) : !memcmp(a, mapped, 16);
}

static int match_addresses(void *data, const struct inet_diag_msg *m)
{
	struct connection *c = data;
	const struct sg_kill_target *v = c->subflow;

	if (m->id.idiag_sport != v->local_port || m->id.idiag_dport != v->remote_port ||
	    !is_address(m->id.idiag_src, v->local, m->idiag_family) ||
	    !is_address(m->id.idiag_dst, v->remote, m->idiag_family))
		return 0;
	c->found[0] = *m;
	c->n = 1;
	return 1;
}

static int match_inode(void *data, const struct inet_diag_msg *m)
{
	struct connection *c = data;

	if (m->idiag_inode == c->inode && c->n < SUBFLOWS_MAX)
		c->found[c->n++] = *m;
	return 0;
}

/* Finds the sockets of the connection; without an inode only the one with its addresses. */
static int find(struct connection *c, uint32_t protocol)
{
	static const __u16 families[] = { AF_INET, AF_INET6 };
	int r = 0;

	c->n = 0;
	if (!c->inode) {
		r = dump(protocol, c->subflow, match_addresses, c);
		return r < 0 ? r : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(families) && !r; i++) {
		const struct sg_kill_target any = { .family = families[i] };

		r = dump(protocol, &any, match_inode, c);
	}
	return r;
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
		c->inode = c->found[0].idiag_inode;
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
	char old[32] = "";
	int r = find(c, IPPROTO_TCP);
	int limit = r ? r : timeout_clear(old, sizeof(old));
	int gone;

	for (size_t i = 0; i < c->n; i++) {
		int one = destroy(&c->found[i]);

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
