/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Latencies are judged by their logarithm: ten times as long is the same step anywhere. */
#include "core/baseline.h"

#include <math.h>

#include "base/clock.h"

#define LEARN_SUCCESSES 30
#define DAY_SECONDS 86400.0
#define RISE_PER_DAY 1.05 /* the mean grows by this factor a day at most */

void baseline_init(struct baseline *b, const struct breaker_policy *p)
{
	*b = (struct baseline){ .slow_ns = policy_slow_ns(p, 0, 0, 0) };
}

/* Welford's update; the variance holds the sum of squares until all are in. */
static void learn(struct baseline *b, double x)
{
	double before = x - b->mean;

	b->mean += before / (double)b->successes;
	b->variance += before * (x - b->mean);
	if (b->successes == LEARN_SUCCESSES)
		b->variance /= LEARN_SUCCESSES;
}

/* Half of the way in a day; outliers count as two deviations. */
static void follow(struct baseline *b, double x, double days)
{
	double weight = 1 - exp2(-days);
	double y = fmin(x, b->mean + 2 * sqrt(b->variance));
	double off = y - b->mean;

	b->mean += fmin(weight * off, days * log(RISE_PER_DAY));
	b->variance += weight * (off * off - b->variance);
}

void baseline_add(struct baseline *b, const struct breaker_policy *p, uint64_t now_ns,
		  uint64_t latency_ns)
{
	double x = log(fmax((double)latency_ns / (double)NS_PER_SEC, BASELINE_FLOOR));
	uint64_t now = now_ns > b->last_ns ? now_ns : b->last_ns;
	double days = (double)(now - b->last_ns) / (double)NS_PER_SEC / DAY_SECONDS;

	b->last_ns = now;
	if (++b->successes <= LEARN_SUCCESSES)
		learn(b, x);
	else
		follow(b, x, days);
	b->slow_ns = policy_slow_ns(p, b->successes, b->mean, b->variance);
}

void baseline_set_policy(struct baseline *b, const struct breaker_policy *p)
{
	b->slow_ns = policy_slow_ns(p, b->successes, b->mean, b->variance);
}
