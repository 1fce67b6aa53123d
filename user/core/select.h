/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which of several servers to call now, by what is known of each: pure, and the same for the same
 * servers. In this order:
 *
 *  1. who lets calls through: in no quarantine, breaker neither open nor half-open; one in its slow
 *     start (ramp) only where there is no other; with a tool in question, nobody whose findings
 *     restrict it, for nothing says yet that a tool only reads;
 *  2. the better band of trust;
 *  3. the higher score; within SELECT_NEAR points of the best all are equal;
 *  4. among equals the one that was chosen before, unless it takes more than SELECT_SLOWER times as
 *     long as the fastest; else the first, in the configuration's order, of those that take at
 *     most SELECT_FASTER times as long as the fastest. Who was never measured is as fast.
 */
#ifndef SWITCHGEAR_CORE_SELECT_H
#define SWITCHGEAR_CORE_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

#define SELECT_NEAR 5.0
#define SELECT_SLOWER 2.0
#define SELECT_FASTER 1.25
#define SELECT_NONE ((size_t)-1)

enum select_use {
	SELECT_NO,     /* calls would be refused */
	SELECT_SLOWLY, /* some would be */
	SELECT_YES,
};

/* May it be called? *ret_why (static): what speaks against it, "" if nothing does. */
enum select_use select_use(const struct status_server *s, bool for_tool, const char **ret_why);

/* The index of the one to use, SELECT_NONE if there is none. `before`: who was chosen the last
 * time, or SELECT_NONE. */
size_t select_best(const struct status_server *const *servers, size_t n, bool for_tool,
		   size_t before);

/*
 * The order in which `n` servers stand in for each other: who can be called before who cannot, the
 * better band first, then the higher score, all else as they come. `order` gets n indices. Not
 * by_trust: as they come, those that cannot be called included.
 */
void select_order(const struct status_server *const *servers, size_t n, bool for_tool,
		  bool by_trust, size_t *order);

#endif
