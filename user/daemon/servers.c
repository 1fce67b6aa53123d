/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/endpoints.h"
#include "daemon/server.h"
#include "dataplane/kill.h"

#define SUB "servers"

struct servers {
	struct daemon *d;
	struct modules *modules;
	struct config *config;
	struct server **v;
	size_t n;
	struct server *by_id[SG_SERVERS_MAX];
	struct state_server *kept; /* not configured, with an order: order_ns is its end, boot time */
	size_t n_kept;
	char report[STATUS_REASON_LEN];
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

struct server *servers_by_origin(const struct servers *all, const char *origin)
{
	char has[CONFIG_ORIGIN_MAX];

	for (struct server *s = servers_first(all); s; s = s->next)
		if (!s->orphan && *origin &&
		    !strcmp(config_origin(s->config, has, sizeof(has)), origin))
			return s->covered_by ? s->covered_by : s;
	return NULL;
}

const char *servers_report(const struct servers *all)
{
	return all->report;
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

/* --- all of them ----------------------------------------------------------------------------------- */

/* Is it to be watched, and has no id here? */
static bool failed_to_begin(const struct servers *all, const char *name)
{
	const struct config_server *c = config_find(all->config, name);
	const struct server *s = servers_by_name(all, name);

	return c && server_to_be_watched(all->d, c) && !(s && s->id);
}

static bool id_used(const struct servers *all, uint32_t id)
{
	for (const struct server *s = servers_first(all); s; s = s->next)
		if (s->id == id)
			return true;
	return false;
}

static void id_forget(struct servers *all, uint32_t id, const char *name, const char *why)
{
	MODULES_EACH(all->modules, id_forgotten, id);
	kill_forget_server(all->d->dp, id);
	if (!dataplane_server_forget(all->d->dp, id))
		log_notice(SUB, "server \"%s\" %s: released", name, why);
}

/* Did its quarantine go to whom it shares an endpoint with? */
static bool passed_on(const struct servers *all, const char *name)
{
	const struct server *s = servers_by_name(all, name);

	return s && s->covered_by && server_quarantined(s->covered_by);
}

/* Frees the ids in the maps that no server has any more. One that only could not be taken over
 * keeps its own, and with it what the kernel denies: the next reload tries again. So does
 * what is in quarantine, whatever else fails. */
static void forget_others(struct servers *all)
{
	uint64_t now = clock_boot_ns();
	char name[SG_NAME_LEN];

	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++) {
		if (dataplane_server_name(all->d->dp, id, name) || !name[0] || all->by_id[id] ||
		    failed_to_begin(all, name))
			continue;
		if (dataplane_quarantine_until(all->d->dp, id) > now && !passed_on(all, name))
			log_error(
				SUB,
				"server \"%s\" is in quarantine and not configured any more, and "
				"could not be kept in the list: it stays cut off; reload to try again",
				name);
		else
			id_forget(all, id, name, "is no longer configured");
	}
}

/* --- servers that are not configured any more, and still in quarantine ------------------------------ */

static void append(struct servers *all, struct server *s)
{
	if (all->n)
		all->v[all->n - 1]->next = s;
	s->next = NULL;
	s->index = all->n;
	all->v[all->n++] = s;
}

static int orphan_make(struct server *s)
{
	char entry[CONFIG_ENTRY_MAX];
	int r = config_entry_write(s->config, entry, sizeof(entry));

	if (r == -EMSGSIZE)
		log_warning(SUB,
			    "server \"%s\" is not configured any more, and has too many networks "
			    "to be kept: only its URL stays cut off",
			    s->config->name);
	else if (r)
		return r;
	r = config_entry_read(s->config->name, entry, &s->own);
	if (r)
		return r;
	s->config = &s->own->servers[0];
	s->orphan = true;
	bus_alarm(
		s->d->bus, s->config->name,
		"is not configured any more, and stays in quarantine: \"switchgear release %s\" ends "
		"that",
		s->config->name);
	return 0;
}

static void orphans_keep(struct servers *all, struct server **old, size_t n_old)
{
	for (size_t i = 0; i < n_old; i++) {
		struct server *s = old[i];

		if (!s || !s->id || !server_quarantined(s) ||
		    config_find(all->config, s->config->name))
			continue;
		if (s->orphan || !orphan_make(s))
			append(all, TAKE_PTR(old[i]));
	}
}

/* Of one that only the kernel knows. */
static const char *kernel_entry(const struct servers *all, uint32_t id, char *out, size_t size)
{
	struct sg_command cmd = { .op = SG_CMD_READ, .server = id };
	bool known = !dataplane_command(all->d->dp, &cmd) && cmd.policy.deny_errno;

	snprintf(out, size, "{\"command\":\"unknown\",\"deny_errno\":%u}",
		 known ? cmd.policy.deny_errno : ECONNREFUSED);
	return out;
}

static int orphan_begin(struct servers *all, const char *name, const char *entry,
			struct server_start *start)
{
	CLEANUP(config_freep) struct config *own = NULL;
	struct server *s;
	int r = config_entry_read(name, entry, &own);

	if (r || !own->n_servers)
		return r ? r : -EINVAL;
	s = server_new(all->d, all->modules, &own->servers[0]);
	if (!s)
		return -ENOMEM;
	s->own = TAKE_PTR(own);
	s->orphan = true;
	r = server_begin(all->modules, all->config, s, start);
	if (r)
		server_free(all->modules, s);
	else
		append(all, s);
	return r;
}

/* Is it that of a server which is called otherwise now? (server_begin()) */
static bool adopted(const struct servers *all, const struct state *state,
		    const struct state_server *e)
{
	char origin[CONFIG_ORIGIN_MAX];

	for (const struct server *s = servers_first(all); s && *e->origin; s = s->next) {
		bool known = false;

		for (size_t i = 0; i < state->n_servers; i++)
			known |= !strcmp(state->servers[i].name, s->config->name);
		if (s->id && !known &&
		    !strcmp(config_origin(s->config, origin, sizeof(origin)), e->origin))
			return true;
	}
	return false;
}

static void orphans_restore(struct servers *all, const struct state *state,
			    const struct state_clock *clock)
{
	struct server_start start = { .state = state, .clock = clock };
	char name[SG_NAME_LEN];
	char entry[128];
	int r;

	for (size_t i = 0; i < state->n_servers; i++) {
		const struct state_server *e = &state->servers[i];

		if (!e->quarantined || e->covered || servers_by_name(all, e->name) ||
		    adopted(all, state, e) ||
		    !state_left_ns(&state->saved, clock, e->quarantine_ns, SG_FOREVER))
			continue;
		r = orphan_begin(all, e->name, e->entry, &start);
		if (r)
			log_failure(r, SUB, "server \"%s\": its quarantine cannot be restored",
				    e->name);
	}
	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++) {
		if (dataplane_quarantine_until(all->d->dp, id) <= clock->boot_ns ||
		    dataplane_server_name(all->d->dp, id, name) || !name[0] ||
		    servers_by_name(all, name) || failed_to_begin(all, name) || id_used(all, id))
			continue;
		r = orphan_begin(all, name, kernel_entry(all, id, entry, sizeof(entry)), &start);
		if (r)
			log_failure(r, SUB, "server \"%s\": its quarantine cannot be listed", name);
	}
}

/* Orders to breakers are kept on disk until they are over, or their server comes again. */
static void orders_keep(struct servers *all, const struct state *state,
			const struct state_clock *clock)
{
	free(TAKE_PTR(all->kept));
	all->n_kept = 0;
	if (!state->n_servers)
		return;
	all->kept = calloc(state->n_servers, sizeof(*all->kept));
	for (size_t i = 0; i < state->n_servers && all->kept; i++) {
		const struct state_server *e = &state->servers[i];
		uint64_t left = state_left_ns(&state->saved, clock, e->order_ns, SG_FOREVER);

		if (!left || e->quarantined || servers_by_name(all, e->name) ||
		    adopted(all, state, e))
			continue;
		all->kept[all->n_kept] = *e;
		all->kept[all->n_kept++].order_ns = left == SG_FOREVER ? SG_FOREVER
								       : clock->boot_ns + left;
	}
}

size_t servers_kept(const struct servers *all, struct state_server *ret, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < all->n_kept; i++) {
		const struct state_server *e = &all->kept[i];

		if (e->order_ns <= now)
			continue;
		if (ret) {
			ret[n] = *e;
			ret[n].order_ns = e->order_ns == SG_FOREVER ? SG_FOREVER
								    : e->order_ns - now;
		}
		n++;
	}
	return n;
}

void servers_kept_settled(struct servers *all, const char *name)
{
	for (size_t i = 0; i < all->n_kept; i++)
		if (!strcmp(all->kept[i].name, name))
			snprintf(all->kept[i].order_given_for, sizeof(all->kept[i].order_given_for),
				 "%s", SERVERS_NOWHERE);
}

void servers_inherited_reason(char ret[STATUS_REASON_LEN], const char *name, const char *reason)
{
	if (strncmp(reason, "as \"", 4) != 0)
		snprintf(ret, STATUS_REASON_LEN, "as \"%s\" was: %.*s", name,
			 STATUS_REASON_LEN - 90, reason);
	else
		snprintf(ret, STATUS_REASON_LEN, "%s", reason);
}

bool servers_covers(const struct servers *all, const struct config_server *c, const char *name)
{
	const struct config_server *other = config_find(all->config, name);

	return other && other->same_endpoint != CONFIG_UNIQUE &&
	       &all->config->servers[other->same_endpoint] == c;
}

/* Takes the server of that name out of a list, or NULL. */
static struct server *take(struct server **list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] && !strcmp(list[i]->config->name, name))
			return TAKE_PTR(list[i]);
	return NULL;
}

/* The one at the same origin, if it is not configured under its name any more: it is called
 * otherwise now, and its breaker and its orders go on. */
static struct server *take_renamed(const struct servers *all, struct server **list, size_t n,
				   const struct config_server *c)
{
	char wanted[CONFIG_ORIGIN_MAX];
	char has[CONFIG_ORIGIN_MAX];

	config_origin(c, wanted, sizeof(wanted));
	for (size_t i = 0; i < n && *wanted && server_to_be_watched(all->d, c); i++) {
		struct server *s = list[i];

		if (!s || !s->id || config_find(all->config, s->config->name) ||
		    strcmp(config_origin(s->config, has, sizeof(has)), wanted) != 0)
			continue;
		log_notice(SUB, "server \"%s\" is called \"%s\" now", s->config->name, c->name);
		s->rewrite = true; /* its name */
		s->change = SERVER_CHANGED;
		return TAKE_PTR(list[i]);
	}
	return NULL;
}

/* A server of the new configuration: one that was there, or a new one. NULL in *ret: none. */
static int server_place(struct servers *all, struct server *old, const struct config_server *c,
			struct server_start *start, struct server **ret)
{
	struct server *s = old;
	int r;

	if (s && !s->failed && (s->id != SG_CANARY) == server_to_be_watched(all->d, c)) {
		unsigned int diff = config_server_diff(s->config, c);

		*ret = s;
		if (diff)
			s->change = SERVER_CHANGED;
		if (s->id)
			return server_change(all->modules, s, c, diff);
		s->config = c;
		return 0;
	}
	server_free(all->modules, s);
	s = server_new(all->d, all->modules, c);
	*ret = s;
	if (!s)
		return -ENOMEM;
	s->change = old ? SERVER_CHANGED : SERVER_ADDED;
	if (!server_to_be_watched(all->d, c))
		return 0;
	r = server_begin(all->modules, all->config, s, start);
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

static int place_all(struct servers *all, struct server **old, size_t n_old,
		     const struct state *state, const struct state_clock *clock)
{
	struct server_start start = { .state = state, .clock = clock, .first = !n_old };
	int r = 0;
	int one;

	for (size_t i = 0; i < all->config->n_servers; i++) {
		const struct config_server *c = &all->config->servers[i];
		struct server *was = take(old, n_old, c->name);
		struct server *s = NULL;

		if (!was || !was->id) { /* it had no breaker of its own */
			struct server *renamed = take_renamed(all, old, n_old, c);

			if (renamed)
				server_free(all->modules, was);
			was = renamed ? renamed : was;
		}
		one = server_place(all, was, c, &start, &s);
		if (s)
			append(all, s);
		r = r ? r : one;
	}
	for (struct server *s = servers_first(all); s; s = s->next)
		s->covered_by = covering(all, s->config->same_endpoint);
	for (struct server *s = servers_first(all); s; s = s->next)
		if (s->covered_by && !s->covered_by->id && s->config->unix_name)
			s->covered_by = NULL; /* it is only listed itself */
	orphans_keep(all, old, n_old);
	orphans_restore(all, state, clock);
	orders_keep(all, state, clock);
	all->endpoints.applying = true;
	(void)!endpoints_settle(
		&all->endpoints,
		servers_first(all)); /* who could not be written is marked, and tried again */
	all->endpoints.applying = false;
	return r;
}

static void report_names(struct buf *out, const char *what, const struct server *s, bool *first)
{
	buf_printf(out, "%s%s%s", *first ? (out->len ? "; " : "") : ", ", *first ? what : "",
		   s->config->name);
	*first = false;
}

static void report(struct servers *all, struct server **old, size_t n_old)
{
	static const char *const changes[] = {
		[SERVER_ADDED] = "added ", [SERVER_CHANGED] = "changed "
	};
	CLEANUP(buf_done) struct buf text = BUF(64 * SG_SERVERS_MAX);
	bool first;

	for (size_t c = SERVER_ADDED; c < ARRAY_SIZE(changes); c++) {
		first = true;
		for (const struct server *s = servers_first(all); s; s = s->next)
			if (s->change == c)
				report_names(&text, changes[c], s, &first);
	}
	first = true;
	for (size_t i = 0; i < n_old; i++)
		if (old[i])
			report_names(&text, "removed ", old[i], &first);
	first = true;
	for (struct server *s = servers_first(all); s; s = s->next) {
		if (s->orphan)
			report_names(&text, "not configured any more and still in quarantine: ", s,
				     &first);
		s->change = SERVER_SAME;
	}
	snprintf(all->report, sizeof(all->report), "%s",
		 buf_error(&text) || text.len ? buf_str(&text) : "nothing changed");
}

int servers_apply(struct servers *all, struct config *config)
{
	CLEANUP(config_freep) struct config *old_config = all->config;
	struct server **old = all->v;
	size_t n_old = all->n;
	struct state_clock clock = { .boot_ns = clock_boot_ns(), .wall_ns = clock_wall_ns() };
	struct state state = { 0 };
	size_t most = config->n_servers + all->n + SG_SERVERS_MAX; /* orphans are among them */
	struct server **list = calloc(most, sizeof(*list));
	int r;

	if (!list || endpoints_room(&all->endpoints, most)) {
		free(list);
		config_free(config);
		old_config = NULL; /* it stays */
		return -ENOMEM;
	}
	for (size_t i = 0; i < all->modules->n; i++)
		if (all->modules->v[i]->applying)
			all->modules->v[i]->applying(all->modules->memory[i]);
	MODULES_EACH(all->modules, load, &state, &clock);
	all->endpoints.error[0] = '\0';
	all->config = config;
	all->v = list;
	all->n = 0;
	r = place_all(all, old, n_old, &state, &clock);
	report(all, old, n_old);
	for (size_t i = 0; i < n_old; i++)
		server_free(all->modules, old[i]);
	free(old);
	memset(all->by_id, 0, sizeof(all->by_id));
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i]->id)
			all->by_id[all->v[i]->id] = all->v[i];
	MODULES_EACH(all->modules, applied, config); /* limits first: who goes leaves its place */
	forget_others(all);
	dataplane_unix_settle(all->d->dp);
	state_done(&state);
	bus_dirty(all->d->bus);
	bus_emit(all->d->bus, &(struct signal){ .type = SIGNAL_APPLIED });
	return r;
}

void servers_drop(struct servers *all, struct server *s)
{
	char name[SG_NAME_LEN];
	uint32_t id = s->id;

	snprintf(name, sizeof(name), "%s", s->config->name);
	for (size_t i = s->index + 1; i < all->n; i++) {
		all->v[i - 1] = all->v[i];
		all->v[i - 1]->index = i - 1;
	}
	if (s->index)
		all->v[s->index - 1]->next = s->next;
	all->n--;
	all->by_id[id] = NULL;
	server_free(all->modules, s);
	id_forget(all, id, name, "is not configured, nor in quarantine any more");
	(void)!endpoints_settle(&all->endpoints,
				servers_first(all)); /* somebody may have claimed its */
	dataplane_unix_settle(all->d->dp);
	bus_dirty(all->d->bus);
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
		server_free(all->modules, all->v[i]);
	free(all->v);
	endpoints_done(&all->endpoints);
	free(all->kept);
	config_free(all->config);
	free(all);
}
