/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A host to which every address is its own: no server has a route. */
#include "dataplane/ways.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fake/dataplane.h"

int ways_open(int *ret_fd)
{
	*ret_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return 0;
}

int ways_watch(int *ret_fd)
{
	return ways_open(ret_fd);
}

int ways_changed(int fd)
{
	(void)fd;
	return 0;
}

int ways_ask(int fd, const struct addr *to, struct way *ret)
{
	(void)fd;
	(void)to;
	*ret = (struct way){ 0 };
	return 1;
}

enum way_sign ways_sign(int fd, const struct way *way)
{
	(void)fd;
	(void)way;
	return WAY_FINE;
}

bool way_sign_bad(enum way_sign sign)
{
	return sign > WAY_UNKNOWN;
}

const char *way_sign_text(enum way_sign sign)
{
	(void)sign;
	return "";
}

const char *way_text(char *out, size_t size, const struct way *way)
{
	snprintf(out, size, "%u", way->ifindex);
	return out;
}

uint64_t dataplane_route_stirred(const struct dataplane *dp)
{
	(void)dp;
	return 0;
}

bool dataplane_woke(struct dataplane *dp, uint64_t now)
{
	(void)dp;
	(void)now;
	return false;
}

int dataplane_route_get(struct dataplane *dp, uint32_t index, struct sg_route_entry *ret)
{
	(void)dp;
	(void)index;
	memset(ret, 0, sizeof(*ret));
	return 0;
}

int dataplane_route_name(struct dataplane *dp, uint32_t index, const struct addr *hop,
			 uint32_t ifindex)
{
	(void)dp;
	(void)index;
	(void)hop;
	(void)ifindex;
	return 0;
}

int dataplane_route_set(struct dataplane *dp, uint32_t index, bool offline, uint64_t back_ns)
{
	(void)dp;
	(void)index;
	(void)offline;
	(void)back_ns;
	return 0;
}

int dataplane_server_via(struct dataplane *dp, uint32_t id, uint32_t slot, uint32_t route,
			 bool nowhere)
{
	(void)nowhere;
	(void)dp;
	(void)id;
	(void)slot;
	(void)route;
	return 0;
}

int dataplane_server_ways(struct dataplane *dp, uint32_t id, struct dataplane_ways *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->failed, dp->servers[id].kernel.slots.failed, sizeof(ret->failed));
	return 0;
}

uint32_t dataplane_server_slot(struct dataplane *dp, uint32_t id, const struct addr *a,
			       uint16_t port)
{
	(void)port;
	for (uint32_t i = 0; i < dp->servers[id].n_addrs; i++)
		if (!memcmp(&dp->servers[id].addrs[i], a, sizeof(*a)))
			return i < SG_SLOTS_MAX ? i : SG_SLOTS_MAX - 1;
	return SG_SLOTS_MAX;
}
