/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who hears of what, and when it is told outside. A pass has four phases:
 *
 *   react    what the kernel reports is collected; each signal goes to the modules that
 *            the table names for it, in that order, until there is none; then every turn()
 *   write    what the servers' `wanted` came to is written into the kernel, once each
 *   commit   the state goes to disk if it has changed
 *   publish  events are logged, kept and sent to whoever follows
 *
 * so that nothing is reported before it is on disk (A2). If the disk fails, events go
 * out all the same: a breaker that nobody hears of is worse; that they are not durable is
 * logged once, and stands in `degraded` until a commit succeeds.
 */
#ifndef SWITCHGEAR_DAEMON_BUS_H
#define SWITCHGEAR_DAEMON_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/log.h"
#include "core/event.h"
#include "core/trust.h"
#include "daemon/module.h"

struct finding;
struct findings;
struct http_deferred;
struct reply_report;

/* A fact that modules react to. */
enum signal_type {
	SIGNAL_TICK,        /* ten times a second */
	SIGNAL_OUTCOME,     /* of a call: kernel */
	SIGNAL_TRANSITION,  /* of a breaker, s->breaker is as it was left: kernel */
	SIGNAL_DENIAL,      /* one of those that were denied: kernel */
	SIGNAL_KILL,        /* the kernel asks for the kill of what it stopped */
	SIGNAL_SUPPRESSED,  /* it would have opened; a limit across servers forbade it */
	SIGNAL_QUARANTINED, /* s->quarantine_ns says until when: survivors */
	SIGNAL_RELEASED,
	SIGNAL_HELD,     /* by a state that could be read only now, it is in quarantine: held */
	SIGNAL_RESET,    /* by an order, and there was nothing to close */
	SIGNAL_ADDRS,    /* the server has other addresses */
	SIGNAL_APPLIED,  /* a configuration is in force */
	SIGNAL_FINDINGS, /* a report was read */
	SIGNAL_RATED,    /* what raters say of it was weighed: ratings */
	SIGNAL_TOOLS,    /* a list of tools is known, or approved of */
	SIGNAL_PROVEN,   /* its proof is another one: it answers own probes, or not any more */
	SIGNAL_RULED,    /* rules of trust put it in quarantine, or end what they did */
	SIGNAL_COUNT
};

/* A report and what becomes of it: of who emits it, and done when the pass is over. */
struct findings_signal {
	struct findings *all; /* may be taken over, in parts */
	struct reply_report *reply;
	const char
		*whole; /* a source that tells all that it knows: what is not in it is gone; NULL */
	int r;
};

/* The list of tools of a server: of who emits it, and done when the pass is over. */
struct tools_signal {
	char digest[65];      /* in hexadecimal digits */
	struct finding *pull; /* it changed under the same version; may be taken over. NULL: no */
	bool approved;        /* an operator approves of it */
};

/* An order that is carried out as to agents. */
struct quarantined_signal {
	uint32_t killed;
	uint32_t survivors; /* of its kill; STATUS_UNKNOWN: nobody could count */
	uint32_t busy;      /* the same */
	bool freeze;        /* as it was ordered */
	bool force;
	uint64_t start_ns;  /* when that was */
	const char *reason; /* live as long as the server */
	const char *by;
	struct http_deferred *asker; /* is to be answered, by who hears it last; NULL: nobody asked */
	char error[STATUS_ERROR_LEN];
};

struct signal {
	enum signal_type type;
	struct server *server; /* NULL: none */
	union {
		struct sg_event kernel;          /* OUTCOME, TRANSITION, KILL, DENIAL */
		const struct state_server *held; /* HELD: quarantine_ns is its end, boot time */
		bool by_operator; /* RELEASED: an operator did it, no time and no rule */
		struct findings_signal *findings; /* FINDINGS */
		struct trust_ratings ratings;     /* RATED */
		struct tools_signal *tools;       /* TOOLS */
		const char *reason; /* RULED: why, lives as long as the server; NULL: it ends */
		struct quarantined_signal quarantined; /* QUARANTINED */
	};
};

#define SUBSCRIBERS_MAX 12

/* Who hears a signal, in this order; a table has one row for each type. */
struct subscription {
	enum signal_type type;
	const struct module *to[SUBSCRIBERS_MAX]; /* ends with NULL */
};

struct bus;

/* The table and the modules outlive the bus. */
int bus_new(struct modules *modules, const struct subscription *table, size_t n,
	    struct bus **ret) MUST_CHECK;
void bus_free(struct bus *bus); /* NULL-safe */
struct modules *bus_modules(const struct bus *bus);

/* For this pass, or the next one; without memory for it the loss is logged and counted. */
void bus_emit(struct bus *bus, const struct signal *signal);
/* Signals of a server that goes away are forgotten. */
void bus_forget(struct bus *bus, const struct server *s);
/* What is to be on disk has changed. */
void bus_dirty(struct bus *bus);
/* To be published at the end of a pass. */
void bus_report(struct bus *bus, const struct event *e);
/* An ALARM for operators; server "" for the whole host. */
void bus_alarm(struct bus *bus, const char *server, const char *fmt, ...) PRINTF_LIKE(3, 4);
/*
 * Events other than calls have serials, by which whoever follows says what he has. They grow
 * from one to the next by 1, and from one daemon to the next: a daemon begins with the time of day
 * in microseconds, rounded up to EVENT_RUN, and above what is on disk (bus_serial_above). So
 * a serial that is no multiple of EVENT_RUN and has none right before it tells that some are missing.
 */
#define EVENT_RUN (1ULL << 20)
/* No event gets a serial up to this any more. */
void bus_serial_above(struct bus *bus, uint64_t serial);
/* Of the newest event that was published; before there is any one less than the first will have. */
uint64_t bus_serial(const struct bus *bus);
/* Zeroes, and what every event has: its times, its type and its server's name. */
void bus_event(struct event *e, enum event_type type, const char *server);

/*
 * One pass. May be called from an API handler, so that an order's own transition is
 * known and durable before it is answered; not from hooks, where it does nothing.
 */
void bus_pass(struct bus *bus);

#endif
