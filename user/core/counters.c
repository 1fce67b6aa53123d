/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/counters.h"

#include <string.h>

#define ROW(member, object, key, label, family, value) \
	{ offsetof(struct sg_stats, member), object, key, label, COUNTER_##family, value },

const struct counter counters[] = { SG_COUNTERS(ROW){ 0, NULL, NULL, NULL, COUNTER_NONE, NULL } };

uint64_t counter_get(const struct counter *c, const struct sg_stats *stats)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + c->offset, sizeof(value));
	return value;
}

void counter_set(const struct counter *c, struct sg_stats *stats, uint64_t value)
{
	memcpy((char *)stats + c->offset, &value, sizeof(value));
}
