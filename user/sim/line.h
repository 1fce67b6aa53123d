/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lines that `simulate` reads: its own ops, and what `switchgear events
 * --json --calls` recorded. Members that it does not know are passed over, since
 * later versions record more; an op that it does not know, a member of the wrong
 * type, or one that is missing is an error.
 */
#ifndef SWITCHGEAR_SIM_LINE_H
#define SWITCHGEAR_SIM_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "sim/scan.h"
#include "sim/sim.h"

#define SIM_LINE_MAX 65536U /* bytes, the line break excluded */

/* Members of a line that are read. */
#define SIM_FIELDS(X)               \
	X(T, "t")                   \
	X(OP, "op")                 \
	X(ID, "id")                 \
	X(TO, "to")                 \
	X(FOR, "for")               \
	X(TIME, "time")             \
	X(TOOL, "tool")             \
	X(EVENT, "event")           \
	X(CAUSE, "cause")           \
	X(SERVER, "server")         \
	X(LATENCY, "latency")       \
	X(OUTCOME, "outcome")       \
	X(SEVERITY, "severity")     \
	X(CONFIDENCE, "confidence") \
	X(RETRY_AFTER, "retry_after")

enum sim_field {
#define SIM_FIELD(field, key) SIM_FIELD_##field,
	SIM_FIELDS(SIM_FIELD)
#undef SIM_FIELD
	SIM_FIELD_COUNT
};

enum sim_line_type {
	SIM_LINE_EVENT,  /* an op: event is set */
	SIM_LINE_TRIP,   /* recorded: a breaker opened by itself */
	SIM_LINE_PASSED, /* recorded: something else, for people */
	SIM_LINE_BLANK,
};

struct sim_line {
	enum sim_line_type type;
	struct sim_event event; /* its texts are in the line or in this struct; line is 0 */
	bool recorded;          /* has `time`, as the daemon's lines */
	struct scan_value values[SIM_FIELD_COUNT];
	char scratch[3][SIM_NAME_MAX]; /* names that were written with escapes */
};

/* -EBADMSG with *ret_fault. */
int sim_line_parse(const char *text, size_t len, struct sim_line *ret,
		   struct scan_fault *ret_fault) MUST_CHECK;

/* What a fault of the simulation means for this line, and at which byte. */
void sim_line_explain(const struct sim_line *line, enum sim_fault fault, uint64_t before_ns,
		      struct scan_fault *ret);

#endif
