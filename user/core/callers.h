/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a server serves each of its callers. A rate over all calls is a vote by those who
 * call most: before it opens a breaker it is asked whether somebody is served well. The
 * kernel asks the same for failures in a row (headers/witness.h). O(CALLERS_MAX) a call,
 * no allocation; a caller beyond takes the place of who was silent longest.
 */
#ifndef SWITCHGEAR_CORE_CALLERS_H
#define SWITCHGEAR_CORE_CALLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALLERS_MAX 16
#define CALLERS_WINDOW_NS 10000000000ULL /* calls of the current and the last one count */
#define CALLERS_ENOUGH 5                 /* calls without which nobody is a witness */
#define CALLERS_WELL 5 /* who is served well has so much less of what opens a breaker */

struct caller {
	uint32_t source; /* 0: free */
	uint64_t window; /* number of the current one */
	uint32_t calls[2];
	uint32_t bad[2];
};

struct callers {
	struct caller v[CALLERS_MAX];
};

/* A call of `source` ended at t_ns (boot time, never decreasing by more than a window);
 * bad: a failure, or slow. */
void callers_add(struct callers *c, uint32_t source, bool bad, uint64_t t_ns);

/* A bad call of `source` was none after all. */
void callers_correct(struct callers *c, uint32_t source);

/* Is somebody served well, compared with the share of bad calls that opens the breaker (0 to
 * 1)? False (so that it may open) where nobody called enough. */
bool callers_served(const struct callers *c, double limit, uint64_t t_ns);

/* The share of bad ones among the calls of a source; 0 of somebody unknown. */
double callers_share(const struct callers *c, uint32_t source, uint64_t t_ns);

/* Who a source is, for people: "uid 1000", "cgroup 0x1a2b3c4d"; returns out. */
char *callers_name(uint32_t source, char *out, size_t size);

#endif
