/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/origins.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

int origins_open(struct origins *o, int fd)
{
	void *at = mmap(NULL, SG_ORIGINS_MAX * sizeof(*o->v), PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	o->v = at;
	return 0;
}

/* The peer's address, IPv4 v4-mapped, and port in host byte order. */
static int peer_of(int connection, uint8_t ret_addr[16], uint16_t *ret_port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct sockaddr_in6 peer = { 0 };
	socklen_t len = sizeof(peer);
	const struct sockaddr_in *v4 = (const void *)&peer;

	if (getpeername(connection, (struct sockaddr *)&peer, &len) < 0)
		return -errno;
	if (peer.sin6_family == AF_INET) {
		memcpy(ret_addr, mapped, sizeof(mapped));
		memcpy(ret_addr + sizeof(mapped), &v4->sin_addr, sizeof(v4->sin_addr));
	} else {
		memcpy(ret_addr, &peer.sin6_addr, sizeof(peer.sin6_addr));
	}
	*ret_port = ntohs(peer.sin6_port); /* at the same place in both */
	return 0;
}

int origins_find(const struct origins *o, int connection, uint64_t now_ns, struct sg_origin *ret)
{
	struct sg_origin origin;
	uint8_t addr[16];
	uint16_t port = 0;

	if (peer_of(connection, addr, &port))
		return -ENOENT;
	memcpy(&origin, &o->v[port], sizeof(origin));
	if (!origin.t_ns || memcmp(origin.local, addr, sizeof(addr)) != 0 ||
	    origin.server >= SG_SERVERS_MAX)
		return -ENOENT;
	/* the kernel's clock may have been read a little later than ours */
	if (now_ns > origin.t_ns && now_ns - origin.t_ns > ORIGINS_AGE_NS)
		return -ENOENT;
	*ret = origin;
	return 0;
}
