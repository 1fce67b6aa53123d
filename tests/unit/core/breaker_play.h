/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plays bytes as events to the transition with the engine beside it, as the
 * daemon composes them, and to the reference; after every event it checks
 * their agreement and the invariants of headers/breaker.h. Needs no test
 * framework, so that the fuzzer can include it: a violation is printed with its
 * event and ends the program.
 */
#ifndef SWITCHGEAR_TESTS_BREAKER_PLAY_H
#define SWITCHGEAR_TESTS_BREAKER_PLAY_H

#include "breaker.h"

#include <stddef.h>
#include <stdint.h>

/* What was played, for a comparison of two runs: the breaker after each event. */
struct play_trace {
	struct sg_breaker *after; /* room for `size`, NULL: not wanted */
	size_t size;
	size_t n;
};

/* How often what happened: a run that never opens proves nothing. */
struct play_count {
	uint64_t events;
	uint64_t moves[SG_REASON_COUNT];
	uint64_t stale;
	uint64_t denied;
};

/* `name` is printed with a violation. */
void play(const uint8_t *data, size_t size, const char *name, struct play_trace *trace,
	  struct play_count *count);

#endif
