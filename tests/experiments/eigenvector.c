/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* EigenTrust (Kamvar, Schlosser, Garcia-Molina 2003), to know that ours is compared with the real
 * thing: a vector that another implementation publishes. */
#include "lab.h"

#include <math.h>

#define N 3

void eigenvector(void)
{
	static const char *const names[N] = { "ek", "sd", "vm" };
	static const double published[N] = { 0.217054, 0.302326, 0.480620 };
	/* rows: who trusts; ek trusts sd (100), vm trusts sd (100) and ek (75) of 175 and so on */
	static const double trusts[N][N] = { { 0, 100, 75 }, { 0, 0, 0 }, { 0, 100, 0 } };
	static const double pre[N] = { 50.0 / 150, 0, 100.0 / 150 };
	const double a = 0.5;
	double t[N] = { 1.0 / N, 1.0 / N, 1.0 / N };

	for (int round = 0; round < 200; round++) {
		double next[N] = { 0 };

		for (int i = 0; i < N; i++) {
			double sum = trusts[i][0] + trusts[i][1] + trusts[i][2];

			/* who trusts nobody trusts those who were trusted before */
			for (int k = 0; k < N; k++)
				next[k] += t[i] * (sum > 0 ? trusts[i][k] / sum : pre[k]);
		}
		for (int k = 0; k < N; k++)
			t[k] = (1 - a) * next[k] + a * pre[k];
	}
	printf("## EigenTrust's own vector\n\n"
	       "ek gives sd 100 and vm 75, vm gives sd 100; ek is trusted before by 50, vm by 100; "
	       "half of all\ntrust returns to these. As go-eigentrust has it, and as computed "
	       "here.\n\n| | published | here |\n|---|---|---|\n");
	for (int k = 0; k < N; k++) {
		printf("| %s | %.6f | %.6f |\n", names[k], published[k], t[k]);
		lab_bound(fabs(t[k] - published[k]) < 1e-5, "EigenTrust's vector: %s is %.6f",
			  names[k], t[k]);
	}
	printf("\n");
}
