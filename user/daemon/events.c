/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel reports: fed to the engines, and told to people as one log
 * line, one event and one metric each, after it is on disk (A2).
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/app.h"

#define SUB "breaker"

void app_event_init(struct event *e, enum event_type type, const char *server)
{
	memset(e, 0, sizeof(*e));
	e->t_ns = clock_boot_ns();
	e->wall_ns = clock_wall_ns();
	e->type = type;
	e->failure_rate = NAN;
	e->slow_rate = NAN;
	e->until_wall_ns = STATUS_NEVER;
	snprintf(e->server, sizeof(e->server), "%s", server);
}

void app_event_killed(struct event *e, const struct app_kill *kill, int error)
{
	e->killed = kill->killed;
	e->survivors = error ? STATUS_UNKNOWN : kill->survivors;
	e->busy = error ? STATUS_UNKNOWN : kill->busy;
	if (error)
		snprintf(e->error, sizeof(e->error), "%s", strerror(-error));
}

/* --- reporting ------------------------------------------------------------------------- */

static void history_add(struct app_history *h, const struct event *e)
{
	if (h->ring)
		h->ring[h->next++ % h->size] = *e;
}

static void publish(struct app *app, const struct event *e)
{
	history_add(e->type == EVENT_CALL ? &app->calls : &app->events, e);
	app_follow_push(app, e);
}

void app_report(struct app *app, const struct event *e)
{
	if (app->pending_n == app->pending_cap) {
		size_t cap = app->pending_cap ? 2 * app->pending_cap : 64;
		struct event *more = realloc(app->pending, cap * sizeof(*more));

		if (!more) {
			publish(app, e); /* late is worse than early */
			return;
		}
		app->pending = more;
		app->pending_cap = cap;
	}
	app->pending[app->pending_n++] = *e;
}

static void log_transition(const struct event *e)
{
	char length[48] = "";

	if (e->to == SG_OPEN || (e->to >= SG_FORCED_OPEN && e->open_ns)) {
		char text[32];

		snprintf(length, sizeof(length), ", for %s",
			 e->open_ns == STATUS_NEVER
				 ? "good"
				 : format_duration(text, sizeof(text), e->open_ns));
	}
	log_notice(SUB, "%s: %s -> %s (%s)%s", e->server, state_name(e->from), state_name(e->to),
		   reason_name(e->reason), length);
}

/* Survivors are somebody's business now, and so are those that nobody could count. */
static void log_quarantine(const struct event *e)
{
	char survivors[160];

	log_line(e->survivors ? LOG_LEVEL_ERROR : LOG_LEVEL_NOTICE, "quarantine",
		 "%s: quarantined by %s: %s (%u connections killed, %s)%s", e->server, e->by,
		 e->text, e->killed,
		 status_survivors(survivors, sizeof(survivors), e->survivors, e->error),
		 e->survivors ? "; quarantine it again, or restart its agents" : "");
}

static void log_kill(const struct event *e)
{
	char survivors[160];

	if (e->survivors) /* an alarm follows */
		log_warning(SUB, "%s: %u connections killed, %s", e->server, e->killed,
			    status_survivors(survivors, sizeof(survivors), e->survivors, e->error));
	else
		log_info(SUB, "%s: %u connections killed, %u busy ones follow", e->server,
			 e->killed, e->busy);
}

static void log_event(const struct event *e)
{
	switch (e->type) {
	case EVENT_TRANSITION:
		log_transition(e);
		break;
	case EVENT_QUARANTINE:
		log_quarantine(e);
		break;
	case EVENT_RELEASE:
		log_notice("quarantine", "%s: released by %s%s%s", e->server, e->by,
			   e->text[0] ? ": " : "", e->text);
		break;
	case EVENT_KILL:
		log_kill(e);
		break;
	case EVENT_ALARM:
		log_error(SUB, "%s%s%s", e->server, e->server[0] ? ": " : "", e->text);
		break;
	case EVENT_LOSS:
		log_warning("events",
			    "%llu events were lost: the ring was full; counters and verdicts "
			    "are right, windows and history miss them",
			    (unsigned long long)e->count);
		break;
	default:
		break;
	}
}

void app_flush(struct app *app)
{
	if (app->dirty && !app_state_save(app))
		app->dirty = false;
	for (size_t i = 0; i < app->pending_n; i++) {
		log_event(&app->pending[i]);
		publish(app, &app->pending[i]);
	}
	if (app->pending_n)
		app_http_touch(app);
	app->pending_n = 0;
}

void app_alarm(struct app *app, const char *server, const char *fmt, ...)
{
	struct event e;
	va_list ap;

	app_event_init(&e, EVENT_ALARM, server);
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	app_report(app, &e);
}

/* --- from the kernel ----------------------------------------------------------------------- */

/* A kernel event's times in an event for people. */
static void event_from(struct event *e, enum event_type type, const struct app_server *s,
		       uint64_t t_ns)
{
	app_event_init(e, type, s->config->name);
	e->t_ns = t_ns;
	e->wall_ns = clock_boot_to_wall_ns(t_ns);
}

/* Learns the usual latency; the kernel is told of a slow limit that moved by a tenth. */
static void learn_latency(struct app_server *s, const struct sg_event *k)
{
	uint64_t old = s->slow_ns;
	uint64_t slow;

	if (k->outcome != SG_SUCCESS ||
	    (s->engine.state != SG_CLOSED && s->engine.state != SG_RAMP))
		return;
	baseline_add(&s->baseline, &s->config->policy, k->t_ns, k->latency_ns);
	slow = s->baseline.slow_ns;
	if (slow > old ? slow - old > old / 10 : old - slow > old / 10)
		(void)!app_server_configure(s);
}

static void on_outcome(struct app_server *s, const struct sg_event *k)
{
	struct window_rates rates;
	struct event e;
	enum sg_reason reason;

	event_from(&e, EVENT_CALL, s, k->t_ns);
	e.outcome = (enum sg_class)k->outcome;
	e.cause = (enum sg_cause)k->cause;
	e.latency_ns = k->latency_ns;
	e.retry_after_ns = k->retry_after_ns;
	e.status = k->status;
	app_report(s->app, &e);
	learn_latency(s, k);
	app_group_outcome(s, k);
	if (k->effect == SG_EFFECT_OVERFLOW)
		app_group_held(s, clock_boot_ns());
	reason = engine_outcome(&s->engine, k->t_ns, k->generation, (enum sg_class)k->outcome,
				k->flags & SG_OUT_SLOW, &rates);
	if (reason != SG_REASON_NONE) {
		struct sg_command cmd = { .op = SG_CMD_TRIP,
					  .server = s->id,
					  .generation = k->generation,
					  .reason = (__u8)reason };

		/* its move comes by the ring */
		if (!dataplane_command(s->app->dp, &cmd) && cmd.effect == SG_EFFECT_OVERFLOW)
			app_group_held(s, clock_boot_ns());
	}
}

static void on_move(struct app_server *s, const struct sg_event *k)
{
	const struct sg_move *mv = &k->move;
	struct window_rates rates = engine_rates(&s->engine, mv->t_ns);
	struct event e;

	if (mv->seq == s->made_up)
		return; /* see resync() */
	s->seq = mv->seq;
	event_from(&e, EVENT_TRANSITION, s, mv->t_ns);
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
	if (mv->reason == SG_REASON_RESET)
		engine_reset(&s->engine, mv->t_ns, mv->generation);
	else
		engine_move(&s->engine, mv);
	(void)!app_server_configure(s); /* the next opening's length */
	(void)!app_server_read(s);
	app_group_moved(s);
	app_probe_moved(s, (enum sg_state)mv->to);
	s->app->dirty = true;
	app_report(s->app, &e);
	if (mv->to == SG_OPEN || mv->to == SG_FORCED_OPEN) {
		s->kill_wanted = true;
		s->kill_again = true;
		s->strays_wanted = true;
	}
}

static void on_event(void *data, const struct sg_event *k)
{
	struct app *app = data;
	struct app_server *s = app_server_by_id(app, k->server);

	if (!s)
		return; /* the canary, or a server that is gone */
	switch (k->type) {
	case SG_EV_OUTCOME:
		on_outcome(s, k);
		break;
	case SG_EV_MOVE:
		on_move(s, k);
		break;
	case SG_EV_KILL:
		s->kill_wanted = true;
		break;
	default:
		break;
	}
}

/*
 * Records were lost, and a transition may have been among them: the map is the
 * record. The latest transition of each server is made up for; one that this
 * overtook comes by the ring all the same and is dropped there.
 */
static void resync(struct app *app)
{
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];
		struct sg_event k = { .type = SG_EV_MOVE, .server = s->id };

		if (app_server_read(s) || !s->breaker.last.moved || s->breaker.last.seq == s->seq)
			continue;
		k.move = s->breaker.last;
		on_move(s, &k);
		s->made_up = k.move.seq;
	}
}

void app_events_read(struct app *app)
{
	uint64_t lost;
	struct event e;

	if (dataplane_ring_read(app->dp, on_event, app) < 0)
		log_error(SUB, "the event ring cannot be read");
	app_groups_tick(app, clock_boot_ns());
	app_kill_wanted(app);
	lost = dataplane_lost(app->dp);
	if (lost > app->lost_seen) {
		app_event_init(&e, EVENT_LOSS, "");
		e.count = lost - app->lost_seen;
		app->lost_seen = lost;
		app_report(app, &e);
		resync(app);
	}
	app_flush(app);
	app_schedule(app);
}
