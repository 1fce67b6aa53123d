/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon tells about itself, as plain structs: the document of
 * `switchgear status --json`. The daemon fills them, codec/messages.h writes and
 * reads them, the CLI prints them. Its events are in core/event.h.
 *
 * Conventions: NAN is a number without a value (null); wall times are ns since
 * the epoch, STATUS_NEVER is null; other durations are ns; fixed arrays are
 * NUL-terminated; pointers are owned and freed by the X_done() functions.
 * A number of connections that nobody could count is STATUS_UNKNOWN (null), never 0:
 * 0 survivors is a promise.
 */
#ifndef SWITCHGEAR_CORE_STATUS_H
#define SWITCHGEAR_CORE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"

#define STATUS_NEVER UINT64_MAX
#define STATUS_UNKNOWN UINT32_MAX
#define STATUS_REASON_LEN 256
#define STATUS_BY_LEN 128
#define STATUS_TOOL_LEN 64
#define STATUS_ERROR_LEN 96
/* Why nobody counted, of a server at a Unix socket: as `error`, and whoever advises knows it. */
#define STATUS_UNIX_UNCOUNTED "nothing ends connections to a Unix socket: those that are open stay"

/* How much of a server's traffic can be read. */
enum visibility {
	VISIBILITY_PLAINTEXT,
	VISIBILITY_TLS_UPROBE,
	VISIBILITY_METADATA,
	VISIBILITY_NONE,
	VISIBILITY_COUNT
};

/* What a connect gets now that holds no probe and is outside the ramp's share. */
enum status_verdict {
	VERDICT_ALLOW,
	VERDICT_REFUSE,
	VERDICT_REDIRECT,
	VERDICT_STAND_IN,
	VERDICT_COUNT
};

/* Of a quarantine, and of an order to a breaker. */
struct status_quarantine {
	char reason[STATUS_REASON_LEN];
	char by[STATUS_BY_LEN];
	uint64_t since_wall_ns;
	uint64_t until_wall_ns; /* STATUS_NEVER: until released */
};

#define STATUS_CGROUP_LEN 256
#define STATUS_WHY_LEN 384

/* Of the processes of a server in quarantine that are on this host. */
struct status_isolation {
	char state[16];                 /* "isolated", "refused", "failed", "pending", "none" */
	char cgroup[STATUS_CGROUP_LEN]; /* below the mount; "": not known */
	uint32_t processes;             /* in it */
	uint32_t cut;                   /* connections */
	uint32_t survivors;             /* STATUS_UNKNOWN: nobody could count them */
	uint32_t outside;         /* sockets that wait for others and no hook of the cgroup sees */
	bool frozen;              /* its processes are stopped */
	bool forced;              /* although others are in it */
	uint64_t dropped;         /* packets */
	uint64_t refused;         /* connects */
	char why[STATUS_WHY_LEN]; /* it is not isolated, or not frozen; "": it is */
	char not_cut[STATUS_WHY_LEN]; /* what passes all the same; "" unless it is isolated */
};

struct status_trust {
	double score;
	char band[16];
	double performance;
	double security;
	double community;
	uint32_t strikes;
	bool restricted; /* findings of medium severity or more: not for tools that write */
};

struct status_tools { /* what it offers, codec/tools.h */
	uint32_t count;
	char digest[65];
	char version[64];      /* of the server, as it says; foreign text */
	uint64_t seen_wall_ns; /* the latest asking that brought a list; 0: none did */
	bool approved;         /* it is the list below */
	char approved_digest[65];
	uint64_t approved_wall_ns;
	char approved_by[STATUS_BY_LEN]; /* who, or why without anybody */
	char unknown[160];               /* why there was no list the last time; "": there was */
};

struct status_tool {     /* one that is not as it was approved */
	char name[257];  /* foreign text */
	char change[16]; /* "changed", "added", "removed" */
	char fields[64]; /* of one that changed: "description, input schema" */
};

struct status_breaker {
	double failure_rate; /* NAN: too few calls */
	double slow_rate;
	uint32_t consecutive_failures;
	uint64_t open_remaining_ns; /* STATUS_NEVER: until an order says otherwise */
	uint32_t generation;
};

struct status_slots { /* in the group; members 0: in none */
	uint32_t members;
	uint32_t open;
	uint32_t limit; /* so many may be open at once */
};

struct status_endpoint {
	char address[64];        /* "127.0.0.1", "fd00::1"; a network as "10.0.0.0/8" */
	uint16_t port;           /* 0: any */
	char source[16];         /* "config", "dns", "network" */
	char owner[SG_NAME_LEN]; /* whose it is, if not the server's; "" it is */
	uint32_t failed;         /* connects in a row; of addresses from the eighth on, theirs */
};

struct status_candidate { /* a server that may stand in for it */
	char server[SG_NAME_LEN];
	bool usable;
	char why[256];          /* why it is not; "" */
	char differs[160];      /* how its tools differ; foreign text; "" */
	uint64_t asked_wall_ns; /* the latest probe that came to an end; 0: none did */
};

struct status_fallback {            /* where its denied connects go */
	enum sg_redirect_kind kind; /* NONE: they are refused */
	char to[SG_NAME_LEN];       /* DIRECT, FORWARD: the server */
	bool returning; /* and all others, for sessions that began elsewhere while it was away */
	char why[256];  /* why nothing better; "" */
};

struct status_latency { /* milliseconds, NAN without samples */
	double p50;
	double p95;
	double p99;
};

struct status_cause { /* calls of the last hour that ended so */
	enum sg_class class;
	enum sg_cause cause;
	uint64_t calls;
	uint64_t latest_wall_ns;
	uint64_t latency_ns; /* of the latest */
};

struct status_proxied { /* a process that calls the server through a proxy */
	uint32_t pid;
	char comm[SG_COMM_LEN];
	char proxy[80]; /* host:port */
	bool watched;   /* its connections to that proxy are */
};

struct status_server {
	char name[SG_NAME_LEN];
	char *url;       /* redacted; NULL: none */
	char *command;   /* redacted; NULL: not a stdio server */
	char *group;     /* NULL: none */
	bool panic;      /* held as the last usable server of its group */
	char shared[12]; /* why it is refused by name, not by address: "configured"; "": it is not */
	bool held;       /* would have opened; a limit across servers forbade it */
	bool orphan;     /* not configured any more: it stays until it is released */
	struct status_slots places;
	enum sg_state state;
	enum status_verdict verdict;
	bool quarantined; /* quarantine is valid */
	struct status_quarantine quarantine;
	bool has_isolation; /* isolation is valid */
	struct status_isolation isolation;
	bool ordered; /* order is valid */
	enum sg_state order_state;
	struct status_quarantine order;
	bool has_trust; /* trust is valid */
	struct status_trust trust;
	bool has_tools; /* tools is valid */
	struct status_tools tools;
	struct status_tool *changed;
	size_t n_changed;
	struct status_breaker breaker;
	struct status_endpoint *endpoints;
	size_t n_endpoints;
	enum visibility visibility;
	char visibility_reason[STATUS_REASON_LEN]; /* why none; "" else */
	struct sg_stats counters;                  /* of them those that counters.h gives a key */
	uint64_t since_wall_ns;                    /* in this state; 0: not known */
	bool has_fallback;                         /* fallback is valid */
	struct status_fallback fallback;
	struct status_candidate *candidates;
	size_t n_candidates;
	struct status_latency latency;
	struct status_latency handshake; /* of TLS, from the established connection to its end */
	struct status_cause *causes;
	size_t n_causes;
	struct status_proxied *proxied;
	size_t n_proxied;
	uint64_t causes_lost; /* records that are missing in them, of any server */
};

struct status_xdp {
	char interface[16];
	char mode[16]; /* "native", "generic", "off" */
};

struct status {
	uint32_t abi;
	char version[32];
	uint32_t pid;
	bool observe; /* mode */
	uint64_t uptime_ns;
	char selftest[256]; /* "ok", or what failed */
	struct status_xdp *xdp;
	size_t n_xdp;
	char **degraded; /* sentences: what is missing, why, what to do */
	size_t n_degraded;
	uint64_t lost_events;
	bool bypassed; /* nothing is refused until bypass.until_wall_ns */
	struct status_quarantine bypass;
	struct status_server *servers;
	size_t n_servers;
};

void status_server_init(struct status_server *s); /* no rates, no samples, no trust */
void status_server_done(struct status_server *s);
void status_done(struct status *s);

const char *visibility_name(enum visibility v);         /* "plaintext", ... */
const char *status_verdict_name(enum status_verdict v); /* "allow", ... */
int visibility_from_name(const char *name) MUST_CHECK;  /* the value, or -EINVAL */
int status_verdict_from_name(const char *name) MUST_CHECK;
const char *redirect_name(
	enum sg_redirect_kind kind); /* "refuse", "direct", "forward", "stand_in" */
int redirect_from_name(const char *name) MUST_CHECK;

/* The sentence for `degraded` on n connects to a server that could not be recorded. */
void status_unrecorded(char *out, size_t size, const char *server, uint64_t n);

/* "1 survivor", or for STATUS_UNKNOWN "survivors unknown: WHY", why being "" or the reason.
 * Returns out. */
const char *status_survivors(char *out, size_t size, uint32_t survivors, const char *why);

#endif
