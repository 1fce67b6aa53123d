/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/heads.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Of one connection (RFC 9110, 7.6.1), made anew here, or, Accept-Encoding, in the way: streams are
 * read on their way back. */
static const char *const own_fields[] = {
	"connection",
	"keep-alive",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"content-length",
	"mcp-session-id",
	"expect",
	"host",
	"last-event-id",
	"http2-settings",
	"accept-encoding",
	NULL,
};

/* What a request may tell somebody whom its agent did not ask; with those that begin with "mcp-". */
static const char *const harmless[] = {
	"accept",     "accept-language", "cache-control", "content-type", "content-encoding",
	"user-agent", "traceparent",     "tracestate",    NULL,
};

/* What an answer may not tell an agent that asked somebody else. */
static const char *const binding[] = {
	"set-cookie",
	"set-cookie2",
	"www-authenticate",
	"proxy-authenticate",
	"alt-svc",
	"clear-site-data",
	"strict-transport-security",
	"authentication-info",
	"location",
	"content-location",
	"refresh",
	"link",
	NULL,
};

static bool is_in(struct http1_span name, const char *const *list)
{
	for (; *list; list++)
		if (http1_equal_case(name, *list))
			return true;
	return false;
}

/* Is it about this connection alone, by rule or because Connection names it? */
static bool is_own(const struct http1 *h, struct http1_span name)
{
	char text[64];

	if (is_in(name, own_fields))
		return true;
	if (name.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)name.len, name.p);
	return http1_has_token(h, "connection", text);
}

static bool is_harmless(struct http1_span name)
{
	return is_in(name, harmless) || (name.len > 4 && !strncasecmp(name.p, "mcp-", 4));
}

static int put(struct buf *out, const char *name, const char *value)
{
	return http1_put_field(out, HTTP1_SPAN(name), HTTP1_SPAN(value));
}

/* --- requests ---------------------------------------------------------------------------------- */

static int put_target(const struct rule *rule, struct http1_span target, struct buf *out)
{
	const char *query = memchr(target.p, '?', target.len);
	size_t len = query ? (size_t)(query - target.p) : target.len;
	int r;

	if (!target.len || target.p[0] != '/')
		return -EINVAL; /* as to a proxy, or OPTIONS's asterisk */
	r = rule_path(rule, target.p, len, out);
	if (!r && query && rule_shares(rule))
		buf_append(out, query, target.len - len);
	return r ? r : buf_error(out);
}

static int put_line(const struct rule *rule, struct http1_span method, struct http1_span target,
		    struct buf *out)
{
	CLEANUP(buf_done) struct buf path = BUF(HTTP1_HEAD_MAX);
	int r = put_target(rule, target, &path);

	if (!r)
		r = http1_put_request(out, method, (struct http1_span){ buf_str(&path), path.len });
	if (!r)
		r = put(out, "Host", rule->is.target_host);
	return r ? r : put(out, "Connection", "close");
}

static int put_own(const struct heads_own *own, struct buf *out)
{
	int r = own->session ? put(out, "Mcp-Session-Id", own->session) : 0;

	if (!r && own->version && own->version[0])
		r = put(out, "MCP-Protocol-Version", own->version);
	if (!r && own->event.len)
		r = http1_put_field(out, HTTP1_SPAN("Last-Event-ID"), own->event);
	if (!r && own->length != HEADS_NO_BODY)
		r = http1_put_number(out, "Content-Length", own->length);
	return r ? r : http1_put_end(out);
}

int heads_request(const struct rule *rule, const struct http1 *h, const struct heads_own *own,
		  struct buf *out)
{
	bool versioned = own->version && own->version[0];
	int r = put_line(rule, h->method, h->target, out);

	for (unsigned int i = 0; i < h->n_fields && !r; i++) {
		struct http1_field f = http1_field(h, i);

		if (is_own(h, f.name) || (!rule_shares(rule) && !is_harmless(f.name)) ||
		    (versioned && http1_equal_case(f.name, "mcp-protocol-version")))
			continue;
		r = http1_put_field(out, f.name, f.value);
	}
	return r ? r : put_own(own, out);
}

int heads_credentials(const struct rule *rule, const struct http1 *h, struct buf *out)
{
	int r = 0;

	for (unsigned int i = 0; i < h->n_fields && !r; i++) {
		struct http1_field f = http1_field(h, i);

		if (rule_shares(rule) && !is_own(h, f.name) && !is_harmless(f.name))
			r = http1_put_field(out, f.name, f.value);
	}
	return r;
}

int heads_post(const struct rule *rule, const struct heads_own *own, const struct buf *credentials,
	       struct buf *out)
{
	const char *path = rule->is.path[0] ? rule->is.path : "/";
	int r = put_line(rule, HTTP1_SPAN("POST"), HTTP1_SPAN(path), out);

	if (!r)
		r = put(out, "Content-Type", "application/json");
	if (!r)
		r = put(out, "Accept", "application/json, text/event-stream");
	if (!r)
		r = put(out, "User-Agent", "switchgear/" SWITCHGEAR_VERSION);
	buf_append(out, buf_str(credentials), credentials->len);
	return r ? r : put_own(own, out);
}

/* --- answers ------------------------------------------------------------------------------------- */

static int put_framing(const struct http1 *h, enum heads_framing framing, struct buf *out)
{
	if (framing == HEADS_CHUNKS)
		return put(out, "Transfer-Encoding", "chunked");
	if (framing == HEADS_TO_END || h->status == 204 || h->status == 304)
		return 0;
	return http1_put_number(out, "Content-Length", h->length);
}

int heads_answer(const struct rule *rule, const struct http1 *h, enum heads_framing framing,
		 const char *session, struct buf *out)
{
	int r = http1_put_status(out, h->status, h->reason);

	for (unsigned int i = 0; i < h->n_fields && !r; i++) {
		struct http1_field f = http1_field(h, i);

		if (!is_own(h, f.name) && (rule_shares(rule) || !is_in(f.name, binding)))
			r = http1_put_field(out, f.name, f.value);
	}
	if (!r && session)
		r = put(out, "Mcp-Session-Id", session);
	r = r ? r : put_framing(h, framing, out);
	r = r ? r : put(out, "Connection", "close");
	return r ? r : http1_put_end(out);
}
