/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The status document, from the kernel's maps as they are now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/histogram.h"
#include "daemon/app.h"
#include "verdict.h"

/* The server whose id and breaker stand for this one; NULL if it has none (stdio). */
static const struct app_server *owner(const struct app_server *s)
{
	if (s->covered_by)
		return s->covered_by;
	return s->id ? s : NULL;
}

static void latency_fill(struct app *app, uint32_t id, struct status_latency *to)
{
	struct sg_hist h;

	if (dataplane_hist(app->dp, id, SG_METRIC_ANSWER, &h))
		return;
	to->p50 = hist_quantile_ns(&h, 0.50) / 1e6;
	to->p95 = hist_quantile_ns(&h, 0.95) / 1e6;
	to->p99 = hist_quantile_ns(&h, 0.99) / 1e6;
}

static void breaker_fill(struct app_server *s, struct status_server *to, uint64_t now)
{
	struct window_rates rates = engine_rates(&s->engine, now);
	uint64_t due = sg_breaker_due(&s->breaker);

	to->breaker.failure_rate = rates.failure_rate;
	to->breaker.slow_rate = rates.slow_rate;
	to->breaker.consecutive_failures = s->breaker.streak;
	to->breaker.generation = s->breaker.generation;
	if (s->breaker.state != SG_OPEN && s->breaker.state != SG_FORCED_OPEN)
		to->breaker.open_remaining_ns = 0;
	else if (due == SG_FOREVER)
		to->breaker.open_remaining_ns = STATUS_NEVER;
	else
		to->breaker.open_remaining_ns = due > now ? due - now : 0;
}

static void group_fill(struct app_server *s, struct status_server *to)
{
	struct group_count count = app_group_count(s->app, s->group);

	to->held = s->held;
	to->panic = app_group_panic(s);
	if (!s->group)
		return;
	to->places.members = count.members;
	to->places.open = count.open;
	to->places.limit = app_group_limit(s->app, s->group);
}

static void quarantine_fill(const struct app_server *s, struct status_server *to)
{
	const struct app_quarantine *q = &s->quarantine;

	if (!q->active)
		return;
	to->quarantined = true;
	snprintf(to->quarantine.reason, sizeof(to->quarantine.reason), "%s", q->reason);
	snprintf(to->quarantine.by, sizeof(to->quarantine.by), "%s", q->by);
	to->quarantine.since_wall_ns = q->since_wall_ns;
	to->quarantine.until_wall_ns =
		q->until_ns == SG_FOREVER ? STATUS_NEVER : clock_boot_to_wall_ns(q->until_ns);
}

static int endpoints_fill(const struct app_server *s, struct status_server *to)
{
	size_t n = s->addrs_n + s->config->n_networks;

	to->endpoints = calloc(n + 1, sizeof(*to->endpoints));
	if (!to->endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < s->addrs_n; i++) {
		struct status_endpoint *e = &to->endpoints[to->n_endpoints++];

		format_addr(e->address, sizeof(e->address), &s->addrs[i]);
		e->port = s->config->port;
		snprintf(e->source, sizeof(e->source), "%s",
			 s->config->has_addr ? "config" : "dns");
	}
	for (size_t i = 0; i < s->config->n_networks; i++) {
		struct status_endpoint *e = &to->endpoints[to->n_endpoints++];

		snprintf(e->address, sizeof(e->address), "%.63s", s->config->networks[i].text);
		snprintf(e->source, sizeof(e->source), "network");
	}
	return 0;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

int app_status_server(struct app *app, const struct app_server *s, struct status_server *ret)
{
	struct app_server *from = (struct app_server *)owner(s);
	uint64_t now = clock_boot_ns();
	bool denied;
	int r;

	status_server_init(ret);
	snprintf(ret->name, sizeof(ret->name), "%s", s->config->name);
	ret->url = copy(s->config->url_shown);
	ret->command = copy(s->config->command_shown);
	ret->group = copy(s->config->group);
	ret->visibility = s->config->visibility;
	if (!from)
		return 0;
	r = app_server_read(from);
	if (r)
		return r;
	ret->state = sg_breaker_shown(&from->breaker);
	denied = sg_breaker_denies(&from->breaker, now) || from->breaker.state == SG_RAMP;
	ret->verdict = !app->observe && (denied || from->quarantine.active) ? VERDICT_REFUSE
									    : VERDICT_ALLOW;
	breaker_fill(from, ret, now);
	group_fill(from, ret);
	quarantine_fill(from, ret);
	(void)!dataplane_stats(app->dp, from->id, &ret->counters);
	latency_fill(app, from->id, &ret->latency);
	return endpoints_fill(from, ret);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int degraded_add(struct status *s, const char *text)
{
	char **more = realloc(s->degraded, (s->n_degraded + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->degraded = more;
	s->degraded[s->n_degraded] = strdup(text);
	if (!s->degraded[s->n_degraded])
		return -ENOMEM;
	s->n_degraded++;
	return 0;
}

static int unresolved_add(struct app *app, struct status *s)
{
	char text[512];
	int r = 0;

	for (size_t i = 0; i < app->servers_n && !r; i++) {
		const struct app_server *a = app->servers[i];

		if (!a->resolve_error[0])
			continue;
		snprintf(text, sizeof(text), "server \"%s\": \"%s\" cannot be resolved: %s%s",
			 a->config->name, a->config->host, a->resolve_error,
			 a->resolved ? "" : "; it is not watched");
		r = degraded_add(s, text);
	}
	return r;
}

static int unrecorded_add(struct app *app, struct status *s)
{
	char text[512];
	int r = 0;

	for (size_t i = 0; i < app->servers_n && !r; i++) {
		const struct app_server *a = app->servers[i];
		uint64_t n = owner(a) == a ? app_unrecorded(app, a) : 0;

		if (!n)
			continue;
		status_unrecorded(text, sizeof(text), a->config->name, n);
		r = degraded_add(s, text);
	}
	return r;
}

static int degraded_fill(struct app *app, struct status *s)
{
	const char *text;
	char line[sizeof(app->selftest) + 16];
	int r = 0;

	for (size_t i = 0; (text = dataplane_degraded(app->dp, i)) && !r; i++)
		r = degraded_add(s, text);
	if (!r && strcmp(app->selftest, "ok")) {
		snprintf(line, sizeof(line), "self-test: %s", app->selftest);
		r = degraded_add(s, line);
	}
	if (!r && app->map_error[0])
		r = degraded_add(s, app->map_error);
	if (!r && app->store_error[0])
		r = degraded_add(s, app->store_error);
	if (!r)
		r = unrecorded_add(app, s);
	return r ? r : unresolved_add(app, s);
}

size_t app_degraded(struct app *app)
{
	struct status s = { 0 };
	size_t n;

	(void)!degraded_fill(app, &s);
	n = s.n_degraded;
	status_done(&s);
	return n;
}

static int xdp_fill(struct app *app, struct status *s)
{
	const struct dataplane_xdp *x;

	s->xdp = calloc(DATAPLANE_XDP_MAX, sizeof(*s->xdp));
	if (!s->xdp)
		return -ENOMEM;
	while ((x = dataplane_xdp(app->dp, s->n_xdp))) {
		snprintf(s->xdp[s->n_xdp].interface, sizeof(s->xdp->interface), "%s", x->interface);
		snprintf(s->xdp[s->n_xdp].mode, sizeof(s->xdp->mode), "%s", x->mode);
		s->n_xdp++;
	}
	return 0;
}

int app_status(struct app *app, struct status *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->abi = SG_ABI;
	snprintf(ret->version, sizeof(ret->version), "%s", SWITCHGEAR_VERSION);
	ret->pid = (uint32_t)getpid();
	ret->observe = app->observe;
	ret->uptime_ns = clock_boot_ns() - app->start_ns;
	snprintf(ret->selftest, sizeof(ret->selftest), "%.255s", app->selftest);
	ret->lost_events = dataplane_lost(app->dp);
	r = xdp_fill(app, ret);
	if (!r)
		r = degraded_fill(app, ret);
	if (r)
		return r;
	ret->servers = calloc(app->servers_n + 1, sizeof(*ret->servers));
	if (!ret->servers)
		return -ENOMEM;
	for (size_t i = 0; i < app->servers_n && !r; i++) {
		r = app_status_server(app, app->servers[i], &ret->servers[i]);
		ret->n_servers++;
	}
	return r;
}
