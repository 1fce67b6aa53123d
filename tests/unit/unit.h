/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every unit test needs: cmocka with the headers that it wants before it. */
#ifndef SWITCHGEAR_TESTS_UNIT_H
#define SWITCHGEAR_TESTS_UNIT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECONDS(n) ((uint64_t)((n)*1000000000.0))

/* Two numbers that must be the same; cmocka's own comparison lets NAN pass. */
#define assert_double(a, b)                                         \
	do {                                                        \
		double a_ = (a), b_ = (b);                          \
		if (!(fabs(a_ - b_) <= 1e-12))                      \
			fail_msg("%s: %.17g != %.17g", #a, a_, b_); \
	} while (0)

#endif
