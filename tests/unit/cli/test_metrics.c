/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cli/metrics.h"

static int convert(const char *text, struct buf *out)
{
	CLEANUP(freep) char *copy = strdup(text);

	assert_non_null(copy);
	return metrics_to_json(copy, out);
}

static void converts_samples(void **state)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 10000);
	assert_int_equal(convert("# HELP a b\n# TYPE a counter\na_total 3\n\n"
				 "b{x=\"1\",y=\"a\\\\b\\\"c\\nd\"} 0.5\n"
				 "c_bucket{le=\"+Inf\"} +Inf\nd{} NaN\n",
				 &out),
			 0);
	assert_string_equal(buf_str(&out),
			    "[{\"name\":\"a_total\",\"labels\":{},\"value\":3},"
			    "{\"name\":\"b\",\"labels\":{\"x\":\"1\",\"y\":\"a\\\\b\\\"c\\nd\"},"
			    "\"value\":0.5},"
			    "{\"name\":\"c_bucket\",\"labels\":{\"le\":\"+Inf\"},\"value\":null},"
			    "{\"name\":\"d\",\"labels\":{},\"value\":null}]");
}

static void refuses_what_it_does_not_understand(void **state)
{
	static const char *const bad[] = {
		"1a 3\n",    "a{x} 1\n", "a{x=1} 1\n",    "a{x=\"1} 1\n", "a{x=\"1\" 1\n",
		"a{x=\"1\\", "a\n",      "a{x=\"1\"}1\n", "a{",           "a{=\"\"} 1\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };

		buf_init(&out, 1000);
		assert_int_equal(convert(bad[i], &out), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converts_samples),
		cmocka_unit_test(refuses_what_it_does_not_understand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
