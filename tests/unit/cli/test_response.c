/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "cli/response.h"

struct row {
	const char *text;
	int r;               /* of the whole text, then of the end of the connection */
	unsigned int status; /* if it is complete */
	const char *body;
};

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static const struct row rows[] = {
	{ OK "Content-Length: 5\r\n\r\nhello", 1, 200, "hello" },
	{ OK "Content-Length: 5\r\n\r\nhello and more", 1, 200, "hello" },
	{ OK "content-length:\t0 \r\n\r\n", 1, 200, "" },
	{ OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 1, 200, "hello" },
	{ "HTTP/1.1 404 Not Found\nContent-Length: 2\n\nno", 1, 404, "no" },
	{ "HTTP/1.0 500\r\n\r\nto the end", 1, 500, "to the end" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", 1, 204, "" },
	{ "HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", 1, 200, "x" },
	{ CHUNKED "3\r\nabc\r\n0\r\n\r\n", 1, 200, "abc" },
	{ CHUNKED "3\r\nabc\r\nA ;x=y\r\n0123456789\r\n000\r\nTrailer: t\r\n\r\n", 1, 200,
	  "abc0123456789" },
	{ CHUNKED "0\r\n\r\n", 1, 200, "" },
	/* chunked wins over a length */
	{ OK "Content-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 1, 200,
	  "x" },
	/* cut off */
	{ "", -EPIPE, 0, NULL },
	{ "HTTP/1.1 200", -EPIPE, 0, NULL },
	{ OK "Content-Length: 5\r\n\r\nhell", -EPIPE, 0, NULL },
	{ CHUNKED "3\r\nabc\r\n", -EPIPE, 0, NULL },
	{ CHUNKED "3\r\nabc\r\n0\r\n", -EPIPE, 0, NULL },
	/* malformed */
	{ "\r\n", -EBADMSG, 0, NULL },
	{ "SSH-2.0-OpenSSH\r\n", -EBADMSG, 0, NULL },
	{ "HTTP/2 200 OK\r\n", -EBADMSG, 0, NULL },
	{ "HTTP/1.1 20 OK\r\n", -EBADMSG, 0, NULL },
	{ "HTTP/1.1 2000 OK\r\n", -EBADMSG, 0, NULL },
	{ "HTTP/1.1 099 OK\r\n", -EBADMSG, 0, NULL },
	{ "HTTP/1.1 200OK\r\n", -EBADMSG, 0, NULL },
	{ OK "no colon\r\n", -EBADMSG, 0, NULL },
	{ OK ": no name\r\n", -EBADMSG, 0, NULL },
	{ OK "Content-Length: -1\r\n", -EBADMSG, 0, NULL },
	{ OK "Content-Length: 5x\r\n", -EBADMSG, 0, NULL },
	{ OK "Content-Length:\r\n", -EBADMSG, 0, NULL },
	{ OK "Content-Length: 99999999999999999999999\r\n", -EBADMSG, 0, NULL },
	{ OK "Content-Length: 5\r\nContent-Length: 6\r\n", -EBADMSG, 0, NULL },
	{ OK "Transfer-Encoding: gzip\r\n", -EBADMSG, 0, NULL },
	{ CHUNKED "x\r\n", -EBADMSG, 0, NULL },
	{ CHUNKED "-1\r\n", -EBADMSG, 0, NULL },
	{ CHUNKED "\r\n", -EBADMSG, 0, NULL },
	{ CHUNKED "3 abc\r\n", -EBADMSG, 0, NULL },
	{ CHUNKED "3\r\nabcd\r\n", -EBADMSG, 0, NULL },
	{ CHUNKED "fffffffffffffffff\r\n", -EBADMSG, 0, NULL },
};

static int sink(void *data, const char *piece, size_t len)
{
	struct buf *b = data;

	buf_append(b, piece, len);
	return buf_error(b);
}

/* Feeds the text in pieces of this size; what a caller sees in the end. */
static int feed(struct response *r, const char *text, size_t piece)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		/* a copy of its own, so that a sanitizer sees each byte beyond */
		CLEANUP(freep) char *copy = malloc(n);
		int got;

		assert_non_null(copy);
		memcpy(copy, text + at, n);
		got = response_feed(r, copy, n);
		if (got != 0)
			return got;
	}
	return response_end(r) < 0 ? -EPIPE : 1;
}

static void decodes_in_whatever_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t piece = 1; piece < 80; piece += piece < 12 ? 1 : 17) {
			CLEANUP(buf_done) struct buf body = { 0 };
			struct response r;
			int got;

			body = BUF(1000);
			response_init(&r, sink, &body);
			got = feed(&r, rows[i].text, piece);
			if (got != rows[i].r)
				print_error("row %zu in pieces of %zu\n", i, piece);
			assert_int_equal(got, rows[i].r);
			if (got == 1) {
				assert_int_equal(r.status, rows[i].status);
				assert_string_equal(buf_str(&body), rows[i].body);
			}
		}
}

static void bounds_the_header(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct response r;

	(void)state;
	text = BUF(100000);
	buf_puts(&text, OK);
	for (size_t i = 0; i <= RESPONSE_LINES_MAX; i++)
		buf_puts(&text, "A: b\r\n");
	response_init(&r, sink, NULL);
	assert_int_equal(feed(&r, buf_str(&text), 1000), -EMSGSIZE);
	buf_clear(&text);
	buf_puts(&text, OK "A: ");
	for (size_t i = 0; i < RESPONSE_LINE_MAX; i++)
		buf_putc(&text, 'x');
	response_init(&r, sink, NULL);
	assert_int_equal(feed(&r, buf_str(&text), 1000), -EMSGSIZE);
}

static void refuses_a_nul(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\0\r\nContent-Length: 0\r\n\r\n";
	struct response r;

	(void)state;
	response_init(&r, sink, NULL);
	assert_int_equal(response_feed(&r, text, sizeof(text) - 1), -EBADMSG);
}

static int refuse(void *data, const char *piece, size_t len)
{
	(void)data;
	(void)piece;
	(void)len;
	return -EFBIG;
}

static void hands_on_what_the_sink_says(void **state)
{
	struct response r;

	(void)state;
	response_init(&r, refuse, NULL);
	assert_int_equal(feed(&r, CHUNKED "1\r\nx\r\n", 100), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_in_whatever_pieces),
		cmocka_unit_test(bounds_the_header),
		cmocka_unit_test(refuses_a_nul),
		cmocka_unit_test(hands_on_what_the_sink_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
