/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The status document, read back by a client. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "codec/jsonget.h"
#include "codec/messages.h"
#include "core/counters.h"
#include "core/names.h"

#define REPLY_DEPTH_MAX 16U
#define REPLY_LIST_MAX 65536U

/* The names' own reverse, or `fallback` for a word from the future. */
static int get_word(const struct json_object *obj, const char *key,
		    int (*from_name)(const char *name), int fallback)
{
	int v = from_name(jget_text(obj, key, ""));

	return v < 0 ? fallback : v;
}

static size_t list_length(const struct json_object *list)
{
	size_t n = list ? json_object_array_length(list) : 0;

	return n < REPLY_LIST_MAX ? n : REPLY_LIST_MAX;
}

static int get_owned(const struct json_object *obj, const char *key, char **ret)
{
	const char *text = jget_text(obj, key, NULL);
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static void read_quarantine(const struct json_object *obj, struct status_server *s)
{
	const struct json_object *q = jget_object(obj, "quarantine");

	if (!q)
		return;
	s->quarantined = true;
	jget_copy(q, "reason", s->quarantine.reason, sizeof(s->quarantine.reason));
	jget_copy(q, "by", s->quarantine.by, sizeof(s->quarantine.by));
	s->quarantine.since_wall_ns = jget_time(q, "since", 0);
	s->quarantine.until_wall_ns = jget_time(q, "until", STATUS_NEVER);
}

static void read_trust(const struct json_object *obj, struct status_server *s)
{
	const struct json_object *t = jget_object(obj, "trust");

	if (!t)
		return;
	s->has_trust = true;
	s->trust.score = jget_double(t, "score", NAN);
	jget_copy(t, "band", s->trust.band, sizeof(s->trust.band));
	s->trust.performance = jget_double(t, "performance", NAN);
	s->trust.security = jget_double(t, "security", NAN);
	s->trust.community = jget_double(t, "community", NAN);
	s->trust.strikes = jget_u32(t, "strikes");
}

static void read_breaker(const struct json_object *obj, struct status_breaker *ret)
{
	const struct json_object *b = jget_object(obj, "breaker");

	ret->failure_rate = jget_double(b, "failure_rate", NAN);
	ret->slow_rate = jget_double(b, "slow_rate", NAN);
	ret->consecutive_failures = jget_u32(b, "consecutive_failures");
	ret->open_remaining_ns = jget_seconds(b, "open_remaining_s", b ? STATUS_NEVER : 0);
	ret->generation = jget_u32(b, "generation");
}

static int read_endpoints(const struct json_object *obj, struct status_server *s)
{
	const struct json_object *list = jget_list(obj, "endpoints");
	size_t n = list_length(list);

	if (!n)
		return 0;
	s->endpoints = calloc(n, sizeof(*s->endpoints));
	if (!s->endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct json_object *e = json_object_array_get_idx(list, i);
		uint64_t port = jget_uint(e, "port", 0);

		jget_copy(e, "address", s->endpoints[i].address, sizeof(s->endpoints[i].address));
		jget_copy(e, "source", s->endpoints[i].source, sizeof(s->endpoints[i].source));
		s->endpoints[i].port = port <= UINT16_MAX ? (uint16_t)port : 0;
	}
	s->n_endpoints = n;
	return 0;
}

static void read_counters(const struct json_object *obj, struct sg_stats *ret)
{
	const struct json_object *all = jget_object(obj, "counters");

	for (const struct counter *c = counters; c->value; c++)
		if (c->key)
			counter_set(c, ret,
				    jget_uint(c->object ? jget_object(all, c->object) : all, c->key,
					      0));
}

/* On failure *s holds what was read so far: status_server_done() it. */
static int read_server(const struct json_object *obj, struct status_server *s)
{
	const struct json_object *latency = jget_object(obj, "latency_ms");
	const struct json_object *places = jget_object(obj, "places");
	int r;

	status_server_init(s);
	jget_copy(obj, "name", s->name, sizeof(s->name));
	r = get_owned(obj, "url", &s->url);
	if (!r)
		r = get_owned(obj, "command", &s->command);
	if (!r)
		r = get_owned(obj, "group", &s->group);
	if (!r)
		r = read_endpoints(obj, s);
	if (r)
		return r;
	s->panic = jget_bool(obj, "panic", false);
	s->held = jget_bool(obj, "held", false);
	s->places.members = (uint32_t)jget_uint(places, "members", 0);
	s->places.open = (uint32_t)jget_uint(places, "open", 0);
	s->places.limit = (uint32_t)jget_uint(places, "limit", 0);
	s->state = (enum sg_state)get_word(obj, "state", state_from_name, SG_CLOSED);
	s->verdict = (enum status_verdict)get_word(obj, "verdict", status_verdict_from_name,
						   VERDICT_ALLOW);
	s->visibility = (enum visibility)get_word(obj, "visibility", visibility_from_name,
						  VISIBILITY_METADATA);
	read_quarantine(obj, s);
	read_trust(obj, s);
	read_breaker(obj, &s->breaker);
	read_counters(obj, &s->counters);
	s->latency.p50 = jget_double(latency, "p50", NAN);
	s->latency.p95 = jget_double(latency, "p95", NAN);
	s->latency.p99 = jget_double(latency, "p99", NAN);
	return 0;
}

static int read_health(const struct json_object *health, struct status *s)
{
	const struct json_object *xdp = jget_list(health, "xdp");
	const struct json_object *degraded = jget_list(health, "degraded");
	size_t n_xdp = list_length(xdp);
	size_t n = list_length(degraded);

	jget_copy(health, "selftest", s->selftest, sizeof(s->selftest));
	s->lost_events = jget_uint(health, "lost_events", 0);
	s->xdp = calloc(n_xdp + 1, sizeof(*s->xdp));
	s->degraded = calloc(n + 1, sizeof(*s->degraded));
	if (!s->xdp || !s->degraded)
		return -ENOMEM;
	for (size_t i = 0; i < n_xdp; i++) {
		const struct json_object *x = json_object_array_get_idx(xdp, i);

		jget_copy(x, "interface", s->xdp[i].interface, sizeof(s->xdp[i].interface));
		jget_copy(x, "mode", s->xdp[i].mode, sizeof(s->xdp[i].mode));
	}
	s->n_xdp = n_xdp;
	for (size_t i = 0; i < n; i++) {
		struct json_object *text = json_object_array_get_idx(degraded, i);

		if (!json_object_is_type(text, json_type_string))
			continue;
		s->degraded[s->n_degraded] = strdup(json_object_get_string(text));
		if (!s->degraded[s->n_degraded])
			return -ENOMEM;
		s->n_degraded++;
	}
	return 0;
}

static int read_servers(const struct json_object *list, struct status *s)
{
	size_t n = list_length(list);
	int r;

	s->servers = calloc(n + 1, sizeof(*s->servers));
	if (!s->servers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		s->n_servers++;
		r = read_server(json_object_array_get_idx(list, i), &s->servers[i]);
		if (r)
			return r;
	}
	return 0;
}

static int parse(const char *text, size_t len, struct json_object **ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	int r;

	if (len > REPLY_SIZE_MAX)
		return -EBADMSG;
	r = json_parse(text, len, REPLY_DEPTH_MAX, &root);
	if (r)
		return r;
	if (!json_object_is_type(root, json_type_object))
		return -EBADMSG;
	*ret = TAKE_PTR(root);
	return 0;
}

int status_server_decode(const char *text, size_t len, struct status_server *ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct status_server s;
	int r = parse(text, len, &root);

	if (r)
		return r;
	if (!jget_text(root, "name", NULL))
		return -EBADMSG;
	r = read_server(root, &s);
	if (r) {
		status_server_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

int status_decode(const char *text, size_t len, struct status *ret)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	CLEANUP(status_done) struct status s = {};
	const struct json_object *daemon;
	int r = parse(text, len, &root);

	if (r)
		return r;
	if (!jget_list(root, "servers"))
		return -EBADMSG;
	daemon = jget_object(root, "daemon");
	s.abi = jget_u32(root, "abi");
	jget_copy(daemon, "version", s.version, sizeof(s.version));
	s.pid = jget_u32(daemon, "pid");
	s.observe = !strcmp(jget_text(daemon, "mode", ""), "observe");
	s.uptime_ns = jget_seconds(daemon, "uptime_s", 0);
	r = read_health(jget_object(root, "health"), &s);
	if (!r)
		r = read_servers(jget_list(root, "servers"), &s);
	if (r)
		return r;
	*ret = s;
	s = (struct status){};
	return 0;
}
