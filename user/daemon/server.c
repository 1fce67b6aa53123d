/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of one server: it begins, changes, and goes. */
#include "daemon/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/policy.h"
#include "daemon/bus.h"

#define SUB "servers"

int server_read(struct server *s)
{
	struct sg_command cmd = { .op = SG_CMD_READ, .server = s->id };
	int r = dataplane_command(s->d->dp, &cmd);

	if (r)
		return r;
	s->breaker = cmd.breaker;
	s->learned = cmd.flags & SG_SRV_LEARNED;
	return 0;
}

/* It moved to where nobody sees how a probe ends: nothing would end its half-open. */
static int unprobed(struct server *s)
{
	struct sg_command cmd = { .op = SG_CMD_RESET, .server = s->id };
	int r = dataplane_command(s->d->dp, &cmd);

	if (!r)
		s->breaker = cmd.breaker;
	return r;
}

int server_write(struct server *s)
{
	struct sg_policy policy;
	int r;

	policy_to_kernel(&s->config->policy, s->config->deny_errno, &policy);
	policy.slow_ns = s->wanted.slow_ns;
	if (server_only_unix(s))
		policy.probes = 0; /* nobody would see how one ends */
	r = dataplane_server_set(s->d->dp, s->id, s->config->name, s->wanted.flags, s->wanted.group,
				 &policy, s->wanted.next_open_ns, true);
	if (r)
		return r;
	s->written = s->wanted;
	s->rewrite = false;
	return server_only_unix(s) && s->breaker.state == SG_HALF_OPEN ? unprobed(s) : 0;
}

bool server_differs(const struct server *s)
{
	return s->rewrite || memcmp(&s->wanted, &s->written, sizeof(s->wanted)) != 0;
}

void server_trip(struct server *s, uint32_t generation, enum sg_reason reason)
{
	struct sg_command cmd = {
		.op = SG_CMD_TRIP, .server = s->id, .generation = generation, .reason = (__u8)reason
	};

	if (!dataplane_command(s->d->dp, &cmd) && cmd.effect == SG_EFFECT_OVERFLOW)
		bus_emit(s->d->bus, &(struct signal){ .type = SIGNAL_SUPPRESSED, .server = s });
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

/* Of one that was called otherwise, at the same origin, and is not configured under that name. */
static const struct state_server *state_find_origin(const struct config *config,
						    const struct state *state, const char *origin)
{
	for (size_t i = 0; i < state->n_servers && *origin; i++)
		if (!strcmp(state->servers[i].origin, origin) &&
		    !config_find(config, state->servers[i].name))
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

/* Who has its endpoint in the kernel, under a name that is not configured: a daemon that was
 * killed before the state on disk knew of that name. */
static int id_at(const struct server *s, const struct config *config, const struct state *state,
		 uint32_t *ret)
{
	const struct config_server *c = s->config;
	char name[SG_NAME_LEN];
	uint32_t id;

	if (!c->has_addr)
		return -ENOENT;
	id = dataplane_server_at(s->d->dp, c->addr.bytes, c->port, true);
	if (id < SG_RESERVED || id >= SG_SERVERS_MAX || dataplane_server_name(s->d->dp, id, name) ||
	    !name[0] || config_find(config, name) || state_find(state, name))
		return -ENOENT;
	*ret = id;
	return 0;
}

static int id_find(struct server *s, const struct config *config, const struct server_start *start,
		   bool *ret_pinned)
{
	int r = dataplane_server_find(s->d->dp, s->config->name, &s->id);

	if (r == -ENOENT && start->old) /* it was called so */
		r = dataplane_server_find(s->d->dp, start->old->name, &s->id);
	if (r == -ENOENT && start->first)
		r = id_at(s, config, start->state, &s->id);
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
	s->resolved |= s->config->unix_name != NULL; /* there is no address */
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

static void server_end(struct modules *modules, struct server *s)
{
	for (size_t i = modules->n; s->id && i-- > 0;)
		if (modules->v[i]->server_removed)
			modules->v[i]->server_removed(modules->memory[i], s);
	s->id = SG_CANARY;
}

/* Who was called otherwise: at the start, or if nobody has its id now. */
static const struct state_server *renamed(const struct config *config, const struct server *s,
					  const struct server_start *start, const char *origin)
{
	const struct state_server *old = state_find_origin(config, start->state, origin);
	uint32_t id;

	if (old && !start->first && dataplane_server_find(s->d->dp, old->name, &id) != -ENOENT)
		return NULL;
	return old;
}

int server_begin(struct modules *modules, const struct config *config, struct server *s,
		 struct server_start *start)
{
	char origin[CONFIG_ORIGIN_MAX];
	int r;

	config_origin(s->config, origin, sizeof(origin));
	start->old = state_find(start->state, s->config->name);
	if (!start->old)
		start->old = renamed(config, s, start, origin);
	r = id_find(s, config, start, &start->pinned);
	if (r)
		return r;
	MODULES_TRY(r, modules, server_added, s, start);
	if (r) {
		server_end(modules, s);
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
	MODULES_TRY(r, modules, server_ready, s, start);
	if (!r)
		r = server_write(s);
	s->unwritten = s->resolved || s->config->n_networks || !s->config->has_url ||
		       !start->pinned;
	if (s->orphan && !s->config->has_url && !s->config->unix_name && !s->config->n_networks)
		s->unwritten = false; /* nothing is known of it: the kernel keeps what it has */
	return r;
}

bool server_to_be_watched(struct daemon *d, const struct config_server *c)
{
	bool unix_socket = c->unix_name && dataplane_unix_begin(d->dp);

	return ((c->has_url || unix_socket) && c->same_endpoint == CONFIG_UNIQUE) || c->n_networks;
}

void server_free(struct modules *modules, struct server *s)
{
	if (!s)
		return;
	server_end(modules, s);
	for (size_t i = 0; i < modules->n; i++)
		free(s->memory[i]);
	if (s->d->bus)
		bus_forget(s->d->bus, s);
	config_free(s->own);
	free(s);
}

struct server *server_new(struct daemon *d, struct modules *modules,
			  const struct config_server *config)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->d = d;
	s->config = config;
	for (size_t i = 0; i < modules->n; i++) {
		size_t size = modules->v[i]->server_size;

		s->memory[i] = calloc(1, size ? size : 1);
		if (!s->memory[i]) {
			server_free(modules, s);
			return NULL;
		}
	}
	return s;
}

/* --- a server that stays ------------------------------------------------------------------------ */

int server_change(struct modules *modules, struct server *s, const struct config_server *now,
		  unsigned int diff)
{
	bool same_name = now->has_url && s->config->has_url && !now->has_addr &&
			 !strcmp(now->host, s->config->host);
	int r = 0;

	s->config = now;
	config_free(TAKE_PTR(s->own));
	s->orphan = false;
	if (diff & CONFIG_DIFF_ENDPOINTS) {
		s->unwritten |= now->has_addr || !now->has_url || now->n_networks || same_name;
		if (!same_name) {
			s->n_claimed = 0;
			s->resolved = false;
		}
		literal_address(s);
	}
	MODULES_TRY(r, modules, server_changed, s, diff);
	if (diff & (CONFIG_DIFF_POLICY | CONFIG_DIFF_ENDPOINTS))
		s->rewrite = true;
	if (!r && server_differs(s))
		r = server_write(s);
	s->failed = r != 0;
	return r;
}
