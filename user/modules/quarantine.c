/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Quarantine: who put a server there, why and until when. The kernel's map is the
 * truth (A1); what others wrote into it is shown and carried out to the end. It holds at
 * once; what takes long to kill is killed in a child, and told of when that has ended.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/work.h"
#include "dataplane/kill.h"
#include "modules/modules.h"

#define SUB "quarantine"
#define SOON_NS (10 * NS_PER_MS) /* for what is killed in the loop */
#define KILL_NS (10 * NS_PER_SEC)
#define ITSELF "switchgear" /* who ends what has a time */
#define RULE "switchgear (trust)"
#define ANSWER_NS (12 * NS_PER_SEC) /* before who asked gives up (http.h, H4) */

struct quarantine {
	struct part part;
	struct loop_timer *due;
	struct work *work;
	struct order *orders; /* that a child carries on with */
	struct homeless *homeless;
	bool over; /* what ends now is no server that was removed */
};

/* A quarantine whose server is gone; for whoever has its name or its origin next. */
struct homeless {
	struct homeless *next;
	char name[SG_NAME_LEN];
	uint64_t until_ns;
	uint64_t since_wall_ns;
	char reason[STATUS_REASON_LEN];
	char given_for[CONFIG_ORIGIN_MAX];
};

struct quarantine_server {
	uint64_t since_wall_ns;
	char reason[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];
	char given_for[CONFIG_ORIGIN_MAX]; /* where it was then; "": nowhere that has a URL */
};

static struct quarantine_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static void set(const struct quarantine *m, struct server *s, uint64_t until_ns,
		uint64_t since_wall_ns, const char *reason, const char *by)
{
	struct quarantine_server *q = of(m, s);

	s->quarantine_ns = until_ns;
	q->since_wall_ns = since_wall_ns;
	snprintf(q->reason, sizeof(q->reason), "%s", reason);
	snprintf(q->by, sizeof(q->by), "%s", by);
	config_origin(s->config, q->given_for, sizeof(q->given_for));
	bus_dirty(m->part.d->bus);
}

/* --- what is open, and who is told -------------------------------------------------------------- */

/* One order, as it was given. */
struct order {
	struct quarantine *m;
	struct server *s;
	uint64_t start_ns;
	uint64_t until_wall_ns; /* STATUS_NEVER: without end */
	char reason[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];
	bool freeze; /* its processes, if they are on this host */
	bool force;
	struct http_deferred *asker; /* NULL: nobody asked */

	/* of one that goes on in a child */
	struct order *next;
	struct work_job *job;
	uint32_t killed; /* before that */
};

static uint64_t until_wall(const struct server *s)
{
	return s->quarantine_ns == SG_FOREVER ? STATUS_NEVER
					      : clock_boot_to_wall_ns(s->quarantine_ns);
}

static struct order order_of(struct quarantine *m, struct server *s)
{
	const struct quarantine_server *q = of(m, s);
	struct order o = {
		.m = m, .s = s, .start_ns = clock_boot_ns(), .until_wall_ns = until_wall(s)
	};

	memcpy(o.reason, q->reason, sizeof(o.reason));
	memcpy(o.by, q->by, sizeof(o.by));
	return o;
}

/* Who asked, of a server that was released meanwhile. */
static void answer(const struct order *o, const struct event *e)
{
	struct reply_kill reply = { .killed = e->killed,
				    .survivors = e->survivors,
				    .busy = e->busy,
				    .elapsed_ns = clock_boot_ns() - o->start_ns };
	struct buf out = BUF(4096);
	int r;

	snprintf(reply.server, sizeof(reply.server), "%s", e->server);
	memcpy(reply.error, e->error, sizeof(reply.error));
	r = reply_kill_encode(&reply, &out);
	reply_deferred(o->asker, 200, &out, r);
	buf_done(&out);
}

static void event_of(const struct order *o, const struct kill_result *result, int r,
		     struct event *ret)
{
	bool unknown = r || server_at_unix(o->s);

	bus_event(ret, EVENT_QUARANTINE, o->s->config->name);
	ret->killed = result->killed;
	ret->survivors = unknown ? STATUS_UNKNOWN : result->survivors;
	ret->busy = unknown ? STATUS_UNKNOWN : result->busy;
	if (unknown)
		snprintf(ret->error, sizeof(ret->error), "%s",
			 server_at_unix(o->s) ? STATUS_UNIX_UNCOUNTED : strerror(-r));
	ret->until_wall_ns = o->until_wall_ns;
	memcpy(ret->by, o->by, sizeof(o->by));
	memcpy(ret->text, o->reason, sizeof(o->reason));
}

/*
 * Tells of the quarantine and of what the kill came to. One that failed changes nothing of
 * the quarantine: it is an answer, not an error. Who asked is answered by whoever isolates the
 * server's processes: that is sent in the next turn of the loop at the earliest, after the pass
 * that makes all this durable.
 */
static void tell(const struct order *o, const struct kill_result *result, int r)
{
	struct signal signal = { .type = SIGNAL_QUARANTINED, .server = o->s };
	struct quarantined_signal *told = &signal.quarantined;
	struct event e;

	event_of(o, result, r, &e);
	bus_report(o->m->part.d->bus, &e);
	if (!server_quarantined(o->s)) { /* released while it was looked for */
		answer(o, &e);
		return;
	}
	*told = (struct quarantined_signal){ .killed = e.killed,
					     .survivors = e.survivors,
					     .busy = e.busy,
					     .freeze = o->freeze,
					     .force = o->force,
					     .start_ns = o->start_ns,
					     .reason = of(o->m, o->s)->reason,
					     .by = of(o->m, o->s)->by,
					     .asker = o->asker };
	memcpy(told->error, e.error, sizeof(told->error));
	bus_emit(o->m->part.d->bus, &signal);
}

static void order_end(struct order *o, const struct kill_result *result, int r)
{
	struct order **at = &o->m->orders;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	o->s->n_orders--;
	tell(o, result, r);
	free(o);
}

static void on_killed(void *owner, int r, const void *data)
{
	struct order *o = owner;
	struct dataplane *dp = o->m->part.d->dp;
	struct bus *bus = o->m->part.d->bus;
	const struct kill_outcome *out = data;
	struct kill_result result = out ? out->kill : (struct kill_result){ 0 };

	result.killed += o->killed;
	if (out)
		kill_outcome_note(dp, o->s->id, out);
	order_end(o, &result, r);
	bus_pass(bus);
}

/* Goes on in a child. */
static int order_begin(const struct order *from, enum kill_scope scope, uint32_t killed)
{
	struct quarantine *m = from->m;
	struct order *o = malloc(sizeof(*o));
	struct kill_order kill = { m->part.d->dp, from->s->id, scope };
	const struct work_order work = { .name = "switchgear-kill",
					 .fn = kill_order_run,
					 .data = &kill,
					 .data_len = sizeof(kill),
					 .size = sizeof(struct kill_outcome),
					 .run_ns = KILL_NS,
					 .by_ns = from->start_ns + ANSWER_NS,
					 .done = on_killed,
					 .owner = o };
	int r;

	if (!o)
		return -ENOMEM;
	*o = *from;
	o->killed = killed;
	r = work_add(m->work, &work, &o->job);
	if (r) {
		free(o);
		return r;
	}
	o->s->n_orders++;
	o->next = m->orders;
	m->orders = o;
	return 0;
}

/* Kills what is open, here and now or in a child. */
static void carry_out(const struct order *o)
{
	struct dataplane *dp = o->m->part.d->dp;
	enum kill_scope scope = dataplane_lets_pass(dp) ? KILL_RECORDED : KILL_QUARANTINED;
	struct kill_result result = { 0 };
	bool left = false;
	int r = server_only_unix(o->s)
			? 0
			: kill_soon(dp, o->s->id, scope, o->start_ns + SOON_NS, &result, &left);

	if (!r && left) {
		r = order_begin(o, scope, result.killed);
		if (!r)
			return;
	}
	tell(o, &result, r);
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
	bus_emit(m->part.d->bus,
		 &(struct signal){ .type = SIGNAL_RELEASED,
				   .server = s,
				   .by_operator = strcmp(by, ITSELF) && strcmp(by, RULE) });
}

static int release(struct quarantine *m, struct server *s, const char *by, const char *text)
{
	int r = dataplane_quarantine_set(m->part.d->dp, s->id, 0);

	if (!r && server_quarantined(s))
		released(m, s, by, text);
	return r;
}

/* --- time, and others who write the map --------------------------------------------------------- */

/* Nobody configures it, and it is released: from the loop, where nobody else holds it. */
static bool to_be_dropped(const struct server *s)
{
	return s->orphan && !server_quarantined(s) && !s->n_orders;
}

static void on_due(void *data)
{
	struct quarantine *m = data;
	uint64_t now = clock_boot_ns();

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (server_quarantined(s) && s->quarantine_ns <= now)
			(void)!release(m, s, ITSELF, "its time is over");
	bus_pass(m->part.d->bus);
	for (struct server *s = servers_first(m->part.d->servers), *next; s; s = next) {
		next = s->next;
		if (to_be_dropped(s))
			servers_drop(m->part.d->servers, s);
	}
}

static void quarantine_turn(void *m, UNUSED uint64_t now)
{
	struct quarantine *quarantine = m;
	uint64_t next = SG_FOREVER;

	for (const struct server *s = servers_first(quarantine->part.d->servers); s; s = s->next)
		if (to_be_dropped(s))
			next = 1;
		else if (server_quarantined(s) && s->quarantine_ns < next)
			next = s->quarantine_ns;
	loop_timer_set(quarantine->due, next);
}

/* Somebody else wrote this into the map: it holds already, and is carried out to the end. */
static void found(struct quarantine *m, struct server *s, uint64_t until)
{
	struct order o;

	if (server_quarantined(s)) { /* only its end was changed */
		s->quarantine_ns = until;
		bus_dirty(m->part.d->bus);
		return;
	}
	set(m, s, until, clock_wall_ns(), "set in the kernel's map", "another program");
	o = order_of(m, s);
	carry_out(&o);
}

static void map_sync(struct quarantine *m, uint64_t now)
{
	dataplane_quarantine_sync(m->part.d->dp);
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		uint64_t until = s->id ? dataplane_quarantine_until(m->part.d->dp, s->id) : 0;

		if (until > now && until != s->quarantine_ns)
			found(m, s, until);
		else if (!until && s->quarantine_ns > now)
			released(m, s, "another program", "taken out of the kernel's map");
	}
}

static void held(struct quarantine *m, struct server *s, const struct state_server *by)
{
	struct order o;

	if (server_quarantined(s) ||
	    dataplane_quarantine_set(m->part.d->dp, s->id, by->quarantine_ns))
		return;
	set(m, s, by->quarantine_ns, by->since_wall_ns, by->reason, by->by);
	o = order_of(m, s);
	carry_out(&o);
}

/* As an order of an operator, but that one in force stays what it is. */
static void ruled(struct quarantine *m, struct server *s, const char *reason)
{
	struct order o;

	if (!reason) {
		if (server_quarantined(s) && !strcmp(of(m, s)->by, RULE))
			(void)!release(m, s, RULE, "its trust has recovered");
		return;
	}
	if (server_quarantined(s) || !s->id ||
	    dataplane_quarantine_set(m->part.d->dp, s->id, SG_FOREVER))
		return;
	set(m, s, SG_FOREVER, clock_wall_ns(), reason, RULE);
	o = order_of(m, s);
	carry_out(&o);
}

static void quarantine_signal(void *m, const struct signal *signal)
{
	if (signal->type == SIGNAL_RULED)
		ruled(m, signal->server, signal->reason);
	if (signal->type == SIGNAL_TICK)
		map_sync(m, clock_boot_ns());
	else if (signal->type == SIGNAL_HELD)
		held(m, signal->server, signal->held);
}

/* --- life of a server ------------------------------------------------------------------------------ */

static void homeless_add(struct quarantine *m, const struct homeless *from)
{
	struct homeless *h = from->until_ns && !m->over ? malloc(sizeof(*h)) : NULL;

	if (!h)
		return;
	*h = *from;
	h->next = m->homeless;
	m->homeless = h;
}

/* That of a server, for whoever has this name next. */
static void homeless_keep(struct quarantine *m, const struct server *s, const char *name)
{
	const struct quarantine_server *q = of(m, s);
	struct homeless h = { .until_ns = s->quarantine_ns, .since_wall_ns = q->since_wall_ns };

	snprintf(h.name, sizeof(h.name), "%s", name);
	memcpy(h.reason, q->reason, sizeof(h.reason));
	memcpy(h.given_for, q->given_for, sizeof(h.given_for));
	homeless_add(m, &h);
}

static uint64_t until_of(const struct server_start *start, const struct state_server *e)
{
	uint64_t left =
		state_left_ns(&start->state->saved, start->clock, e->quarantine_ns, SG_FOREVER);

	return left == SG_FOREVER ? SG_FOREVER : left ? start->clock->boot_ns + left : 0;
}

/* Those of names that share its endpoint now, and had one of their own when it was saved. */
static void homeless_read(struct quarantine *m, const struct server *s,
			  const struct server_start *start)
{
	for (size_t i = 0; i < start->state->n_servers; i++) {
		const struct state_server *e = &start->state->servers[i];
		struct homeless h = { .since_wall_ns = e->since_wall_ns };

		if (!e->quarantined || !servers_covers(m->part.d->servers, s->config, e->name))
			continue;
		h.until_ns = until_of(start, e);
		memcpy(h.name, e->name, sizeof(h.name));
		memcpy(h.reason, e->reason, sizeof(h.reason));
		memcpy(h.given_for, e->given_for, sizeof(h.given_for));
		homeless_add(m, &h);
	}
}

static int quarantine_ready(void *m, struct server *s, const struct server_start *start)
{
	struct quarantine *quarantine = m;
	const struct state_server *old = start->old && start->old->quarantined ? start->old : NULL;
	uint64_t now = start->clock->boot_ns;
	uint64_t until = 0;

	if (start->pinned)
		until = dataplane_quarantine_until(quarantine->part.d->dp, s->id);
	homeless_read(quarantine, s, start);
	if (!start->pinned && old) {
		until = until_of(start, old);
		if (dataplane_quarantine_set(quarantine->part.d->dp, s->id, until))
			return 0;
	}
	if (until <= now)
		return 0;
	set(m, s, until, old ? old->since_wall_ns : start->clock->wall_ns,
	    old ? old->reason : "set in the map while no daemon ran", old ? old->by : "unknown");
	if (old && *old->given_for)
		memcpy(of(m, s)->given_for, old->given_for, sizeof(old->given_for));
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
	memcpy(to->given_for, q->given_for, sizeof(to->given_for));
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
	to->quarantine.until_wall_ns = until_wall(s);
	return 0;
}

static bool quarantined_of(UNUSED const void *m, struct server *s, uint64_t *ret)
{
	*ret = server_quarantined(s);
	return true;
}

static void quarantine_metrics(void *m, struct metrics *to)
{
	const struct quarantine *quarantine = m;

	servers_family(quarantine->part.d->servers, to, "switchgear_quarantined", METRICS_GAUGE,
		       "1 while in quarantine.", quarantined_of, m);
}

static int quarantine_start(void *m)
{
	struct quarantine *quarantine = m;
	struct daemon *d = quarantine->part.d;
	int r = loop_timer_new(d->loop, on_due, quarantine, &quarantine->due);

	return r ? r : work_new(d, &quarantine->work);
}

/* The quarantines hold, and are on disk. */
static void quarantine_stop(void *m)
{
	struct quarantine *quarantine = m;
	struct order *o;

	while ((o = quarantine->orders)) {
		quarantine->orders = o->next;
		log_warning(SUB, "\"%s\": stopping before it is known which connections are left",
			    o->s->config->name);
		reply_stopping(o->asker,
			       "the daemon stops before it is known which connections are left; "
			       "the quarantine holds",
			       "ask again when it runs");
		free(o);
	}
	while (quarantine->homeless) {
		struct homeless *h = quarantine->homeless;

		quarantine->homeless = h->next;
		free(h);
	}
	quarantine->over = true;
	work_free(quarantine->work);
}

/* Who shares a server's quarantine takes it along to wherever it stands next. */
static void quarantine_applying(void *m)
{
	struct quarantine *quarantine = m;

	for (struct server *s = servers_first(quarantine->part.d->servers); s; s = s->next)
		if (s->covered_by)
			homeless_keep(quarantine, s->covered_by, s->config->name);
}

/* The strictest of the orders that meet at one endpoint holds. False: it is still to come there. */
static bool inherit(struct quarantine *m, struct server *s, const struct homeless *h)
{
	char text[STATUS_REASON_LEN];
	struct order o;

	if (!s || !s->id)
		return false;
	if (s->quarantine_ns >= h->until_ns || h->until_ns <= clock_boot_ns())
		return true;
	if (dataplane_quarantine_set(m->part.d->dp, s->id, h->until_ns))
		return false;
	servers_inherited_reason(text, h->name, h->reason);
	set(m, s, h->until_ns, h->since_wall_ns, text, "switchgear");
	o = order_of(m, s);
	carry_out(&o);
	return true;
}

/* To the server that stands where it was given for, once: what is released there stays so. */
static void hand_over(struct quarantine *m, struct server *s)
{
	struct quarantine_server *q = of(m, s);
	struct server *there = servers_by_origin(m->part.d->servers, q->given_for);
	struct homeless moved = { .until_ns = s->quarantine_ns };

	if (!server_quarantined(s) || there == s)
		return;
	snprintf(moved.name, sizeof(moved.name), "%s", s->config->name);
	moved.since_wall_ns = q->since_wall_ns;
	memcpy(moved.reason, q->reason, sizeof(moved.reason));
	if (!inherit(m, there, &moved))
		return;
	snprintf(q->given_for, sizeof(q->given_for), "%s", SERVERS_NOWHERE);
	bus_dirty(m->part.d->bus);
}

/* An order belongs to what it was given for, by name and by origin. */
static void quarantine_applied(void *m, UNUSED const struct config *config)
{
	struct quarantine *quarantine = m;
	struct servers *all = quarantine->part.d->servers;
	struct homeless *h;

	for (struct server *s = servers_first(all); s; s = s->next)
		hand_over(quarantine, s);
	while ((h = quarantine->homeless)) {
		struct server *s = servers_by_name(all, h->name);

		quarantine->homeless = h->next;
		(void)inherit(quarantine, s && s->covered_by ? s->covered_by : s, h);
		(void)inherit(quarantine, servers_by_origin(all, h->given_for), h);
		free(h);
	}
}

/* Its id may be another server's next. */
static void quarantine_removed(void *m, struct server *s)
{
	struct quarantine *quarantine = m;
	struct order *next;

	homeless_keep(quarantine, s, s->config->name);

	for (struct order *o = quarantine->orders; o; o = next) {
		next = o->next;
		if (o->s != s)
			continue;
		work_cancel(o->job);
		order_end(o, &(struct kill_result){ .killed = o->killed }, -ECANCELED);
	}
}

/* --- operators' orders --------------------------------------------------------------------------------- */

static void warn_unresolved(const struct server *s)
{
	if (s->config->has_url && !s->config->n_networks && !s->n_claimed)
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
	struct order o;
	uint64_t until;
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
	set(quarantine, s, until, clock_wall_ns(), request.reason, by);
	o = order_of(quarantine, s);
	o.start_ns = start;
	o.freeze = request.freeze;
	o.force = request.force;
	o.asker = http_defer(q);
	carry_out(&o);
	bus_pass(quarantine->part.d->bus); /* on disk, before the answer */
	if (!o.asker)
		reply_failure(q, -ENOMEM, "the quarantine holds; no memory to wait for its kill");
}

static void on_release(void *m, struct http_request *q, struct server *s)
{
	struct quarantine *quarantine = m;
	struct request request;
	bool unchanged = !server_quarantined(s) &&
			 !dataplane_quarantine_until(quarantine->part.d->dp, s->id);
	char by[STATUS_BY_LEN];
	int r;

	if (!reply_decode(q, REQUEST_RELEASE, &request))
		return;
	reply_who(q, by, sizeof(by));
	r = release(quarantine, s, by, request.reason);
	bus_pass(quarantine->part.d->bus);
	if (r)
		reply_failure(q, r, "");
	else
		reply_state(q, s, unchanged);
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
	.stop = quarantine_stop,
	.server_ready = quarantine_ready,
	.server_removed = quarantine_removed,
	.applying = quarantine_applying,
	.applied = quarantine_applied,
	.on_signal = quarantine_signal,
	.turn = quarantine_turn,
	.save = quarantine_save,
	.fill_server = quarantine_fill,
	.write_metrics = quarantine_metrics,
	.routes = routes,
};
