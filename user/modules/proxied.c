/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes that call servers through an HTTP proxy, as their environments say: they connect to
 * the proxy, so nothing of these calls is watched. A child looks for them once a minute; of an
 * environment it keeps host and port of the proxy alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/proxies.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "daemon/work.h"
#include "modules/modules.h"

#define SUB "proxies"
#define LOOK_NS (60 * NS_PER_SEC)
#define FIRST_NS NS_PER_SEC      /* after the start */
#define RUN_NS (20 * NS_PER_SEC) /* a look may take so long */
#define NAMED_MAX 32             /* processes that are named; the others are counted */
#define SHOWN 3                  /* of them, and of servers, in the sentence */

struct through {
	uint32_t pid;
	char comm[SG_COMM_LEN];
	char proxy[PROXY_LEN];
};

/* What a look found; by index of the server a bit for each of `v`. */
struct found {
	struct through v[NAMED_MAX];
	uint32_t n;
	uint32_t others; /* more processes than have room */
	uint32_t cut;    /* 1: there were more than are looked at */
	uint32_t by[SG_SERVERS_MAX];
};

struct proxied {
	struct part part;
	struct work *work;
	struct work_job *job;
	struct loop_timer *due;
	struct found found;
	uint32_t told; /* how many were logged */
};

/* --- in the child ------------------------------------------------------------------------ */

struct child {
	const struct servers *servers;
	struct found *found;
	pid_t daemon;
};

static void on_process(void *data, pid_t pid, const char *comm, const char *environment, size_t len)
{
	struct child *c = data;
	struct found *found = c->found;
	const char *proxy = NULL;
	struct proxies p;

	if (pid == c->daemon || pid == getpid())
		return;
	proxies_read(&p, environment, len);
	for (const struct server *s = servers_first(c->servers); s; s = s->next) {
		const char *by = NULL;

		if (s->config->has_url && s->index < SG_SERVERS_MAX)
			by = proxies_for(&p, s->config->scheme == URL_HTTPS, s->config->host);
		if (!by)
			continue;
		proxy = by;
		if (found->n < NAMED_MAX)
			found->by[s->index] |= 1U << found->n;
	}
	if (!proxy)
		return;
	if (found->n == NAMED_MAX) {
		found->others++;
		return;
	}
	found->v[found->n].pid = (uint32_t)pid;
	snprintf(found->v[found->n].comm, SG_COMM_LEN, "%s", comm);
	snprintf(found->v[found->n].proxy, PROXY_LEN, "%s", proxy);
	found->n++;
}

static int look(void *data, void *result, UNUSED size_t size)
{
	const struct daemon *d = *(struct daemon **)data;
	struct child c = { .servers = d->servers, .found = result, .daemon = getppid() };
	ssize_t n = dataplane_processes(d->dp, on_process, &c);

	if (n < 0)
		return (int)n;
	c.found->cut = n == PROCESSES_MAX;
	return 0;
}

/* --- in the daemon ----------------------------------------------------------------------- */

/* "pid 12 (curl) by 10.0.0.1:3128, ... and 4 more, at "a", "b"" */
static void sentence(const struct proxied *m, char *out, size_t size)
{
	const struct found *f = &m->found;
	uint32_t total = f->n + f->others;
	struct buf text = BUF(1024);
	uint32_t servers = 0;

	buf_printf(&text,
		   "%" PRIu32 " process%s of the protected cgroup call%s servers through a proxy, "
		   "and these calls are not watched: ",
		   total, total == 1 ? "" : "es", total == 1 ? "s" : "");
	for (uint32_t i = 0; i < f->n && i < SHOWN; i++)
		buf_printf(&text, "%spid %" PRIu32 " (%s) by %s", i ? ", " : "", f->v[i].pid,
			   f->v[i].comm, f->v[i].proxy);
	if (total > SHOWN)
		buf_printf(&text, " and %" PRIu32 " more", total - SHOWN);
	for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		if (s->index >= SG_SERVERS_MAX || !f->by[s->index])
			continue;
		if (servers < SHOWN)
			buf_printf(&text, "%s\"%s\"", servers ? ", " : "; at ", s->config->name);
		servers++;
	}
	if (servers > SHOWN)
		buf_printf(&text, " and %" PRIu32 " more", servers - SHOWN);
	buf_puts(&text, "; name these servers in no_proxy, or watch at the proxy's host");
	snprintf(out, size, "%s", buf_str(&text));
	buf_done(&text);
}

static void on_found(void *owner, int r, const void *result)
{
	struct proxied *m = owner;
	char text[1024];

	m->job = NULL;
	if (r)
		log_warning(SUB, "cannot look for processes that use a proxy: %s", strerror(-r));
	if (!result)
		return;
	memcpy(&m->found, result, sizeof(m->found));
	if (m->found.n && m->told != m->found.n + m->found.others) {
		sentence(m, text, sizeof(text));
		log_warning(SUB, "%s", text);
	}
	m->told = m->found.n + m->found.others;
}

static void on_due(void *data)
{
	struct proxied *m = data;
	const struct work_order order = { .name = "sg-proxies",
					  .fn = look,
					  .data = &m->part.d,
					  .data_len = sizeof(m->part.d),
					  .size = sizeof(struct found),
					  .run_ns = RUN_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_found,
					  .owner = m };

	if (!m->job && work_add(m->work, &order, &m->job))
		m->job = NULL; /* the next time, then */
	loop_timer_set(m->due, clock_boot_ns() + LOOK_NS);
}

static int proxied_start(void *m)
{
	struct proxied *p = m;
	int r = work_new(p->part.d, &p->work);

	return r ? r : loop_timer_new(p->part.d->loop, on_due, p, &p->due);
}

static void proxied_stop(void *m)
{
	struct proxied *p = m;

	work_free(p->work);
}

/* Other servers, at other places in their list. */
static void proxied_applied(void *m, UNUSED const struct config *config)
{
	struct proxied *p = m;

	work_cancel(p->job);
	p->job = NULL;
	p->found = (struct found){ 0 };
	loop_timer_set(p->due, clock_boot_ns() + FIRST_NS);
}

static int proxied_degraded(void *m, struct status *to)
{
	const struct proxied *p = m;
	char text[1024];

	if (!p->found.n)
		return 0;
	sentence(p, text, sizeof(text));
	return status_degrade(to, text);
}

static int proxied_fill(void *m, struct server *s, struct status_server *to)
{
	const struct found *f = &((const struct proxied *)m)->found;
	uint32_t by = s->index < SG_SERVERS_MAX ? f->by[s->index] : 0;

	to->proxied = calloc(NAMED_MAX, sizeof(*to->proxied));
	if (!to->proxied)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n; i++) {
		struct status_proxied *p = &to->proxied[to->n_proxied];

		if (!(by & 1U << i))
			continue;
		p->pid = f->v[i].pid;
		memcpy(p->comm, f->v[i].comm, sizeof(p->comm));
		snprintf(p->proxy, sizeof(p->proxy), "%s", f->v[i].proxy);
		to->n_proxied++;
	}
	return 0;
}

const struct module proxied_module = {
	.name = SUB,
	.size = sizeof(struct proxied),
	.start = proxied_start,
	.stop = proxied_stop,
	.applied = proxied_applied,
	.degraded = proxied_degraded,
	.fill_server = proxied_fill,
};
