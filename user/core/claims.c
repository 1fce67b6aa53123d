/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/claims.h"

#include <stdlib.h>
#include <string.h>

struct addr claim_addr(const struct addr *a)
{
	static const struct addr v4 = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	static const struct addr v6 = { { [15] = 1 } };

	if (!addr_is_unspecified(a))
		return *a;
	return addr_is_v4(a) ? v4 : v6;
}

static int same_place(const struct claim *a, const struct claim *b)
{
	int r = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));

	return r ? r : (int)a->port - (int)b->port;
}

/* By endpoint, and there who is to own it first. */
static int order(const void *x, const void *y)
{
	const struct claim *a = x;
	const struct claim *b = y;
	int r = same_place(a, b);

	if (r)
		return r;
	if (a->literal != b->literal)
		return a->literal ? -1 : 1;
	if (!a->literal && a->held != b->held)
		return a->held ? -1 : 1;
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

void claims_settle(struct claim *claims, size_t n)
{
	if (!n)
		return;
	qsort(claims, n, sizeof(*claims), order);
	for (size_t i = 0, first = 0; i < n; i++) {
		if (same_place(&claims[i], &claims[first]))
			first = i;
		claims[i].owner = claims[first].rank;
	}
}
