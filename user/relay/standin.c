/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/standin.h"

#include <string.h>

#define TEXT_MAX 8192U
#define BODY_MAX (RELAY_TOOLS_MAX * 2U) /* a list of tools, and other answers of the batch */
#define UNAVAILABLE (-32000)            /* of the codes that JSON-RPC leaves to servers */

static const char *const with_sessions[] = { "2024-11-05", "2025-03-26", "2025-06-18",
					     MCP_VERSION_SESSION, NULL };

/* --- HTTP ------------------------------------------------------------------------------------ */

static const struct {
	unsigned int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 400, "Bad Request" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 413, "Content Too Large" },
	{ 503, "Service Unavailable" },
};

static const char *reason_of(unsigned int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static void put_status(unsigned int status, struct buf *out)
{
	buf_printf(out, "HTTP/1.1 %u %s\r\n", status, reason_of(status));
}

static void put_fields(const char *type, const char *allow, size_t len, struct buf *out)
{
	if (type)
		buf_printf(out, "Content-Type: %s\r\n", type);
	if (allow)
		buf_printf(out, "Allow: %s\r\n", allow);
	buf_printf(out, "Cache-Control: no-store\r\nContent-Length: %zu\r\n", len);
	buf_puts(out, "Connection: close\r\n\r\n");
}

static void put_head(unsigned int status, const char *type, const char *allow, size_t len,
		     struct buf *out)
{
	put_status(status, out);
	put_fields(type, allow, len, out);
}

static void put_whole(unsigned int status, const char *session, const char *type,
		      const struct buf *body, struct buf *out)
{
	put_status(status, out);
	if (session)
		buf_printf(out, "Mcp-Session-Id: %s\r\n", session);
	put_fields(type, NULL, body->len, out);
	buf_append(out, buf_str(body), body->len);
}

void standin_plain(unsigned int status, const char *allow, const char *text, struct buf *out)
{
	put_head(status, "text/plain; charset=utf-8", allow, strlen(text) + 1, out);
	buf_puts(out, text);
	buf_putc(out, '\n');
}

void standin_bad(int code, const char *text, struct buf *out)
{
	CLEANUP(buf_done) struct buf body = BUF(TEXT_MAX);

	buf_printf(&body,
		   "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":", code);
	rpc_put_string(&body, text);
	buf_puts(&body, "}}");
	put_whole(400, NULL, "application/json", &body, out);
}

void standin_empty(unsigned int status, struct buf *out)
{
	put_head(status, NULL, NULL, 0, out);
}

/* --- answers ------------------------------------------------------------------------------------ */

/* What every one of them may say, as a JSON string. */
static void put_words(const struct standin *s, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = BUF(TEXT_MAX);

	words_put(&s->rule->is, s->trouble, &text);
	rpc_put_string(out, buf_str(&text));
}

static void put_failure(const struct standin *s, struct buf *out)
{
	buf_puts(out, "{\"content\":[{\"type\":\"text\",\"text\":");
	put_words(s, out);
	buf_printf(out, "}],\"isError\":true%s}",
		   s->stateless ? ",\"resultType\":\"complete\"" : "");
}

static const char *version_for(const char *wanted)
{
	for (size_t i = 0; with_sessions[i]; i++)
		if (!strcmp(wanted, with_sessions[i]))
			return wanted;
	return MCP_VERSION_SESSION;
}

static void put_info(const struct standin *s, struct buf *out)
{
	buf_puts(out, "{\"name\":");
	rpc_put_string(out, s->rule->is.name);
	buf_puts(out, ",\"version\":\"" SWITCHGEAR_VERSION "\"}");
}

#define CAPABILITIES "\"capabilities\":{\"tools\":{\"listChanged\":true}}"
/* What a list of the stateless generation has besides: nobody is to keep it. */
#define UNCACHED ",\"ttlMs\":0,\"cacheScope\":\"private\",\"resultType\":\"complete\""

static void put_initialize(const struct standin *s, const struct rpc_message *m, struct buf *out)
{
	buf_printf(out, "{\"protocolVersion\":\"%s\"," CAPABILITIES ",\"serverInfo\":",
		   version_for(m->version));
	put_info(s, out);
	buf_puts(out, ",\"instructions\":");
	put_words(s, out);
	buf_putc(out, '}');
}

static void put_discover(const struct standin *s, UNUSED const struct rpc_message *m,
			 struct buf *out)
{
	buf_puts(out,
		 "{\"supportedVersions\":[\"" MCP_VERSION_STATELESS "\"]," CAPABILITIES UNCACHED
		 ",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":");
	put_info(s, out);
	buf_puts(out, "},\"instructions\":");
	put_words(s, out);
	buf_putc(out, '}');
}

static void put_list(const struct standin *s, const char *key, const char *list, struct buf *out)
{
	buf_printf(out, "{\"%s\":", key);
	buf_puts(out, list);
	buf_printf(out, "%s}", s->stateless ? UNCACHED : "");
}

static void put_tools(const struct standin *s, UNUSED const struct rpc_message *m, struct buf *out)
{
	CLEANUP(buf_done) struct buf tools = BUF(RELAY_TOOLS_MAX);

	rule_tools(s->rule, &tools);
	put_list(s, "tools", buf_error(&tools) ? "[]" : buf_str(&tools), out);
}

static void put_resources(const struct standin *s, UNUSED const struct rpc_message *m,
			  struct buf *out)
{
	put_list(s, "resources", "[]", out);
}

static void put_templates(const struct standin *s, UNUSED const struct rpc_message *m,
			  struct buf *out)
{
	put_list(s, "resourceTemplates", "[]", out);
}

static void put_prompts(const struct standin *s, UNUSED const struct rpc_message *m,
			struct buf *out)
{
	put_list(s, "prompts", "[]", out);
}

static void put_call(const struct standin *s, UNUSED const struct rpc_message *m, struct buf *out)
{
	put_failure(s, out);
}

static void put_nothing(UNUSED const struct standin *s, UNUSED const struct rpc_message *m,
			struct buf *out)
{
	buf_puts(out, "{}");
}

/* What has no row gets an error. */
static const struct {
	const char *method;
	void (*put)(const struct standin *s, const struct rpc_message *m, struct buf *out);
} results[] = {
	{ "initialize", put_initialize },    { "server/discover", put_discover },
	{ "tools/list", put_tools },         { "tools/call", put_call },
	{ "resources/list", put_resources }, { "resources/templates/list", put_templates },
	{ "prompts/list", put_prompts },     { "ping", put_nothing },
};

static void put_message(const struct standin *s, const struct rpc_message *m, struct buf *out)
{
	buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,", m->id);
	for (size_t i = 0; i < ARRAY_SIZE(results); i++)
		if (!strcmp(m->method, results[i].method)) {
			buf_puts(out, "\"result\":");
			results[i].put(s, m, out);
			buf_putc(out, '}');
			return;
		}
	buf_printf(out, "\"error\":{\"code\":%d,\"message\":", UNAVAILABLE);
	put_words(s, out);
	buf_puts(out, "}}");
}

void standin_answer(const struct standin *s, const struct rpc_batch *b, const char *session,
		    struct buf *out)
{
	CLEANUP(buf_done) struct buf body = BUF(BODY_MAX);
	const char *between = "";

	if (!rpc_requests(b)) {
		standin_empty(202, out);
		return;
	}
	buf_puts(&body, b->is_list ? "[" : "");
	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].kind != MCP_REQUEST)
			continue;
		buf_puts(&body, between);
		put_message(s, &b->v[i], &body);
		between = ",";
	}
	buf_puts(&body, b->is_list ? "]" : "");
	if (buf_error(&body))
		standin_plain(503, NULL, "there is no memory for an answer", out);
	else
		put_whole(200, session, "application/json", &body, out);
}

/* --- streams --------------------------------------------------------------------------------------- */

void standin_lost(const struct standin *s, struct buf *out)
{
	CLEANUP(buf_done) struct buf body = BUF(2 * TEXT_MAX);

	/* an id that no client uses: it must not be taken for the answer to another call */
	buf_puts(&body, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"switchgear-lost\","
			"\"result\":");
	put_failure(s, &body);
	buf_puts(&body, "}\n\n");
	put_whole(200, NULL, "text/event-stream", &body, out);
}

void standin_events(const struct standin *s, const struct rpc_batch *b, struct buf *out)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].kind != MCP_REQUEST)
			continue;
		buf_puts(out, "event: message\ndata: ");
		put_message(s, &b->v[i], out);
		buf_puts(out, "\n\n");
	}
}

#define SUBSCRIPTION "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%s}"

void standin_changed(const char *id, struct buf *out)
{
	buf_puts(out, "event: message\ndata: {\"jsonrpc\":\"2.0\","
		      "\"method\":\"notifications/tools/list_changed\"");
	if (id)
		buf_printf(out, ",\"params\":{" SUBSCRIPTION "}", id);
	buf_puts(out, "}\n\n");
	if (id)
		buf_printf(out,
			   "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{"
			   "\"resultType\":\"complete\"," SUBSCRIPTION "}}\n\n",
			   id, id);
}
