/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where connects go that a server does not get: kept, and not looked at. */
#include <errno.h>
#include <string.h>

#include "fake/dataplane.h"

#define HOME_NETNS 4026531840ULL

int dataplane_redirect_set(struct dataplane *dp, uint32_t id, const struct sg_redirect *to)
{
	if (id >= SG_SERVERS_MAX)
		return -ENOENT;
	dp->servers[id].redirect = *to;
	dp->redirects_set++;
	return 0;
}

int dataplane_redirect_get(struct dataplane *dp, uint32_t id, struct sg_redirect *ret)
{
	if (id >= SG_SERVERS_MAX)
		return -ENOENT;
	*ret = dp->servers[id].redirect;
	return 0;
}

int dataplane_endpoint_at(struct dataplane *dp, uint32_t id, const struct addr *a, uint16_t port,
			  uint32_t *ret)
{
	for (uint32_t i = 0; i < dp->servers[id].n_addrs; i++)
		if (!memcmp(&dp->servers[id].addrs[i], a, sizeof(*a)) &&
		    dp->servers[id].ports[i] == port) {
			*ret = SG_AT(id, i < SG_SLOTS_MAX ? i : SG_SLOTS_MAX - 1, 0,
				     dp->servers[id].kernel.incarnation % SG_AT_INCARNATIONS);
			return 0;
		}
	return -ENOENT;
}

uint32_t dataplane_server_incarnation(struct dataplane *dp, uint32_t id)
{
	return dp->servers[id].kernel.incarnation;
}

bool dataplane_is_own(struct dataplane *dp, const struct addr *a)
{
	(void)dp;
	return addr_is_loopback(a);
}

uint64_t dataplane_home_netns(const struct dataplane *dp)
{
	(void)dp;
	return HOME_NETNS;
}

int dataplane_origins_fd(const struct dataplane *dp)
{
	(void)dp;
	return -1;
}

void dataplane_relay_user(struct dataplane *dp, uint32_t uid)
{
	dp->relay_user = uid;
}
