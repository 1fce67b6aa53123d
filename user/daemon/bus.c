/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/bus.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/servers.h"

#define SUB "bus"
#define ROUNDS_MAX 16 /* of turns that emit signals; what is left waits for the next pass */

struct bus {
	struct daemon *d;
	struct modules *modules;
	const struct subscription *table[SIGNAL_COUNT];
	struct signal *signals; /* from `first` on */
	size_t first;
	size_t signals_n;
	size_t signals_cap;
	struct event *events;
	size_t events_n;
	size_t events_cap;
	uint64_t lost_seen; /* of the kernel's ring */
	uint64_t dropped;   /* signals without memory */
	bool dirty;
	bool passing;
	bool failing; /* commits fail; said */
};

int bus_new(struct daemon *d, struct modules *modules, const struct subscription *table, size_t n,
	    struct bus **ret)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return -ENOMEM;
	bus->d = d;
	bus->modules = modules;
	for (size_t i = 0; i < n; i++)
		bus->table[table[i].type] = &table[i];
	*ret = bus;
	return 0;
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	free(bus->signals);
	free(bus->events);
	free(bus);
}

struct modules *bus_modules(const struct bus *bus)
{
	return bus->modules;
}

/* Room for one more of `size` bytes each. */
static bool reserve(void *list, size_t n, size_t *cap, size_t size)
{
	void **v = list;
	size_t want = *cap ? 2 * *cap : 64;
	void *more;

	if (n < *cap)
		return true;
	more = realloc(*v, want * size);
	if (!more)
		return false;
	*v = more;
	*cap = want;
	return true;
}

/* --- signals --------------------------------------------------------------------------- */

void bus_emit(struct bus *bus, const struct signal *signal)
{
	if (!reserve(&bus->signals, bus->signals_n, &bus->signals_cap, sizeof(*bus->signals))) {
		if (!bus->dropped++)
			log_error(SUB,
				  "no memory for a signal between modules; the kernel enforces "
				  "on, restart switchgeard when there is memory");
		return;
	}
	bus->signals[bus->signals_n++] = *signal;
}

void bus_forget(struct bus *bus, const struct server *s)
{
	for (size_t i = bus->first; i < bus->signals_n; i++)
		if (bus->signals[i].server == s)
			bus->signals[i].type = SIGNAL_COUNT;
}

static void deliver(struct bus *bus, const struct signal *signal)
{
	const struct subscription *row = signal->type < SIGNAL_COUNT ? bus->table[signal->type]
								     : NULL;

	if (signal->type == SIGNAL_TRANSITION)
		(void)!server_read(signal->server);
	for (size_t i = 0; row && i < SUBSCRIBERS_MAX && row->to[i]; i++)
		for (size_t k = 0; k < bus->modules->n; k++)
			if (bus->modules->v[k] == row->to[i])
				row->to[i]->on_signal(bus->modules->memory[k], signal);
}

static void deliver_all(struct bus *bus)
{
	while (bus->first < bus->signals_n) {
		struct signal signal = bus->signals[bus->first++]; /* the list may move */

		deliver(bus, &signal);
	}
	bus->first = 0;
	bus->signals_n = 0;
}

/* --- from the kernel --------------------------------------------------------------------- */

static void on_kernel(void *data, const struct sg_event *k)
{
	static const enum signal_type types[] = { [SG_EV_OUTCOME] = SIGNAL_OUTCOME,
						  [SG_EV_MOVE] = SIGNAL_TRANSITION,
						  [SG_EV_KILL] = SIGNAL_KILL };
	struct bus *bus = data;
	struct signal signal = { .server = servers_by_id(bus->d->servers, k->server),
				 .kernel = *k };

	if (!signal.server) /* the canary, or a server that is gone */
		return;
	if (k->type != SG_EV_OUTCOME && k->type != SG_EV_MOVE && k->type != SG_EV_KILL)
		return;
	signal.type = types[k->type];
	if (k->type == SG_EV_MOVE && !server_moved(signal.server, k->move.seq, false))
		return; /* made up for before */
	bus_emit(bus, &signal);
}

/*
 * Records were lost, and a transition may have been among them: the map is the
 * record. The latest transition of each server is made up for; one that this
 * overtook comes by the ring all the same and is dropped there.
 */
static void resync(struct bus *bus)
{
	for (size_t i = 0; i < servers_n(bus->d->servers); i++) {
		struct server *s = servers_at(bus->d->servers, i);
		struct signal signal = { .type = SIGNAL_TRANSITION, .server = s };

		if (!s->id || server_read(s) || !s->breaker.last.moved ||
		    !server_moved(s, s->breaker.last.seq, true))
			continue;
		signal.kernel = (struct sg_event){ .type = SG_EV_MOVE, .server = s->id };
		signal.kernel.move = s->breaker.last;
		bus_emit(bus, &signal);
	}
}

static void ring_read(struct bus *bus)
{
	uint64_t lost;
	struct event e;

	if (dataplane_ring_read(bus->d->dp, on_kernel, bus) < 0)
		log_error(SUB, "the event ring cannot be read");
	lost = dataplane_lost(bus->d->dp);
	if (lost <= bus->lost_seen)
		return;
	bus_event(&e, EVENT_LOSS, "");
	e.count = lost - bus->lost_seen;
	bus->lost_seen = lost;
	bus_report(bus, &e);
	resync(bus);
}

/* --- outwards ------------------------------------------------------------------------------ */

void bus_dirty(struct bus *bus)
{
	bus->dirty = true;
}

void bus_event(struct event *e, enum event_type type, const char *server)
{
	memset(e, 0, sizeof(*e));
	e->t_ns = clock_boot_ns();
	e->wall_ns = clock_wall_ns();
	e->type = type;
	e->failure_rate = NAN;
	e->slow_rate = NAN;
	e->until_wall_ns = STATUS_NEVER;
	snprintf(e->server, sizeof(e->server), "%s", server);
}

/* Without memory to keep it, it is committed and published by itself. */
static void publish_now(struct bus *bus, const struct event *e);

void bus_report(struct bus *bus, const struct event *e)
{
	if (reserve(&bus->events, bus->events_n, &bus->events_cap, sizeof(*bus->events)))
		bus->events[bus->events_n++] = *e;
	else
		publish_now(bus, e);
}

void bus_alarm(struct bus *bus, const char *server, const char *fmt, ...)
{
	struct event e;
	va_list ap;

	bus_event(&e, EVENT_ALARM, server);
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	bus_report(bus, &e);
}

static void commit(struct bus *bus)
{
	int r = 0;

	if (!bus->dirty)
		return;
	MODULES_TRY(r, bus->modules, commit);
	bus->dirty = r != 0; /* it is tried again at the next pass */
	if (r && !bus->failing)
		log_error(SUB, "what is reported from now on is not on disk: %s", strerror(-r));
	bus->failing = r != 0;
}

static void publish_now(struct bus *bus, const struct event *e)
{
	commit(bus);
	MODULES_EACH(bus->modules, publish, e, 1);
}

void bus_pass(struct bus *bus)
{
	if (bus->passing)
		return;
	bus->passing = true;
	ring_read(bus);
	for (int round = 0; round < ROUNDS_MAX && (!round || bus->signals_n); round++) {
		deliver_all(bus);
		MODULES_EACH(bus->modules, turn, clock_boot_ns());
	}
	servers_write(bus->d->servers);
	commit(bus);
	if (bus->events_n)
		MODULES_EACH(bus->modules, publish, bus->events, bus->events_n);
	bus->events_n = 0;
	bus->passing = false;
}
