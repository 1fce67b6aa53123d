/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The status document, written by the daemon and read back by a client: one table
 * of fields for both. The order of members is part of the contract.
 */
#include <errno.h>
#include <string.h>

#include "codec/fields.h"
#include "codec/messages.h"
#include "core/counters.h"
#include "core/names.h"

#define REPLY_DEPTH_MAX 16U

static void write_counters(struct jsonw *w, const char *key, const void *stats)
{
	const char *object = NULL;

	jsonw_object(w, key);
	for (const struct counter *c = counters; c->value; c++) {
		if (!c->key)
			continue;
		if (object && (!c->object || strcmp(object, c->object) != 0))
			jsonw_object_end(w);
		if (c->object && (!object || strcmp(object, c->object) != 0))
			jsonw_object(w, c->object);
		object = c->object;
		jsonw_uint(w, c->key, counter_get(c, stats));
	}
	if (object)
		jsonw_object_end(w);
	jsonw_object_end(w);
}

static void read_counters(const struct json_object *all, const char *key, void *ret)
{
	all = jget_object(all, key);
	for (const struct counter *c = counters; c->value; c++)
		if (c->key)
			counter_set(c, ret,
				    jget_uint(c->object ? jget_object(all, c->object) : all, c->key,
					      0));
}

static void write_mode(struct jsonw *w, const char *key, const void *observe)
{
	jsonw_text(w, key, *(const bool *)observe ? "observe" : "enforce");
}

static void read_mode(const struct json_object *obj, const char *key, void *ret_observe)
{
	*(bool *)ret_observe = !strcmp(jget_text(obj, key, ""), "observe");
}

#define SERVER(key, kind, member, ...) FIELD(key, kind, status_server, member, __VA_ARGS__)

/* clang-format off */
static const struct field endpoint_fields[] = {
	FIELD("address", KIND_TEXT, status_endpoint, address),
	FIELD("port", KIND_UINT16, status_endpoint, port, .zero = ZERO_NULL),
	FIELD("source", KIND_TEXT, status_endpoint, source),
	FIELD("owner", KIND_TEXT, status_endpoint, owner, .zero = ZERO_OMITTED),
	FIELD("failed", KIND_UINT32, status_endpoint, failed, .zero = ZERO_OMITTED),
	FIELDS_STOP
};

static const struct field cause_fields[] = {
	FIELD("class", KIND_WORD, status_cause, class, FIELD_WORDS(class, SG_UNKNOWN)),
	FIELD("cause", KIND_WORD, status_cause, cause, FIELD_WORDS(cause, SG_CAUSE_NONE)),
	FIELD("calls", KIND_UINT64, status_cause, calls),
	FIELD("latest", KIND_TIME, status_cause, latest_wall_ns),
	FIELD("latency", KIND_SPAN, status_cause, latency_ns),
	FIELDS_STOP
};

static const struct field proxied_fields[] = {
	FIELD("pid", KIND_UINT32, status_proxied, pid),
	FIELD("comm", KIND_TEXT, status_proxied, comm),
	FIELD("proxy", KIND_TEXT, status_proxied, proxy),
	FIELD("watched", KIND_BOOL, status_proxied, watched),
	FIELDS_STOP
};

static const struct field tool_fields[] = {
	FIELD("name", KIND_TEXT, status_tool, name),
	FIELD("change", KIND_TEXT, status_tool, change),
	FIELD("fields", KIND_TEXT, status_tool, fields, .zero = ZERO_OMITTED),
	FIELDS_STOP
};

static const struct field candidate_fields[] = {
	FIELD("server", KIND_TEXT, status_candidate, server),
	FIELD("usable", KIND_BOOL, status_candidate, usable),
	FIELD("why", KIND_TEXT, status_candidate, why, .zero = ZERO_NULL),
	FIELD("differs", KIND_TEXT, status_candidate, differs, .zero = ZERO_OMITTED),
	FIELD("asked", KIND_TIME, status_candidate, asked_wall_ns, .zero = ZERO_NULL),
	FIELDS_STOP
};

static const struct field server_fields[] = {
	SERVER("name", KIND_TEXT, name),
	SERVER("url", KIND_STRING, url),
	SERVER("group", KIND_STRING, group),
	SERVER("panic", KIND_BOOL, panic),
	SERVER("state", KIND_WORD, state, FIELD_WORDS(state, SG_CLOSED)),
	SERVER("verdict", KIND_WORD, verdict, FIELD_WORDS(status_verdict, VERDICT_ALLOW)),
	SERVER("quarantine", KIND_OBJECT, quarantined, .zero = ZERO_NULL),
		SERVER("reason", KIND_TEXT, quarantine.reason),
		SERVER("since", KIND_TIME, quarantine.since_wall_ns),
		SERVER("until", KIND_TIME, quarantine.until_wall_ns, .none = STATUS_NEVER),
		SERVER("by", KIND_TEXT, quarantine.by),
	FIELD_END,
	SERVER("trust", KIND_OBJECT, has_trust, .zero = ZERO_NULL),
		SERVER("score", KIND_NUMBER, trust.score),
		SERVER("band", KIND_TEXT, trust.band),
		SERVER("performance", KIND_NUMBER, trust.performance),
		SERVER("security", KIND_NUMBER, trust.security),
		SERVER("community", KIND_NUMBER, trust.community),
		SERVER("strikes", KIND_UINT32, trust.strikes),
		SERVER("restricted", KIND_BOOL, trust.restricted, .zero = ZERO_OMITTED),
	FIELD_END,
	FIELD_OBJECT("breaker"),
		SERVER("failure_rate", KIND_NUMBER, breaker.failure_rate),
		SERVER("slow_rate", KIND_NUMBER, breaker.slow_rate),
		SERVER("consecutive_failures", KIND_UINT32, breaker.consecutive_failures),
		SERVER("open_remaining_s", KIND_LEFT, breaker.open_remaining_ns),
		SERVER("generation", KIND_UINT32, breaker.generation),
	FIELD_END,
	FIELD_LIST(status_server, endpoints, endpoint_fields),
	SERVER("visibility", KIND_WORD, visibility, FIELD_WORDS(visibility, VISIBILITY_METADATA)),
	SERVER("visibility_reason", KIND_TEXT, visibility_reason, .zero = ZERO_OMITTED),
	SERVER("counters", KIND_OTHER, counters, .write = write_counters, .read = read_counters),
	FIELD_OBJECT("latency_ms"),
		SERVER("p50", KIND_NUMBER, latency.p50),
		SERVER("p95", KIND_NUMBER, latency.p95),
		SERVER("p99", KIND_NUMBER, latency.p99),
	FIELD_END,
	FIELD_OBJECT("handshake_ms"),
		SERVER("p50", KIND_NUMBER, handshake.p50),
		SERVER("p95", KIND_NUMBER, handshake.p95),
		SERVER("p99", KIND_NUMBER, handshake.p99),
	FIELD_END,
	SERVER("held", KIND_BOOL, held),
	SERVER("places", KIND_OBJECT, places.members, .zero = ZERO_NULL),
		SERVER("members", KIND_UINT32, places.members),
		SERVER("open", KIND_UINT32, places.open),
		SERVER("limit", KIND_UINT32, places.limit),
	FIELD_END,
	SERVER("shared", KIND_TEXT, shared, .zero = ZERO_NULL),
	SERVER("command", KIND_STRING, command, .zero = ZERO_OMITTED),
	SERVER("orphan", KIND_BOOL, orphan, .zero = ZERO_OMITTED),
	SERVER("order", KIND_OBJECT, ordered, .zero = ZERO_NULL),
		SERVER("state", KIND_WORD, order_state, FIELD_WORDS(state, SG_CLOSED)),
		SERVER("reason", KIND_TEXT, order.reason),
		SERVER("since", KIND_TIME, order.since_wall_ns),
		SERVER("until", KIND_TIME, order.until_wall_ns, .none = STATUS_NEVER),
		SERVER("by", KIND_TEXT, order.by),
	FIELD_END,
	SERVER("isolation", KIND_OBJECT, has_isolation, .zero = ZERO_NULL),
		ISOLATION_FIELDS(status_server),
	FIELD_END,
	FIELD_LIST(status_server, causes, cause_fields),
	SERVER("causes_lost", KIND_UINT64, causes_lost),
	FIELD_LIST(status_server, proxied, proxied_fields),
	SERVER("tools", KIND_OBJECT, has_tools, .zero = ZERO_NULL),
		SERVER("count", KIND_UINT32, tools.count),
		SERVER("digest", KIND_TEXT, tools.digest, .zero = ZERO_NULL),
		SERVER("version", KIND_TEXT, tools.version, .zero = ZERO_NULL),
		SERVER("seen", KIND_TIME, tools.seen_wall_ns, .zero = ZERO_NULL),
		SERVER("approved", KIND_BOOL, tools.approved),
		SERVER("approved_digest", KIND_TEXT, tools.approved_digest, .zero = ZERO_NULL),
		SERVER("approved_at", KIND_TIME, tools.approved_wall_ns, .zero = ZERO_NULL),
		SERVER("approved_by", KIND_TEXT, tools.approved_by, .zero = ZERO_NULL),
		SERVER("unknown", KIND_TEXT, tools.unknown, .zero = ZERO_NULL),
		FIELD_LIST(status_server, changed, tool_fields),
	FIELD_END,
	SERVER("since", KIND_TIME, since_wall_ns, .zero = ZERO_NULL),
	SERVER("fallback", KIND_OBJECT, has_fallback, .zero = ZERO_NULL),
		SERVER("kind", KIND_WORD, fallback.kind, FIELD_WORDS(redirect, SG_REDIRECT_NONE)),
		SERVER("to", KIND_TEXT, fallback.to, .zero = ZERO_NULL),
		SERVER("returning", KIND_BOOL, fallback.returning, .zero = ZERO_OMITTED),
		SERVER("why", KIND_TEXT, fallback.why, .zero = ZERO_NULL),
		FIELD_LIST(status_server, candidates, candidate_fields),
	FIELD_END,
	FIELDS_STOP
};

static const struct field xdp_fields[] = {
	FIELD("interface", KIND_TEXT, status_xdp, interface),
	FIELD("mode", KIND_TEXT, status_xdp, mode),
	FIELDS_STOP
};

static const struct field status_fields[] = {
	FIELD("abi", KIND_UINT32, status, abi),
	FIELD_OBJECT("daemon"),
		FIELD("version", KIND_TEXT, status, version),
		FIELD("pid", KIND_UINT32, status, pid),
		FIELD("mode", KIND_OTHER, status, observe, .write = write_mode, .read = read_mode),
		FIELD("uptime_s", KIND_SPAN, status, uptime_ns),
	FIELD_END,
	FIELD_OBJECT("health"),
		FIELD("selftest", KIND_TEXT, status, selftest),
		FIELD_LIST(status, xdp, xdp_fields),
		FIELD_LIST(status, degraded, NULL),
		FIELD("lost_events", KIND_UINT64, status, lost_events),
	FIELD_END,
	FIELD("bypass", KIND_OBJECT, status, bypassed, .zero = ZERO_NULL),
		FIELD("reason", KIND_TEXT, status, bypass.reason),
		FIELD("since", KIND_TIME, status, bypass.since_wall_ns),
		FIELD("until", KIND_TIME, status, bypass.until_wall_ns, .none = STATUS_NEVER),
		FIELD("by", KIND_TEXT, status, bypass.by),
	FIELD_END,
	FIELD_LIST(status, servers, server_fields),
	FIELDS_STOP
};
/* clang-format on */

static const struct document server_document = {
	server_fields, REPLY_SIZE_MAX, REPLY_DEPTH_MAX, { { "name", json_type_string } }
};
static const struct document status_document = {
	status_fields, REPLY_SIZE_MAX, REPLY_DEPTH_MAX, { { "servers", json_type_array } }
};

int status_server_encode(const struct status_server *s, enum url_view view, struct buf *out)
{
	return document_encode(&server_document, s, view, out);
}

int status_encode(const struct status *s, enum url_view view, struct buf *out)
{
	return document_encode(&status_document, s, view, out);
}

int status_server_decode(const char *text, size_t len, struct status_server *ret)
{
	int r;

	*ret = (struct status_server){};
	r = document_decode(&server_document, text, len, ret);
	if (r)
		status_server_done(ret);
	return r;
}

int status_decode(const char *text, size_t len, struct status *ret)
{
	int r;

	*ret = (struct status){};
	r = document_decode(&status_document, text, len, ret);
	if (r)
		status_done(ret);
	return r;
}
