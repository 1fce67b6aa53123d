/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The servers: from the configuration to ids, breakers and endpoints in the
 * kernel, at the start, at a takeover and at a reload, which touches only what
 * changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/app.h"

#define SUB "servers"

struct app_server *app_server_by_id(struct app *app, uint32_t id)
{
	if (id < SG_RESERVED)
		return NULL;
	for (size_t i = 0; i < app->servers_n; i++)
		if (app->servers[i]->id == id)
			return app->servers[i];
	return NULL;
}

struct app_server *app_server_by_name(struct app *app, const char *name)
{
	for (size_t i = 0; i < app->servers_n; i++)
		if (!strcmp(app->servers[i]->config->name, name))
			return app->servers[i];
	return NULL;
}

static void server_free(struct app_server *s)
{
	if (!s)
		return;
	app_probe_free(s);
	if (s->engine_ready)
		engine_done(&s->engine);
	free(s);
}

void app_servers_free(struct app *app)
{
	for (size_t i = 0; i < app->servers_n; i++)
		server_free(app->servers[i]);
	free(app->servers);
	app->servers = NULL;
	app->servers_n = 0;
}

int app_server_read(struct app_server *s)
{
	struct sg_command cmd = { .op = SG_CMD_READ, .server = s->id };
	int r = dataplane_command(s->app->dp, &cmd);

	if (!r)
		s->breaker = cmd.breaker;
	return r;
}

int app_server_configure(struct app_server *s)
{
	struct sg_policy policy;

	policy_to_kernel(&s->config->policy, s->config->deny_errno, &policy);
	policy.slow_ns = s->slow_ns = s->baseline.slow_ns;
	return dataplane_server_set(s->app->dp, s->id, s->config->name,
				    app_probe_possible(s) ? SG_SRV_PROBED : 0, s->group, &policy,
				    engine_next_open_ns(&s->engine, clock_boot_ns()), true);
}

int app_server_endpoints(struct app_server *s)
{
	struct dataplane_net nets[CONFIG_NETWORKS_MAX];
	uint16_t ports[APP_ADDRS_MAX];
	int r;

	for (size_t i = 0; i < s->addrs_n; i++)
		ports[i] = s->config->port;
	r = dataplane_endpoints_set(s->app->dp, s->id, s->addrs, ports, s->addrs_n);
	for (size_t i = 0; i < s->config->n_networks; i++) {
		nets[i].addr = s->config->networks[i].addr;
		nets[i].len = s->config->networks[i].prefix;
	}
	if (!r)
		r = dataplane_networks_set(s->app->dp, s->id, nets, s->config->n_networks);
	if (r == -E2BIG)
		snprintf(
			s->app->map_error, sizeof(s->app->map_error),
			"the endpoint map is full: server \"%s\" is not, or not wholly, watched; raise "
			"\"limits\".\"endpoints\", then \"switchgear detach\" and start again",
			s->config->name);
	return r;
}

/* --- one server comes ------------------------------------------------------------------ */

static const struct state_server *state_find(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->n_servers; i++)
		if (!strcmp(state->servers[i].name, name))
			return &state->servers[i];
	return NULL;
}

/* Writes a breaker and quarantine from the state on disk into the kernel. */
static int restore(struct app_server *s, const struct state *state, const struct state_server *old,
		   const struct state_clock *now)
{
	struct sg_command cmd = { .op = SG_CMD_RESTORE, .server = s->id };

	state_server_restore(old, &state->saved, now, policy_ns(s->config->policy.open_max_seconds),
			     policy_ns(s->config->policy.ramp_seconds), &cmd.breaker);
	return dataplane_command(s->app->dp, &cmd);
}

static void quarantine_restore(struct app_server *s, const struct state *state,
			       const struct state_server *old, const struct state_clock *now,
			       bool pinned)
{
	struct app_quarantine *q = &s->quarantine;
	uint64_t until = 0;
	uint64_t left;

	if (pinned)
		until = dataplane_quarantine_until(s->app->dp, s->id);
	if (!pinned && old && old->quarantined) {
		left = state_left_ns(&state->saved, now, old->quarantine_ns, SG_FOREVER);
		until = left == SG_FOREVER ? SG_FOREVER : now->boot_ns + left;
		if (dataplane_quarantine_set(s->app->dp, s->id, until))
			return;
	}
	if (until <= now->boot_ns)
		return;
	q->active = true;
	q->until_ns = until;
	q->since_wall_ns = old && old->quarantined ? old->since_wall_ns : now->wall_ns;
	snprintf(q->reason, sizeof(q->reason), "%s",
		 old && old->quarantined ? old->reason : "set in the map while no daemon ran");
	snprintf(q->by, sizeof(q->by), "%s", old && old->quarantined ? old->by : "unknown");
}

static int server_id(struct app_server *s, bool *ret_pinned)
{
	int r = dataplane_server_find(s->app->dp, s->config->name, &s->id);

	*ret_pinned = !r;
	if (r == -ENOENT)
		r = dataplane_server_new(s->app->dp, &s->id);
	if (r)
		return log_failure(r, SUB, "no place for server \"%s\" in the kernel's maps",
				   s->config->name);
	return 0;
}

static void literal_address(struct app_server *s)
{
	if (!s->config->has_addr)
		return;
	s->addrs[0] = s->config->addr;
	s->addrs_n = 1;
	s->resolved = true;
}

static int server_start(struct app_server *s, const struct state *state,
			const struct state_clock *now)
{
	const struct state_server *old = state_find(state, s->config->name);
	bool pinned;
	int r;

	r = server_id(s, &pinned);
	if (r)
		return r;
	r = engine_init(&s->engine, &s->config->policy, now->wall_ns, s->id);
	if (r) {
		s->id = SG_CANARY;
		return r;
	}
	s->engine_ready = true;
	baseline_init(&s->baseline, &s->config->policy);
	if (pinned)
		r = app_group_adopt(s);
	if (!r)
		r = app_server_configure(s);
	if (!r && !pinned && old)
		r = restore(s, state, old, now);
	if (!r)
		r = app_server_read(s);
	if (r)
		return r;
	s->seq = s->breaker.last.seq;
	engine_restore(&s->engine, &s->breaker, old ? old->trips : 0, old ? old->good_ns : 0,
		       old ? now->boot_ns : 0);
	quarantine_restore(s, state, old, now, pinned);
	literal_address(s);
	r = app_server_configure(s);
	if (!r && (s->addrs_n || s->config->n_networks || !s->config->has_url || !pinned))
		r = app_server_endpoints(s);
	return r;
}

static struct app_server *server_new(struct app *app, const struct config_server *config)
{
	struct app_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->app = app;
	s->config = config;
	return s;
}

/* Does the kernel have anything to do with it? (stdio servers are only listed) */
static bool server_watched(const struct config_server *c)
{
	return (c->has_url && c->same_endpoint == CONFIG_UNIQUE) || c->n_networks;
}

/* --- a server that stays ----------------------------------------------------------------- */

static int server_change(struct app_server *s, const struct config_server *now, unsigned int diff)
{
	int r = 0;

	s->config = now;
	if (diff & CONFIG_DIFF_POLICY) {
		r = engine_set_policy(&s->engine, &now->policy);
		if (!r)
			baseline_set_policy(&s->baseline, &now->policy);
		if (!r)
			r = app_server_configure(s);
	}
	if (!r && diff & CONFIG_DIFF_ENDPOINTS) {
		app_probe_free(s);
		s->addrs_n = 0;
		s->resolved = false;
		s->question = 0; /* an answer to it is for the old name */
		s->resolve_error[0] = '\0';
		s->resolve_next_ns = 0;
		literal_address(s);
		if (now->has_addr || !now->has_url)
			r = app_server_endpoints(s);
	}
	return r;
}

/* --- all of them --------------------------------------------------------------------------- */

/* Frees the ids in the maps that no server has any more. */
static void forget_others(struct app *app)
{
	char name[SG_NAME_LEN];

	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++) {
		if (dataplane_server_name(app->dp, id, name) || !name[0] ||
		    app_server_by_id(app, id))
			continue;
		app_group_forget(app, id);
		if (!dataplane_server_forget(app->dp, id))
			log_notice(SUB, "server \"%s\" is no longer configured: released", name);
	}
}

/* Takes the server of that name out of a list, or NULL. */
static struct app_server *take(struct app_server **list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] && !strcmp(list[i]->config->name, name))
			return TAKE_PTR(list[i]);
	return NULL;
}

static int server_place(struct app *app, struct app_server **old, size_t old_n,
			const struct config_server *c, const struct state *state,
			const struct state_clock *now, struct app_server **ret)
{
	struct app_server *s = take(old, old_n, c->name);
	bool was_watched = s && s->id;
	unsigned int diff;
	int r;

	if (s && was_watched == server_watched(c)) {
		diff = config_server_diff(s->config, c);
		*ret = s;
		if (was_watched)
			return server_change(s, c, diff);
		s->config = c;
		return 0;
	}
	server_free(s);
	s = server_new(app, c);
	if (!s)
		return -ENOMEM;
	*ret = s;
	if (!server_watched(c))
		return 0;
	r = server_start(s, state, now);
	if (r)
		log_failure(r, SUB, "server \"%s\" is not, or not wholly, watched", c->name);
	return 0;
}

int app_servers_apply(struct app *app, struct config *config)
{
	CLEANUP(config_freep) struct config *old_config = app->config;
	struct app_server **old = app->servers;
	size_t old_n = app->servers_n;
	struct state state = { 0 };
	struct state_clock now = { .boot_ns = clock_boot_ns(), .wall_ns = clock_wall_ns() };
	struct app_server **list = calloc(config->n_servers + 1, sizeof(struct app_server *));
	int r = 0;

	if (!list) {
		config_free(config);
		old_config = NULL;
		return -ENOMEM;
	}
	memcpy(now.boot_id, app->boot_id, sizeof(now.boot_id));
	app_state_load(app, &state);
	app->map_error[0] = '\0';
	app->config = config;
	app->servers = list;
	app->servers_n = 0;
	for (size_t i = 0; i < config->n_servers; i++) {
		struct app_server *s = NULL;
		int one = server_place(app, old, old_n, &config->servers[i], &state, &now, &s);

		if (s)
			list[app->servers_n++] = s;
		r = r ? r : one;
	}
	for (size_t i = 0; i < app->servers_n; i++) {
		size_t same = list[i]->config->same_endpoint;

		list[i]->covered_by = same == CONFIG_UNIQUE ? NULL : list[same];
	}
	for (size_t i = 0; i < old_n; i++)
		server_free(old[i]);
	free(old);
	if (app_groups_apply(app)) /* limits first: who goes leaves its place behind */
		log_error(SUB, "no memory to form groups; the limits stay as they were");
	forget_others(app);
	if (app->netns && app_adopt(app))
		log_warning(SUB, "connections that are open already may not be watched");
	state_done(&state);
	app->dirty = true;
	return r;
}
