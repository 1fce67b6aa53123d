/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lists that grow: an array of which the room is the next power of two. */
#ifndef SWITCHGEAR_BASE_LIST_H
#define SWITCHGEAR_BASE_LIST_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* Room for one more of `size` bytes each behind the n that `list`, the address of a pointer, has.
 * -ENOMEM: it is as it was. */
static inline MUST_CHECK int list_grow(void *list, size_t n, size_t size)
{
	void **v = list;
	void *more;

	if (n & (n - 1))
		return 0;
	more = realloc(*v, (n ? 2 * n : 1) * size);
	if (!more)
		return -ENOMEM;
	*v = more;
	return 0;
}

#endif
