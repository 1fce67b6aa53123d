/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the data plane tells of processes, cgroups and other programs. */
#include <inttypes.h>
#include <string.h>

#include "fake/dataplane.h"

char *dataplane_cgroup_name(UNUSED struct dataplane *dp, uint64_t id, char *out, size_t size)
{
	snprintf(out, size, "/fake/%" PRIu64, id);
	return out;
}

size_t dataplane_foreign(struct dataplane *dp, struct dataplane_foreign *ret, size_t max)
{
	size_t n = 0;

	while (n < max && n < ARRAY_SIZE(dp->foreign) && dp->foreign[n].id) {
		ret[n] = dp->foreign[n];
		n++;
	}
	return n;
}

int dataplane_proxies_set(struct dataplane *dp, const struct addr *addrs, const uint16_t *ports,
			  size_t n, bool add)
{
	dp->n_proxies = n < ARRAY_SIZE(dp->proxies) ? n : ARRAY_SIZE(dp->proxies);
	for (size_t i = 0; i < dp->n_proxies; i++) {
		dp->proxies[i].addr = addrs[i];
		dp->proxies[i].port = ports[i];
	}
	dp->proxies_added = add;
	return 0;
}

int dataplane_targets_set(struct dataplane *dp, const struct dataplane_target *targets, size_t n)
{
	dp->n_targets = n < ARRAY_SIZE(dp->targets) ? n : ARRAY_SIZE(dp->targets);
	memcpy(dp->targets, targets, dp->n_targets * sizeof(*targets));
	return 0;
}

int dataplane_hosts_set(struct dataplane *dp, const struct dataplane_host *hosts, size_t n)
{
	dp->n_hosts = n < ARRAY_SIZE(dp->hosts) ? n : ARRAY_SIZE(dp->hosts);
	memcpy(dp->hosts, hosts, dp->n_hosts * sizeof(*hosts));
	return dp->hosts_error;
}

ssize_t dataplane_processes(struct dataplane *dp, process_fn *fn, void *data)
{
	if (dp->proxied)
		fn(data, 4711, "python3", dp->proxied, strlen(dp->proxied) + 1);
	return dp->proxied != NULL;
}
