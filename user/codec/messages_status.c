/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The status document, written. The order of members is part of the contract. */
#include <string.h>

#include "codec/jsonw.h"
#include "codec/messages.h"
#include "core/counters.h"
#include "core/names.h"

static void write_quarantine(struct jsonw *w, const struct status_server *s)
{
	const struct status_quarantine *q = &s->quarantine;

	if (!s->quarantined) {
		jsonw_null(w, "quarantine");
		return;
	}
	jsonw_object(w, "quarantine");
	jsonw_text(w, "reason", q->reason);
	jsonw_time(w, "since", q->since_wall_ns);
	if (q->until_wall_ns == STATUS_NEVER)
		jsonw_null(w, "until");
	else
		jsonw_time(w, "until", q->until_wall_ns);
	jsonw_text(w, "by", q->by);
	jsonw_object_end(w);
}

static void write_trust(struct jsonw *w, const struct status_server *s)
{
	const struct status_trust *t = &s->trust;

	if (!s->has_trust) {
		jsonw_null(w, "trust");
		return;
	}
	jsonw_object(w, "trust");
	jsonw_double(w, "score", t->score);
	jsonw_text(w, "band", t->band);
	jsonw_double(w, "performance", t->performance);
	jsonw_double(w, "security", t->security);
	jsonw_double(w, "community", t->community);
	jsonw_uint(w, "strikes", t->strikes);
	jsonw_object_end(w);
}

static void write_breaker(struct jsonw *w, const struct status_breaker *b)
{
	jsonw_object(w, "breaker");
	jsonw_double(w, "failure_rate", b->failure_rate);
	jsonw_double(w, "slow_rate", b->slow_rate);
	jsonw_uint(w, "consecutive_failures", b->consecutive_failures);
	if (b->open_remaining_ns == STATUS_NEVER)
		jsonw_null(w, "open_remaining_s");
	else
		jsonw_seconds(w, "open_remaining_s", b->open_remaining_ns);
	jsonw_uint(w, "generation", b->generation);
	jsonw_object_end(w);
}

static void write_places(struct jsonw *w, const struct status_places *p)
{
	if (!p->members) {
		jsonw_null(w, "places");
		return;
	}
	jsonw_object(w, "places");
	jsonw_uint(w, "members", p->members);
	jsonw_uint(w, "open", p->open);
	jsonw_uint(w, "limit", p->limit);
	jsonw_object_end(w);
}

static void write_endpoints(struct jsonw *w, const struct status_server *s)
{
	jsonw_list(w, "endpoints");
	for (size_t i = 0; i < s->n_endpoints; i++) {
		const struct status_endpoint *e = &s->endpoints[i];

		jsonw_object(w, NULL);
		jsonw_text(w, "address", e->address);
		if (e->port)
			jsonw_uint(w, "port", e->port);
		else
			jsonw_null(w, "port");
		jsonw_text(w, "source", e->source);
		jsonw_object_end(w);
	}
	jsonw_list_end(w);
}

static void write_counters(struct jsonw *w, const struct sg_stats *stats)
{
	const char *object = NULL;

	jsonw_object(w, "counters");
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

static void write_server(struct jsonw *w, const struct status_server *s)
{
	jsonw_object(w, NULL);
	jsonw_text(w, "name", s->name);
	jsonw_text(w, "url", s->url);
	jsonw_text(w, "group", s->group);
	jsonw_bool(w, "panic", s->panic);
	jsonw_text(w, "state", state_name(s->state));
	jsonw_text(w, "verdict", status_verdict_name(s->verdict));
	write_quarantine(w, s);
	write_trust(w, s);
	write_breaker(w, &s->breaker);
	write_endpoints(w, s);
	jsonw_text(w, "visibility", visibility_name(s->visibility));
	write_counters(w, &s->counters);
	jsonw_object(w, "latency_ms");
	jsonw_double(w, "p50", s->latency.p50);
	jsonw_double(w, "p95", s->latency.p95);
	jsonw_double(w, "p99", s->latency.p99);
	jsonw_object_end(w);
	jsonw_bool(w, "held", s->held);
	write_places(w, &s->places);
	if (s->command)
		jsonw_text(w, "command", s->command);
	jsonw_object_end(w);
}

static void write_health(struct jsonw *w, const struct status *s)
{
	jsonw_object(w, "health");
	jsonw_text(w, "selftest", s->selftest);
	jsonw_list(w, "xdp");
	for (size_t i = 0; i < s->n_xdp; i++) {
		jsonw_object(w, NULL);
		jsonw_text(w, "interface", s->xdp[i].interface);
		jsonw_text(w, "mode", s->xdp[i].mode);
		jsonw_object_end(w);
	}
	jsonw_list_end(w);
	jsonw_list(w, "degraded");
	for (size_t i = 0; i < s->n_degraded; i++)
		jsonw_text(w, NULL, s->degraded[i]);
	jsonw_list_end(w);
	jsonw_uint(w, "lost_events", s->lost_events);
	jsonw_object_end(w);
}

int status_server_encode(const struct status_server *s, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	write_server(&w, s);
	return buf_error(out);
}

int status_encode(const struct status *s, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_uint(&w, "abi", s->abi);
	jsonw_object(&w, "daemon");
	jsonw_text(&w, "version", s->version);
	jsonw_uint(&w, "pid", s->pid);
	jsonw_text(&w, "mode", s->observe ? "observe" : "enforce");
	jsonw_seconds(&w, "uptime_s", s->uptime_ns);
	jsonw_object_end(&w);
	write_health(&w, s);
	jsonw_list(&w, "servers");
	for (size_t i = 0; i < s->n_servers; i++)
		write_server(&w, &s->servers[i]);
	jsonw_list_end(&w);
	jsonw_object_end(&w);
	return buf_error(out);
}
