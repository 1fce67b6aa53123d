/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of servers to addresses, refreshed; the loop never waits for an answer. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "io/resolver.h"
#include "modules/modules.h"

#define SUB "resolve"
#define RETRY_NS (5 * NS_PER_SEC)

_Static_assert(SERVER_ADDRS_MAX >= RESOLVER_ADDRS_MAX, "room for every answer");

struct resolve {
	struct part part;
	struct resolver *resolver;
	struct loop_timer *timer;
	uint64_t questions; /* ever asked: their ids */
};

struct resolve_server {
	char error[128]; /* "" while all is well */
	uint64_t next_ns;
	uint64_t question; /* to the resolver, not answered yet; 0: none */
	bool unwritten;    /* the kernel could not be told the latest answer */
};

static struct resolve_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static bool same_addrs(const struct server *s, const struct addr *addrs, size_t n)
{
	if (n != s->n_addrs)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < s->n_addrs && !found; k++)
			found = !memcmp(&addrs[i], &s->addrs[k], sizeof(addrs[i]));
		if (!found)
			return false;
	}
	return true;
}

/* Old addresses stay when a name cannot be resolved: a server does not leave its
 * quarantine because its DNS fails. */
static void failed(struct resolve_server *r, const struct server *s, const char *error)
{
	if (strcmp(r->error, error) != 0)
		log_warning(SUB, "server \"%s\": cannot resolve \"%s\": %s; %s", s->config->name,
			    s->config->host, error,
			    s->resolved ? "the addresses known so far stay"
					: "it is not watched until its name resolves");
	snprintf(r->error, sizeof(r->error), "%s", error);
	r->next_ns = clock_boot_ns() + RETRY_NS;
}

static struct server *asked(struct resolve *m, uint64_t question)
{
	struct servers *all = m->part.d->servers;

	for (size_t i = 0; i < servers_n(all); i++)
		if (of(m, servers_at(all, i))->question == question)
			return servers_at(all, i);
	return NULL;
}

static void answered(void *data, uint64_t question, const struct addr *addrs, size_t n,
		     const char *error)
{
	struct resolve *m = data;
	struct server *s = asked(m, question);
	struct resolve_server *r;

	if (!s)
		return; /* a reload changed its name, or removed it */
	r = of(m, s);
	r->question = 0;
	if (!n) {
		failed(r, s, error);
		return;
	}
	r->error[0] = '\0';
	r->next_ns = clock_boot_ns() + servers_config(m->part.d->servers)->resolve_ns;
	if (n > SERVER_ADDRS_MAX)
		n = SERVER_ADDRS_MAX;
	if (s->resolved && !r->unwritten && same_addrs(s, addrs, n))
		return;
	r->unwritten = server_set_addrs(s, addrs, n) != 0;
	if (!r->unwritten)
		log_info(SUB, "server \"%s\": \"%s\" has %zu address%s", s->config->name,
			 s->config->host, n, n == 1 ? "" : "es");
}

/* --- when ------------------------------------------------------------------------------------ */

static bool wants(const void *m, const struct server *s)
{
	return s->id && s->config->has_url && !s->config->has_addr && !of(m, s)->question;
}

static void ask_due(struct resolve *m, uint64_t now)
{
	struct servers *all = m->part.d->servers;

	for (size_t i = 0; i < servers_n(all); i++) {
		struct server *s = servers_at(all, i);
		struct resolve_server *r = of(m, s);
		int e;

		if (!wants(m, s) || r->next_ns > now)
			continue;
		e = resolver_ask(m->resolver, m->questions + 1, s->config->host);
		if (e)
			failed(r, s, strerror(-e));
		else
			r->question = ++m->questions;
	}
	resolver_run(m->resolver);
}

static void schedule(struct resolve *m)
{
	struct servers *all = m->part.d->servers;
	uint64_t next = resolver_due_ns(m->resolver);

	for (size_t i = 0; i < servers_n(all); i++) {
		struct server *s = servers_at(all, i);

		if (wants(m, s) && of(m, s)->next_ns < next)
			next = of(m, s)->next_ns;
	}
	loop_timer_set(m->timer, next);
}

static void on_timer(void *data)
{
	struct resolve *m = data;

	ask_due(m, clock_boot_ns());
	schedule(m);
}

static void on_resolver(void *data, uint32_t ready)
{
	struct resolve *m = data;

	(void)ready;
	resolver_run(m->resolver);
	schedule(m);
	bus_pass(m->part.d->bus);
}

static void resolve_signal(void *m, const struct signal *signal)
{
	if (signal->type == SIGNAL_APPLIED) /* there may be new names */
		on_timer(m);
}

static int resolve_changed(void *m, struct server *s, unsigned int diff)
{
	if (diff & CONFIG_DIFF_ENDPOINTS) /* an answer that is outstanding is for the old name */
		memset(of(m, s), 0, sizeof(struct resolve_server));
	return 0;
}

static int resolve_start(void *m)
{
	struct resolve *resolve = m;
	struct loop *loop = resolve->part.d->loop;
	struct loop_source *source;
	int r = resolver_new(answered, resolve, RESOLVER_PATIENCE_NS, &resolve->resolver);

	if (!r)
		r = loop_timer_new(loop, on_timer, resolve, &resolve->timer);
	if (!r)
		r = loop_add_fd(loop, resolver_fd(resolve->resolver), EPOLLIN, on_resolver, resolve,
				&source);
	return r;
}

static void resolve_stop(void *m)
{
	struct resolve *resolve = m;

	resolver_free(resolve->resolver);
}

static int resolve_degraded(void *m, struct status *to)
{
	const struct resolve *resolve = m;
	struct servers *all = resolve->part.d->servers;
	char text[512];
	int r = 0;

	for (size_t i = 0; i < servers_n(all) && !r; i++) {
		const struct server *s = servers_at(all, i);

		if (!of(m, s)->error[0])
			continue;
		snprintf(text, sizeof(text), "server \"%s\": \"%s\" cannot be resolved: %s%s",
			 s->config->name, s->config->host, of(m, s)->error,
			 s->resolved ? "" : "; it is not watched");
		r = status_degrade(to, text);
	}
	return r;
}

const struct module resolve_module = {
	.name = SUB,
	.size = sizeof(struct resolve),
	.server_size = sizeof(struct resolve_server),
	.start = resolve_start,
	.stop = resolve_stop,
	.server_changed = resolve_changed,
	.on_signal = resolve_signal,
	.degraded = resolve_degraded,
};
