/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/sockdiag.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

/* IPv4 sockets are looked up by four bytes; v4-mapped ones of AF_INET6 by sixteen. */
static void address_copy(__be32 *to, const __u8 *from, unsigned int family)
{
	if (family == AF_INET)
		memcpy(to, from + 12, 4);
	else
		memcpy(to, from, 16);
}

static int acknowledged(int fd)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	ssize_t n = recv(fd, &answer, sizeof(answer), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(answer.header) + sizeof(answer.error.error) ||
	    answer.header.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.error.error;
}

int sockdiag_destroy(const struct sg_victim *v)
{
	CLEANUP(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct request r = {
		.header = { .nlmsg_len = sizeof(r),
			    .nlmsg_type = SOCK_DESTROY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.diag = { .sdiag_family = (__u8)v->family,
			  .sdiag_protocol = v->proto,
			  .idiag_states = ~0U,
			  .id = { .idiag_sport = v->local_port,
				  .idiag_dport = v->remote_port,
				  .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};

	if (fd < 0)
		return -errno;
	address_copy(r.diag.id.idiag_src, v->local, v->family);
	address_copy(r.diag.id.idiag_dst, v->remote, v->family);
	if (send(fd, &r, sizeof(r), 0) != sizeof(r))
		return -errno;
	return acknowledged(fd);
}
