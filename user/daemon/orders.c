/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What people ask for: quarantine, release, trip, reset, force. */
#include <errno.h>
#include <string.h>

#include "daemon/app.h"

static uint64_t order_end(uint64_t for_ns)
{
	return for_ns == SG_FOREVER ? SG_FOREVER : clock_boot_ns() + for_ns;
}

void app_kill_note(struct app_server *s, const struct app_kill *kill, int error)
{
	s->kill_counted = !error && kill->survivors != STATUS_UNKNOWN;
	s->kill_survivors = s->kill_counted ? kill->survivors : 0;
	s->kills_unproved += !s->kill_counted;
}

/* Kills what is open, and tells of the quarantine and of what the kill came to. One that
 * failed changes nothing of the quarantine: it is an answer, not an error. */
static void quarantine_kill(struct app_server *s, struct reply_kill *ret)
{
	const struct app_quarantine *q = &s->quarantine;
	struct app_kill kill = { 0 };
	struct event e;
	int r;

	r = app_kill_pass(s->app, s, true, &kill);
	app_kill_note(s, &kill, r);
	s->kill_wanted = true; /* connects in flight become sockets a moment later */
	s->kill_again = true;
	s->strays_wanted = true;
	loop_timer_set(s->app->again, clock_boot_ns() + 60 * NS_PER_MS);
	app_event_init(&e, EVENT_QUARANTINE, s->config->name);
	app_event_killed(&e, &kill, r);
	if (q->until_ns != SG_FOREVER)
		e.until_wall_ns = clock_boot_to_wall_ns(q->until_ns);
	snprintf(e.by, sizeof(e.by), "%s", q->by);
	snprintf(e.text, sizeof(e.text), "%s", q->reason);
	app_report(s->app, &e);
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->server, sizeof(ret->server), "%s", s->config->name);
	ret->killed = e.killed;
	ret->survivors = e.survivors;
	ret->busy = e.busy;
	memcpy(ret->error, e.error, sizeof(ret->error));
}

int app_quarantine(struct app_server *s, const struct request *q, const char *by,
		   struct reply_kill *ret, char *why, size_t why_size)
{
	struct app_quarantine *to = &s->quarantine;
	uint64_t start = clock_boot_ns();
	uint64_t until = order_end(q->for_ns);
	int r;

	r = dataplane_quarantine_set(s->app->dp, s->id, until);
	if (r)
		return r;
	if (s->config->has_url && !s->config->n_networks && !s->addrs_n)
		snprintf(
			why, why_size,
			"no address of \"%s\" is known (%s); the quarantine holds as soon as one is",
			s->config->name,
			s->resolve_error[0] ? s->resolve_error : "not resolved yet");
	to->active = true;
	to->until_ns = until;
	to->since_wall_ns = clock_wall_ns();
	snprintf(to->reason, sizeof(to->reason), "%s", q->reason);
	snprintf(to->by, sizeof(to->by), "%s", by);
	s->app->dirty = true;
	app_group_refresh(s->app, s->group);
	quarantine_kill(s, ret);
	ret->elapsed_ns = clock_boot_ns() - start;
	return 0;
}

/* What the kernel holds released already. */
static void released(struct app_server *s, const char *by, const char *text)
{
	struct event e;

	memset(&s->quarantine, 0, sizeof(s->quarantine));
	s->app->dirty = true;
	app_group_refresh(s->app, s->group);
	app_event_init(&e, EVENT_RELEASE, s->config->name);
	snprintf(e.by, sizeof(e.by), "%s", by);
	snprintf(e.text, sizeof(e.text), "%s", text);
	app_report(s->app, &e);
}

static int release(struct app_server *s, const char *by, const char *text)
{
	int r = dataplane_quarantine_set(s->app->dp, s->id, 0);

	if (!r && s->quarantine.active)
		released(s, by, text);
	return r;
}

int app_release(struct app_server *s, const char *by)
{
	return release(s, by, "");
}

void app_quarantine_expire(struct app *app, uint64_t now)
{
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];

		if (s->quarantine.active && s->quarantine.until_ns <= now)
			(void)!release(s, "switchgear", "its time is over");
	}
}

/* Somebody else wrote this into the map: it holds already, and is carried out to the end here. */
static void quarantine_found(struct app_server *s, uint64_t until)
{
	struct app_quarantine *q = &s->quarantine;
	bool was = q->active;
	struct reply_kill reply;

	q->active = true;
	q->until_ns = until;
	s->app->dirty = true;
	if (was)
		return; /* only its end was changed */
	q->since_wall_ns = clock_wall_ns();
	snprintf(q->reason, sizeof(q->reason), "set in the kernel's map");
	snprintf(q->by, sizeof(q->by), "another program");
	app_group_refresh(s->app, s->group);
	quarantine_kill(s, &reply);
}

void app_quarantine_sync(struct app *app, uint64_t now)
{
	dataplane_quarantine_sync(app->dp);
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];
		uint64_t until = s->id ? dataplane_quarantine_until(app->dp, s->id) : 0;

		if (until > now && (!s->quarantine.active || until != s->quarantine.until_ns))
			quarantine_found(s, until);
		else if (!until && s->quarantine.active && s->quarantine.until_ns > now)
			released(s, "another program", "taken out of the kernel's map");
	}
}

int app_order(struct app_server *s, const struct request *q)
{
	struct sg_command cmd = { .server = s->id };
	int r;

	switch (q->verb) {
	case REQUEST_RESET:
		cmd.op = SG_CMD_RESET;
		break;
	case REQUEST_TRIP:
		cmd.op = SG_CMD_ORDER;
		cmd.state = SG_FORCED_OPEN;
		cmd.until_ns = order_end(q->for_ns);
		break;
	case REQUEST_FORCE:
		cmd.op = SG_CMD_ORDER;
		cmd.state = (__u8)q->to;
		cmd.until_ns = order_end(q->for_ns);
		break;
	default:
		return -EINVAL;
	}
	r = dataplane_command(s->app->dp, &cmd);
	if (!r && cmd.op == SG_CMD_RESET && !cmd.moved) {
		/* closed before and after: no transition tells the engine */
		engine_reset(&s->engine, clock_boot_ns(), cmd.breaker.generation);
		s->held = false;
		r = app_server_configure(s);
		s->app->dirty = true;
	}
	return r;
}
