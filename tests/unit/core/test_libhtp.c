/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The scanner of answers against libhtp, which nobody here has written: the same bytes, cut
 * at the same places, have the same status, the same end and the same content type. Where
 * the two differ on purpose, both sides are asserted.
 */
#if __has_include(<htp/htp.h>)
#include <htp/htp.h>
#include <string.h>

#include "base/cleanup.h"
#include "unit/core/scan.h"
#include "unit/unit.h"

#define PAIRS_MAX 80 /* answers no longer than this are cut at every pair of places */
#define AT_CLOSE (-1)
#define TYPE_MAX 64

/* What somebody makes of an answer. */
struct view {
	int status; /* -1: none */
	long end;   /* behind its last byte, or AT_CLOSE */
	char type[TYPE_MAX];
};

struct segments {
	size_t end[3];
	size_t n;
};

static struct sg_http_table table;

static int setup(void **state)
{
	(void)state;
	return answer_table_build(&table);
}

/* --- theirs ------------------------------------------------------------------------ */

static const char *request(__u8 method)
{
	if (method == SG_METHOD_HEAD)
		return "HEAD /mcp HTTP/1.1\r\nHost: x\r\n\r\n";
	return "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
}

/* Feeds one segment after the other; `whole`[i]: was the answer complete behind the i-th? */
static struct view theirs(const char *text, __u8 method, const struct segments *cut, bool *whole)
{
	static htp_cfg_t *config;
	struct timeval now = { 0 };
	struct view v = { .status = -1, .end = AT_CLOSE };
	const char *ask = request(method);
	htp_connp_t *c;
	htp_tx_t *tx;
	size_t at = 0;

	if (!config) {
		config = htp_config_create();
		htp_config_set_server_personality(config, HTP_SERVER_GENERIC);
	}
	c = htp_connp_create(config);
	htp_connp_open(c, "192.0.2.1", 1, "192.0.2.2", 80, &now);
	htp_connp_req_data(c, &now, ask, strlen(ask));
	tx = htp_list_get(htp_connp_get_connection(c)->transactions, 0);
	assert_non_null(tx);
	for (size_t i = 0; i < cut->n; i++) {
		if (cut->end[i] > at && v.end == AT_CLOSE)
			htp_connp_res_data(c, &now, text + at, cut->end[i] - at);
		at = cut->end[i];
		whole[i] = tx->response_progress == HTP_RESPONSE_COMPLETE;
		if (whole[i] && v.end == AT_CLOSE)
			v.end = (long)at;
	}
	htp_connp_close(c, &now);
	v.status = tx->response_status_number;
	if (tx->response_content_type)
		snprintf(v.type, sizeof(v.type), "%.*s", (int)bstr_len(tx->response_content_type),
			 (const char *)bstr_ptr(tx->response_content_type));
	htp_connp_destroy_all(c);
	return v;
}

/* The end to a byte: one at a time. */
static struct view theirs_in_bytes(const char *text, __u8 method)
{
	struct segments cut = { .n = 1 };
	struct view v = { 0 };
	bool whole[3];

	for (cut.end[0] = 0; cut.end[0] <= strlen(text); cut.end[0]++) {
		v = theirs(text, method, &cut, whole);
		if (v.end != AT_CLOSE)
			break;
	}
	return v;
}

/* --- ours ------------------------------------------------------------------------------ */

/* What of a content type the scanner tells apart. */
static const char *seen_kind(unsigned int bits)
{
	if (bits & SG_HTTP_STREAM)
		return "event-stream";
	if (bits & SG_HTTP_TYPE_MCP)
		return "json";
	if (bits & SG_HTTP_TEXT)
		return "text";
	return bits & SG_HTTP_TYPE ? "other" : "";
}

static struct view ours(const char *text, __u8 method, const struct segments *cut, bool *whole)
{
	struct view v = { .status = -1, .end = AT_CLOSE };
	size_t taken = 0;
	size_t at = 0;
	struct scan s;

	scan_init(&s, &table, method);
	for (size_t i = 0; i < cut->n; i++) {
		taken += scan_segment(&s, text + at, cut->end[i] - at);
		at = cut->end[i];
		whole[i] = s.complete;
	}
	if (s.complete)
		v.end = (long)taken;
	if (!(s.http.bits & SG_HTTP_BAD))
		v.status = (int)sg_http_status(&s.http);
	snprintf(v.type, sizeof(v.type), "%s", seen_kind(s.http.bits));
	return v;
}

/* The same of the type itself. */
static const char *kind(const char *type)
{
	const char *sub = strchr(type, '/');

	if (!*type)
		return "";
	if (sub && !strcmp(sub, "/event-stream"))
		return "event-stream";
	if (sub && strstr(sub, "json"))
		return "json";
	return sub && (!strcmp(sub, "/plain") || !strcmp(sub, "/html")) ? "text" : "other";
}

/* --- the corpus ---------------------------------------------------------------------------- */

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define TYPED(type) OK "Content-Type: " type "\r\nContent-Length: 2\r\n\r\n{}"

static const char *const answers[] = {
	OK "Content-Length: 2\r\n\r\n{}",
	OK "Content-Length: 0\r\n\r\n",
	OK "content-length:\t12 \r\nX: Content-Length: 5\r\n\r\n012345678901",
	OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n01234",
	OK "Content-Length: 5\r\nA: b\r\nCONTENT-LENGTH: 5\r\nContent-Length: 5\r\n\r\n01234",
	OK "Content-Length: 5, 5\r\n\r\n01234",
	"HTTP/1.0 200 OK\nContent-Length: 2\n\n{}",
	"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
	OK "\r\nup to the end",
	OK "Connection: close\r\n\r\n",
	"HTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\n\r\n",
	"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nnot found",
	"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nbusy",
	"HTTP/1.1 429 x\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\n{}",
	OK "Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	TYPED("application/json"),
	TYPED("Application/JSON; charset=utf-8"),
	TYPED("application/problem+json"),
	TYPED("text/event-stream"),
	TYPED("text/html;charset=x"),
	TYPED("text/plain"),
	TYPED("image/png"),
	CHUNKED "0\r\n\r\n",
	CHUNKED "0000\r\n\r\n",
	CHUNKED "2\r\n{}\r\n0\r\n\r\n",
	CHUNKED "0002\r\n{}\r\n00\r\n\r\n",
	CHUNKED "2;a=b\r\n{}\r\n0;c\r\n\r\n",
	CHUNKED "2;a=\"0\"; b\r\n{}\r\n0\r\n\r\n",
	CHUNKED "a\r\n0\r\n\r\n12345\r\n0\r\n\r\n",
	CHUNKED "1F\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n",
	CHUNKED "2\r\n{}\r\n0\r\nX: y\r\n\r\n",
	CHUNKED "1\r\na\r\n1\r\nb\r\n0\r\nServer-Timing: db;dur=53\r\nDigest: 0\r\n\r\n",
	CHUNKED "00000000000000000000000000000002\r\n{}\r\n0\r\n\r\n",
	CHUNKED "x\r\n",
};

static void same(const char *text, __u8 method, const struct segments *cut, const struct view *want)
{
	bool a[3] = { 0 };
	bool b[3] = { 0 };
	struct view t = theirs(text, method, cut, a);
	struct view o = ours(text, method, cut, b);

	for (size_t i = 0; i < cut->n; i++)
		if (a[i] != b[i])
			fail_msg("%s: cut at %zu of %zu: complete %d there, %d here", text,
				 cut->end[i], strlen(text), a[i], b[i]);
	if (o.status != t.status || o.end != want->end || strcmp(o.type, kind(t.type)) != 0)
		fail_msg("%s: status %d, end %ld, type %s; here %d, %ld, %s", text, t.status,
			 want->end, t.type, o.status, o.end, o.type);
}

static void cut_everywhere(const char *text, __u8 method)
{
	struct view want = theirs_in_bytes(text, method);
	size_t len = strlen(text);

	for (size_t i = 0; i <= len; i++) {
		struct segments two = { { i, len }, 2 };

		same(text, method, &two, &want);
		for (size_t k = i; k <= len && len <= PAIRS_MAX; k++) {
			struct segments three = { { i, k, len }, 3 };

			same(text, method, &three, &want);
		}
	}
}

static void test_same_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		cut_everywhere(answers[i], SG_METHOD_POST);
	cut_everywhere(OK "Content-Length: 99\r\n\r\n", SG_METHOD_HEAD);
}

/* --- differences ------------------------------------------------------------------------------ */

static const struct difference {
	const char *why;
	const char *text;
	int status_there, status_here;
	long end_there, end_here;
} differences[] = {
	{ "an interim answer but 100 is one to us, too (RFC 9110, 15.2)",
	  "HTTP/1.1 103 x\r\nLink: x\r\n\r\n" OK "Content-Length: 2\r\n\r\n{}", 103, 200, 27, 67 },
	{ "304 has no body, whatever its fields say (RFC 9112, 6.3)",
	  "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", 304, 304, AT_CLOSE, 37 },
	{ "lengths that differ cannot be recovered from (RFC 9112, 6.3)",
	  OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 200, -1, 59, AT_CLOSE },
	{ "the same, in a list", OK "Content-Length: 2, 3\r\n\r\nabc", 200, -1, 43, AT_CLOSE },
	{ "behind 101 is no HTTP, nothing is waited for", "HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n",
	  101, 101, AT_CLOSE, 30 },
	{ "no other version is understood", "HTTP/2 200 OK\r\n\r\n", 200, -1, AT_CLOSE, AT_CLOSE },
	{ "nor another protocol, which is HTTP/0.9 to it", "ICY 200 OK\r\n\r\n", 0, -1, 12,
	  AT_CLOSE },
	{ "a size of 2^60 is malformed", CHUNKED "1000000000000000\r\n", 200, 200, AT_CLOSE,
	  AT_CLOSE },
};

static void test_differences(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		const struct difference *d = &differences[i];
		struct segments one = { { strlen(d->text) }, 1 };
		struct view t = theirs_in_bytes(d->text, SG_METHOD_POST);
		bool whole[3];
		struct view o = ours(d->text, SG_METHOD_POST, &one, whole);

		if (t.status != d->status_there || t.end != d->end_there ||
		    o.status != d->status_here || o.end != d->end_here)
			fail_msg("%s: %s: there %d, %ld; here %d, %ld", d->why, d->text, t.status,
				 t.end, o.status, o.end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_answers),
		cmocka_unit_test(test_differences),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

#else
#include <stdio.h>

#define SKIPPED 77

int main(void)
{
	puts("libhtp is missing here: run \"make deps\"");
	return SKIPPED;
}
#endif
