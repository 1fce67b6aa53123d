/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * http1 against libhtp, the parser of Suricata, which is made to tolerate what we refuse: what
 * we take, it has to read in the same way. Given the same connections: thousands that are made
 * up (with a fixed seed), in pieces that are, and those of llhttp's tests that we take.
 */
#if __has_include(<htp/htp.h>)
#include <htp/htp.h>
#include <string.h>

#include "codec/http1.h"
#include "unit/codec/http1_vectors.h"
#include "unit/unit.h"

#define TEXT_MAX 200000
#define CONNECTIONS 4000
#define EXCHANGES_MAX 4
#define SEED 20261128U

/* What came in both directions. */
struct talk {
	struct buf requests;
	struct buf answers;
	enum http1_asked asked[EXCHANGES_MAX];
	unsigned int n; /* exchanges */
	bool eof;       /* the last answer ends with the connection */
};

static void talk_init(struct talk *t)
{
	*t = (struct talk){ BUF(TEXT_MAX), BUF(TEXT_MAX), { 0 }, 0, false };
}

static void talk_done(struct talk *t)
{
	buf_done(&t->requests);
	buf_done(&t->answers);
}

static void put_span(struct buf *out, const char *before, const char *p, size_t len)
{
	buf_puts(out, before);
	buf_append(out, p, len);
}

/* --- ours -------------------------------------------------------------------------------- */

struct reader {
	struct http1 h;
	const struct talk *talk;
	struct buf *out;
	bool body;
	unsigned int finals;
};

static void tell_head(struct reader *r)
{
	const struct http1 *h = &r->h;

	if (h->status)
		buf_printf(r->out, "%u 1.%u", h->status, h->minor);
	else
		put_span(r->out, "", h->method.p, h->method.len);
	put_span(r->out, " ", h->status ? h->reason.p : h->target.p,
		 h->status ? h->reason.len : h->target.len);
	buf_putc(r->out, '\n');
	for (unsigned int i = 0; i < h->n_fields; i++) {
		struct http1_field f = http1_field(h, i);

		put_span(r->out, " ", f.name.p, f.name.len);
		put_span(r->out, ": ", f.value.p, f.value.len);
		buf_putc(r->out, '\n');
	}
}

/* Interim answers are left out: libhtp keeps none of them. */
static void tell(struct reader *r, enum http1_event e, struct http1_span body)
{
	if (e == HTTP1_ERROR)
		fail_msg("%s at %llu", http1_error_words(r->h.error),
			 (unsigned long long)r->h.error_at);
	if (r->h.interim)
		return;
	if (e == HTTP1_HEAD)
		tell_head(r);
	else if (e == HTTP1_BODY)
		put_span(r->out, "", body.p, body.len);
	else if (e == HTTP1_MESSAGE)
		buf_puts(r->out, "\n.\n");
	if (e == HTTP1_MESSAGE && ++r->finals < r->talk->n)
		http1_asked(&r->h, r->talk->asked[r->finals]);
}

static void read_ours(const struct talk *t, bool answers, size_t piece, struct buf *out)
{
	const struct buf *bytes = answers ? &t->answers : &t->requests;
	struct reader r = { .talk = t, .out = out };
	struct http1_span body;

	http1_init(&r.h, answers ? HTTP1_ANSWERS : HTTP1_REQUESTS, HTTP1_HEAD_MAX);
	http1_asked(&r.h, t->asked[0]);
	for (size_t at = 0; at < bytes->len; at += piece) {
		struct http1_span in = { bytes->data + at,
					 bytes->len - at < piece ? bytes->len - at : piece };
		enum http1_event e;

		do {
			e = http1_feed(&r.h, &in, &body);
			tell(&r, e, body);
		} while (e != HTTP1_MORE);
	}
	if (answers && t->eof)
		tell(&r, http1_eof(&r.h), (struct http1_span){ 0 });
	http1_done(&r.h);
}

/* --- theirs ---------------------------------------------------------------------------------- */

/* The bodies of a transaction. */
struct bodies {
	struct buf request;
	struct buf answer;
};

static struct bodies *bodies_of(htp_tx_t *tx)
{
	struct bodies *b = htp_tx_get_user_data(tx);

	if (!b) {
		b = calloc(1, sizeof(*b));
		assert_non_null(b);
		b->request = b->answer = BUF(TEXT_MAX);
		htp_tx_set_user_data(tx, b);
	}
	return b;
}

static int on_request_body(htp_tx_data_t *d)
{
	if (d->data)
		buf_append(&bodies_of(d->tx)->request, d->data, d->len);
	return HTP_OK;
}

static int on_answer_body(htp_tx_data_t *d)
{
	if (d->data)
		buf_append(&bodies_of(d->tx)->answer, d->data, d->len);
	return HTP_OK;
}

static void put_bstr(struct buf *out, const char *before, const bstr *s)
{
	put_span(out, before, s ? (const char *)bstr_ptr(s) : "", s ? bstr_len(s) : 0);
}

/* Trailers are among the fields there; ours begin with "T-". */
static void tell_fields(const htp_table_t *fields, struct buf *out)
{
	for (size_t i = 0; i < htp_table_size(fields); i++) {
		const htp_header_t *f = htp_table_get_index(fields, i, NULL);

		if (bstr_len(f->name) > 2 && !memcmp(bstr_ptr(f->name), "T-", 2))
			continue;
		put_bstr(out, " ", f->name);
		put_bstr(out, ": ", f->value);
		buf_putc(out, '\n');
	}
}

static void tell_theirs(htp_tx_t *tx, bool answers, struct buf *out)
{
	struct bodies *b = bodies_of(tx);
	struct buf *body = answers ? &b->answer : &b->request;
	bool complete = answers ? tx->response_progress == HTP_RESPONSE_COMPLETE
				: tx->request_progress == HTP_REQUEST_COMPLETE;

	if (answers)
		buf_printf(out, "%d 1.%d", tx->response_status_number,
			   tx->response_protocol_number - 100);
	else
		put_bstr(out, "", tx->request_method);
	put_bstr(out, " ", answers ? tx->response_message : tx->request_uri);
	buf_putc(out, '\n');
	tell_fields(answers ? tx->response_headers : tx->request_headers, out);
	buf_append(out, buf_str(body), body->len);
	buf_puts(out, complete ? "\n.\n" : "");
}

static void read_theirs(const struct talk *t, struct buf *requests, struct buf *answers)
{
	static htp_cfg_t *config;
	struct timeval now = { 0 };
	htp_list_t *list;
	htp_connp_t *c;

	if (!config) {
		config = htp_config_create();
		htp_config_set_server_personality(config, HTP_SERVER_GENERIC);
		htp_config_set_response_decompression(config, 0);
		htp_config_register_request_body_data(config, on_request_body);
		htp_config_register_response_body_data(config, on_answer_body);
	}
	c = htp_connp_create(config);
	htp_connp_open(c, "192.0.2.1", 1, "192.0.2.2", 80, &now);
	htp_connp_req_data(c, &now, buf_str(&t->requests), t->requests.len);
	if (t->answers.len)
		htp_connp_res_data(c, &now, buf_str(&t->answers), t->answers.len);
	if (t->eof)
		htp_connp_close(c, &now);
	list = htp_connp_get_connection(c)->transactions;
	for (size_t i = 0; i < htp_list_size(list) && i < t->n; i++) {
		htp_tx_t *tx = htp_list_get(list, i);

		tell_theirs(tx, false, requests);
		tell_theirs(tx, true, answers);
		buf_done(&bodies_of(tx)->request);
		buf_done(&bodies_of(tx)->answer);
		free(bodies_of(tx));
	}
	htp_connp_destroy_all(c);
}

/* --- made up ------------------------------------------------------------------------------------ */

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525U + 1013904223U;
	return (seed >> 8) % n;
}

static void put_word(struct buf *out, const char *of, uint32_t least, uint32_t most)
{
	for (uint32_t n = least + below(most - least + 1); n; n--)
		buf_putc(out, of[below((uint32_t)strlen(of))]);
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAMES LETTERS "0123456789-_.~!#$%&'*+^`|"
#define VALUES LETTERS "0123456789 \t,;=\"/()<>@?[]{}\xc3\xa4:"
#define BODIES LETTERS "\r\n\r\n0123456789: {}[],\""

/* A field whose name is there once: libhtp joins those that are there twice. */
static void put_fields(struct buf *out)
{
	static const char *const blanks[] = { "", " ", "  ", "\t", " \t " };

	for (uint32_t i = 0, n = below(8); i < n; i++) {
		buf_printf(out, "X%u-", i);
		put_word(out, NAMES, 0, 12);
		buf_printf(out, ":%s", blanks[below(5)]);
		put_word(out, LETTERS, 1, 1); /* a value begins and ends with what is no blank */
		put_word(out, VALUES, 0, 40);
		put_word(out, LETTERS, 0, 1);
		buf_printf(out, "%s\r\n", blanks[below(5)]);
	}
}

static void put_chunks(struct buf *out)
{
	static const char *const extensions[] = { "", "", ";a", ";a=b", ";a=\"b;c\";d" };

	buf_puts(out, "Transfer-Encoding: chunked\r\n\r\n");
	for (uint32_t n = below(5); n; n--) {
		CLEANUP(buf_done) struct buf data = BUF(1000);

		put_word(&data, BODIES, 1, 300);
		buf_printf(out, below(2) ? "%zx" : "%zX", data.len);
		buf_printf(out, "%s\r\n", extensions[below(5)]);
		buf_append(out, data.data, data.len);
		buf_puts(out, "\r\n");
	}
	buf_puts(out, below(2) ? "0\r\n" : "000\r\n");
	if (below(3) == 0)
		buf_puts(out, "T-A: b\r\nT-C: d\r\n");
	buf_puts(out, "\r\n");
}

/* The end of the head, and a body. */
static void put_rest(struct buf *out)
{
	CLEANUP(buf_done) struct buf data = BUF(1000);

	if (below(2)) {
		put_chunks(out);
		return;
	}
	put_word(&data, BODIES, 0, 300);
	buf_printf(out, "%s: %zu\r\n\r\n", below(2) ? "Content-Length" : "content-length",
		   data.len);
	buf_append(out, buf_str(&data), data.len);
}

static void make_request(struct talk *t)
{
	static const char *const methods[] = { "GET",     "POST",  "PUT", "DELETE",
					       "OPTIONS", "PATCH", "HEAD" };
	uint32_t method = below(7);

	t->asked[t->n] = method == 6 ? HTTP1_ASKED_HEAD : HTTP1_ASKED_OTHER;
	buf_printf(&t->requests, "%s %s/", methods[method], below(5) ? "" : "http://a.b:1");
	put_word(&t->requests, NAMES "/?&=:@,;()[]", 0, 60);
	for (char *p = t->requests.data; (p = strchr(p, '#'));)
		*p = '+';
	buf_puts(&t->requests, " HTTP/1.1\r\nHost: a.b:1\r\n");
	put_fields(&t->requests);
	if (method == 1 || method == 2 || method == 5)
		put_rest(&t->requests);
	else
		buf_puts(&t->requests, "\r\n");
}

static void make_answer(struct talk *t, bool last)
{
	static const char *const statuses[] = { "200 OK",         "202 Accepted", "404 Not Found",
						"204 No Content", "500 ",         "401 Un\xc3\xa4" };
	uint32_t status = below(6);
	bool none = statuses[status][2] == '4' && statuses[status][0] == '2';

	if (below(6) == 0)
		buf_puts(&t->answers, "HTTP/1.1 100 Continue\r\n\r\n");
	buf_printf(&t->answers, "HTTP/1.1 %s\r\n", statuses[status]);
	put_fields(&t->answers);
	if (none) {
		buf_puts(&t->answers, "\r\n");
	} else if (t->asked[t->n] == HTTP1_ASKED_HEAD) {
		buf_puts(&t->answers, "Content-Length: 77\r\n\r\n");
	} else if (last && below(3) == 0) {
		t->eof = true;
		buf_puts(&t->answers, "\r\n");
		put_word(&t->answers, BODIES, 1, 200);
	} else {
		put_rest(&t->answers);
	}
}

/* --- comparing ------------------------------------------------------------------------------------ */

static void same(const char *name, const struct buf *bytes, const struct buf *here,
		 const struct buf *there)
{
	if (strcmp(buf_str(here), buf_str(there)) != 0)
		fail_msg("%s:\n%s\n--- here\n%s\n--- libhtp\n%s", name, buf_str(bytes),
			 buf_str(here), buf_str(there));
}

static void compare(const struct talk *t, const char *name)
{
	CLEANUP(buf_done) struct buf requests = BUF(TEXT_MAX);
	CLEANUP(buf_done) struct buf answers = BUF(TEXT_MAX);
	CLEANUP(buf_done) struct buf here = BUF(TEXT_MAX);

	read_theirs(t, &requests, &answers);
	read_ours(t, false, 1 + below(200), &here);
	same(name, &t->requests, &here, &requests);
	if (!t->answers.len)
		return;
	buf_clear(&here);
	read_ours(t, true, 1 + below(200), &here);
	same(name, &t->answers, &here, &answers);
}

static void test_made_up(void **state)
{
	(void)state;
	seed = SEED;
	for (unsigned int i = 0; i < CONNECTIONS; i++) {
		CLEANUP(talk_done) struct talk t;
		uint32_t n = 1 + below(EXCHANGES_MAX);
		char name[32];

		talk_init(&t);
		for (; t.n < n; t.n++) {
			make_request(&t);
			make_answer(&t, t.n + 1 == n);
		}
		snprintf(name, sizeof(name), "connection %u", i);
		compare(&t, name);
	}
}

/* --- llhttp's tests --------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *why;
} differences[] = {
	{ "LINK request", "fields of one name are joined there" },
	{ "Trailing headers", "trailers are among the fields there" },
};

static bool differs(const struct http1_vector *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++)
		if (!strcmp(v->name, differences[i].name))
			return true;
	return false;
}

/* How many final messages are in it; 0: it is refused, cut off or followed by something else. */
static unsigned int count(enum http1_kind kind, const struct buf *bytes)
{
	CLEANUP(http1_done) struct http1 h;
	struct http1_span in = { buf_str(bytes), bytes->len };
	struct http1_span body;
	unsigned int n = 0;
	enum http1_event e;

	http1_init(&h, kind, HTTP1_HEAD_MAX);
	do {
		e = http1_feed(&h, &in, &body);
		if (e == HTTP1_MESSAGE && !h.interim)
			n++;
		if (h.tunnel || h.upgrade || http1_equal(h.method, "CONNECT"))
			return 0;
	} while (e != HTTP1_MORE && e != HTTP1_ERROR);
	return e == HTTP1_MORE && http1_eof(&h) == HTTP1_MORE ? n : 0;
}

static void test_vectors(void **state)
{
	size_t n, compared = 0;
	struct http1_vector *v = http1_vectors_read(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		CLEANUP(talk_done) struct talk t;
		struct buf *bytes = v[i].answers ? &t.answers : &t.requests;

		talk_init(&t);
		http1_vector_with_host(&v[i], bytes);
		t.n = count(v[i].answers ? HTTP1_ANSWERS : HTTP1_REQUESTS, bytes);
		if (!t.n || t.n > EXCHANGES_MAX || differs(&v[i]))
			continue;
		for (unsigned int k = 0; v[i].answers && k < t.n; k++)
			buf_puts(&t.requests, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		compare(&t, v[i].name);
		compared++;
	}
	http1_vectors_free(v, n);
	assert_int_equal(compared, 41);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made_up),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
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
