/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two windows over which a breaker computes rates. Counts are exact; there
 * is no weighting by time or distance, so five failures in a millisecond equal
 * five in five seconds. Adding costs O(1) amortised, memory is fixed at init.
 *
 * Times are ns of one clock. A time older than the newest one seen counts as
 * that one: records from several CPUs may arrive slightly out of order.
 */
#ifndef SWITCHGEAR_CORE_WINDOW_H
#define SWITCHGEAR_CORE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct window_counts {
	uint32_t calls;
	uint32_t failed;
	uint32_t slow;
};

/* The last `capacity` outcomes, each at most max_age_ns old (0: of any age). */
struct count_window {
	uint64_t *marks; /* ring: time << 2 | failed << 1 | slow */
	uint32_t capacity;
	uint32_t head; /* oldest */
	uint64_t newest_ns;
	uint64_t max_age_ns;
	struct window_counts sum;
};

/* -ENOMEM, or 0. Capacity 0 makes a window that counts nothing and needs no memory. */
int count_window_init(struct count_window *w, uint32_t capacity, uint64_t max_age_ns) MUST_CHECK;
void count_window_done(struct count_window *w);
void count_window_clear(struct count_window *w);
void count_window_add(struct count_window *w, uint64_t now_ns, bool failed, bool slow);
/* The failure that was added at was_ns was a call that did not fail, and was slow or not; one that
 * the window does not hold any more changes nothing. O(capacity). */
void count_window_correct(struct count_window *w, uint64_t was_ns, bool slow);
/* The counts at `now`, after dropping what is too old. */
struct window_counts count_window_counts(struct count_window *w, uint64_t now_ns);

/*
 * The last `buckets` buckets of width_ns each, the current one included; the
 * number of a bucket is floor(t / width), so that bounds do not depend on when
 * the first outcome came.
 */
struct time_window {
	struct window_counts *ring;
	uint32_t buckets;
	uint64_t width_ns;
	uint64_t newest; /* number of the newest bucket */
	struct window_counts sum;
};

/* -ENOMEM, or 0. Zero buckets make a window that counts nothing; else width_ns > 0. */
int time_window_init(struct time_window *w, uint32_t buckets, uint64_t width_ns) MUST_CHECK;
void time_window_done(struct time_window *w);
void time_window_clear(struct time_window *w);
void time_window_add(struct time_window *w, uint64_t now_ns, bool failed, bool slow);
/* As for the other window; was_slow: the failure counted as slow. O(buckets). */
void time_window_correct(struct time_window *w, uint64_t was_ns, bool was_slow, bool slow);
struct window_counts time_window_counts(struct time_window *w, uint64_t now_ns);

/* Counts with the shares that follow from them; NAN below min_calls. */
struct window_rates {
	struct window_counts counts;
	double failure_rate;
	double slow_rate;
};

struct window_rates window_rates(struct window_counts counts, uint32_t min_calls);

#endif
