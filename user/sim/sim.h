/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A whole host in memory: breakers of servers and of (server, tool), fed with
 * events in the order of time and with nothing else. No clock is read, nothing
 * is written, no daemon is needed; equal events, policy and seed give equal
 * output. The transition is headers/breaker.h, windows and backoff are
 * core/engine, exactly as in the kernel and in the daemon.
 *
 * A server's breaker decides about all its calls. One more for each (server,
 * tool) counts only that tool's calls, runs through the same states and is
 * reported, but refuses nothing: it learns from the calls that the server's
 * breaker let through, none of them while the server is disabled. Orders are for
 * servers; a reset resets its tools too.
 *
 * Trust is beside the breakers and changes none of them: it learns from the calls of which the
 * server's breaker learns, from those of a disabled server and of an older generation too,
 * and from findings.
 *
 * What is due by time comes before the next event of an equal or later time,
 * over all breakers in the order of time; at one time first the breaker that
 * was seen first, and of one breaker a probe's lease before its own deadline.
 * Nothing comes due after the last event.
 *
 * Costs: O(1) per event, O(log n) more where the time of something due changes;
 * memory grows with servers, tools and calls in flight up to the limits below.
 */
#ifndef SWITCHGEAR_SIM_SIM_H
#define SWITCHGEAR_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"
#include "core/policy.h"
#include "core/trust.h"
#include "sim/table.h"

#define SIM_NAME_MAX 255U                   /* bytes of a server's, tool's or call's name */
#define SIM_TIME_MAX 4000000000000000000ULL /* ns; t, latency, retry_after, for */
#define SIM_BREAKERS_MAX 1000000            /* servers and tools together */
#define SIM_CALLS_MAX 1000000               /* started and not yet ended */
#define SIM_MEMORY_MAX_MIB 2048             /* of all breakers; windows weigh most */

enum sim_op {
	SIM_CALL,
	SIM_START,
	SIM_END,
	SIM_ADMIT,
	SIM_CANCEL,
	SIM_FORCE,
	SIM_STATE,
	SIM_FINDING,
	SIM_TRUST,
	SIM_OP_COUNT
};

struct sim_event {
	uint64_t t_ns; /* at most SIM_TIME_MAX */
	uint64_t line; /* places calls without id in the ramp */
	enum sim_op op;
	struct sim_text server;
	struct sim_text tool;
	struct sim_text id;
	enum sg_class outcome;   /* CALL, END */
	bool complete;           /* CALL, END: an answer came, whatever it said */
	uint64_t latency_ns;     /* SG_FOREVER: not known, never slow */
	uint64_t retry_after_ns; /* 0: none */
	enum sg_state to;        /* FORCE; SG_CLOSED means reset */
	uint64_t for_ns;         /* FORCE; SG_FOREVER: no end */
	bool clean;              /* FINDING: a scan that found nothing */
	enum trust_severity severity;
	double confidence; /* FINDING: 0 to 1 */
};

enum sim_fault {
	SIM_FAULT_NONE,
	SIM_FAULT_TIME,       /* t is before the last event's */
	SIM_FAULT_ID_LIVE,    /* START of a call that is running */
	SIM_FAULT_ID_UNKNOWN, /* END or CANCEL of none that is */
	SIM_FAULT_BREAKERS,   /* SIM_BREAKERS_MAX */
	SIM_FAULT_CALLS,      /* SIM_CALLS_MAX */
	SIM_FAULT_SIZE,       /* SIM_MEMORY_MAX_MIB */
	SIM_FAULT_MEMORY,     /* the host has no more */
};

enum sim_report_type {
	SIM_ADMISSION,  /* of CALL, START and ADMIT */
	SIM_TRANSITION, /* of a server's or a tool's breaker */
	SIM_SHOWN_STATE,
	SIM_SHOWN_TRUST,
};

/* One line of output. Texts live until the callback returns. */
struct sim_report {
	enum sim_report_type type;
	uint64_t t_ns;
	struct sim_text server;
	struct sim_text tool; /* not for ADMISSION */
	enum sim_op op;       /* ADMISSION */
	bool admitted;
	bool would_deny;     /* admitted, but only because of the shadow */
	enum sg_state state; /* ADMISSION: when it was asked; SHOWN_STATE */
	const struct sg_transition *move;
	double failure_rate; /* TRANSITION, SHOWN_STATE; NAN: not defined */
	double slow_rate;
	uint32_t calls;
	uint32_t failed_calls; /* SHOWN_STATE from here */
	uint32_t slow_calls;
	uint64_t not_permitted;
	uint64_t would_denies;
	uint64_t overflow;       /* trips that a limit forbade */
	uint64_t remaining_ns;   /* until open or an order ends; SG_FOREVER: no end */
	struct trust_view trust; /* SHOWN_TRUST, and what its score is made with */
	double community_weight;
	double strike_penalty;
};

typedef void sim_report_fn(void *arg, const struct sim_report *report);

struct sim_breaker; /* one server's */

/*
 * Limits across servers (floor of a group, blast limit). Without them each
 * server opens as it must. `arg` is the caller's. Both are called with the time
 * of the event; tools have no limits.
 */
struct sim_limits {
	void *arg;
	/* May this server open now? Asked before each outcome; becomes sg_breaker.may_trip,
	 * but in a shadow, which may always decide. */
	bool (*may_trip)(void *arg, const struct sim_breaker *server, uint64_t now_ns);
	/* It has moved; every transition of a server is told once, in order. */
	void (*moved)(void *arg, const struct sim_breaker *server,
		      const struct sg_transition *move);
};

/* What a simulation may grow to; 0: the limits above. */
struct sim_bounds {
	uint32_t breakers;
	uint32_t calls;
	uint64_t memory;
};

struct sim_setup {
	struct breaker_policy policy; /* has passed breaker_policy_check() */
	struct trust_policy trust;    /* has passed trust_policy_check(); all zero: the defaults */
	uint64_t seed;                /* of jitter and ramp */
	sim_report_fn *report;
	void *arg;
	struct sim_limits limits; /* members may be NULL */
	struct sim_bounds bounds;
};

struct sim;

/* 0 and the caller owns *ret: sim_free(); -ENOMEM. */
int sim_new(const struct sim_setup *setup, struct sim **ret) MUST_CHECK;
void sim_free(struct sim *sim); /* NULL is fine */

static inline void sim_freep(struct sim **sim)
{
	sim_free(*sim);
}

/*
 * Feeds one event, after what is due before it. SIM_FAULT_NONE, or why the
 * event was not carried out; the simulation cannot go on after MEMORY.
 */
enum sim_fault sim_feed(struct sim *sim, const struct sim_event *e) MUST_CHECK;

/* Trips of servers and tools that sim_limits forbade, in all. */
uint64_t sim_overflow(const struct sim *sim);

/* Did the last CALL, START or ADMIT go through? For summaries. */
bool sim_last_admitted(const struct sim *sim);

/* Bytes that one breaker takes under this policy, its windows included, its name not. */
size_t sim_breaker_size(const struct breaker_policy *policy);

extern const char *const sim_ops[SIM_OP_COUNT + 1]; /* "call", ...; ends with NULL */

#endif
