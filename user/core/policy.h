/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every parameter of a breaker in the units in which people write it, and the
 * table by which a configuration parser fills it: one row per key of the
 * `breaker` object, so that parsing, checking and help are loops.
 */
#ifndef SWITCHGEAR_CORE_POLICY_H
#define SWITCHGEAR_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"

struct breaker_policy {
	/* what trips */
	uint32_t consecutive_failures; /* hard failures in a row; 0: off */
	uint32_t window_calls;         /* count window, outcomes; 0: off */
	double window_max_age_seconds; /* older ones leave the count window; 0: none does */
	double window_seconds;         /* time window; 0, with window_buckets 0: off */
	uint32_t window_buckets;
	uint32_t min_calls; /* below it a window's rates are undefined */
	double failure_rate;
	double slow_rate;
	double slow_seconds; /* strictly later is slow */
	double slow_factor;  /* of the usual latency; 0: slow_seconds alone */
	/* what is a hard failure */
	double connect_seconds;
	double timeout_seconds;
	double abandon_seconds;
	/* how long open */
	double open_seconds;
	double open_factor;
	double open_max_seconds;
	double jitter; /* share by which an opening varies; 0: exact */
	double open_decay_seconds;
	/* how it heals */
	uint32_t half_open_probes;
	double half_open_failure_rate;
	double probe_lease_seconds;
	double half_open_max_seconds;
	double ramp_seconds; /* 0: close at once */
	bool retry_after;
	/* limits across servers */
	double group_max_open;
	uint32_t blast_min_servers;
	double blast_share;
	double blast_seconds;
};

enum policy_type {
	POLICY_COUNT,   /* uint32_t, whole numbers */
	POLICY_SECONDS, /* double */
	POLICY_NUMBER,  /* double without unit */
	POLICY_RATE,    /* double, share */
	POLICY_FLAG,    /* bool */
};

struct policy_key {
	const char *name; /* of the configuration */
	size_t offset;    /* in struct breaker_policy */
	enum policy_type type;
	double min;
	double max;
	bool above_min; /* min itself is refused */
	bool below_max; /* max itself is refused */
	const char *help;
};

#define POLICY_KEY_COUNT 28
extern const struct policy_key policy_keys[POLICY_KEY_COUNT];

struct breaker_policy breaker_policy_defaults(void);

/* The row of a key, or NULL. */
const struct policy_key *policy_key_find(const char *name);

/* A parameter as a number; flags are 0 or 1. */
double policy_key_get(const struct breaker_policy *p, const struct policy_key *key);

/*
 * Sets one parameter. -EINVAL, the policy untouched and the reason in why, if
 * the value is not finite, outside the key's range, not whole where it counts
 * something, or neither 0 nor 1 for a flag.
 */
int policy_key_set(struct breaker_policy *p, const struct policy_key *key, double value, char *why,
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
 * Latency in ns above which (strictly) an answer is slow: slow_seconds, or less
 * when slow_factor is on and a baseline of at least 30 successes is known:
 * min(slow_seconds, max(1 s, slow_factor x exp(log_mean))), log_mean being the
 * mean of the natural logarithm of latencies in seconds.
 */
uint64_t policy_slow_ns(const struct breaker_policy *p, uint64_t successes, double log_mean);

/* Seconds as ns, rounded; SG_FOREVER if they do not fit. */
uint64_t policy_ns(double seconds);

#endif
