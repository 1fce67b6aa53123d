/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is refused, and at which byte; how messages follow each other; what a head says; heads
 * of our own. Each row is read cut at every place.
 */
#include <errno.h>
#include <string.h>

#include "unit/codec/http1_transcript.h"
#include "unit/unit.h"

#define TEXT_MAX 4096

/* What is told of the text, which must be the same wherever it is cut. */
static void told(struct buf *out, const char *text, size_t len, struct http1_script s)
{
	CLEANUP(buf_done) struct buf torn = BUF(TEXT_MAX);

	buf_clear(out);
	http1_transcript(out, &s, text, len);
	for (size_t i = 1; i < len; i++) {
		struct http1_script two = s;
		struct http1_script many = s;

		two.first = i;
		many.first = many.piece = i;
		buf_clear(&torn);
		http1_transcript(&torn, &two, text, len);
		assert_string_equal(buf_str(&torn), buf_str(out));
		buf_clear(&torn);
		http1_transcript(&torn, &many, text, len);
		assert_string_equal(buf_str(&torn), buf_str(out));
	}
}

/* --- what is refused --------------------------------------------------------------------- */

#define GET "GET / HTTP/1.1\r\n"                         /* 16 bytes */
#define HOST "Host: a\r\n"                               /* 9 bytes */
#define OK "HTTP/1.1 200 OK\r\n"                         /* 17 bytes */
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"            /* 26 bytes */
#define CHUNKS POST "Transfer-Encoding: chunked\r\n\r\n" /* 56 bytes */
#define BYTES(text) text, sizeof(text) - 1

static const struct refused {
	const char *text;
	size_t len;
	enum http1_error error;
	uint64_t at;
} refused_requests[] = {
	{ BYTES(" / HTTP/1.1\r\n"), HTTP1_BAD_METHOD, 0 },
	{ BYTES("G@T / HTTP/1.1\r\n"), HTTP1_BAD_METHOD, 0 },
	{ BYTES("GET\r\n"), HTTP1_BAD_METHOD, 0 },
	{ BYTES("GET  / HTTP/1.1\r\n"), HTTP1_BAD_VERSION, 5 },
	{ BYTES("GET /\r\n"), HTTP1_BAD_VERSION, 5 },
	{ BYTES("GET / HTTP/1.1 \r\n"), HTTP1_BAD_VERSION, 6 },
	{ BYTES("GET / HTTP/1.2\r\n"), HTTP1_BAD_VERSION, 6 },
	{ BYTES("GET / HTTP/2.0\r\n"), HTTP1_BAD_VERSION, 6 },
	{ BYTES("GET / http/1.1\r\n"), HTTP1_BAD_VERSION, 6 },
	{ BYTES("GET x HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 4 },
	{ BYTES("GET /a#b HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 4 },
	{ BYTES("GET /\xc3\xa4 HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 4 },
	{ BYTES("GET * HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 4 },
	{ BYTES("GET http:// HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 4 },
	{ BYTES("GET a:80 HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 4 },
	{ BYTES("CONNECT / HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 8 },
	{ BYTES("CONNECT a HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 8 },
	{ BYTES("CONNECT :1 HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 8 },
	{ BYTES("CONNECT a/b:1 HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 8 },
	{ BYTES("GET /\t HTTP/1.1\r\n"), HTTP1_BAD_TARGET, 4 },
	{ BYTES("\x16\x03\x01\x02"), HTTP1_BAD_CONTROL, 0 },
	{ BYTES("GET /\0 HTTP/1.1\r\n"), HTTP1_BAD_CONTROL, 5 },
	{ BYTES("GET / HTTP/1.1\n"), HTTP1_BAD_LINE_END, 14 },
	{ BYTES("GET / HTTP/1.1\rHost: a\r\n"), HTTP1_BAD_LINE_END, 14 },
	{ BYTES(GET "A: b\n"), HTTP1_BAD_LINE_END, 20 },
	{ BYTES(GET "A: b\r\r\n"), HTTP1_BAD_LINE_END, 20 },
	{ BYTES(GET "A: \x01\r\n"), HTTP1_BAD_CONTROL, 19 },
	{ BYTES(GET "A: \x7f\r\n"), HTTP1_BAD_CONTROL, 19 },
	{ BYTES(GET "A: b\0c\r\n"), HTTP1_BAD_CONTROL, 20 },
	{ BYTES(GET "A\0: b\r\n"), HTTP1_BAD_CONTROL, 17 },
	{ BYTES(GET "A : b\r\n"), HTTP1_BAD_FIELD, 17 },
	{ BYTES(GET "A\r\n"), HTTP1_BAD_FIELD, 17 },
	{ BYTES(GET ": b\r\n"), HTTP1_BAD_FIELD, 16 },
	{ BYTES(GET "\xc3\xa4: b\r\n"), HTTP1_BAD_FIELD, 16 },
	{ BYTES(GET " A: b\r\n"), HTTP1_BAD_FOLD, 16 },
	{ BYTES(GET "A: b\r\n\tc\r\n"), HTTP1_BAD_FOLD, 22 },
	{ BYTES(GET "\r\n"), HTTP1_BAD_HOST, 16 },
	{ BYTES(GET HOST HOST), HTTP1_BAD_HOST, 31 },
	{ BYTES(GET "Host: a b\r\n"), HTTP1_BAD_HOST, 22 },
	{ BYTES(GET "Host: a/b\r\n"), HTTP1_BAD_HOST, 22 },
	{ BYTES(GET "Host: b@a\r\n"), HTTP1_BAD_HOST, 22 },
	{ BYTES("GET / HTTP/1.0\r\n" HOST HOST), HTTP1_BAD_HOST, 31 },
	{ BYTES(POST "Content-Length: +1\r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES(POST "Content-Length: -1\r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES(POST "Content-Length: 0x1\r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES(POST "Content-Length: 1 1\r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES(POST "Content-Length: 1, 1\r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES(POST "Content-Length: \r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES(POST "Content-Length: 9223372036854775808\r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES(POST "Content-Length: 18446744073709551617\r\n"), HTTP1_BAD_LENGTH, 42 },
	{ BYTES("CONNECT a:1 HTTP/1.0\r\nContent-Length: 1\r\n\r\n"), HTTP1_BAD_LENGTH, 41 },
	{ BYTES(POST "Content-Length: 1\r\ncontent-length: 2\r\n"), HTTP1_TWO_LENGTHS, 61 },
	{ BYTES(POST "Content-Length: 1\r\nContent-Length: 1\r\n"), HTTP1_TWO_LENGTHS, 61 },
	{ BYTES(POST "Transfer-Encoding: gzip\r\n"), HTTP1_BAD_CODING, 45 },
	{ BYTES(POST "Transfer-Encoding: gzip, chunked\r\n"), HTTP1_BAD_CODING, 45 },
	{ BYTES(POST "Transfer-Encoding: chunked, chunked\r\n"), HTTP1_BAD_CODING, 45 },
	{ BYTES(POST "Transfer-Encoding: chunked, identity\r\n"), HTTP1_BAD_CODING, 45 },
	{ BYTES(POST "Transfer-Encoding: xchunked\r\n"), HTTP1_BAD_CODING, 45 },
	{ BYTES(POST "Transfer-Encoding:\r\n"), HTTP1_BAD_CODING, 44 },
	{ BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
	  HTTP1_BAD_CODING, 73 },
	{ BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"), HTTP1_BAD_CODING, 36 },
	{ BYTES("CONNECT a:1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
	  HTTP1_BAD_CODING, 59 },
	{ BYTES(POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), HTTP1_LENGTH_CODING,
	  64 },
	{ BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), HTTP1_LENGTH_CODING,
	  70 },
	{ BYTES(CHUNKS "\r\n"), HTTP1_BAD_CHUNK, 56 },
	{ BYTES(CHUNKS "x"), HTTP1_BAD_CHUNK, 56 },
	{ BYTES(CHUNKS "-1"), HTTP1_BAD_CHUNK, 56 },
	{ BYTES(CHUNKS "0x1"), HTTP1_BAD_CHUNK, 57 },
	{ BYTES(CHUNKS " 1"), HTTP1_BAD_CHUNK, 56 },
	{ BYTES(CHUNKS "1 "), HTTP1_BAD_CHUNK, 57 },
	{ BYTES(CHUNKS "1\n"), HTTP1_BAD_CHUNK, 57 },
	{ BYTES(CHUNKS "1\rx"), HTTP1_BAD_CHUNK, 58 },
	{ BYTES(CHUNKS "1;\r\n"), HTTP1_BAD_CHUNK, 58 },
	{ BYTES(CHUNKS "1; a\r\n"), HTTP1_BAD_CHUNK, 58 },
	{ BYTES(CHUNKS "1;a=\r\n"), HTTP1_BAD_CHUNK, 60 },
	{ BYTES(CHUNKS "1;a=\"b\n"), HTTP1_BAD_CHUNK, 62 },
	{ BYTES(CHUNKS "1;a=\"b\"c\n"), HTTP1_BAD_CHUNK, 63 },
	{ BYTES(CHUNKS "1000000000000000\r\n"), HTTP1_CHUNK_TOO_LONG, 71 },
	{ BYTES(CHUNKS "fffffffffffffffff\r\n"), HTTP1_CHUNK_TOO_LONG, 71 },
	{ BYTES(CHUNKS "1\r\nab"), HTTP1_BAD_CHUNK, 60 },
	{ BYTES(CHUNKS "1\r\na\n"), HTTP1_BAD_CHUNK, 60 },
	{ BYTES(CHUNKS "1\r\na\r\r"), HTTP1_BAD_CHUNK, 61 },
	{ BYTES(CHUNKS "0\r\n\n"), HTTP1_BAD_LINE_END, 59 },
	{ BYTES(CHUNKS "0\r\nA\r\n"), HTTP1_BAD_FIELD, 60 },
	{ BYTES(CHUNKS "0\r\nA : b\r\n"), HTTP1_BAD_FIELD, 60 },
	{ BYTES(CHUNKS "0\r\n: b\r\n"), HTTP1_BAD_FIELD, 59 },
	{ BYTES(CHUNKS "0\r\n A: b\r\n"), HTTP1_BAD_FOLD, 59 },
	{ BYTES(CHUNKS "0\r\nA: b\n"), HTTP1_BAD_LINE_END, 63 },
	{ BYTES(CHUNKS "0\r\nA: \0\r\n"), HTTP1_BAD_CONTROL, 62 },
	{ BYTES(GET "Connection: close\r\n" HOST "\r\nGET"), HTTP1_AFTER_END, 46 },
	{ BYTES("GET / HTTP/1.0\r\n\r\nG"), HTTP1_AFTER_END, 18 },
	{ BYTES(POST "Content-Length: 2\r\n\r\na"), HTTP1_CUT_OFF, 48 },
	{ BYTES(GET), HTTP1_CUT_OFF, 16 },
	{ BYTES("G"), HTTP1_CUT_OFF, 1 },
	{ BYTES(CHUNKS "1\r\na\r\n0\r\n"), HTTP1_CUT_OFF, 65 },
};

static const struct refused refused_answers[] = {
	{ BYTES("\r\n"), HTTP1_BAD_VERSION, 0 },
	{ BYTES("SSH-2.0-OpenSSH\r\n"), HTTP1_BAD_VERSION, 0 },
	{ BYTES("HTTP/2 200\r\n"), HTTP1_BAD_VERSION, 0 },
	{ BYTES("HTTP/1.1\r\n"), HTTP1_BAD_VERSION, 8 },
	{ BYTES("HTTP/1.1  200 OK\r\n"), HTTP1_BAD_STATUS, 9 },
	{ BYTES("HTTP/1.1 20 OK\r\n"), HTTP1_BAD_STATUS, 9 },
	{ BYTES("HTTP/1.1 2000 OK\r\n"), HTTP1_BAD_STATUS, 9 },
	{ BYTES("HTTP/1.1 099 OK\r\n"), HTTP1_BAD_STATUS, 9 },
	{ BYTES("HTTP/1.1 600 OK\r\n"), HTTP1_BAD_STATUS, 9 },
	{ BYTES("HTTP/1.1 200OK\r\n"), HTTP1_BAD_STATUS, 9 },
	{ BYTES(OK "Transfer-Encoding: gzip\r\n"), HTTP1_BAD_CODING, 36 },
	{ BYTES(OK "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), HTTP1_LENGTH_CODING,
	  61 },
	{ BYTES(OK "Content-Length: 1\r\nContent-Length: 1\r\n"), HTTP1_TWO_LENGTHS, 52 },
	{ BYTES("HTTP/1.0 200 x\r\nContent-Length: 0\r\n\r\nH"), HTTP1_AFTER_END, 37 },
};

static void expect_refused(const struct refused *row, enum http1_kind kind)
{
	CLEANUP(buf_done) struct buf out = BUF(TEXT_MAX);
	struct http1_script s = { .kind = kind, .exact = true, .eof = true };
	char want[128];

	told(&out, row->text, row->len, s);
	snprintf(want, sizeof(want), "ERROR %s at %llu of ", http1_error_words(row->error),
		 (unsigned long long)row->at);
	if (!strstr(buf_str(&out), want))
		fail_msg("\"%s\": not \"%s\" but\n%s", row->text, want, buf_str(&out));
}

static void refuses_what_could_be_read_in_two_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused_requests); i++)
		expect_refused(&refused_requests[i], HTTP1_REQUESTS);
	for (size_t i = 0; i < ARRAY_SIZE(refused_answers); i++)
		expect_refused(&refused_answers[i], HTTP1_ANSWERS);
}

/* No byte is taken, and no other error found, behind an error. */
static void an_error_is_final(void **state)
{
	CLEANUP(http1_done) struct http1 h;
	struct http1_span in = HTTP1_SPAN(GET "A : b\r\n" GET HOST "\r\n");
	struct http1_span body;
	size_t left;

	(void)state;
	http1_init(&h, HTTP1_REQUESTS, 1000);
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_ERROR);
	left = in.len;
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_ERROR);
	assert_int_equal(http1_eof(&h), HTTP1_ERROR);
	assert_int_equal(in.len, left);
	assert_int_equal(h.error, HTTP1_BAD_FIELD);
	http1_reset(&h);
	in = HTTP1_SPAN(GET HOST "\r\n");
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_HEAD);
}

static void every_error_has_words_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < HTTP1_ERROR_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(http1_error_words((enum http1_error)i),
						http1_error_words((enum http1_error)k));
	assert_non_null(http1_error_words(HTTP1_ERROR_COUNT));
}

/* --- what is taken ------------------------------------------------------------------------- */

struct taken {
	const char *text;
	const char *told;
	enum http1_asked asked;
};

static const struct taken taken_requests[] = {
	{ "", "", 0 },
	{ "\r\n\r\n", "", 0 },
	{ "\r\n" GET HOST "\r\n", "HEAD GET / 1.1\n Host: a\nMESSAGE\n", 0 },
	{ "GET / HTTP/1.0\r\n\r\n", "HEAD GET / 1.0\nMESSAGE\n", 0 },
	{ GET "HOST:\t[::1]:80 \r\nA:\r\n\r\n", "HEAD GET / 1.1\n HOST: [::1]:80\n A: \nMESSAGE\n",
	  0 },
	{ GET "Host:\r\nA: \xff b\tc \r\n\r\n", "HEAD GET / 1.1\n Host: \n A: \xff b\tc\nMESSAGE\n",
	  0 },
	{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "HEAD OPTIONS * 1.1\n Host: a\nMESSAGE\n", 0 },
	{ "X-y http://a/b?c HTTP/1.1\r\n" HOST "\r\n",
	  "HEAD X-y http://a/b?c 1.1\n Host: a\nMESSAGE\n", 0 },
	{ POST "Content-Length: 3\r\n\r\nabc" POST "Content-Length: 00\r\n\r\n" GET HOST "\r\n",
	  "HEAD POST / 1.1\n Host: a\n Content-Length: 3\nBODY abc\nMESSAGE\n"
	  "HEAD POST / 1.1\n Host: a\n Content-Length: 00\nMESSAGE\n"
	  "HEAD GET / 1.1\n Host: a\nMESSAGE\n",
	  0 },
	{ CHUNKS
	  "3\r\nabc\r\nA;x;y=z;q=\"\\\";\";r\r\n0123456789\r\n000\r\nT: t\r\nU:\r\n\r\n" GET HOST
	  "\r\n",
	  "HEAD POST / 1.1\n Host: a\n Transfer-Encoding: chunked\nBODY abc0123456789\nMESSAGE\n"
	  "HEAD GET / 1.1\n Host: a\nMESSAGE\n",
	  0 },
	{ "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\nanything",
	  "HEAD CONNECT a:1 1.1\n Host: a\nMESSAGE\nTUNNEL\n", 0 },
};

static const struct taken taken_answers[] = {
	{ OK "Content-Length: 5\r\n\r\nhello" OK "\r\nto the end",
	  "HEAD 200 OK 1.1\n Content-Length: 5\nBODY hello\nMESSAGE\n"
	  "HEAD 200 OK 1.1\nBODY to the end\nMESSAGE\n",
	  0 },
	{ "HTTP/1.1 200\r\n\r\n", "HEAD 200  1.1\nMESSAGE\n", 0 },
	{ "HTTP/1.1 200 \r\n\r\n", "HEAD 200  1.1\nMESSAGE\n", 0 },
	{ "HTTP/1.1 204 x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 x\r\n\r\n",
	  "HEAD 204 x 1.1\n Content-Length: 9\nMESSAGE\nHEAD 304 x 1.1\nMESSAGE\n", 0 },
	{ "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nConnection: close\r\n\r\n" OK
	  "Content-Length: 1\r\n\r\nx",
	  "HEAD 100 x 1.1\nMESSAGE\nHEAD 103 x 1.1\n Connection: close\nMESSAGE\n"
	  "HEAD 200 OK 1.1\n Content-Length: 1\nBODY x\nMESSAGE\n",
	  0 },
	{ OK "Content-Length: 5\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n",
	  "HEAD 200 OK 1.1\n Content-Length: 5\nMESSAGE\n"
	  "HEAD 200 OK 1.1\n Transfer-Encoding: chunked\nMESSAGE\n",
	  HTTP1_ASKED_HEAD },
	{ OK "\r\n\x16\x03", "HEAD 200 OK 1.1\nMESSAGE\nTUNNEL\n", HTTP1_ASKED_CONNECT },
	{ "HTTP/1.1 407 x\r\nContent-Length: 1\r\n\r\nx",
	  "HEAD 407 x 1.1\n Content-Length: 1\nBODY x\nMESSAGE\n", HTTP1_ASKED_CONNECT },
	{ "HTTP/1.1 101 x\r\n\r\n\x81", "HEAD 101 x 1.1\nMESSAGE\nTUNNEL\n", 0 },
};

#define T_CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define TOLD_CHUNKED "HEAD 200 OK 1.1\n Transfer-Encoding: chunked\n"

/* Answers to our own requests. */
static const struct taken taken_tolerantly[] = {
	{ "HTTP/1.1 404 Not Found\nContent-Length: 2\n\nno",
	  "HEAD 404 Not Found 1.1\n Content-Length: 2\nBODY no\nMESSAGE\n", 0 },
	{ "HTTP/1.0 500\r\n\r\nto the end", "HEAD 500  1.0\nBODY to the end\nMESSAGE\n", 0 },
	{ "HTTP/1.9 200 OK\r\n\r\n", "HEAD 200 OK 1.9\nMESSAGE\n", 0 },
	{ OK "content-length:\t0 \r\n\r\n", "HEAD 200 OK 1.1\n content-length: 0\nMESSAGE\n", 0 },
	{ OK "Content-Length: 2, 02\r\nContent-Length: 2\r\n\r\nno",
	  "HEAD 200 OK 1.1\n Content-Length: 2, 02\n Content-Length: 2\nBODY no\nMESSAGE\n", 0 },
	{ OK "Content-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
	  "HEAD 200 OK 1.1\n Content-Length: 9\n Transfer-Encoding: Chunked\nBODY x\nMESSAGE\n",
	  0 },
	{ T_CHUNKED "3\r\nabc\r\nA ;x=y z\r\n0123456789\r\n000\r\nTrailer: t\r\n\r\n",
	  TOLD_CHUNKED "BODY abc0123456789\nMESSAGE\n", 0 },
	{ T_CHUNKED "3\nabc\n0\nx\n\n", TOLD_CHUNKED "BODY abc\nMESSAGE\n", 0 },
};

static void expect_taken(const struct taken *rows, size_t n, enum http1_kind kind)
{
	CLEANUP(buf_done) struct buf out = BUF(TEXT_MAX);

	for (size_t i = 0; i < n; i++) {
		struct http1_script s = {
			.kind = kind, .asked = rows[i].asked, .exact = true, .eof = true
		};

		told(&out, rows[i].text, strlen(rows[i].text), s);
		assert_string_equal(buf_str(&out), rows[i].told);
	}
}

static void takes_messages(void **state)
{
	(void)state;
	expect_taken(taken_requests, ARRAY_SIZE(taken_requests), HTTP1_REQUESTS);
	expect_taken(taken_answers, ARRAY_SIZE(taken_answers), HTTP1_ANSWERS);
	expect_taken(taken_tolerantly, ARRAY_SIZE(taken_tolerantly), HTTP1_ANSWERS_TOLERANT);
}

static const struct refused refused_tolerantly[] = {
	{ BYTES("\r\n"), HTTP1_BAD_VERSION, 0 },
	{ BYTES("HTTP/2 200 OK\r\n"), HTTP1_BAD_VERSION, 0 },
	{ BYTES("HTTP/1.1 200 OK\0\r\n"), HTTP1_BAD_CONTROL, 15 },
	{ BYTES("HTTP/1.1 200 OK\rA: b\r\n"), HTTP1_BAD_LINE_END, 15 },
	{ BYTES(OK "no colon\r\n"), HTTP1_BAD_FIELD, 19 },
	{ BYTES(OK ": no name\r\n"), HTTP1_BAD_FIELD, 17 },
	{ BYTES(OK "Content-Length: -1\r\n"), HTTP1_BAD_LENGTH, 33 },
	{ BYTES(OK "Content-Length: 5x\r\n"), HTTP1_BAD_LENGTH, 33 },
	{ BYTES(OK "Content-Length:\r\n"), HTTP1_BAD_LENGTH, 32 },
	{ BYTES(OK "Content-Length: 1,\r\n"), HTTP1_BAD_LENGTH, 33 },
	{ BYTES(OK "Content-Length: 99999999999999999999999\r\n"), HTTP1_BAD_LENGTH, 33 },
	{ BYTES(OK "Content-Length: 5\r\nContent-Length: 6\r\n"), HTTP1_TWO_LENGTHS, 52 },
	{ BYTES(OK "Content-Length: 5, 6\r\n"), HTTP1_TWO_LENGTHS, 33 },
	{ BYTES(OK "Transfer-Encoding: gzip\r\n"), HTTP1_BAD_CODING, 36 },
	{ BYTES(T_CHUNKED "x\r\n"), HTTP1_BAD_CHUNK, 47 },
	{ BYTES(T_CHUNKED "\r\n"), HTTP1_BAD_CHUNK, 47 },
	{ BYTES(T_CHUNKED "3\r\nabcd\r\n"), HTTP1_BAD_CHUNK, 53 },
	{ BYTES(T_CHUNKED "fffffffffffffffff\r\n"), HTTP1_CHUNK_TOO_LONG, 62 },
	{ BYTES(T_CHUNKED "1;\x01\r\n"), HTTP1_BAD_CHUNK, 49 },
	{ BYTES(T_CHUNKED "0\r\nA\0\r\n"), HTTP1_BAD_CONTROL, 51 },
	{ BYTES(OK "Content-Length: 5\r\n\r\nhell"), HTTP1_CUT_OFF, 42 },
	{ BYTES(T_CHUNKED "3\r\nabc\r\n"), HTTP1_CUT_OFF, 55 },
	{ BYTES(T_CHUNKED "3\r\nabc\r\n0\r\n"), HTTP1_CUT_OFF, 58 },
};

static void tolerance_has_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused_tolerantly); i++)
		expect_refused(&refused_tolerantly[i], HTTP1_ANSWERS_TOLERANT);
}

/* --- connections ----------------------------------------------------------------------------- */

/* The head of a text, which is complete. */
static void head(struct http1 *h, enum http1_kind kind, const char *text)
{
	struct http1_span in = HTTP1_SPAN(text);
	struct http1_span body;

	http1_init(h, kind, 1000);
	assert_int_equal(http1_feed(h, &in, &body), HTTP1_HEAD);
}

static void says_whether_the_connection_goes_on(void **state)
{
	static const struct {
		enum http1_kind kind;
		const char *text;
		bool persist;
	} rows[] = {
		{ HTTP1_REQUESTS, GET HOST "\r\n", true },
		{ HTTP1_REQUESTS, GET HOST "Connection: x, Close\r\n\r\n", false },
		{ HTTP1_REQUESTS, GET HOST "Connection: x\r\nConnection: close\r\n\r\n", false },
		{ HTTP1_REQUESTS, GET HOST "Connection: closed\r\n\r\n", true },
		{ HTTP1_REQUESTS, "GET / HTTP/1.0\r\n\r\n", false },
		{ HTTP1_REQUESTS, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ HTTP1_REQUESTS, "GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n",
		  false },
		{ HTTP1_ANSWERS, OK "Content-Length: 0\r\n\r\n", true },
		{ HTTP1_ANSWERS, OK "Content-Length: 0\r\nConnection: close\r\n\r\n", false },
		{ HTTP1_ANSWERS, OK "Transfer-Encoding: chunked\r\n\r\n", true },
		{ HTTP1_ANSWERS, OK "\r\n", false },
		{ HTTP1_ANSWERS, "HTTP/1.1 204 x\r\n\r\n", true },
		{ HTTP1_ANSWERS, "HTTP/1.0 204 x\r\n\r\n", false },
		{ HTTP1_ANSWERS, "HTTP/1.1 100 x\r\nConnection: close\r\n\r\n", true },
		{ HTTP1_ANSWERS, "HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(http1_done) struct http1 h;

		head(&h, rows[i].kind, rows[i].text);
		if (h.persist != rows[i].persist)
			fail_msg("%s", rows[i].text);
	}
}

static void stops_at_the_end_of_a_message(void **state)
{
	static const char one[] = POST "Content-Length: 2\r\n\r\nab";
	CLEANUP(http1_done) struct http1 h;
	struct http1_span in = HTTP1_SPAN(POST "Content-Length: 2\r\n\r\nab" GET HOST "\r\n");
	struct http1_span body;

	(void)state;
	http1_init(&h, HTTP1_REQUESTS, 1000);
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_HEAD);
	assert_int_equal(h.framing, HTTP1_BY_LENGTH);
	assert_int_equal(h.length, 2);
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_BODY);
	assert_true(http1_equal(body, "ab"));
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_MESSAGE);
	assert_int_equal(h.taken, sizeof(one) - 1);
	assert_int_equal(in.len, strlen(GET HOST "\r\n"));
	assert_true(http1_equal(h.method, "POST"));
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_HEAD);
	assert_true(http1_equal(h.method, "GET"));
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_MESSAGE);
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_MORE);
	assert_int_equal(http1_eof(&h), HTTP1_MORE);
}

/* What an answer is to holds over interim ones, and for one final answer. */
static void what_was_asked_is_asked_once(void **state)
{
	CLEANUP(http1_done) struct http1 h;
	struct http1_span in = HTTP1_SPAN("HTTP/1.1 100 x\r\n\r\n" OK "Content-Length: 1\r\n\r\n" OK
					  "Content-Length: 1\r\n\r\nx");
	enum http1_framing framings[] = { HTTP1_NO_BODY, HTTP1_NO_BODY, HTTP1_BY_LENGTH };
	size_t heads = 0;
	enum http1_event e;

	(void)state;
	http1_init(&h, HTTP1_ANSWERS, 1000);
	http1_asked(&h, HTTP1_ASKED_HEAD);
	do {
		struct http1_span body;

		e = http1_feed(&h, &in, &body);
		if (e == HTTP1_HEAD) {
			assert_int_equal(h.interim, heads == 0);
			assert_int_equal(h.framing, framings[heads++]);
		}
	} while (e != HTTP1_MORE && e != HTTP1_ERROR);
	assert_int_equal(e, HTTP1_MORE);
	assert_int_equal(heads, 3);
}

static void nothing_behind_a_tunnel_is_http(void **state)
{
	CLEANUP(http1_done) struct http1 h;
	struct http1_span in = HTTP1_SPAN("HTTP/1.1 101 x\r\n\r\n" OK);
	struct http1_span body;

	(void)state;
	http1_init(&h, HTTP1_ANSWERS, 1000);
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_HEAD);
	assert_true(h.tunnel);
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_MESSAGE);
	assert_int_equal(in.len, strlen(OK));
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_ERROR);
	assert_int_equal(h.error, HTTP1_AFTER_END);
	assert_int_equal(in.len, strlen(OK));
}

static void says_who_wants_another_protocol(void **state)
{
	CLEANUP(http1_done) struct http1 both;
	CLEANUP(http1_done) struct http1 alone;

	(void)state;
	head(&both, HTTP1_REQUESTS, GET HOST "Connection: a, Upgrade\r\nUpgrade: h2c\r\n\r\n");
	assert_true(both.upgrade);
	head(&alone, HTTP1_REQUESTS, GET HOST "Upgrade: h2c\r\n\r\n");
	assert_false(alone.upgrade);
}

/* --- limits ------------------------------------------------------------------------------------ */

/* Feeds `again` until something happens; HTTP1_MORE if nothing does in so many bytes. */
static enum http1_event flood(struct http1 *h, const char *start, const char *again, size_t bytes)
{
	struct http1_span in = HTTP1_SPAN(start);
	struct http1_span body;
	enum http1_event e = http1_feed(h, &in, &body);

	while (e != HTTP1_ERROR && h->taken < bytes) {
		if (!in.len)
			in = HTTP1_SPAN(again);
		e = http1_feed(h, &in, &body);
	}
	return e;
}

static void bounds_what_is_kept(void **state)
{
	static const struct {
		const char *start;
		const char *again;
		enum http1_error error;
		uint64_t at_most;
	} rows[] = {
		{ GET, "Abcdefghijklmnopqrstuvw: bcdefghijklmnop\r\n", HTTP1_HEAD_TOO_LONG, 1000 },
		{ GET "A: ", "bbbbbbb", HTTP1_HEAD_TOO_LONG, 1000 },
		{ "", "AAAAAAA", HTTP1_HEAD_TOO_LONG, 1000 },
		{ "", "\r\n", HTTP1_HEAD_TOO_LONG, 1002 },
		{ CHUNKS "1", ";a", HTTP1_BAD_CHUNK, 56 + HTTP1_CHUNK_LINE_MAX },
		{ CHUNKS, "0", HTTP1_BAD_CHUNK, 56 + HTTP1_CHUNK_LINE_MAX },
		{ CHUNKS "0\r\n", "A: b\r\n", HTTP1_HEAD_TOO_LONG, 59 + 1000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(http1_done) struct http1 h;

		http1_init(&h, HTTP1_REQUESTS, 1000);
		assert_int_equal(flood(&h, rows[i].start, rows[i].again, 100000), HTTP1_ERROR);
		assert_int_equal(h.error, rows[i].error);
		assert_int_equal(h.error_at, rows[i].at_most);
		assert_true(h.head.cap <= 2048);
	}
}

static void bounds_how_many_fields(void **state)
{
	CLEANUP(http1_done) struct http1 h;

	(void)state;
	http1_init(&h, HTTP1_REQUESTS, HTTP1_HEAD_MAX);
	assert_int_equal(flood(&h, GET, "A:\r\n", 100000), HTTP1_ERROR);
	assert_int_equal(h.error, HTTP1_HEAD_TOO_LONG);
	assert_int_equal(h.error_at, 16 + 4 * HTTP1_FIELDS_MAX);
	assert_int_equal(h.n_fields, HTTP1_FIELDS_MAX);
}

/* A token is what RFC 9110 says, and nothing else. */
static void knows_tokens(void **state)
{
	static const char chars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	(void)state;
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;

		assert_int_equal(http1_is_token((struct http1_span){ &byte, 1 }),
				 memchr(chars, c, sizeof(chars) - 1) != NULL);
	}
	assert_false(http1_is_token((struct http1_span){ "", 0 }));
}

/* A head of exactly the maximum is taken. */
static void takes_what_fits(void **state)
{
	CLEANUP(http1_done) struct http1 h;
	struct http1_span in, body;
	char text[80];

	(void)state;
	snprintf(text, sizeof(text), GET HOST "A: %0*d\r\n\r\n", 64 - 16 - 9 - 7, 1);
	http1_init(&h, HTTP1_REQUESTS, 64);
	in = HTTP1_SPAN(text);
	assert_int_equal(in.len, 64);
	assert_int_equal(http1_feed(&h, &in, &body), HTTP1_HEAD);
}

/* --- what a head says ----------------------------------------------------------------------------- */

static void finds_fields(void **state)
{
	CLEANUP(http1_done) struct http1 h;
	struct http1_span value = { 0 };

	(void)state;
	head(&h, HTTP1_REQUESTS,
	     GET HOST "Accept: application/json;q=1 , text/event-stream\r\nX-A: 1\r\nx-a: 2\r\n"
		      "Content-Type: Application/JSON; charset=\"a;b\"\r\nEmpty:\r\n\r\n");
	assert_int_equal(http1_find(&h, "accept", NULL), 1);
	assert_int_equal(http1_find(&h, "x-A", &value), 2);
	assert_true(http1_equal(value, "1"));
	assert_int_equal(http1_find(&h, "x", &value), 0);
	assert_true(http1_equal(value, "1"));
	assert_int_equal(http1_find(&h, "empty", &value), 1);
	assert_true(http1_equal(value, ""));
	assert_true(http1_has_token(&h, "Accept", "APPLICATION/json"));
	assert_true(http1_has_token(&h, "Accept", "text/event-stream"));
	assert_false(http1_has_token(&h, "Accept", "text/event"));
	assert_true(http1_has_token(&h, "x-a", "2"));
	assert_false(http1_has_token(&h, "empty", "x"));
	assert_true(http1_is_type(&h, "application/json"));
	assert_false(http1_is_type(&h, "application"));
	assert_true(http1_equal(http1_field(&h, 3).name, "x-a"));
	assert_true(http1_equal(http1_field(&h, 3).value, "2"));
	assert_int_equal(h.n_fields, 6);
}

static void two_types_are_none(void **state)
{
	CLEANUP(http1_done) struct http1 h;

	(void)state;
	head(&h, HTTP1_ANSWERS,
	     OK "Content-Type: application/json\r\nContent-Type: application/json\r\n\r\n");
	assert_false(http1_is_type(&h, "application/json"));
}

/* --- heads of our own ------------------------------------------------------------------------------- */

#define SPAN(text) ((struct http1_span){ (text), sizeof(text) - 1 })

static void makes_heads(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(200);

	(void)state;
	assert_int_equal(http1_put_request(&out, SPAN("POST"), SPAN("/mcp?a")), 0);
	assert_int_equal(http1_put_field(&out, SPAN("Host"), SPAN("a:1")), 0);
	assert_int_equal(http1_put_field(&out, SPAN("X"), SPAN("")), 0);
	assert_int_equal(http1_put_number(&out, "Content-Length", UINT64_MAX), 0);
	assert_int_equal(http1_put_end(&out), 0);
	assert_string_equal(buf_str(&out), "POST /mcp?a HTTP/1.1\r\nHost: a:1\r\nX: \r\n"
					   "Content-Length: 18446744073709551615\r\n\r\n");
	buf_clear(&out);
	assert_int_equal(http1_put_status(&out, 503, SPAN("Not now")), 0);
	assert_string_equal(buf_str(&out), "HTTP/1.1 503 Not now\r\n");
}

static void no_text_breaks_out_of_its_line(void **state)
{
	CLEANUP(buf_done) struct buf out = BUF(200);

	(void)state;
	assert_int_equal(http1_put_field(&out, SPAN("A"), SPAN("b\r\nC: d")), -EINVAL);
	assert_int_equal(http1_put_field(&out, SPAN("A"), SPAN("b\nC: d")), -EINVAL);
	assert_int_equal(http1_put_field(&out, SPAN("A"), SPAN("b\rC")), -EINVAL);
	assert_int_equal(http1_put_field(&out, SPAN("A"), SPAN("b\0c")), -EINVAL);
	assert_int_equal(http1_put_field(&out, SPAN("A "), SPAN("b")), -EINVAL);
	assert_int_equal(http1_put_field(&out, SPAN(""), SPAN("b")), -EINVAL);
	assert_int_equal(http1_put_field(&out, SPAN("A:b\r\nC"), SPAN("d")), -EINVAL);
	assert_int_equal(http1_put_request(&out, SPAN("G T"), SPAN("/")), -EINVAL);
	assert_int_equal(http1_put_request(&out, SPAN("GET"), SPAN("")), -EINVAL);
	assert_int_equal(http1_put_request(&out, SPAN("GET"), SPAN("/ HTTP/1.1")), -EINVAL);
	assert_int_equal(http1_put_request(&out, SPAN("GET"), SPAN("/\xff")), -EINVAL);
	assert_int_equal(http1_put_status(&out, 99, SPAN("x")), -EINVAL);
	assert_int_equal(http1_put_status(&out, 600, SPAN("x")), -EINVAL);
	assert_int_equal(http1_put_status(&out, 200, SPAN("x\r\n")), -EINVAL);
	assert_int_equal(out.len, 0);
	out.max = 3;
	assert_int_equal(http1_put_field(&out, SPAN("A"), SPAN("b")), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_could_be_read_in_two_ways),
		cmocka_unit_test(an_error_is_final),
		cmocka_unit_test(every_error_has_words_of_its_own),
		cmocka_unit_test(takes_messages),
		cmocka_unit_test(tolerance_has_limits),
		cmocka_unit_test(says_whether_the_connection_goes_on),
		cmocka_unit_test(stops_at_the_end_of_a_message),
		cmocka_unit_test(what_was_asked_is_asked_once),
		cmocka_unit_test(nothing_behind_a_tunnel_is_http),
		cmocka_unit_test(says_who_wants_another_protocol),
		cmocka_unit_test(bounds_what_is_kept),
		cmocka_unit_test(bounds_how_many_fields),
		cmocka_unit_test(knows_tokens),
		cmocka_unit_test(takes_what_fits),
		cmocka_unit_test(finds_fields),
		cmocka_unit_test(two_types_are_none),
		cmocka_unit_test(makes_heads),
		cmocka_unit_test(no_text_breaks_out_of_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
