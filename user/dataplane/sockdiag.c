/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/sockdiag.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

/* For protocols whose number does not fit into the request. */
struct long_request {
	struct request request;
	struct nlattr protocol_is;
	uint32_t protocol;
};

/* IPv4 sockets are looked up by four bytes; v4-mapped ones of AF_INET6 by sixteen. */
static void address_copy(__be32 *to, const __u8 *from, unsigned int family)
{
	if (family == AF_INET)
		memcpy(to, from + 12, 4);
	else
		memcpy(to, from, 16);
}

/* What the kernel says to a request about one socket: 0, or its error. */
static int answered(int fd)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	ssize_t n = recv(fd, &answer, sizeof(answer), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(answer.header) + sizeof(answer.error.error))
		return -EBADMSG;
	if (answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
		return 0; /* here it is */
	if (answer.header.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	/* somebody else has the addresses by now */
	return answer.error.error == -ESTALE ? -ENOENT : answer.error.error;
}

int sockdiag_open(int *ret_fd)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int ask(int fd, const struct sg_kill_target *v, uint16_t what, uint16_t flags)
{
	struct request r = {
		.header = { .nlmsg_len = sizeof(r),
			    .nlmsg_type = what,
			    .nlmsg_flags = NLM_F_REQUEST | flags },
		.diag = { .sdiag_family = v->family,
			  .sdiag_protocol = v->proto,
			  .idiag_states = ~0U,
			  .id = { .idiag_sport = v->local_port,
				  .idiag_dport = v->remote_port,
				  .idiag_if = v->ifindex,
				  .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};

	if (v->cookie) {
		r.diag.id.idiag_cookie[0] = (__u32)v->cookie;
		r.diag.id.idiag_cookie[1] = (__u32)(v->cookie >> 32);
	}
	address_copy(r.diag.id.idiag_src, v->local, v->family);
	address_copy(r.diag.id.idiag_dst, v->remote, v->family);
	if (send(fd, &r, sizeof(r), 0) != sizeof(r))
		return -errno;
	return answered(fd);
}

int sockdiag_destroy(int fd, const struct sg_kill_target *v)
{
	return ask(fd, v, SOCK_DESTROY, NLM_F_ACK);
}

/* Of UDP sockets the kernel takes the ends the other way round, but only here. */
int sockdiag_exists(int fd, const struct sg_kill_target *v)
{
	struct sg_kill_target turned = *v;

	if (v->proto == IPPROTO_TCP)
		return ask(fd, v, SOCK_DIAG_BY_FAMILY, 0);
	memcpy(turned.local, v->remote, sizeof(turned.local));
	memcpy(turned.remote, v->local, sizeof(turned.remote));
	turned.local_port = v->remote_port;
	turned.remote_port = v->local_port;
	return ask(fd, &turned, SOCK_DIAG_BY_FAMILY, 0);
}

/* --- counting ---------------------------------------------------------------------- */

/* The number behind "inuse" in the line that begins with this name; -1: it is not told. */
static long in_use(const char *path, const char *name)
{
	CLEANUP(fclosep) FILE *f = fopen(path, "re");
	char line[256];
	long n;

	while (f && fgets(line, sizeof(line), f)) {
		const char *rest = strchr(line, ':');

		if (rest && (size_t)(rest - line) == strlen(name) &&
		    !strncmp(line, name, strlen(name)))
			return sscanf(rest, ": inuse %ld", &n) == 1 ? n : -1;
	}
	return -1;
}

/* Of IPv6 there may be none at all: that is told by the other file, which is always there. */
static bool counts_any(bool tcp)
{
	long four = in_use("/proc/thread-self/net/sockstat", tcp ? "TCP" : "UDP");
	long six = in_use("/proc/thread-self/net/sockstat6", tcp ? "TCP6" : "UDP6");

	if (six < 0 && access("/proc/thread-self/net/sockstat6", F_OK) && errno == ENOENT)
		six = 0;
	return four || six;
}

/*
 * The kernel adds up a counter per processor, one after the other: while sockets come and go on
 * several of them a sum may be too small. Two that are nothing, one right after the other, are
 * believed.
 */
bool sockdiag_any(uint8_t proto)
{
	bool any = false;

	for (int i = 0; i < 2 && !any; i++)
		any = counts_any(proto == IPPROTO_TCP);
	return any;
}

/* --- listing ----------------------------------------------------------------------- */

#define SYN_SENT 2
#define PEERED (1U << 1 | 1U << SYN_SENT | 1U << 4 | 1U << 5 | 1U << 8 | 1U << 9 | 1U << 11)
#define TIMER_OF_TIME_WAIT 3 /* idiag_timer: all that is left is a timer */
#define LISTENING (1U << 10)
#define UNCONNECTED (1U << 7)                           /* of UDP */
#define CLOSED (1U << 4 | 1U << 5 | 1U << 9 | 1U << 11) /* FIN_WAIT1 and 2, LAST_ACK, CLOSING */
#define ALIGN4(n) (((size_t)(n) + 3) & ~(size_t)3)

static void address_read(__u8 *to, const __be32 *from, unsigned int family)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET) {
		memcpy(to, mapped, sizeof(mapped));
		memcpy(to + 12, from, 4);
	} else {
		memcpy(to, from, 16);
	}
}

/* The attribute INET_DIAG_CGROUP_ID (since 5.9), 0 if there is none. */
static uint64_t cgroup_read(const char *at, size_t len)
{
	struct nlattr a;
	uint64_t id = 0;

	for (; len >= sizeof(a); at += ALIGN4(a.nla_len), len -= ALIGN4(a.nla_len)) {
		memcpy(&a, at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > len)
			break;
		if (a.nla_type == INET_DIAG_CGROUP_ID && a.nla_len >= sizeof(a) + sizeof(id)) {
			memcpy(&id, at + sizeof(a), sizeof(id));
			break;
		}
		if (ALIGN4(a.nla_len) >= len)
			break;
	}
	return id;
}

static int take(const char *body, size_t len, uint8_t proto, sockdiag_fn *fn, void *data)
{
	struct sg_kill_target v = { .proto = proto };
	struct inet_diag_msg m;

	if (len < sizeof(m))
		return -EBADMSG;
	memcpy(&m, body, sizeof(m));
	v.cookie = (__u64)m.id.idiag_cookie[1] << 32 | m.id.idiag_cookie[0];
	v.family = m.idiag_family;
	v.ifindex = m.id.idiag_if;
	v.inode = m.idiag_inode;
	v.closed = !m.idiag_inode && proto == IPPROTO_TCP && CLOSED >> m.idiag_state & 1;
	v.cgroup = cgroup_read(body + sizeof(m), len - sizeof(m));
	v.local_port = m.id.idiag_sport;
	v.remote_port = m.id.idiag_dport;
	address_read(v.local, m.id.idiag_src, m.idiag_family);
	address_read(v.remote, m.id.idiag_dst, m.idiag_family);
	if (m.idiag_timer == TIMER_OF_TIME_WAIT ||
	    (!v.remote_port && !(1U << m.idiag_state & (LISTENING | UNCONNECTED))))
		return 0;
	return fn(data, &v);
}

/* One datagram of the dump: 1 at its end, 0 if more is to come, else what fn or the kernel said. */
static int take_all(const char *bytes, size_t len, uint8_t proto, sockdiag_fn *fn, void *data)
{
	struct nlmsghdr head;
	size_t body;
	int r = 0;

	for (size_t at = 0; at + sizeof(head) <= len && !r; at += ALIGN4(head.nlmsg_len)) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
			return -EBADMSG;
		body = head.nlmsg_len - sizeof(head);
		if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR) {
			/* both begin with an error; a listing that was refused can end with one */
			if (body >= sizeof(r))
				memcpy(&r, bytes + at + sizeof(head), sizeof(r));
			if (head.nlmsg_type == NLMSG_DONE)
				return r < 0 ? r : 1;
			return r ? r : -EBADMSG;
		}
		r = take(bytes + at + sizeof(head), body, proto, fn, data);
	}
	return r;
}

static int list_family(uint32_t proto, const struct sg_kill_target *like, uint32_t states,
		       sockdiag_fn *fn, void *data)
{
	CLEANUP(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool is_long = proto > UINT8_MAX; /* MPTCP, which is listed as a kind of TCP */
	uint8_t known_as = is_long ? IPPROTO_TCP : (uint8_t)proto;
	struct long_request q = {
		.request.header = { .nlmsg_len = is_long ? sizeof(q) : sizeof(q.request),
				    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request.diag = { .sdiag_family = like->family,
				  .sdiag_protocol = known_as,
				  .idiag_states = states,
				  .id = { .idiag_sport = like->local_port,
					  .idiag_dport = like->remote_port } },
		.protocol_is = { .nla_len = sizeof(q.protocol_is) + sizeof(q.protocol),
				 .nla_type = INET_DIAG_REQ_PROTOCOL },
		.protocol = proto,
	};
	char bytes[32768];
	ssize_t n;
	int r;

	if (fd < 0 || send(fd, &q, q.request.header.nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = take_all(bytes, (size_t)n, known_as, fn, data);
	} while (!r);
	return r == 1 ? 0 : r;
}

int sockdiag_list(uint32_t proto, const struct sg_kill_target *like, sockdiag_fn *fn, void *data)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int r = 0;

	if (like)
		return list_family(proto, like, PEERED, fn, data);
	for (size_t i = 0; i < ARRAY_SIZE(families) && !r; i++)
		r = list_family(proto, &(struct sg_kill_target){ .family = families[i] }, PEERED,
				fn, data);
	return r;
}

int sockdiag_waiting(uint8_t proto, __be16 port, sockdiag_fn *fn, void *data)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	uint32_t states = proto == IPPROTO_TCP ? LISTENING : UNCONNECTED;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && !r; i++) {
		const struct sg_kill_target like = { .family = families[i], .local_port = port };

		r = list_family(proto, &like, states, fn, data);
	}
	return r;
}
