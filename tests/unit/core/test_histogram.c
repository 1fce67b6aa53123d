/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/histogram.h"

#include <math.h>
#include <string.h>

#include "hist.h"
#include "unit/unit.h"

static void hist_add(struct sg_hist *h, uint64_t ns)
{
	h->sum_ns += ns;
	h->count++;
	h->bucket[sg_hist_index(ns)]++;
}

/* The bounds as abi.h words them, and the index on both sides of each. */
static void test_index_and_bounds_agree(void **state)
{
	(void)state;
	assert_int_equal(SG_HIST_BUCKETS, 82);
	assert_int_equal(sg_hist_bound(0), 65536);
	assert_int_equal(sg_hist_bound(1), 5 << 14);
	assert_int_equal(sg_hist_bound(4), 8 << 14);
	assert_true(sg_hist_bound(SG_HIST_LAST - 1) == 1ULL << 36);
	assert_true(sg_hist_bound(SG_HIST_LAST) == SG_FOREVER);
	for (uint32_t i = 0; i < SG_HIST_LAST; i++) {
		uint64_t end = sg_hist_bound(i);

		if (i > 0)
			assert_true(end == (5ULL + (i - 1) % 4) << (14 + (i - 1) / 4));
		assert_true(end > (i ? sg_hist_bound(i - 1) : 0));
		for (uint64_t d = 1; d <= 2000; d++)
			assert_int_equal(sg_hist_index(end - d), i);
		for (uint64_t d = 0; d < 2000; d++)
			assert_int_equal(sg_hist_index(end + d), i + 1);
		for (int bit = 11; bit < 62 && end + (1ULL << bit) < sg_hist_bound(i + 1); bit++)
			assert_int_equal(sg_hist_index(end + (1ULL << bit)), i + 1);
	}
	assert_int_equal(sg_hist_index(0), 0);
	assert_int_equal(sg_hist_index(~0ULL), SG_HIST_LAST);
}

static void test_exported_bounds_end_buckets(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < HIST_LE_COUNT; i++)
		assert_true(sg_hist_bound(hist_le_index(i)) == 1ULL << (SG_HIST_MIN_LOG2 + i));
}

static void test_cumulative(void **state)
{
	struct sg_hist sum;

	(void)state;
	memset(&sum, 0, sizeof(sum));
	hist_add(&sum, 1000);
	hist_add(&sum, 70000);
	hist_add(&sum, 70001);
	hist_add(&sum, SECONDS(100));
	assert_int_equal(hist_total(&sum), 4);
	assert_int_equal(hist_cumulative(&sum, 0), 1);
	assert_int_equal(hist_cumulative(&sum, 1), 3);
	assert_int_equal(hist_cumulative(&sum, SG_HIST_LAST - 1), 3);
	assert_int_equal(hist_cumulative(&sum, SG_HIST_LAST), 4);
	assert_int_equal(hist_cumulative(&sum, ~0U), 4);
}

static void test_quantiles(void **state)
{
	struct sg_hist h;
	double low = (double)sg_hist_bound(10), high = (double)sg_hist_bound(11);

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_true(isnan(hist_quantile_ns(&h, 0.5)));
	h.bucket[11] = 100;
	assert_float_equal(hist_quantile_ns(&h, 0), low, 1);
	assert_false(isnan(hist_quantile_ns(&h, 0)));
	assert_float_equal(hist_quantile_ns(&h, 0.5), (low + high) / 2, 1);
	assert_float_equal(hist_quantile_ns(&h, 0.99), low + 0.99 * (high - low), 1);
	assert_float_equal(hist_quantile_ns(&h, 1), high, 1);
	h.bucket[0] = 100;
	assert_float_equal(hist_quantile_ns(&h, 0.25), 32768, 1);
	assert_float_equal(hist_quantile_ns(&h, 0.75), (low + high) / 2, 1);
	h.bucket[SG_HIST_LAST] = 200;
	assert_float_equal(hist_quantile_ns(&h, 0.9), (double)(1ULL << 36), 1);
}

/* The answer is never further off than the width of a bucket: a quarter. */
static void test_quantile_error_is_bounded(void **state)
{
	struct sg_hist h;

	(void)state;
	for (uint64_t ns = 100000; ns < SECONDS(60); ns += ns / 7) {
		double q;

		memset(&h, 0, sizeof(h));
		hist_add(&h, ns);
		q = hist_quantile_ns(&h, 0.5);
		assert_true(fabs(q - (double)ns) <= 0.25 * (double)ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_and_bounds_agree),
		cmocka_unit_test(test_exported_bounds_end_buckets),
		cmocka_unit_test(test_cumulative),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_quantile_error_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
