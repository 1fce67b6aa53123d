/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between the bus and the kernel: what the ring reports becomes signals, and what is
 * wanted of servers is written, once a pass.
 */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/servers.h"
#include "modules/modules.h"

#define SUB "kernel"
#define XDP_NS (3 * NS_PER_SEC) /* between looks at the interfaces */

struct kernel {
	struct part part;
	uint64_t lost_seen; /* records that found the ring full, as far as was told */
	struct loop_timer *interfaces;
};

static void transition(struct kernel *m, struct server *s, const struct sg_transition *mv,
		       __u32 source)
{
	struct signal signal = { .type = SIGNAL_TRANSITION, .server = s };

	signal.kernel = (struct sg_event){
		.type = SG_EV_TRANSITION, .server = s->id, .source = source, .move = *mv
	};
	(void)!server_read(s);
	bus_emit(m->part.d->bus, &signal);
}

/* What the others are to modules. */
static const enum signal_type signals[SG_EV_TYPE_COUNT] = {
	[SG_EV_OUTCOME] = SIGNAL_OUTCOME,
	[SG_EV_KILL] = SIGNAL_KILL,
	[SG_EV_DENIAL] = SIGNAL_DENIAL,
	[SG_EV_DOUBT] = SIGNAL_DOUBT,
};

static void on_event(void *data, const struct sg_event *k)
{
	struct kernel *m = data;
	struct server *s = servers_by_id(m->part.d->servers, k->server);
	struct signal signal = { .server = s, .kernel = *k };

	if (!s) /* the canary, or a server that is gone */
		return;
	if (k->type == SG_EV_TRANSITION) {
		if (server_moved(s, k->move.seq, false)) /* else it was made up for before */
			transition(m, s, &k->move, k->source);
	} else if (k->type && k->type < SG_EV_TYPE_COUNT) {
		signal.type = signals[k->type];
		bus_emit(m->part.d->bus, &signal);
	}
}

/*
 * Records were lost, and a transition may have been among them: the map is the
 * record. The latest transition of each server is made up for; one that this
 * overtook comes by the ring all the same and is dropped there.
 */
static void resync(struct kernel *m)
{
	struct servers *all = m->part.d->servers;

	for (struct server *s = servers_first(all); s; s = s->next) {
		const struct sg_transition *last = &s->breaker.last;

		if (s->id && !server_read(s) && last->moved && server_moved(s, last->seq, true))
			transition(m, s, last, SG_SOURCE_NONE);
	}
}

static void kernel_collect(void *m)
{
	struct kernel *kernel = m;
	struct daemon *d = kernel->part.d;
	uint64_t lost;
	struct event e;

	if (dataplane_ring_read(d->dp, on_event, kernel) < 0)
		log_error(SUB, "the event ring cannot be read");
	lost = dataplane_lost(d->dp);
	if (lost <= kernel->lost_seen)
		return;
	bus_event(&e, EVENT_LOSS, "");
	e.count = lost - kernel->lost_seen;
	kernel->lost_seen = lost;
	bus_report(d->bus, &e);
	resync(kernel);
}

static void kernel_write(void *m)
{
	struct kernel *kernel = m;

	servers_write(kernel->part.d->servers);
}

static void on_ring(void *data)
{
	struct kernel *kernel = data;

	bus_pass(kernel->part.d->bus);
}

/* Some are made later, or are gone for a while. */
static void on_interfaces(void *data)
{
	struct kernel *kernel = data;

	dataplane_xdp_retry(kernel->part.d->dp);
	loop_timer_set(kernel->interfaces, clock_boot_ns() + XDP_NS);
}

static int kernel_start(void *m)
{
	struct kernel *kernel = m;
	struct daemon *d = kernel->part.d;
	int r = loop_timer_new(d->loop, on_interfaces, kernel, &kernel->interfaces);

	if (r)
		return r;
	loop_timer_set(kernel->interfaces, clock_boot_ns() + XDP_NS);
	return loop_add_fd(d->loop, dataplane_ring_fd(d->dp), on_ring, kernel, NULL);
}

const struct module kernel_module = {
	.name = SUB,
	.size = sizeof(struct kernel),
	.start = kernel_start,
	.collect = kernel_collect,
	.write = kernel_write,
};
