/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An answer to a probe means what it would mean to an agent: the programs' scanner
 * (headers/http1.h) and http1, tolerantly, over the same answers: status, kind of content, how
 * the end is known, and where it is. http1 may refuse more, for reasons that are in a table;
 * what it takes, the scanner takes, too. The class is the scanner's own in both places.
 */
#include <string.h>

#include "codec/http1.h"
#include "unit/codec/http1_vectors.h"
#include "unit/core/scan.h"
#include "unit/unit.h"

static struct sg_http_table table;

struct view {
	bool refused;
	bool complete;
	unsigned int status; /* 0: the head is not complete */
	enum sg_framing framing;
	bool stream;
	size_t interims;
	size_t end; /* of what is complete */
};

static struct view kernel(const char *text, size_t len)
{
	struct view v = { 0 };
	struct scan s;

	scan_init(&s, &table, SG_METHOD_POST);
	v.end = scan_segment(&s, text, len);
	v.complete = s.complete;
	v.interims = s.interims;
	v.refused = s.http.bits & SG_HTTP_BAD ||
		    (s.http.framing == SG_FRAMING_CHUNKED && s.http.chunk == SG_CHUNK_BAD);
	if (!s.body)
		return v;
	v.status = sg_http_status(&s.http);
	v.framing = (enum sg_framing)s.http.framing;
	v.stream = s.http.bits & SG_HTTP_STREAM;
	return v;
}

static struct view ours(const char *text, size_t len)
{
	static const enum sg_framing framings[] = { [HTTP1_BY_LENGTH] = SG_FRAMING_LENGTH,
						    [HTTP1_BY_CHUNKS] = SG_FRAMING_CHUNKED,
						    [HTTP1_BY_CLOSE] = SG_FRAMING_CLOSE };
	CLEANUP(http1_done) struct http1 h;
	struct http1_span in = { text, len };
	struct view v = { 0 };
	enum http1_event e;

	http1_init(&h, HTTP1_ANSWERS_TOLERANT, HTTP1_HEAD_MAX);
	do {
		struct http1_span body;

		e = http1_feed(&h, &in, &body);
		v.interims += e == HTTP1_MESSAGE && h.interim;
		if (e == HTTP1_HEAD && !h.interim) {
			v.status = h.status;
			v.framing = framings[h.framing];
			v.stream = http1_is_type(&h, "text/event-stream");
		}
		v.complete = e == HTTP1_MESSAGE && !h.interim;
	} while (e != HTTP1_MORE && e != HTTP1_ERROR && !v.complete);
	v.refused = e == HTTP1_ERROR;
	v.end = (size_t)h.taken;
	return v;
}

#define OK "HTTP/1.1 200 OK\r\n"
#define JSON "Content-Type: application/json\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define WITH(text) text, NULL
#define REFUSED(text, why) text, why

static const struct answer {
	const char *text;
	const char *why; /* http1 refuses it, and the scanner does not */
} answers[] = {
	{ WITH(OK JSON "Content-Length: 2\r\n\r\n{}") },
	{ WITH(OK JSON "Content-Length: 2\r\n\r\n{}rubbish") },
	{ WITH(OK "Content-Length: 0\r\n\r\n") },
	{ WITH(OK JSON "\r\n{}") },
	{ WITH("HTTP/1.0 200 OK\nContent-Type: text/event-stream\n\ndata: x\n\n") },
	{ WITH("HTTP/1.7 200 OK\r\n\r\n") },
	{ WITH(OK "Content-Length: 2, 2\r\ncontent-length:2\r\n\r\n{}") },
	{ WITH(OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc") },
	{ WITH(OK "Content-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n") },
	{ WITH(CHUNKED "a;x\r\n0123456789\r\n00\r\nT: u\r\n\r\nrubbish") },
	{ WITH(CHUNKED "1 x\nx\n0\n\n") },
	{ WITH(CHUNKED "x\r\n") },
	{ WITH(CHUNKED "\r\n") },
	{ WITH(CHUNKED "1\r\nab") },
	{ WITH(CHUNKED "1000000000000000\r\n") },
	{ WITH("HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nLink: x\r\n\r\n" OK
	       "Content-Length: 1\r\n\r\nx") },
	{ WITH("HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\nrubbish") },
	{ WITH("HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\n") },
	{ WITH("HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n") },
	{ WITH("HTTP/1.1 404 x\r\n" JSON "Content-Length: 2\r\n\r\nno") },
	{ WITH("HTTP/1.1 429 x\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n") },
	{ WITH("HTTP/1.1 503\r\nRetry-After: 7\r\n\r\n") },
	{ WITH("HTTP/2 200 OK\r\n\r\n") },
	{ WITH("SSH-2.0-OpenSSH\r\n") },
	{ WITH(OK "Content-Length: -1\r\n\r\n") },
	{ WITH(OK "Content-Length:\r\n\r\n") },
	{ WITH(OK "Content-Le") },
	{ REFUSED("HTTP/1.1 600 x\r\n\r\n", "of a class that is bad, too") },
	{ REFUSED(OK "X: \x01\r\n\r\n", "a control character") },
	{ REFUSED(OK "X : y\r\n\r\n", "a blank in front of a colon") },
	{ REFUSED(OK "X\r\n\r\n", "no colon") },
	{ REFUSED(OK "X: y\r\n z\r\n\r\n", "a folded line") },
	{ REFUSED(OK "X: y\rZ: z\r\n\r\n", "CR alone") },
	{ REFUSED(OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		  "a coding that nobody asked for") },
	{ REFUSED(OK "Transfer-Encoding: gzip\r\n\r\n", "the same, without end") },
	{ REFUSED(CHUNKED "1;\x01\r\n", "a control character in an extension") },
};

static void same(const char *name, const char *text, size_t len, bool may_refuse)
{
	struct view k = kernel(text, len);
	struct view o = ours(text, len);

	if (o.refused && (k.refused || may_refuse))
		return;
	if (k.status != o.status || k.complete != o.complete || k.interims != o.interims ||
	    k.refused != o.refused || k.stream != o.stream || (o.complete && k.end != o.end) ||
	    (o.status && o.framing && k.framing && k.framing != o.framing))
		fail_msg("%s: status %u, here %u; complete %d, %d; refused %d, %d; end %zu, %zu; "
			 "framing %d, %d",
			 name, k.status, o.status, k.complete, o.complete, k.refused, o.refused,
			 k.end, o.end, k.framing, o.framing);
}

static void an_answer_is_the_same_in_both_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		const struct answer *a = &answers[i];

		same(a->text, a->text, strlen(a->text), a->why != NULL);
		if (a->why)
			assert_true(ours(a->text, strlen(a->text)).refused);
	}
}

static void llhttps_answers_are(void **state)
{
	size_t n, taken = 0;
	struct http1_vector *v = http1_vectors_read(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const char *text = buf_str(&v[i].input);

		if (!v[i].answers)
			continue;
		same(v[i].name, text, v[i].input.len, true);
		taken += !ours(text, v[i].input.len).refused;
	}
	http1_vectors_free(v, n);
	assert_int_equal(taken, 49);
}

static int setup(void **state)
{
	(void)state;
	return answer_table_build(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_the_same_in_both_places),
		cmocka_unit_test(llhttps_answers_are),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
