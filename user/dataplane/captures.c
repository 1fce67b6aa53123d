/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ring of refused packets. */
#include <errno.h>

#include "base/log.h"
#include "dataplane/private.h"

static int on_packet(void *ctx, void *data, size_t size)
{
	struct dataplane *dp = ctx;

	if (size >= sizeof(struct sg_captured) && dp->capture_fn)
		dp->capture_fn(dp->capture_data, data);
	return 0;
}

int dataplane_captures_open(struct dataplane *dp)
{
	dp->captures = ring_buffer__new(bpf_map__fd(dp->skel->maps.captures), on_packet, dp, NULL);
	return dp->captures ? 0 : log_failure(-errno, "bpf", "cannot read the ring of packets");
}

int dataplane_captures_read(struct dataplane *dp, dataplane_capture_fn *fn, void *data)
{
	int r;

	dp->capture_fn = fn;
	dp->capture_data = data;
	r = ring_buffer__consume(dp->captures);
	dp->capture_fn = NULL;
	return r;
}
