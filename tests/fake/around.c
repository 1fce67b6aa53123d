/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the data plane tells of processes, cgroups and other programs. */
#include <inttypes.h>

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

ssize_t dataplane_processes(struct dataplane *dp, process_fn *fn, void *data)
{
	static const char environment[] = "http_proxy=http://u:hush@10.0.0.1:3128/";

	if (dp->proxied)
		fn(data, 4711, "python3", environment, sizeof(environment));
	return dp->proxied;
}
