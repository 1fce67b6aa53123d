/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading latency histograms. */
#include "core/histogram.h"

#include <math.h>

#include "hist.h"

uint64_t hist_total(const struct sg_hist *h)
{
	return hist_cumulative(h, SG_HIST_LAST);
}

double hist_quantile_ns(const struct sg_hist *h, double q)
{
	double rank = q * (double)hist_total(h);
	double before = 0;
	double low = 0;

	for (uint32_t i = 0; i < SG_HIST_LAST; i++) {
		double here = (double)h->bucket[i];
		double high = (double)sg_hist_bound(i);

		if (here > 0 && before + here >= rank)
			return low + (high - low) * (rank - before) / here;
		before += here;
		low = high;
	}
	return h->bucket[SG_HIST_LAST] ? low : (double)NAN;
}

uint64_t hist_cumulative(const struct sg_hist *h, uint32_t index)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i <= index && i < SG_HIST_BUCKETS; i++)
		sum += h->bucket[i];
	return sum;
}
