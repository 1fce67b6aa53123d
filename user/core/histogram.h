/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading struct sg_hist (abi.h), the log-linear latency histogram that BPF
 * programs fill per CPU. Bucket bounds are those of headers/hist.h. All sums
 * are taken over the buckets: `count` may be ahead of them while a CPU writes.
 */
#ifndef SWITCHGEAR_CORE_HISTOGRAM_H
#define SWITCHGEAR_CORE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* Entries in all buckets. */
uint64_t hist_total(const struct sg_hist *h);

/*
 * Latency in ns below which the share q in [0, 1] of the entries lies,
 * interpolated linearly inside its bucket; NAN when there are none. In the last
 * bucket, which has no end, the answer is its beginning.
 */
double hist_quantile_ns(const struct sg_hist *h, double q);

/* Entries below the end of bucket `index`, sg_hist_bound(index). */
uint64_t hist_cumulative(const struct sg_hist *h, uint32_t index);

/*
 * The bounds that are exported: every power of two from 65.5 us to 68.7 s, so
 * that each is the end of a bucket and the counts are exact.
 */
#define HIST_LE_COUNT (SG_HIST_MAX_LOG2 - SG_HIST_MIN_LOG2 + 1)
/* Bucket that ends at bound i of [0, HIST_LE_COUNT). */
static inline uint32_t hist_le_index(uint32_t i)
{
	return 4 * i;
}

#endif
