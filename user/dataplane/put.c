/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing elements that the kernel allocates one by one. */
#include <errno.h>
#include <unistd.h>

#include "dataplane/private.h"

#define RESERVE_WAIT_US 1000 /* for a reserve of elements to be filled again */
#define RESERVE_TRIES 200

int dataplane_map_put(const struct bpf_map *map, const void *key, const void *value, uint64_t flags)
{
	int r = bpf_map_update_elem(bpf_map__fd(map), key, value, flags);

	for (size_t i = 0; i < RESERVE_TRIES && r == -ENOMEM; i++) {
		usleep(RESERVE_WAIT_US);
		r = bpf_map_update_elem(bpf_map__fd(map), key, value, flags);
	}
	return r;
}
