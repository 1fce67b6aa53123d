/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/ways.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

extern char *if_indextoname(unsigned int index, char *name); /* <net/if.h> and <linux/if.h> clash */

#define ANSWER_MAX 16384
#define ANSWERS_MAX 64 /* to questions before, which nobody waited for */

/* One question, with one attribute. */
struct question {
	struct nlmsghdr head;
	union {
		struct rtmsg route;
		struct ifinfomsg link;
		struct ndmsg neighbour;
	};
	uint8_t room[32];
};

union answer {
	struct nlmsghdr head;
	uint8_t room[ANSWER_MAX];
};

static void question_begin(struct question *q, uint16_t type, size_t body)
{
	memset(q, 0, sizeof(*q));
	q->head.nlmsg_type = type;
	q->head.nlmsg_flags = NLM_F_REQUEST;
	q->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(body);
}

/* The address, as its family has it, behind what is there. */
static void question_add(struct question *q, uint16_t type, const struct addr *a)
{
	size_t skip = addr_is_v4(a) ? 12 : 0;
	struct rtattr at = { .rta_type = type };
	uint8_t *to = (uint8_t *)q + NLMSG_ALIGN(q->head.nlmsg_len);

	at.rta_len = (unsigned short)RTA_LENGTH(16 - skip);
	memcpy(to, &at, sizeof(at));
	memcpy(to + RTA_LENGTH(0), a->bytes + skip, 16 - skip);
	q->head.nlmsg_len = NLMSG_ALIGN(q->head.nlmsg_len) + RTA_ALIGN(at.rta_len);
}

static int error_of(const union answer *a)
{
	struct nlmsgerr e;

	memcpy(&e, NLMSG_DATA(&a->head), sizeof(e));
	return e.error < 0 ? e.error : -EPROTO;
}

/* The kernel answers before send() returns. *ret_len: of the message. */
static int question_ask(int fd, struct question *q, union answer *a, size_t *ret_len)
{
	static uint32_t number;

	q->head.nlmsg_seq = ++number;
	if (send(fd, q, q->head.nlmsg_len, 0) < 0)
		return -errno;
	for (int i = 0; i < ANSWERS_MAX; i++) {
		ssize_t n = recv(fd, a, sizeof(*a), MSG_DONTWAIT);

		if (n < 0)
			return -errno;
		if ((size_t)n < NLMSG_HDRLEN || a->head.nlmsg_seq != q->head.nlmsg_seq)
			continue;
		*ret_len = a->head.nlmsg_len < (size_t)n ? a->head.nlmsg_len : (size_t)n;
		return a->head.nlmsg_type == NLMSG_ERROR ? error_of(a) : 0;
	}
	return -EPROTO;
}

static void addr_take(struct addr *ret, const void *from, size_t len)
{
	if (len == 4) {
		*ret = (struct addr){ { [10] = 0xff, [11] = 0xff } };
		memcpy(ret->bytes + 12, from, 4);
	} else if (len == 16) {
		memcpy(ret->bytes, from, 16);
	}
}

/* The attributes behind a body of that size. */
static void way_read(const union answer *a, size_t len, struct way *ret)
{
	size_t at = NLMSG_SPACE(sizeof(struct rtmsg));
	struct rtattr attr;

	while (at + sizeof(attr) <= len) {
		const uint8_t *data = a->room + at + RTA_LENGTH(0);
		size_t n;

		memcpy(&attr, a->room + at, sizeof(attr));
		if (attr.rta_len < sizeof(attr) || at + attr.rta_len > len)
			return;
		n = attr.rta_len - RTA_LENGTH(0);
		if (attr.rta_type == RTA_OIF && n == sizeof(ret->ifindex))
			memcpy(&ret->ifindex, data, n);
		else if (attr.rta_type == RTA_GATEWAY)
			addr_take(&ret->hop, data, n);
		else if (attr.rta_type == RTA_VIA && n > sizeof(uint16_t))
			addr_take(&ret->hop, data + sizeof(uint16_t), n - sizeof(uint16_t));
		at += RTA_ALIGN(attr.rta_len);
	}
}

int ways_open(int *ret_fd)
{
	*ret_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return *ret_fd < 0 ? -errno : 0;
}

int ways_ask(int fd, const struct addr *to, struct way *ret)
{
	union answer a;
	struct question q;
	struct rtmsg route;
	size_t len;
	int r;

	*ret = (struct way){ 0 };
	question_begin(&q, RTM_GETROUTE, sizeof(q.route));
	q.route.rtm_family = addr_is_v4(to) ? AF_INET : AF_INET6;
	q.route.rtm_dst_len = addr_is_v4(to) ? 32 : 128;
	question_add(&q, RTA_DST, to);
	r = question_ask(fd, &q, &a, &len);
	if (r)
		return r;
	if (a.head.nlmsg_type != RTM_NEWROUTE || len < NLMSG_SPACE(sizeof(route)))
		return -EPROTO;
	memcpy(&route, NLMSG_DATA(&a.head), sizeof(route));
	if (route.rtm_type == RTN_LOCAL)
		return 1;
	if (route.rtm_type != RTN_UNICAST)
		return -ENETUNREACH;
	way_read(&a, len, ret);
	return 0;
}

static enum way_sign link_sign(int fd, uint32_t ifindex)
{
	union answer a;
	struct ifinfomsg link;
	struct question q;
	size_t len;
	int r;

	question_begin(&q, RTM_GETLINK, sizeof(q.link));
	q.link.ifi_index = (int)ifindex;
	r = question_ask(fd, &q, &a, &len);
	if (r == -ENODEV)
		return WAY_GONE;
	if (r || a.head.nlmsg_type != RTM_NEWLINK || len < NLMSG_LENGTH(sizeof(link)))
		return WAY_UNKNOWN;
	memcpy(&link, NLMSG_DATA(&a.head), sizeof(link));
	if (!(link.ifi_flags & IFF_UP))
		return WAY_DOWN;
	return link.ifi_flags & IFF_RUNNING ? WAY_FINE : WAY_NO_CARRIER;
}

static enum way_sign hop_sign(int fd, const struct way *way)
{
	union answer a;
	struct ndmsg n;
	struct question q;
	size_t len;

	question_begin(&q, RTM_GETNEIGH, sizeof(q.neighbour));
	q.neighbour.ndm_family = addr_is_v4(&way->hop) ? AF_INET : AF_INET6;
	q.neighbour.ndm_ifindex = (int)way->ifindex;
	question_add(&q, NDA_DST, &way->hop);
	if (question_ask(fd, &q, &a, &len) || a.head.nlmsg_type != RTM_NEWNEIGH ||
	    len < NLMSG_LENGTH(sizeof(n)))
		return WAY_UNKNOWN;
	memcpy(&n, NLMSG_DATA(&a.head), sizeof(n));
	if (n.ndm_state & NUD_FAILED)
		return WAY_NO_HOP;
	if (n.ndm_state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PERMANENT | NUD_NOARP))
		return WAY_FINE;
	return WAY_UNKNOWN;
}

enum way_sign ways_sign(int fd, const struct way *way)
{
	static const struct addr none;
	enum way_sign sign = link_sign(fd, way->ifindex);

	if (sign != WAY_FINE || !memcmp(&way->hop, &none, sizeof(none)))
		return sign;
	return hop_sign(fd, way);
}

bool way_sign_bad(enum way_sign sign)
{
	return sign > WAY_UNKNOWN;
}

const char *way_sign_text(enum way_sign sign)
{
	static const char *const texts[] = {
		[WAY_FINE] = "nothing is wrong with it",
		[WAY_UNKNOWN] = "nothing is known of it",
		[WAY_GONE] = "there is no route any more",
		[WAY_DOWN] = "the interface is down",
		[WAY_NO_CARRIER] = "the interface has no carrier",
		[WAY_NO_HOP] = "the next hop does not answer",
	};

	return sign < WAY_SIGN_COUNT ? texts[sign] : "";
}

const char *way_text(char *out, size_t size, const struct way *way)
{
	static const struct addr none;
	char name[IFNAMSIZ] = "";
	char hop[64];

	if (!if_indextoname(way->ifindex, name))
		snprintf(name, sizeof(name), "%u", way->ifindex);
	if (memcmp(&way->hop, &none, sizeof(none)))
		snprintf(out, size, "%s dev %s", format_addr(hop, sizeof(hop), &way->hop), name);
	else
		snprintf(out, size, "the link of %s", name);
	return out;
}

int ways_watch(int *ret_fd)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR |
					       RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
					       RTMGRP_IPV6_ROUTE };
	CLEANUP(closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int change_of(const struct nlmsghdr *head)
{
	switch (head->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return WAYS_SIGNS;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return WAYS_ROUTES | WAYS_SIGNS;
	default:
		return WAYS_ROUTES;
	}
}

int ways_changed(int fd)
{
	struct nlmsghdr head;
	int changed = 0;

	for (;;) {
		/* the rest of the datagram goes with it: messages of one are of one kind */
		ssize_t n = recv(fd, &head, sizeof(head), 0);

		if (n < 0 && errno == EAGAIN)
			return changed;
		if (n < 0 && errno != ENOBUFS && errno != EINTR)
			return -errno;
		/* ENOBUFS: the kernel had more to say than fitted into the socket. */
		changed |= n == (ssize_t)sizeof(head) ? change_of(&head) : WAYS_ROUTES | WAYS_SIGNS;
	}
}
