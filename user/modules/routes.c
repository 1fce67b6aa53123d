/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is it the servers, or the way to them? The kernel holds failures back that several servers
 * behind one next hop share (headers/route.h); here it is told which server is behind which,
 * what rtnetlink says of them, and, where that says nothing, what connects of our own find.
 *
 * Invariants:
 *  H1  Fail-open: without rtnetlink, or with more routes than there are numbers, servers have
 *      no route, and each of their failures is their own.
 *  H2  What is held is opened only when, twice in a row, somebody else behind that hop answered
 *      and it did not.
 *  H3  A route keeps its number while something of it is held, across daemons too.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "dataplane/ways.h"
#include "io/knock.h"
#include "modules/modules.h"

#define SUB "routes"
#define SETTLE_NS (100 * NS_PER_MS) /* from a change to a look, so that one is for many */
#define SHARE 20U                   /* of all time, so little goes into looks */
#define LOOK_NS (500 * NS_PER_MS)   /* from one round of connects to the next */
#define ANSWER_NS NS_PER_SEC        /* for an answer */
#define KNOCKS_MAX 32U              /* at once, of one route */
#define ROUNDS 2U                   /* that must agree */
#define NAMES_TEXT 96               /* of servers in an event; where they do not fit, how many */
#define WAY_TEXT 72

struct knock {
	uint32_t server; /* id */
	uint64_t cookie;
	int fd; /* -1: it is over */
	bool answered;
};

/* One round of connects. */
struct look {
	uint64_t began_ns;
	size_t n;
	struct knock v[KNOCKS_MAX];
};

struct route {
	bool used;
	struct way way;
	enum way_sign sign;
	unsigned int found; /* addresses that it leads to */
	unsigned int lost;  /* that it led to, and nothing does now */
	bool held;
	bool told; /* that it is broken */
	enum way_sign told_sign;
	uint64_t told_ns;     /* first */
	struct look *look;    /* NULL: none */
	uint64_t next_ns;     /* of the next one */
	unsigned int silent;  /* rounds in a row without any answer */
	uint64_t answered_ns; /* the first of the rounds in a row with one began then; 0 */
};

struct routes {
	struct part part;
	int ask; /* -1: there is no rtnetlink */
	int watch;
	struct loop_timer *timer;
	int changed; /* WAYS_*, to be looked at when it fires */
	bool full;
	uint64_t rest_until_ns; /* no look before */
	uint64_t stirred_ns;    /* of the kernel, as last seen */
	struct route v[SG_ROUTES_MAX];
};

struct routes_server {
	uint16_t via[SG_SLOTS_MAX]; /* as the kernel has it */
	uint8_t nowhere;            /* the same: slots to which there is no way */
	unsigned int silent;        /* rounds in a row in which others answered, and it did not */
};

static struct routes_server *of(const void *m, const struct server *s)
{
	return module_server(m, s);
}

static bool is_via(const struct routes *m, const struct server *s, uint32_t index)
{
	const struct routes_server *r = of(m, s);
	bool is = false;

	for (size_t i = 0; i < SG_SLOTS_MAX && server_watched(s); i++)
		is |= r->via[i] == index;
	return is;
}

/* --- what is told ------------------------------------------------------------------------ */

/* How many there are, and who. */
static unsigned int servers_of(const struct routes *m, uint32_t index, char names[NAMES_TEXT])
{
	unsigned int n = 0;
	size_t at = 0;

	names[0] = '\0';
	for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
		if (!is_via(m, s, index))
			continue;
		if (at < NAMES_TEXT)
			at += (size_t)snprintf(names + at, NAMES_TEXT - at, "%s\"%s\"",
					       n ? ", " : "", s->config->name);
		n++;
	}
	if (at >= NAMES_TEXT || !n)
		snprintf(names, NAMES_TEXT, "%u servers", n);
	return n;
}

static void describe(const struct routes *m, uint32_t index, char *out, size_t size)
{
	const struct route *r = &m->v[index];
	char names[NAMES_TEXT];
	char way[WAY_TEXT];

	servers_of(m, index, names);
	way_text(way, sizeof(way), &r->way);
	if (way_sign_bad(r->sign))
		snprintf(out, size, "this host is offline towards %s behind %s: %s", names, way,
			 way_sign_text(r->sign));
	else
		snprintf(out, size,
			 "this host is offline, or all servers behind %s are down: nothing comes "
			 "back from %s",
			 way, names);
}

static void tell(struct routes *m, uint32_t index, bool broken)
{
	struct route *r = &m->v[index];
	char names[NAMES_TEXT];
	uint64_t now = clock_boot_ns();
	char way[WAY_TEXT];
	struct event e;

	if (broken == r->told && (!broken || r->sign == r->told_sign))
		return;
	bus_event(&e, EVENT_HOST_OFFLINE, "");
	e.ok = !broken;
	e.count = servers_of(m, index, names);
	way_text(way, sizeof(way), &r->way);
	memcpy(e.error, way, sizeof(way));
	if (broken) {
		r->told_ns = r->told ? r->told_ns : now;
		describe(m, index, e.text, sizeof(e.text));
		bus_alarm(m->part.d->bus, "", "%s; failures of calls there do not count meanwhile",
			  e.text);
	} else {
		snprintf(e.text, sizeof(e.text), "over after %.1f s: %s behind %s",
			 (double)(now - r->told_ns) / 1e9, names, way);
	}
	r->told = broken;
	r->told_sign = r->sign;
	bus_report(m->part.d->bus, &e);
}

static void retell(struct routes *m, uint32_t index)
{
	const struct route *r = &m->v[index];

	tell(m, index, way_sign_bad(r->sign) || (r->held && r->silent >= ROUNDS));
}

/* --- own connects -------------------------------------------------------------------------- */

static void knock_end(struct routes *m, struct knock *k)
{
	if (k->fd < 0)
		return;
	dataplane_own_remove(m->part.d->dp, k->cookie);
	closep(&k->fd);
	k->fd = -1;
}

static void look_end(struct routes *m, struct route *r)
{
	for (size_t i = 0; r->look && i < r->look->n; i++)
		knock_end(m, &r->look->v[i]);
	free(r->look);
	r->look = NULL;
}

/* The first address of a server that is behind this hop. */
static const struct addr *address_via(const struct routes *m, const struct server *s,
				      uint32_t index)
{
	for (size_t i = 0; i < s->n_addrs; i++) {
		uint32_t slot =
			dataplane_server_slot(m->part.d->dp, s->id, &s->addrs[i], s->config->port);

		if (slot < SG_SLOTS_MAX && of(m, s)->via[slot] == index)
			return &s->addrs[i];
	}
	return NULL;
}

static void knock_at(struct routes *m, struct look *look, const struct server *s,
		     const struct addr *to)
{
	struct knock *k = &look->v[look->n];
	CLEANUP(closep) int fd = -1;

	*k = (struct knock){ .server = s->id, .fd = -1 };
	if (knock_open(to, &fd) || dataplane_own_add(m->part.d->dp, fd, &k->cookie))
		return;
	if (!knock_send(fd, to, s->config->port))
		k->fd = TAKE_FD(fd);
	else
		dataplane_own_remove(m->part.d->dp, k->cookie);
	look->n++;
}

static bool held_server(const struct routes *m, const struct server *s, uint64_t since)
{
	struct dataplane_ways ways;

	return !dataplane_server_ways(m->part.d->dp, s->id, &ways) && ways.held_ns &&
	       ways.held_ns >= since;
}

static void look_begin(struct routes *m, uint32_t index, uint64_t since, uint64_t now)
{
	struct route *r = &m->v[index];

	r->look = calloc(1, sizeof(*r->look));
	if (!r->look)
		return;
	r->look->began_ns = now;
	for (int held = 1; held >= 0; held--) /* those first, there may be many others */
		for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next) {
			const struct addr *to = is_via(m, s, index) && !server_quarantined(s) &&
								held_server(m, s, since) == held
							? address_via(m, s, index)
							: NULL;

			if (to && r->look->n < KNOCKS_MAX)
				knock_at(m, r->look, s, to);
		}
}

/* Is the round over? */
static bool look_over(struct routes *m, struct look *look, uint64_t now)
{
	bool over = now >= look->began_ns + ANSWER_NS;
	bool waits = false;

	for (size_t i = 0; i < look->n; i++) {
		struct knock *k = &look->v[i];
		int r = k->fd < 0 ? -1 : knock_answered(k->fd);

		k->answered |= r == 1;
		if (r)
			knock_end(m, k);
		waits |= !r;
	}
	return over || !waits;
}

/* What a round tells; `since`: failures are held since then. */
static void conclude(struct routes *m, uint32_t index, uint64_t since)
{
	struct route *r = &m->v[index];
	bool answered = false;

	for (size_t i = 0; i < r->look->n; i++)
		answered |= r->look->v[i].answered;
	r->silent = answered ? 0 : r->silent + 1;
	if (!answered) {
		r->answered_ns = 0;
		return;
	}
	for (size_t i = 0; i < r->look->n; i++) {
		const struct knock *k = &r->look->v[i];
		struct server *s = servers_by_id(m->part.d->servers, k->server);

		if (s)
			of(m, s)->silent = k->answered || !r->answered_ns ? !k->answered
									  : of(m, s)->silent + 1;
	}
	if (!r->answered_ns) {
		r->answered_ns = r->look->began_ns;
		return;
	}
	for (size_t i = 0; i < r->look->n; i++) {
		struct server *s = servers_by_id(m->part.d->servers, r->look->v[i].server);

		/* it has not answered, while others did: held for nothing */
		if (s && of(m, s)->silent >= ROUNDS && held_server(m, s, since) && !server_read(s))
			server_trip(s, s->breaker.generation, SG_REASON_CONSECUTIVE);
	}
	log_info(SUB,
		 "the way to the servers behind route %u works; who of them is silent is judged "
		 "by itself",
		 index);
	(void)!dataplane_route_set(m->part.d->dp, index, way_sign_bad(r->sign), r->answered_ns);
	r->answered_ns = 0;
}

/* Failures are held, and nothing tells why: asks around. */
static void look(struct routes *m, uint32_t index, uint64_t since, uint64_t now)
{
	struct route *r = &m->v[index];

	if (!r->look && now >= r->next_ns) {
		r->next_ns = now + LOOK_NS;
		look_begin(m, index, since, now);
	}
	if (!r->look || !look_over(m, r->look, now))
		return;
	conclude(m, index, since);
	look_end(m, r);
}

/* What the kernel holds. True: something is. */
static bool look_around(struct routes *m, uint64_t now)
{
	bool any = false;

	for (uint32_t i = 1; i < SG_ROUTES_MAX; i++) {
		struct route *r = &m->v[i];
		struct sg_route_entry entry;

		if (!r->used || dataplane_route_get(m->part.d->dp, i, &entry))
			continue;
		r->held = entry.route.held_ns;
		if (r->held && !way_sign_bad(r->sign)) {
			look(m, i, entry.route.held_ns, now);
		} else {
			look_end(m, r);
			r->silent = 0;
			r->answered_ns = 0;
		}
		retell(m, i);
		any |= r->held;
	}
	return any;
}

static void on_tick(struct routes *m)
{
	uint64_t stirred = dataplane_route_stirred(m->part.d->dp);
	uint64_t now = clock_boot_ns();

	if (dataplane_woke(m->part.d->dp, now))
		log_notice(SUB, "this host slept; calls of before do not count");
	if (stirred == m->stirred_ns)
		return;
	if (!look_around(m, now))
		m->stirred_ns = stirred;
}

/* --- which server is behind which ------------------------------------------------------------- */

static uint32_t free_one(struct routes *m)
{
	for (uint32_t i = 1; i < SG_ROUTES_MAX; i++)
		if (!m->v[i].used)
			return i;
	return SG_ROUTE_NONE;
}

/* The number of a way, given now if it has none. */
static uint32_t number(struct routes *m, const struct way *way)
{
	uint32_t i;

	for (i = 1; i < SG_ROUTES_MAX; i++)
		if (m->v[i].used && !memcmp(&m->v[i].way.hop, &way->hop, sizeof(way->hop)) &&
		    m->v[i].way.ifindex == way->ifindex)
			return i;
	i = free_one(m);
	if (i && dataplane_route_name(m->part.d->dp, i, &way->hop, way->ifindex))
		return SG_ROUTE_NONE;
	if (i)
		m->v[i] = (struct route){ .used = true, .way = *way, .sign = WAY_FINE };
	else if (!m->full)
		log_warning(SUB,
			    "there are more than %u next hops; what servers behind further ones "
			    "fail together counts as their own",
			    SG_ROUTES_MAX - 1);
	m->full |= !i;
	return i;
}

/* What the addresses of a server come to. */
struct assignment {
	uint16_t via[SG_SLOTS_MAX];
	uint8_t nowhere;
	uint8_t somewhere; /* of several that share a slot one is enough */
};

static void assign_address(struct routes *m, const struct server *s, const struct addr *a,
			   struct assignment *to)
{
	uint32_t slot = dataplane_server_slot(m->part.d->dp, s->id, a, s->config->port);
	uint32_t was = slot < SG_SLOTS_MAX ? of(m, s)->via[slot] : SG_ROUTE_NONE;
	struct way way;
	int r;

	if (slot >= SG_SLOTS_MAX)
		return;
	r = ways_ask(m->ask, a, &way);
	if (!r) {
		to->via[slot] = (uint16_t)number(m, &way);
		m->v[to->via[slot]].found++;
	} else if (r < 0) { /* it may come again */
		to->via[slot] = (uint16_t)was;
		m->v[was].lost++;
		to->nowhere |= (uint8_t)(1U << slot);
	}
	if (r >= 0)
		to->somewhere |= (uint8_t)(1U << slot);
}

static void assign_server(struct routes *m, const struct server *s)
{
	struct routes_server *now = of(m, s);
	struct assignment to = { 0 };

	for (size_t i = 0; i < s->n_addrs; i++)
		assign_address(m, s, &s->addrs[i], &to);
	to.nowhere &= (uint8_t)~to.somewhere;
	for (uint32_t slot = 0; slot < SG_SLOTS_MAX; slot++) {
		uint8_t bit = (uint8_t)(1U << slot);

		if (to.via[slot] == now->via[slot] && !((to.nowhere ^ now->nowhere) & bit))
			continue;
		if (dataplane_server_via(m->part.d->dp, s->id, slot, to.via[slot],
					 to.nowhere & bit))
			continue;
		now->via[slot] = to.via[slot];
		now->nowhere = (uint8_t)((now->nowhere & ~bit) | (to.nowhere & bit));
	}
}

/* Numbers that nobody has any more are free. */
static void release(struct routes *m, uint32_t index)
{
	static const struct addr none;
	struct route *r = &m->v[index];

	r->sign = WAY_FINE;
	tell(m, index, false);
	look_end(m, r);
	if (!dataplane_route_name(m->part.d->dp, index, &none, 0))
		*r = (struct route){ 0 };
}

static void assign(struct routes *m)
{
	for (uint32_t i = 0; i < SG_ROUTES_MAX; i++)
		m->v[i].found = m->v[i].lost = 0;
	for (const struct server *s = servers_first(m->part.d->servers); s; s = s->next)
		if (server_watched(s))
			assign_server(m, s);
	for (uint32_t i = 1; i < SG_ROUTES_MAX; i++)
		if (m->v[i].used && !m->v[i].found && !m->v[i].lost)
			release(m, i);
}

static void signs(struct routes *m, uint64_t now)
{
	for (uint32_t i = 1; i < SG_ROUTES_MAX; i++) {
		struct route *r = &m->v[i];
		enum way_sign sign;
		bool bad;

		if (!r->used)
			continue;
		sign = r->lost && !r->found ? WAY_GONE : ways_sign(m->ask, &r->way);
		if (sign == WAY_UNKNOWN) /* a next hop that is asked for again is not there yet */
			sign = r->sign == WAY_NO_HOP ? r->sign : WAY_FINE;
		bad = way_sign_bad(sign);
		if (bad != way_sign_bad(r->sign))
			(void)!dataplane_route_set(m->part.d->dp, i, bad, bad ? 0 : now);
		r->sign = sign;
		retell(m, i);
	}
}

static void on_timer(void *data)
{
	struct routes *m = data;
	uint64_t now = clock_boot_ns();

	if (m->changed & WAYS_ROUTES)
		assign(m);
	signs(m, now);
	m->changed = 0;
	m->rest_until_ns = now + (clock_boot_ns() - now) * SHARE;
	bus_pass(m->part.d->bus);
}

/* To be looked at soon, whatever else changes until then. */
static void changed(struct routes *m, int what, uint64_t wait_ns)
{
	uint64_t at = clock_boot_ns() + wait_ns;

	if (m->ask < 0 || !what)
		return;
	if (!m->changed)
		loop_timer_set(m->timer, at > m->rest_until_ns ? at : m->rest_until_ns);
	m->changed |= what;
}

static void on_change(void *data)
{
	struct routes *m = data;
	int what = ways_changed(m->watch);

	changed(m, what > 0 ? what : 0, SETTLE_NS);
}

/* --- life ---------------------------------------------------------------------------------------- */

/* Numbers that a daemon before this one gave (H3). */
static void take_over(struct routes *m)
{
	for (uint32_t i = 1; i < SG_ROUTES_MAX; i++) {
		struct sg_route_entry entry;

		if (dataplane_route_get(m->part.d->dp, i, &entry) || !entry.ifindex)
			continue;
		m->v[i] = (struct route){ .used = true, .sign = WAY_FINE };
		m->v[i].way.ifindex = entry.ifindex;
		memcpy(m->v[i].way.hop.bytes, entry.hop, sizeof(entry.hop));
		if (entry.route.flags & SG_ROUTE_OFFLINE) /* its word is out of date */
			(void)!dataplane_route_set(m->part.d->dp, i, false, 0);
	}
}

static int routes_start(void *data)
{
	struct routes *m = data;
	int r;

	m->ask = m->watch = -1;
	take_over(m);
	r = loop_timer_new(m->part.d->loop, on_timer, m, &m->timer);
	if (r)
		return r;
	r = ways_watch(&m->watch);
	if (!r)
		r = loop_add_fd(m->part.d->loop, m->watch, on_change, m, NULL);
	if (!r)
		r = ways_open(&m->ask);
	if (r)
		log_warning(SUB,
			    "the kernel's routes cannot be followed (%s): servers that are lost "
			    "with the way to them are taken for broken",
			    strerror(-r));
	return 0;
}

static void routes_stop(void *data)
{
	struct routes *m = data;

	for (uint32_t i = 1; i < SG_ROUTES_MAX; i++)
		look_end(m, &m->v[i]);
	closep(&m->ask);
	closep(&m->watch);
}

static int routes_ready(void *m, struct server *s, UNUSED const struct server_start *start)
{
	const struct routes *routes = m;
	struct dataplane_ways ways;
	int r = dataplane_server_ways(routes->part.d->dp, s->id, &ways);

	if (r)
		return r;
	memcpy(of(m, s)->via, ways.route, sizeof(ways.route));
	of(m, s)->nowhere = ways.nowhere;
	return 0;
}

static void routes_signal(void *m, const struct signal *signal)
{
	if (signal->type == SIGNAL_TICK)
		on_tick(m);
	else /* APPLIED, ADDRS: before anybody is judged by what was */
		changed(m, WAYS_ROUTES | WAYS_SIGNS, 0);
}

/* --- what others ask for ---------------------------------------------------------------------------- */

static int routes_degraded(void *m, struct status *to)
{
	const struct routes *routes = m;
	char text[STATUS_REASON_LEN];
	int r = 0;

	if (routes->ask < 0)
		r = status_degrade(to, "the kernel's routes cannot be followed: servers that are "
				       "lost with the way to them are taken for broken");
	for (uint32_t i = 1; i < SG_ROUTES_MAX && !r; i++) {
		if (!routes->v[i].told)
			continue;
		describe(routes, i, text, sizeof(text));
		r = status_degrade(to, text);
	}
	return r;
}

static void routes_metrics(void *m, struct metrics *to)
{
	const struct routes *routes = m;
	unsigned int broken = 0;
	unsigned int used = 0;
	unsigned int held = 0;

	for (uint32_t i = 1; i < SG_ROUTES_MAX; i++) {
		used += routes->v[i].used;
		held += routes->v[i].held;
		broken += routes->v[i].told;
	}
	metrics_family(to, "switchgear_routes", METRICS_GAUGE,
		       "Next hops behind which there are servers.");
	metrics_u64(to, NULL, 0, used);
	metrics_family(to, "switchgear_routes_held", METRICS_GAUGE,
		       "Of these, those for whose sake failures of servers open no breaker.");
	metrics_u64(to, NULL, 0, held);
	metrics_family(to, "switchgear_host_offline", METRICS_GAUGE,
		       "Of these, those that are of no use, or behind which nobody answers.");
	metrics_u64(to, NULL, 0, broken);
}

const struct module routes_module = {
	.name = SUB,
	.size = sizeof(struct routes),
	.server_size = sizeof(struct routes_server),
	.start = routes_start,
	.stop = routes_stop,
	.server_ready = routes_ready,
	.on_signal = routes_signal,
	.degraded = routes_degraded,
	.write_metrics = routes_metrics,
};
