/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When live connections are ended: at a quarantine, when a breaker opens, and when
 * the kernel asks for it. How: dataplane/kill.h.
 */
#include <errno.h>
#include <string.h>

#include "daemon/app.h"
#include "dataplane/kill.h"
#include "verdict.h"

#define SUB "kill"
#define AGAIN_NS (60 * NS_PER_MS)

/* Must connections to the server end now? Records are asked one by one; strays have none, and
 * an order may have been taken back since the pass was wanted. */
static bool denied_now(struct app *app, struct app_server *s)
{
	uint64_t now = clock_boot_ns();

	if (app->observe)
		return false;
	return (s->quarantine.active && sg_quarantined(s->quarantine.until_ns, now)) ||
	       (!app_server_read(s) && sg_breaker_denies(&s->breaker, now));
}

uint64_t app_unrecorded(struct app *app, const struct app_server *s)
{
	struct sg_stats stats;

	if (dataplane_stats(app->dp, s->id, &stats) || stats.unrecorded < s->unrecorded_ended)
		return 0;
	return stats.unrecorded - s->unrecorded_ended;
}

/* May there be connections to the server that have no record, and must end? */
static bool has_strays(struct app *app, struct app_server *s)
{
	return denied_now(app, s) &&
	       ((s->quarantine.active && !dataplane_adopts(app->dp)) || app_unrecorded(app, s));
}

/* Those that were made before the walk, and of which it left nothing, need no other one. */
static int kill_unrecorded(struct app *app, struct app_server *s, struct kill_result *result)
{
	uint64_t before = app_unrecorded(app, s);
	uint32_t survivors = result->survivors;
	int r = kill_strays(app->dp, app->netns, app->cgroup, s->id, result);

	if (!r && result->survivors == survivors)
		s->unrecorded_ended += before;
	return r;
}

int app_kill_pass(struct app *app, struct app_server *s, bool strays, struct app_kill *ret)
{
	struct kill_result result = { 0 };
	int r = kill_tracked(app->dp, app->netns, s->id, &result);

	if (!r && strays && has_strays(app, s))
		r = kill_unrecorded(app, s, &result);
	ret->killed = result.killed;
	ret->survivors = result.survivors;
	ret->busy = result.busy;
	return r;
}

static void kill_server(struct app *app, struct app_server *s)
{
	struct app_kill kill = { 0 };
	int r = app_kill_pass(app, s, s->strays_wanted, &kill);
	struct event e;

	s->strays_wanted = false;
	app_kill_note(s, &kill, r);
	if (!r && !kill.killed && !kill.survivors)
		return;
	app_event_init(&e, EVENT_KILL, s->config->name);
	app_event_killed(&e, &kill, r);
	app_report(app, &e);
	if (r)
		app_alarm(app, s->config->name, "nobody could count which connections are left: %s",
			  strerror(-r));
	else if (kill.survivors)
		app_alarm(app, s->config->name, "%u connections could not be killed",
			  kill.survivors);
}

/* Passes that events or timers asked for. A connect that passed its hook before the
 * verdict may send its SYN after it: so each pass is repeated once. */
void app_kill_wanted(struct app *app)
{
	bool again = false;

	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];

		if (!s->kill_wanted)
			continue;
		s->kill_wanted = false;
		kill_server(app, s);
		again |= s->kill_again;
	}
	if (again)
		loop_timer_set(app->again, clock_boot_ns() + AGAIN_NS);
}

/* --- adoption ------------------------------------------------------------------------------ */

struct adoption {
	struct app *app;
	size_t total;
};

static int adopt_here(void *data)
{
	struct adoption *a = data;
	uint64_t cookie;
	size_t n = 0;
	int r;

	r = dataplane_cookie_here(a->app->dp, &cookie);
	if (!r)
		r = dataplane_adopt_here(a->app->dp, cookie, &n);
	a->total += n;
	return r;
}

/* Connections that were taken over, to servers that are denied already. */
static void kill_denied(struct app *app)
{
	uint64_t now = clock_boot_ns();

	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];

		s->kill_wanted |= s->id &&
				  (s->quarantine.active || sg_breaker_denies(&s->breaker, now));
		s->strays_wanted |= s->kill_wanted;
	}
	app_kill_wanted(app);
}

int app_adopt(struct app *app)
{
	struct adoption a = { .app = app };
	bool adopts = dataplane_adopts(app->dp);
	int r;

	r = adopts ? netns_scan(app->netns) : 0;
	if (r)
		return r;
	for (size_t i = 0; adopts && i < netns_count(app->netns); i++) {
		CLEANUP(closep) int fd = -1;
		int one = netns_open(app->netns, netns_inode(app->netns, i), &fd);

		if (!one)
			one = netns_call(app->netns, fd, adopt_here, &a);
		if (one && one != -ENOENT)
			r = one;
	}
	if (a.total)
		log_info(SUB, "took over %zu open connections", a.total);
	kill_denied(app);
	return r;
}
