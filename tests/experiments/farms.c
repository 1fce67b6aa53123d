/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sybil farms behind captured keys, in the manner of Levien's proof for Advogato. */
#include "lab.h"

#include <math.h>

#define GOOD 1000U
#define ANCHORS 3U
#define CAP (1U << 19)

static struct trust_id key(uint32_t n)
{
	return lab_id(LAB_KEY, n);
}

/* What all of a farm weigh together, behind so many captured keys; and what was there to lose. */
static double farmed(uint32_t captured, uint32_t farm, double *ret_own)
{
	const struct trust_policy p = trust_policy_defaults();
	struct reputation *r = lab_web(CAP, CAP, 4);
	uint64_t now = LAB_START;
	double weight = 0;

	lab_seed(7);
	for (uint32_t i = 0; i < ANCHORS; i++) {
		struct trust_id id = key(i);

		lab_must(!reputation_anchor(r, &id, true), "no room for an anchor");
	}
	for (uint32_t i = 0; i < GOOD; i++)
		for (uint32_t n = i < ANCHORS ? 40 : 8; n > 0; n--) {
			uint32_t to = (uint32_t)(lab_random() % GOOD);

			if (to != i)
				lab_say(r, REPUTATION_VOUCH, key(i), key(to), 1, now);
		}
	reputation_weigh(r, &p, now);
	*ret_own = 0;
	for (uint32_t i = 0; i < captured; i++)
		*ret_own += lab_weight(r, key(ANCHORS + i));
	for (uint32_t i = 0; i < farm; i++)
		lab_say(r, REPUTATION_VOUCH, key(ANCHORS + i % captured), key(GOOD + i), 1, now);
	reputation_weigh(r, &p, now);
	for (uint32_t i = 0; i < farm; i++)
		weight += lab_weight(r, key(GOOD + i));
	lab_web_free(r);
	return weight;
}

void farms(void)
{
	static const uint32_t captured[] = { 1, 10, 100 };
	static const uint32_t sizes[] = { 100, 1000, 10000, 100000 };

	printf("## Sybil farms\n\n"
	       "%u honest keys vouch for eight of each other at random, %u of them are anchors and "
	       "vouch for 40.\nSome are captured and vouch for a farm of new keys. Levien's bound "
	       "for Advogato: what is captured\nis limited by those who are, not by the size of the "
	       "farm: here to half of\ntheir weight. The more of what they vouch for is in the farm, the more of it the farm gets.\n\n"
	       "| captured keys | their weight | farm of 100 | 1,000 | 10,000 | 100,000 |\n"
	       "|---|---|---|---|---|---|\n",
	       GOOD, ANCHORS);
	for (size_t c = 0; c < ARRAY_SIZE(captured); c++) {
		double own = 0;

		printf("| %u ", captured[c]);
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			double w = farmed(captured[c], sizes[s], &own);

			if (!s)
				printf("| %.4f ", own);
			printf("| %.4f ", w);
			lab_bound(w <= own / 2 + 1e-9, "farms: %.4f is at most half of %.4f", w,
				  own);
		}
		printf("|\n");
	}
	printf("\n");
}
