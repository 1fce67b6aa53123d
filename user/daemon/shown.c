/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/shown.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "core/histogram.h"
#include "daemon/bus.h"
#include "verdict.h"

/* The server whose id and breaker stand for this one; NULL if it has none (stdio). */
static struct server *owner(struct server *s)
{
	if (s->covered_by)
		return s->covered_by;
	return s->id ? s : NULL;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void latency_fill(struct dataplane *dp, uint32_t id, enum sg_metric metric,
			 struct status_latency *to)
{
	struct sg_hist h;

	if (dataplane_hist(dp, id, metric, &h))
		return;
	to->p50 = hist_quantile_ns(&h, 0.50) / 1e6;
	to->p95 = hist_quantile_ns(&h, 0.95) / 1e6;
	to->p99 = hist_quantile_ns(&h, 0.99) / 1e6;
}

/* How many connects to an address failed in a row, as the kernel has it. */
static uint32_t failed_at(const struct server *s, const struct dataplane_ways *ways,
			  const struct addr *a)
{
	uint32_t slot = dataplane_server_slot(s->d->dp, s->id, a, s->config->port);

	return slot < SG_SLOTS_MAX ? ways->failed[slot] : 0;
}

static int endpoints_fill(const struct server *s, struct status_server *to)
{
	struct dataplane_ways ways = { 0 };
	size_t n = s->n_claimed + s->config->n_networks;
	const struct server *owner;

	to->endpoints = calloc(n + 1, sizeof(*to->endpoints));
	if (!to->endpoints)
		return -ENOMEM;
	(void)!dataplane_server_ways(s->d->dp, s->id, &ways);
	for (size_t i = 0; i < s->n_claimed; i++) {
		struct status_endpoint *e = &to->endpoints[to->n_endpoints++];

		format_addr(e->address, sizeof(e->address), &s->claimed[i]);
		e->port = s->config->port;
		snprintf(e->source, sizeof(e->source), "%s",
			 s->config->has_addr ? "config" : "dns");
		owner = server_owner(s, &s->claimed[i]);
		if (!owner)
			e->failed = failed_at(s, &ways, &s->claimed[i]);
		if (owner)
			snprintf(e->owner, sizeof(e->owner), "%s", owner->config->name);
	}
	for (size_t i = 0; i < s->config->n_networks; i++) {
		struct status_endpoint *e = &to->endpoints[to->n_endpoints++];

		snprintf(e->address, sizeof(e->address), "%.63s", s->config->networks[i].text);
		snprintf(e->source, sizeof(e->source), "network");
	}
	return 0;
}

/* Why nothing of a server's calls is seen; "" if something is. */
static void unseen_reason(const struct server *s, bool watched, char out[STATUS_REASON_LEN])
{
	const char *error = dataplane_unix_error(s->d->dp);
	const struct config_server *c = s->config;

	out[0] = '\0';
	if (c->visibility != VISIBILITY_NONE)
		return;
	if (!c->unix_name)
		snprintf(out, STATUS_REASON_LEN,
			 "it is run as a command: there is no connection to watch");
	else if (watched && !*error)
		snprintf(out, STATUS_REASON_LEN,
			 "it is at a Unix socket: connects are refused while it is in quarantine "
			 "or open, but calls are not watched, so that only orders open it, and "
			 "connections that are there stay");
	else
		snprintf(out, STATUS_REASON_LEN,
			 "connects to Unix sockets are neither seen nor refused here: %s; a "
			 "quarantine cannot cut it off, keep agents from it by the modes of its "
			 "path",
			 error);
}

static enum status_verdict denied_verdict(const struct status_server *s)
{
	if (*s->shared) /* connects are admitted there, and go nowhere else */
		return VERDICT_REFUSE;
	if (!s->has_fallback || s->fallback.kind == SG_REDIRECT_NONE)
		return VERDICT_REFUSE;
	return s->fallback.kind == SG_REDIRECT_STAND_IN ? VERDICT_STAND_IN : VERDICT_REDIRECT;
}

int shown_judged(struct server *s, struct status_server *to)
{
	struct server *from = owner(s);
	bool denied;
	int r = 0;

	status_server_init(to);
	snprintf(to->name, sizeof(to->name), "%s", s->config->name);
	to->url = copy(s->config->url_shown);
	to->command = copy(s->config->command_shown);
	to->group = copy(s->config->group);
	to->visibility = s->config->visibility;
	unseen_reason(s, from, to->visibility_reason);
	to->orphan = s->orphan;
	if (!from) {
		MODULES_TRY(r, bus_modules(s->d->bus), fill_server, s, to);
		return r;
	}
	r = server_read(from);
	if (r)
		return r;
	to->state = sg_breaker_shown(&from->breaker);
	if (from->breaker.since_ns)
		to->since_wall_ns = clock_wall_ns() - (clock_boot_ns() - from->breaker.since_ns);
	denied = sg_breaker_denies(&from->breaker, clock_boot_ns()) ||
		 from->breaker.state == SG_RAMP || server_quarantined(from);
	MODULES_TRY(r, bus_modules(s->d->bus), fill_server, from, to);
	to->verdict = !dataplane_lets_pass(s->d->dp) && denied ? denied_verdict(to) : VERDICT_ALLOW;
	return r;
}

int shown_server(struct server *s, struct status_server *to)
{
	struct dataplane *dp = s->d->dp;
	struct server *from = owner(s);
	int r = shown_judged(s, to);

	if (r || !from)
		return r;
	(void)!dataplane_stats(dp, from->id, &to->counters);
	latency_fill(dp, from->id, SG_METRIC_ANSWER, &to->latency);
	latency_fill(dp, from->id, SG_METRIC_TLS, &to->handshake);
	return endpoints_fill(from, to);
}
