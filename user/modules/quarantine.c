/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Quarantine: who put a server there, why and until when. The kernel's map is the
 * truth (A1); what others wrote into it is shown and carried out to the end.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "dataplane/kill.h"
#include "modules/modules.h"

#define SUB "quarantine"

struct quarantine {
	struct part part;
	struct loop_timer *due;
};

struct quarantine_server {
	uint64_t since_wall_ns;
	char reason[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];
};

static struct quarantine_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static void set(struct quarantine *m, struct server *s, uint64_t until_ns, const char *reason,
		const char *by)
{
	struct quarantine_server *q = of(m, s);

	s->quarantine_ns = until_ns;
	q->since_wall_ns = clock_wall_ns();
	snprintf(q->reason, sizeof(q->reason), "%s", reason);
	snprintf(q->by, sizeof(q->by), "%s", by);
	bus_dirty(m->part.d->bus);
}

/* Kills what is open, and tells of the quarantine and of what the kill came to. One that
 * failed changes nothing of the quarantine: it is an answer, not an error. */
static void kill_and_report(struct quarantine *m, struct server *s, struct event *ret)
{
	const struct quarantine_server *q = of(m, s);
	struct signal signal = { .type = SIGNAL_QUARANTINED, .server = s };
	struct kill_result result = { 0 };
	int r = kill_server(m->part.d->dp, s->id,
			    dataplane_observes(m->part.d->dp) ? KILL_RECORDED : KILL_QUARANTINED,
			    &result);

	bus_event(ret, EVENT_QUARANTINE, s->config->name);
	ret->killed = result.killed;
	ret->survivors = r ? STATUS_UNKNOWN : result.survivors;
	ret->busy = r ? STATUS_UNKNOWN : result.busy;
	if (r)
		snprintf(ret->error, sizeof(ret->error), "%s", strerror(-r));
	if (s->quarantine_ns != SG_FOREVER)
		ret->until_wall_ns = clock_boot_to_wall_ns(s->quarantine_ns);
	snprintf(ret->by, sizeof(ret->by), "%s", q->by);
	snprintf(ret->text, sizeof(ret->text), "%s", q->reason);
	bus_report(m->part.d->bus, ret);
	signal.kill = (struct signal_kill){ ret->killed, ret->survivors, ret->busy };
	bus_emit(m->part.d->bus, &signal);
}

/* What the kernel holds released already. */
static void released(struct quarantine *m, struct server *s, const char *by, const char *text)
{
	struct event e;

	s->quarantine_ns = 0;
	memset(of(m, s), 0, sizeof(struct quarantine_server));
	bus_dirty(m->part.d->bus);
	bus_event(&e, EVENT_RELEASE, s->config->name);
	snprintf(e.by, sizeof(e.by), "%s", by);
	snprintf(e.text, sizeof(e.text), "%s", text);
	bus_report(m->part.d->bus, &e);
	bus_emit(m->part.d->bus, &(struct signal){ .type = SIGNAL_RELEASED, .server = s });
}

static int release(struct quarantine *m, struct server *s, const char *by, const char *text)
{
	int r = dataplane_quarantine_set(m->part.d->dp, s->id, 0);

	if (!r && server_quarantined(s))
		released(m, s, by, text);
	return r;
}

/* --- time, and others who write the map --------------------------------------------------------- */

static void on_due(void *data)
{
	struct quarantine *m = data;
	struct servers *all = m->part.d->servers;
	uint64_t now = clock_boot_ns();

	for (size_t i = 0; i < servers_n(all); i++) {
		struct server *s = servers_at(all, i);

		if (server_quarantined(s) && s->quarantine_ns <= now)
			(void)!release(m, s, "switchgear", "its time is over");
	}
	bus_pass(m->part.d->bus);
}

static void quarantine_turn(void *m, uint64_t now)
{
	struct quarantine *quarantine = m;
	struct servers *all = quarantine->part.d->servers;
	uint64_t next = SG_FOREVER;

	(void)now;
	for (size_t i = 0; i < servers_n(all); i++) {
		const struct server *s = servers_at(all, i);

		if (server_quarantined(s) && s->quarantine_ns < next)
			next = s->quarantine_ns;
	}
	loop_timer_set(quarantine->due, next);
}

/* Somebody else wrote this into the map: it holds already, and is carried out to the end. */
static void found(struct quarantine *m, struct server *s, uint64_t until)
{
	struct event e;

	if (server_quarantined(s)) { /* only its end was changed */
		s->quarantine_ns = until;
		bus_dirty(m->part.d->bus);
		return;
	}
	set(m, s, until, "set in the kernel's map", "another program");
	kill_and_report(m, s, &e);
}

static void map_sync(struct quarantine *m, uint64_t now)
{
	struct servers *all = m->part.d->servers;

	dataplane_quarantine_sync(m->part.d->dp);
	for (size_t i = 0; i < servers_n(all); i++) {
		struct server *s = servers_at(all, i);
		uint64_t until = s->id ? dataplane_quarantine_until(m->part.d->dp, s->id) : 0;

		if (until > now && until != s->quarantine_ns)
			found(m, s, until);
		else if (!until && s->quarantine_ns > now)
			released(m, s, "another program", "taken out of the kernel's map");
	}
}

static void quarantine_signal(void *m, const struct signal *signal)
{
	if (signal->type == SIGNAL_TICK)
		map_sync(m, clock_boot_ns());
}

/* --- life of a server ------------------------------------------------------------------------------ */

static int quarantine_ready(void *m, struct server *s, const struct server_start *start)
{
	struct quarantine *quarantine = m;
	const struct state_server *old = start->old && start->old->quarantined ? start->old : NULL;
	struct quarantine_server *q = of(m, s);
	uint64_t now = start->clock->boot_ns;
	uint64_t until = 0;

	if (start->pinned)
		until = dataplane_quarantine_until(quarantine->part.d->dp, s->id);
	if (!start->pinned && old) {
		uint64_t left = state_left_ns(&start->state->saved, start->clock,
					      old->quarantine_ns, SG_FOREVER);

		until = left == SG_FOREVER ? SG_FOREVER : now + left;
		if (dataplane_quarantine_set(quarantine->part.d->dp, s->id, until))
			return 0;
	}
	if (until <= now)
		return 0;
	s->quarantine_ns = until;
	q->since_wall_ns = old ? old->since_wall_ns : start->clock->wall_ns;
	snprintf(q->reason, sizeof(q->reason), "%s",
		 old ? old->reason : "set in the map while no daemon ran");
	snprintf(q->by, sizeof(q->by), "%s", old ? old->by : "unknown");
	return 0;
}

static void quarantine_save(void *m, struct server *s, struct state_server *to, uint64_t now)
{
	const struct quarantine_server *q = of(m, s);

	if (!server_quarantined(s))
		return;
	to->quarantined = true;
	to->quarantine_ns = s->quarantine_ns == SG_FOREVER ? SG_FOREVER
			    : s->quarantine_ns > now       ? s->quarantine_ns - now
							   : 0;
	to->since_wall_ns = q->since_wall_ns;
	memcpy(to->reason, q->reason, sizeof(to->reason));
	memcpy(to->by, q->by, sizeof(to->by));
}

static int quarantine_fill(void *m, struct server *s, struct status_server *to)
{
	const struct quarantine_server *q = of(m, s);

	if (!server_quarantined(s))
		return 0;
	to->quarantined = true;
	snprintf(to->quarantine.reason, sizeof(to->quarantine.reason), "%s", q->reason);
	snprintf(to->quarantine.by, sizeof(to->quarantine.by), "%s", q->by);
	to->quarantine.since_wall_ns = q->since_wall_ns;
	to->quarantine.until_wall_ns = s->quarantine_ns == SG_FOREVER
					       ? STATUS_NEVER
					       : clock_boot_to_wall_ns(s->quarantine_ns);
	return 0;
}

static void quarantine_metrics(void *m, struct metrics *to)
{
	const struct quarantine *quarantine = m;
	struct servers *all = quarantine->part.d->servers;

	metrics_family(to, "switchgear_quarantined", METRICS_GAUGE, "1 while in quarantine.");
	for (size_t i = 0; i < servers_n(all); i++) {
		const struct server *s = servers_at(all, i);
		const struct metrics_label label = { "server", s->config->name };

		if (server_watched(s))
			metrics_u64(to, &label, 1, server_quarantined(s));
	}
}

static int quarantine_start(void *m)
{
	struct quarantine *quarantine = m;

	return loop_timer_new(quarantine->part.d->loop, on_due, quarantine, &quarantine->due);
}

/* --- operators' orders --------------------------------------------------------------------------------- */

static void reply_killed(struct http_request *q, const struct event *e, uint64_t elapsed_ns)
{
	struct reply_kill reply = { .killed = e->killed,
				    .survivors = e->survivors,
				    .busy = e->busy,
				    .elapsed_ns = elapsed_ns };
	struct buf out;

	snprintf(reply.server, sizeof(reply.server), "%s", e->server);
	memcpy(reply.error, e->error, sizeof(reply.error));
	buf_init(&out, 1024);
	reply_document(q, REPLY_JSON, &out, reply_kill_encode(&reply, &out));
}

static void warn_unresolved(const struct server *s)
{
	if (s->config->has_url && !s->config->n_networks && !s->addrs_n)
		log_warning(SUB,
			    "no address of \"%s\" is known (not resolved); the quarantine "
			    "holds as soon as one is",
			    s->config->name);
}

static void on_quarantine(void *m, struct http_request *q, struct server *s)
{
	struct quarantine *quarantine = m;
	uint64_t start = clock_boot_ns();
	struct request request;
	char by[STATUS_BY_LEN];
	uint64_t until;
	struct event e;
	int r;

	if (!reply_decode(q, REQUEST_QUARANTINE, &request))
		return;
	until = request.for_ns == SG_FOREVER ? SG_FOREVER : start + request.for_ns;
	r = dataplane_quarantine_set(quarantine->part.d->dp, s->id, until);
	if (r) {
		reply_failure(q, r, "");
		return;
	}
	warn_unresolved(s);
	reply_who(q, by, sizeof(by));
	set(quarantine, s, until, request.reason, by);
	kill_and_report(quarantine, s, &e);
	bus_pass(quarantine->part.d->bus); /* on disk, before the answer */
	reply_killed(q, &e, clock_boot_ns() - start);
}

static void on_release(void *m, struct http_request *q, struct server *s)
{
	struct quarantine *quarantine = m;
	struct request request;
	char by[STATUS_BY_LEN];
	int r;

	if (!reply_decode(q, REQUEST_RELEASE, &request))
		return;
	reply_who(q, by, sizeof(by));
	r = release(quarantine, s, by, "");
	bus_pass(quarantine->part.d->bus);
	if (r)
		reply_failure(q, r, "");
	else
		reply_state(q, s);
}

static const struct api_route routes[] = {
	{ "POST", "v1/servers/*/quarantine", API_CHANGE, on_quarantine },
	{ "POST", "v1/servers/*/release", API_CHANGE, on_release },
	{ 0 },
};

const struct module quarantine_module = {
	.name = SUB,
	.size = sizeof(struct quarantine),
	.server_size = sizeof(struct quarantine_server),
	.start = quarantine_start,
	.server_ready = quarantine_ready,
	.on_signal = quarantine_signal,
	.turn = quarantine_turn,
	.save = quarantine_save,
	.fill_server = quarantine_fill,
	.write_metrics = quarantine_metrics,
	.routes = routes,
};
