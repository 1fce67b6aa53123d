/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One event of `switchgear events` as a plain struct. Modules fill it,
 * codec/messages.h writes and reads it, the CLI prints it. A field more is a member
 * of struct event, a row of codec/messages_event.c, and whoever fills it. Conventions
 * are those of core/status.h.
 */
#ifndef SWITCHGEAR_CORE_EVENT_H
#define SWITCHGEAR_CORE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"
#include "core/status.h"

enum event_type {
	EVENT_CALL, /* one outcome, in simulate's input form */
	EVENT_TRANSITION,
	EVENT_QUARANTINE,
	EVENT_RELEASE,
	EVENT_KILL,         /* connections ended */
	EVENT_ALARM,        /* text says what the operator should know */
	EVENT_LOSS,         /* count events were lost */
	EVENT_RELOAD,       /* the configuration was read anew */
	EVENT_SELFTEST,     /* its result changed */
	EVENT_ONE_CLIENT,   /* one caller's failures opened nothing: others are served well */
	EVENT_RESET,        /* an order to a closed breaker: no transition, its history is gone */
	EVENT_HOST_OFFLINE, /* the way to some servers is broken, or (ok) is no longer */
	EVENT_DENIAL,       /* one of those that were denied: who, where to */
	EVENT_FINDING, /* a scanner found what was not known: by it, severity, text says what */
	EVENT_TOOLS,   /* a server's list of tools changed, or was approved: see error */
	EVENT_BYPASS, /* everything passes until a time (ok), or no longer: by whom, text says why */
	EVENT_ISOLATION, /* of processes of a server in quarantine: error is the state, detail, cgroup */
	EVENT_CAPTURE,  /* somebody reads a server's refused packets: by */
	EVENT_FALLBACK, /* where the denied connects of a server go from now on: text */
	EVENT_TYPE_COUNT
};

#define EVENT_ADDRESS_LEN 56
#define EVENT_SEVERITY_LEN 12 /* "critical" */

/* Which members are meant depends on the type: see codec/messages_event.c. */
struct event {
	uint64_t serial; /* given by the bus, not part of the line; 0: none, of calls */
	uint64_t t_ns;   /* boot time */
	uint64_t wall_ns;
	enum event_type type;
	char server[SG_NAME_LEN];   /* empty: none */
	char tool[STATUS_TOOL_LEN]; /* empty: unknown */
	enum sg_class outcome;
	enum sg_cause cause;
	uint64_t latency_ns;             /* STATUS_NEVER: unknown, never slow */
	uint64_t retry_after_ns;         /* 0: none */
	uint16_t status;                 /* HTTP; 0: none */
	bool corrected;                  /* it replaces what was told of the same call before */
	bool estimate;                   /* by HTTP/2, whose exchanges cannot be told apart */
	uint32_t pid;                    /* who called, or was denied; 0: unknown */
	char comm[SG_COMM_LEN];          /* foreign text; "": unknown */
	char address[EVENT_ADDRESS_LEN]; /* "192.0.2.1:80", "[::1]:80"; "": unknown */
	enum sg_state from;
	enum sg_state to;
	enum sg_reason reason;
	double failure_rate; /* NAN: none */
	double slow_rate;
	uint32_t calls;
	uint64_t open_ns; /* length of the opening; STATUS_NEVER: for ever; 0: none */
	uint64_t until_wall_ns;
	uint32_t killed;
	uint32_t survivors;           /* STATUS_UNKNOWN: nobody could count them */
	uint32_t busy;                /* the same */
	char error[STATUS_ERROR_LEN]; /* why not; "" if they were counted. TOOLS: a word, of what kind */
	uint64_t count;
	bool ok;
	char severity[EVENT_SEVERITY_LEN];
	char cgroup[STATUS_CGROUP_LEN]; /* that is isolated, or would have been */
	char detail[STATUS_WHY_LEN];    /* ISOLATION: why it is not, or not frozen */
	bool frozen;
	bool forced;
	char by[STATUS_BY_LEN]; /* who ordered it, or made the call; "": nobody, an agent */
	char text[STATUS_REASON_LEN]; /* of what was ordered: why; a call, a denial: its cgroup; others: what */
};

/* Empty: no rates, no times, 0 of everything else. */
void event_init(struct event *e, enum event_type type);

const char *event_type_name(unsigned int type);
int event_type_from_name(const char *name) MUST_CHECK;

#endif
