/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits across servers: who forms a group, how many of it may be open, the
 * blast limit, and whom they hold. The kernel enforces what is written here
 * (struct sg_group); its counts of places are the truth (A1).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/app.h"

#define SUB "groups"

static bool member(const struct app_server *s)
{
	return s->id && !s->covered_by;
}

struct group_count app_group_count(const struct app *app, uint32_t group)
{
	struct group_count c = { 0 };

	for (size_t i = 0; group && i < app->servers_n; i++) {
		const struct app_server *s = app->servers[i];

		if (member(s) && s->group == group)
			group_count_add(&c, &s->breaker, s->quarantine.active);
	}
	return c;
}

uint32_t app_group_limit(const struct app *app, uint32_t group)
{
	uint32_t written = group ? app->groups.written[group] : 0;

	return written ? written - 1 : SG_UNLIMITED;
}

static void limit_set(struct app *app, uint32_t group, uint32_t limit)
{
	const struct dataplane_group to = { .limit = limit };
	uint32_t *written = &app->groups.written[group];

	if (!group || *written == limit + 1)
		return;
	if (dataplane_group_set(app->dp, group, &to, NULL))
		log_error(SUB, "the limit of group %u cannot be written; the old one holds", group);
	else
		*written = limit + 1;
}

void app_group_refresh(struct app *app, uint32_t group)
{
	struct group_count count = app_group_count(app, group);
	double max_open = 1;

	if (!count.members)
		return;
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct app_server *s = app->servers[i];

		if (member(s) && s->group == group && s->config->policy.group_max_open < max_open)
			max_open = s->config->policy.group_max_open;
	}
	limit_set(app, group, group_limit(&count, max_open));
}

/* --- from the configuration --------------------------------------------------------------- */

/* Nobody of a group opens while its members change; then who it is, then its limit. */
static void regroup(struct app *app, const uint32_t *groups)
{
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];

		if (!member(s) || s->group == groups[i])
			continue;
		limit_set(app, s->group, 0);
		limit_set(app, groups[i], 0);
	}
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];

		if (!member(s) || s->group == groups[i])
			continue;
		s->group = groups[i];
		if (app_server_configure(s))
			log_error(SUB, "server \"%s\" stays in the group that it was in",
				  s->config->name);
	}
	for (size_t i = 0; i < app->servers_n; i++)
		if (member(app->servers[i]) && app->servers[i]->group == app->servers[i]->id)
			app_group_refresh(app, app->servers[i]->group);
}

int app_groups_apply(struct app *app)
{
	CLEANUP(freep) struct group_server *list = calloc(app->servers_n + 1, sizeof(*list));
	CLEANUP(freep) uint32_t *groups = calloc(app->servers_n + 1, sizeof(*groups));
	int r;

	if (!list || !groups)
		return -ENOMEM;
	for (size_t i = 0; i < app->servers_n; i++) {
		const struct app_server *s = app->servers[i];
		const struct config_server *c = s->config;

		list[i] = (struct group_server){ .name = c->name,
						 .id = s->covered_by ? s->covered_by->id : s->id,
						 .group = c->group,
						 .fallback = (const char *const *)c->fallback.v,
						 .fallback_n = c->fallback.n };
	}
	r = group_partition(list, app->servers_n, groups);
	if (r)
		return r;
	regroup(app, groups);
	blast_set_policy(&app->groups.blast, &app->config->policy);
	app->groups.look = true;
	app_groups_tick(app, clock_boot_ns());
	return 0;
}

int app_group_adopt(struct app_server *s)
{
	struct sg_stats stats;
	int r = dataplane_server_group(s->app->dp, s->id, &s->group);

	if (!r && !dataplane_stats(s->app->dp, s->id, &stats) && stats.connects)
		r = blast_traffic(&s->app->groups.blast, s->id, clock_boot_ns());
	return r;
}

void app_group_forget(struct app *app, uint32_t id)
{
	blast_forget(&app->groups.blast, id);
}

/* --- the blast limit ------------------------------------------------------------------------ */

void app_groups_tick(struct app *app, uint64_t now)
{
	struct app_groups *g = &app->groups;
	struct dataplane_group to = { .limit = blast_limit(&g->blast, now),
				      .rest_ns = g->blast.period_ns };
	uint32_t open = 0;

	if (!g->look && !g->blast.places_n && to.limit == g->blast_limit)
		return;
	if (dataplane_group_open(app->dp, SG_GROUP_ALL, &open) ||
	    blast_places(&g->blast, open, now))
		return;
	g->look = false;
	to.take_back = blast_aged(&g->blast, now);
	if (!to.take_back && to.limit == g->blast_limit && to.rest_ns == g->rest_ns)
		return;
	if (dataplane_group_set(app->dp, SG_GROUP_ALL, &to, NULL)) {
		g->look = true;
		return;
	}
	g->blast_limit = to.limit;
	g->rest_ns = to.rest_ns;
}

/* --- what happens to servers ------------------------------------------------------------------ */

void app_group_outcome(struct app_server *s, const struct sg_event *k)
{
	if (k->effect != SG_EFFECT_STALE && k->outcome == SG_SUCCESS)
		s->held = false;
	if (blast_traffic(&s->app->groups.blast, s->id, clock_boot_ns()))
		log_warning(SUB, "no memory to count the traffic of \"%s\"; ignoring",
			    s->config->name);
}

void app_group_moved(struct app_server *s)
{
	s->held = false;
	s->app->groups.look = true;
	app_group_refresh(s->app, s->group);
}

static void alarm_blast(struct app_server *s)
{
	const struct blast *b = &s->app->groups.blast;
	char text[32];

	app_alarm(s->app, "",
		  "\"%s\" is failing, but held closed: as many servers opened within %s as the "
		  "blast limit allows; where all fail at once the cause may be this host: check "
		  "its network and DNS. More may be held, without another alarm",
		  s->config->name, format_duration(text, sizeof(text), b->period_ns));
}

void app_group_held(struct app_server *s, uint64_t now)
{
	struct blast *blast = &s->app->groups.blast;
	struct group_count count = { 0 };
	uint32_t open = 0;
	bool again = s->held;
	bool quiet = !s->held_ns || now - s->held_ns >= blast->period_ns;

	s->held = true;
	s->held_ns = now;
	if (!again) {
		/* the kernel's count: who took the last place may not be known here yet */
		count = app_group_count(s->app, s->group);
		(void)!dataplane_group_open(s->app->dp, s->group, &open);
		s->held_by_group = s->group && open >= app_group_limit(s->app, s->group);
		count.open = open > count.open ? open : count.open;
	}
	if (!s->held_by_group) {
		if (blast_held(blast, now))
			alarm_blast(s);
		return;
	}
	if (again || !quiet)
		return;
	app_alarm(s->app, s->config->name, "%s",
		  group_exhausted(&count)
			  ? "failing, but the last usable server of its group: it is not opened, "
			    "calls go on to it (panic)"
			  : "failing, but held closed: group_max_open lets no more servers of its "
			    "group be open");
}

bool app_group_panic(const struct app_server *s)
{
	struct group_count count;

	if (!s->held || !s->group || s->quarantine.active)
		return false;
	count = app_group_count(s->app, s->group);
	return group_exhausted(&count);
}
