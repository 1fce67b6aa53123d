/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A server that earns trust with good answers and spends it on bad ones. */
#include "lab.h"

#define SLOTS 60000U
#define DWELL 600U
#define DWELL_MAX 86400U

/* What stands before the calls. */
enum gate {
	NAIVE,  /* (good + 1) / (good + bad + 2), nothing is forgotten */
	FAST,   /* P_fast alone */
	TWO,    /* P */
	STRIKES /* the same, and each closing lasts twice as long as the one before */
};

struct attempt {
	enum gate gate;
	double threshold;
	double bad_share;
	unsigned int burst;
};

static double opinion(const struct attempt *a, const struct trust *t, const struct trust_policy *p,
		      uint64_t now, const unsigned int counts[2])
{
	struct trust_explanation e;

	if (a->gate == NAIVE)
		return (counts[1] + 1.0) / (counts[0] + counts[1] + 2.0);
	if (a->gate != FAST)
		return lab_read(t, p, now).performance;
	trust_explain(t, p, now, &e);
	return e.performance_fast;
}

/* Bad calls that were served, for each slot. */
static double served(const struct attempt *a)
{
	const struct trust_policy p = trust_policy_defaults();
	unsigned int period = (unsigned int)(a->burst / a->bad_share + 0.5);
	unsigned int counts[2] = { 0, 0 };
	unsigned int dwell = DWELL;
	unsigned int closed_until = 0;
	unsigned int bad = 0;
	static struct lab_server s;

	lab_server_init(&s, &p, LAB_START);
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		uint64_t now = LAB_START + slot * LAB_SECOND;
		bool good = slot % period < period - a->burst;

		if (slot < closed_until)
			continue;
		/* the first calls are free: nobody has an opinion yet */
		if (slot >= 30 && opinion(a, &s.trust, &p, now, counts) < a->threshold) {
			closed_until = slot + dwell;
			if (a->gate == STRIKES && dwell * 2 <= DWELL_MAX)
				dwell *= 2;
			continue;
		}
		bad += !good;
		counts[good]++;
		lab_call(&s.trust, &p, now, good);
	}
	return (double)bad / SLOTS;
}

void on_off(void)
{
	static const double thresholds[] = { 0.70, 0.80 };
	static const double shares[] = { 0.05, 0.10, 0.20 };
	static const unsigned int bursts[] = { 100, 500, 2000, 10000 };

	printf("## A server that is good until it pays to be bad\n\n"
	       "One call a second, %u seconds. Of each period the given share, at its end, is a "
	       "burst of hard\nfailures. Calls are served while P is at the gate or above; else the "
	       "gate is closed for 10 minutes,\nwith strikes for twice as long each time, up to 24 "
	       "hours. Shown are bad calls served, for each\nsecond: without a gate it is the "
	       "share of failures.\n\n"
	       "| gate | failures | burst | nothing forgotten | fast scale | both | both, strikes |\n"
	       "|---|---|---|---|---|---|---|\n",
	       SLOTS);
	for (size_t t = 0; t < ARRAY_SIZE(thresholds); t++)
		for (size_t s = 0; s < ARRAY_SIZE(shares); s++)
			for (size_t b = 0; b < ARRAY_SIZE(bursts); b++) {
				double theta = thresholds[t];
				double most = (1 - theta) / (1 - theta + 3 * theta);
				double v[4];

				for (int gate = NAIVE; gate <= STRIKES; gate++)
					v[gate] = served(&(struct attempt){ (enum gate)gate, theta,
									    shares[s], bursts[b] });
				printf("| %.2f | %.0f %% | %u | %.4f | %.4f | %.4f | %.4f |\n",
				       theta, shares[s] * 100, bursts[b], v[NAIVE], v[FAST], v[TWO],
				       v[STRIKES]);
				lab_bound(v[TWO] <= most + 1.0 / SLOTS,
					  "on-off: %.4f is below the bound of I10, %.4f", v[TWO],
					  most);
				lab_bound(v[STRIKES] <= v[TWO], "on-off: strikes serve no more");
				if (theta < 0.75 && shares[s] == 0.10 && bursts[b] == 500)
					lab_bound(v[NAIVE] > 0.09 && v[STRIKES] < 0.001,
						  "on-off: %.4f against %.4f", v[NAIVE],
						  v[STRIKES]);
			}
	printf("\nI10 of [trust.md](trust.md) bounds what both scales can serve, whatever the "
	       "schedule: 0.125 at a gate\nof 0.70, 0.077 at 0.80.\n\n");
}
