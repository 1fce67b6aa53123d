/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The status document, from the kernel's maps as they are now. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "codec/messages_select.h"
#include "core/metrics.h"
#include "core/names.h"
#include "core/select.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "daemon/shown.h"
#include "modules/modules.h"

struct shown {
	struct part part;
	uint64_t start_ns;
};

static int shown_start(void *m)
{
	struct shown *shown = m;

	shown->start_ns = clock_boot_ns();
	return 0;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static int xdp_fill(struct dataplane *dp, struct status *to)
{
	const struct dataplane_xdp *x;

	to->xdp = calloc(DATAPLANE_XDP_MAX, sizeof(*to->xdp));
	if (!to->xdp)
		return -ENOMEM;
	while ((x = dataplane_xdp(dp, to->n_xdp))) {
		snprintf(to->xdp[to->n_xdp].interface, sizeof(to->xdp->interface), "%s",
			 x->interface);
		snprintf(to->xdp[to->n_xdp].mode, sizeof(to->xdp->mode), "%s", x->mode);
		to->n_xdp++;
	}
	return 0;
}

static int status_fill(struct shown *m, struct status *to)
{
	struct daemon *d = m->part.d;
	struct modules *ms = bus_modules(d->bus);
	int r;

	memset(to, 0, sizeof(*to));
	to->abi = SG_ABI;
	snprintf(to->version, sizeof(to->version), "%s", SWITCHGEAR_VERSION);
	to->pid = (uint32_t)getpid();
	to->observe = dataplane_observes(d->dp);
	to->uptime_ns = clock_boot_ns() - m->start_ns;
	to->lost_events = dataplane_lost(d->dp);
	r = xdp_fill(d->dp, to);
	MODULES_TRY(r, ms, fill_status, to);
	if (!r)
		r = modules_degraded(ms, to);
	if (r)
		return r;
	to->servers = calloc(servers_n(d->servers) + 1, sizeof(*to->servers));
	if (!to->servers)
		return -ENOMEM;
	for (struct server *s = servers_first(d->servers); s && !r; s = s->next)
		r = shown_server(s, &to->servers[to->n_servers++]);
	return r;
}

static void on_status(void *m, struct http_request *q, UNUSED struct server *s)
{
	const struct shown *shown = m;
	struct status status;
	struct buf out = BUF(REPLY_MAX);
	int r = status_fill(m, &status);

	if (!r)
		r = status_encode(&status, reply_view(shown->part.d, q), &out);
	status_done(&status);
	reply_document(q, REPLY_JSON, &out, r);
}

static void on_show(void *m, struct http_request *q, struct server *s)
{
	const struct shown *shown = m;
	struct status_server status;
	struct buf out = BUF(REPLY_MAX);
	int r = shown_server(s, &status);

	if (!r)
		r = status_server_encode(&status, reply_view(shown->part.d, q), &out);
	status_server_done(&status);
	reply_document(q, REPLY_JSON, &out, r);
}

/* --- which server to use ----------------------------------------------------------------------- */

#define GROUP_QUERY "group"
#define TOOL_QUERY "tool"
#define SERVER_QUERY "server"

/* Which of them was chosen, and for what question: so that equals do not take turns. */
struct chosen {
	uint64_t question;
};

/* Servers of one question, in the configuration's order. */
struct choice {
	const struct status_server **v;
	size_t n;
	bool for_tool;
	uint64_t question;
};

static bool is_asked_for(const struct status_server *s, const char *group)
{
	return !group || !strcmp(s->name, group) || (s->group && !strcmp(s->group, group));
}

static int choice_fill(const struct status *from, const char *group, const char *tool,
		       struct choice *ret)
{
	*ret = (struct choice){ .for_tool = tool != NULL };
	ret->question = fnv1a(group ? group : "", group ? strlen(group) + 1 : 0) +
			fnv1a(tool ? tool : "", tool ? strlen(tool) + 1 : 0);
	ret->v = calloc(from->n_servers + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_servers; i++)
		if (is_asked_for(&from->servers[i], group))
			ret->v[ret->n++] = &from->servers[i];
	return 0;
}

static struct chosen *chosen_of(const struct shown *m, const char *name)
{
	struct server *s = servers_by_name(m->part.d->servers, name);

	return s ? module_server(m, s) : NULL;
}

/* The one to use; remembered for the next time. */
static const struct status_server *choose(const struct shown *m, const struct choice *c)
{
	size_t before = SELECT_NONE;
	size_t best;

	for (size_t i = 0; i < c->n; i++) {
		const struct chosen *chosen = chosen_of(m, c->v[i]->name);

		if (chosen && chosen->question == c->question)
			before = i;
	}
	best = select_best(c->v, c->n, c->for_tool, before);
	for (size_t i = 0; i < c->n && best != before; i++) {
		struct chosen *chosen = chosen_of(m, c->v[i]->name);

		if (chosen && (i == best || chosen->question == c->question))
			chosen->question = i == best ? c->question : 0;
	}
	return best == SELECT_NONE ? NULL : c->v[best];
}

/* What speaks for a server, or against it. */
static void reason_of(const struct status_server *s, bool for_tool, char *out, size_t size)
{
	char latency[32] = "not measured";
	const char *why;

	if (select_use(s, for_tool, &why) == SELECT_NO) {
		snprintf(out, size, "%s", why);
		return;
	}
	if (!isnan(s->latency.p50))
		snprintf(latency, sizeof(latency), "p50 %.1f ms", s->latency.p50);
	snprintf(out, size, "trust %.1f (%s), %s, %s%s%s", s->has_trust ? s->trust.score : 0,
		 s->has_trust ? s->trust.band : "none", state_name(s->state), latency,
		 *why ? ", " : "", why);
}

static int alternatives_fill(const struct choice *c, struct reply_select *to)
{
	to->alternatives = calloc(c->n + 1, sizeof(*to->alternatives));
	if (!to->alternatives)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		struct select_server *a = &to->alternatives[to->n_alternatives++];
		const char *why;

		snprintf(a->server, sizeof(a->server), "%s", c->v[i]->name);
		a->url = copy(c->v[i]->url);
		a->usable = select_use(c->v[i], c->for_tool, &why) != SELECT_NO;
		reason_of(c->v[i], c->for_tool, a->reason, sizeof(a->reason));
		a->state = c->v[i]->state;
		a->score = c->v[i]->has_trust ? c->v[i]->trust.score : NAN;
		a->latency_ms = c->v[i]->latency.p50;
	}
	return 0;
}

static int select_fill(const struct shown *m, const struct choice *c, struct reply_select *to)
{
	const struct status_server *best = choose(m, c);

	if (best) {
		snprintf(to->server, sizeof(to->server), "%s", best->name);
		reason_of(best, c->for_tool, to->reason, sizeof(to->reason));
	} else {
		snprintf(to->reason, sizeof(to->reason), "none of %zu can be used", c->n);
	}
	return alternatives_fill(c, to);
}

static const struct status_server *status_of(const struct status *from, const char *name)
{
	for (size_t i = 0; i < from->n_servers; i++)
		if (!strcmp(from->servers[i].name, name))
			return &from->servers[i];
	return NULL;
}

/* A server, then those of its `fallback` in the order in force. NULL in v: no memory. */
static void fallback_fill(const struct status *from, const struct config_server *c, bool for_tool,
			  struct choice *ret)
{
	const struct status_server *listed[CONFIG_FALLBACK_MAX];
	size_t order[CONFIG_FALLBACK_MAX];
	const struct status_server *own = status_of(from, c->name);
	size_t n = 0;

	*ret = (struct choice){ .for_tool = for_tool };
	ret->v = calloc(c->fallback.n + 1, sizeof(*ret->v));
	if (!ret->v || !own)
		return;
	for (size_t i = 0; i < c->fallback.n && n < CONFIG_FALLBACK_MAX; i++) {
		listed[n] = status_of(from, c->fallback.v[i]);
		n += listed[n] != NULL;
	}
	select_order(listed, n, for_tool, c->fallback_by_trust, order);
	ret->v[ret->n++] = own;
	for (size_t i = 0; i < n; i++)
		ret->v[ret->n++] = listed[order[i]];
}

/* The first one that can be called, of an order that is in force already. */
static int fallback_reply(const struct choice *c, struct reply_select *to)
{
	const char *why;

	if (!c->v)
		return -ENOMEM;
	snprintf(to->reason, sizeof(to->reason), "none of %zu can be used", c->n);
	for (size_t i = 0; i < c->n; i++) {
		if (select_use(c->v[i], c->for_tool, &why) == SELECT_NO)
			continue;
		snprintf(to->server, sizeof(to->server), "%s", c->v[i]->name);
		reason_of(c->v[i], c->for_tool, to->reason, sizeof(to->reason));
		break;
	}
	return alternatives_fill(c, to);
}

/* Who stands in for one server: nothing is redirected, who asks goes there himself. */
static void on_select_fallback(const struct shown *shown, struct http_request *q, const char *name)
{
	const struct server *s = servers_by_name(shown->part.d->servers, name);
	struct reply_select reply = { 0 };
	struct choice choice = { 0 };
	struct status status;
	struct buf out = BUF(REPLY_MAX);
	int r;

	if (!s) {
		reply_error(q, 404, "not_found", "there is no server of that name",
			    "`switchgear status` lists them");
		return;
	}
	r = status_fill((void *)(uintptr_t)shown, &status);
	if (!r) {
		fallback_fill(&status, s->config, http_query(q, TOOL_QUERY) != NULL, &choice);
		r = fallback_reply(&choice, &reply);
	}
	if (!r)
		r = reply_select_encode(&reply, reply_view(shown->part.d, q), &out);
	reply_document(q, REPLY_JSON, &out, r);
	free(choice.v);
	status_done(&status);
	reply_select_done(&reply);
}

static void on_select(void *m, struct http_request *q, UNUSED struct server *s)
{
	const struct shown *shown = m;
	const char *server = http_query(q, SERVER_QUERY);
	const char *group = http_query(q, GROUP_QUERY);
	struct reply_select reply = { 0 };
	struct choice choice = { 0 };
	struct status status;
	struct buf out = BUF(REPLY_MAX);
	int r;

	if (server) {
		on_select_fallback(shown, q, server);
		return;
	}
	r = status_fill(m, &status);
	if (!r)
		r = choice_fill(&status, group, http_query(q, TOOL_QUERY), &choice);
	if (!r && group && !choice.n) {
		reply_error(q, 404, "not_found", "there is no group and no server of that name",
			    "`switchgear status` lists them");
	} else {
		if (!r)
			r = select_fill(shown, &choice, &reply);
		if (!r)
			r = reply_select_encode(&reply, reply_view(shown->part.d, q), &out);
		reply_document(q, REPLY_JSON, &out, r);
	}
	free(choice.v);
	status_done(&status);
	reply_select_done(&reply);
}

/* When it may be available again, as far as time alone decides. */
static uint64_t until_of(const struct status_server *s)
{
	if (s->quarantined)
		return s->quarantine.until_wall_ns;
	if (s->breaker.open_remaining_ns && s->breaker.open_remaining_ns != STATUS_NEVER)
		return clock_wall_ns() + s->breaker.open_remaining_ns;
	return STATUS_NEVER;
}

static int capability_fill(const struct shown *m, const struct status *status, const char *name,
			   struct capability *to)
{
	const struct status_server *best;
	struct choice c;
	int r = choice_fill(status, name, NULL, &c);

	if (r)
		return r;
	best = choose(m, &c);
	snprintf(to->name, sizeof(to->name), "%s", name);
	to->available = best != NULL;
	to->until_wall_ns = STATUS_NEVER;
	if (best)
		snprintf(to->server, sizeof(to->server), "%s", best->name);
	if (c.n)
		reason_of(best ? best : c.v[0], false, to->reason, sizeof(to->reason));
	for (size_t i = 0; i < c.n && !best; i++)
		if (until_of(c.v[i]) < to->until_wall_ns)
			to->until_wall_ns = until_of(c.v[i]);
	free(c.v);
	return 0;
}

/* Each group once, and each server that is in none. */
static int capabilities_fill(const struct shown *m, const struct status *status,
			     struct reply_capabilities *to)
{
	int r = 0;

	to->capabilities = calloc(status->n_servers + 1, sizeof(*to->capabilities));
	if (!to->capabilities)
		return -ENOMEM;
	for (size_t i = 0; i < status->n_servers && !r; i++) {
		const struct status_server *s = &status->servers[i];
		bool known = false;

		for (size_t k = 0; k < i && s->group && !known; k++)
			known = status->servers[k].group &&
				!strcmp(status->servers[k].group, s->group);
		if (!known)
			r = capability_fill(m, status, s->group ? s->group : s->name,
					    &to->capabilities[to->n_capabilities++]);
	}
	return r;
}

static void on_capabilities(void *m, struct http_request *q, UNUSED struct server *s)
{
	struct reply_capabilities reply = { 0 };
	struct buf out = BUF(REPLY_MAX);
	struct status status;
	int r = status_fill(m, &status);

	if (!r)
		r = capabilities_fill(m, &status, &reply);
	if (!r)
		r = reply_capabilities_encode(&reply, &out);
	status_done(&status);
	reply_document(q, REPLY_JSON, &out, r);
	reply_capabilities_done(&reply);
}

/* --- the configuration that was not taken over ------------------------------------------------- */

static int shown_degraded(void *m, struct status *to)
{
	const struct shown *shown = m;
	const char *error = shown->part.d->settings->error;
	char text[700];
	int r = 0;

	if (shown->part.d->settings->unmarked[0])
		r = status_degrade(to, shown->part.d->settings->unmarked);
	if (r || !error[0])
		return r;
	snprintf(text, sizeof(text),
		 "the latest reload of the configuration failed, what was in force stays: %s; "
		 "correct it and reload (switchgeard --check tells the rest)",
		 error);
	return status_degrade(to, text);
}

static void shown_metrics(void *m, struct metrics *to)
{
	const struct shown *shown = m;
	const struct settings *s = shown->part.d->settings;

	metrics_family(to, "switchgear_config_last_reload_successful", METRICS_GAUGE,
		       "1: the configuration was read without errors the last time.");
	metrics_u64(to, NULL, 0, !s->error[0]);
	metrics_family(to, "switchgear_config_last_reload_success_timestamp_seconds", METRICS_GAUGE,
		       "When it was read without errors last, the start included.");
	metrics_double(to, NULL, 0, (double)s->loaded_ns / 1e9);
}

static const struct api_route routes[] = {
	{ "GET", "v1/status", API_READ, on_status },
	{ "GET", "v1/servers/*", API_READ, on_show },
	{ "GET", "v1/select", API_READ, on_select },
	{ "GET", "v1/capabilities", API_READ, on_capabilities },
	{ 0 },
};

const struct module shown_module = {
	.name = "status",
	.size = sizeof(struct shown),
	.server_size = sizeof(struct chosen),
	.start = shown_start,
	.degraded = shown_degraded,
	.write_metrics = shown_metrics,
	.routes = routes,
};
