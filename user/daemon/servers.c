/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/policy.h"
#include "daemon/bus.h"
#include "daemon/endpoints.h"
#include "dataplane/kill.h"

#define SUB "servers"

struct servers {
	struct daemon *d;
	struct modules *modules;
	struct config *config;
	struct server **v;
	size_t n;
	struct server *by_id[SG_SERVERS_MAX];
	struct endpoints endpoints;
};

/* --- finding --------------------------------------------------------------------------- */

const struct config *servers_config(const struct servers *all)
{
	return all->config;
}

size_t servers_n(const struct servers *all)
{
	return all->n;
}

struct server *servers_first(const struct servers *all)
{
	return all->n ? all->v[0] : NULL;
}

struct server *servers_by_id(const struct servers *all, uint32_t id)
{
	return id >= SG_RESERVED && id < SG_SERVERS_MAX ? all->by_id[id] : NULL;
}

struct server *servers_by_name(const struct servers *all, const char *name)
{
	struct server *s = servers_first(all);

	while (s && strcmp(s->config->name, name) != 0)
		s = s->next;
	return s;
}

const char *servers_error(const struct servers *all)
{
	return all->endpoints.error;
}

void servers_family(struct servers *all, struct metrics *to, const char *name,
		    enum metrics_type type, const char *help, servers_value_fn *value,
		    const void *m)
{
	metrics_family(to, name, type, help);
	for (struct server *s = servers_first(all); s; s = s->next) {
		const struct metrics_label label = { "server", s->config->name };
		uint64_t v;

		if (server_watched(s) && value(m, s, &v))
			metrics_u64(to, &label, 1, v);
	}
}

/* --- the kernel --------------------------------------------------------------------------- */

int server_read(struct server *s)
{
	struct sg_command cmd = { .op = SG_CMD_READ, .server = s->id };
	int r = dataplane_command(s->d->dp, &cmd);

	if (!r)
		s->breaker = cmd.breaker;
	return r;
}

static int server_write(struct server *s)
{
	struct sg_policy policy;
	int r;

	policy_to_kernel(&s->config->policy, s->config->deny_errno, &policy);
	policy.slow_ns = s->wanted.slow_ns;
	r = dataplane_server_set(s->d->dp, s->id, s->config->name, s->wanted.flags, s->wanted.group,
				 &policy, s->wanted.next_open_ns, true);
	if (r)
		return r;
	s->written = s->wanted;
	s->rewrite = false;
	return 0;
}

static bool server_differs(const struct server *s)
{
	return s->rewrite || memcmp(&s->wanted, &s->written, sizeof(s->wanted)) != 0;
}

void servers_write(struct servers *all)
{
	for (struct server *s = servers_first(all); s; s = s->next) {
		int r = 0;

		if (!s->id || !server_differs(s))
			continue;
		r = server_write(s);
		if (!r)
			r = server_read(s);
		if (r)
			log_failure(r, SUB,
				    "server \"%s\": the kernel goes on with what it knew of "
				    "it; trying again",
				    s->config->name);
	}
}

int server_endpoints(struct server *s)
{
	return endpoints_write(&s->d->servers->endpoints, s);
}

const struct server *server_owner(const struct server *s, const struct addr *a)
{
	return endpoints_owner(servers_first(s->d->servers), s, a);
}

int server_set_addrs(struct server *s, const struct addr *addrs, size_t n)
{
	memcpy(s->claimed, addrs, n * sizeof(*addrs));
	s->n_claimed = n;
	s->resolved = true;
	s->unwritten = true;
	return endpoints_settle(&s->d->servers->endpoints, servers_first(s->d->servers));
}

bool server_moved(struct server *s, uint32_t seq, bool made_up)
{
	if (seq == (made_up ? s->seq : s->made_up))
		return false;
	s->seq = seq;
	if (made_up)
		s->made_up = seq;
	return true;
}

/* --- one server comes ------------------------------------------------------------------------ */

static const struct state_server *state_find(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->n_servers; i++)
		if (!strcmp(state->servers[i].name, name))
			return &state->servers[i];
	return NULL;
}

/* Writes a breaker from the state on disk into the kernel. */
static int restore(struct server *s, const struct server_start *start)
{
	struct sg_command cmd = { .op = SG_CMD_RESTORE, .server = s->id };

	state_server_restore(start->old, &start->state->saved, start->clock,
			     policy_ns(s->config->policy.open_max_seconds),
			     policy_ns(s->config->policy.ramp_seconds), &cmd.breaker);
	return dataplane_command(s->d->dp, &cmd);
}

static int id_find(struct server *s, bool *ret_pinned)
{
	int r = dataplane_server_find(s->d->dp, s->config->name, &s->id);

	*ret_pinned = !r;
	if (r == -ENOENT)
		r = dataplane_server_find(s->d->dp, "", &s->id);
	if (r == -ENOENT)
		r = -ENOSPC;
	if (r)
		return log_failure(r, SUB, "no place for server \"%s\" in the kernel's maps",
				   s->config->name);
	return 0;
}

static void literal_address(struct server *s)
{
	if (!s->config->has_addr)
		return;
	s->claimed[0] = s->config->addr;
	s->n_claimed = 1;
	s->resolved = true;
}

/* A name that is not resolved yet: what the kernel has of it, nobody else takes meanwhile. */
static void pinned_addresses(struct server *s)
{
	if (s->resolved ||
	    dataplane_endpoints_get(s->d->dp, s->id, s->addrs, SERVER_ADDRS_MAX, &s->n_addrs))
		return;
	memcpy(s->claimed, s->addrs, sizeof(s->claimed));
	s->n_claimed = s->n_addrs;
}

static void server_end(struct servers *all, struct server *s)
{
	for (size_t i = all->modules->n; s->id && i-- > 0;)
		if (all->modules->v[i]->server_removed)
			all->modules->v[i]->server_removed(all->modules->memory[i], s);
	s->id = SG_CANARY;
}

static int server_begin(struct servers *all, struct server *s, struct server_start *start)
{
	int r;

	start->old = state_find(start->state, s->config->name);
	r = id_find(s, &start->pinned);
	if (r)
		return r;
	MODULES_TRY(r, all->modules, server_added, s, start);
	if (r) {
		server_end(all, s);
		return r;
	}
	r = server_write(s);
	if (!r && !start->pinned && start->old)
		r = restore(s, start);
	if (!r)
		r = server_read(s);
	if (r)
		return r;
	s->seq = s->breaker.last.seq;
	literal_address(s);
	if (start->pinned)
		pinned_addresses(s);
	MODULES_TRY(r, all->modules, server_ready, s, start);
	if (!r)
		r = server_write(s);
	s->unwritten = s->resolved || s->config->n_networks || !s->config->has_url ||
		       !start->pinned;
	return r;
}

/* Does the kernel have anything to do with it? (stdio servers are only listed) */
static bool to_be_watched(const struct config_server *c)
{
	return (c->has_url && c->same_endpoint == CONFIG_UNIQUE) || c->n_networks;
}

static void server_free(struct servers *all, struct server *s)
{
	if (!s)
		return;
	server_end(all, s);
	for (size_t i = 0; i < all->modules->n; i++)
		free(s->memory[i]);
	if (all->d->bus)
		bus_forget(all->d->bus, s);
	free(s);
}

static struct server *server_new(struct servers *all, const struct config_server *config)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->d = all->d;
	s->config = config;
	for (size_t i = 0; i < all->modules->n; i++) {
		size_t size = all->modules->v[i]->server_size;

		s->memory[i] = calloc(1, size ? size : 1);
		if (!s->memory[i]) {
			server_free(all, s);
			return NULL;
		}
	}
	return s;
}

/* --- a server that stays ------------------------------------------------------------------------ */

static int server_change(struct servers *all, struct server *s, const struct config_server *now,
			 unsigned int diff)
{
	bool same_name = now->has_url && s->config->has_url && !now->has_addr &&
			 !strcmp(now->host, s->config->host);
	int r = 0;

	s->config = now;
	if (diff & CONFIG_DIFF_ENDPOINTS) {
		s->unwritten |= now->has_addr || !now->has_url || now->n_networks || same_name;
		if (!same_name) {
			s->n_claimed = 0;
			s->resolved = false;
		}
		literal_address(s);
	}
	MODULES_TRY(r, all->modules, server_changed, s, diff);
	if (diff & CONFIG_DIFF_POLICY)
		s->rewrite = true;
	if (!r && server_differs(s))
		r = server_write(s);
	s->failed = r != 0;
	return r;
}

/* --- all of them ----------------------------------------------------------------------------------- */

/* Is it to be watched, and has no id here? */
static bool failed_to_begin(const struct servers *all, const char *name)
{
	const struct config_server *c = config_find(all->config, name);
	const struct server *s = servers_by_name(all, name);

	return c && to_be_watched(c) && !(s && s->id);
}

/* Frees the ids in the maps that no server has any more. One that only could not be taken over
 * keeps its own, and with it what the kernel denies: the next reload tries again. */
static void forget_others(struct servers *all)
{
	char name[SG_NAME_LEN];

	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++) {
		if (dataplane_server_name(all->d->dp, id, name) || !name[0] || all->by_id[id] ||
		    failed_to_begin(all, name))
			continue;
		MODULES_EACH(all->modules, id_forgotten, id);
		kill_forget_server(all->d->dp, id);
		if (!dataplane_server_forget(all->d->dp, id))
			log_notice(SUB, "server \"%s\" is no longer configured: released", name);
	}
}

/* Takes the server of that name out of a list, or NULL. */
static struct server *take(struct server **list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] && !strcmp(list[i]->config->name, name))
			return TAKE_PTR(list[i]);
	return NULL;
}

/* A server of the new configuration: one that was there, or a new one. NULL in *ret: none. */
static int server_place(struct servers *all, struct server *old, const struct config_server *c,
			struct server_start *start, struct server **ret)
{
	struct server *s = old;
	int r;

	if (s && !s->failed && (s->id != SG_CANARY) == to_be_watched(c)) {
		unsigned int diff = config_server_diff(s->config, c);

		*ret = s;
		if (s->id)
			return server_change(all, s, c, diff);
		s->config = c;
		return 0;
	}
	server_free(all, s);
	s = server_new(all, c);
	*ret = s;
	if (!s)
		return -ENOMEM;
	if (!to_be_watched(c))
		return 0;
	r = server_begin(all, s, start);
	s->failed = s->half_begun = r != 0;
	if (r)
		log_failure(r, SUB, "server \"%s\" is not (fully) monitored", c->name);
	return 0;
}

/* The server of an entry in the configuration; NULL: there is none, or no memory for it. */
static struct server *covering(const struct servers *all, size_t entry)
{
	for (size_t i = 0; entry != CONFIG_UNIQUE && i < all->n; i++)
		if (all->v[i]->config == &all->config->servers[entry])
			return all->v[i];
	return NULL;
}

static void append(struct servers *all, struct server *s)
{
	if (all->n)
		all->v[all->n - 1]->next = s;
	s->next = NULL;
	s->index = all->n;
	all->v[all->n++] = s;
}

static int place_all(struct servers *all, struct server **old, size_t n_old,
		     const struct state *state, const struct state_clock *clock)
{
	struct server_start start = { .state = state, .clock = clock };
	int r = 0;
	int one;

	for (size_t i = 0; i < all->config->n_servers; i++) {
		const struct config_server *c = &all->config->servers[i];
		struct server *s = NULL;

		one = server_place(all, take(old, n_old, c->name), c, &start, &s);

		if (s)
			append(all, s);
		r = r ? r : one;
	}
	for (struct server *s = servers_first(all); s; s = s->next)
		s->covered_by = covering(all, s->config->same_endpoint);
	all->endpoints.applying = true;
	(void)!endpoints_settle(
		&all->endpoints,
		servers_first(all)); /* who could not be written is marked, and tried again */
	all->endpoints.applying = false;
	return r;
}

int servers_apply(struct servers *all, struct config *config)
{
	CLEANUP(config_freep) struct config *old_config = all->config;
	struct server **old = all->v;
	size_t n_old = all->n;
	struct state_clock clock = { .boot_ns = clock_boot_ns(), .wall_ns = clock_wall_ns() };
	struct state state = { 0 };
	struct server **list = calloc(config->n_servers + 1, sizeof(*list));
	int r;

	if (!list || endpoints_room(&all->endpoints, config->n_servers + all->n)) {
		free(list);
		config_free(config);
		old_config = NULL; /* it stays */
		return -ENOMEM;
	}
	MODULES_EACH(all->modules, load, &state, &clock);
	all->endpoints.error[0] = '\0';
	all->config = config;
	all->v = list;
	all->n = 0;
	r = place_all(all, old, n_old, &state, &clock);
	for (size_t i = 0; i < n_old; i++)
		server_free(all, old[i]);
	free(old);
	memset(all->by_id, 0, sizeof(all->by_id));
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i]->id)
			all->by_id[all->v[i]->id] = all->v[i];
	MODULES_EACH(all->modules, applied, config); /* limits first: who goes leaves its place */
	forget_others(all);
	state_done(&state);
	bus_dirty(all->d->bus);
	bus_emit(all->d->bus, &(struct signal){ .type = SIGNAL_APPLIED });
	return r;
}

int servers_new(struct daemon *d, struct modules *modules, struct servers **ret)
{
	struct servers *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->d = d;
	all->modules = modules;
	*ret = all;
	return 0;
}

void servers_free(struct servers *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->n; i++)
		server_free(all, all->v[i]);
	free(all->v);
	endpoints_done(&all->endpoints);
	config_free(all->config);
	free(all);
}
