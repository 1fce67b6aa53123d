/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The usual latency of a server or one of its tools: mean and variance of ln x, x
 * in seconds. Thirty successes make it; then it follows slowly, upwards by 5 % a
 * day at most, so that a server that gets slower and slower stays slow. From it
 * follows the limit beyond which a call is slow, see policy_slow_ns(). A call is added
 * before it is judged: nobody is slow by a limit that is not known yet.
 *
 * The caller adds successes only while the breaker is closed or in its ramp.
 */
#ifndef SWITCHGEAR_CORE_BASELINE_H
#define SWITCHGEAR_CORE_BASELINE_H

#include <stdint.h>

#include "core/policy.h"

#define BASELINE_FLOOR 1e-6 /* seconds; a shorter latency counts as this */

struct baseline {
	uint64_t successes;
	uint64_t last_ns;
	double mean;
	double variance;  /* sum of squares while successes < 30 */
	uint64_t slow_ns; /* follows from it */
};

void baseline_init(struct baseline *b, const struct breaker_policy *p);
/* A success after latency_ns; brings slow_ns up to date. Times never go back: one before
 * the latest counts as that one. */
void baseline_add(struct baseline *b, const struct breaker_policy *p, uint64_t now_ns,
		  uint64_t latency_ns);
/* The limit under another policy. */
void baseline_set_policy(struct baseline *b, const struct breaker_policy *p);

#endif
