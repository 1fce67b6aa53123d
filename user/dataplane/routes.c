/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Routes and sleep, as the kernel's maps have them. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"

uint64_t dataplane_asleep(const struct dataplane *dp)
{
	return clock_asleep_ns() + __atomic_load_n(&dp->cfg->asleep_ns, __ATOMIC_RELAXED);
}

bool dataplane_woke(struct dataplane *dp, uint64_t now)
{
	uint64_t asleep = dataplane_asleep(dp);

	if (asleep <= __atomic_load_n(&dp->pulse->asleep_ns, __ATOMIC_RELAXED) + SG_NAP_NS)
		return false;
	__atomic_store_n(&dp->pulse->awake_ns, now + SG_WAKING_NS, __ATOMIC_RELAXED);
	__atomic_store_n(&dp->pulse->asleep_ns, asleep, __ATOMIC_RELAXED);
	return true;
}

uint64_t dataplane_route_stirred(const struct dataplane *dp)
{
	return __atomic_load_n(&dp->pulse->route_ns, __ATOMIC_RELAXED);
}

int dataplane_route_get(struct dataplane *dp, uint32_t index, struct sg_route_entry *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.routes), &index, ret) ? -errno : 0;
}

int dataplane_route_name(struct dataplane *dp, uint32_t index, const struct addr *hop,
			 uint32_t ifindex)
{
	static const struct addr none;
	struct sg_route_entry entry = { .ifindex = ifindex };

	memcpy(entry.hop, hop->bytes, sizeof(entry.hop));
	if (ifindex)
		entry.route.flags = SG_ROUTE_USED;
	if (ifindex && !memcmp(hop, &none, sizeof(none)))
		entry.route.flags |= SG_ROUTE_LINK;
	if (bpf_map_update_elem(bpf_map__fd(dp->skel->maps.routes), &index, &entry, BPF_F_LOCK))
		return log_failure(-errno, SUB, "cannot enter route %u", index);
	return 0;
}

int dataplane_route_set(struct dataplane *dp, uint32_t index, bool offline, uint64_t back_ns)
{
	struct sg_command cmd = { .op = SG_CMD_ROUTE, .server = index, .until_ns = back_ns };

	cmd.flags = (offline ? SG_VIA_OFFLINE : 0) | (back_ns ? SG_VIA_BACK : 0);
	return dataplane_command(dp, &cmd);
}

int dataplane_server_via(struct dataplane *dp, uint32_t id, uint32_t slot, uint32_t route,
			 bool nowhere)
{
	struct sg_command cmd = { .op = SG_CMD_VIA, .server = id, .flags = slot };

	cmd.limit = route;
	if (nowhere)
		cmd.flags |= SG_VIA_NOWHERE;
	return dataplane_command(dp, &cmd);
}

int dataplane_server_ways(struct dataplane *dp, uint32_t id, struct dataplane_ways *ret)
{
	struct sg_server entry;

	if (bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_state), &id, &entry))
		return -errno;
	memcpy(ret->route, entry.route, sizeof(ret->route));
	memcpy(ret->failed, entry.slots.failed, sizeof(ret->failed));
	ret->nowhere = entry.slots.nowhere;
	ret->held_ns = entry.held_ns;
	return 0;
}
