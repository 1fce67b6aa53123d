/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "codec/mark.h"

static void test_round_trip(void **state)
{
	const struct mark mark = { .by = "uid 1000", .wall_ns = 1790000000000000000ULL };
	CLEANUP(buf_done) struct buf text = BUF(MARK_SIZE_MAX);
	char who[MARK_TEXT_MAX];

	(void)state;
	assert_int_equal(mark_encode(&mark, &text), 0);
	assert_string_equal(mark_describe(text.data, text.len, who),
			    "by uid 1000 at 2026-09-21T14:13:20.000Z");
}

static void test_damaged(void **state)
{
	static const char *const texts[] = { "",
					     "{",
					     "[]",
					     "{}",
					     "{\"by\":\"root\"}",
					     "{\"by\":7,\"at\":\"2026-01-01T00:00:00Z\"}",
					     "{\"by\":\"\",\"at\":\"2026-01-01T00:00:00Z\"}",
					     "{\"by\":\"root\",\"at\":\"soon\"}" };
	char who[MARK_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_non_null(strstr(mark_describe(texts[i], strlen(texts[i]), who), "damaged"));
	assert_non_null(strstr(mark_describe(NULL, 0, who), "damaged"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
