/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http1 over the tests of llhttp, the parser of Node.js, in its strict mode: every message that it
 * takes is told in the same way, everything that it refuses is refused, but for what stands in
 * a table with the reason. What it takes in one of its lenient modes only has to be refused.
 * Most of its requests lack the Host that we demand: each is read as it is, and with one.
 */
#include <stdio.h>
#include <string.h>

#include "unit/codec/http1_transcript.h"
#include "unit/codec/http1_vectors.h"
#include "unit/unit.h"

#define TEXT_MAX 100000
#define OUR_HOST " Host: a\n"

static struct http1_vector *vectors;
static size_t n_vectors;

static int setup(void **state)
{
	(void)state;
	vectors = http1_vectors_read(&n_vectors);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	http1_vectors_free(vectors, n_vectors);
	return 0;
}

enum outcome {
	REFUSED, /* we are stricter */
	TAKEN,   /* they are */
	APART,   /* cannot be asked of us in this way */
};

#define ONE_CODING                                                                                     \
	"a coding other than chunked is one that nobody asked for (RFC 9112, 7.4): who does not know " \
	"it must not guess where the body ends, and who does not undo it must not hand it on"
#define NOT_HTTP "another protocol than HTTP"
#define LINE_BEFORE_ANSWER                                                                          \
	"an empty line is allowed before requests only (RFC 9112, 2.2); the scanner in the kernel " \
	"refuses it, too"

static const struct difference {
	const char *file;
	const char *name;
	enum outcome outcome;
	const char *why;
} differences[] = {
	{ "request-content-length.md", "Content-Length reset when no body is received", APART,
	  "that a request has no body is said by nobody but itself" },
	{ "request-invalid.md", "HTTP protocol and ANNOUNCE method", TAKEN,
	  "methods are tokens (RFC 9110, 9.1); which of them it knows is the caller's business" },
	{ "request-method.md", "CONNECT with body", REFUSED,
	  "CONNECT has no body (RFC 9110, 9.3.6), and others would read one" },
	{ "request-method.md", "M-SEARCH request", REFUSED,
	  "the target * is for OPTIONS only (RFC 9112, 3.2.4)" },
	{ "request-method.md", "SOURCE request with ICE", REFUSED, NOT_HTTP },
	{ "request-method.md", "OPTIONS request with RTSP", REFUSED, NOT_HTTP },
	{ "request-method.md", "ANNOUNCE request with RTSP", REFUSED, NOT_HTTP },
	{ "request-method.md", "PRI request HTTP2", REFUSED,
	  "HTTP/2 is not spoken here; an error ends the connection as well as a pause would" },
	{ "request-sample.md", "No HTTP version", REFUSED, "HTTP/0.9 has no fields and no status" },
	{ "request-transfer-encoding.md", "Ignoring `pigeons`", REFUSED,
	  "the same, before the head is told" },
	{ "request-transfer-encoding.md", "POST with `chunked` as last transfer-encoding", REFUSED,
	  ONE_CODING },
	{ "request-transfer-encoding.md",
	  "POST with `chunked` as last transfer-encoding (multiple headers)", REFUSED, ONE_CODING },
	{ "request-transfer-encoding.md", "POST with `chunkedchunked` as transfer-encoding",
	  REFUSED, "the same, before the head is told" },
	{ "response-connection.md", "HTTP 304 with Content-Length", REFUSED, LINE_BEFORE_ANSWER },
	{ "response-connection.md", "HTTP 100 first, then 400", REFUSED, LINE_BEFORE_ANSWER },
	{ "response-pipelining.md", "Should parse multiple events", REFUSED, LINE_BEFORE_ANSWER },
	{ "response-sample.md", "RTSP response", REFUSED, NOT_HTTP },
	{ "response-sample.md", "ICE response", REFUSED, NOT_HTTP },
	{ "response-sample.md", "HTTP version 0.9", REFUSED, "HTTP/0.9 has no status line" },
	{ "response-sample.md", "Response starting with CRLF", REFUSED, LINE_BEFORE_ANSWER },
	{ "response-transfer-encoding.md", "`chunked` before other transfer-encoding", REFUSED,
	  ONE_CODING },
	{ "response-transfer-encoding.md",
	  "multiple transfer-encoding where chunked is not the last one", REFUSED, ONE_CODING },
	{ "response-transfer-encoding.md",
	  "`chunkedchunked` transfer-encoding does not enable chunked enconding", REFUSED,
	  ONE_CODING },
};

static bool used[ARRAY_SIZE(differences)];

static const struct difference *difference(const struct http1_vector *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++)
		if (!strcmp(v->file, differences[i].file) &&
		    !strcmp(v->name, differences[i].name)) {
			used[i] = true;
			return &differences[i];
		}
	return NULL;
}

static struct http1_script script(const struct http1_vector *v)
{
	return (struct http1_script){ .kind = v->answers ? HTTP1_ANSWERS : HTTP1_REQUESTS,
				      .asked = v->skip_body ? HTTP1_ASKED_HEAD : HTTP1_ASKED_OTHER,
				      .eof = v->finish };
}

/* Takes the Host that we put there out of what was told. */
static void drop_host(struct buf *told)
{
	char *at;

	while (told->data && (at = strstr(told->data, OUR_HOST))) {
		size_t behind = (size_t)(at - told->data) + strlen(OUR_HOST);

		memmove(at, told->data + behind, told->len + 1 - behind);
		told->len -= strlen(OUR_HOST);
	}
}

static bool is_refused(const struct buf *told)
{
	return told->len >= 6 && !strcmp(told->data + told->len - 6, "ERROR\n");
}

/* What we tell of it, each request with a Host. They see what is wrong in a line that has
 * not ended, and we when it does: it ends, then. */
static void ours(const struct http1_vector *v, bool they_refuse, struct buf *out)
{
	CLEANUP(buf_done) struct buf bytes = BUF(TEXT_MAX);
	struct http1_script s = script(v);
	bool added;

	http1_vector_with_host(v, &bytes);
	added = bytes.len != v->input.len;
	http1_transcript(out, &s, buf_str(&bytes), bytes.len);
	if (they_refuse && !is_refused(out)) {
		buf_puts(&bytes, "\r\n");
		buf_clear(out);
		http1_transcript(out, &s, buf_str(&bytes), bytes.len);
	}
	if (added)
		drop_host(out);
}

static void compare(const struct http1_vector *v)
{
	CLEANUP(buf_done) struct buf theirs = BUF(TEXT_MAX);
	CLEANUP(buf_done) struct buf told = BUF(TEXT_MAX);
	const struct difference *d = difference(v);
	bool same;

	http1_vector_transcript(v, &theirs);
	ours(v, (is_refused(&theirs) || v->lenient) && (!d || d->outcome != TAKEN), &told);
	same = !strcmp(buf_str(&theirs), buf_str(&told));
	if (d && d->outcome == APART)
		return;
	if (v->lenient && !same && is_refused(&told))
		return;
	if (d ? same || is_refused(&told) != (d->outcome == REFUSED) : !same)
		fail_msg("%s: %s: llhttp:\n%sbut here (%s):\n%s", v->file, v->name,
			 buf_str(&theirs), d ? d->why : "no difference is known", buf_str(&told));
}

static void test_same_as_llhttp(void **state)
{
	(void)state;
	assert_int_equal(n_vectors, 205); /* all of them are found */
	for (size_t i = 0; i < n_vectors; i++)
		compare(&vectors[i]);
	for (size_t i = 0; i < ARRAY_SIZE(used); i++)
		if (!used[i])
			fail_msg("%s: no test of this name", differences[i].name);
}

/* As it is: without a Host it is refused when its head is complete, and never before. */
static void test_requests_without_host(void **state)
{
	size_t refused = 0;

	(void)state;
	for (size_t i = 0; i < n_vectors; i++) {
		const struct http1_vector *v = &vectors[i];
		CLEANUP(buf_done) struct buf with = BUF(TEXT_MAX);
		CLEANUP(buf_done) struct buf told = BUF(TEXT_MAX);
		CLEANUP(buf_done) struct buf bytes = BUF(TEXT_MAX);
		struct http1_script s = script(v);

		ours(v, false, &with);
		http1_vector_with_host(v, &bytes);
		http1_transcript(&told, &s, buf_str(&v->input), v->input.len);
		if (bytes.len == v->input.len) {
			assert_string_equal(buf_str(&told), buf_str(&with));
		} else if (!strncmp(buf_str(&with), "HEAD", 4) && !is_refused(&with)) {
			assert_true(is_refused(&told));
			refused++;
		}
	}
	assert_int_equal(refused, 33);
}

static void cut(const struct http1_vector *v, const char *bytes, size_t len, enum http1_kind kind)
{
	CLEANUP(buf_done) struct buf whole = BUF(TEXT_MAX);
	CLEANUP(buf_done) struct buf torn = BUF(TEXT_MAX);
	struct http1_script s = script(v);

	s.kind = kind;
	s.exact = s.eof = true;
	http1_transcript(&whole, &s, bytes, len);
	for (size_t i = 1; i < len + 4; i++) {
		s.first = i < len ? i : i - len; /* and in pieces of 1, 2 and 3 */
		s.piece = i < len ? 0 : i - len;
		buf_clear(&torn);
		http1_transcript(&torn, &s, bytes, len);
		if (strcmp(buf_str(&torn), buf_str(&whole)) != 0)
			fail_msg("%s: %s: whole:\n%scut at %zu:\n%s", v->file, v->name,
				 buf_str(&whole), i, buf_str(&torn));
	}
}

static void test_cuts_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_vectors; i++) {
		const struct http1_vector *v = &vectors[i];
		CLEANUP(buf_done) struct buf bytes = BUF(TEXT_MAX);

		http1_vector_with_host(v, &bytes);
		cut(v, buf_str(&bytes), bytes.len, v->answers ? HTTP1_ANSWERS : HTTP1_REQUESTS);
		cut(v, buf_str(&v->input), v->input.len,
		    v->answers ? HTTP1_ANSWERS_TOLERANT : HTTP1_REQUESTS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_llhttp),
		cmocka_unit_test(test_requests_without_host),
		cmocka_unit_test(test_cuts_change_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
