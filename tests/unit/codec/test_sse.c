/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/sse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* --- reading ------------------------------------------------------------------------- */

#define TOLD_MAX 4096
#define MARK "\xef\xbb\xbf"

/* Events as "type|data|id;", then the error and the time to wait, if any. */
static void read_stream(const char *text, size_t len, size_t first, size_t piece, struct buf *out)
{
	CLEANUP(sse_done) struct sse_reader r;
	enum sse_came came = SSE_MORE;
	size_t n = first;

	sse_init(&r, 40);
	for (size_t at = 0; at < len && came != SSE_ERROR; at += n, n = piece) {
		CLEANUP(freep) char *copy = NULL;
		const char *p;
		size_t left;

		if (!n || n > len - at)
			n = len - at;
		left = n;
		copy = malloc(n); /* of its own, so that a sanitizer sees each byte beyond */
		assert_non_null(copy);
		memcpy(copy, text + at, n);
		p = copy;
		while ((came = sse_feed(&r, &p, &left)) == SSE_EVENT) {
			buf_printf(out, "%s|", r.type);
			buf_append(out, buf_str(&r.data), r.data.len);
			buf_printf(out, "|%s;", buf_str(&r.id));
		}
		assert_true(came == SSE_ERROR || !left);
	}
	if (r.has_retry)
		buf_printf(out, "retry %llu;", (unsigned long long)r.retry_ms);
	if (came == SSE_ERROR)
		buf_printf(out, "error %d", r.error == -EMSGSIZE);
}

static const struct {
	const char *text;
	const char *told;
} streams[] = {
	{ "", "" },
	{ "\n\r\r\n", "" },
	{ "data: a\n\n", "|a|;" },
	{ "data:a\r\rdata:  b\r\n\r\n", "|a|;| b|;" },
	{ "data: a\r\n\ndata\n\ndata:\n\n", "|a|;||;||;" },
	{ "data: a\ndata: b\ndata\n\n", "|a\nb\n|;" },
	{ "data: a\r\ndata: b\r\n\r\n", "|a\nb|;" },
	{ "event: x\ndata: a\n\ndata: b\n\n", "x|a|;|b|;" },
	{ "event: x\n\ndata: b\n\n", "|b|;" }, /* an event without data is none, its type is gone */
	{ "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "|a|1;|b|1;|c|;" },
	{ "id: 1\n\ndata: a\n\n", "|a|1;" },
	{ ": data: x\n:\n:data\ndata: a\n\n", "|a|;" },
	{ " data: x\nDATA: x\ndatax: x\ndat: x\ndata x\n\n", "" },
	{ "data: a: b\n\n", "|a: b|;" },
	{ MARK "data: a\n\n" MARK "data: b\n\n", "|a|;" },
	{ MARK "\ndata: a\n\n", "|a|;" },
	{ "data: not all of it\n", "" },
	{ "retry: 10\nretry: x\nretry: -1\nretry:\n", "retry 10;" },
	{ "retry: 99999999999999999999999\n", "retry 18446744073709551615;" },
	{ "event: 0123456789012345678901234567890\ndata: a\n\n",
	  "0123456789012345678901234567890|a|;" },
	{ ":0123456789012345678901234567890123456789\n\n", "error 1" },
	{ "data: 0123456789012345678901234567\ndata: 0123456789012345678901234567\n\n", "error 1" },
};

static void test_reads_in_whatever_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		const char *text = streams[i].text;
		size_t len = strlen(text);

		for (size_t cut = 0; cut <= 2 * len; cut++) {
			CLEANUP(buf_done) struct buf told = BUF(TOLD_MAX);

			/* in two, then in many of one size */
			read_stream(text, len, cut <= len ? cut : cut - len,
				    cut <= len ? 0 : cut - len, &told);
			assert_string_equal(buf_str(&told), streams[i].told);
		}
	}
}

static void test_zero_bytes(void **state)
{
	static const char text[] = "id: 1\nid: a\0b\ndata: c\0d\n\n";
	CLEANUP(buf_done) struct buf told = BUF(TOLD_MAX);

	(void)state;
	read_stream(text, sizeof(text) - 1, 0, 0, &told);
	assert_int_equal(told.len, 7);
	assert_memory_equal(told.data, "|c\0d|1;", 7);
}

static void test_long_words(void **state)
{
	CLEANUP(sse_done) struct sse_reader r;
	char text[SSE_ID_MAX + 64];
	const char *p = text;
	size_t len;

	(void)state;
	snprintf(text, sizeof(text), "event: %0*d\ndata: a\n\n", (int)SSE_WORD_MAX + 1, 0);
	len = strlen(text);
	sse_init(&r, 4096);
	assert_int_equal(sse_feed(&r, &p, &len), SSE_EVENT);
	assert_int_equal(strlen(r.type), SSE_WORD_MAX);
	snprintf(text, sizeof(text), "id: %0*d\n", (int)SSE_ID_MAX + 1, 0);
	p = text;
	len = strlen(text);
	assert_int_equal(sse_feed(&r, &p, &len), SSE_ERROR);
	assert_int_equal(r.error, -EMSGSIZE);
	sse_reset(&r);
	snprintf(text, sizeof(text), "id: %0*d\n", (int)SSE_ID_MAX, 0);
	p = text;
	len = strlen(text);
	assert_int_equal(sse_feed(&r, &p, &len), SSE_MORE);
	assert_int_equal(r.id.len, SSE_ID_MAX);
}

/* What is written is read as the same. */
static void test_reads_what_is_written(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(1000);
	CLEANUP(sse_done) struct sse_reader r;
	const char *p;
	size_t len;

	(void)state;
	sse_retry(&out, 7);
	sse_comment(&out, "x");
	sse_event(&out, 3, "alarm", "a\rb");
	sse_init(&r, 100);
	p = buf_str(&out);
	len = out.len;
	assert_int_equal(sse_feed(&r, &p, &len), SSE_EVENT);
	assert_string_equal(r.type, "alarm");
	assert_string_equal(buf_str(&r.data), "a\nb");
	assert_string_equal(buf_str(&r.id), "3");
	assert_int_equal(r.retry_ms, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_in_whatever_pieces),
		cmocka_unit_test(test_zero_bytes),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_reads_what_is_written),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
