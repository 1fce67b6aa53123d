/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a server's calls ended, by class and cause, over the last hour: the 60 minutes that
 * are over and the one that runs, exactly. O(1) a call, but for the first of a minute; about
 * 280 bytes for each pair of class and cause that was ever seen.
 *
 * Minutes are those of boot time. A call that comes late counts in its own minute; one that
 * is older than an hour only in the total. What could not be counted is in `missed`.
 */
#ifndef SWITCHGEAR_CORE_CAUSES_H
#define SWITCHGEAR_CORE_CAUSES_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"

#define MINUTES_KEPT 61U
#define MINUTE_NS 60000000000ULL

/* Counts of the latest minutes. All zero is an empty one. */
struct minutes {
	uint64_t newest; /* number of the minute, from 1; 0: none yet */
	uint32_t v[MINUTES_KEPT];
};

void minutes_add(struct minutes *m, uint64_t t_ns, uint32_t n);
uint64_t minutes_sum(const struct minutes *m, uint64_t now);

struct cause_count {
	enum sg_class class;
	enum sg_cause cause;
	struct minutes minutes;
	uint64_t total;      /* of all times; never less */
	uint64_t corrected;  /* of them those that were something else in the end */
	uint64_t latest_ns;  /* the newest of them */
	uint64_t latency_ns; /* of that one */
};

/* All zero is an empty one. */
struct causes {
	struct cause_count *v; /* in the order in which they appeared */
	size_t n;
	uint8_t at[SG_CLASS_COUNT][SG_CAUSE_COUNT]; /* index + 1; 0: none */
	uint64_t missed;
};

_Static_assert(SG_CLASS_COUNT *SG_CAUSE_COUNT < UINT8_MAX, "an index does not fit");

void causes_done(struct causes *c);
/* A call ended: numbers as the kernel gave them. */
void causes_add(struct causes *c, uint8_t class, uint8_t cause, uint64_t t_ns, uint64_t latency_ns);
/* What was counted as this before is something else, which the caller adds: at t_ns that was known. */
void causes_correct(struct causes *c, uint8_t class, uint8_t cause, uint64_t t_ns);

#endif
