/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A server of this host in quarantine is isolated itself (dataplane/isolate.h): in a child, after
 * the kill of what agents have open, and looked after while the quarantine holds, since a server
 * may be started anew in another cgroup. The kernel's maps are the truth (A1); what is
 * kept here is what the child said of it.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/work.h"
#include "dataplane/isolate.h"
#include "modules/modules.h"

#define SUB "isolate"
#define RUN_NS (10 * NS_PER_SEC)
#define ANSWER_NS (14 * NS_PER_SEC) /* before who asked gives up (http.h, H4) */
#define LEAST_NS (2 * NS_PER_SEC)   /* of it, whatever the kill took */
#define LOOK_NS (5 * NS_PER_SEC)
#define SELDOM_NS (60 * NS_PER_SEC) /* of a server that seems not to be on this host */

struct isolate {
	struct part part;
	struct work *work;
};

/* Who waits for an order to be carried out. */
struct asked {
	struct asked *next;
	struct quarantined_signal of;
};

struct isolate_server {
	struct isolate *m;
	struct server *s;
	struct work_job *job;
	struct asked *asked;
	bool known; /* last is of a child */
	struct isolate_result last;
	uint64_t look_ns;
	struct quarantined_signal order; /* the latest: who, why */
	char told[16];                   /* the state that was told last; "": none */
	char told_at[STATUS_CGROUP_LEN];
	bool told_frozen;
};

static struct isolate_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

/* --- what there is to tell ---------------------------------------------------------------------- */

static const char *const states[ISOLATE_STATE_COUNT] = {
	[ISOLATE_NONE] = "none",
	[ISOLATE_DONE] = "isolated",
	[ISOLATE_REFUSED] = "refused",
	[ISOLATE_FAILED] = "failed",
};

static void fill_kernel(struct dataplane *dp, const struct sg_isolation *iso,
			struct status_isolation *to)
{
	snprintf(to->state, sizeof(to->state), "%s", states[ISOLATE_DONE]);
	dataplane_cgroup_name(dp, iso->cgroup, to->cgroup, sizeof(to->cgroup));
	to->frozen = dataplane_isolation_frozen(dp, iso);
	to->forced = iso->flags & SG_ISOLATED_FORCED;
	to->dropped = iso->dropped;
	to->refused = iso->refused;
	snprintf(to->not_cut, sizeof(to->not_cut), "packet sockets; %s",
		 dataplane_isolates_unix(dp)
			 ? "Unix sockets of its own that others connect to, and those that were "
			   "connected before"
			 : "Unix sockets, since the kernel has no hook for them (Linux 6.7 has)");
}

/* False: nothing of it is on this host. */
static bool fill(const struct isolate_server *st, struct status_isolation *to)
{
	struct dataplane *dp = st->m->part.d->dp;
	struct sg_isolation iso;
	bool isolated = dataplane_isolation(dp, st->s->id, &iso);

	memset(to, 0, sizeof(*to));
	if (!isolated && (!st->known || st->last.state == ISOLATE_NONE))
		return false;
	snprintf(to->state, sizeof(to->state), "%s", states[st->last.state]);
	if (st->known) {
		snprintf(to->cgroup, sizeof(to->cgroup), "%s", st->last.cgroup);
		snprintf(to->why, sizeof(to->why), "%s", st->last.why);
		to->processes = st->last.processes;
		to->cut = st->last.cut;
		to->survivors = st->last.survivors;
		to->outside = st->last.outside;
	}
	if (isolated)
		fill_kernel(dp, &iso, to);
	return true;
}

static void reply(const struct isolate_server *st, const struct quarantined_signal *to)
{
	struct reply_kill kill = { .killed = to->killed,
				   .survivors = to->survivors,
				   .busy = to->busy,
				   .elapsed_ns = clock_boot_ns() - to->start_ns };
	struct buf out = BUF(8192);
	int r;

	if (!to->asker)
		return;
	snprintf(kill.server, sizeof(kill.server), "%s", st->s->config->name);
	memcpy(kill.error, to->error, sizeof(kill.error));
	kill.has_isolation = fill(st, &kill.isolation);
	r = reply_kill_encode(&kill, &out);
	reply_deferred(to->asker, 200, &out, r);
	buf_done(&out);
}

static void answer_all(struct isolate_server *st)
{
	struct asked *a;

	while ((a = st->asked)) {
		st->asked = a->next;
		reply(st, &a->of);
		free(a);
	}
}

static void report(struct isolate_server *st, const char *state, const struct status_isolation *is)
{
	struct event e;

	bus_event(&e, EVENT_ISOLATION, st->s->config->name);
	snprintf(e.error, sizeof(e.error), "%s", state);
	snprintf(e.cgroup, sizeof(e.cgroup), "%s", is->cgroup);
	snprintf(e.detail, sizeof(e.detail), "%s", is->why);
	e.killed = is->cut;
	e.survivors = is->survivors;
	e.frozen = is->frozen;
	e.forced = is->forced;
	if (st->order.by)
		snprintf(e.by, sizeof(e.by), "%s", st->order.by);
	if (st->order.reason)
		snprintf(e.text, sizeof(e.text), "%s", st->order.reason);
	bus_report(st->m->part.d->bus, &e);
}

/* Once for each change, and for each order. */
static void tell(struct isolate_server *st)
{
	struct status_isolation is;
	bool there = fill(st, &is);

	if (!there || (!st->asked && !strcmp(is.state, st->told) &&
		       !strcmp(is.cgroup, st->told_at) && is.frozen == st->told_frozen))
		return;
	snprintf(st->told, sizeof(st->told), "%s", is.state);
	snprintf(st->told_at, sizeof(st->told_at), "%s", is.cgroup);
	st->told_frozen = is.frozen;
	report(st, is.state, &is);
}

/* --- in a child ----------------------------------------------------------------------------------- */

static void on_done(void *owner, int r, const void *data)
{
	struct isolate_server *st = owner;
	struct isolate *m = st->m;
	uint64_t pause = LOOK_NS;

	st->job = NULL;
	st->known = true;
	if (data) {
		memcpy(&st->last, data, sizeof(st->last));
	} else {
		st->last = (struct isolate_result){ .state = ISOLATE_FAILED,
						    .survivors = STATUS_UNKNOWN };
		snprintf(st->last.why, sizeof(st->last.why),
			 "looking for its processes did not end well (%s); it is tried again",
			 work_explain(m->work, r));
	}
	if (st->last.state == ISOLATE_NONE && !st->s->config->local_unit &&
	    !st->s->config->local_cgroup && !st->s->config->local_container)
		pause = SELDOM_NS;
	st->look_ns = clock_boot_ns() + pause;
	tell(st);
	answer_all(st);
	bus_pass(m->part.d->bus);
}

static void copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

static void ask_fill(const struct server *s, struct hosted_ask *to)
{
	const struct config_server *c = s->config;

	copy(to->unit, sizeof(to->unit), c->local_unit);
	copy(to->cgroup, sizeof(to->cgroup), c->local_cgroup);
	copy(to->container, sizeof(to->container), c->local_container);
	to->port = c->port;
	if (c->local_listen) {
		to->n_addrs = !parse_addr_port(c->local_listen, &to->addrs[0], &to->port);
		return;
	}
	for (size_t i = 0; i < s->n_addrs && to->n_addrs < HOSTED_ADDRS_MAX; i++)
		to->addrs[to->n_addrs++] = s->addrs[i];
}

static void allow_fill(const struct config_isolation *from, struct isolate_order *to)
{
	for (size_t i = 0; i < from->n_allow && to->n_allow < ISOLATE_ALLOW_MAX; i++)
		to->allow[to->n_allow++] =
			(struct isolate_allowed){ .addr = from->allow[i].addr,
						  .len = (uint8_t)from->allow[i].prefix,
						  .port = from->allow[i].port };
}

/* again: only to look whether it is still so. */
static void begin(struct isolate_server *st, bool again, uint64_t by_ns)
{
	struct isolate *m = st->m;
	struct isolate_order what = { .dp = m->part.d->dp,
				      .server = st->s->id,
				      .again = again,
				      .freeze = !again && st->order.freeze,
				      .force = !again && st->order.force };
	const struct work_order order = { .name = "switchgear-iso",
					  .fn = isolate_order_run,
					  .data = &what,
					  .data_len = sizeof(what),
					  .size = sizeof(struct isolate_result),
					  .run_ns = RUN_NS,
					  .by_ns = by_ns,
					  .done = on_done,
					  .owner = st };
	int r;

	ask_fill(st->s, &what.ask);
	allow_fill(&servers_config(m->part.d->servers)->isolation, &what);
	allow_fill(&st->s->config->isolation, &what);
	work_cancel(TAKE_PTR(st->job)); /* this one does all that it would have done */
	st->look_ns = SG_FOREVER;
	r = work_add(m->work, &order, &st->job);
	if (r)
		on_done(st, r, NULL);
}

/* Is it isolated without being asked for? What is isolated already is looked after. */
static bool by_itself(const struct isolate_server *st)
{
	struct sg_isolation iso;

	return (!servers_config(st->m->part.d->servers)->isolation.asked &&
		!st->s->config->isolation.asked) ||
	       dataplane_isolation(st->m->part.d->dp, st->s->id, &iso);
}

/* --- when ------------------------------------------------------------------------------------------ */

static void ordered(struct isolate_server *st, const struct quarantined_signal *told)
{
	uint64_t least = clock_boot_ns() + LEAST_NS;
	uint64_t by = told->start_ns + ANSWER_NS;
	struct asked *a = told->asker ? malloc(sizeof(*a)) : NULL;

	st->order = *told;
	if (dataplane_lets_pass(st->m->part.d->dp) || (told->asker && !a) ||
	    (!told->freeze && !told->force && !by_itself(st))) {
		reply(st, told);
		free(a);
		return;
	}
	if (a) {
		*a = (struct asked){ .next = st->asked, .of = *told };
		st->asked = a;
	}
	begin(st, false, by > least ? by : least);
}

static void end(struct isolate_server *st)
{
	struct dataplane *dp = st->m->part.d->dp;
	struct status_isolation is = { 0 };
	struct sg_isolation iso;
	bool isolated;

	work_cancel(TAKE_PTR(st->job));
	isolated = dataplane_isolation(dp, st->s->id, &iso);
	if (isolated)
		dataplane_cgroup_name(dp, iso.cgroup, is.cgroup, sizeof(is.cgroup));
	if (dataplane_isolation_end(dp, st->s->id))
		bus_alarm(st->m->part.d->bus, st->s->config->name,
			  "its processes could not be released in whole; see the log");
	if (isolated)
		report(st, "released", &is);
	st->known = false;
	st->told[0] = '\0';
	st->order = (struct quarantined_signal){ 0 };
	answer_all(st);
}

/* All that are in quarantine when a daemon begins, and when a configuration changed. */
static void applied(struct isolate *m)
{
	struct sg_isolation iso;

	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		if (!server_watched(s))
			continue;
		if (server_quarantined(s) && !dataplane_lets_pass(m->part.d->dp) &&
		    by_itself(of(m, s)))
			begin(of(m, s), false, SG_FOREVER);
		else if (!server_quarantined(s) && dataplane_isolation(m->part.d->dp, s->id, &iso))
			end(of(m, s));
	}
}

static void look(struct isolate *m)
{
	uint64_t now = clock_boot_ns();

	if (dataplane_lets_pass(m->part.d->dp))
		return;
	for (struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (server_watched(s) && server_quarantined(s) && !of(m, s)->job &&
		    of(m, s)->look_ns <= now && by_itself(of(m, s)))
			begin(of(m, s), true, SG_FOREVER);
}

static void isolate_signal(void *m, const struct signal *signal)
{
	if (signal->type == SIGNAL_QUARANTINED)
		ordered(of(m, signal->server), &signal->quarantined);
	else if (signal->type == SIGNAL_RELEASED)
		end(of(m, signal->server));
	else if (signal->type == SIGNAL_APPLIED)
		applied(m);
	else if (signal->type == SIGNAL_TICK)
		look(m);
}

/* --- life -------------------------------------------------------------------------------------------- */

static int isolate_start(void *m)
{
	struct isolate *isolate = m;

	return work_new(isolate->part.d, &isolate->work);
}

static int isolate_added(void *m, struct server *s, UNUSED const struct server_start *start)
{
	struct isolate_server *st = of(m, s);

	st->m = m;
	st->s = s;
	return 0;
}

static void isolate_removed(void *m, struct server *s)
{
	struct isolate_server *st = of(m, s);

	if (!st->m)
		return;
	work_cancel(TAKE_PTR(st->job));
	answer_all(st);
}

static void isolate_forgotten(void *m, uint32_t id)
{
	const struct isolate *isolate = m;

	(void)!dataplane_isolation_end(isolate->part.d->dp, id);
}

/* What is isolated stays so. */
static void isolate_stop(void *m)
{
	struct isolate *isolate = m;
	struct asked *a;

	for (struct server *s = servers_first(isolate->part.d->servers); s; s = s->next) {
		of(m, s)->job = NULL; /* it ends with the others below */
		while ((a = of(m, s)->asked)) {
			of(m, s)->asked = a->next;
			reply_stopping(a->of.asker,
				       "the daemon stops before it is known whether the server's "
				       "processes are isolated; the quarantine holds",
				       "ask again when it runs");
			free(a);
		}
	}
	work_free(isolate->work);
}

static int isolate_fill(void *m, struct server *s, struct status_server *to)
{
	struct isolate_server *st = of(m, s);

	if (st->m && server_quarantined(s))
		to->has_isolation = fill(st, &to->isolation);
	return 0;
}

static bool isolated_of(const void *m, struct server *s, uint64_t *ret)
{
	const struct isolate *isolate = m;
	struct sg_isolation iso;

	*ret = dataplane_isolation(isolate->part.d->dp, s->id, &iso);
	return true;
}

static bool dropped_of(const void *m, struct server *s, uint64_t *ret)
{
	const struct isolate *isolate = m;
	struct sg_isolation iso;

	if (!dataplane_isolation(isolate->part.d->dp, s->id, &iso))
		return false;
	*ret = iso.dropped;
	return true;
}

static bool refused_of(const void *m, struct server *s, uint64_t *ret)
{
	const struct isolate *isolate = m;
	struct sg_isolation iso;

	if (!dataplane_isolation(isolate->part.d->dp, s->id, &iso))
		return false;
	*ret = iso.refused;
	return true;
}

static void isolate_metrics(void *m, struct metrics *to)
{
	struct servers *all = ((const struct isolate *)m)->part.d->servers;

	servers_family(all, to, "switchgear_isolated", METRICS_GAUGE,
		       "1 while the processes of the server are cut off.", isolated_of, m);
	servers_family(all, to, "switchgear_isolation_dropped_packets_total", METRICS_COUNTER,
		       "Packets to and from processes that are cut off, in this isolation.",
		       dropped_of, m);
	servers_family(all, to, "switchgear_isolation_refused_total", METRICS_COUNTER,
		       "Connects of processes that are cut off, in this isolation.", refused_of, m);
}

const struct module isolate_module = {
	.name = SUB,
	.size = sizeof(struct isolate),
	.server_size = sizeof(struct isolate_server),
	.start = isolate_start,
	.stop = isolate_stop,
	.server_added = isolate_added,
	.server_removed = isolate_removed,
	.id_forgotten = isolate_forgotten,
	.on_signal = isolate_signal,
	.fill_server = isolate_fill,
	.write_metrics = isolate_metrics,
};
