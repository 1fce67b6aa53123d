/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which server stands in for one that gets no connects: pure rules over what is known of those
 * that the operator lists. One is used only if
 *
 *  F1  its own breaker is closed and it is in no quarantine;
 *  F2  an address of it is known, and the daemon's own probe, which changes nothing, was answered;
 *  F3  it offers every tool that the other one does, where both lists are known, or the
 *      operator allows less.
 *
 * Fail-closed: who was never asked is not used.
 */
#ifndef SWITCHGEAR_CORE_FALLBACK_H
#define SWITCHGEAR_CORE_FALLBACK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

#define FALLBACK_NONE ((size_t)-1)

struct fallback_candidate {
	const struct status_server *status;
	bool addressed;      /* an address of it is known */
	bool asked;          /* a probe of it came to an end */
	bool answered;       /* the latest one was answered */
	const char *failure; /* why not, else */
	size_t missing;      /* tools that it does not offer; 0 also where that is not known */
	const char *differs; /* how its tools differ, for people; "" */
};

/* May it be used? Else *out (of size) says what speaks against it; "" if it may. */
bool fallback_usable(const struct fallback_candidate *c, bool partial, char *out, size_t size);

/* The index of the first that may be used, in the order in which they stand, or by trust
 * (core/select.h); FALLBACK_NONE. At most 64 are looked at. */
size_t fallback_choose(const struct fallback_candidate *v, size_t n, bool by_trust, bool partial);

#endif
