/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The breakers: outcomes and transitions that the kernel reports go to the engines,
 * whose rates may ask for a trip and whose times tell how long the next opening lasts.
 * Operators' orders to breakers come in here.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "core/baseline.h"
#include "core/callers.h"
#include "core/engine.h"
#include "core/metrics.h"
#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "modules/modules.h"

#define SUB "breaker"

/* An order to open that stays with the name and the origin that it was given for. */
struct homeless {
	struct homeless *next;
	char name[SG_NAME_LEN];
	char given_for[CONFIG_ORIGIN_MAX];
	uint64_t until_ns;
	struct status_quarantine order;
};

struct breaker {
	struct part part;
	struct loop_timer *due;
	struct homeless *homeless; /* of servers that are gone, or end to share an endpoint */
	bool begun;                /* homeless of the state on disk are among them */
	bool over;                 /* what ends now is no server that was removed */
};

struct breaker_server {
	bool ready; /* engine is initialised */
	struct engine engine;
	struct baseline baseline;
	struct callers callers;
	uint64_t held_told_ns;
	/* who gave the latest order, and why; it is in force while s->breaker.order_until_ns */
	struct status_quarantine order;
	uint32_t order_seq; /* of the transition that it brought; 0: of another daemon's time */
	char given_for[CONFIG_ORIGIN_MAX]; /* where the server was then; "": no URL */
};

static void want_next_open(struct server *s, struct breaker_server *b)
{
	s->wanted.next_open_ns = engine_next_open_ns(&b->engine, clock_boot_ns());
	s->wanted.slow_ns = b->baseline.slow_ns;
}

/* --- life of a server ---------------------------------------------------------------------- */

static int breaker_added(void *m, struct server *s, const struct server_start *start)
{
	struct breaker_server *b = module_server(m, s);
	int r = engine_init(&b->engine, &s->config->policy, start->clock->wall_ns, s->id);

	if (r)
		return r;
	b->ready = true;
	baseline_init(&b->baseline, &s->config->policy);
	want_next_open(s, b);
	return 0;
}

/* Is it the order that was saved? In the shadow of one everything else moves on. */
static bool same_order(const struct sg_breaker *b, const struct state_server *old)
{
	if (!old || !old->ordered || old->shadow != (bool)b->shadow)
		return false;
	return old->shadow || (old->state == b->state && old->generation == b->generation);
}

static void order_restore(const struct server *s, struct breaker_server *b,
			  const struct state_server *old)
{
	struct status_quarantine *o = &b->order;

	*o = (struct status_quarantine){ .by = "unknown" };
	o->since_wall_ns = clock_boot_to_wall_ns(s->breaker.since_ns);
	config_origin(s->config, b->given_for, sizeof(b->given_for));
	if (!same_order(&s->breaker, old))
		return;
	o->since_wall_ns = old->order_since_wall_ns;
	memcpy(o->reason, old->order_reason, sizeof(o->reason));
	memcpy(o->by, old->order_by, sizeof(o->by));
	memcpy(b->given_for, old->order_given_for, sizeof(b->given_for));
}

static int breaker_changed(void *m, struct server *s, unsigned int diff)
{
	struct breaker_server *b = module_server(m, s);
	int r;

	if (!b->ready || !(diff & CONFIG_DIFF_POLICY))
		return 0;
	r = engine_set_policy(&b->engine, &s->config->policy);
	if (r)
		return r;
	baseline_set_policy(&b->baseline, &s->config->policy);
	want_next_open(s, b);
	return 0;
}

static bool ordered_open(const struct server *s)
{
	return s->breaker.state == SG_FORCED_OPEN && s->breaker.order_until_ns;
}

static void homeless_of(const void *m, const struct server *s, const char *name,
			struct homeless *ret)
{
	const struct breaker_server *b = module_server(m, s);

	*ret = (struct homeless){ .until_ns = s->breaker.order_until_ns, .order = b->order };
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	memcpy(ret->given_for, b->given_for, sizeof(ret->given_for));
}

static void homeless_from(struct homeless *h, const struct state_server *e)
{
	memcpy(h->name, e->name, sizeof(h->name));
	memcpy(h->given_for, e->order_given_for, sizeof(h->given_for));
	h->order.since_wall_ns = e->order_since_wall_ns;
	memcpy(h->order.reason, e->order_reason, sizeof(h->order.reason));
	memcpy(h->order.by, e->order_by, sizeof(h->order.by));
}

static void homeless_add(struct breaker *m, const struct homeless *from)
{
	struct homeless *h = malloc(sizeof(*h));

	if (!h) {
		bus_alarm(m->part.d->bus, from->name,
			  "no memory to remember the order that it is open: give it again");
		return;
	}
	*h = *from;
	h->next = m->homeless;
	m->homeless = h;
}

static void homeless_keep(struct breaker *m, const struct server *s, const char *name)
{
	struct homeless h;

	if (m->over || !ordered_open(s))
		return;
	homeless_of(m, s, name, &h);
	homeless_add(m, &h);
}

/* Those of names that share its endpoint now, and had a breaker of their own when it was saved. */
static void homeless_read(struct breaker *m, const struct server *s,
			  const struct server_start *start)
{
	for (size_t i = 0; i < start->state->n_servers; i++) {
		const struct state_server *e = &start->state->servers[i];
		struct homeless h = { 0 };
		struct sg_breaker was;

		if (e->state != SG_FORCED_OPEN || !e->ordered ||
		    !servers_covers(m->part.d->servers, s->config, e->name))
			continue;
		state_server_restore(e, &start->state->saved, start->clock, 0, 0, &was);
		h.until_ns = was.order_until_ns;
		homeless_from(&h, e);
		homeless_add(m, &h);
	}
}

static int breaker_ready(void *m, struct server *s, const struct server_start *start)
{
	struct breaker_server *b = module_server(m, s);
	const struct state_server *old = start->old;

	engine_restore(&b->engine, &s->breaker, old ? old->trips : 0, old ? old->good_ns : 0,
		       old ? start->clock->boot_ns : 0);
	want_next_open(s, b);
	order_restore(s, b, old);
	homeless_read(m, s, start);
	return 0;
}

/* Who shares a server's endpoint takes an order along to wherever it stands next. */
static void breaker_applying(void *m)
{
	struct breaker *breaker = m;

	for (struct server *s = servers_first(breaker->part.d->servers); s; s = s->next)
		if (s->covered_by)
			homeless_keep(breaker, s->covered_by, s->config->name);
}

/* The strictest of the orders that meet at one endpoint holds. False: it is still to come there. */
static bool inherit(const struct breaker *m, struct server *s, const struct homeless *h)
{
	struct sg_command cmd = { .op = SG_CMD_ORDER,
				  .state = SG_FORCED_OPEN,
				  .until_ns = h->until_ns };
	struct breaker_server *b;

	if (!s || !s->id || s->orphan)
		return false;
	if (ordered_open(s) && s->breaker.order_until_ns >= h->until_ns)
		return true;
	cmd.server = s->id;
	if (dataplane_command(m->part.d->dp, &cmd) || server_read(s)) {
		bus_alarm(m->part.d->bus, s->config->name,
			  "it should be open, as \"%s\" was, and the kernel refused that: give "
			  "the order by hand",
			  h->name);
		return false;
	}
	b = module_server(m, s);
	b->order = h->order;
	servers_inherited_reason(b->order.reason, h->name, h->order.reason);
	b->order_seq = cmd.breaker.last.seq;
	config_origin(s->config, b->given_for, sizeof(b->given_for));
	bus_dirty(m->part.d->bus);
	return true;
}

/* To the server that stands where it was given for, once. */
static void hand_over(const struct breaker *m, struct server *s)
{
	struct servers *all = m->part.d->servers;
	struct breaker_server *b = module_server(m, s);
	struct server *there = servers_by_origin(all, b->given_for);
	struct homeless h;

	if (!s->id || !b->ready || !ordered_open(s) || there == s)
		return;
	homeless_of(m, s, s->config->name, &h);
	if (!inherit(m, there, &h))
		return;
	snprintf(b->given_for, sizeof(b->given_for), "%s", SERVERS_NOWHERE);
	bus_dirty(m->part.d->bus);
}

/* Those of names that are not configured. */
static void homeless_load(struct breaker *m, uint64_t now)
{
	struct servers *all = m->part.d->servers;
	CLEANUP(freep) struct state_server *kept = NULL;
	size_t n;

	if (m->begun)
		return;
	m->begun = true;
	n = servers_kept(all, NULL, now);
	kept = calloc(n + 1, sizeof(*kept));
	n = kept ? servers_kept(all, kept, now) : 0;
	for (size_t i = 0; i < n; i++) {
		struct homeless h = { 0 };

		if (kept[i].state != SG_FORCED_OPEN || !kept[i].ordered)
			continue;
		h.until_ns = kept[i].order_ns == SG_FOREVER ? SG_FOREVER : now + kept[i].order_ns;
		homeless_from(&h, &kept[i]);
		homeless_add(m, &h);
	}
}

/* An order belongs to what it was given for, by name and by origin. */
static void breaker_applied(void *m, UNUSED const struct config *config)
{
	struct breaker *breaker = m;
	struct servers *all = breaker->part.d->servers;
	uint64_t now = clock_boot_ns();
	struct homeless **at = &breaker->homeless;

	homeless_load(breaker, now);
	for (struct server *s = servers_first(all); s; s = s->next)
		hand_over(breaker, s);
	while (*at) {
		struct homeless *h = *at;
		struct server *s = servers_by_name(all, h->name);
		bool over = h->until_ns <= now;

		if (!over)
			(void)inherit(breaker, s && s->covered_by ? s->covered_by : s, h);
		if (!over && !inherit(breaker, servers_by_origin(all, h->given_for), h) && !s) {
			at = &h->next; /* somebody may come there */
			continue;
		}
		servers_kept_settled(all, h->name);
		*at = h->next;
		free(h);
	}
}

static void breaker_removed(void *m, struct server *s)
{
	struct breaker_server *b = module_server(m, s);

	if (b->ready)
		homeless_keep(m, s, s->config->name);
	if (b->ready)
		engine_done(&b->engine);
	b->ready = false;
}

/* --- what happens to it ------------------------------------------------------------------------ */

/*
 * Learns the usual latency, and then says whether the call was slow. The kernel, which judges
 * probes by it, is told of a limit that moved by a tenth.
 */
static bool judge_latency(struct server *s, struct breaker_server *b, const struct sg_event *k)
{
	uint64_t old = s->wanted.slow_ns;
	uint64_t slow;

	if (k->outcome == SG_SUCCESS &&
	    (b->engine.state == SG_CLOSED || b->engine.state == SG_RAMP))
		baseline_add(&b->baseline, &s->config->policy, k->t_ns, k->latency_ns);
	slow = b->baseline.slow_ns;
	if (slow > old ? slow - old > old / 10 : old - slow > old / 10)
		want_next_open(s, b);
	return k->outcome <= SG_SOFT && k->latency_ns > slow;
}

/* A failure that opened nothing, since others are served well: told once a second. */
static void tell_held(struct breaker *m, struct server *s, struct breaker_server *b,
		      const struct sg_event *k)
{
	struct event e;

	if (k->t_ns < b->held_told_ns + NS_PER_SEC)
		return;
	b->held_told_ns = k->t_ns;
	bus_event(&e, EVENT_ONE_CLIENT, s->config->name);
	callers_name(k->source, e.by, sizeof(e.by));
	snprintf(e.text, sizeof(e.text),
		 "%" PRIu32
		 " failures in a row, %.0f %% of recent calls failed or were slow; others "
		 "are served well, so it stays closed",
		 k->streak, callers_share(&b->callers, k->source, k->t_ns) * 100);
	bus_report(m->part.d->bus, &e);
}

/* An answer came to what had been counted as unanswered: it teaches what is usual, too. */
static void on_late(struct server *s, struct breaker_server *b, const struct sg_event *k)
{
	uint64_t waited = k->was_ns + k->latency_ns > k->t_ns ? k->was_ns + k->latency_ns - k->t_ns
							      : 0; /* when it was counted */
	bool was_slow = waited > b->baseline.slow_ns;
	bool slow = judge_latency(s, b, k);

	engine_correct(&b->engine, k->was_ns, k->generation, (enum sg_class)k->outcome, was_slow,
		       slow);
	if (k->outcome == SG_SUCCESS && !slow)
		callers_correct(&b->callers, k->source);
}

static void on_outcome(struct breaker *m, struct server *s, const struct sg_event *k)
{
	struct breaker_server *b = module_server(m, s);
	struct window_rates rates;
	enum sg_reason reason;
	bool slow;

	if (k->flags & SG_OUT_LATE && k->was_outcome <= SG_SOFT) {
		on_late(s, b, k);
		return;
	}
	slow = judge_latency(s, b, k);
	if (k->outcome <= SG_SOFT)
		callers_add(&b->callers, k->source, k->outcome != SG_SUCCESS || slow, k->t_ns);
	if (k->effect == SG_EFFECT_HELD)
		tell_held(m, s, b, k);
	reason = engine_outcome(&b->engine, k->t_ns, k->generation, (enum sg_class)k->outcome, slow,
				&rates);
	if (reason == SG_REASON_NONE)
		return;
	if (callers_served(&b->callers,
			   reason == SG_REASON_SLOW_RATE ? s->config->policy.slow_rate
							 : s->config->policy.failure_rate,
			   k->t_ns)) {
		tell_held(m, s, b, k);
		return;
	}
	server_trip(s, k->generation, reason);
}

static bool is_order(const struct sg_transition *mv)
{
	return mv->reason == SG_REASON_MANUAL || mv->reason == SG_REASON_RESET;
}

static void report_transition(struct bus *bus, const struct server *s, struct breaker_server *b,
			      const struct sg_transition *mv)
{
	struct window_rates rates = engine_rates(&b->engine, mv->t_ns);
	struct event e;

	bus_event(&e, EVENT_TRANSITION, s->config->name);
	e.t_ns = mv->t_ns;
	e.wall_ns = clock_boot_to_wall_ns(mv->t_ns);
	e.from = (enum sg_state)mv->from;
	e.to = (enum sg_state)mv->to;
	e.reason = (enum sg_reason)mv->reason;
	if (mv->from == SG_HALF_OPEN && mv->total) {
		e.failure_rate = (double)mv->failed / mv->total;
		e.slow_rate = (double)mv->slow / mv->total;
		e.calls = mv->calls;
	} else {
		e.failure_rate = rates.failure_rate;
		e.slow_rate = rates.slow_rate;
		e.calls = rates.counts.calls;
	}
	if (mv->deadline_ns == SG_FOREVER)
		e.open_ns = STATUS_NEVER;
	else if (mv->deadline_ns > mv->t_ns && mv->to != SG_RAMP)
		e.open_ns = mv->deadline_ns - mv->t_ns;
	if (is_order(mv)) {
		memcpy(e.by, b->order.by, sizeof(e.by));
		memcpy(e.text, b->order.reason, sizeof(e.text));
	}
	bus_report(bus, &e);
}

static void on_transition(struct breaker *m, struct server *s, const struct sg_transition *mv)
{
	struct breaker_server *b = module_server(m, s);

	if (is_order(mv) && mv->seq != b->order_seq)
		b->order = (struct status_quarantine){ .by = "another program",
						       .since_wall_ns = clock_wall_ns() };
	report_transition(m->part.d->bus, s, b, mv);
	if (mv->reason == SG_REASON_RESET)
		engine_reset(&b->engine, mv->t_ns, mv->generation);
	else
		engine_transition(&b->engine, mv);
	want_next_open(s, b);
	bus_dirty(m->part.d->bus);
}

static void breaker_signal(void *m, const struct signal *signal)
{
	struct breaker_server *b = module_server(m, signal->server);

	if (!b->ready)
		return;
	if (signal->type == SIGNAL_OUTCOME)
		on_outcome(m, signal->server, &signal->kernel);
	else if (signal->type == SIGNAL_TRANSITION)
		on_transition(m, signal->server, &signal->kernel.move);
}

/* --- what time changes --------------------------------------------------------------------------- */

/* When something is next due for a server by time alone. */
static uint64_t server_due(const struct server *s, const struct breaker_server *b, uint64_t now)
{
	uint64_t due = sg_breaker_due(&s->breaker);
	uint64_t change = engine_next_change_ns(&b->engine, now);

	return change < due ? change : due;
}

static void breaker_turn(void *m, uint64_t now)
{
	struct breaker *breaker = m;
	uint64_t next = SG_FOREVER;

	for (struct server *s = servers_first(breaker->part.d->servers); s; s = s->next) {
		struct breaker_server *b = module_server(m, s);
		uint64_t due = b->ready ? server_due(s, b, now) : SG_FOREVER;

		next = due < next ? due : next;
	}
	loop_timer_set(breaker->due, next);
}

static void on_due(void *data)
{
	struct breaker *breaker = data;
	uint64_t now = clock_boot_ns();

	for (struct server *s = servers_first(breaker->part.d->servers); s; s = s->next) {
		struct breaker_server *b = module_server(breaker, s);

		if (!b->ready)
			continue;
		if (sg_breaker_due(&s->breaker) <= now)
			(void)!server_read(s); /* carries out what is due */
		want_next_open(s, b);
	}
	bus_pass(breaker->part.d->bus);
}

static void breaker_stop(void *m)
{
	struct breaker *breaker = m;
	struct homeless *h;

	breaker->over = true;
	while ((h = breaker->homeless)) {
		breaker->homeless = h->next;
		free(h);
	}
}

static int breaker_start(void *m)
{
	struct breaker *breaker = m;

	return loop_timer_new(breaker->part.d->loop, on_due, breaker, &breaker->due);
}

/* --- what others ask for ---------------------------------------------------------------------------- */

static void breaker_save(void *m, struct server *s, struct state_server *to, uint64_t now)
{
	struct breaker_server *b = module_server(m, s);

	if (!b->ready)
		return;
	to->trips = b->engine.trips;
	to->good_ns = engine_good_ns(&b->engine, now);
	to->ordered = s->breaker.order_until_ns != 0;
	if (!to->ordered)
		return;
	to->order_since_wall_ns = b->order.since_wall_ns;
	memcpy(to->order_reason, b->order.reason, sizeof(to->order_reason));
	memcpy(to->order_by, b->order.by, sizeof(to->order_by));
	memcpy(to->order_given_for, b->given_for, sizeof(to->order_given_for));
}

static int breaker_fill(void *m, struct server *s, struct status_server *to)
{
	struct breaker_server *b = module_server(m, s);
	uint64_t now = clock_boot_ns();
	uint64_t due = sg_breaker_due(&s->breaker);

	if (b->ready) {
		struct window_rates rates = engine_rates(&b->engine, now);

		to->breaker.failure_rate = rates.failure_rate;
		to->breaker.slow_rate = rates.slow_rate;
	}
	to->breaker.consecutive_failures = s->breaker.streak;
	to->breaker.generation = s->breaker.generation;
	if (s->breaker.state != SG_OPEN && s->breaker.state != SG_FORCED_OPEN)
		to->breaker.open_remaining_ns = 0;
	else if (due == SG_FOREVER)
		to->breaker.open_remaining_ns = STATUS_NEVER;
	else
		to->breaker.open_remaining_ns = due > now ? due - now : 0;
	to->ordered = s->breaker.order_until_ns != 0;
	if (!to->ordered)
		return 0;
	to->order = b->order;
	to->order_state = sg_breaker_shown(&s->breaker);
	to->order.until_wall_ns = s->breaker.order_until_ns == SG_FOREVER
					  ? STATUS_NEVER
					  : clock_boot_to_wall_ns(s->breaker.order_until_ns);
	return 0;
}

static void write_states(struct servers *all, struct metrics *to)
{
	metrics_family(to, "switchgear_circuit_state", METRICS_GAUGE,
		       "1 for the state that the breaker is in, 0 for the others.");
	for (struct server *s = servers_first(all); s; s = s->next) {
		if (!server_watched(s) || server_read(s))
			continue;
		for (unsigned int state = 0; state < SG_STATE_COUNT; state++) {
			const struct metrics_label labels[] = { { "server", s->config->name },
								{ "state", state_name(state) } };

			metrics_u64(to, labels, 2, sg_breaker_shown(&s->breaker) == state);
		}
	}
}

static bool transitions_of(UNUSED const void *m, struct server *s, uint64_t *ret)
{
	*ret = s->breaker.last.seq;
	return true;
}

static void breaker_metrics(void *m, struct metrics *to)
{
	const struct breaker *breaker = m;
	struct servers *all = breaker->part.d->servers;

	write_states(all, to);
	servers_family(all, to, "switchgear_transitions_total", METRICS_COUNTER,
		       "Transitions of the breaker.", transitions_of, m);
}

/* --- operators' orders -------------------------------------------------------------------------------- */

/* Whose word the command was, once it is carried out. */
static void note_order(const struct server *s, struct breaker_server *b, struct http_request *q,
		       const struct request *request, const struct sg_command *cmd)
{
	config_origin(s->config, b->given_for, sizeof(b->given_for));
	reply_who(q, b->order.by, sizeof(b->order.by));
	memcpy(b->order.reason, request->reason, sizeof(b->order.reason));
	b->order.since_wall_ns = clock_wall_ns();
	b->order_seq = cmd->breaker.last.seq;
}

/* Closed before and after: no transition tells the engine, or anybody else. */
static void forget_history(struct breaker *m, struct server *s, const struct sg_command *cmd)
{
	struct breaker_server *b = module_server(m, s);
	struct bus *bus = m->part.d->bus;
	struct event e;

	engine_reset(&b->engine, clock_boot_ns(), cmd->breaker.generation);
	want_next_open(s, b);
	bus_dirty(bus);
	bus_event(&e, EVENT_RESET, s->config->name);
	memcpy(e.by, b->order.by, sizeof(e.by));
	memcpy(e.text, b->order.reason, sizeof(e.text));
	bus_report(bus, &e);
	bus_emit(bus, &(struct signal){ .type = SIGNAL_RESET, .server = s });
}

/* Closed by itself, and nothing is remembered that could open it or lengthen an opening. */
static bool nothing_to_reset(struct breaker *m, struct server *s)
{
	struct breaker_server *b = module_server(m, s);

	if (server_read(s))
		return false;
	bus_pass(m->part.d->bus); /* what the kernel has reported so far is in the windows */
	return s->breaker.state == SG_CLOSED && !s->breaker.order_until_ns && !s->breaker.streak &&
	       !s->breaker.this_open_ns && !engine_remembers(&b->engine, clock_boot_ns());
}

static void order(struct breaker *m, struct http_request *q, struct server *s,
		  enum request_verb verb, struct sg_command *cmd)
{
	struct request request;
	int r;

	if (!reply_decode(q, verb, &request))
		return;
	if (verb == REQUEST_RESET && nothing_to_reset(m, s)) {
		reply_state(q, s, true);
		return;
	}
	cmd->server = s->id;
	if (verb == REQUEST_FORCE)
		cmd->state = (__u8)request.to;
	if (cmd->op == SG_CMD_ORDER)
		cmd->until_ns = request.for_ns == SG_FOREVER ? SG_FOREVER
							     : clock_boot_ns() + request.for_ns;
	r = dataplane_command(m->part.d->dp, cmd);
	if (!r)
		note_order(s, module_server(m, s), q, &request, cmd);
	if (!r && cmd->op == SG_CMD_RESET && !cmd->moved)
		forget_history(m, s, cmd);
	bus_pass(m->part.d->bus); /* the order's own transition, before the answer */
	if (r)
		reply_failure(q, r, "");
	else
		reply_state(q, s, false);
}

static void on_reset(void *m, struct http_request *q, struct server *s)
{
	order(m, q, s, REQUEST_RESET, &(struct sg_command){ .op = SG_CMD_RESET });
}

static void on_trip(void *m, struct http_request *q, struct server *s)
{
	order(m, q, s, REQUEST_TRIP,
	      &(struct sg_command){ .op = SG_CMD_ORDER, .state = SG_FORCED_OPEN });
}

static void on_force(void *m, struct http_request *q, struct server *s)
{
	order(m, q, s, REQUEST_FORCE, &(struct sg_command){ .op = SG_CMD_ORDER });
}

static const struct api_route routes[] = {
	{ "POST", "v1/servers/*/reset", API_CHANGE, on_reset },
	{ "POST", "v1/servers/*/trip", API_CHANGE, on_trip },
	{ "POST", "v1/servers/*/force", API_CHANGE, on_force },
	{ 0 },
};

const struct module breaker_module = {
	.name = SUB,
	.size = sizeof(struct breaker),
	.server_size = sizeof(struct breaker_server),
	.start = breaker_start,
	.stop = breaker_stop,
	.applying = breaker_applying,
	.applied = breaker_applied,
	.server_added = breaker_added,
	.server_ready = breaker_ready,
	.server_changed = breaker_changed,
	.server_removed = breaker_removed,
	.on_signal = breaker_signal,
	.turn = breaker_turn,
	.save = breaker_save,
	.fill_server = breaker_fill,
	.write_metrics = breaker_metrics,
	.routes = routes,
};
