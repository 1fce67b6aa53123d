/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/sse.h"

#include <errno.h>

#include "unit/unit.h"

static void test_events(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(1000);

	(void)state;
	sse_event(&out, 7, "transition", "{\"a\":1}");
	assert_string_equal(buf_str(&out), "id: 7\nevent: transition\ndata: {\"a\":1}\n\n");
	buf_clear(&out);
	sse_event(&out, 0, "alarm", "");
	assert_string_equal(buf_str(&out), "event: alarm\ndata: \n\n");
	buf_clear(&out);
	/* whatever breaks lines cannot end an event, nor begin another field */
	sse_event(&out, 1, "x", "a\nid: 9\r\nb\r\rc\n");
	assert_string_equal(buf_str(&out), "id: 1\nevent: x\ndata: a\ndata: id: 9\ndata: b\n"
					   "data: \ndata: c\ndata: \n\n");
}

static void test_others(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(1000);

	(void)state;
	sse_comment(&out, "keep-alive");
	sse_position(&out, 18446744073709551615ULL);
	sse_retry(&out, 1000);
	assert_string_equal(buf_str(&out),
			    ": keep-alive\n\nid: 18446744073709551615\n\nretry: 1000\n\n");
	buf_clear(&out);
	sse_gap(&out, 3, 9, "gone");
	sse_gap(&out, 3, 0, "gone");
	assert_string_equal(
		buf_str(&out),
		"event: gap\ndata: {\"after\":3,\"next\":9,\"detail\":\"gone\"}\n\n"
		"event: gap\ndata: {\"after\":3,\"next\":null,\"detail\":\"gone\"}\n\n");
}

static void test_what_does_not_fit(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(20);

	(void)state;
	sse_event(&out, 7, "transition", "0123456789");
	assert_int_equal(buf_error(&out), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
