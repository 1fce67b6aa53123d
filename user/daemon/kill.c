/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ending live connections: found by their socket storage in every namespace,
 * killed in the namespace where they are, until nothing is found any more.
 */
#include <errno.h>
#include <string.h>

#include "daemon/app.h"
#include "io/sockdiag.h"
#include "verdict.h"

#define SUB "kill"
#define PASSES_MAX 16
#define AGAIN_NS (60 * NS_PER_MS)

struct here {
	struct app *app;
	uint32_t server;
	const struct dataplane_victims *found;
	ino_t netns;
};

/* Without bpf_sock_destroy(): one by one, by their addresses. */
static int kill_by_netlink(struct here *h)
{
	uint32_t killed = 0;
	int r = 0;

	for (size_t i = 0; i < h->found->n; i++) {
		const struct sg_victim *v = &h->found->v[i];
		int one;

		if (v->netns != h->netns || v->verdict != SG_VICTIM_KILL)
			continue;
		one = sockdiag_destroy(v);
		if (!one)
			killed++;
		else if (one != -ENOENT)
			r = one;
	}
	if (killed)
		(void)!dataplane_killed_add(h->app->dp, h->server, killed);
	return r;
}

static int kill_here(void *data)
{
	struct here *h = data;
	struct dataplane_victims dead = { 0 };
	int r;

	r = dataplane_kill_here(h->app->dp, h->server, &dead);
	dataplane_victims_done(&dead);
	return r == -ENOTSUP ? kill_by_netlink(h) : r;
}

/* Enters each namespace that holds a victim once. */
static int kill_found(struct app *app, uint32_t server, const struct dataplane_victims *found)
{
	int r = 0;

	for (size_t i = 0; i < found->n; i++) {
		struct here h = {
			.app = app, .server = server, .found = found, .netns = found->v[i].netns
		};
		bool first = found->v[i].verdict == SG_VICTIM_KILL;
		CLEANUP(closep) int fd = -1;
		int one;

		for (size_t k = 0; k < i && first; k++)
			first = found->v[k].netns != found->v[i].netns ||
				found->v[k].verdict != SG_VICTIM_KILL;
		if (!first)
			continue;
		one = netns_open(app->netns, h.netns, &fd);
		if (!one)
			one = netns_call(app->netns, fd, kill_here, &h);
		if (one)
			r = log_failure(
				one, SUB,
				"cannot kill connections in the network namespace with inode "
				"%u; their packets are dropped",
				found->v[i].netns);
	}
	return r;
}

static void count_found(const struct dataplane_victims *found, struct app_kill *ret)
{
	ret->survivors = 0;
	ret->busy = 0;
	for (size_t i = 0; i < found->n; i++) {
		if (found->v[i].verdict == SG_VICTIM_KILL)
			ret->survivors++;
		else
			ret->busy++;
	}
}

/* Kills counted so far. */
static uint64_t killed_so_far(struct app *app, uint32_t server)
{
	struct sg_stats stats;

	return dataplane_stats(app->dp, server, &stats) ? 0 : stats.killed;
}

int app_kill_pass(struct app *app, uint32_t server, struct app_kill *ret)
{
	uint64_t killed_before = killed_so_far(app, server);
	struct app_kill total = { 0 };
	uint32_t before = UINT32_MAX;
	struct app_server *s;
	int r = 0;

	for (int pass = 0; pass < PASSES_MAX; pass++) {
		struct dataplane_victims found = { 0 };

		r = dataplane_find(app->dp, server, &found);
		if (r)
			break;
		count_found(&found, &total);
		if (total.survivors && total.survivors < before)
			(void)!kill_found(app, server, &found);
		else
			pass = PASSES_MAX; /* nobody left, or nobody dies any more */
		before = total.survivors;
		dataplane_victims_done(&found);
	}
	total.killed = (uint32_t)(killed_so_far(app, server) - killed_before);
	s = app_server_by_id(app, server);
	if (!r && s && s->quarantine.active)
		r = app_kill_strays(app, server, &total);
	*ret = total;
	return r;
}

static void kill_server(struct app *app, struct app_server *s)
{
	struct app_kill kill;
	struct event e;

	if (app_kill_pass(app, s->id, &kill) || (!kill.killed && !kill.survivors))
		return;
	app_event_init(&e, EVENT_KILL, s->config->name);
	e.killed = kill.killed;
	e.survivors = kill.survivors;
	e.busy = kill.busy;
	app_report(app, &e);
	if (kill.survivors)
		app_alarm(app, s->config->name, "%u connections could not be killed",
			  kill.survivors);
}

/* Passes that events or timers asked for. A connect that passed its hook before the
 * verdict may become a socket after it: so each pass is repeated once. */
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

	r = dataplane_netns_cookie(&cookie);
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
