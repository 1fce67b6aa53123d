/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Isolation: what the next orders come to is what a test says. */
#include <string.h>

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
