/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a connection was meant for, from the kernel's map. */
#ifndef SWITCHGEAR_RELAY_ORIGINS_H
#define SWITCHGEAR_RELAY_ORIGINS_H

#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"

#define ORIGINS_AGE_NS 60000000000ULL /* nobody waits longer for a connection */

struct origins {
	const struct sg_origin *v; /* SG_ORIGINS_MAX, which the kernel writes at any time */
};

/* fd may be closed afterwards. -errno of mmap(). */
int origins_open(struct origins *o, int fd) MUST_CHECK;

/* What it was meant for; -ENOENT: it came from nobody whom the kernel had sent here lately. */
int origins_find(const struct origins *o, int connection, uint64_t now_ns,
		 struct sg_origin *ret) MUST_CHECK;

#endif
