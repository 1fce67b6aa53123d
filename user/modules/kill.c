/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When live connections are ended: at a quarantine, when a breaker opens, and when
 * the kernel asks for it. How: dataplane/kill.h. What is not quickly done goes on in a
 * child, and is reported when that has ended.
 */
#include "dataplane/kill.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "daemon/work.h"
#include "modules/modules.h"
#include "verdict.h"

#define SUB "kill"
#define AGAIN_NS (60 * NS_PER_MS)
#define LOOK_NS (5 * NS_PER_SEC)      /* in quarantine: for what was brought in since */
#define SEARCH_NS (20 * NS_PER_MS)    /* from a connect without a record to the next search */
#define SOON_NS (10 * NS_PER_MS)      /* for what is done in the loop, in one turn */
#define KILL_NS (10 * NS_PER_SEC)     /* for a child that kills */
#define ADOPT_NS (120 * NS_PER_SEC)   /* for one that takes over */
#define RETRY_NS (30 * NS_PER_SEC)    /* after a child died, or was late */
#define AT_START_NS (500 * NS_PER_MS) /* so long is waited before the daemon is ready */

struct killer {
	struct part part;
	struct loop_timer *again;
	struct loop_timer *retry;
	struct work *kills;
	struct work *adoptions;
	struct work_job *adopting;
	struct loop_timer *look;
	struct work *looks;
	struct work_job *looking;
	uint64_t look_ns; /* the next one; 0: nothing is in quarantine */
	bool look_failed; /* the latest one, which is logged */
	bool adopt;       /* connections that are open already are to be taken over */
	bool adopt_retry; /* the same, later */
	bool adopted;     /* they were, once */
};

struct killer_server {
	struct killer *killer;
	struct server *server;
	bool wanted;
	bool unrecorded; /* also those without a record */
	bool counted;    /* survivors is a number that somebody counted */
	uint32_t survivors;
	uint64_t again_ns; /* once more then, when connects in flight have landed; 0: not */
	uint64_t unproved; /* kills whose survivors nobody could count */
	uint32_t held;     /* left by the latest search: to see them again is no news */

	struct work_job *job; /* the child's part of a kill */
	uint32_t killed;      /* by what came before it, and is not reported yet */
	bool more;            /* once more when it has ended, */
	bool more_unrecorded; /* for those, too */
	bool retry;           /* once more after a while */
};

static struct killer_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

/* Must connections to the server end now? Records are asked one by one; unrecorded have none, and
 * an order may have been taken back since the pass was wanted. */
static bool denied_now(const struct killer *m, struct server *s, uint64_t now)
{
	if (dataplane_lets_pass(m->part.d->dp))
		return false;
	return (s->quarantine_ns && sg_quarantined(s->quarantine_ns, now)) ||
	       (!server_read(s) && sg_breaker_denies(&s->breaker, now));
}

static void note(struct killer_server *k, uint32_t survivors)
{
	k->counted = survivors != STATUS_UNKNOWN;
	k->survivors = k->counted ? survivors : 0;
	k->unproved += !k->counted;
}

/* --- one pass ------------------------------------------------------------------------------ */

static void report(struct killer *m, const struct server *s, const struct kill_result *result,
		   int error)
{
	struct event e;

	bool unknown = error || server_at_unix(s);

	bus_event(&e, EVENT_KILL, s->config->name);
	e.killed = result->killed;
	e.survivors = unknown ? STATUS_UNKNOWN : result->survivors;
	e.busy = unknown ? STATUS_UNKNOWN : result->busy;
	if (unknown)
		snprintf(e.error, sizeof(e.error), "%s",
			 error ? strerror(-error) : STATUS_UNIX_UNCOUNTED);
	bus_report(m->part.d->bus, &e);
	if (error == -ECANCELED) /* it is not denied any more: nobody has to die */
		return;
	if (error)
		bus_alarm(m->part.d->bus, s->config->name,
			  "nobody could count which connections are left: %s", strerror(-error));
	else if (result->survivors)
		bus_alarm(m->part.d->bus, s->config->name, "%u connections could not be killed",
			  result->survivors);
}

static void finish(struct killer_server *k, const struct kill_result *result, int r)
{
	note(k, r || server_at_unix(k->server) ? STATUS_UNKNOWN : result->survivors);
	if (result->searched)
		k->held = result->held;
	if (r || result->killed || result->survivors)
		report(k->killer, k->server, result, r);
}

static void retry_later(struct killer *m)
{
	loop_timer_set(m->retry, clock_boot_ns() + RETRY_NS);
}

/* The child has ended: now it is known what both have come to. */
static void on_killed(void *owner, int r, const void *data)
{
	struct killer_server *k = owner;
	const struct kill_outcome *out = data;
	struct kill_result result = out ? out->kill : (struct kill_result){ 0 };

	k->job = NULL;
	result.killed += k->killed;
	k->killed = 0;
	if (out) {
		kill_outcome_note(k->killer->part.d->dp, k->server->id, out);
	} else {
		log_failure(r, SUB, "connections to \"%s\" may be left; they are looked for again",
			    k->server->config->name);
		k->retry = true;
		retry_later(k->killer);
	}
	finish(k, &result, r);
	k->wanted |= k->more;
	k->unrecorded |= k->more_unrecorded;
	k->more = k->more_unrecorded = false;
	bus_pass(k->killer->part.d->bus);
}

/* What is left is for a child. */
static int kill_rest(struct killer *m, struct killer_server *k, enum kill_scope scope)
{
	struct kill_order kill = { m->part.d->dp, k->server->id, scope };
	const struct work_order order = { .name = "switchgear-kill",
					  .fn = kill_order_run,
					  .data = &kill,
					  .data_len = sizeof(kill),
					  .size = sizeof(struct kill_outcome),
					  .run_ns = KILL_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_killed,
					  .owner = k };

	if (k->job) { /* it may have passed by */
		k->more = true;
		k->more_unrecorded |= scope != KILL_RECORDED;
		return 0;
	}
	return work_add(m->kills, &order, &k->job);
}

static void kill_now(struct killer *m, struct server *s, uint64_t until)
{
	struct killer_server *k = of(m, s);
	struct kill_result result = { 0 };
	enum kill_scope scope = KILL_RECORDED;
	bool left;
	int r;

	if (k->unrecorded && denied_now(m, s, clock_boot_ns()))
		scope = server_quarantined(s) ? KILL_QUARANTINED : KILL_DENIED;
	k->killer = m;
	k->server = s;
	k->wanted = false;
	k->unrecorded = false;
	if (server_only_unix(s)) {
		k->counted = false;
		return;
	}
	r = kill_soon(m->part.d->dp, s->id, scope, until, &result, &left);
	if (!r && left)
		r = kill_rest(m, k, scope);
	if (!r && left)
		k->killed += result.killed;
	else
		finish(k, &result, r);
}

/* --- connections older than the load ---------------------------------------------------------- */

/* Those to servers that are denied already are to end. */
static void end_denied(struct killer *m)
{
	uint64_t now = clock_boot_ns();

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		struct killer_server *k = of(m, s);

		if (!s->id || !(server_quarantined(s) || sg_breaker_denies(&s->breaker, now)))
			continue;
		k->wanted = true;
		k->unrecorded = true;
	}
}

static void on_adopted(void *owner, int r, const void *data)
{
	const size_t *n = data;
	struct killer *m = owner;

	m->adopting = NULL;
	kill_adopted(m->part.d->dp, !r && n && !m->adopt);
	if (r)
		log_warning(SUB, "connections that are open already may not be monitored: %s",
			    strerror(-r));
	if (!n) {
		m->adopt_retry = true;
		retry_later(m);
	} else if (*n) {
		log_info(SUB, "took over %zu open connections", *n);
	}
	end_denied(m);
	bus_pass(m->part.d->bus);
}

/* Takes them over, in a child: every namespace is walked through. Another configuration or
 * address meanwhile, and all of it comes again. At the start nobody else waits. */
static void adopt(struct killer *m)
{
	const struct kill_search what = { .dp = m->part.d->dp };
	const struct work_order order = { .name = "switchgear-open",
					  .fn = kill_adopt,
					  .data = &what,
					  .data_len = sizeof(what),
					  .size = sizeof(size_t),
					  .run_ns = ADOPT_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_adopted,
					  .owner = m };
	int r;

	if (m->adopting)
		return;
	m->adopt = false;
	if (!dataplane_adopts(m->part.d->dp)) {
		end_denied(m);
		return;
	}
	kill_adopted(m->part.d->dp, false);
	r = work_add(m->adoptions, &order, &m->adopting);
	if (r)
		on_adopted(m, r, NULL);
	else if (!m->adopted)
		work_wait(m->adoptions, clock_boot_ns() + AT_START_NS);
	m->adopted = true;
}

/* --- brought in during a quarantine ------------------------------------------------------------- */

static bool looks(const struct killer *m)
{
	struct servers *all = m->part.d->servers;
	bool any = false;

	if (dataplane_lets_pass(m->part.d->dp) || !dataplane_finds_held(m->part.d->dp))
		return false;
	for (const struct server *s = servers_first(all); s && !any; s = s->next)
		any = server_quarantined(s);
	return any;
}

static void on_looked(void *owner, int r, const void *data)
{
	const struct kill_seen *seen = data;
	struct killer *m = owner;

	m->looking = NULL;
	if (r && !m->look_failed)
		log_failure(r, SUB,
			    "cannot look for connections that were brought in; trying "
			    "again every few seconds");
	m->look_failed = r;
	for (const struct server *s = servers_first(m->part.d->servers); s && !r; s = s->next) {
		struct killer_server *k = of(m, s);
		bool news = s->id && seen->n[s->id] && seen->n[s->id] != k->held;

		k->wanted |= news;
		k->unrecorded |= news;
	}
	bus_pass(m->part.d->bus);
}

/* In a child: it takes half a microsecond for each descriptor of the host. */
static void on_look(void *data)
{
	struct killer *m = data;
	const struct kill_search what = { .dp = m->part.d->dp };
	const struct work_order order = { .name = "switchgear-look",
					  .fn = kill_look,
					  .data = &what,
					  .data_len = sizeof(what),
					  .size = sizeof(struct kill_seen),
					  .run_ns = KILL_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_looked,
					  .owner = m };
	int r = work_add(m->looks, &order, &m->looking);

	m->look_ns = 0;
	if (r)
		on_looked(m, r, NULL);
}

/* Whatever was brought in without anybody's seeing it: moved, handed over, connected then. */
static void look_next(struct killer *m)
{
	if (m->looking)
		return;
	if (!looks(m))
		m->look_ns = 0;
	else if (!m->look_ns)
		m->look_ns = clock_boot_ns() + LOOK_NS;
	loop_timer_set(m->look, m->look_ns ? m->look_ns : SG_FOREVER);
}

/* --- when ---------------------------------------------------------------------------------------- */

static void killer_signal(void *m, const struct signal *signal)
{
	struct killer *killer = m;
	struct killer_server *k = signal->server ? of(m, signal->server) : NULL;

	switch (signal->type) {
	case SIGNAL_APPLIED:
	case SIGNAL_ADDRS:
		killer->adopt = true;
		break;
	case SIGNAL_KILL: /* who has no record may connect again and again */
		if (!(signal->kernel.flags & SG_KILL_SEARCH))
			k->wanted = true;
		else if (!k->again_ns)
			k->again_ns = clock_boot_ns() + SEARCH_NS;
		break;
	case SIGNAL_QUARANTINED: /* was killed for already; connects in flight land a moment later */
		note(k, signal->quarantined.survivors);
		k->again_ns = clock_boot_ns() + AGAIN_NS;
		break;
	case SIGNAL_TRANSITION:
		if (signal->kernel.move.to != SG_OPEN && signal->kernel.move.to != SG_FORCED_OPEN)
			break;
		k->wanted = true;
		k->unrecorded = true;
		k->again_ns = clock_boot_ns() + AGAIN_NS;
		break;
	default:
		break;
	}
}

/* A connect that passed its hook before the verdict may send its SYN after it: so each
 * pass is repeated once. */
static void killer_turn(void *m, UNUSED uint64_t now)
{
	struct killer *killer = m;
	uint64_t until = clock_boot_ns() + SOON_NS;
	uint64_t next = SG_FOREVER;

	if (killer->adopt)
		adopt(killer);
	for (struct server *s = servers_first(killer->part.d->servers); s; s = s->next) {
		/* who gave an order is told how many it ended: they are left to it */
		if (of(m, s)->wanted && !s->n_orders)
			kill_now(killer, s, until);
		if (of(m, s)->again_ns && of(m, s)->again_ns < next)
			next = of(m, s)->again_ns;
	}
	loop_timer_set(killer->again, next);
	look_next(killer);
}

static void on_again(void *data)
{
	struct killer *killer = data;
	uint64_t now = clock_boot_ns();

	for (const struct server *s = servers_first(killer->part.d->servers); s; s = s->next) {
		struct killer_server *k = of(killer, s);

		if (!k->again_ns || k->again_ns > now)
			continue;
		k->wanted = true;
		k->unrecorded = true;
		k->again_ns = 0;
	}
	bus_pass(killer->part.d->bus);
}

static void on_retry(void *data)
{
	struct killer *killer = data;

	killer->adopt |= killer->adopt_retry;
	killer->adopt_retry = false;
	for (const struct server *s = servers_first(killer->part.d->servers); s; s = s->next) {
		struct killer_server *k = of(killer, s);

		k->wanted |= k->retry;
		k->unrecorded |= k->retry;
		k->retry = false;
	}
	bus_pass(killer->part.d->bus);
}

static int killer_start(void *m)
{
	struct killer *killer = m;
	struct daemon *d = killer->part.d;
	int r = loop_timer_new(d->loop, on_again, killer, &killer->again);

	if (!r)
		r = loop_timer_new(d->loop, on_retry, killer, &killer->retry);
	if (!r)
		r = loop_timer_new(d->loop, on_look, killer, &killer->look);
	if (!r)
		r = work_new(d, &killer->looks);
	if (!r)
		r = work_new(d, &killer->kills);
	return r ? r : work_new(d, &killer->adoptions);
}

static void killer_stop(void *m)
{
	struct killer *killer = m;

	for (const struct server *s = servers_first(killer->part.d->servers); s; s = s->next)
		of(m, s)->job = NULL; /* ends here; the servers go later */
	work_free(killer->looks);
	work_free(killer->kills);
	work_free(killer->adoptions);
}

/* Its id may be another server's next. */
static void killer_removed(void *m, struct server *s)
{
	struct killer_server *k = of(m, s);

	work_cancel(k->job);
	k->job = NULL;
}

/* --- what others ask for --------------------------------------------------------------------------- */

static int killer_degraded(void *m, struct status *to)
{
	struct killer *killer = m;
	struct servers *all = killer->part.d->servers;
	char text[512];
	int r = 0;

	for (const struct server *s = servers_first(all); s && !r; s = s->next) {
		uint64_t n = server_watched(s) ? kill_unrecorded(killer->part.d->dp, s->id) : 0;

		if (!n)
			continue;
		status_unrecorded(text, sizeof(text), s->config->name, n);
		r = status_degrade(to, text);
	}
	return r;
}

/* A gauge that is absent is unknown: 0 would promise that nobody survived. */
static bool survivors_of(const void *m, struct server *s, uint64_t *ret)
{
	*ret = of(m, s)->survivors;
	return of(m, s)->counted;
}

static bool unproved_of(const void *m, struct server *s, uint64_t *ret)
{
	*ret = of(m, s)->unproved;
	return true;
}

static void killer_metrics(void *m, struct metrics *to)
{
	const struct killer *killer = m;
	struct servers *all = killer->part.d->servers;

	servers_family(all, to, "switchgear_kill_survivors", METRICS_GAUGE,
		       "Connections that survived the latest kill; absent before the first one, "
		       "and while they could not be counted.",
		       survivors_of, m);
	servers_family(all, to, "switchgear_kills_unproved_total", METRICS_COUNTER,
		       "Kills after which it could not be counted who survived.", unproved_of, m);
}

const struct module killer_module = {
	.name = SUB,
	.size = sizeof(struct killer),
	.server_size = sizeof(struct killer_server),
	.start = killer_start,
	.stop = killer_stop,
	.server_removed = killer_removed,
	.on_signal = killer_signal,
	.turn = killer_turn,
	.degraded = killer_degraded,
	.write_metrics = killer_metrics,
};
