/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The breaker's parameters as data. Ranges refuse nonsense, not taste. */
#include "core/policy.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

#define DAY 86400.0
#define MONTH (31 * DAY)
#define BUCKET_MIN_SECONDS 0.001
#define BASELINE_SUCCESSES 30

static void key_put(void *policy, const struct policy_key *key, double value)
{
	char *field = (char *)policy + key->offset;

	if (key->type == POLICY_COUNT)
		*(uint32_t *)(void *)field = (uint32_t)value;
	else if (key->type == POLICY_FLAG)
		*(bool *)field = value != 0;
	else
		*(double *)(void *)field = value;
}

#define ROW(kind, key, fallback, least, most, help) \
	{ #key, offsetof(struct breaker_policy, key), POLICY_##kind, fallback, least, most, help },

const struct policy_key policy_keys[POLICY_KEY_COUNT] = { POLICY_KEYS(ROW) };

struct breaker_policy breaker_policy_defaults(void)
{
	struct breaker_policy policy = { 0 };

	policy_keys_default(&policy, policy_keys, POLICY_KEY_COUNT);
	return policy;
}

void policy_keys_default(void *policy, const struct policy_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		key_put(policy, &keys[i], keys[i].fallback);
}

const struct policy_key *policy_key_find(const char *name)
{
	for (size_t i = 0; i < POLICY_KEY_COUNT; i++)
		if (!strcmp(policy_keys[i].name, name))
			return &policy_keys[i];
	return NULL;
}

double policy_key_get(const void *policy, const struct policy_key *key)
{
	const char *field = (const char *)policy + key->offset;

	switch (key->type) {
	case POLICY_COUNT:
		return *(const uint32_t *)(const void *)field;
	case POLICY_FLAG:
		return *(const bool *)field;
	default:
		return *(const double *)(const void *)field;
	}
}

static int key_check(const struct policy_key *key, double value, char *why, size_t why_size)
{
	bool whole = key->type == POLICY_COUNT || key->type == POLICY_FLAG;
	bool above = key->type == POLICY_PERIOD || key->type == POLICY_RATE;
	bool below = key->type == POLICY_SPREAD;
	bool low = above ? !(value > key->min) : !(value >= key->min);
	bool high = below ? !(value < key->max) : !(value <= key->max);

	if (!low && !high && (!whole || value == floor(value)))
		return 0;
	return explain(-EINVAL, why, why_size, "%s is %.10g: it must be %s%s %.10g and %s %.10g",
		       key->name, value, whole ? "a whole number " : "",
		       above ? "above" : "at least", key->min, below ? "below" : "at most",
		       key->max);
}

int policy_key_set(void *policy, const struct policy_key *key, double value, char *why,
		   size_t why_size)
{
	int r = key_check(key, value, why, why_size);

	if (!r)
		key_put(policy, key, value);
	return r;
}

int policy_keys_check(const void *policy, const struct policy_key *keys, size_t n, char *why,
		      size_t why_size)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = key_check(&keys[i], policy_key_get(policy, &keys[i]), why, why_size);
	return r;
}

static int check_windows(const struct breaker_policy *p, char *why, size_t why_size)
{
	if (!p->window_seconds != !p->window_buckets)
		return explain(
			-EINVAL, why, why_size,
			"window_seconds is %.10g and window_buckets is %u: give both, or 0 for both "
			"to turn the time window off",
			p->window_seconds, p->window_buckets);
	if (p->window_buckets && p->window_seconds / p->window_buckets < BUCKET_MIN_SECONDS)
		return explain(
			-EINVAL, why, why_size,
			"window_seconds %.10g in %u window_buckets: a bucket must last at least "
			"%.10g s",
			p->window_seconds, p->window_buckets, BUCKET_MIN_SECONDS);
	if (p->window_calls && p->window_calls < p->min_calls)
		return explain(
			-EINVAL, why, why_size,
			"window_calls is %u, less than min_calls %u: its rates would never be "
			"defined; raise it, lower min_calls, or set it to 0 to turn it off",
			p->window_calls, p->min_calls);
	return 0;
}

int breaker_policy_check(const struct breaker_policy *p, char *why, size_t why_size)
{
	int r = policy_keys_check(p, policy_keys, POLICY_KEY_COUNT, why, why_size);

	if (r < 0)
		return r;
	if (p->open_max_seconds < p->open_seconds)
		return explain(
			-EINVAL, why, why_size,
			"open_max_seconds is %.10g, less than open_seconds %.10g: it must be at "
			"least as much",
			p->open_max_seconds, p->open_seconds);
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

uint64_t policy_slow_ns(const struct breaker_policy *p, uint64_t successes, double log_mean,
			double log_variance)
{
	double usual = exp(log_mean);
	double spread = exp(3 * sqrt(log_variance));

	if (!(p->slow_factor > 0))
		return policy_ns(p->slow_seconds);
	if (!successes)
		return SG_FOREVER;
	if (successes < BASELINE_SUCCESSES)
		return policy_ns(fmax(p->slow_seconds, p->slow_factor * usual));
	return policy_ns(fmax(fmin(1, p->slow_seconds), usual * fmax(p->slow_factor, spread)));
}
