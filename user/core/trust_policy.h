/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every parameter of the trust model (core/trust.h) in the units in which people write it, as
 * core/policy.h has those of a breaker: one row per key of the `trust` object.
 */
#ifndef SWITCHGEAR_CORE_TRUST_POLICY_H
#define SWITCHGEAR_CORE_TRUST_POLICY_H

#include "core/policy.h"

/* Each key once: kind, key, default, least, most, and what it is. RATE is above the least. */
/* clang-format off */
#define TRUST_KEYS(X) \
	/* performance */ \
	X(NUMBER, prior, 0.5, 0, 1, "performance of a server of which nothing is known") \
	X(RATE, prior_weight, 2, 0, 1000, "how many calls the prior weighs as") \
	X(PERIOD, fast_half_life_seconds, 600, 0, MONTH, "half-life of the fast memory") \
	X(RATE, fast_cap, 50, 0, 1e6, "calls that the fast memory holds at most") \
	X(PERIOD, slow_half_life_seconds, 259200, 0, YEAR, "half-life of the slow memory") \
	X(RATE, slow_cap, 500, 0, 1e6, "calls that the slow memory holds at most") \
	X(NUMBER, hard_weight, 3, 0.5, 100, "a hard failure counts as so many") \
	X(NUMBER, soft_weight, 1, 0, 100, "a soft failure counts as so many") \
	X(PERIOD, latency_target_seconds, 5, 0, DAY, "an answer up to here loses nothing") \
	X(COUNT, evidence_cap, 20, 1, 1e6, "calls of one tool that count fully in a bucket") \
	X(PERIOD, evidence_bucket_seconds, 10, 0.01, DAY, "length of a bucket of evidence") \
	/* community */ \
	X(NUMBER, community_weight, 0.3, 0, 1, "share of the community in the score") \
	X(NUMBER, unknown_pool, 0.05, 0, 1, "weight that all raters without a path share") \
	X(NUMBER, path_decay, 0.5, 0, 1, "what of a key's weight the keys it vouches for get") \
	X(COUNT, path_depth, 3, 0, 16, "vouches between an anchor and a rater at most") \
	X(NUMBER, negative_weight, 2, 0, 100, "a bad rating counts as so many good ones") \
	X(RATE, rating_half_life_days, 30, 0, 3650, "half-life of a rating") \
	/* security */ \
	X(NUMBER, unscanned, 0.8, 0, 1, "security is at most this without a recent scan") \
	X(RATE, scan_max_age_days, 30, 0, 3650, "a scan holds for so long") \
	X(NUMBER, security_rise_per_day, 0.05, 0, 1, "security rises by so much a day at most") \
	X(NUMBER, scar_days, 180, 0, 3650, "a high or critical finding lowers the maximum for so long") \
	/* bands and quarantine */ \
	X(NUMBER, trusted, 70, 0, 100, "trusted from this score on") \
	X(NUMBER, trusted_leave, 65, 0, 100, "no longer trusted below it") \
	X(NUMBER, watch, 40, 0, 100, "degraded below this score") \
	X(NUMBER, watch_return, 43, 0, 100, "no longer degraded from it on") \
	X(PERIOD, dwell_seconds, 600, 0, MONTH, "least length of the first quarantine by rule") \
	X(PERIOD, dwell_max_seconds, 86400, 0, YEAR, "cap of that length, which doubles") \
	X(NUMBER, strike_penalty, 5, 0, 100, "points that a strike takes off the maximum") \
	X(COUNT, strike_max, 6, 0, 100, "strikes that count") \
	X(RATE, strike_decay_days, 7, 0, 3650, "clean for so long takes one strike off") \
	X(NUMBER, quarantine_confidence, 0.7, 0, 1, "a finding quarantines from this confidence on") \
	X(FLAG, auto_quarantine, true, 0, 1, "may rules quarantine") \
	/* what servers offer */ \
	X(SECONDS, tools_seconds, 600, 0, DAY, "tool lists are asked for so often; 0 = never") \
	X(FLAG, rug_pull_quarantine, false, 0, 1, "may other tools under the same version quarantine")
/* clang-format on */

struct trust_policy {
#define TRUST_MEMBER(kind, key, fallback, least, most, help) policy_##kind key;
	TRUST_KEYS(TRUST_MEMBER)
#undef TRUST_MEMBER
};

#define TRUST_KEY_COUNT 34
extern const struct policy_key trust_keys[TRUST_KEY_COUNT]; /* offsets are in struct trust_policy */

struct trust_policy trust_policy_defaults(void);

/* The row of a key, or NULL. */
const struct policy_key *trust_key_find(const char *name);

/*
 * Checks each parameter and those that only make sense together. -EINVAL with one sentence in
 * why: which key, its value, what is allowed. The functions of core/trust.h and
 * core/reputation.h take only a policy that has passed.
 */
int trust_policy_check(const struct trust_policy *p, char *why, size_t why_size) MUST_CHECK;

#endif
