/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Netlink messages are walked with lengths checked here, not with the NLMSG_*
 * and RTA_* macros, whose signed arithmetic trusts the sender. The sender is the
 * kernel (its port id 0 is checked), but the parser is tested with any bytes.
 */
#include "dataplane/locals.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define DATAGRAM_MAX 32768
#define TRIES 5
#define ALIGN4(n) (((n) + 3U) & ~(size_t)3U)

struct locals {
	int fd;
};

/* --- lists ------------------------------------------------------------------ */

void locals_list_done(struct locals_list *list)
{
	free(list->addrs);
	*list = (struct locals_list){ 0 };
}

bool locals_list_has(const struct locals_list *list, const struct addr *address)
{
	for (size_t i = 0; i < list->n; i++)
		if (!memcmp(&list->addrs[i], address, sizeof(*address)))
			return true;
	return false;
}

static int list_add(struct locals_list *list, const struct addr *address)
{
	if (locals_list_has(list, address))
		return 0;
	if (list->n == LOCALS_MAX)
		return -E2BIG;
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;
		struct addr *grown = realloc(list->addrs, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->addrs = grown;
		list->cap = cap;
	}
	list->addrs[list->n++] = *address;
	return 0;
}

/* --- parsing ---------------------------------------------------------------- */

static bool to_addr(unsigned int family, const uint8_t *data, size_t len, struct addr *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET && len == 4) {
		memcpy(ret->bytes, mapped, sizeof(mapped));
		memcpy(ret->bytes + 12, data, 4);
		return true;
	}
	if (family == AF_INET6 && len == 16) {
		memcpy(ret->bytes, data, 16);
		return true;
	}
	return false;
}

/* On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL our own. */
static int parse_address(const uint8_t *data, size_t len, struct locals_list *list)
{
	struct ifaddrmsg head;
	struct addr local;
	struct addr address;
	bool has_local = false;
	bool has_address = false;
	size_t at = ALIGN4(sizeof(head));

	if (len < at)
		return -EBADMSG;
	memcpy(&head, data, sizeof(head));
	while (at + sizeof(struct rtattr) <= len) {
		struct rtattr attr;
		const uint8_t *value = data + at + sizeof(attr);

		memcpy(&attr, data + at, sizeof(attr));
		if (attr.rta_len < sizeof(attr) || attr.rta_len > len - at)
			return -EBADMSG;
		if (attr.rta_type == IFA_LOCAL)
			has_local = to_addr(head.ifa_family, value, attr.rta_len - sizeof(attr),
					    &local);
		else if (attr.rta_type == IFA_ADDRESS)
			has_address = to_addr(head.ifa_family, value, attr.rta_len - sizeof(attr),
					      &address);
		at += ALIGN4(attr.rta_len);
	}
	if (has_local)
		return list_add(list, &local);
	return has_address ? list_add(list, &address) : 0;
}

static int parse_error(const uint8_t *data, size_t len)
{
	struct nlmsgerr error;

	if (len < sizeof(error))
		return -EBADMSG;
	memcpy(&error, data, sizeof(error));
	return error.error < 0 ? error.error : -EBADMSG;
}

int locals_parse(const void *data, size_t len, unsigned int sequence, struct locals_list *list)
{
	const uint8_t *bytes = data;
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= len) {
		struct nlmsghdr head;
		const uint8_t *body = bytes + at + sizeof(head);
		int r = 0;

		memcpy(&head, bytes + at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
			return -EBADMSG;
		if (head.nlmsg_seq == sequence) {
			if (head.nlmsg_flags & NLM_F_DUMP_INTR)
				return -EAGAIN;
			if (head.nlmsg_type == NLMSG_DONE)
				return 1;
			if (head.nlmsg_type == NLMSG_ERROR)
				r = parse_error(body, head.nlmsg_len - sizeof(head));
			else if (head.nlmsg_type == RTM_NEWADDR)
				r = parse_address(body, head.nlmsg_len - sizeof(head), list);
			if (r < 0)
				return r;
		}
		at += ALIGN4(head.nlmsg_len);
	}
	return at >= len ? 0 : -EBADMSG;
}

/* --- the kernel ------------------------------------------------------------- */

static int netlink_open(unsigned int groups, int flags, int *ret)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK, .nl_groups = groups };
	CLEANUP(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* One datagram of the kernel's; *ret_len 0: it was somebody else's. */
static int netlink_recv(int fd, void *out, size_t size, size_t *ret_len)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { .iov_base = out, .iov_len = size };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;

	do {
		n = recvmsg(fd, &msg, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	*ret_len = from.nl_pid == 0 ? (size_t)n : 0;
	return 0;
}

static int dump(int fd, unsigned int sequence, char *datagram, struct locals_list *list)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = RTM_GETADDR,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			  .nlmsg_seq = sequence },
	};
	int r;

	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	do {
		size_t len = 0;

		r = netlink_recv(fd, datagram, DATAGRAM_MAX, &len);
		if (r < 0)
			return r;
		r = len ? locals_parse(datagram, len, sequence, list) : 0;
	} while (r == 0);
	return r < 0 ? r : 0;
}

int locals_read(struct locals_list *ret)
{
	CLEANUP(locals_list_done) struct locals_list list = { 0 };
	CLEANUP(freep) char *datagram = malloc(DATAGRAM_MAX);
	CLEANUP(closep) int fd = -1;
	int r;

	if (!datagram)
		return -ENOMEM;
	r = netlink_open(0, 0, &fd);
	for (unsigned int sequence = 1; r == 0 && sequence <= TRIES; sequence++) {
		list.n = 0;
		r = dump(fd, sequence, datagram, &list);
		if (r == 0) {
			*ret = list;
			list = (struct locals_list){ 0 };
			return 0;
		}
		if (r == -EAGAIN)
			r = 0;
	}
	return r < 0 ? r : -EAGAIN;
}

int locals_watch(struct locals **ret)
{
	CLEANUP(locals_freep) struct locals *locals = calloc(1, sizeof(*locals));
	int r;

	if (!locals)
		return -ENOMEM;
	locals->fd = -1;
	r = netlink_open(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, SOCK_NONBLOCK, &locals->fd);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(locals);
	return 0;
}

void locals_free(struct locals *locals)
{
	if (!locals)
		return;
	closep(&locals->fd);
	free(locals);
}

int locals_fd(const struct locals *locals)
{
	return locals->fd;
}

int locals_changed(struct locals *locals)
{
	char datagram[4096];
	int changed = 0;

	for (;;) {
		size_t len = 0;
		int r = netlink_recv(locals->fd, datagram, sizeof(datagram), &len);

		if (r == -EAGAIN)
			return changed;
		/* ENOBUFS: the kernel had more to say than fitted into the socket. */
		if (r < 0 && r != -ENOBUFS && r != -EMSGSIZE)
			return r;
		if (r < 0 || len)
			changed = 1;
	}
}
