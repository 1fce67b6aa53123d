/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Isolation, of which the next orders come to what a test says; refused packets; the bypass. */
#include <string.h>

#include "base/clock.h"
#include "dataplane/isolate.h"
#include "fake/dataplane.h"

int isolate_order_run(void *order, void *result, size_t size)
{
	const struct isolate_order *o = order;
	struct fake_server *s = &o->dp->servers[o->server];

	if (size != sizeof(s->isolate))
		return -1;
	memcpy(result, &s->isolate, size);
	s->isolate_orders++;
	s->isolate_order = *o;
	if (s->isolate.state != ISOLATE_DONE)
		return 0;
	s->isolation.cgroup = 77;
	s->isolation.flags |= (o->freeze ? SG_ISOLATED_FROZEN : 0) |
			      (o->force ? SG_ISOLATED_FORCED : 0);
	return 0;
}

bool dataplane_isolation(struct dataplane *dp, uint32_t server, struct sg_isolation *ret)
{
	*ret = dp->servers[server].isolation;
	return ret->cgroup;
}

bool dataplane_isolation_frozen(struct dataplane *dp, const struct sg_isolation *iso)
{
	(void)dp;
	return iso->flags & SG_ISOLATED_FROZEN;
}

int dataplane_isolation_end(struct dataplane *dp, uint32_t server)
{
	memset(&dp->servers[server].isolation, 0, sizeof(dp->servers[server].isolation));
	return 0;
}

bool dataplane_isolates_unix(const struct dataplane *dp)
{
	(void)dp;
	return true;
}

void dataplane_bypass(struct dataplane *dp, uint64_t until_ns)
{
	dp->bypass_ns = until_ns;
}

uint64_t dataplane_bypass_until(const struct dataplane *dp)
{
	return dp->bypass_ns > clock_boot_ns() ? dp->bypass_ns : 0;
}

bool dataplane_lets_pass(const struct dataplane *dp)
{
	return dp->observe || dataplane_bypass_until(dp);
}

int dataplane_captures_read(struct dataplane *dp, dataplane_capture_fn *fn, void *data)
{
	size_t n = dp->n_captured;

	for (size_t i = 0; i < n; i++)
		fn(data, &dp->captured[i]);
	dp->n_captured = 0;
	return (int)n;
}
