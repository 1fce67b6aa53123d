/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Invariant of both windows: `sum` is the sum of what the ring holds. */
#include "core/window.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARK_FAILED 2U
#define MARK_SLOW 1U

static void counts_add(struct window_counts *sum, bool failed, bool slow)
{
	sum->calls++;
	sum->failed += failed;
	sum->slow += slow;
}

static void counts_subtract(struct window_counts *sum, const struct window_counts *less)
{
	sum->calls -= less->calls;
	sum->failed -= less->failed;
	sum->slow -= less->slow;
}

int count_window_init(struct count_window *w, uint32_t capacity, uint64_t max_age_ns)
{
	*w = (struct count_window){
		.marks = capacity ? calloc(capacity, sizeof(*w->marks)) : NULL,
		.capacity = capacity,
		.max_age_ns = max_age_ns,
	};
	return w->marks || !capacity ? 0 : -ENOMEM;
}

void count_window_done(struct count_window *w)
{
	free(w->marks);
	*w = (struct count_window){ 0 };
}

void count_window_clear(struct count_window *w)
{
	w->head = 0;
	w->sum = (struct window_counts){ 0 };
}

static void count_window_drop_oldest(struct count_window *w)
{
	uint64_t mark = w->marks[w->head];
	struct window_counts one = {
		.calls = 1,
		.failed = !!(mark & MARK_FAILED),
		.slow = !!(mark & MARK_SLOW),
	};

	counts_subtract(&w->sum, &one);
	w->head = w->head + 1 == w->capacity ? 0 : w->head + 1;
}

static void count_window_expire(struct count_window *w, uint64_t now_ns)
{
	if (now_ns > w->newest_ns)
		w->newest_ns = now_ns;
	if (!w->max_age_ns)
		return;
	while (w->sum.calls && w->newest_ns - (w->marks[w->head] >> 2) > w->max_age_ns)
		count_window_drop_oldest(w);
}

void count_window_add(struct count_window *w, uint64_t now_ns, bool failed, bool slow)
{
	uint64_t tail;

	if (!w->capacity)
		return;
	count_window_expire(w, now_ns);
	if (w->sum.calls == w->capacity)
		count_window_drop_oldest(w);
	tail = (uint64_t)w->head + w->sum.calls;
	if (tail >= w->capacity)
		tail -= w->capacity;
	w->marks[tail] = w->newest_ns << 2 | (failed ? MARK_FAILED : 0) | (slow ? MARK_SLOW : 0);
	counts_add(&w->sum, failed, slow);
}

void count_window_correct(struct count_window *w, uint64_t was_ns, bool slow)
{
	if (!w->sum.calls || w->marks[w->head] >> 2 > was_ns)
		return; /* it has left the window */
	for (uint32_t i = 0; i < w->sum.calls; i++) {
		uint64_t at = (uint64_t)w->head + i;
		uint64_t *mark = &w->marks[at < w->capacity ? at : at - w->capacity];

		if (*mark >> 2 < was_ns || !(*mark & MARK_FAILED))
			continue;
		w->sum.failed--;
		w->sum.slow += (uint32_t)slow - !!(*mark & MARK_SLOW);
		*mark = (*mark & ~(uint64_t)(MARK_FAILED | MARK_SLOW)) | (slow ? MARK_SLOW : 0);
		return;
	}
}

struct window_counts count_window_counts(struct count_window *w, uint64_t now_ns)
{
	count_window_expire(w, now_ns);
	return w->sum;
}

int time_window_init(struct time_window *w, uint32_t buckets, uint64_t width_ns)
{
	*w = (struct time_window){
		.ring = buckets ? calloc(buckets, sizeof(*w->ring)) : NULL,
		.buckets = buckets,
		.width_ns = width_ns,
	};
	return w->ring || !buckets ? 0 : -ENOMEM;
}

void time_window_done(struct time_window *w)
{
	free(w->ring);
	*w = (struct time_window){ 0 };
}

void time_window_clear(struct time_window *w)
{
	if (w->buckets)
		memset(w->ring, 0, w->buckets * sizeof(*w->ring));
	w->sum = (struct window_counts){ 0 };
}

/* Empties the buckets between the newest one seen and that of `now`. */
static void time_window_advance(struct time_window *w, uint64_t now_ns)
{
	uint64_t number = now_ns / w->width_ns;

	if (number <= w->newest)
		return;
	if (number - w->newest >= w->buckets || !w->sum.calls) {
		if (w->sum.calls)
			time_window_clear(w);
		w->newest = number;
		return;
	}
	while (w->newest < number) {
		struct window_counts *bucket = &w->ring[++w->newest % w->buckets];

		counts_subtract(&w->sum, bucket);
		*bucket = (struct window_counts){ 0 };
	}
}

void time_window_add(struct time_window *w, uint64_t now_ns, bool failed, bool slow)
{
	if (!w->buckets)
		return;
	time_window_advance(w, now_ns);
	counts_add(&w->ring[w->newest % w->buckets], failed, slow);
	counts_add(&w->sum, failed, slow);
}

void time_window_correct(struct time_window *w, uint64_t was_ns, bool was_slow, bool slow)
{
	uint64_t number = w->buckets ? was_ns / w->width_ns : 0;

	if (w->buckets && number + w->buckets <= w->newest)
		return; /* it is not counted any more */
	for (; w->buckets && number <= w->newest; number++) {
		struct window_counts *bucket = &w->ring[number % w->buckets];

		if (!bucket->failed)
			continue;
		bucket->failed--;
		w->sum.failed--;
		if (was_slow && bucket->slow) {
			bucket->slow--;
			w->sum.slow--;
		}
		bucket->slow += slow;
		w->sum.slow += slow;
		return;
	}
}

struct window_counts time_window_counts(struct time_window *w, uint64_t now_ns)
{
	if (w->buckets)
		time_window_advance(w, now_ns);
	return w->sum;
}

struct window_rates window_rates(struct window_counts counts, uint32_t min_calls)
{
	bool defined = counts.calls && counts.calls >= min_calls;

	return (struct window_rates){
		.counts = counts,
		.failure_rate = defined ? (double)counts.failed / counts.calls : (double)NAN,
		.slow_rate = defined ? (double)counts.slow / counts.calls : (double)NAN,
	};
}
