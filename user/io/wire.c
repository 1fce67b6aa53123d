/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

int wire_send(int socket, const struct wire_head *head, const void *data, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] __attribute__((aligned(8))) = { 0 };
	struct iovec parts[] = { { (void *)head, sizeof(*head) }, { (void *)data, head->len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = head->len ? 2 : 1 };
	struct cmsghdr *c;

	if (head->len > WIRE_DATA_MAX)
		return -E2BIG;
	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	while (sendmsg(socket, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* All that came are closed but the first one. */
static int take_fd(struct msghdr *msg)
{
	int first = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (first < 0)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

int wire_recv(int socket, int flags, struct wire *ret, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec part = { ret, sizeof(*ret) };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	CLEANUP(closep) int fd = -1;
	ssize_t n;

	do
		n = recvmsg(socket, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	fd = take_fd(&msg);
	if (!n)
		return 0;
	if (msg.msg_flags & MSG_TRUNC || (size_t)n < sizeof(ret->head) ||
	    ret->head.len != (size_t)n - sizeof(ret->head))
		return -EBADMSG;
	*ret_fd = TAKE_FD(fd);
	return 1;
}
