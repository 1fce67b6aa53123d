/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Streams of events on their way: ids get a mark, and nothing else changes. */
#include "unit/unit.h"

#include <string.h>

#include "relay/events.h"

#define TARGET 0xabcU
#define M "sg00000abc-"

static const struct {
	const char *in, *out;
} rows[] = {
	{ "", "" },
	{ "id: 5\ndata: x\n\n", "id: " M "5\ndata: x\n\n" },
	{ "id:5\n\n", "id:" M "5\n\n" },
	{ "id:  5\n\n", "id: " M " 5\n\n" },
	{ "id: 5\r\ndata: id: 6\r\n\r\nid: 7\r\n\r\n",
	  "id: " M "5\r\ndata: id: 6\r\n\r\nid: " M "7\r\n\r\n" },
	{ "id: 5\rid: 6\r\r", "id: " M "5\rid: " M "6\r\r" },
	{ "id\nid:\nid: \ni\n\n", "id\nid:\nid: \ni\n\n" },
	{ "ids: 1\nidx\n id: 1\nID: 1\n", "ids: 1\nidx\n id: 1\nID: 1\n" },
	{ ": id: 5\nevent: message\nretry: 10\n\n", ": id: 5\nevent: message\nretry: 10\n\n" },
	{ "\xef\xbb\xbfid: 5\nid: 6\n", "\xef\xbb\xbfid: " M "5\nid: " M "6\n" },
	{ "\xef\xbb\xbf"
	  "data\n\xef\xbb\xbfid: 5\n",
	  "\xef\xbb\xbf"
	  "data\n\xef\xbb\xbfid: 5\n" },
	{ "id: \xef\xbb\xbf\n", "id: " M "\xef\xbb\xbf\n" },
};

static void every_cut_gives_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].in);

		for (size_t piece = 1; piece <= len + 1; piece++) {
			CLEANUP(buf_done) struct buf out = BUF(1000);
			struct events e;

			events_init(&e, TARGET);
			for (size_t at = 0; at < len; at += piece)
				events_feed(&e, rows[i].in + at,
					    len - at < piece ? len - at : piece, &out);
			assert_string_equal(buf_str(&out), rows[i].out);
		}
	}
}

static void without_a_target_nothing_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_done) struct buf out = BUF(1000);
		struct events e;

		events_init(&e, 0);
		events_feed(&e, rows[i].in, strlen(rows[i].in), &out);
		assert_string_equal(buf_str(&out), rows[i].in);
	}
}

static void others_may_follow(void **state)
{
	static const struct {
		const char *in, *end;
	} ends[] = {
		{ "", "" },
		{ "data: x\n\n", "" },
		{ "data: x\n", "\n" },
		{ "data: x", "\n\n" },
		{ "data: x\r\n\r\n", "" },
		{ "data: x\r", "\n" },
		{ "id", "id\n\n" },
		{ "id: ", "id: \n\n" },
		{ "id: 5", "\n\n" },
		{ "\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		CLEANUP(buf_done) struct buf out = BUF(1000);
		struct events e;

		events_init(&e, TARGET);
		events_feed(&e, ends[i].in, strlen(ends[i].in), &out);
		buf_clear(&out);
		events_end(&e, &out);
		assert_string_equal(buf_str(&out), ends[i].end);
	}
}

static void ids_tell_whose_they_are(void **state)
{
	static const struct {
		const char *id;
		bool marked;
		const char *own; /* of TARGET */
	} ids[] = {
		{ M "5", true, "5" },
		{ M, true, "" },
		{ "sg00000abd-5", true, "" },
		{ "5", false, "" },
		{ "", false, "" },
		{ "sg00000abc_5", false, "" },
		{ "sg00000aBc-5", false, "" },
		{ "xx00000abc-5", false, "" },
		{ "sg00000ab-5x", false, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct http1_span own;

		assert_int_equal(events_id(HTTP1_SPAN(ids[i].id), TARGET, &own), ids[i].marked);
		assert_int_equal(own.len, strlen(ids[i].own));
		assert_memory_equal(own.len ? own.p : "", ids[i].own, own.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_gives_the_same),
		cmocka_unit_test(without_a_target_nothing_changes),
		cmocka_unit_test(others_may_follow),
		cmocka_unit_test(ids_tell_whose_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
