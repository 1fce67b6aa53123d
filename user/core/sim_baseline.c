/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Latencies are judged by their logarithm: ten times as long is the same step anywhere. */
#include <math.h>

#include "base/clock.h"
#include "core/sim_private.h"

#define LEARN_SUCCESSES 30
#define DAY_SECONDS 86400.0
#define RISE_PER_DAY 1.05 /* the mean grows by this factor a day at most */

void sim_baseline_init(struct sim_baseline *b, const struct breaker_policy *p)
{
	*b = (struct sim_baseline){ .slow_ns = policy_slow_ns(p, 0, 0) };
}

/* Welford's update; the variance holds the sum of squares until all are in. */
static void learn(struct sim_baseline *b, double x)
{
	double before = x - b->mean;

	b->mean += before / (double)b->successes;
	b->variance += before * (x - b->mean);
	if (b->successes == LEARN_SUCCESSES)
		b->variance /= LEARN_SUCCESSES;
}

/* Half of the way in a day; outliers count as two deviations. */
static void follow(struct sim_baseline *b, double x, double days)
{
	double weight = 1 - exp2(-days);
	double y = fmin(x, b->mean + 2 * sqrt(b->variance));
	double off = y - b->mean;

	b->mean += fmin(weight * off, days * log(RISE_PER_DAY));
	b->variance += weight * (off * off - b->variance);
}

void sim_baseline_add(struct sim_baseline *b, const struct breaker_policy *p, uint64_t now_ns,
		      uint64_t latency_ns)
{
	double x = log(fmax((double)latency_ns / (double)NS_PER_SEC, SIM_BASELINE_FLOOR));
	double days = (double)(now_ns - b->last_ns) / (double)NS_PER_SEC / DAY_SECONDS;

	b->last_ns = now_ns;
	if (++b->successes <= LEARN_SUCCESSES)
		learn(b, x);
	else
		follow(b, x, days);
	b->slow_ns = policy_slow_ns(p, b->successes, b->mean);
}
