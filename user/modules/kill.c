/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When live connections are ended: at a quarantine, when a breaker opens, and when
 * the kernel asks for it. How: dataplane/kill.h.
 */
#include "dataplane/kill.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "modules/modules.h"
#include "verdict.h"

#define SUB "kill"
#define AGAIN_NS (60 * NS_PER_MS)

struct killer {
	struct part part;
	struct loop_timer *again;
	bool adopt; /* connections that are open already are to be taken over */
};

struct killer_server {
	bool wanted;
	bool again;   /* once more after connects in flight have landed */
	bool strays;  /* also those without a record */
	bool counted; /* survivors is a number that somebody counted */
	uint32_t survivors;
	uint64_t unproved; /* kills whose survivors nobody could count */
};

static struct killer_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

/* Must connections to the server end now? Records are asked one by one; strays have none, and
 * an order may have been taken back since the pass was wanted. */
static bool denied_now(const struct killer *m, struct server *s, uint64_t now)
{
	if (dataplane_observes(m->part.d->dp))
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

	bus_event(&e, EVENT_KILL, s->config->name);
	e.killed = result->killed;
	e.survivors = error ? STATUS_UNKNOWN : result->survivors;
	e.busy = error ? STATUS_UNKNOWN : result->busy;
	if (error)
		snprintf(e.error, sizeof(e.error), "%s", strerror(-error));
	bus_report(m->part.d->bus, &e);
	if (error)
		bus_alarm(m->part.d->bus, s->config->name,
			  "nobody could count which connections are left: %s", strerror(-error));
	else if (result->survivors)
		bus_alarm(m->part.d->bus, s->config->name, "%u connections could not be killed",
			  result->survivors);
}

static void kill_now(struct killer *m, struct server *s)
{
	struct killer_server *k = of(m, s);
	struct kill_result result = { 0 };
	enum kill_scope scope = KILL_RECORDED;
	int r;

	if (k->strays && denied_now(m, s, clock_boot_ns()))
		scope = server_quarantined(s) ? KILL_QUARANTINED : KILL_DENIED;
	k->wanted = false;
	k->strays = false;
	r = kill_server(m->part.d->dp, s->id, scope, &result);
	note(k, r ? STATUS_UNKNOWN : result.survivors);
	if (r || result.killed || result.survivors)
		report(m, s, &result, r);
}

/* --- connections older than the load ---------------------------------------------------------- */

/* Takes them over; those to servers that are denied already are to end. */
static void adopt(struct killer *m)
{
	struct servers *all = m->part.d->servers;
	uint64_t now = clock_boot_ns();
	size_t n;

	m->adopt = false;
	if (kill_adopt(m->part.d->dp, &n))
		log_warning(SUB, "connections that are open already may not be monitored");
	if (n)
		log_info(SUB, "took over %zu open connections", n);
	for (size_t i = 0; i < servers_n(all); i++) {
		struct server *s = servers_at(all, i);
		struct killer_server *k = of(m, s);

		if (!s->id || !(server_quarantined(s) || sg_breaker_denies(&s->breaker, now)))
			continue;
		k->wanted = true;
		k->strays = true;
	}
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
	case SIGNAL_KILL:
		k->wanted = true;
		break;
	case SIGNAL_QUARANTINED: /* was killed for already; connects in flight land a moment later */
		note(k, signal->kill.survivors);
		k->again = true;
		break;
	case SIGNAL_TRANSITION:
		if (signal->kernel.move.to != SG_OPEN && signal->kernel.move.to != SG_FORCED_OPEN)
			break;
		k->wanted = true;
		k->strays = true;
		k->again = true;
		break;
	default:
		break;
	}
}

/* A connect that passed its hook before the verdict may send its SYN after it: so each
 * pass is repeated once. */
static void killer_turn(void *m, uint64_t now)
{
	struct killer *killer = m;
	struct servers *all = killer->part.d->servers;
	bool again = false;

	if (killer->adopt)
		adopt(killer);
	for (size_t i = 0; i < servers_n(all); i++) {
		struct server *s = servers_at(all, i);

		if (of(m, s)->wanted)
			kill_now(killer, s);
		again |= of(m, s)->again;
	}
	if (again)
		loop_timer_set(killer->again, now + AGAIN_NS);
}

static void on_again(void *data)
{
	struct killer *killer = data;
	struct servers *all = killer->part.d->servers;

	for (size_t i = 0; i < servers_n(all); i++) {
		struct killer_server *k = of(killer, servers_at(all, i));

		k->wanted |= k->again;
		k->strays |= k->again;
		k->again = false;
	}
	bus_pass(killer->part.d->bus);
}

static int killer_start(void *m)
{
	struct killer *killer = m;

	return loop_timer_new(killer->part.d->loop, on_again, killer, &killer->again);
}

/* --- what others ask for --------------------------------------------------------------------------- */

static int killer_degraded(void *m, struct status *to)
{
	struct killer *killer = m;
	struct servers *all = killer->part.d->servers;
	char text[512];
	int r = 0;

	for (size_t i = 0; i < servers_n(all) && !r; i++) {
		const struct server *s = servers_at(all, i);
		uint64_t n = server_watched(s) ? kill_unrecorded(killer->part.d->dp, s->id) : 0;

		if (!n)
			continue;
		status_unrecorded(text, sizeof(text), s->config->name, n);
		r = status_degrade(to, text);
	}
	return r;
}

/* A gauge that is absent is unknown: 0 would promise that nobody survived. */
static void killer_metrics(void *m, struct metrics *to)
{
	const struct killer *killer = m;
	struct servers *all = killer->part.d->servers;

	metrics_family(to, "switchgear_kill_survivors", METRICS_GAUGE,
		       "Connections that survived the latest kill; absent before the first one, "
		       "and while they could not be counted.");
	for (size_t i = 0; i < servers_n(all); i++) {
		const struct server *s = servers_at(all, i);
		const struct metrics_label label = { "server", s->config->name };

		if (server_watched(s) && of(m, s)->counted)
			metrics_u64(to, &label, 1, of(m, s)->survivors);
	}
	metrics_family(to, "switchgear_kills_unproved_total", METRICS_COUNTER,
		       "Kills after which it could not be counted who survived.");
	for (size_t i = 0; i < servers_n(all); i++) {
		const struct server *s = servers_at(all, i);
		const struct metrics_label label = { "server", s->config->name };

		if (server_watched(s))
			metrics_u64(to, &label, 1, of(m, s)->unproved);
	}
}

const struct module killer_module = {
	.name = SUB,
	.size = sizeof(struct killer),
	.server_size = sizeof(struct killer_server),
	.start = killer_start,
	.on_signal = killer_signal,
	.turn = killer_turn,
	.degraded = killer_degraded,
	.write_metrics = killer_metrics,
};
