/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of servers to addresses, refreshed; the loop never waits for an answer. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "daemon/work.h"
#include "io/resolver.h"
#include "modules/modules.h"

#define SUB "resolve"
#define LINES_MAX 4 /* names that are looked up at once */
#define PATIENCE_NS (15 * NS_PER_SEC)
#define RETRY_NS (5 * NS_PER_SEC)

_Static_assert(SERVER_ADDRS_MAX >= RESOLVER_ADDRS_MAX, "room for every answer");
_Static_assert(WORK_DATA_MAX > RESOLVER_HOST_MAX, "room for every name");

/* One child at a time. */
struct line {
	struct resolve *m;
	struct work *work;
	struct work_job *job;  /* NULL: idle */
	struct server *server; /* whose name it looks up */
};

struct resolve {
	struct part part;
	struct loop_timer *timer;
	struct line lines[LINES_MAX];
};

struct resolve_server {
	char error[128];  /* "" while all is well */
	uint64_t next_ns; /* SG_FOREVER: its name is being looked up */
	bool unwritten;   /* the kernel could not be told the latest answer */
};

static struct resolve_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static bool same_addrs(const struct server *s, const struct addr *addrs, size_t n)
{
	if (n != s->n_claimed)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < s->n_claimed && !found; k++)
			found = !memcmp(&addrs[i], &s->claimed[k], sizeof(addrs[i]));
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

static void found(struct resolve *m, struct server *s, const struct resolver_answer *answer)
{
	struct resolve_server *r = of(m, s);

	if (r->error[0])
		log_notice(SUB, "server \"%s\": \"%s\" resolves again", s->config->name,
			   s->config->host);
	r->error[0] = '\0';
	r->next_ns = clock_boot_ns() + servers_config(m->part.d->servers)->resolve_ns;
	if (s->resolved && !r->unwritten && same_addrs(s, answer->addrs, answer->n))
		return;
	r->unwritten = server_set_addrs(s, answer->addrs, answer->n) != 0;
	if (!r->unwritten)
		log_info(SUB, "server \"%s\": \"%s\" has %u address%s", s->config->name,
			 s->config->host, answer->n, answer->n == 1 ? "" : "es");
}

/* --- when ------------------------------------------------------------------------------------ */

/* The server whose name has been due for the longest; NULL: no name is to be looked up. */
static struct server *first_due(const struct resolve *m)
{
	struct server *first = NULL;

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (s->id && s->config->has_url && !s->config->has_addr &&
		    of(m, s)->next_ns < (first ? of(m, first)->next_ns : SG_FOREVER))
			first = s;
	return first;
}

static void answered(void *owner, int r, const void *result);

static void ask(struct line *line, struct server *s)
{
	const struct work_order order = { .op = WORKER_LOOK_UP,
					  .data = s->config->host,
					  .data_len = strlen(s->config->host) + 1,
					  .size = sizeof(struct resolver_answer),
					  .run_ns = PATIENCE_NS,
					  .by_ns = SG_FOREVER,
					  .done = answered,
					  .owner = line };
	int r = work_add(line->work, &order, &line->job);

	if (r) {
		failed(of(line->m, s), s, strerror(-r));
		return;
	}
	line->server = s;
	of(line->m, s)->next_ns = SG_FOREVER;
}

/* Gives what is due to who is idle. If nobody is, the next answer comes here. */
static void go_on(void *data)
{
	struct resolve *m = data;
	struct server *s = first_due(m);
	uint64_t now = clock_boot_ns();
	bool idle = false;

	for (size_t i = 0; i < LINES_MAX; i++) {
		if (!m->lines[i].job && s && of(m, s)->next_ns <= now) {
			ask(&m->lines[i], s);
			s = first_due(m);
		}
		idle |= !m->lines[i].job;
	}
	loop_timer_set(m->timer, s && idle ? of(m, s)->next_ns : SG_FOREVER);
}

static void answered(void *owner, int r, const void *result)
{
	struct line *line = owner;
	struct server *s = line->server;
	struct resolve_server *mine = of(line->m, s);
	const char *why = r ? work_explain(line->work, r) : resolver_answer_why(result);
	char error[160];

	line->job = NULL;
	if (r == -ETIMEDOUT)
		snprintf(error, sizeof(error),
			 "no answer within %.1f s: is a name server reachable?",
			 (double)PATIENCE_NS / NS_PER_SEC);
	else if (why)
		snprintf(error, sizeof(error), "%s%.127s",
			 r == -EOWNERDEAD ? "the worker that looks up names: " : "", why);
	if (why)
		failed(mine, s, error);
	else
		found(line->m, s, result);
	go_on(line->m);
	bus_pass(line->m->part.d->bus);
}

static void resolve_signal(void *m, const struct signal *signal)
{
	if (signal->type == SIGNAL_APPLIED) /* there may be new names */
		go_on(m);
}

static void resolve_removed(void *m, struct server *s)
{
	struct resolve *resolve = m;

	for (size_t i = 0; i < LINES_MAX; i++)
		if (resolve->lines[i].job && resolve->lines[i].server == s)
			work_cancel(TAKE_PTR(resolve->lines[i].job));
}

static int resolve_changed(void *m, struct server *s, unsigned int diff)
{
	if (diff & CONFIG_DIFF_ENDPOINTS) {
		resolve_removed(m, s); /* that would be the old name's address */
		memset(of(m, s), 0, sizeof(struct resolve_server));
	}
	return 0;
}

static int resolve_start(void *m)
{
	struct resolve *resolve = m;
	int r = loop_timer_new(resolve->part.d->loop, go_on, resolve, &resolve->timer);

	for (size_t i = 0; i < LINES_MAX && !r; i++) {
		resolve->lines[i].m = resolve;
		r = work_new(resolve->part.d, &resolve->lines[i].work);
	}
	return r;
}

static void resolve_stop(void *m)
{
	struct resolve *resolve = m;

	for (size_t i = 0; i < LINES_MAX; i++) {
		work_free(resolve->lines[i].work);
		resolve->lines[i].job = NULL; /* went with it; the servers go later */
	}
}

static int resolve_degraded(void *m, struct status *to)
{
	const struct resolve *resolve = m;
	struct servers *all = resolve->part.d->servers;
	char text[640];
	int r = 0;

	for (const struct server *s = servers_first(all); s && !r; s = s->next) {
		if (!of(m, s)->error[0])
			continue;
		snprintf(text, sizeof(text),
			 "server \"%s\": \"%s\" cannot be resolved: %s%s; correct its URL, or the "
			 "name service",
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
	.server_removed = resolve_removed,
	.on_signal = resolve_signal,
	.degraded = resolve_degraded,
};
