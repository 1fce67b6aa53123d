/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The list of counters as a table: for whoever writes, reads or shows all of them. */
#ifndef SWITCHGEAR_CORE_COUNTERS_H
#define SWITCHGEAR_CORE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* Families of metrics, in the order in which they are exported. */
enum counter_family {
	COUNTER_NONE, /* not exported */
	COUNTER_CONNECTS,
	COUNTER_CONNECT_FAILURES,
	COUNTER_REQUESTS,
	COUNTER_RESPONSES,
	COUNTER_REQUEST_FAILURES,
	COUNTER_OUTCOMES,
	COUNTER_TLS,
	COUNTER_DENIED,
	COUNTER_WOULD_DENY,
	COUNTER_PASSED_OPEN,
	COUNTER_OVERFLOW,
	COUNTER_KILLED,
	COUNTER_DROPPED_PACKETS,
	COUNTER_RETRANSMITS,
	COUNTER_UNTRUSTED,
	COUNTER_UNRECORDED,
	COUNTER_UNFRAMED,
	COUNTER_FAMILY_COUNT
};

struct counter {
	size_t offset;      /* in struct sg_stats */
	const char *object; /* inside "counters" of the status document; NULL: itself */
	const char *key;    /* NULL: not in the status document */
	const char *label;  /* for people, indented where it is a part of what stands above */
	enum counter_family family;
	const char *value; /* of the family's label */
};

/* Ends with a row whose value is NULL. */
extern const struct counter counters[];

uint64_t counter_get(const struct counter *c, const struct sg_stats *stats);
void counter_set(const struct counter *c, struct sg_stats *stats, uint64_t value);

#endif
