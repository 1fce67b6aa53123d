/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Limits across servers: who forms a group, how many of it may be open, the
 * blast limit, and whose opening they suppress. The kernel enforces what is written
 * here (struct sg_group); its counts of slots are the truth (A1).
 */
#include "core/group.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "core/blast.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "modules/modules.h"

#define SUB "groups"

struct groups {
	struct part part;
	struct blast blast;
	uint32_t blast_limit; /* of SG_GROUP_ALL, as written; 0: not yet */
	uint64_t rest_ns;
	uint32_t written[SG_GROUPS_MAX]; /* limit + 1; 0: not yet */
	bool look;                       /* slots of SG_GROUP_ALL may have been taken */
};

struct groups_server {
	bool held;          /* it would have opened, a limit forbade it */
	bool held_by_group; /* else by the blast limit */
	uint64_t held_ns;   /* the latest time; 0: never */
};

static struct groups_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static struct group_count count_of(const struct groups *m, uint32_t group)
{
	struct group_count c = { 0 };

	for (const struct server *s = servers_first(m->part.d->servers); group && s; s = s->next)
		if (server_watched(s) && s->wanted.group == group)
			group_count_add(&c, &s->breaker, server_quarantined(s));
	return c;
}

static uint32_t limit_of(const struct groups *m, uint32_t group)
{
	uint32_t written = group ? m->written[group] : 0;

	return written ? written - 1 : SG_UNLIMITED;
}

static void limit_set(struct groups *m, uint32_t group, uint32_t limit)
{
	const struct dataplane_group to = { .limit = limit };
	uint32_t *written = &m->written[group];

	if (!group || *written == limit + 1)
		return;
	if (dataplane_group_set(m->part.d->dp, group, &to, NULL))
		log_error(SUB, "the limit of group %u cannot be written; the old one holds", group);
	else
		*written = limit + 1;
}

/* Writes the limit of a group (0: nothing) whose members or their quarantine changed. */
static void refresh(struct groups *m, uint32_t group)
{
	struct group_count count = count_of(m, group);
	double max_open = 1;

	if (!count.members)
		return;
	for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (server_watched(s) && s->wanted.group == group &&
		    s->config->policy.group_max_open < max_open)
			max_open = s->config->policy.group_max_open;
	limit_set(m, group, group_limit(&count, max_open));
}

/* --- the blast limit -------------------------------------------------------------------------- */

static void groups_turn(void *m, uint64_t now)
{
	struct groups *g = m;
	struct dataplane *dp = g->part.d->dp;
	struct dataplane_group to = { .limit = blast_limit(&g->blast, now),
				      .rest_ns = g->blast.period_ns };
	uint32_t open = 0;

	if (!g->look && !g->blast.n_places && to.limit == g->blast_limit)
		return;
	if (dataplane_group_open(dp, SG_GROUP_ALL, &open) || blast_slots(&g->blast, open, now))
		return;
	g->look = false;
	to.take_back = blast_aged(&g->blast, now);
	if (!to.take_back && to.limit == g->blast_limit && to.rest_ns == g->rest_ns)
		return;
	if (dataplane_group_set(dp, SG_GROUP_ALL, &to, NULL)) {
		g->look = true;
		return;
	}
	g->blast_limit = to.limit;
	g->rest_ns = to.rest_ns;
}

/* --- from the configuration ----------------------------------------------------------------------- */

/* Nobody of a group opens while its members change; then who it is, then its limit. */
static void regroup(struct groups *m, const uint32_t *groups)
{
	struct servers *all = m->part.d->servers;

	for (const struct server *s = servers_first(all); s; s = s->next) {
		if (!server_watched(s) || s->wanted.group == groups[s->index])
			continue;
		limit_set(m, s->wanted.group, 0);
		limit_set(m, groups[s->index], 0);
	}
	for (struct server *s = servers_first(all); s; s = s->next)
		if (server_watched(s))
			s->wanted.group = groups[s->index];
	servers_write(all);
	for (const struct server *s = servers_first(all); s; s = s->next)
		if (server_watched(s) && s->wanted.group == s->id)
			refresh(m, s->wanted.group);
}

static int groups_form(struct groups *m)
{
	struct servers *all = m->part.d->servers;
	CLEANUP(freep) struct group_server *list = calloc(servers_n(all) + 1, sizeof(*list));
	CLEANUP(freep) uint32_t *groups = calloc(servers_n(all) + 1, sizeof(*groups));
	int r;

	if (!list || !groups)
		return -ENOMEM;
	for (const struct server *s = servers_first(all); s; s = s->next) {
		const struct config_server *c = s->config;

		list[s->index] =
			(struct group_server){ .name = c->name,
					       .id = s->covered_by ? s->covered_by->id : s->id,
					       .group = c->group,
					       .fallback = (const char *const *)c->fallback.v,
					       .n_fallback = c->fallback.n };
	}
	r = group_partition(list, servers_n(all), groups);
	if (!r)
		regroup(m, groups);
	return r;
}

static void groups_applied(void *m, const struct config *config)
{
	struct groups *g = m;

	if (groups_form(g)) {
		log_error(SUB, "no memory to form groups; the limits stay as they were");
		return;
	}
	blast_set_policy(&g->blast, &config->policy);
	g->look = true;
	groups_turn(g, clock_boot_ns());
}

/* A server that is in the kernel already: its group there, and that it had traffic. */
static int groups_added(void *m, struct server *s, const struct server_start *start)
{
	struct groups *g = m;
	struct sg_stats stats;
	int r;

	if (!start->pinned)
		return 0;
	r = dataplane_server_group(g->part.d->dp, s->id, &s->wanted.group);
	if (!r && !dataplane_stats(g->part.d->dp, s->id, &stats) && stats.connects)
		r = blast_traffic(&g->blast, s->id, clock_boot_ns());
	return r;
}

static void groups_forgotten(void *m, uint32_t id)
{
	struct groups *g = m;

	blast_forget(&g->blast, id);
}

static void groups_stop(void *m)
{
	struct groups *g = m;

	blast_done(&g->blast);
}

/* --- whose opening is suppressed --------------------------------------------------------------------- */

static void alarm_blast(struct groups *m, const struct server *s)
{
	char text[32];

	bus_alarm(m->part.d->bus, "",
		  "\"%s\" is failing, but held closed: as many servers opened within %s as the "
		  "blast limit allows; where all fail at once the cause may be this host: check "
		  "its network and DNS. More may be held, without another alarm",
		  s->config->name, format_duration(text, sizeof(text), m->blast.period_ns));
}

static void alarm_group(struct groups *m, const struct server *s, const struct group_count *count)
{
	bus_alarm(m->part.d->bus, s->config->name, "%s",
		  group_exhausted(count)
			  ? "failing, but the last usable server of its group: it is not opened, "
			    "calls go on to it (panic)"
			  : "failing, but held closed: group_max_open lets no more servers of its "
			    "group be open");
}

/* A limit forbade its opening. One alarm for each burst. */
static void suppressed(struct groups *m, struct server *s)
{
	struct groups_server *g = of(m, s);
	struct group_count count = { 0 };
	uint64_t now = clock_boot_ns();
	uint32_t group = s->wanted.group;
	uint32_t open = 0;
	bool again = g->held;
	bool quiet = !g->held_ns || now - g->held_ns >= m->blast.period_ns;

	g->held = true;
	g->held_ns = now;
	if (!again) {
		/* the kernel's count: who took the last slot may not be known here yet */
		count = count_of(m, group);
		(void)!dataplane_group_open(m->part.d->dp, group, &open);
		g->held_by_group = group && open >= limit_of(m, group);
		count.open = open > count.open ? open : count.open;
	}
	if (!g->held_by_group) {
		if (blast_held(&m->blast, now))
			alarm_blast(m, s);
	} else if (!again && quiet) {
		alarm_group(m, s, &count);
	}
}

static void outcome(struct groups *m, struct server *s, const struct sg_event *k)
{
	if (k->effect != SG_EFFECT_STALE && k->outcome == SG_SUCCESS)
		of(m, s)->held = false;
	if (blast_traffic(&m->blast, s->id, clock_boot_ns()))
		log_warning(SUB, "no memory to count the traffic of \"%s\"; ignoring",
			    s->config->name);
	if (k->effect == SG_EFFECT_OVERFLOW)
		suppressed(m, s);
}

static void groups_signal(void *m, const struct signal *signal)
{
	struct groups *g = m;
	struct server *s = signal->server;

	switch (signal->type) {
	case SIGNAL_OUTCOME:
		outcome(g, s, &signal->kernel);
		break;
	case SIGNAL_SUPPRESSED:
		suppressed(g, s);
		break;
	case SIGNAL_RESET:
		of(g, s)->held = false;
		break;
	case SIGNAL_TRANSITION:
		of(g, s)->held = false;
		g->look = true;
		refresh(g, s->wanted.group);
		break;
	case SIGNAL_QUARANTINED:
	case SIGNAL_RELEASED:
		refresh(g, s->wanted.group);
		break;
	default:
		break;
	}
}

/* --- what others ask for -------------------------------------------------------------------------------- */

static bool panics(const struct groups *m, const struct server *s)
{
	struct group_count count;

	if (!of(m, s)->held || !s->wanted.group || server_quarantined(s))
		return false;
	count = count_of(m, s->wanted.group);
	return group_exhausted(&count);
}

static int groups_fill(void *m, struct server *s, struct status_server *to)
{
	struct group_count count = count_of(m, s->wanted.group);

	to->held = of(m, s)->held;
	to->panic = panics(m, s);
	if (!s->wanted.group)
		return 0;
	to->places.members = count.members;
	to->places.open = count.open;
	to->places.limit = limit_of(m, s->wanted.group);
	return 0;
}

/* One sample for each group, named by its first server. */
static void group_gauge(const struct groups *m, struct metrics *to, const char *name,
			const char *help, bool limit)
{
	metrics_family(to, name, METRICS_GAUGE, help);
	for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		const struct metrics_label labels[] = {
			{ "group", s->config->group ? s->config->group : "" },
			{ "first", s->config->name }
		};

		if (server_watched(s) && s->wanted.group == s->id)
			metrics_u64(to, labels, 2,
				    limit ? limit_of(m, s->id) : count_of(m, s->id).open);
	}
}

static bool held_of(const void *m, struct server *s, uint64_t *ret)
{
	*ret = of(m, s)->held;
	return true;
}

static bool panic_of(const void *m, struct server *s, uint64_t *ret)
{
	*ret = panics(m, s);
	return true;
}

static void groups_metrics(void *m, struct metrics *to)
{
	struct groups *g = m;
	uint32_t limit = blast_limit(&g->blast, clock_boot_ns());

	servers_family(g->part.d->servers, to, "switchgear_held", METRICS_GAUGE,
		       "1 while a limit across servers keeps a failing server closed.", held_of, g);
	servers_family(g->part.d->servers, to, "switchgear_panic", METRICS_GAUGE,
		       "1 while it is held as the last usable server of its group.", panic_of, g);
	group_gauge(g, to, "switchgear_group_open", "Servers of a group that are open.", false);
	group_gauge(g, to, "switchgear_group_limit", "Servers of a group that may be open.", true);
	metrics_family(to, "switchgear_blast_places", METRICS_GAUGE,
		       "Servers that opened lately and count in the blast limit.");
	metrics_u64(to, NULL, 0, g->blast.n_places);
	metrics_family(to, "switchgear_blast_limit", METRICS_GAUGE,
		       "Servers that may newly open within blast_seconds; absent while off.");
	if (limit != SG_UNLIMITED)
		metrics_u64(to, NULL, 0, limit);
}

const struct module groups_module = {
	.name = SUB,
	.size = sizeof(struct groups),
	.server_size = sizeof(struct groups_server),
	.stop = groups_stop,
	.server_added = groups_added,
	.id_forgotten = groups_forgotten,
	.applied = groups_applied,
	.on_signal = groups_signal,
	.turn = groups_turn,
	.fill_server = groups_fill,
	.write_metrics = groups_metrics,
};
