/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/probe_answer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/parse.h"
#include "codec/jsonget.h"
#include "codec/jsonpos.h"

#define RETRY_MAX_S (SG_RETRY_AFTER_MAX_NS / NS_PER_SEC)

/* Where a chunked body stands. */
enum chunk_state {
	CHUNK_SIZE,      /* before the first digit of a size */
	CHUNK_DIGITS,    /* in the size */
	CHUNK_EXTENSION, /* behind it, up to the line feed */
	CHUNK_DATA,
	CHUNK_DATA_END, /* CR LF behind the data */
	CHUNK_TRAILER,  /* at the start of a line of the trailer */
	CHUNK_TRAILER_LINE,
};

void probe_answer_init(struct probe_answer *a, const struct sg_http_table *table)
{
	memset(a, 0, sizeof(*a));
	a->table = table;
	a->max = PROBE_ANSWER_MAX;
	a->head = BUF(PROBE_HEAD_MAX);
	a->text = BUF(PROBE_ANSWER_MAX);
	a->event = BUF(PROBE_ANSWER_MAX);
	probe_answer_reset(a, 0, false, false);
}

void probe_answer_done(struct probe_answer *a)
{
	buf_done(&a->head);
	buf_done(&a->text);
	buf_done(&a->event);
	json_object_put(TAKE_PTR(a->kept));
}

void probe_answer_keep(struct probe_answer *a, size_t max)
{
	a->keep = true;
	a->max = max;
	a->text.max = max;
	a->event.max = max;
}

void probe_answer_reset(struct probe_answer *a, int id, bool message, bool modern)
{
	struct probe_answer fresh = { .table = a->table,
				      .id = id,
				      .wall_ns = a->wall_ns,
				      .message = message,
				      .modern = modern,
				      .keep = a->keep,
				      .max = a->max,
				      .head = a->head,
				      .text = a->text,
				      .event = a->event };

	json_object_put(a->kept);
	buf_clear(&fresh.head);
	buf_clear(&fresh.text);
	buf_clear(&fresh.event);
	sg_http_reset(&fresh.http);
	*a = fresh;
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

enum sg_class probe_code_class(int64_t code, bool modern)
{
	if (code == -32603)
		return SG_HARD;
	if (code == -32002 || code > -32000 || code < -32019)
		return SG_CALLER;
	return modern || code < -32002 ? SG_HARD : SG_CALLER;
}

/* --- messages ---------------------------------------------------------------------------- */

static void judge_error(struct probe_answer *a, const struct json_object *error)
{
	struct json_object *code = jget(error, "code");

	if (!json_object_is_type(code, json_type_int)) {
		malformed(a);
		return;
	}
	a->code = json_object_get_int64(code);
	finish(a, probe_code_class(a->code, a->modern), SG_CAUSE_ANSWER, true);
}

static void judge_result(struct probe_answer *a, struct json_object *result)
{
	enum sg_class class = SG_SUCCESS;

	if (!json_object_is_type(result, json_type_object)) {
		malformed(a);
		return;
	}
	jget_copy(result, "protocolVersion", a->protocol, sizeof(a->protocol));
	if (!strcmp(jget_text(result, "resultType", ""), "input_required"))
		class = SG_CALLER;
	else if (jget_bool(result, "isError", false))
		class = SG_APP;
	if (a->keep && class == SG_SUCCESS)
		a->kept = json_object_get(result);
	finish(a, class, SG_CAUSE_ANSWER, true);
}

/* An error may come without id: a server that could not read the request has none. */
static bool is_ours(const struct probe_answer *a, const struct json_object *id, bool error)
{
	if (!id)
		return error;
	return json_object_is_type(id, json_type_int) && json_object_get_int64(id) == a->id;
}

static void judge_message(struct probe_answer *a, const struct json_object *message)
{
	struct json_object *error = jget(message, "error");
	struct json_object *result = jget(message, "result");

	if (strcmp(jget_text(message, "jsonrpc", ""), "2.0")) {
		malformed(a);
		return;
	}
	if (a->stream && jget_text(message, "method", NULL))
		return; /* a notification or request of the server: the answer follows */
	if (!result == !error || !is_ours(a, jget(message, "id"), error))
		malformed(a);
	else if (error)
		judge_error(a, error);
	else
		judge_result(a, result);
}

/* The member of a batch that answers the request; the batch has to hold one. */
static const struct json_object *batch_find(const struct probe_answer *a,
					    const struct json_object *batch)
{
	for (size_t i = 0; i < json_object_array_length(batch); i++) {
		const struct json_object *m = json_object_array_get_idx(batch, i);
		const struct json_object *id = jget(m, "id");

		if (id && !jget(m, "method") && is_ours(a, id, false))
			return m;
	}
	return NULL;
}

static int parse(const struct probe_answer *a, const struct buf *text, struct json_object **ret)
{
	struct jsonpos_fault fault;

	if (a->keep)
		return jsonpos_parse(buf_str(text), text->len, PROBE_DEPTH_MAX, ret, &fault);
	return json_parse(buf_str(text), text->len, PROBE_DEPTH_MAX, ret);
}

static void judge_text(struct probe_answer *a, const struct buf *text)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	const struct json_object *message;
	int r = parse(a, text, &root);

	if (r == -ENOMEM || buf_error(text)) {
		too_much(a);
		return;
	}
	message = json_object_is_type(root, json_type_array) ? batch_find(a, root) : root;
	if (r || !json_object_is_type(message, json_type_object))
		malformed(a);
	else
		judge_message(a, message);
}

/* --- the event stream ----------------------------------------------------------------------- */

static void stream_line(struct probe_answer *a)
{
	const char *line = buf_str(&a->text);
	size_t name = strcspn(line, ":");
	const char *value = line[name] ? line + name + 1 : line + name;

	value += *value == ' ';
	if (!a->text.len) {
		if (a->event.len && !a->other)
			judge_text(a, &a->event);
		buf_clear(&a->event);
		a->other = false;
	} else if (name == 4 && !strncmp(line, "data", name)) {
		if (a->event.len)
			buf_putc(&a->event, '\n');
		buf_puts(&a->event, value);
	} else if (name == 5 && !strncmp(line, "event", name)) {
		a->other = *value && strcmp(value, "message");
	} else if (name == 2 && !strncmp(line, "id", name)) {
		a->polls = true;
	}
	buf_clear(&a->text);
}

static void stream_byte(struct probe_answer *a, char c)
{
	bool second = a->skip_lf && c == '\n';

	a->skip_lf = c == '\r';
	if (second)
		return;
	if (!c)
		malformed(a);
	else if (c == '\r' || c == '\n')
		stream_line(a);
	else
		buf_putc(&a->text, c);
}

/* --- the body --------------------------------------------------------------------------------- */

static void body_byte(struct probe_answer *a, char c)
{
	if (a->result.status != 200)
		return; /* the status says it all */
	if (a->stream)
		stream_byte(a, c);
	else
		buf_putc(&a->text, c);
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
	else if (a->polls) /* it may have been meant: agents come back for their answer */
		finish(a, SG_CALLER, SG_CAUSE_NONE, false);
	else
		finish(a, SG_HARD, SG_CAUSE_TRUNCATED, false);
}

static void chunk_size_byte(struct probe_answer *a, char c)
{
	int digit = parse_hex(c);

	if (digit >= 0) {
		if (a->chunk_state == CHUNK_SIZE)
			a->left = 0;
		a->chunk_state = CHUNK_DIGITS;
		a->left = a->left * 16 + (unsigned int)digit;
		if (a->left > a->max)
			too_much(a);
	} else if (a->chunk_state == CHUNK_SIZE) {
		malformed(a);
	} else if (c == '\n') {
		a->chunk_state = a->left ? CHUNK_DATA : CHUNK_TRAILER;
	} else if (c == '\r' || c == ';' || c == ' ' || c == '\t') {
		a->chunk_state = CHUNK_EXTENSION;
	} else {
		malformed(a);
	}
}

static void chunked_byte(struct probe_answer *a, char c)
{
	switch (a->chunk_state) {
	case CHUNK_SIZE:
	case CHUNK_DIGITS:
		chunk_size_byte(a, c);
		break;
	case CHUNK_EXTENSION:
		if (c == '\n')
			a->chunk_state = a->left ? CHUNK_DATA : CHUNK_TRAILER;
		break;
	case CHUNK_DATA:
		if (!--a->left)
			a->chunk_state = CHUNK_DATA_END;
		body_byte(a, c);
		break;
	case CHUNK_DATA_END:
		if (c == '\n')
			a->chunk_state = CHUNK_SIZE;
		else if (c != '\r')
			malformed(a);
		break;
	case CHUNK_TRAILER:
		if (c == '\n')
			body_end(a);
		else if (c != '\r')
			a->chunk_state = CHUNK_TRAILER_LINE;
		break;
	default:
		if (c == '\n')
			a->chunk_state = CHUNK_TRAILER;
		break;
	}
}

/* --- the header ----------------------------------------------------------------------------------- */

/* Copies the value of a field, without the space around it; false without the field. */
static bool field(const struct probe_answer *a, const char *name, char *out, size_t size)
{
	char start[32];
	const char *value;
	size_t n;

	snprintf(start, sizeof(start), "\n%s:", name);
	value = strcasestr(buf_str(&a->head), start);
	if (!value)
		return false;
	value += strlen(start);
	value += strspn(value, " \t");
	n = strcspn(value, "\n");
	while (n && strchr(" \t\r", value[n - 1]))
		n--;
	if (n >= size)
		return false;
	memcpy(out, value, n);
	out[n] = '\0';
	return true;
}

void probe_answer_session(const struct probe_answer *a, char out[PROBE_SESSION_MAX + 1])
{
	if (!field(a, "mcp-session-id", out, PROBE_SESSION_MAX + 1))
		out[0] = '\0';
	for (const char *p = out; *p; p++)
		if (*p < 0x21 || *p > 0x7e)
			out[0] = '\0';
}

/* The header is complete: is that all, and if not, how does the body end? */
static void head_end(struct probe_answer *a)
{
	uint8_t cause;
	enum sg_class class = sg_http_class(&a->http, SG_METHOD_POST, &cause);
	char type[128] = "";

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
	a->left = a->http.number[SG_SLOT_LENGTH];
	a->stream = field(a, "content-type", type, sizeof(type)) &&
		    strcasestr(type, "event-stream");
	if (sg_http_bodyless(&a->http, SG_METHOD_POST))
		body_end(a);
	else if (a->http.framing == SG_FRAMING_LENGTH && a->left > a->max)
		too_much(a);
	else if (a->http.framing == SG_FRAMING_LENGTH && !a->left)
		body_end(a);
	else if (a->http.framing == SG_FRAMING_CHUNKED)
		a->left = 0;
}

static void head_byte(struct probe_answer *a, char c)
{
	sg_http_byte(&a->http, a->table, (__u8)c);
	buf_putc(&a->head, c);
	if (a->http.bits & SG_HTTP_BAD || ++a->head_taken > PROBE_HEAD_MAX) {
		malformed(a);
	} else if (sg_http_interim(&a->http)) {
		sg_http_reset(&a->http);
		buf_clear(&a->head);
	} else if (a->http.bits & SG_HTTP_END) {
		if (buf_error(&a->head))
			too_much(a);
		else
			head_end(a);
	}
}

/* --- interface --------------------------------------------------------------------------------------- */

static void answer_byte(struct probe_answer *a, char c)
{
	if (!(a->http.bits & SG_HTTP_END)) {
		head_byte(a, c);
	} else if (a->http.framing == SG_FRAMING_CHUNKED) {
		chunked_byte(a, c);
	} else {
		body_byte(a, c);
		if (a->http.framing == SG_FRAMING_LENGTH && !--a->left)
			body_end(a);
	}
}

bool probe_answer_feed(struct probe_answer *a, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !a->over; i++) {
		if (++a->taken > a->max)
			too_much(a);
		else
			answer_byte(a, data[i]);
	}
	return a->over;
}

bool probe_answer_eof(struct probe_answer *a)
{
	uint8_t cause;
	enum sg_class class = sg_http_class(&a->http, SG_METHOD_POST, &cause);

	if (!a->over && a->http.bits & SG_HTTP_END && a->http.framing == SG_FRAMING_CLOSE)
		body_end(a);
	if (!a->over && sg_http_refuses(&a->http))
		finish(a, class, (enum sg_cause)cause, false); /* no body makes it better */
	finish(a, SG_HARD, SG_CAUSE_TRUNCATED, false);         /* unless it was complete */
	return true;
}
