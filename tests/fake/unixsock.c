/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Servers at Unix sockets. */
#include <stdio.h>

#include "fake/dataplane.h"

bool dataplane_unix_begin(struct dataplane *dp)
{
	dp->unix_begun = !dp->unix_refused;
	return dp->unix_begun;
}

void dataplane_unix_settle(struct dataplane *dp)
{
	bool any = false;

	for (size_t i = 0; i < SG_SERVERS_MAX; i++)
		any |= dp->servers[i].unix_name[0];
	dp->unix_begun &= any;
}

const char *dataplane_unix_error(const struct dataplane *dp)
{
	return dp->unix_refused ? "Linux 6.7" : "";
}

int dataplane_unix_set(struct dataplane *dp, uint32_t id, const char *name)
{
	snprintf(dp->servers[id].unix_name, sizeof(dp->servers[id].unix_name), "%s",
		 name ? name : "");
	return 0;
}
