/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/probe.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/jsonw.h"
#include "codec/mcp.h"
#include "core/answer.h"
#include "core/names.h"

#define PAGE_ID 16 /* of the first page: above those of the steps */
#define HTTP_UNAUTHORIZED 401
#define HTTP_FORBIDDEN 403

static const struct {
	const char *method; /* of JSON-RPC */
	bool message;       /* it is answered by one */
} steps[] = {
	[PROBE_INITIALIZE] = { "initialize", true },
	[PROBE_INITIALIZED] = { "notifications/initialized", false },
	[PROBE_PING] = { "ping", true },
	[PROBE_TOOLS] = { "tools/list", true },
	[PROBE_DISCOVER] = { "server/discover", true },
	[PROBE_DELETE] = { NULL, false },
	[PROBE_OVER] = { NULL, false },
};
_Static_assert(ARRAY_SIZE(steps) == PROBE_STEP_COUNT, "a step has no row");

const char *probe_path(const char *url_shown)
{
	const char *origin = strstr(url_shown, "://");

	if (!origin || strstr(url_shown, "***"))
		return NULL;
	return origin + 3 + strcspn(origin + 3, "/");
}

int probe_host(const char *host, uint16_t port, bool tls, char *out, size_t size)
{
	bool v6 = strchr(host, ':') != NULL;
	char number[8] = "";
	int n;

	if (port != (tls ? 443 : 80))
		snprintf(number, sizeof(number), ":%u", port);
	n = snprintf(out, size, "%s%s%s%s", v6 ? "[" : "", host, v6 ? "]" : "", number);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Nothing in it ends the line, or the word, that it is put into. */
static bool is_word(const char *text, size_t max)
{
	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p))
			return false;
	return strlen(text) <= max;
}

int probe_session_init(struct probe_session *t, const struct probe_target *target,
		       enum probe_generation era)
{
	int r;

	memset(t, 0, sizeof(*t));
	if (!*target->host || !is_word(target->host, PROBE_PATH_MAX) ||
	    !is_word(target->path, PROBE_PATH_MAX) || (*target->path && *target->path != '/') ||
	    !is_word(target->version, PROBE_VERSION_MAX) || strpbrk(target->version, "\"\\"))
		return -EINVAL;
	r = answer_table_build(&t->table);
	if (r)
		return r;
	t->target = *target;
	t->era = era;
	t->step = era == PROBE_GENERATION_MODERN ? PROBE_DISCOVER : PROBE_INITIALIZE;
	probe_answer_init(&t->answer, &t->table);
	return 0;
}

void probe_session_list(struct probe_session *t)
{
	t->listing = true;
	probe_answer_keep(&t->answer, TOOLS_BYTES_MAX);
}

void probe_session_done(struct probe_session *t)
{
	if (t->answer.table)
		probe_answer_done(&t->answer);
	t->answer.table = NULL;
	free(TAKE_PTR(t->cursor));
	tools_answer_done(&t->list);
}

/* --- requests --------------------------------------------------------------------------- */

static int step_id(const struct probe_session *t)
{
	return t->listing && t->step == PROBE_TOOLS ? PAGE_ID + (int)t->pages : (int)t->step + 1;
}

/* Is this request one of the sessionless era, which tells in each who asks? */
static bool is_modern(const struct probe_session *t)
{
	return t->step == PROBE_DISCOVER ||
	       (t->step == PROBE_TOOLS && t->era == PROBE_GENERATION_MODERN);
}

static void params_print(const struct probe_session *t, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	if (is_modern(t)) {
		jsonw_object(&w, "_meta");
		jsonw_text(&w, MCP_META "protocolVersion", MCP_VERSION_STATELESS);
		jsonw_object(&w, MCP_META "clientInfo");
		jsonw_text(&w, "name", "switchgear");
		jsonw_text(&w, "version", t->target.version);
		jsonw_object_end(&w);
		jsonw_object(&w, MCP_META "clientCapabilities");
		jsonw_object_end(&w);
		jsonw_object_end(&w);
	}
	if (t->cursor)
		jsonw_bytes(&w, "cursor", t->cursor, strlen(t->cursor));
	jsonw_object_end(&w);
}

static void body_print(const struct probe_session *t, struct buf *out)
{
	const char *method = steps[t->step].method;
	const char *version = t->target.version;

	if (!method)
		return;
	buf_puts(out, "{\"jsonrpc\":\"2.0\",");
	if (steps[t->step].message)
		buf_printf(out, "\"id\":%d,", step_id(t));
	buf_printf(out, "\"method\":\"%s\"", method);
	if (t->step == PROBE_INITIALIZE)
		buf_printf(out,
			   ",\"params\":{\"protocolVersion\":\"" MCP_VERSION_SESSION
			   "\",\"capabilities\":{},\"clientInfo\":{\"name\":\"switchgear\","
			   "\"version\":\"%s\"}}",
			   version);
	else if (is_modern(t) || t->cursor) {
		buf_puts(out, ",\"params\":");
		params_print(t, out);
	}
	buf_putc(out, '}');
}

/* Everything that stands in a line is a word of ours, or was looked at by is_word(). */
static int put_text(struct buf *out, const char *name, const char *value)
{
	return http1_put_field(out, HTTP1_SPAN(name), HTTP1_SPAN(value));
}

static int fields_print(const struct probe_session *t, size_t body_len, struct buf *out)
{
	int r = 0;

	if (is_modern(t)) {
		r = put_text(out, "MCP-Protocol-Version", MCP_VERSION_STATELESS);
		if (!r)
			r = put_text(out, "Mcp-Method", steps[t->step].method);
	} else if (t->step != PROBE_INITIALIZE && t->protocol[0]) {
		r = put_text(out, "MCP-Protocol-Version", t->protocol);
	}
	if (!r && t->session[0])
		r = put_text(out, "Mcp-Session-Id", t->session);
	if (!r && body_len)
		r = put_text(out, "Content-Type", "application/json");
	if (!r && body_len)
		r = http1_put_number(out, "Content-Length", body_len);
	return r ? r : http1_put_end(out);
}

static int head_print(const struct probe_session *t, size_t body_len, struct buf *out)
{
	const char *path = t->target.path[0] ? t->target.path : "/";
	int r = http1_put_request(out, HTTP1_SPAN(t->step == PROBE_DELETE ? "DELETE" : "POST"),
				  HTTP1_SPAN(path));

	if (!r)
		r = put_text(out, "Host", t->target.host);
	buf_printf(out,
		   "User-Agent: switchgear/%s\r\nAccept: application/json, text/event-stream\r\n"
		   "Connection: close\r\n",
		   t->target.version);
	return r ? r : fields_print(t, body_len, out);
}

int probe_session_request(struct probe_session *t, struct buf *out)
{
	CLEANUP(buf_done) struct buf body = BUF(PROBE_REQUEST_MAX);
	int r;

	body_print(t, &body);
	r = head_print(t, body.len, out);
	buf_puts(out, buf_str(&body));
	probe_answer_reset(&t->answer, step_id(t), steps[t->step].message, is_modern(t));
	if (!r)
		r = buf_error(&body);
	return r ? r : buf_error(out);
}

/* --- what an answer leads to ------------------------------------------------------------------ */

/* Why there is no list: nothing of that is a failure of the server. */
static void explain_unlisted(struct probe_session *t, const struct probe_result *r)
{
	const char *asked = steps[t->step].method ? steps[t->step].method : "the request";
	char *why = t->list.why;
	size_t size = sizeof(t->list.why);

	if (*why)
		return;
	if (r->status == HTTP_UNAUTHORIZED || r->status == HTTP_FORBIDDEN)
		snprintf(why, size, "it wants credentials (HTTP status %u)", r->status);
	else if (t->answer.over && t->answer.code)
		snprintf(why, size, "it answers %s with the JSON-RPC error %lld", asked,
			 (long long)t->answer.code);
	else if (r->status && r->status != 200)
		snprintf(why, size, "it answers %s with HTTP status %u", asked, r->status);
	else if (t->answer.taken > t->answer.max)
		snprintf(why, size, "what it answers to %s is longer than %zu bytes", asked,
			 t->answer.max);
	else if (r->cause == SG_CAUSE_BAD_RESPONSE || r->cause == SG_CAUSE_ANSWER)
		snprintf(why, size,
			 "what it answers to %s is no answer of JSON-RPC, or has a key twice",
			 asked);
	else if (r->class == SG_LOCAL)
		snprintf(why, size,
			 "this host could not ask: no route, no memory or no descriptor");
	else
		snprintf(why, size, "%s fails: %s", asked, cause_name(r->cause));
}

static void judge(struct probe_session *t, const struct probe_result *result)
{
	if (t->listing && !t->list.listed)
		explain_unlisted(t, result);
	t->result = *result;
	t->judged = true;
	t->step = t->session[0] && result->class != SG_HARD ? PROBE_DELETE : PROBE_OVER;
}

/* Might the server mean: not this era? */
static bool negotiates(const struct probe_result *r)
{
	static const uint16_t statuses[] = { 200, 400, 404, 405, 406, 415, 501 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (r->status == statuses[i])
			return r->class == SG_CALLER && r->complete;
	return false;
}

/* The first request of an era was answered by something else than a result. */
static void refused(struct probe_session *t, enum probe_step other)
{
	if (!negotiates(&t->answer.result) || t->tried_other) {
		judge(t, &t->answer.result);
		return;
	}
	t->tried_other = true;
	t->step = other;
}

/* Of the answer to initialize, or to server/discover. */
static void note_server(struct probe_session *t)
{
	const struct json_object *result = t->answer.kept;
	const struct json_object *can = jget_object(result, "capabilities");
	const struct json_object *info = jget_object(result, "serverInfo");

	if (!info)
		info = jget_object(jget_object(result, "_meta"), MCP_META "serverInfo");
	(void)jget_copy(info, "version", t->list.version, sizeof(t->list.version));
	t->offers = !can || jget(can, "tools");
}

static void initialized(struct probe_session *t)
{
	t->era = PROBE_GENERATION_SESSION;
	probe_answer_session(&t->answer, t->session);
	memcpy(t->protocol, t->answer.protocol, sizeof(t->protocol));
	if (!is_word(t->protocol, PROBE_VERSION_MAX))
		t->protocol[0] = '\0';
	t->result = t->answer.result; /* judged later */
	note_server(t);
	t->step = PROBE_INITIALIZED;
}

/* A ping that is not known is no failure: servers without it are asked for their tools. */
static bool unknown_method(const struct probe_answer *a)
{
	return a->code == MCP_CODE_NO_METHOD ||
	       (a->result.class == SG_CALLER &&
		(a->result.status == 404 || a->result.status == 405 || a->result.status == 501));
}

/* --- what it offers --------------------------------------------------------------------------- */

/* A page has come, or something else. */
static int add_page(struct probe_session *t)
{
	CLEANUP(freep) char *cursor = NULL;
	int r;

	t->taken += t->answer.taken;
	r = tools_add(&t->list.tools, t->answer.kept, &cursor, t->list.why);
	if (r)
		return r;
	if (!t->list.listing.max)
		t->list.listing = BUF(TOOLS_LISTING_MAX);
	tools_listing_add(&t->list.listing, t->answer.kept);
	free(t->cursor);
	t->cursor = TAKE_PTR(cursor);
	if (t->cursor && ++t->pages >= TOOLS_PAGES_MAX)
		return explain(-E2BIG, t->list.why, sizeof(t->list.why),
			       "its list has more than %u pages", TOOLS_PAGES_MAX);
	if (t->cursor && t->taken > TOOLS_BYTES_MAX)
		return explain(-E2BIG, t->list.why, sizeof(t->list.why),
			       "its list is longer than %u bytes", TOOLS_BYTES_MAX);
	if (t->cursor)
		return 0;
	buf_putc(&t->list.listing, ']');
	return tools_close(&t->list.tools);
}

static void listed(struct probe_session *t)
{
	struct probe_result *r = &t->answer.result;
	int error = r->class == SG_SUCCESS ? add_page(t) : 0;

	if (!error && t->cursor && r->class == SG_SUCCESS)
		return; /* the next page */
	if (error == -ENOMEM)
		snprintf(t->list.why, sizeof(t->list.why), "%s", strerror(ENOMEM));
	if (t->answer.code == MCP_CODE_NO_METHOD)
		snprintf(t->list.why, sizeof(t->list.why), "it has no tools");
	t->list.listed = !error && r->class == SG_SUCCESS;
	judge(t, r);
}

static void ask_tools(struct probe_session *t, const struct probe_result *greeting)
{
	if (t->offers) {
		t->step = PROBE_TOOLS;
		return;
	}
	snprintf(t->list.why, sizeof(t->list.why), "it has no tools");
	judge(t, greeting);
}

/* --- turns ---------------------------------------------------------------------------------------- */

static void turn_over(struct probe_session *t)
{
	const struct probe_result *r = &t->answer.result;

	switch (t->step) {
	case PROBE_INITIALIZE:
		if (r->class == SG_SUCCESS)
			initialized(t);
		else
			refused(t, PROBE_DISCOVER);
		break;
	case PROBE_DISCOVER:
		if (r->class != SG_SUCCESS) {
			refused(t, PROBE_INITIALIZE);
			break;
		}
		t->era = PROBE_GENERATION_MODERN;
		note_server(t);
		if (t->listing)
			ask_tools(t, r);
		else
			judge(t, r);
		break;
	case PROBE_INITIALIZED:
		if (r->class == SG_HARD || r->class == SG_SOFT)
			judge(t, r);
		else if (t->listing)
			ask_tools(t, &t->result);
		else
			t->step = PROBE_PING;
		break;
	case PROBE_PING:
		if (unknown_method(&t->answer))
			t->step = PROBE_TOOLS;
		else
			judge(t, r);
		break;
	case PROBE_TOOLS:
		if (t->listing)
			listed(t);
		else
			judge(t, t->answer.code == MCP_CODE_NO_METHOD ? &t->result : r);
		break;
	default: /* DELETE: whatever it said */
		t->step = PROBE_OVER;
		break;
	}
}

bool probe_session_feed(struct probe_session *t, const char *data, size_t len)
{
	if (!probe_answer_feed(&t->answer, data, len))
		return false;
	turn_over(t);
	return true;
}

bool probe_session_eof(struct probe_session *t)
{
	(void)probe_answer_eof(&t->answer);
	turn_over(t);
	return true;
}

void probe_session_fail(struct probe_session *t, enum sg_class class, enum sg_cause cause)
{
	struct probe_result failed = { .class = class,
				       .cause = cause,
				       .status = t->answer.result.status };

	if (!t->judged)
		judge(t, &failed);
	t->step = PROBE_OVER;
}
