/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which bucket of struct sg_hist (abi.h) a latency falls into. Shared, so that
 * the kernel that counts and the daemon that reports cannot disagree about a
 * bound. No loop and no count-leading-zeros: BPF has neither on old kernels.
 */
#ifndef SWITCHGEAR_HIST_H
#define SWITCHGEAR_HIST_H

#include "abi.h"

#define SG_HIST_LAST (SG_HIST_BUCKETS - 1U)

/* Index in [0, SG_HIST_LAST] of the bucket that holds ns; its upper bound is exclusive. */
static __always_inline __u32 sg_hist_index(__u64 ns)
{
	__u32 octave = 0;
	__u32 v;

	if (ns < 1ULL << SG_HIST_MIN_LOG2)
		return 0;
	if (ns >= 1ULL << SG_HIST_MAX_LOG2)
		return SG_HIST_LAST;
	v = (__u32)(ns >> SG_HIST_MIN_LOG2);
	if (v >= 1U << 16) {
		v >>= 16;
		octave += 16;
	}
	if (v >= 1U << 8) {
		v >>= 8;
		octave += 8;
	}
	if (v >= 1U << 4) {
		v >>= 4;
		octave += 4;
	}
	if (v >= 1U << 2) {
		v >>= 2;
		octave += 2;
	}
	if (v >= 1U << 1)
		octave += 1;
	return 1 + 4 * octave + (__u32)(ns >> (SG_HIST_MIN_LOG2 - 2 + octave) & 3);
}

/*
 * Where bucket `index` ends, exclusive, in ns; the next one begins there. The
 * last bucket has no end: SG_FOREVER.
 */
static __always_inline __u64 sg_hist_bound(__u32 index)
{
	if (index == 0)
		return 1ULL << SG_HIST_MIN_LOG2;
	if (index >= SG_HIST_LAST)
		return SG_FOREVER;
	return (5ULL + (index - 1) % 4) << (SG_HIST_MIN_LOG2 - 2 + (index - 1) / 4);
}

#endif
