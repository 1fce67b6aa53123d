/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where connects go that a server does not get. */
#include <errno.h>
#include <string.h>

#include "dataplane/private.h"

int dataplane_redirect_set(struct dataplane *dp, uint32_t id, const struct sg_redirect *to)
{
	if (id >= SG_SERVERS_MAX)
		return -ENOENT;
	return bpf_map_update_elem(bpf_map__fd(dp->skel->maps.redirects), &id, to, BPF_F_LOCK);
}

int dataplane_redirect_get(struct dataplane *dp, uint32_t id, struct sg_redirect *ret)
{
	return bpf_map_lookup_elem_flags(bpf_map__fd(dp->skel->maps.redirects), &id, ret,
					 BPF_F_LOCK);
}

uint32_t dataplane_server_incarnation(struct dataplane *dp, uint32_t id)
{
	struct sg_server entry;

	if (bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_state), &id, &entry))
		return 0;
	return entry.incarnation;
}

int dataplane_origins_fd(const struct dataplane *dp)
{
	return bpf_map__fd(dp->skel->maps.origins);
}

void dataplane_relay_user(struct dataplane *dp, uint32_t uid)
{
	__atomic_store_n(&dp->cfg->relay_user, uid, __ATOMIC_RELAXED);
}

uint64_t dataplane_home_netns(const struct dataplane *dp)
{
	return dp->home_netns;
}
