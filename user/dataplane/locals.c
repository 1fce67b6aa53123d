/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An address that comes or goes while libc reads them may be missing in what it read: the watch,
 * which begins before, tells of it, and they are read again.
 */
#include "dataplane/locals.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

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

static bool to_addr(const struct sockaddr *from, struct addr *ret)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (from && from->sa_family == AF_INET) {
		memcpy(&v4, from, sizeof(v4));
		*ret = (struct addr){ { [10] = 0xff, [11] = 0xff } };
		memcpy(ret->bytes + 12, &v4.sin_addr, 4);
		return true;
	}
	if (from && from->sa_family == AF_INET6) {
		memcpy(&v6, from, sizeof(v6));
		memcpy(ret->bytes, &v6.sin6_addr, 16);
		return true;
	}
	return false;
}

static void freeifaddrsp(struct ifaddrs **all)
{
	freeifaddrs(*all);
}

int locals_read(struct locals_list *ret)
{
	CLEANUP(locals_list_done) struct locals_list list = { 0 };
	CLEANUP(freeifaddrsp) struct ifaddrs *all = NULL;
	struct addr address;
	size_t n = 0;

	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		n++;
	list.addrs = calloc(n + 1, sizeof(*list.addrs));
	if (!list.addrs)
		return -ENOMEM;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		if (!to_addr(a->ifa_addr, &address) || locals_list_has(&list, &address))
			continue;
		if (list.n == LOCALS_MAX)
			return -E2BIG;
		list.addrs[list.n++] = address;
	}
	*ret = list;
	list = (struct locals_list){ 0 };
	return 0;
}

int locals_watch(int *ret_fd)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	CLEANUP(closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int locals_changed(int fd)
{
	int changed = 0;
	char byte;

	for (;;) {
		ssize_t n = recv(fd, &byte, 1, 0); /* the rest of the datagram goes with it */

		if (n < 0 && errno == EAGAIN)
			return changed;
		/* ENOBUFS: the kernel had more to say than fitted into the socket. */
		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			return -errno;
		changed = 1;
	}
}
