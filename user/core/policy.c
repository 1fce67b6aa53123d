/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The breaker's parameters as data. Ranges refuse nonsense, not taste. */
#include "core/policy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define DAY 86400.0
#define MONTH (31 * DAY)
#define BUCKET_MIN_SECONDS 0.001
#define BASELINE_SUCCESSES 30

#define COUNT(field, lo, hi, text)                                                           \
	{                                                                                    \
#field, offsetof(struct breaker_policy, field), POLICY_COUNT, lo, hi, false, \
			false, text                                                          \
	}
#define SECONDS(field, lo, hi, text)                                                           \
	{                                                                                      \
#field, offsetof(struct breaker_policy, field), POLICY_SECONDS, lo, hi, false, \
			false, text                                                            \
	}
#define SECONDS_ABOVE(field, hi, text)                                                       \
	{                                                                                    \
#field, offsetof(struct breaker_policy, field), POLICY_SECONDS, 0, hi, true, \
			false, text                                                          \
	}
#define NUMBER(field, lo, hi, text)                                                           \
	{                                                                                     \
#field, offsetof(struct breaker_policy, field), POLICY_NUMBER, lo, hi, false, \
			false, text                                                           \
	}
#define RATE(field, text)                                                                       \
	{                                                                                       \
#field, offsetof(struct breaker_policy, field), POLICY_RATE, 0, 1, true, false, \
			text                                                                    \
	}

const struct policy_key policy_keys[POLICY_KEY_COUNT] = {
	COUNT(consecutive_failures, 0, 1e6, "hard failures in a row that trip; 0 = off"),
	COUNT(window_calls, 0, 10000, "count window: the last so many outcomes; 0 = off"),
	SECONDS(window_max_age_seconds, 0, MONTH, "age limit of the count window; 0 = none"),
	SECONDS(window_seconds, 0, DAY, "time window; 0 together with window_buckets 0 = off"),
	COUNT(window_buckets, 0, 600, "equal buckets of the time window"),
	COUNT(min_calls, 1, 10000, "below it a window's rates are undefined"),
	RATE(failure_rate, "share of failures that trips"),
	RATE(slow_rate, "share of slow calls that trips"),
	SECONDS_ABOVE(slow_seconds, MONTH, "a call that takes longer is slow"),
	NUMBER(slow_factor, 0, 1000, "slow also beyond so many times the usual; 0 = off"),
	SECONDS_ABOVE(connect_seconds, DAY, "a connect unanswered for so long has failed"),
	SECONDS_ABOVE(timeout_seconds, DAY, "a request unanswered for so long has failed"),
	SECONDS(abandon_seconds, 0, DAY, "a call given up at this age has failed"),
	SECONDS_ABOVE(open_seconds, MONTH, "open time of the first trip"),
	NUMBER(open_factor, 1, 100, "growth of the open time from trip to trip"),
	SECONDS_ABOVE(open_max_seconds, MONTH, "cap of the open time"),
	{ "jitter", offsetof(struct breaker_policy, jitter), POLICY_RATE, 0, 1, false, true,
	  "share by which open times vary; 0 = exact" },
	SECONDS_ABOVE(open_decay_seconds, MONTH, "closed for so long forgives one trip"),
	COUNT(half_open_probes, 1, SG_PROBES_MAX, "probes that decide about closing"),
	RATE(half_open_failure_rate, "share of failed probes that opens again"),
	SECONDS_ABOVE(probe_lease_seconds, DAY, "a probe unanswered for so long has failed"),
	SECONDS_ABOVE(half_open_max_seconds, DAY, "limit of half-open from its first probe"),
	SECONDS(ramp_seconds, 0, DAY, "time over which a closing breaker admits more; 0 = none"),
	{ "retry_after", offsetof(struct breaker_policy, retry_after), POLICY_FLAG, 0, 1, false,
	  false, "open at least as long as Retry-After asks" },
	RATE(group_max_open, "share of a group that may be open at once"),
	COUNT(blast_min_servers, 0, SG_SERVERS_MAX, "the blast limit acts from so many servers"),
	RATE(blast_share, "share of servers that may newly open within blast_seconds"),
	SECONDS_ABOVE(blast_seconds, DAY, "period of the blast limit"),
};

struct breaker_policy breaker_policy_defaults(void)
{
	return (struct breaker_policy){
		.consecutive_failures = 5,
		.window_calls = 20,
		.window_max_age_seconds = 600,
		.window_seconds = 60,
		.window_buckets = 10,
		.min_calls = 10,
		.failure_rate = 0.5,
		.slow_rate = 0.8,
		.slow_seconds = 10,
		.slow_factor = 4,
		.connect_seconds = 3,
		.timeout_seconds = 60,
		.abandon_seconds = 10,
		.open_seconds = 30,
		.open_factor = 2,
		.open_max_seconds = 900,
		.jitter = 0.25,
		.open_decay_seconds = 60,
		.half_open_probes = 3,
		.half_open_failure_rate = 0.01,
		.probe_lease_seconds = 30,
		.half_open_max_seconds = 90,
		.ramp_seconds = 60,
		.retry_after = true,
		.group_max_open = 1,
		.blast_min_servers = 8,
		.blast_share = 0.25,
		.blast_seconds = 10,
	};
}

const struct policy_key *policy_key_find(const char *name)
{
	for (size_t i = 0; i < POLICY_KEY_COUNT; i++)
		if (!strcmp(policy_keys[i].name, name))
			return &policy_keys[i];
	return NULL;
}

double policy_key_get(const struct breaker_policy *p, const struct policy_key *key)
{
	const char *field = (const char *)p + key->offset;

	switch (key->type) {
	case POLICY_COUNT:
		return *(const uint32_t *)(const void *)field;
	case POLICY_FLAG:
		return *(const bool *)field;
	case POLICY_SECONDS:
	case POLICY_NUMBER:
	case POLICY_RATE:
		break;
	}
	return *(const double *)(const void *)field;
}

static int key_check(const struct policy_key *key, double value, char *why, size_t why_size)
{
	bool whole = key->type == POLICY_COUNT || key->type == POLICY_FLAG;
	bool low = key->above_min ? !(value > key->min) : !(value >= key->min);
	bool high = key->below_max ? !(value < key->max) : !(value <= key->max);

	if (!low && !high && (!whole || value == floor(value)))
		return 0;
	snprintf(why, why_size, "%s is %.10g: it must be %s%s %.10g and %s %.10g", key->name, value,
		 whole ? "a whole number " : "", key->above_min ? "above" : "at least", key->min,
		 key->below_max ? "below" : "at most", key->max);
	return -EINVAL;
}

int policy_key_set(struct breaker_policy *p, const struct policy_key *key, double value, char *why,
		   size_t why_size)
{
	char *field = (char *)p + key->offset;
	int r = key_check(key, value, why, why_size);

	if (r < 0)
		return r;
	if (key->type == POLICY_COUNT)
		*(uint32_t *)(void *)field = (uint32_t)value;
	else if (key->type == POLICY_FLAG)
		*(bool *)field = value != 0;
	else
		*(double *)(void *)field = value;
	return 0;
}

static int check_windows(const struct breaker_policy *p, char *why, size_t why_size)
{
	if (!p->window_seconds != !p->window_buckets) {
		snprintf(
			why, why_size,
			"window_seconds is %.10g and window_buckets is %u: give both, or 0 for both "
			"to turn the time window off",
			p->window_seconds, p->window_buckets);
		return -EINVAL;
	}
	if (p->window_buckets && p->window_seconds / p->window_buckets < BUCKET_MIN_SECONDS) {
		snprintf(why, why_size,
			 "window_seconds %.10g in %u window_buckets: a bucket must last at least "
			 "%.10g s",
			 p->window_seconds, p->window_buckets, BUCKET_MIN_SECONDS);
		return -EINVAL;
	}
	if (p->window_calls && p->window_calls < p->min_calls) {
		snprintf(why, why_size,
			 "window_calls is %u, less than min_calls %u: its rates would never be "
			 "defined; raise it, lower min_calls, or set it to 0 to turn it off",
			 p->window_calls, p->min_calls);
		return -EINVAL;
	}
	return 0;
}

int breaker_policy_check(const struct breaker_policy *p, char *why, size_t why_size)
{
	int r;

	for (size_t i = 0; i < POLICY_KEY_COUNT; i++) {
		r = key_check(&policy_keys[i], policy_key_get(p, &policy_keys[i]), why, why_size);
		if (r < 0)
			return r;
	}
	if (p->open_max_seconds < p->open_seconds) {
		snprintf(why, why_size,
			 "open_max_seconds is %.10g, less than open_seconds %.10g: it must be at "
			 "least as much",
			 p->open_max_seconds, p->open_seconds);
		return -EINVAL;
	}
	return check_windows(p, why, why_size);
}

uint64_t policy_ns(double seconds)
{
	double ns = seconds * (double)NS_PER_SEC + 0.5;

	if (!(ns >= 0))
		return 0;
	return ns < 18e18 ? (uint64_t)ns : SG_FOREVER;
}

/*
 * The kernel compares k x 10^9 >= rate x n in integers. Rounded down a rate of
 * 2/3 is still reached by two of three; the slack keeps 0.29 at 290000000.
 */
static uint32_t rate_to_kernel(double rate)
{
	uint32_t parts = (uint32_t)(rate * SG_RATE_ONE + 0.001);

	return parts ? parts : 1;
}

void policy_to_kernel(const struct breaker_policy *p, uint32_t deny_errno, struct sg_policy *ret)
{
	*ret = (struct sg_policy){
		.half_open_max_ns = policy_ns(p->half_open_max_seconds),
		.ramp_ns = policy_ns(p->ramp_seconds),
		.probe_lease_ns = policy_ns(p->probe_lease_seconds),
		.slow_ns = policy_ns(p->slow_seconds),
		.connect_ns = policy_ns(p->connect_seconds),
		.timeout_ns = policy_ns(p->timeout_seconds),
		.abandon_ns = policy_ns(p->abandon_seconds),
		.consecutive = p->consecutive_failures,
		.probes = p->half_open_probes,
		.half_open_rate = rate_to_kernel(p->half_open_failure_rate),
		.slow_rate = rate_to_kernel(p->slow_rate),
		.retry_after = p->retry_after,
		.deny_errno = deny_errno,
	};
}

uint64_t policy_slow_ns(const struct breaker_policy *p, uint64_t successes, double log_mean)
{
	double relative;

	if (!(p->slow_factor > 0) || successes < BASELINE_SUCCESSES)
		return policy_ns(p->slow_seconds);
	relative = fmax(1, p->slow_factor * exp(log_mean));
	return policy_ns(fmin(p->slow_seconds, relative));
}
