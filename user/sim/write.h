/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lines that `simulate` prints. Equal reports, equal bytes: numbers are
 * decimal, seconds exact to the ns, rates the shortest that read back the same.
 */
#ifndef SWITCHGEAR_SIM_WRITE_H
#define SWITCHGEAR_SIM_WRITE_H

#include "base/buf.h"
#include "sim/sim.h"

/* Appends one object with its line break. */
void sim_report_write(const struct sim_report *report, struct buf *out);

/* What a replay did in comparison with what its recording tells. */
struct sim_summary {
	uint64_t calls; /* read */
	uint64_t admitted;
	uint64_t refused;
	uint64_t refused_success; /* refused, and the recording says that they succeeded */
	uint64_t refused_failed;  /* hard or soft: failures that nobody would have had */
	uint64_t refused_neutral; /* app, caller, local */
	uint64_t trips;           /* openings of servers' breakers here */
	uint64_t recorded_trips;  /* and in the recording */
	uint64_t tool_trips;
	uint64_t would_deny; /* admitted because of a shadow */
	uint64_t overflow;   /* trips that a limit forbade */
};

void sim_summary_write(const struct sim_summary *s, struct buf *out); /* one line of JSON */
void sim_summary_print(const struct sim_summary *s, struct buf *out); /* for people */

#endif
