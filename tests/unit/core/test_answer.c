/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The automaton of core/answer.c as headers/http1.h runs it. It has no memory
 * but struct sg_http, so torn input is the same input: what is tested is that
 * nothing but the bytes matters, at every byte where a segment may end.
 */
#include "core/answer.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit/core/scan.h"
#include "unit/unit.h"

static struct sg_http_table table;

static int setup(void **state)
{
	(void)state;
	return answer_table_build(&table);
}

/* Feeds bytes until the header is over; returns how many were taken. */
static size_t feed(struct sg_http *h, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sg_http_byte(h, &table, (__u8)text[i]);
		if (h->bits & (SG_HTTP_END | SG_HTTP_BAD))
			return i + 1;
	}
	return len;
}

static struct sg_http scan(const char *text)
{
	struct sg_http h;

	sg_http_reset(&h);
	feed(&h, text, strlen(text));
	return h;
}

/* --- the table itself --------------------------------------------------------- */

static void test_every_state_and_class_is_safe(void **state)
{
	(void)state;
	for (size_t byte = 0; byte < 256; byte++)
		assert_true(table.class[byte] < SG_HTTP_CLASSES);
	for (size_t s = 0; s < SG_HTTP_STATES; s++) {
		assert_true(table.slot[s] < SG_SLOT_COUNT);
		for (size_t c = 0; c < SG_HTTP_CLASSES; c++)
			assert_true(table.next[s][c] < SG_HTTP_STATES);
	}
	for (size_t c = 0; c < SG_HTTP_CLASSES; c++) {
		assert_int_equal(table.next[SG_HTTP_STATE_BAD][c], SG_HTTP_STATE_BAD);
		assert_int_equal(table.next[SG_HTTP_STATE_END][c], SG_HTTP_STATE_END);
	}
	assert_int_equal(table.effect[SG_HTTP_STATE_BAD], SG_HTTP_BAD);
	assert_int_equal(table.effect[SG_HTTP_STATE_END], SG_HTTP_END);
}

/* Letters are the same in both cases, and nothing else is in a letter's class. */
static void test_classes(void **state)
{
	(void)state;
	for (int c = 'a'; c <= 'z'; c++)
		assert_int_equal(table.class[c], table.class[c - 'a' + 'A']);
	for (int c = 0; c < 256; c++) {
		if (strchr("\r\n\t /.:;,-0123456789", c) && c)
			assert_int_not_equal(table.class[c], 0);
		else if (c < 'A' || (c > 'Z' && c < 'a') || c > 'z')
			assert_int_equal(table.class[c], 0);
	}
}

/* Any bytes at all: the scanner stays inside its table and its answer is one. */
static void test_noise(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (size_t round = 0; round < 20000; round++) {
		char text[64] = "HTTP/1.1 200 OK\r\n";
		size_t start = round % 2 ? strlen(text) : 0;
		struct sg_http h;

		for (size_t i = start; i < sizeof(text); i++) {
			random = random * 1664525 + 1013904223;
			text[i] = (char)(random >> 24);
		}
		sg_http_reset(&h);
		feed(&h, text, sizeof(text));
		assert_true(h.state < SG_HTTP_STATES);
		if (start)
			assert_int_equal(sg_http_status(&h), 200);
	}
}

/* --- heads ---------------------------------------------------------------------- */

#define LENGTH (SG_HTTP_LENGTH)
#define TYPE (SG_HTTP_TYPE)
#define MCP (SG_HTTP_TYPE | SG_HTTP_TYPE_MCP)
#define TEXT (SG_HTTP_TYPE | SG_HTTP_TEXT)
#define AGAIN (SG_HTTP_LENGTH | SG_HTTP_REPEATED)
#define ANY 0xffffffffU

static const struct head {
	const char *text;
	unsigned int bits; /* besides SG_HTTP_END */
	unsigned int status;
	unsigned int length;
	uint64_t retry;
} heads[] = {
	{ "HTTP/1.1 200 OK\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.0 200 OK\n\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 \r\n\r\n", 0, 200, 0, 0 },
	{ "http/1.9 599 No: such\tphrase HTTP/1.1 200\r\n\r\n", 0, 599, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LENGTH, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length:17\r\n\r\n", LENGTH, 200, 17, 0 },
	{ "HTTP/1.1 200 OK\r\ncontent-length: \t 4294967295 \r\n\r\n", LENGTH, 200, ANY, 0 },
	{ "HTTP/1.1 200 OK\ncontent-length: 5\n\n", LENGTH, 200, 5, 0 },
	{ "HTTP/1.1 200 OK\r\nDate: 7\r\nCONTENT-LENGTH: 12\r\nServer: 9\r\n\r\n", LENGTH, 200, 12,
	  0 },
	{ "HTTP/1.1 200 OK\r\nContent-Lengt: 7\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Lengths: 7\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length : 7\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nX-Content-Length: 7\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\n Content-Length: 7\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nX: Content-Length: 7\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", SG_HTTP_CHUNKED, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\ntransfer-encoding:gzip,CHUNKED\r\n\r\n", SG_HTTP_CHUNKED, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunchunked\r\n\r\n", SG_HTTP_CHUNKED, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunke\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunk\r\nX: ed\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nX-Transfer-Encoding: chunked\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	  LENGTH | SG_HTTP_CHUNKED, 200, 3, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", MCP, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type:text/event-stream;charset=utf-8\r\n\r\n",
	  MCP | SG_HTTP_STREAM, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nCONTENT-TYPE: APPLICATION/JSON\r\n\r\n", MCP, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/problem+json\r\n\r\n", MCP, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type:\t application/vnd.api+json;v=1\r\n\r\n", MCP, 200, 0,
	  0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/jsjson\r\n\r\n", MCP, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/x-event-stream\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: jsjson\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/event;of=json\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/plain; note=json\r\n\r\n", TEXT, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/html;charset=x\r\n\r\n", TEXT, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/x-plain\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/xml; as=json\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: x/text/event-stream\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/jso\r\nX: n\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", TEXT, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/event\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type:\r\n\r\n", TYPE, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX: application/json\r\n\r\n", TEXT, 200, 0,
	  0 },
	{ "HTTP/1.1 200 OK\r\nContent-Types: application/json\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 503 x\r\nRetry-After: 30\r\n\r\n", SG_HTTP_RETRY, 503, 0, 30 },
	{ "HTTP/1.1 503 x\r\nretry-after:5 \r\nContent-Length: 2\r\n\r\n", SG_HTTP_RETRY | LENGTH,
	  503, 2, 5 },
	{ "HTTP/1.1 429 x\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n",
	  SG_HTTP_RETRY | SG_HTTP_DATE, 429, 0, 311999235959 },
	{ "HTTP/1.1 429 x\r\nRetry-After: Friday, 31-Dec-99 23:59:59 GMT\r\n\r\n",
	  SG_HTTP_RETRY | SG_HTTP_DATE, 429, 0, 3199235959 },
	{ "HTTP/1.1 429 x\r\nRetry-After: Fri Dec 31 23:59:59 1999\r\n\r\n", SG_HTTP_RETRY, 429, 0,
	  0 },
	{ "HTTP/1.1 429 x\r\nRetry-After: 7 or so, 12\r\n\r\n", SG_HTTP_RETRY, 429, 0, 7 },
	/* the same length, however often it is said */
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", AGAIN, 200, 5, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 17\r\nX: 9\r\ncontent-length:017 \r\n\r\n", AGAIN,
	  200, 17, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5, 5 ,5,\t5\r\n\r\n", AGAIN, 200, 5, 0 },
	{ "HTTP/1.1 200 OK\nContent-Length: 5,5\nContent-Length: 5\n\n", AGAIN, 200, 5, 0 },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Lengths: 6\r\nX: 7, 8\r\n\r\n", LENGTH,
	  200, 5, 0 },
	{ "HTTP/1.1 503 OK\r\nContent-Length: 5\r\nRetry-After: 3\r\nContent-Type: a/json\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n",
	  LENGTH | SG_HTTP_RETRY | MCP | SG_HTTP_CHUNKED, 503, 5, 3 },
	/* which does not matter in front of chunks */
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\nTransfer-Encoding: chunked\r\n\r\n",
	  AGAIN | SG_HTTP_DIFFERS | SG_HTTP_CHUNKED, 200, 6, 0 },
	{ "HTTP/1.1 503 x\r\nRetry-Afte: 30\r\n\r\n", 0, 503, 0, 0 },
	{ "HTTP/1.1 200 OK\r\nA: b\r\n\tfolded: Content-Length: 9\r\n\r\n", 0, 200, 0, 0 },
	{ "HTTP/1.1 200 OK\r\n:\r\n: \r\n\x80\xff: \x01\r\n\r\n", 0, 200, 0, 0 },
};

static void check_head(const struct head *want, const struct sg_http *h)
{
	if (h->bits != (want->bits | SG_HTTP_END) || sg_http_status(h) != want->status ||
	    h->number[SG_SLOT_LENGTH] != want->length || h->number[SG_SLOT_RETRY] != want->retry)
		fail_msg("%s: bits %#x, status %u, length %llu, retry %llu", want->text, h->bits,
			 sg_http_status(h), (unsigned long long)h->number[SG_SLOT_LENGTH],
			 (unsigned long long)h->number[SG_SLOT_RETRY]);
}

static void test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		struct sg_http h = scan(heads[i].text);

		check_head(&heads[i], &h);
	}
}

/* The end is seen at the last byte of the head, never before, and the body is not touched. */
static void test_heads_torn_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		size_t len = strlen(heads[i].text);

		for (size_t at = 0; at <= len; at++) {
			struct sg_http h;

			sg_http_reset(&h);
			assert_int_equal(feed(&h, heads[i].text, at), at);
			if (at < len) {
				assert_int_equal(h.bits & (SG_HTTP_END | SG_HTTP_BAD), 0);
				assert_int_equal(feed(&h, heads[i].text + at, len - at), len - at);
			}
			check_head(&heads[i], &h);
		}
	}
}

static void test_the_body_stays(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 503 x\r\n";
	struct sg_http h;

	(void)state;
	sg_http_reset(&h);
	assert_int_equal(feed(&h, text, strlen(text)), strstr(text, "\r\n\r\n") + 4 - text);
	assert_int_equal(sg_http_status(&h), 200);
	assert_int_equal(h.number[SG_SLOT_LENGTH], 9);
}

/* Malformed from the byte that is given on; nothing mends it. */
static void test_malformed_heads(void **state)
{
	static const struct {
		const char *text;
		size_t bad; /* index of the byte that gives it away */
	} bad[] = {
		{ "\r\nHTTP/1.1 200 OK\r\n\r\n", 0 },
		{ "SSH-2.0-x\r\n", 0 },
		{ "{\"jsonrpc\"", 0 },
		{ "\x16\x03\x03", 0 },
		{ "HTTP 1.1 200 OK\r\n\r\n", 4 },
		{ "HTTP/2 200\r\n\r\n", 5 },
		{ "HTTP/2.0 200 OK\r\n\r\n", 5 },
		{ "HTTP/0.9 200 OK\r\n\r\n", 5 },
		{ "HTTP/1,1 200 OK\r\n\r\n", 6 },
		{ "HTTP/1.x 200 OK\r\n\r\n", 7 },
		{ "HTTP/1.11 200 OK\r\n\r\n", 8 },
		{ "HTTP/1.1  200 OK\r\n\r\n", 9 },
		{ "HTTP/1.1\r\n\r\n", 8 },
		{ "HTTP/1.1 \r\n\r\n", 9 },
		{ "HTTP/1.1 2\r\n\r\n", 10 },
		{ "HTTP/1.1 20 OK\r\n\r\n", 11 },
		{ "HTTP/1.1 2000 OK\r\n\r\n", 12 },
		{ "HTTP/1.1 -20 OK\r\n\r\n", 9 },
		{ "HTTP/1.1 200OK\r\n\r\n", 12 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 33 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 33 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", 34 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: , 1\r\n\r\n", 33 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1,\r\n\r\n", 35 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1,,1\r\n\r\n", 35 },
		/* lengths that differ are known to when the header is over */
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", 40 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1, 2, 1\r\n\r\n", 43 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1, 2, 2\r\n\r\n", 43 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 55\r\n\r\n", 57 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n", 56 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1 1\r\n\r\n", 35 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sg_http h;

		sg_http_reset(&h);
		for (size_t at = 0; bad[i].text[at]; at++) {
			sg_http_byte(&h, &table, (__u8)bad[i].text[at]);
			if (!!(h.bits & SG_HTTP_BAD) != (at >= bad[i].bad))
				fail_msg("%s: byte %zu: bits %#x", bad[i].text, at, h.bits);
		}
	}
}

/* Each byte of a good status line replaced by each other byte: never another status. */
static void test_status_lines_mutated(void **state)
{
	static const char good[] = "HTTP/1.1 503 Busy\r\n\r\n";
	char text[sizeof(good)];

	(void)state;
	for (size_t at = 0; at < 13; at++) {
		for (int byte = 0; byte < 256; byte++) {
			struct sg_http h;

			memcpy(text, good, sizeof(good));
			text[at] = (char)byte;
			sg_http_reset(&h);
			feed(&h, text, strlen(good));
			if (h.bits & SG_HTTP_BAD)
				continue;
			assert_int_equal(h.bits, SG_HTTP_END);
			if (at == 12)
				assert_non_null(memchr(" \t\r\n", byte, 4));
			if (at >= 9 && at < 12)
				assert_true(byte >= '0' && byte <= '9');
			else
				assert_int_equal(sg_http_status(&h), 503);
		}
	}
}

/* --- what a head means -------------------------------------------------------------- */

static struct sg_http of_status(unsigned int status, unsigned int bits)
{
	struct sg_http h;

	sg_http_reset(&h);
	h.number[SG_SLOT_STATUS] = status;
	h.bits = (__u16)(SG_HTTP_END | bits);
	return h;
}

/* Every status there is, by the words of the table of outcomes. */
static void test_every_status(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < 1000; s++) {
		struct sg_http h = of_status(s, 0);
		enum sg_class want = SG_CALLER;
		enum sg_cause cause_wanted = SG_CAUSE_STATUS;
		__u8 cause = 0;

		if (s < 100 || s > 599) {
			want = SG_HARD;
			cause_wanted = SG_CAUSE_BAD_RESPONSE;
		} else if (s >= 500 && s != 501 && s != 505) {
			want = SG_HARD;
		} else if (s == 429) {
			want = SG_SOFT;
			cause_wanted = SG_CAUSE_LIMITED;
		} else if (s == 407) {
			cause_wanted = SG_CAUSE_PROXY;
		} else if (s >= 200 && s < 300 && s != 202 && s != 204 && s != 205) {
			want = SG_SUCCESS;
			cause_wanted = SG_CAUSE_ANSWER;
		}
		assert_int_equal(sg_http_class(&h, SG_METHOD_POST, &cause), want);
		assert_int_equal(cause, cause_wanted);
		assert_int_equal(sg_http_interim(&h), s >= 100 && s < 200 && s != 101);
	}
}

static void test_retry_after_makes_503_soft(void **state)
{
	__u8 cause;

	(void)state;
	for (unsigned int s = 100; s < 600; s++) {
		struct sg_http plain = of_status(s, 0);
		struct sg_http retry = of_status(s, SG_HTTP_RETRY);
		enum sg_class want = sg_http_class(&plain, SG_METHOD_POST, &cause);

		if (s == 503)
			want = SG_SOFT;
		assert_int_equal(sg_http_class(&retry, SG_METHOD_POST, &cause), want);
		assert_int_equal(cause == SG_CAUSE_LIMITED, s == 503 || s == 429);
	}
}

static void test_methods_whose_answers_prove_nothing(void **state)
{
	static const __u8 methods[] = { SG_METHOD_GET, SG_METHOD_DELETE, SG_METHOD_HEAD };
	__u8 cause;

	(void)state;
	for (size_t m = 0; m < ARRAY_SIZE(methods); m++) {
		for (unsigned int s = 100; s < 600; s++) {
			struct sg_http h = of_status(s, 0);
			enum sg_class post = sg_http_class(&h, SG_METHOD_POST, &cause);
			enum sg_class want = post == SG_SUCCESS ? SG_CALLER : post;

			assert_int_equal(sg_http_class(&h, methods[m], &cause), want);
		}
	}
}

static void test_wrong_content_type(void **state)
{
	struct sg_http html = of_status(200, SG_HTTP_TYPE);
	struct sg_http mcp = of_status(200, SG_HTTP_TYPE | SG_HTTP_TYPE_MCP);
	struct sg_http none = of_status(200, 0);
	struct sg_http created = of_status(201, SG_HTTP_TYPE);
	__u8 cause;

	(void)state;
	assert_int_equal(sg_http_class(&html, SG_METHOD_POST, &cause), SG_HARD);
	assert_int_equal(cause, SG_CAUSE_BAD_RESPONSE);
	assert_int_equal(sg_http_class(&html, SG_METHOD_OTHER, &cause), SG_SUCCESS);
	assert_int_equal(sg_http_class(&html, SG_METHOD_GET, &cause), SG_CALLER);
	assert_int_equal(sg_http_class(&mcp, SG_METHOD_POST, &cause), SG_SUCCESS);
	assert_int_equal(sg_http_class(&none, SG_METHOD_POST, &cause), SG_SUCCESS);
	assert_int_equal(sg_http_class(&created, SG_METHOD_POST, &cause), SG_SUCCESS);
}

/* What takes note of a notification says nothing of the server, whatever type it claims. */
static void test_without_a_body(void **state)
{
	static const struct {
		unsigned int bits;
		__u64 length;
		bool empty;
	} cases[] = {
		{ SG_HTTP_LENGTH, 0, true },
		{ SG_HTTP_LENGTH, 1, false },
		{ SG_HTTP_LENGTH | SG_HTTP_CHUNKED, 0, false },
		{ 0, 0, false },
	};
	__u8 cause;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sg_http plain = of_status(200, cases[i].bits | SG_HTTP_TYPE);
		struct sg_http mcp =
			of_status(200, cases[i].bits | SG_HTTP_TYPE | SG_HTTP_TYPE_MCP);

		plain.number[SG_SLOT_LENGTH] = cases[i].length;
		mcp.number[SG_SLOT_LENGTH] = cases[i].length;
		sg_http_body_begin(&plain);
		sg_http_body_begin(&mcp);
		plain.number[SG_SLOT_LENGTH] = 0; /* all of it has come since */
		mcp.number[SG_SLOT_LENGTH] = 0;
		assert_int_equal(sg_http_class(&plain, SG_METHOD_POST, &cause),
				 cases[i].empty ? SG_CALLER : SG_HARD);
		assert_int_equal(sg_http_class(&mcp, SG_METHOD_POST, &cause),
				 cases[i].empty ? SG_CALLER : SG_SUCCESS);
	}
}

static void test_bad_bits_are_hard_whatever_the_status(void **state)
{
	struct sg_http h = of_status(200, SG_HTTP_BAD);
	__u8 cause;

	(void)state;
	assert_int_equal(sg_http_class(&h, SG_METHOD_GET, &cause), SG_HARD);
	assert_int_equal(cause, SG_CAUSE_BAD_RESPONSE);
}

static void test_framing(void **state)
{
	struct sg_http h = of_status(200, 0);

	(void)state;
	assert_int_equal(sg_http_framing(&h), SG_FRAMING_CLOSE);
	h.bits |= SG_HTTP_LENGTH;
	assert_int_equal(sg_http_framing(&h), SG_FRAMING_LENGTH);
	h.bits |= SG_HTTP_CHUNKED;
	assert_int_equal(sg_http_framing(&h), SG_FRAMING_CHUNKED);
	assert_false(sg_http_bodyless(&h, SG_METHOD_POST));
	assert_true(sg_http_bodyless(&h, SG_METHOD_HEAD));
	h = of_status(204, SG_HTTP_LENGTH);
	assert_true(sg_http_bodyless(&h, SG_METHOD_POST));
	h = of_status(304, 0);
	assert_true(sg_http_bodyless(&h, SG_METHOD_GET));
}

/* CONNECT is answered by a proxy, and what it says of itself is nothing of a server. */
static void test_connect(void **state)
{
	__u8 cause;

	(void)state;
	for (unsigned int s = 100; s < 600; s++) {
		struct sg_http h = of_status(s, SG_HTTP_LENGTH | SG_HTTP_TYPE);

		assert_int_equal(sg_http_class(&h, SG_METHOD_CONNECT, &cause), SG_CALLER);
		assert_int_equal(cause, s == 407 || s >= 500 ? SG_CAUSE_PROXY : SG_CAUSE_STATUS);
		assert_int_equal(sg_http_tunnel(&h, SG_METHOD_CONNECT), s == 101 || s / 100 == 2);
		assert_int_equal(sg_http_bodyless(&h, SG_METHOD_CONNECT),
				 s == 101 || s / 100 == 2 || s == 304);
		assert_int_equal(sg_http_tunnel(&h, SG_METHOD_POST), s == 101);
	}
}

/* Of a header with a hole its status is known, or nothing. */
static void test_holes(void **state)
{
	static const struct {
		const char *seen;
		enum sg_class class;
		enum sg_cause cause;
	} cases[] = {
		{ "", SG_UNKNOWN, SG_CAUSE_UNSEEN },
		{ "HTTP/1.1 50", SG_UNKNOWN, SG_CAUSE_UNSEEN },
		{ "HTTP/1.1 103 x\r\nLink", SG_UNKNOWN, SG_CAUSE_UNSEEN },
		{ "HTTP/1.1 503", SG_HARD, SG_CAUSE_STATUS },
		{ "HTTP/1.1 503 x\r\nRetry-After: 5\r\n", SG_SOFT, SG_CAUSE_LIMITED },
		{ "HTTP/1.1 404 x\r\nContent-Type: text/html\r\n", SG_CALLER, SG_CAUSE_STATUS },
		{ "HTTP/1.1 200 x\r\nContent-Type: text/html\r\n", SG_SUCCESS, SG_CAUSE_ANSWER },
	};
	__u8 cause;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sg_http h = scan(cases[i].seen);

		sg_http_hole(&h);
		assert_int_equal(sg_http_class(&h, SG_METHOD_POST, &cause), cases[i].class);
		assert_int_equal(cause, cases[i].cause);
		assert_false(sg_http_no_route(&h, SG_METHOD_POST));
		assert_int_equal(h.framing, SG_FRAMING_UNKNOWN);
	}
}

static void test_no_route(void **state)
{
	(void)state;
	for (unsigned int s = 400; s < 600; s++) {
		struct sg_http text = of_status(s, SG_HTTP_TYPE | SG_HTTP_TEXT);
		struct sg_http json = of_status(s, SG_HTTP_TYPE | SG_HTTP_TYPE_MCP);
		struct sg_http none = of_status(s, SG_HTTP_TYPE | SG_HTTP_TEXT);

		none.body = SG_HTTP_BODY_NONE;
		assert_int_equal(sg_http_no_route(&text, SG_METHOD_POST), s == 404);
		assert_false(sg_http_no_route(&text, SG_METHOD_GET));
		assert_false(sg_http_no_route(&json, SG_METHOD_POST));
		assert_false(sg_http_no_route(&none, SG_METHOD_POST));
	}
}

/* --- Retry-After as a date ------------------------------------------------------------ */

static void test_dates(void **state)
{
	/* 20 November 2026, 18:59:50 */
	const uint64_t now = 1795201190ULL * 1000000000ULL;
	static const struct {
		uint64_t digits;
		unsigned int seconds;
	} cases[] = {
		{ 202026185950, 0 },     { 202026185951, 1 },     { 202026190030, 40 },
		{ 2026190030, 40 },      { 202026185949, 0 },     { 202026070000, 43210 },
		{ 202026065949, 43199 }, { 212026000000, 18010 }, { 202026240000, 0 },
		{ 202026196000, 0 },     { 202026190061, 0 },     { 0, 18010 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t want = cases[i].seconds >= 43200 ? 0 : cases[i].seconds;

		assert_int_equal(sg_http_date_ns(cases[i].digits, now), want * 1000000000ULL);
		assert_int_equal(sg_http_date_ns(cases[i].digits, now + 86400000000000ULL * 99),
				 want * 1000000000ULL);
	}
}

/* --- chunks ------------------------------------------------------------------------------ */

#define NEVER (-1) /* it goes on */
#define WRONG (-2)
#define WHOLE(text) text, sizeof(text) - 1

static const struct body {
	const char *text;
	int end; /* behind its last byte; NEVER, or WRONG */
} bodies[] = {
	{ WHOLE("0\r\n\r\n") },
	{ WHOLE("0000\r\n\r\n") },
	{ WHOLE("2\r\n{}\r\n0\r\n\r\n") },
	{ WHOLE("2\r\n{}\r\n00\r\n\r\n") },
	{ WHOLE("0002\r\n{}\r\n0\r\n\r\n") },
	{ WHOLE("2 \r\n{}\r\n0 \r\n\r\n") },
	{ WHOLE("2;a=b\r\n{}\r\n0;c\r\n\r\n") },
	{ WHOLE("2;a=\"0\"; b\r\n{}\r\n0;c=\"\\\"\"\r\n\r\n") },
	{ WHOLE("2\n{}\n0\n\n") },
	{ WHOLE("a\r\n0\r\n\r\n12345\r\n0\r\n\r\n") },
	{ WHOLE("A\r\n\r\n0\r\n\r\n12\n\r\n0\r\n\r\n") },
	{ WHOLE("1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n") },
	{ WHOLE("1F;x\r\n0123456789012345678901234567890\r\n1\r\n\r\r\n0\r\n\r\n") },
	/* trailers */
	{ WHOLE("2\r\n{}\r\n0\r\nX: y\r\n\r\n") },
	{ WHOLE("0\r\nServer-Timing: db;dur=53\r\nDigest: 0\r\n\r\n") },
	{ WHOLE("0\r\nA: b\nC: d\n\n") },
	{ WHOLE("0\r\n: \r\r\n 0\r\n\r\n") },
	/* what follows is the next answer's */
	{ "0\r\n\r\nHTTP/1.1 503 x\r\n\r\n", 5 },
	{ "1\r\na\r\n0\r\nX: y\r\n\r\n0\r\n\r\n", 17 },
	/* it goes on */
	{ "", NEVER },
	{ "0\r\n", NEVER },
	{ "0\r\n\r", NEVER },
	{ "0\r\nX: y\r\n", NEVER },
	{ "5\r\n0\r\n\r\n", NEVER },
	{ "7\r\n\r\n0\r\n\r\n\r\n", NEVER },
	{ "fffffffffffffff\r\n0\r\n\r\n", NEVER },
	{ "00000000000000000000000000000000000000000fffffffffffffff\r\n", NEVER },
	/* malformed */
	{ "\r\n", WRONG },
	{ "x\r\n", WRONG },
	{ " 2\r\n", WRONG },
	{ "-2\r\n", WRONG },
	{ ";\r\n", WRONG },
	{ "2x\r\n", WRONG },
	{ "0x2\r\n", WRONG },
	{ "2\r{}", WRONG },
	{ "2\r\n{}0\r\n", WRONG },
	{ "2\r\n{}\r0\r\n", WRONG },
	{ "2\r\n{}}\r\n", WRONG },
	{ "2;a\rb\r\n", WRONG },
	{ "0\rX", WRONG },
	{ "0\r\n\rX", WRONG },
	{ "1000000000000000\r\n", WRONG },
	{ "10000000000000000000000000000000000000000000000000000001\r\n", WRONG },
};

static void body_begin(struct scan *s)
{
	scan_init(s, &table, SG_METHOD_POST);
	s->http.bits = SG_HTTP_END | SG_HTTP_CHUNKED;
	s->body = true;
	sg_http_body_begin(&s->http);
}

static void check_body(const struct body *b, const struct scan *s, size_t taken, size_t a, size_t c)
{
	bool ok = s->complete == (b->end >= 0) &&
		  (s->http.chunk == SG_CHUNK_BAD) == (b->end == WRONG) &&
		  (b->end < 0 || taken == (size_t)b->end);

	if (!ok)
		fail_msg("%s, cut at %zu and %zu: state %u, %zu bytes taken", b->text, a, c,
			 s->http.chunk, taken);
}

/* Nothing depends on where a body is cut, once or twice. */
static void test_chunks_cut_at_every_pair_of_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const char *text = bodies[i].text;
		size_t len = strlen(text);

		for (size_t a = 0; a <= len; a++) {
			for (size_t c = a; c <= len; c++) {
				size_t taken = 0;
				struct scan s;

				body_begin(&s);
				taken += scan_segment(&s, text, a);
				taken += scan_segment(&s, text + a, c - a);
				taken += scan_segment(&s, text + c, len - c);
				check_body(&bodies[i], &s, taken, a, c);
			}
		}
	}
}

static void test_chunks_in_single_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		size_t taken = 0;
		struct scan s;

		body_begin(&s);
		for (const char *p = bodies[i].text; *p; p++)
			taken += scan_segment(&s, p, 1);
		check_body(&bodies[i], &s, taken, 0, 0);
	}
}

/* Any bytes: states stay inside the table, and no size has more than 60 bits. */
static void test_chunk_noise(void **state)
{
	static const char likely[] = "0123456789abcdefABCDEF\r\n\r\n\r\n;x \t";
	uint32_t random = 1;

	(void)state;
	for (size_t round = 0; round < 20000; round++) {
		struct scan s;

		body_begin(&s);
		for (size_t i = 0; i < 60; i++) {
			char byte;

			random = random * 1664525 + 1013904223;
			byte = likely[(random >> 16) % (sizeof(likely) - 1)];
			scan_segment(&s, &byte, 1);
			assert_true(s.http.chunk < SG_CHUNK_STATES);
			assert_true(s.http.chunk == SG_CHUNK_BAD ||
				    !(s.http.number[SG_SLOT_LENGTH] >> 60));
			assert_true(s.http.chunk != SG_CHUNK_DATA || s.http.number[SG_SLOT_LENGTH]);
		}
	}
}

/* A hole inside the data of a chunk is bridged, up to its last byte. */
static void test_holes_in_chunks(void **state)
{
	(void)state;
	for (size_t gap = 0; gap <= 8; gap++) {
		struct scan s;

		body_begin(&s);
		scan_segment(&s, "8\r\n", 3);
		assert_int_equal(sg_chunk_skip(&s.http, (__u32)gap), gap);
		scan_segment(&s, "01234567\r\n0\r\n\r\n" + gap, 17 - gap);
		assert_true(s.complete);
	}
}

static uint64_t first_four(const char *text)
{
	uint64_t word = 0;

	for (; *text; text++)
		word = word << 8 | (unsigned char)*text;
	return word;
}

static void test_methods(void **state)
{
	static const struct {
		const char text[5];
		enum sg_method method;
	} words[] = {
		{ "POST", SG_METHOD_POST },    { "GET ", SG_METHOD_GET },
		{ "DELE", SG_METHOD_DELETE },  { "HEAD", SG_METHOD_HEAD },
		{ "PUT ", SG_METHOD_OTHER },   { "OPTI", SG_METHOD_OTHER },
		{ "PATC", SG_METHOD_OTHER },   { "CONN", SG_METHOD_CONNECT },
		{ "post", SG_METHOD_UNKNOWN }, { "GETS", SG_METHOD_UNKNOWN },
		{ "PRI ", SG_METHOD_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_int_equal(sg_http_method((__u32)first_four(words[i].text)), words[i].method);
	assert_int_equal(sg_http_method(0), SG_METHOD_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_state_and_class_is_safe),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_heads_torn_at_every_byte),
		cmocka_unit_test(test_the_body_stays),
		cmocka_unit_test(test_malformed_heads),
		cmocka_unit_test(test_status_lines_mutated),
		cmocka_unit_test(test_every_status),
		cmocka_unit_test(test_retry_after_makes_503_soft),
		cmocka_unit_test(test_methods_whose_answers_prove_nothing),
		cmocka_unit_test(test_wrong_content_type),
		cmocka_unit_test(test_without_a_body),
		cmocka_unit_test(test_bad_bits_are_hard_whatever_the_status),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_no_route),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_chunks_cut_at_every_pair_of_places),
		cmocka_unit_test(test_chunks_in_single_bytes),
		cmocka_unit_test(test_chunk_noise),
		cmocka_unit_test(test_holes_in_chunks),
		cmocka_unit_test(test_methods),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
