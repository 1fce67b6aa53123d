/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/metrics.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/histogram.h"
#include "hist.h"
#include "unit/unit.h"

static void hist_add(struct sg_hist *h, uint64_t ns)
{
	h->sum_ns += ns;
	h->count++;
	h->bucket[sg_hist_index(ns)]++;
}

static int setup(void **state)
{
	static struct buf b;

	b = BUF(1 << 20);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	buf_done(*state);
	return 0;
}

static void test_golden(void **state)
{
	struct buf *b = *state;
	struct metrics m;
	struct metrics_label server[] = { { "server", "search" }, { "class", "5xx" } };

	metrics_init(&m, b);
	metrics_family(&m, "switchgear_connects_total", METRICS_COUNTER, "Connects.");
	metrics_u64(&m, server, 1, 18446744073709551615ULL);
	metrics_family(&m, "switchgear_connects_total", METRICS_COUNTER, "Connects.");
	metrics_u64(&m, server, 2, 0);
	metrics_family(&m, "switchgear_share", METRICS_GAUGE, "Back\\slash, \"quotes\"\nand line.");
	metrics_double(&m, NULL, 0, 0.1);
	metrics_double(&m, NULL, 0, (double)NAN);
	metrics_double(&m, NULL, 0, -(double)INFINITY);
	assert_int_equal(buf_error(b), 0);
	assert_string_equal(buf_str(b),
			    "# HELP switchgear_connects_total Connects.\n"
			    "# TYPE switchgear_connects_total counter\n"
			    "switchgear_connects_total{server=\"search\"} 18446744073709551615\n"
			    "switchgear_connects_total{server=\"search\",class=\"5xx\"} 0\n"
			    "# HELP switchgear_share Back\\\\slash, \"quotes\"\\nand line.\n"
			    "# TYPE switchgear_share gauge\n"
			    "switchgear_share 0.1\n"
			    "switchgear_share NaN\n"
			    "switchgear_share -Inf\n");
}

static void test_labels_are_escaped(void **state)
{
	static const struct {
		const char *raw, *escaped;
	} rows[] = {
		{ "a\"b\\c\nd", "a\\\"b\\\\c\\nd" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xff|\xc3|\xc0\x80|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82",
		  "?|?|\?\?|\?\?\?|\?\?\?\?|\?\?" },
	};
	struct buf *b = *state;
	struct metrics m;
	char want[128];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct metrics_label label = { "l", rows[i].raw };

		buf_clear(b);
		metrics_init(&m, b);
		metrics_family(&m, "x", METRICS_GAUGE, "X.");
		metrics_u64(&m, &label, 1, 1);
		snprintf(want, sizeof(want), "# HELP x X.\n# TYPE x gauge\nx{l=\"%s\"} 1\n",
			 rows[i].escaped);
		assert_string_equal(buf_str(b), want);
		assert_int_equal(buf_error(b), 0);
	}
}

static void test_histogram(void **state)
{
	struct buf *b = *state;
	struct metrics m;
	struct metrics_label server = { "server", "a" };
	struct sg_hist h;
	unsigned int lines = 0;

	memset(&h, 0, sizeof(h));
	hist_add(&h, 65535);
	hist_add(&h, 65536);
	hist_add(&h, SECONDS(0.5));
	hist_add(&h, SECONDS(500));
	metrics_init(&m, b);
	metrics_family(&m, "x_seconds", METRICS_HISTOGRAM, "X.");
	metrics_hist(&m, &server, 1, &h);
	assert_int_equal(buf_error(b), 0);
	assert_non_null(strstr(buf_str(b),
			       "# TYPE x_seconds histogram\n"
			       "x_seconds_bucket{server=\"a\",le=\"6.5536e-05\"} 1\n"
			       "x_seconds_bucket{server=\"a\",le=\"0.000131072\"} 2\n"));
	assert_non_null(strstr(buf_str(b),
			       "le=\"0.268435456\"} 2\n"
			       "x_seconds_bucket{server=\"a\",le=\"0.536870912\"} 3\n"));
	assert_non_null(strstr(buf_str(b), "le=\"68.7194767\"} 3\n"
					   "x_seconds_bucket{server=\"a\",le=\"+Inf\"} 4\n"
					   "x_seconds_sum{server=\"a\"} 500.500131071\n"
					   "x_seconds_count{server=\"a\"} 4\n"));
	for (const char *p = buf_str(b); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2 + HIST_LE_COUNT + 1 + 2);
}

static void test_mistakes_of_the_caller(void **state)
{
	static const char *const bad[] = { "", "1a", "a-b", "a b", "\xc3\xbc" };
	struct buf *b = *state;
	struct metrics_label label = { "le:x", "v" };
	struct metrics m;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		buf_clear(b);
		metrics_init(&m, b);
		metrics_family(&m, bad[i], METRICS_GAUGE, "X.");
		metrics_u64(&m, NULL, 0, 1);
		assert_int_equal(buf_error(b), -EINVAL);
	}
	buf_clear(b);
	metrics_init(&m, b);
	metrics_u64(&m, NULL, 0, 1);
	assert_int_equal(buf_error(b), -EINVAL);
	buf_clear(b);
	metrics_init(&m, b);
	metrics_family(&m, "a:b", METRICS_GAUGE, "X.");
	assert_int_equal(buf_error(b), 0);
	metrics_u64(&m, &label, 1, 1);
	assert_int_equal(buf_error(b), -EINVAL);
}

static void test_a_family_is_printed_once(void **state)
{
	struct buf *b = *state;
	struct metrics m;

	buf_puts(b, "# TYPE a gauge\n"); /* of an earlier output: none of ours */
	metrics_init(&m, b);
	metrics_family(&m, "a", METRICS_GAUGE, "A.");
	metrics_family(&m, "ab", METRICS_GAUGE, "B.");
	assert_int_equal(buf_error(b), 0);
	metrics_family(&m, "a", METRICS_GAUGE, "A.");
	assert_int_equal(buf_error(b), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_labels_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes_of_the_caller, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_family_is_printed_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
