/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses that servers share with others, as those of a CDN: there a server is refused by its
 * name, and not by its address. The kernel is told by what names connections ask for servers, and
 * which servers are at such addresses: by the configuration, because two of them claim one, because
 * an address came while they were in quarantine, or because a connection has shown it, which the
 * kernel sees itself.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "modules/modules.h"

#define SUB "shared"
#define LOOK_NS (10 * NS_PER_SEC)

struct shared {
	struct part part;
	bool written;     /* the kernel has the names of all servers */
	uint64_t look_ns; /* at what the kernel has learned, next */
};

struct shared_server {
	bool learned; /* by this kernel, or one before: it is on disk */
};

static struct shared_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

/* Is it known by a name, at no address that was configured as its own? */
static bool has_name(const struct server *s)
{
	const struct config_server *c = s->config;

	return s->id && c->has_url && !c->has_addr && !c->n_networks &&
	       strlen(c->host) < SG_TARGET_LEN;
}

/* Why it is refused by its name; NULL: it is not. */
static const char *why(const struct shared *m, const struct server *s)
{
	if (!has_name(s) || s->config->shared == CONFIG_SHARED_NEVER)
		return NULL;
	if (s->config->shared == CONFIG_SHARED_ALWAYS)
		return "configured";
	if (s->contested)
		return "claimed";
	if (of(m, s)->learned)
		return "learned";
	return s->moved ? "moved" : NULL;
}

static void flags_set(const struct shared *m, struct server *s)
{
	s->wanted.flags &= ~(SG_SRV_NAMED | SG_SRV_SHARED);
	if (!m->written || !has_name(s) || s->config->shared == CONFIG_SHARED_NEVER)
		return;
	s->wanted.flags |= SG_SRV_NAMED;
	if (why(m, s))
		s->wanted.flags |= SG_SRV_SHARED;
}

static void names_write(struct shared *m)
{
	struct servers *all = m->part.d->servers;
	CLEANUP(freep) struct dataplane_host *v = calloc(servers_n(all) + 1, sizeof(*v));
	size_t n = 0;

	m->written = false;
	if (!v)
		return;
	for (const struct server *s = servers_first(all); s; s = s->next) {
		if (!has_name(s))
			continue;
		memcpy(v[n].name.text, s->config->host, strlen(s->config->host));
		v[n].name.port = htobe16(s->config->port);
		v[n++].server = s->id;
	}
	m->written = !dataplane_hosts_set(m->part.d->dp, v, n);
}

/* What the kernel has learned since; it is kept on disk, since the next kernel has not. */
static void look(struct shared *m, struct server *s)
{
	struct shared_server *mine = of(m, s);

	if (!has_name(s) || mine->learned || server_read(s) || !s->learned)
		return;
	mine->learned = true;
	bus_dirty(m->part.d->bus);
	if (s->config->shared != CONFIG_SHARED_NEVER)
		log_notice(SUB,
			   "server \"%s\": others are at its addresses, too: from now on it is "
			   "refused by its name, and not by its address (\"shared\": false in its "
			   "configuration ends that)",
			   s->config->name);
}

static int shared_added(void *m, struct server *s, const struct server_start *start)
{
	of(m, s)->learned = start->old && start->old->shared;
	return 0;
}

static int shared_changed(void *m, struct server *s, unsigned int diff)
{
	if (diff & CONFIG_DIFF_ENDPOINTS)
		of(m, s)->learned = false;
	return 0;
}

static void shared_applied(void *m, UNUSED const struct config *config)
{
	names_write(m);
}

static void shared_signal(void *m, UNUSED const struct signal *signal)
{
	struct shared *shared = m;
	uint64_t now = clock_boot_ns();

	if (now < shared->look_ns)
		return;
	shared->look_ns = now + LOOK_NS;
	if (!shared->written)
		names_write(shared);
	for (struct server *s = servers_first(shared->part.d->servers); s; s = s->next)
		look(shared, s);
}

static void shared_turn(void *m, UNUSED uint64_t now)
{
	struct shared *shared = m;

	for (struct server *s = servers_first(shared->part.d->servers); s; s = s->next) {
		s->moved = s->moved && server_quarantined(s);
		flags_set(shared, s);
	}
}

static void shared_save(void *m, struct server *s, struct state_server *to, UNUSED uint64_t now)
{
	to->shared = of(m, s)->learned;
}

static int shared_fill(void *m, struct server *s, struct status_server *to)
{
	const char *reason = why(m, s);

	snprintf(to->shared, sizeof(to->shared), "%s", reason ? reason : "");
	return 0;
}

static int shared_degraded(void *m, struct status *to)
{
	const struct shared *shared = m;

	if (shared->written || !servers_n(shared->part.d->servers))
		return 0;
	return status_degrade(to, "the kernel could not be told the names of all servers: at "
				  "addresses of several names they are refused by address");
}

const struct module shared_module = {
	.name = SUB,
	.size = sizeof(struct shared),
	.server_size = sizeof(struct shared_server),
	.server_added = shared_added,
	.server_changed = shared_changed,
	.applied = shared_applied,
	.on_signal = shared_signal,
	.turn = shared_turn,
	.save = shared_save,
	.fill_server = shared_fill,
	.degraded = shared_degraded,
};
