/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Servers that may stand in for others: the daemon asks each of them, all the time, whether it
 * answers, so that it is known before it is needed. A worker asks (io/worker.h), by requests that
 * change nothing, on connections that no breaker counts: what comes of it is no verdict, but says
 * whether the server may be used (server_proof). Fail-closed: who cannot be asked is not used.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/names.h"
#include "core/policy.h"
#include "daemon/bus.h"
#include "daemon/probing.h"
#include "daemon/work.h"
#include "modules/modules.h"
#include "verdict.h"

#define SUB "fallback"
#define AT_ONCE 4
#define LOOK_NS (NS_PER_SEC / 4)
#define PERIOD_NS (15 * NS_PER_SEC)
#define AGAIN_NS (2 * NS_PER_SEC) /* after it did not answer */
#define IDLE_NS (2 * NS_PER_SEC)  /* it is asked once in so long for what it closed */
#define LIMIT_NS (5 * NS_PER_SEC)

struct secondary;

struct secondaries {
	struct part part;
	struct loop_timer *timer;
	struct work *work[AT_ONCE];
	struct secondary *busy[AT_ONCE];
};

/* Of one server. */
struct secondary {
	struct secondaries *m;
	struct server *server;
	struct work_job *job; /* NULL: none is running */
	size_t slot;          /* of the job */
	uint64_t next_ns;
	uint64_t own; /* cookie of its socket; 0: none */
	uint32_t era; /* as the last one found it */
	bool listed;  /* somebody falls back to it */
	bool doubted; /* it may be gone, and others are ready: whoever chooses waits for the answer */
};

static struct secondary *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static void end(struct secondary *a)
{
	if (!a->server)
		return;
	if (a->m->busy[a->slot] == a)
		a->m->busy[a->slot] = NULL;
	work_cancel(TAKE_PTR(a->job));
	probing_disown(a->server, &a->own);
}

/* What the latest probe came to. Whoever chooses hears of it if that is news. */
static void prove(struct secondary *a, const char *failure, bool told)
{
	struct server_proof *p = &a->server->proof;
	struct signal signal = { .type = SIGNAL_PROVEN, .server = a->server };
	bool news = a->doubted || !p->asked || p->answered != !*failure ||
		    strcmp(p->failure, failure) != 0;

	p->doubted = a->doubted;
	a->doubted = false;
	p->asked = true;
	p->told = told;
	p->answered = !*failure;
	p->asked_wall_ns = clock_wall_ns();
	snprintf(p->failure, sizeof(p->failure), "%s", failure);
	a->next_ns = clock_boot_ns() + (*failure ? AGAIN_NS : PERIOD_NS);
	if (!news)
		return;
	if (*failure)
		log_notice(SUB, "%s: it does not answer own probes: %s", a->server->config->name,
			   failure);
	bus_emit(a->server->d->bus, &signal);
	bus_pass(a->server->d->bus);
}

/* An answer is one, whatever it says of the request, unless the server calls itself unable. */
static void judge(struct secondary *a, const struct probe_verdict *v)
{
	const struct probe_result *r = &v->result;
	char failure[sizeof(a->server->proof.failure)] = "";

	if (!r->status)
		snprintf(failure, sizeof(failure), "%s",
			 *v->why ? v->why : cause_name((unsigned int)r->cause));
	else if (r->class == SG_HARD)
		snprintf(failure, sizeof(failure), "HTTP status %u", r->status);
	a->era = v->era;
	prove(a, failure, true);
}

static int asked(void *owner, uint32_t what, const void *data, size_t len, int fd)
{
	struct secondary *a = owner;

	if (what == PROBE_ASK_VERDICT) {
		if (!probe_verdict_valid(data, len))
			return -EBADMSG;
		judge(a, data);
		return 0;
	}
	return what == PROBE_ASK_OWN && fd >= 0 ? probing_own(a->server, fd, &a->own) : -EINVAL;
}

static void done(void *owner, int r, UNUSED const void *result)
{
	struct secondary *a = owner;

	a->job = NULL;
	if (r)
		prove(a, work_explain(a->m->work[a->slot], r), false);
	end(a);
}

static int begin(struct secondary *a, size_t slot)
{
	uint64_t timeout_ns = policy_ns(a->server->config->policy.timeout_seconds);
	struct probe_job job = { .era = a->era,
				 .limit_ns = timeout_ns < LIMIT_NS ? timeout_ns : LIMIT_NS };
	const struct work_order order = { .op = WORKER_PROBE,
					  .data = &job,
					  .data_len = sizeof(job),
					  .ask = asked,
					  .run_ns = job.limit_ns + PROBING_REST_NS,
					  .by_ns = SG_FOREVER,
					  .done = done,
					  .owner = a };
	int r = probing_fill(a->server, &job);

	if (!r)
		r = work_add(a->m->work[slot], &order, &a->job);
	if (r)
		return r;
	a->slot = slot;
	a->next_ns = SG_FOREVER;
	a->m->busy[slot] = a;
	return 0;
}

/* Whom its own breaker denies has probes of another kind, and is not used anyway. */
static bool is_due(const struct secondaries *m, const struct server *s, uint64_t now)
{
	const struct secondary *a = of(m, s);

	return a->server && (a->listed || a->doubted) && server_watched(s) && !a->job &&
	       now >= a->next_ns && s->n_addrs && probe_path(s->config->url_shown) &&
	       !server_quarantined(s) && !sg_breaker_denies(&s->breaker, now);
}

static void look(void *data)
{
	struct secondaries *m = data;
	uint64_t now = clock_boot_ns();
	size_t slot = 0;

	loop_timer_set(m->timer, now + LOOK_NS);
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		int r;

		if (!is_due(m, s, now))
			continue;
		while (slot < AT_ONCE && m->busy[slot])
			slot++;
		if (slot == AT_ONCE)
			return; /* the next time, in the same order */
		r = begin(of(m, s), slot);
		if (r)
			prove(of(m, s), strerror(-r), false);
	}
}

/* Who is somebody's fallback; nobody looks while there is none. */
static void list(struct secondaries *m)
{
	struct servers *all = m->part.d->servers;
	bool any = false;

	for (struct server *s = servers_first(all); s; s = s->next)
		of(m, s)->listed = false;
	for (struct server *s = servers_first(all); s; s = s->next) {
		const struct config_server *c = s->config;

		for (size_t i = 0; c->on_open == ON_OPEN_FALLBACK && i < c->fallback.n; i++) {
			struct server *other = servers_by_name(all, c->fallback.v[i]);

			if (!other)
				continue;
			of(m, other)->listed = true;
			any = true;
		}
	}
	if (any)
		loop_timer_set(m->timer, clock_boot_ns());
	else
		loop_timer_off(m->timer);
}

static void forget(struct secondary *a)
{
	end(a);
	a->next_ns = 0;
	a->era = 0;
	a->server->proof = (struct server_proof){ 0 };
}

/* A server may be gone that others can stand in for: is it? The kernel waits for SG_DOUBT_NS. */
static void doubt(struct secondaries *m, struct server *s)
{
	struct secondary *a = of(m, s);

	if (a->doubted || (s->config->on_open != ON_OPEN_FALLBACK && !a->listed))
		return;
	a->doubted = s->config->on_open == ON_OPEN_FALLBACK;
	a->next_ns = 0;
	loop_timer_set(m->timer, 0);
}

/* It closed a connection that rested, as most do after a while: who has just answered is there. */
static void doubt_idle(struct secondaries *m, struct server *s)
{
	struct sg_command cmd = { .op = SG_CMD_REACHED,
				  .server = s->id,
				  .generation = s->breaker.generation };
	const struct server_proof *p = &s->proof;

	if (p->answered && clock_wall_ns() - p->asked_wall_ns < IDLE_NS)
		(void)!dataplane_command(s->d->dp, &cmd); /* else the doubt ends by time */
	else
		doubt(m, s);
}

static void secondaries_signal(void *data, const struct signal *signal)
{
	if (signal->type == SIGNAL_OUTCOME &&
	    sg_looks_gone(signal->kernel.outcome, signal->kernel.cause))
		doubt(data, signal->server);
	else if (signal->type == SIGNAL_DOUBT)
		doubt_idle(data, signal->server);
	else if (signal->type == SIGNAL_APPLIED)
		list(data);
	else if (signal->type == SIGNAL_ADDRS)
		of(data, signal->server)->next_ns = 0;
}

static int secondaries_added(void *m, struct server *s, UNUSED const struct server_start *start)
{
	*of(m, s) = (struct secondary){ .m = m, .server = s };
	return 0;
}

static void secondaries_removed(void *m, struct server *s)
{
	end(of(m, s));
	*of(m, s) = (struct secondary){ 0 };
}

static int secondaries_changed(void *m, struct server *s, unsigned int diff)
{
	if (diff & CONFIG_DIFF_ENDPOINTS && of(m, s)->server)
		forget(of(m, s));
	return 0;
}

static int secondaries_start(void *data)
{
	struct secondaries *m = data;
	int r = loop_timer_new(m->part.d->loop, look, m, &m->timer);

	for (size_t i = 0; i < AT_ONCE && !r; i++)
		r = work_new(m->part.d, &m->work[i]);
	return r;
}

static void secondaries_stop(void *data)
{
	struct secondaries *m = data;

	for (size_t i = 0; i < AT_ONCE; i++) {
		if (m->busy[i])
			end(m->busy[i]); /* its server goes later */
		work_free(m->work[i]);
	}
	loop_timer_free(m->timer);
}

const struct module secondaries_module = {
	.name = "secondaries",
	.size = sizeof(struct secondaries),
	.server_size = sizeof(struct secondary),
	.start = secondaries_start,
	.stop = secondaries_stop,
	.server_added = secondaries_added,
	.server_changed = secondaries_changed,
	.server_removed = secondaries_removed,
	.on_signal = secondaries_signal,
};
