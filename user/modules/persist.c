/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The durable copy of what the kernel holds, for when its maps are gone. It is not needed to
 * enforce: without a directory, or with one that cannot be written, everything goes on and that
 * is said. A copy that is damaged is set aside and says what was in quarantine as far as it can
 * be read, the one before it says the rest, and both hold until somebody releases: a quarantine
 * may end late, but not by damage.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "daemon/settings.h"
#include "io/store.h"
#include "modules/modules.h"

#define SUB "state"
#define STATE_FILE "state.json"
#define RETRY_NS NS_PER_SEC
#define GENERATIONS 2

static const char *const files[GENERATIONS] = { STATE_FILE, STATE_FILE ".1" };

struct persist {
	struct part part;
	struct store *store; /* NULL: the directory cannot be used, by store_error */
	int store_error;
	uint64_t retry_ns;
	bool loaded;                /* what was kept there has been read */
	bool in_place[GENERATIONS]; /* damaged, and cannot be set aside */
	struct state held;          /* in quarantine by damage; told of when servers are there */
	struct state late;          /* in quarantine, and known only since this daemon runs */
	char error[256];            /* "" while it can be written */
	char boot_id[STATE_BOOT_ID_LEN];
};

static int persist_start(void *m)
{
	struct persist *p = m;
	int r = boot_id_read(p->boot_id, sizeof(p->boot_id));

	if (r) /* every start counts as one after a reboot */
		log_failure(r, SUB, "cannot read the boot id in " BOOT_ID);
	p->store_error = store_open(p->part.d->settings->state_dir, 0, &p->store);
	return p->store_error == -EBUSY ? -EBUSY : 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct generation {
	int r; /* -ENOENT: there is none; other errors: it is damaged */
	struct state state;
	struct state salvaged; /* of one that is damaged */
	size_t nameless;
	char why[160];
};

static void generation_read(struct persist *p, const char *file, struct generation *g)
{
	CLEANUP(freep) char *text = NULL;
	CLEANUP(buf_done) struct buf why = BUF(1024);
	size_t len = 0;

	*g = (struct generation){ .r = store_read(p->store, file, STATE_SIZE_MAX, &text, &len) };
	if (!g->r)
		g->r = state_decode(text, len, &g->state, &why);
	if (!g->r || g->r == -ENOENT)
		return;
	snprintf(g->why, sizeof(g->why), "%s", why.len ? buf_str(&why) : strerror(-g->r));
	if (text && state_salvage(text, len, &g->salvaged, &g->nameless))
		log_error(SUB, "no memory to look for quarantines in the damaged %s", file);
}

/* What holds where the newest generation is not whole. */
static int hold(struct persist *p, const struct generation *newest, const struct generation *before,
		struct state *ret)
{
	int r = state_hold(ret, ret);

	if (!r)
		r = state_hold(ret, &before->salvaged);
	if (!r)
		r = state_hold(ret, &newest->salvaged);
	for (size_t i = 0; i < ret->n_servers; i++) {
		struct state_server *s = &ret->servers[i];

		if (s->quarantined && !s->since_wall_ns)
			s->since_wall_ns = clock_wall_ns();
		if (s->quarantined && !s->by[0])
			snprintf(s->by, sizeof(s->by), "unknown");
	}
	state_done(&p->held);
	return r ? r : state_hold(&p->held, ret);
}

/* Sets a damaged one aside, and says so. `used`: what counts in its place. */
static void damaged(struct persist *p, size_t i, const struct generation *g, const char *used)
{
	const char *dir = p->part.d->settings->state_dir;
	struct bus *bus = p->part.d->bus;
	char aside[64], where[96];

	p->in_place[i] = store_set_aside(p->store, files[i], aside, sizeof(aside)) != 0;
	if (p->in_place[i])
		snprintf(where, sizeof(where), "and cannot be set aside yet");
	else
		snprintf(where, sizeof(where), "and was set aside as %s", aside);
	log_error(SUB,
		  "%s/%s is damaged (%s), %s; %s; see which servers should be in quarantine, then "
		  "delete the damaged file or move it away",
		  dir, files[i], g->why, where, used);
	bus_alarm(bus, "", "%s is damaged (%.80s), %s; %s", files[i], g->why, where, used);
	if (g->nameless)
		bus_alarm(bus, "",
			  "%zu quarantines in %s are of servers whose names cannot be read: "
			  "quarantine by hand whom they were for",
			  g->nameless, p->in_place[i] ? files[i] : aside);
}

static void missing(struct persist *p)
{
	log_error(SUB, "%s/%s is missing, the generation before it is used",
		  p->part.d->settings->state_dir, files[0]);
	bus_alarm(p->part.d->bus, "",
		  "%s is missing, the generation before it is used: what was in quarantine by it "
		  "holds until it is released",
		  files[0]);
}

static void persist_load(void *m, struct state *ret, struct state_clock *now)
{
	struct persist *p = m;
	struct generation g[GENERATIONS];
	struct state *from;

	memset(ret, 0, sizeof(*ret));
	memcpy(now->boot_id, p->boot_id, sizeof(now->boot_id));
	if (!p->store)
		return;
	p->loaded = true;
	for (size_t i = 0; i < GENERATIONS; i++)
		generation_read(p, files[i], &g[i]);
	from = &g[g[0].r ? 1 : 0].state;
	*ret = *from;
	*from = (struct state){};
	if (g[0].r && (g[0].r != -ENOENT || g[1].r != -ENOENT)) {
		if (hold(p, &g[0], &g[1], ret))
			log_error(SUB, "no memory for the quarantines of a damaged state");
		if (g[0].r == -ENOENT)
			missing(p);
		else
			damaged(p, 0, &g[0],
				g[1].r ? "none before it is whole: what can be read of quarantines "
					 "in it holds"
				       : "the one before it is used, quarantines of both hold");
	}
	if (g[1].r && g[1].r != -ENOENT)
		damaged(p, 1, &g[1], g[0].r ? "quarantines in it hold" : "the newest is whole");
	for (size_t i = 0; i < GENERATIONS; i++) {
		state_done(&g[i].state);
		state_done(&g[i].salvaged);
	}
}

/* --- what is said of it ------------------------------------------------------------------------- */

/* Whom the entry is for: by its name, or by where it was. NULL: nobody. */
static struct server *server_of(struct persist *p, const struct state_server *entry)
{
	struct servers *all = p->part.d->servers;
	struct server *s = servers_by_name(all, entry->name);

	return s ? s : servers_by_origin(all, entry->origin);
}

static void say_held(struct persist *p, const struct server *s, const char *name)
{
	struct daemon *d = p->part.d;

	if (!s || !s->id || s->orphan)
		bus_alarm(
			d->bus, s ? name : "",
			"a quarantine of \"%s\" stands in a damaged state, and it is not configured: "
			"if another was meant, quarantine that by hand",
			name);
	else if (dataplane_quarantine_until(d->dp, s->id))
		bus_alarm(d->bus, s->config->name,
			  "in quarantine until it is released: it was, by a state that is damaged");
	else
		bus_alarm(d->bus, s->config->name,
			  "not in quarantine by the kernel's maps, which count; by a state that is "
			  "damaged it was");
}

static void persist_applied(void *m, UNUSED const struct config *config)
{
	struct persist *p = m;

	for (size_t i = 0; i < p->held.n_servers; i++) {
		const struct server *s = server_of(p, &p->held.servers[i]);
		size_t before = 0;

		while (before < i && (!s || server_of(p, &p->held.servers[before]) != s))
			before++;
		if (before == i) /* else it was named already */
			say_held(p, s, p->held.servers[i].name);
	}
	state_done(&p->held);
	if (!p->store && !p->loaded && !dataplane_taken_over(p->part.d->dp))
		bus_alarm(p->part.d->bus, "",
			  "the state directory %s cannot be used (%s): what was in quarantine "
			  "before a reboot may not be; trying again",
			  p->part.d->settings->state_dir, strerror(-p->store_error));
}

/* --- a directory that comes later ----------------------------------------------------------------- */

/* The kernel has begun without it. Ends what others said of it while it was not known. */
static void quarantine_late(struct persist *p, const struct state_clock *now)
{
	struct daemon *d = p->part.d;

	for (size_t i = 0; i < p->late.n_servers; i++) {
		struct state_server *old = &p->late.servers[i];
		struct server *s = server_of(p, old);
		uint64_t left = state_left_ns(&p->late.saved, now, old->quarantine_ns, SG_FOREVER);

		if (!old->quarantined || !left)
			continue;
		if (!s || !s->id) {
			bus_alarm(
				d->bus, "",
				"\"%s\" was in quarantine before a reboot, which is known only now, "
				"and is not watched: quarantine by hand what it is called now",
				old->name);
			continue;
		}
		old->quarantine_ns = left == SG_FOREVER ? left : now->boot_ns + left;
		bus_emit(d->bus, &(struct signal){ .type = SIGNAL_HELD, .server = s, .held = old });
		bus_alarm(d->bus, s->config->name,
			  "in quarantine again: it was before a reboot, which is known only now "
			  "that %s can be read",
			  d->settings->state_dir);
	}
	state_done(&p->held);
}

static void reopen(struct persist *p)
{
	struct state_clock now = { .boot_ns = clock_boot_ns(), .wall_ns = clock_wall_ns() };
	bool late = !p->loaded && !dataplane_taken_over(p->part.d->dp);

	if (now.boot_ns < p->retry_ns)
		return;
	p->retry_ns = now.boot_ns + RETRY_NS;
	p->store_error = store_open(p->part.d->settings->state_dir, p->store_error, &p->store);
	if (!p->store)
		return;
	log_notice(SUB, "the state directory %s can be used now", p->part.d->settings->state_dir);
	bus_dirty(p->part.d->bus);
	state_done(&p->late);
	persist_load(p, &p->late, &now);
	if (late)
		quarantine_late(p, &now);
	else
		persist_applied(p, NULL);
}

static void persist_signal(void *m, const struct signal *signal)
{
	struct persist *p = m;

	if (signal->type == SIGNAL_TICK && !p->store)
		reopen(p);
}

/* --- writing ------------------------------------------------------------------------------------------ */

static int state_fill(struct persist *p, struct state *state)
{
	struct servers *all = p->part.d->servers;
	struct modules *ms = bus_modules(p->part.d->bus);
	uint64_t now = clock_boot_ns();

	state->servers =
		calloc(servers_n(all) + servers_kept(all, NULL, now) + 1, sizeof(*state->servers));
	if (!state->servers)
		return -ENOMEM;
	state->saved.boot_ns = now;
	state->saved.wall_ns = clock_wall_ns();
	memcpy(state->saved.boot_id, p->boot_id, sizeof(state->saved.boot_id));
	for (struct server *s = servers_first(all); s; s = s->next) {
		struct state_server *to = &state->servers[state->n_servers];
		struct server *from;

		from = s->covered_by ? s->covered_by : s;
		if (!from->id ||
		    (s->covered_by && !server_quarantined(from) && !from->breaker.order_until_ns))
			continue;
		state_server_take(to, s->config->name, &from->breaker, now);
		to->covered = s->covered_by;
		config_origin(s->config, to->origin, sizeof(to->origin));
		(void)!config_entry_write(s->config, to->entry, sizeof(to->entry));
		MODULES_EACH(ms, save, from, to, now);
		state->n_servers++;
	}
	state->n_servers += servers_kept(all, &state->servers[state->n_servers], now);
	return 0;
}

/* Nothing is written over what could not be set aside. */
static int set_aside_now(struct persist *p)
{
	char aside[64];
	int r = p->store ? 0 : p->store_error;

	for (size_t i = 0; i < GENERATIONS && !r; i++) {
		if (p->in_place[i])
			r = store_set_aside(p->store, files[i], aside, sizeof(aside));
		p->in_place[i] &= r != 0;
	}
	return r;
}

static int persist_write(struct persist *p)
{
	CLEANUP(state_done) struct state state = { 0 };
	CLEANUP(buf_done) struct buf out = BUF(STATE_SIZE_MAX);
	int r = set_aside_now(p);

	if (!r)
		r = state_fill(p, &state);
	if (!r)
		r = state_encode(&state, &out);
	if (!r)
		r = store_write(p->store, STATE_FILE, out.data, out.len);
	return r;
}

static int persist_commit(void *m)
{
	struct persist *p = m;
	int r = persist_write(p);

	if (r == -ENOENT && p->store) { /* the directory is gone: it is made again */
		store_close(TAKE_PTR(p->store));
		p->store_error = r;
	}
	p->error[0] = '\0';
	if (r)
		snprintf(p->error, sizeof(p->error),
			 "the state cannot be written to %s (%s): it would not survive a reboot; "
			 "trying again",
			 p->part.d->settings->state_dir, strerror(-r));
	return r;
}

static int persist_degraded(void *m, struct status *to)
{
	const struct persist *p = m;
	const char *dir = p->part.d->settings->state_dir;
	char aside[256];
	char text[1024];
	size_t n = p->store ? store_aside(p->store, aside, sizeof(aside)) : 0;
	int r = p->error[0] ? status_degrade(to, p->error) : 0;

	if (!r && !p->loaded && !dataplane_taken_over(p->part.d->dp)) {
		snprintf(
			text, sizeof(text),
			"the state in %s could not be read: what was in quarantine before a reboot "
			"may not be; trying again",
			dir);
		r = status_degrade(to, text);
	}
	if (!r && n) {
		snprintf(text, sizeof(text),
			 "the state was damaged: see which servers should be in quarantine, then "
			 "delete %s/%s, or move it away (%zu such files)",
			 dir, aside, n);
		r = status_degrade(to, text);
	}
	return r;
}

/* At the end once more, since what only time changes is not committed at each pass. */
static void persist_stop(void *m)
{
	struct persist *p = m;

	if (p->store && servers_n(p->part.d->servers) && !dataplane_detached(p->part.d->dp))
		(void)!persist_commit(p);
	store_close(p->store);
	state_done(&p->held);
	state_done(&p->late);
}

const struct module persist_module = {
	.name = "persist",
	.size = sizeof(struct persist),
	.start = persist_start,
	.stop = persist_stop,
	.applied = persist_applied,
	.on_signal = persist_signal,
	.load = persist_load,
	.commit = persist_commit,
	.degraded = persist_degraded,
};
