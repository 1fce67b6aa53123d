/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every parameter of a breaker in the units in which people write it, and the
 * table by which a configuration parser fills it: one row per key of the
 * `breaker` object, so that parsing, checking, defaults and help are loops.
 */
#ifndef SWITCHGEAR_CORE_POLICY_H
#define SWITCHGEAR_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"

/*
 * Each key once, in the order of checks and of the struct: kind, key, default, least, most, and
 * what it is.
 */
/* clang-format off */
#define POLICY_KEYS(X) \
	/* what trips */ \
	X(COUNT, consecutive_failures, 5, 0, 1e6, "hard failures in a row that trip; 0 = off") \
	X(COUNT, window_calls, 20, 0, 10000, "count window: the last so many outcomes; 0 = off") \
	X(SECONDS, window_max_age_seconds, 600, 0, MONTH, "age limit of the count window; 0 = none") \
	X(SECONDS, window_seconds, 60, 0, DAY, "time window; 0 together with window_buckets 0 = off") \
	X(COUNT, window_buckets, 10, 0, 600, "equal buckets of the time window") \
	X(COUNT, min_calls, 10, 1, 10000, "below it a window's rates are undefined") \
	X(RATE, failure_rate, 0.5, 0, 1, "share of failures that trips") \
	X(RATE, slow_rate, 0.8, 0, 1, "share of slow calls that trips") \
	X(PERIOD, slow_seconds, 10, 0, MONTH, "a call that takes longer is slow, until the usual is known") \
	X(NUMBER, slow_factor, 4, 0, 1000, "slow is beyond so many times the usual; 0 = off") \
	/* what is a hard failure */ \
	X(PERIOD, connect_seconds, 3, 0, DAY, "a connect unanswered for so long has failed") \
	X(PERIOD, timeout_seconds, 60, 0, DAY, "a request unanswered for so long has failed") \
	X(SECONDS, abandon_seconds, 10, 0, DAY, "a call given up at this age has failed") \
	/* how long open */ \
	X(PERIOD, open_seconds, 30, 0, MONTH, "open time of the first trip") \
	X(NUMBER, open_factor, 2, 1, 100, "growth of the open time from trip to trip") \
	X(PERIOD, open_max_seconds, 900, 0, MONTH, "cap of the open time") \
	X(SPREAD, jitter, 0.25, 0, 1, "share by which open times vary; 0 = exact") \
	X(PERIOD, open_decay_seconds, 60, 0, MONTH, "closed for so long forgives one trip") \
	/* how it heals */ \
	X(COUNT, half_open_probes, 3, 1, SG_PROBES_MAX, "probes that decide about closing") \
	X(RATE, half_open_failure_rate, 0.01, 0, 1, "share of failed probes that opens again") \
	X(PERIOD, probe_lease_seconds, 30, 0, DAY, "a probe unanswered for so long has failed") \
	X(PERIOD, half_open_max_seconds, 90, 0, DAY, "limit of half-open from its first probe") \
	X(SECONDS, ramp_seconds, 60, 0, DAY, "time over which a closing breaker admits more; 0 = none") \
	X(FLAG, retry_after, true, 0, 1, "open at least as long as Retry-After asks") \
	/* limits across servers */ \
	X(RATE, group_max_open, 1, 0, 1, "share of a group that may be open at once") \
	X(COUNT, blast_min_servers, 8, 0, SG_SERVERS_MAX, "the blast limit acts from so many servers") \
	X(RATE, blast_share, 0.25, 0, 1, "share of servers that may newly open within blast_seconds") \
	X(PERIOD, blast_seconds, 10, 0, DAY, "period of the blast limit")
/* clang-format on */

enum policy_type {
	POLICY_COUNT,   /* whole numbers */
	POLICY_SECONDS, /* 0 means something */
	POLICY_PERIOD,  /* seconds, more than the least */
	POLICY_NUMBER,  /* without unit */
	POLICY_RATE,    /* share, more than the least */
	POLICY_SPREAD,  /* share, less than the most */
	POLICY_FLAG,
};

typedef uint32_t policy_COUNT;
typedef double policy_SECONDS;
typedef double policy_PERIOD;
typedef double policy_NUMBER;
typedef double policy_RATE;
typedef double policy_SPREAD;
typedef bool policy_FLAG;

struct breaker_policy {
#define POLICY_MEMBER(kind, key, fallback, least, most, help) policy_##kind key;
	POLICY_KEYS(POLICY_MEMBER)
#undef POLICY_MEMBER
};

struct policy_key {
	const char *name; /* of the configuration */
	size_t offset;    /* in struct breaker_policy, or trust_policy (core/trust_policy.h) */
	enum policy_type type;
	double fallback;
	double min;
	double max;
	const char *help;
};

#define POLICY_KEY_COUNT 28
extern const struct policy_key policy_keys[POLICY_KEY_COUNT];

struct breaker_policy breaker_policy_defaults(void);

/* The row of a key, or NULL. */
const struct policy_key *policy_key_find(const char *name);

/* A parameter of the struct that the key belongs to, as a number; flags are 0 or 1. */
double policy_key_get(const void *policy, const struct policy_key *key);

/*
 * Sets one parameter. -EINVAL, the policy untouched and the reason in why, if
 * the value is not finite, outside the key's range, not whole where it counts
 * something, or neither 0 nor 1 for a flag.
 */
int policy_key_set(void *policy, const struct policy_key *key, double value, char *why,
		   size_t why_size) MUST_CHECK;

/* Each key of a table: sets its default; checks what is set, as policy_key_set() would. */
void policy_keys_default(void *policy, const struct policy_key *keys, size_t n);
int policy_keys_check(const void *policy, const struct policy_key *keys, size_t n, char *why,
		      size_t why_size) MUST_CHECK;

/*
 * Checks each parameter and those that only make sense together. -EINVAL with
 * one sentence in why: which key, its value, what is allowed.
 */
int breaker_policy_check(const struct breaker_policy *p, char *why, size_t why_size) MUST_CHECK;

/*
 * What the kernel's transition needs, in its units. The policy has passed
 * breaker_policy_check(); deny_errno is a positive errno.
 */
void policy_to_kernel(const struct breaker_policy *p, uint32_t deny_errno, struct sg_policy *ret);

/*
 * Latency in ns above which (strictly) an answer is slow. With slow_factor 0 that is
 * slow_seconds. Else it is what the latencies of so many successes tell, of whose natural
 * logarithms (of seconds) these are the mean and the variance; nobody is slow who is as fast
 * as he always was:
 *   none:          SG_FOREVER
 *   fewer than 30: max(slow_seconds, slow_factor x exp(mean))
 *   else:          max(min(1 s, slow_seconds), exp(mean) x max(slow_factor, exp(3 deviations)))
 * Three deviations, so that a tool that is a tenth of the calls is usual, too.
 */
uint64_t policy_slow_ns(const struct breaker_policy *p, uint64_t successes, double log_mean,
			double log_variance);

/* Seconds as ns, rounded; SG_FOREVER if they do not fit. */
uint64_t policy_ns(double seconds);

#endif
