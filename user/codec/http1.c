/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A head is taken line by line: what is kept of an unfinished line has been looked at for
 * control characters, in the order of the bytes, and nothing else happens before its end. So
 * the first error is the same however the bytes were cut. What is between chunks is taken
 * byte by byte by states, and not kept.
 */
#include "codec/http1.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_MIN 64U
#define HEAD_LIMIT (1U << 20)
#define FIELDS_FIRST 16U
#define REASON_AT 13U /* in "HTTP/1.1 200 OK" */

enum state {
	BETWEEN, /* no byte of the next message has come */
	START,   /* in its first line */
	FIELDS,
	BODY,       /* a length, or up to the end of the connection */
	CHUNK_SIZE, /* before the first digit */
	CHUNK_DIGITS,
	CHUNK_ANYTHING, /* tolerant: behind the size */
	CHUNK_NAME_FIRST,
	CHUNK_NAME,
	CHUNK_VALUE_FIRST,
	CHUNK_VALUE,
	CHUNK_QUOTED,
	CHUNK_ESCAPED,
	CHUNK_UNQUOTED,
	CHUNK_LF, /* behind the CR of its line */
	CHUNK_DATA,
	CHUNK_AFTER, /* behind the data */
	CHUNK_AFTER_LF,
	TRAILER, /* at the start of a line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	TRAILER_END_LF,
	COMPLETE, /* HTTP1_MESSAGE is to be told */
	CLOSED,   /* no message may follow */
	BROKEN,
};

static const char *const error_words[] = {
	[HTTP1_FINE] = "no error",
	[HTTP1_BAD_METHOD] = "the method is no token",
	[HTTP1_BAD_TARGET] = "the target of the request is malformed",
	[HTTP1_BAD_VERSION] = "it is not HTTP/1.0 or HTTP/1.1",
	[HTTP1_BAD_STATUS] = "the status is not a number from 100 to 599",
	[HTTP1_BAD_LINE_END] = "a line of the header does not end in CR LF",
	[HTTP1_BAD_CONTROL] = "a control character is in the header",
	[HTTP1_BAD_FIELD] = "a line of the header does not begin with a name and a colon",
	[HTTP1_BAD_FOLD] = "a line of the header begins with a blank",
	[HTTP1_BAD_LENGTH] = "Content-Length is not a number that can be",
	[HTTP1_TWO_LENGTHS] = "Content-Length is there twice",
	[HTTP1_BAD_CODING] = "Transfer-Encoding is not \"chunked\" in HTTP/1.1",
	[HTTP1_LENGTH_CODING] = "both Content-Length and Transfer-Encoding are there",
	[HTTP1_BAD_HOST] = "Host is missing, malformed or there twice",
	[HTTP1_BAD_CHUNK] = "a chunk is malformed",
	[HTTP1_CHUNK_TOO_LONG] = "a chunk is too long",
	[HTTP1_HEAD_TOO_LONG] = "the header is too long",
	[HTTP1_AFTER_END] = "something follows the last message of the connection",
	[HTTP1_CUT_OFF] = "the connection ended inside a message",
	[HTTP1_NO_MEMORY] = "no memory",
};
_Static_assert(ARRAY_SIZE(error_words) == HTTP1_ERROR_COUNT, "an error has no words");

const char *http1_error_words(enum http1_error error)
{
	return error < HTTP1_ERROR_COUNT ? error_words[error] : "an unknown error";
}

void http1_init(struct http1 *h, enum http1_kind kind, size_t head_max)
{
	memset(h, 0, sizeof(*h));
	h->kind = kind;
	h->head_max = head_max < HEAD_MIN ? HEAD_MIN : head_max;
	if (h->head_max > HEAD_LIMIT)
		h->head_max = HEAD_LIMIT;
	h->head = BUF(h->head_max);
}

void http1_reset(struct http1 *h)
{
	struct http1 old = *h;

	http1_init(h, old.kind, old.head_max);
	h->head = old.head;
	h->fields = old.fields;
	h->fields_cap = old.fields_cap;
	buf_clear(&h->head);
}

void http1_done(struct http1 *h)
{
	buf_done(&h->head);
	free(TAKE_PTR(h->fields));
	h->fields_cap = h->n_fields = 0;
}

void http1_asked(struct http1 *h, enum http1_asked asked)
{
	h->asked = asked;
}

static bool tolerant(const struct http1 *h)
{
	return h->kind == HTTP1_ANSWERS_TOLERANT;
}

/* All of a message, but not what the next answer is to. */
static void begin(struct http1 *h)
{
	h->method = h->target = h->reason = (struct http1_span){ 0 };
	h->first = (struct http1_place){ 0 };
	h->status = h->minor = h->n_fields = 0;
	h->framing = HTTP1_NO_BODY;
	h->length = h->left = 0;
	h->persist = h->interim = h->tunnel = h->upgrade = false;
	h->host = h->close = h->keep_alive = h->upgrade_token = h->upgrade_field = false;
	h->has_length = h->chunked = false;
	h->line = h->between = 0;
	h->begins = h->taken;
	buf_clear(&h->head);
	h->state = START;
}

static enum http1_event fail(struct http1 *h, enum http1_error error, uint64_t at)
{
	h->state = BROKEN;
	h->error = error;
	h->error_at = at;
	return HTTP1_ERROR;
}

static void take(struct http1 *h, struct http1_span *in, size_t n)
{
	h->taken += n;
	in->p += n;
	in->len -= n;
}

static bool is_control(char c)
{
	return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_tchar(char c)
{
	return http1_is_token((struct http1_span){ &c, 1 });
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* --- the first line ------------------------------------------------------------------------ */

/* The line that is complete, without its end; `at` is where it begins in the head. */
struct line {
	const char *p;
	size_t len;
	size_t at;
};

/* An error of the head, at a place of the line. */
static enum http1_event fail_line(struct http1 *h, enum http1_error error, const struct line *line,
				  size_t place)
{
	return fail(h, error, h->begins + line->at + place);
}

/* "host:port" */
static bool is_authority(const char *p, size_t len)
{
	size_t digits = 0;

	while (digits < len && is_digit(p[len - 1 - digits]))
		digits++;
	if (!digits || digits > 5 || len < digits + 2 || p[len - 1 - digits] != ':')
		return false;
	return !memchr(p, '/', len) && !memchr(p, '?', len) && !memchr(p, '@', len);
}

/* "http://..." */
static bool is_absolute(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && ((p[n] | 0x20) >= 'a' && (p[n] | 0x20) <= 'z'))
		n++;
	while (n && n < len && (is_digit(p[n]) || strchr("+-.", p[n])))
		n++;
	return n && len > n + 3 && !memcmp(p + n, "://", 3);
}

/* A '#' is never sent: some would cut the target there. */
static bool is_target(struct http1_span method, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f || p[i] == '#')
			return false;
	if (http1_equal(method, "CONNECT"))
		return is_authority(p, len);
	if (len == 1 && *p == '*')
		return http1_equal(method, "OPTIONS");
	return len && (*p == '/' || is_absolute(p, len));
}

static enum http1_event take_version(struct http1 *h, const struct line *line, size_t place,
				     size_t len)
{
	const char *p = line->p + place;
	char most = tolerant(h) ? '9' : '1';

	if (len != 8 || memcmp(p, "HTTP/1.", 7) || p[7] < '0' || p[7] > most)
		return fail_line(h, HTTP1_BAD_VERSION, line, place);
	h->minor = (unsigned int)(p[7] - '0');
	return HTTP1_MORE;
}

static enum http1_event take_request(struct http1 *h, const struct line *line)
{
	const char *blank = memchr(line->p, ' ', line->len);
	size_t n = blank ? (size_t)(blank - line->p) : line->len;
	struct http1_span method = { line->p, n };
	size_t target = n + 1;
	const char *second;

	if (!blank || !http1_is_token(method))
		return fail_line(h, HTTP1_BAD_METHOD, line, 0);
	second = memchr(line->p + target, ' ', line->len - target);
	if (!second)
		return fail_line(h, HTTP1_BAD_VERSION, line, line->len);
	n = (size_t)(second - line->p) - target;
	if (take_version(h, line, target + n + 1, line->len - target - n - 1) == HTTP1_ERROR)
		return HTTP1_ERROR;
	if (!is_target(method, line->p + target, n))
		return fail_line(h, HTTP1_BAD_TARGET, line, target);
	h->first = (struct http1_place){ 0, (uint32_t)method.len, (uint32_t)target, (uint32_t)n };
	return HTTP1_MORE;
}

/* "HTTP/1.1 200 OK"; the blank behind the status may be missing with what follows it. */
static enum http1_event take_status(struct http1 *h, const struct line *line)
{
	const char *p = line->p + 9;

	if (take_version(h, line, 0, line->len < 8 ? line->len : 8) == HTTP1_ERROR)
		return HTTP1_ERROR;
	if (line->len < 9 || line->p[8] != ' ')
		return fail_line(h, HTTP1_BAD_VERSION, line, 8);
	if (line->len < 12 || p[0] < '1' || p[0] > '5' || !is_digit(p[1]) || !is_digit(p[2]) ||
	    (line->len > 12 && p[3] != ' '))
		return fail_line(h, HTTP1_BAD_STATUS, line, 9);
	h->status = (unsigned int)((p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0'));
	if (line->len > REASON_AT)
		h->first = (struct http1_place){ 0, 0, REASON_AT, (uint32_t)line->len - REASON_AT };
	return HTTP1_MORE;
}

/* --- fields that frame ------------------------------------------------------------------------ */

static bool parse_length(const char *p, size_t len, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (!is_digit(p[i]) || n > ((uint64_t)INT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(p[i] - '0');
	}
	*ret = n;
	return len > 0;
}

static enum http1_error add_length(struct http1 *h, const char *p, size_t len)
{
	uint64_t length;

	while (len && is_blank(*p)) {
		p++;
		len--;
	}
	while (len && is_blank(p[len - 1]))
		len--;
	if (!parse_length(p, len, &length))
		return HTTP1_BAD_LENGTH;
	if (h->has_length && (!tolerant(h) || h->length != length))
		return HTTP1_TWO_LENGTHS;
	h->has_length = true;
	h->length = length;
	return HTTP1_FINE;
}

static enum http1_error take_length(struct http1 *h, struct http1_span value)
{
	const char *p = value.p;
	const char *end = p + value.len;
	enum http1_error error = HTTP1_FINE;

	if (h->chunked && !tolerant(h))
		return HTTP1_LENGTH_CODING;
	if (!tolerant(h))
		return add_length(h, p, value.len);
	for (;;) { /* the same number several times */
		const char *comma = p < end ? memchr(p, ',', (size_t)(end - p)) : NULL;

		error = add_length(h, p, (size_t)((comma ? comma : end) - p));
		if (error || !comma)
			return error;
		p = comma + 1;
	}
}

static enum http1_error take_coding(struct http1 *h, struct http1_span value)
{
	if (h->chunked || !http1_equal_case(value, "chunked") || (!h->minor && !tolerant(h)))
		return HTTP1_BAD_CODING;
	if (h->has_length && !tolerant(h))
		return HTTP1_LENGTH_CODING;
	h->chunked = true;
	return HTTP1_FINE;
}

/* A name or an address, and a port; empty where the target names no host. */
static enum http1_error take_host(struct http1 *h, struct http1_span value)
{
	if (h->kind != HTTP1_REQUESTS)
		return HTTP1_FINE;
	if (h->host)
		return HTTP1_BAD_HOST;
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] <= ' ' || value.p[i] >= 0x7f ||
		    strchr("/?#@\\\"<>^`{|}", value.p[i]))
			return HTTP1_BAD_HOST;
	h->host = true;
	return HTTP1_FINE;
}

static enum http1_error take_connection(struct http1 *h, struct http1_span value)
{
	h->close |= http1_list_has(value, "close");
	h->keep_alive |= http1_list_has(value, "keep-alive");
	h->upgrade_token |= http1_list_has(value, "upgrade");
	return HTTP1_FINE;
}

static enum http1_error take_upgrade(struct http1 *h, struct http1_span value)
{
	h->upgrade_field = value.len > 0;
	return HTTP1_FINE;
}

static const struct {
	const char *name;
	enum http1_error (*take)(struct http1 *h, struct http1_span value);
} framing_fields[] = {
	{ "content-length", take_length },
	{ "transfer-encoding", take_coding },
	{ "host", take_host },
	{ "connection", take_connection },
	{ "upgrade", take_upgrade },
};

static enum http1_error add_field(struct http1 *h, struct http1_place place)
{
	if (h->n_fields >= HTTP1_FIELDS_MAX)
		return HTTP1_HEAD_TOO_LONG;
	if (h->n_fields == h->fields_cap) {
		unsigned int cap = h->fields_cap ? h->fields_cap * 2 : FIELDS_FIRST;
		struct http1_place *fields = reallocarray(h->fields, cap, sizeof(*fields));

		if (!fields)
			return HTTP1_NO_MEMORY;
		h->fields = fields;
		h->fields_cap = cap;
	}
	h->fields[h->n_fields++] = place;
	return HTTP1_FINE;
}

/* Looks at it if it says something of the message's framing. */
static enum http1_error frame(struct http1 *h, struct http1_field f)
{
	for (size_t i = 0; i < ARRAY_SIZE(framing_fields); i++)
		if (http1_equal_case(f.name, framing_fields[i].name))
			return framing_fields[i].take(h, f.value);
	return HTTP1_FINE;
}

static enum http1_event take_field(struct http1 *h, const struct line *line)
{
	const char *colon = memchr(line->p, ':', line->len);
	size_t name = colon ? (size_t)(colon - line->p) : line->len;
	size_t from = name + 1;
	size_t to = line->len;
	size_t bad = 0;
	enum http1_error error;

	if (is_blank(line->p[0]))
		return fail_line(h, HTTP1_BAD_FOLD, line, 0);
	if (!colon || !http1_is_token((struct http1_span){ line->p, name })) {
		while (bad < name && is_tchar(line->p[bad]))
			bad++;
		return fail_line(h, HTTP1_BAD_FIELD, line, bad);
	}
	while (from < to && is_blank(line->p[from]))
		from++;
	while (to > from && is_blank(line->p[to - 1]))
		to--;
	error = add_field(h, (struct http1_place){ (uint32_t)line->at, (uint32_t)name,
						   (uint32_t)(line->at + from),
						   (uint32_t)(to - from) });
	if (error)
		return fail_line(h, error, line, 0);
	error = frame(h, http1_field(h, h->n_fields - 1));
	return error ? fail_line(h, error, line, from) : HTTP1_MORE;
}

/* --- the end of the head ------------------------------------------------------------------------ */

static enum http1_framing answer_framing(const struct http1 *h)
{
	if (h->interim || h->tunnel || h->asked == HTTP1_ASKED_HEAD || h->status == 204 ||
	    h->status == 304)
		return HTTP1_NO_BODY;
	if (h->chunked)
		return HTTP1_BY_CHUNKS;
	return h->has_length ? HTTP1_BY_LENGTH : HTTP1_BY_CLOSE;
}

static enum http1_framing request_framing(const struct http1 *h)
{
	if (h->chunked)
		return HTTP1_BY_CHUNKS;
	return h->has_length ? HTTP1_BY_LENGTH : HTTP1_NO_BODY;
}

static enum http1_error check_request(const struct http1 *h)
{
	if (h->minor && !h->host)
		return HTTP1_BAD_HOST;
	if (!http1_equal(h->method, "CONNECT"))
		return HTTP1_FINE;
	if (h->chunked)
		return HTTP1_BAD_CODING;
	return h->length ? HTTP1_BAD_LENGTH : HTTP1_FINE;
}

static enum http1_event head_end(struct http1 *h, const struct line *line)
{
	bool request = h->kind == HTTP1_REQUESTS;
	enum http1_error error;

	h->method = (struct http1_span){ h->head.data, h->first.name_len };
	*(request ? &h->target : &h->reason) =
		(struct http1_span){ h->head.data + h->first.value, h->first.value_len };
	error = request ? check_request(h) : HTTP1_FINE;
	if (error)
		return fail_line(h, error, line, 0);
	h->interim = !request && h->status < 200 && h->status != 101;
	h->tunnel = h->status == 101 ||
		    (h->asked == HTTP1_ASKED_CONNECT && h->status >= 200 && h->status < 300);
	h->upgrade = h->upgrade_token && h->upgrade_field;
	h->framing = request ? request_framing(h) : answer_framing(h);
	if (h->framing != HTTP1_BY_LENGTH)
		h->length = 0;
	h->left = h->length;
	h->persist = h->interim || (!h->close && !h->tunnel && (h->minor || h->keep_alive) &&
				    h->framing != HTTP1_BY_CLOSE);
	if (h->framing == HTTP1_BY_CHUNKS)
		h->state = CHUNK_SIZE;
	else if (h->framing == HTTP1_BY_CLOSE || h->left)
		h->state = BODY;
	else
		h->state = COMPLETE;
	h->between = 0;
	return HTTP1_HEAD;
}

static enum http1_event take_line(struct http1 *h)
{
	struct line line = { h->head.data + h->line, h->head.len - h->line - 1, h->line };
	const char *cr = line.len ? memchr(line.p, '\r', line.len) : NULL;
	enum http1_event e;

	if (cr && cr < line.p + line.len - 1)
		return fail_line(h, HTTP1_BAD_LINE_END, &line, (size_t)(cr - line.p));
	if (!cr && !tolerant(h))
		return fail_line(h, HTTP1_BAD_LINE_END, &line, line.len);
	line.len -= cr != NULL;
	h->line = h->head.len;
	if (h->state == FIELDS)
		return line.len ? take_field(h, &line) : head_end(h, &line);
	if (!line.len && h->kind == HTTP1_REQUESTS) { /* RFC 9112, 2.2 */
		h->line = 0;
		h->between += h->head.len;
		h->begins = h->taken;
		buf_clear(&h->head);
		return h->between > h->head_max ? fail(h, HTTP1_HEAD_TOO_LONG, h->taken)
						: HTTP1_MORE;
	}
	e = h->kind == HTTP1_REQUESTS ? take_request(h, &line) : take_status(h, &line);
	if (e == HTTP1_MORE)
		h->state = FIELDS;
	return e;
}

/* Adds to the line of the head, and takes it if it is complete. */
static enum http1_event feed_head(struct http1 *h, struct http1_span *in)
{
	const char *feed = memchr(in->p, '\n', in->len);
	size_t n = feed ? (size_t)(feed - in->p) + 1 : in->len;
	size_t room = h->head_max - h->head.len;
	size_t looked = n < room ? n : room;

	for (size_t i = 0; i < looked - (feed && n <= room); i++)
		if (is_control(in->p[i]) && in->p[i] != '\r') {
			take(h, in, i);
			return fail(h, HTTP1_BAD_CONTROL, h->taken);
		}
	if (n > room) {
		take(h, in, room);
		return fail(h, HTTP1_HEAD_TOO_LONG, h->taken);
	}
	buf_append(&h->head, in->p, n);
	if (buf_error(&h->head))
		return fail(h, HTTP1_NO_MEMORY, h->taken);
	take(h, in, n);
	return feed ? take_line(h) : HTTP1_MORE;
}

/* --- chunks --------------------------------------------------------------------------------------- */

/* The line that a chunk begins with is complete. */
static enum http1_error chunk_begins(struct http1 *h)
{
	h->state = h->left ? CHUNK_DATA : TRAILER;
	h->between = 0;
	return HTTP1_FINE;
}

/* Its line may end here. */
static enum http1_error chunk_line_end(struct http1 *h, char c)
{
	if (c == '\n' && tolerant(h))
		return chunk_begins(h);
	h->state = CHUNK_LF;
	return c == '\r' ? HTTP1_FINE : HTTP1_BAD_CHUNK;
}

static enum http1_error chunk_digit(struct http1 *h, char c)
{
	unsigned int letter = (unsigned char)c | 0x20;

	if (!is_digit(c) && (letter < 'a' || letter > 'f'))
		return HTTP1_BAD_CHUNK;
	if (h->left >> 56)
		return HTTP1_CHUNK_TOO_LONG;
	h->left = h->left * 16 + (is_digit(c) ? (unsigned int)(c - '0') : letter - 'a' + 10);
	h->state = CHUNK_DIGITS;
	return HTTP1_FINE;
}

static enum http1_error chunk_size_byte(struct http1 *h, char c)
{
	if (h->state == CHUNK_SIZE) {
		h->left = 0;
		return chunk_digit(h, c);
	}
	if (c == '\r' || c == '\n')
		return chunk_line_end(h, c);
	if (c == ';' || (tolerant(h) && is_blank(c))) {
		h->state = tolerant(h) ? CHUNK_ANYTHING : CHUNK_NAME_FIRST;
		return HTTP1_FINE;
	}
	return chunk_digit(h, c);
}

/* ;name=value;name="quoted" without blanks. */
static enum http1_error chunk_extension_byte(struct http1 *h, char c)
{
	bool token = is_tchar(c);
	bool named = h->state == CHUNK_NAME;
	bool ends = named || h->state == CHUNK_VALUE || h->state == CHUNK_UNQUOTED;

	if (h->state == CHUNK_ANYTHING) {
		if (c == '\r' || c == '\n')
			return chunk_line_end(h, c);
		return is_control(c) ? HTTP1_BAD_CHUNK : HTTP1_FINE;
	}
	if (h->state == CHUNK_ESCAPED || h->state == CHUNK_QUOTED) {
		if (h->state == CHUNK_QUOTED && c == '"')
			h->state = CHUNK_UNQUOTED;
		else
			h->state = h->state == CHUNK_QUOTED && c == '\\' ? CHUNK_ESCAPED
									 : CHUNK_QUOTED;
		return is_control(c) ? HTTP1_BAD_CHUNK : HTTP1_FINE;
	}
	if (token && h->state != CHUNK_UNQUOTED) {
		if (h->state == CHUNK_NAME_FIRST)
			h->state = CHUNK_NAME;
		else if (h->state == CHUNK_VALUE_FIRST)
			h->state = CHUNK_VALUE;
		return HTTP1_FINE;
	}
	if (named && c == '=')
		h->state = CHUNK_VALUE_FIRST;
	else if (h->state == CHUNK_VALUE_FIRST && c == '"')
		h->state = CHUNK_QUOTED;
	else if (ends && c == ';')
		h->state = CHUNK_NAME_FIRST;
	else
		return ends ? chunk_line_end(h, c) : HTTP1_BAD_CHUNK;
	return HTTP1_FINE;
}

static enum http1_error expect_lf(struct http1 *h, char c, enum state next)
{
	h->state = next;
	return c == '\n' ? HTTP1_FINE : HTTP1_BAD_CHUNK;
}

static enum http1_error chunk_after_byte(struct http1 *h, char c)
{
	if (h->state == CHUNK_AFTER_LF || (c == '\n' && tolerant(h)))
		return expect_lf(h, c, CHUNK_SIZE);
	h->state = CHUNK_AFTER_LF;
	return c == '\r' ? HTTP1_FINE : HTTP1_BAD_CHUNK;
}

/* Trailers are looked at like fields, and not kept: nobody here acts on one. */
static enum http1_error trailer_byte(struct http1 *h, char c)
{
	enum state state = h->state;

	if (state == TRAILER_LF || state == TRAILER_END_LF)
		return expect_lf(h, c, state == TRAILER_LF ? TRAILER : COMPLETE);
	if (state == TRAILER_NAME || (state == TRAILER && c != '\r' && c != '\n')) {
		if (tolerant(h))
			h->state = TRAILER_VALUE;
		else if (c == ':' && state == TRAILER_NAME)
			h->state = TRAILER_VALUE;
		else if (is_tchar(c))
			h->state = TRAILER_NAME;
		else
			return is_blank(c) && state == TRAILER ? HTTP1_BAD_FOLD : HTTP1_BAD_FIELD;
		return is_control(c) ? HTTP1_BAD_CONTROL : HTTP1_FINE;
	}
	if (c == '\n' && tolerant(h))
		return expect_lf(h, c, state == TRAILER ? COMPLETE : TRAILER);
	if (c == '\n')
		return HTTP1_BAD_LINE_END;
	if (c == '\r')
		h->state = state == TRAILER ? TRAILER_END_LF : TRAILER_LF;
	return c != '\r' && is_control(c) ? HTTP1_BAD_CONTROL : HTTP1_FINE;
}

static enum http1_error between_byte(struct http1 *h, char c)
{
	size_t max = h->state >= TRAILER ? h->head_max : HTTP1_CHUNK_LINE_MAX;

	if (++h->between > max)
		return h->state >= TRAILER ? HTTP1_HEAD_TOO_LONG : HTTP1_BAD_CHUNK;
	if (h->state == CHUNK_LF) {
		(void)chunk_begins(h);
		return c == '\n' ? HTTP1_FINE : HTTP1_BAD_CHUNK;
	}
	if (h->state >= TRAILER)
		return trailer_byte(h, c);
	if (h->state == CHUNK_AFTER || h->state == CHUNK_AFTER_LF)
		return chunk_after_byte(h, c);
	return h->state <= CHUNK_DIGITS ? chunk_size_byte(h, c) : chunk_extension_byte(h, c);
}

static enum http1_event feed_between(struct http1 *h, struct http1_span *in)
{
	size_t n = 0;

	while (n < in->len && h->state != CHUNK_DATA && h->state != COMPLETE) {
		enum http1_error error = between_byte(h, in->p[n]);

		if (error) {
			take(h, in, n);
			return fail(h, error, h->taken);
		}
		n++;
	}
	take(h, in, n);
	return HTTP1_MORE;
}

/* --- interface --------------------------------------------------------------------------------------- */

static enum http1_event feed_body(struct http1 *h, struct http1_span *in,
				  struct http1_span *ret_body)
{
	bool bounded = h->framing != HTTP1_BY_CLOSE;
	size_t n = bounded && in->len > h->left ? (size_t)h->left : in->len;

	*ret_body = (struct http1_span){ in->p, n };
	take(h, in, n);
	if (bounded)
		h->left -= n;
	if (bounded && !h->left)
		h->state = h->framing == HTTP1_BY_CHUNKS ? CHUNK_AFTER : COMPLETE;
	return HTTP1_BODY;
}

static enum http1_event message_end(struct http1 *h)
{
	h->state = h->persist ? BETWEEN : CLOSED;
	if (!h->interim)
		h->asked = HTTP1_ASKED_OTHER;
	return HTTP1_MESSAGE;
}

static enum http1_event feed_some(struct http1 *h, struct http1_span *in,
				  struct http1_span *ret_body)
{
	switch (h->state) {
	case COMPLETE:
		return message_end(h);
	case CLOSED:
		return fail(h, HTTP1_AFTER_END, h->taken);
	case BETWEEN:
		begin(h);
		return feed_head(h, in);
	case START:
	case FIELDS:
		return feed_head(h, in);
	case BODY:
	case CHUNK_DATA:
		return feed_body(h, in, ret_body);
	default:
		return feed_between(h, in);
	}
}

enum http1_event http1_feed(struct http1 *h, struct http1_span *in, struct http1_span *ret_body)
{
	enum http1_event e = HTTP1_MORE;

	*ret_body = (struct http1_span){ 0 };
	if (h->state == BROKEN)
		return HTTP1_ERROR;
	while (e == HTTP1_MORE && (in->len || h->state == COMPLETE))
		e = feed_some(h, in, ret_body);
	return e;
}

enum http1_event http1_eof(struct http1 *h)
{
	bool nothing = h->state == BETWEEN || h->state == CLOSED ||
		       (h->state == START && !h->head.len);

	if (h->state == BROKEN)
		return HTTP1_ERROR;
	if (h->state == COMPLETE || (h->state == BODY && h->framing == HTTP1_BY_CLOSE)) {
		h->persist = false;
		return message_end(h);
	}
	return nothing ? HTTP1_MORE : fail(h, HTTP1_CUT_OFF, h->taken);
}
