/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/probe_answer.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "codec/jsonget.h"
#include "codec/mcp.h"

#define RETRY_MAX_S (SG_RETRY_AFTER_MAX_NS / NS_PER_SEC)

void probe_answer_init(struct probe_answer *a, const struct sg_http_table *table)
{
	memset(a, 0, sizeof(*a));
	a->table = table;
	a->max = PROBE_ANSWER_MAX;
	a->text = BUF(PROBE_ANSWER_MAX);
	sse_init(&a->events, PROBE_ANSWER_MAX);
	http1_init(&a->reader, HTTP1_ANSWERS_TOLERANT, PROBE_HEAD_MAX);
	probe_answer_reset(a, 0, false, false);
}

void probe_answer_done(struct probe_answer *a)
{
	http1_done(&a->reader);
	sse_done(&a->events);
	buf_done(&a->text);
	json_object_put(TAKE_PTR(a->kept));
}

void probe_answer_keep(struct probe_answer *a, size_t max)
{
	a->keep = true;
	a->max = max;
	a->text.max = max;
	sse_done(&a->events);
	sse_init(&a->events, max);
}

void probe_answer_reset(struct probe_answer *a, int id, bool message, bool modern)
{
	json_object_put(TAKE_PTR(a->kept));
	buf_clear(&a->text);
	sse_reset(&a->events);
	http1_reset(&a->reader);
	sg_http_reset(&a->http);
	a->result = (struct probe_result){ 0 };
	a->protocol[0] = '\0';
	a->taken = a->head_taken = 0;
	a->code = 0;
	a->stream = a->over = false;
	a->head = true;
	a->id = id;
	a->message = message;
	a->modern = modern;
}

/* --- results ---------------------------------------------------------------------------- */

static uint64_t retry_after(const struct probe_answer *a)
{
	uint64_t seconds = a->http.number[SG_SLOT_RETRY];
	uint64_t ns;

	if (!(a->http.bits & SG_HTTP_DATE))
		return seconds < RETRY_MAX_S ? seconds * NS_PER_SEC : SG_RETRY_AFTER_MAX_NS;
	ns = a->wall_ns ? sg_http_date_ns(seconds, a->wall_ns) : 0;
	return ns < SG_RETRY_AFTER_MAX_NS ? ns : SG_RETRY_AFTER_MAX_NS;
}

static void finish(struct probe_answer *a, enum sg_class class, enum sg_cause cause, bool complete)
{
	if (a->over)
		return;
	a->over = true;
	a->result.class = class;
	a->result.cause = cause;
	a->result.complete = complete;
	if (class == SG_SOFT)
		a->result.retry_after_ns = retry_after(a);
}

static void malformed(struct probe_answer *a)
{
	finish(a, SG_HARD, SG_CAUSE_BAD_RESPONSE, false);
}

/* We would not read on, which says nothing of the server: ignored, and not complete. */
static void too_much(struct probe_answer *a)
{
	finish(a, SG_LOCAL, SG_CAUSE_NONE, false);
}

/* --- messages ---------------------------------------------------------------------------- */

static void judge_message(struct probe_answer *a, const struct mcp_message *m)
{
	struct mcp_id ours = mcp_id_of(a->id);
	enum sg_class class = mcp_class(m, a->modern);

	if (a->stream && m->method[0] && m->kind != MCP_MALFORMED)
		return; /* a notification or request of the server: the answer follows */
	if ((m->kind != MCP_ERROR && m->kind != MCP_RESULT) ||
	    (m->id.type != MCP_ID_NONE && !mcp_id_equal(&m->id, &ours))) {
		malformed(a);
		return;
	}
	a->code = m->code;
	memcpy(a->protocol, m->protocol, sizeof(a->protocol));
	if (a->keep && class == SG_SUCCESS)
		a->kept = json_object_get(m->result);
	finish(a, class, SG_CAUSE_ANSWER, true);
}

/* The message, or the one of a batch that answers the request: it has to hold one. */
static void judge_document(struct probe_answer *a, const struct mcp_document *d)
{
	struct mcp_id ours = mcp_id_of(a->id);
	struct mcp_message m;

	for (size_t i = 0; i < d->n; i++) {
		mcp_message(d, i, &m);
		if (!d->batch || (!m.method[0] && mcp_id_equal(&m.id, &ours))) {
			judge_message(a, &m);
			return;
		}
	}
	malformed(a);
}

static void judge_text(struct probe_answer *a, const struct buf *text)
{
	CLEANUP(mcp_document_done) struct mcp_document d = { 0 };
	int r = buf_error(text);

	if (!r)
		r = mcp_parse(buf_str(text), text->len, a->keep, &d);
	if (r == -ENOMEM || r == -EMSGSIZE)
		too_much(a);
	else if (r)
		malformed(a);
	else
		judge_document(a, &d);
}

/* --- the body --------------------------------------------------------------------------------- */

/* An event with data is a message unless it says something else. */
static void stream_bytes(struct probe_answer *a, const char *data, size_t len)
{
	enum sse_came came = SSE_EVENT;

	while (!a->over && came == SSE_EVENT) {
		const char *type = a->events.type;

		came = sse_feed(&a->events, &data, &len);
		if (came == SSE_ERROR)
			too_much(a);
		else if (came == SSE_EVENT && a->events.data.len &&
			 (!*type || !strcmp(type, "message")))
			judge_text(a, &a->events.data);
	}
}

static void body_bytes(struct probe_answer *a, struct http1_span body)
{
	const char *zero = memchr(body.p, '\0', body.len);

	if (a->result.status != 200)
		return; /* the status says it all */
	if (!a->stream) {
		buf_append(&a->text, body.p, body.len);
		return;
	}
	stream_bytes(a, body.p, zero ? (size_t)(zero - body.p) : body.len);
	if (zero)
		malformed(a);
}

/* The answer is complete by its framing. */
static void body_end(struct probe_answer *a)
{
	uint8_t cause;
	enum sg_class class = sg_http_class(&a->http, SG_METHOD_POST, &cause);

	if (a->result.status != 200) /* no message with it: neutral, even if it is a 2xx */
		finish(a, class == SG_SUCCESS ? SG_CALLER : class,
		       class == SG_SUCCESS ? SG_CAUSE_STATUS : (enum sg_cause)cause, true);
	else if (!a->stream)
		judge_text(a, &a->text);
	else if (a->events.has_id) /* it may have been meant: agents come back for their answer */
		finish(a, SG_CALLER, SG_CAUSE_NONE, false);
	else
		finish(a, SG_HARD, SG_CAUSE_TRUNCATED, false);
}

/* --- the header ----------------------------------------------------------------------------------- */

void probe_answer_session(const struct probe_answer *a, char out[PROBE_SESSION_MAX + 1])
{
	struct http1_span id = { 0 };

	out[0] = '\0';
	if (!http1_find(&a->reader, "mcp-session-id", &id) || id.len > PROBE_SESSION_MAX)
		return;
	for (size_t i = 0; i < id.len; i++)
		if (id.p[i] < 0x21 || id.p[i] > 0x7e)
			return;
	memcpy(out, id.p, id.len);
	out[id.len] = '\0';
}

/* The header is complete: is that all? */
static void head_end(struct probe_answer *a)
{
	uint8_t cause;
	enum sg_class class = sg_http_class(&a->http, SG_METHOD_POST, &cause);

	a->head = false;
	a->result.status = (uint16_t)sg_http_status(&a->http);
	if (!a->message && a->result.status / 100 == 2) {
		finish(a, SG_SUCCESS, SG_CAUSE_ANSWER, true);
		return;
	}
	if (!a->message || class == SG_HARD || class == SG_SOFT) {
		finish(a, class, (enum sg_cause)cause, false);
		return;
	}
	sg_http_body_begin(&a->http);
	a->stream = a->http.bits & SG_HTTP_STREAM;
}

/* The automaton looks at what http1 has taken of a header. */
static void head_bytes(struct probe_answer *a, const char *data, size_t len)
{
	a->head_taken += len;
	for (size_t i = 0; i < len; i++)
		sg_http_byte(&a->http, a->table, (__u8)data[i]);
}

/* --- interface --------------------------------------------------------------------------------------- */

/* What http1 does not read. A status that cannot be is told all the same; the digits of a size are
 * too many when they are, whatever follows them. */
static void unreadable(struct probe_answer *a)
{
	if (a->reader.left > a->max) {
		too_much(a);
		return;
	}
	switch (a->reader.error) {
	case HTTP1_CHUNK_TOO_LONG:
	case HTTP1_NO_MEMORY:
		too_much(a);
		break;
	case HTTP1_BAD_STATUS:
		a->result.status = (uint16_t)sg_http_status(&a->http);
		malformed(a);
		break;
	default:
		malformed(a);
		break;
	}
}

static void message_end(struct probe_answer *a)
{
	if (a->reader.interim)
		sg_http_reset(&a->http);
	else
		body_end(a);
}

/* Some bytes, all of which may be taken; returns how many were. */
static size_t answer_bytes(struct probe_answer *a, const char *data, size_t len)
{
	struct http1_span in = { data, len };
	enum http1_event e = HTTP1_HEAD;

	while (!a->over && e != HTTP1_MORE) {
		struct http1_span body;
		const char *from = in.p;

		e = http1_feed(&a->reader, &in, &body);
		if (a->head)
			head_bytes(a, from, (size_t)(in.p - from));
		if (a->http.bits & SG_HTTP_BAD)
			malformed(a); /* which the automaton may know before the line ends */
		else if (e == HTTP1_ERROR)
			unreadable(a);
		else if (e == HTTP1_HEAD && !a->reader.interim)
			head_end(a);
		else if (e == HTTP1_MESSAGE)
			message_end(a);
		if (!a->over && a->reader.left + body.len > a->max)
			too_much(a);
		if (!a->over && e == HTTP1_BODY)
			body_bytes(a, body);
	}
	return len - in.len;
}

bool probe_answer_feed(struct probe_answer *a, const char *data, size_t len)
{
	while (len && !a->over) {
		size_t room = a->max - a->taken;
		size_t n;

		if (a->head && room > PROBE_HEAD_MAX - a->head_taken)
			room = PROBE_HEAD_MAX - a->head_taken;
		if (!room) {
			a->taken++;
			if (a->taken > a->max)
				too_much(a);
			else
				malformed(a);
			break;
		}
		n = answer_bytes(a, data, len < room ? len : room);
		a->taken += n;
		data += n;
		len -= n;
	}
	return a->over;
}

bool probe_answer_eof(struct probe_answer *a)
{
	uint8_t cause;
	enum sg_class class = sg_http_class(&a->http, SG_METHOD_POST, &cause);

	if (!a->over && http1_eof(&a->reader) == HTTP1_MESSAGE)
		body_end(a);
	if (!a->over && sg_http_refuses(&a->http))
		finish(a, class, (enum sg_cause)cause, false); /* no body makes it better */
	finish(a, SG_HARD, SG_CAUSE_TRUNCATED, false);         /* unless it was complete */
	return true;
}
