/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/bus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SUB "bus"
#define ROUNDS_MAX 16 /* of turns that emit signals; what is left waits for the next pass */

struct bus {
	struct modules *modules;
	const struct subscription *table[SIGNAL_COUNT];
	struct signal *signals; /* from `first` on */
	size_t first;
	size_t n_signals;
	size_t signals_cap;
	struct event *events;
	size_t n_events;
	size_t events_cap;
	uint64_t dropped; /* signals without memory */
	uint64_t serial;  /* of the event that was published last */
	bool dirty;
	bool passing;
	bool failing; /* commits fail; said */
};

int bus_new(struct modules *modules, const struct subscription *table, size_t n, struct bus **ret)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	if (!bus)
		return -ENOMEM;
	bus->modules = modules;
	bus_serial_above(bus, clock_wall_ns() / 1000);
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
	if (!reserve(&bus->signals, bus->n_signals, &bus->signals_cap, sizeof(*bus->signals))) {
		if (!bus->dropped++)
			log_error(SUB,
				  "no memory for a signal between modules; the kernel enforces "
				  "on, restart switchgeard when there is memory");
		return;
	}
	bus->signals[bus->n_signals++] = *signal;
}

void bus_forget(struct bus *bus, const struct server *s)
{
	for (size_t i = bus->first; i < bus->n_signals; i++)
		if (bus->signals[i].server == s)
			bus->signals[i].type = SIGNAL_COUNT;
}

static void deliver(struct bus *bus, const struct signal *signal)
{
	const struct subscription *row = signal->type < SIGNAL_COUNT ? bus->table[signal->type]
								     : NULL;

	for (size_t i = 0; row && i < SUBSCRIBERS_MAX && row->to[i]; i++)
		for (size_t k = 0; k < bus->modules->n; k++)
			if (bus->modules->v[k] == row->to[i])
				row->to[i]->on_signal(bus->modules->memory[k], signal);
}

static void deliver_all(struct bus *bus)
{
	while (bus->first < bus->n_signals) {
		struct signal signal = bus->signals[bus->first++]; /* the list may move */

		deliver(bus, &signal);
	}
	bus->first = 0;
	bus->n_signals = 0;
}

/* --- outwards ------------------------------------------------------------------------------ */

void bus_dirty(struct bus *bus)
{
	bus->dirty = true;
}

void bus_event(struct event *e, enum event_type type, const char *server)
{
	event_init(e, type);
	e->t_ns = clock_boot_ns();
	e->wall_ns = clock_wall_ns();
	snprintf(e->server, sizeof(e->server), "%s", server);
}

/* Without memory to keep it, it is committed and published by itself. */
static void publish_now(struct bus *bus, const struct event *e);

void bus_report(struct bus *bus, const struct event *e)
{
	if (reserve(&bus->events, bus->n_events, &bus->events_cap, sizeof(*bus->events)))
		bus->events[bus->n_events++] = *e;
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

void bus_serial_above(struct bus *bus, uint64_t serial)
{
	if (serial > bus->serial || !bus->serial)
		bus->serial = (serial / EVENT_RUN + 1) * EVENT_RUN - 1;
}

uint64_t bus_serial(const struct bus *bus)
{
	return bus->serial;
}

static void publish(struct bus *bus, struct event *events, size_t n)
{
	for (size_t i = 0; i < n; i++)
		events[i].serial = events[i].type == EVENT_CALL ? 0 : ++bus->serial;
	MODULES_EACH(bus->modules, publish, events, n);
}

static void publish_now(struct bus *bus, const struct event *e)
{
	struct event own = *e;

	commit(bus);
	publish(bus, &own, 1);
}

void bus_pass(struct bus *bus)
{
	if (bus->passing)
		return;
	bus->passing = true;
	MODULES_EACH(bus->modules, collect);
	for (int round = 0; round < ROUNDS_MAX && (!round || bus->n_signals); round++) {
		deliver_all(bus);
		MODULES_EACH(bus->modules, turn, clock_boot_ns());
	}
	MODULES_EACH(bus->modules, write);
	commit(bus);
	if (bus->n_events)
		publish(bus, bus->events, bus->n_events);
	bus->n_events = 0;
	bus->passing = false;
}
