/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The servers: from the configuration to ids, breakers and endpoints in the kernel, at
 * the start, at a takeover and at a reload, which touches only what changed. What only
 * one module knows of a server is that module's (module_server()); here is what several
 * of them read.
 */
#ifndef SWITCHGEAR_DAEMON_SERVERS_H
#define SWITCHGEAR_DAEMON_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/config.h"
#include "core/metrics.h"
#include "core/trust.h"
#include "daemon/module.h"

#define SERVER_ADDRS_MAX 64

/* What the kernel is to know; each member is set by one module, and written once a pass. Compared
 * by its bytes: there is no room between the members. */
struct server_wanted {
	uint32_t flags;        /* SG_SRV_*; healthcheck, shared */
	uint32_t group;        /* groups */
	uint64_t slow_ns;      /* breaker */
	uint64_t next_open_ns; /* breaker: length of the next opening */
};

/* What the latest configuration made of a server. */
enum server_change {
	SERVER_SAME,
	SERVER_ADDED,
	SERVER_CHANGED,
};

/* What the daemon's own probe of a server that may stand in for others came to. */
struct server_proof {
	bool asked;    /* one came to an end, since the server has these addresses */
	bool answered; /* the latest one was answered */
	bool doubted;  /* it was asked since an agent\'s failure looked as if it were gone */
	bool told;     /* by its answer, or that there was none: not for want of a prober */
	uint64_t asked_wall_ns; /* that one's end */
	char failure[128];      /* why not; "" */
};

struct server {
	struct daemon *d;
	struct server *next; /* in the order of the configuration */
	size_t index;        /* in that */
	const struct config_server *config;
	struct config *own; /* config is of this one: the server is not configured any more */
	enum server_change change;
	bool orphan;                           /* and stays until its quarantine is over */
	struct server *covered_by;             /* has the same endpoint: its breaker is ours */
	uint32_t id;                           /* SG_CANARY: the kernel does not know this server */
	struct sg_breaker breaker;             /* as last read */
	struct addr claimed[SERVER_ADDRS_MAX]; /* from the configuration or DNS (core/claims.h) */
	size_t n_claimed;
	struct addr addrs[SERVER_ADDRS_MAX]; /* those of them that it owns */
	size_t n_addrs;
	size_t n_lost;          /* of claimed, to others, as was told */
	bool contested;         /* another name claims an address that it owns */
	bool moved;             /* one came to it while it was in quarantine; shared ends that */
	bool learned;           /* SG_SRV_LEARNED, as last read */
	bool unwritten;         /* its endpoints are not as the kernel has them */
	bool resolved;          /* claimed are known */
	uint64_t quarantine_ns; /* in quarantine until then, boot time; 0: not. By quarantine */
	unsigned int n_orders;  /* whose kill goes on: nobody else kills meanwhile. By quarantine */
	struct trust_id identity; /* H, of what is rated; all zero: not known. By trust */
	/* What it offers, by tools; borrowed, as long as that has it. NULL: not known. */
	const struct tools *offered;
	const struct tools *approved;
	const char *listing; /* all of it as JSON; only of those that somebody may answer for */
	struct server_proof proof; /* by secondaries; of who is listed as a fallback */
	double own_rating; /* this host's, -1 to 1, about a minute old; NAN: none. By trust */
	struct server_wanted wanted;
	struct server_wanted written;
	bool rewrite;     /* something else of it changed: write it */
	bool half_begun;  /* nothing of it is in force */
	bool failed;      /* it did not begin, or change, in whole: a reload begins it anew */
	uint32_t seq;     /* of the latest transition that was reported */
	uint32_t made_up; /* of one whose record was lost; 0: none */
	void *memory[MODULES_MAX];
};

struct servers;
struct tools;

int servers_new(struct daemon *d, struct modules *modules, struct servers **ret) MUST_CHECK;
void servers_free(struct servers *all); /* NULL-safe */

/*
 * Puts a configuration, which it takes in any case, into force. Servers that cannot be
 * watched are listed all the same; that is logged. -errno: something of it failed;
 * -ENOMEM before anything changed only while there is no configuration yet.
 */
int servers_apply(struct servers *all, struct config *config) MUST_CHECK;
const struct config *servers_config(const struct servers *all);

size_t servers_n(const struct servers *all);
struct server *servers_first(const struct servers *all);              /* NULL: none */
struct server *servers_by_id(const struct servers *all, uint32_t id); /* NULL: none */
struct server *servers_by_name(const struct servers *all, const char *name);
/* What is wrong with the maps, "" if every endpoint has its place. */
const char *servers_error(const struct servers *all);

/* Is it a server of its own in the kernel? */
static inline bool server_watched(const struct server *s)
{
	return s->id && !s->covered_by;
}

/* Nobody knows of connections to a Unix socket, nor can end them. */
static inline bool server_at_unix(const struct server *s)
{
	return s->config->unix_name != NULL;
}

/* And it has no others, as to its networks. */
static inline bool server_only_unix(const struct server *s)
{
	return server_at_unix(s) && !s->config->n_networks;
}

static inline bool server_quarantined(const struct server *s)
{
	return s->quarantine_ns != 0;
}

/* One sample per server that is watched, of a family that it begins: what `value` tells; false:
 * none. `m` is for value(). */
typedef bool servers_value_fn(const void *m, struct server *s, uint64_t *ret);
void servers_family(struct servers *all, struct metrics *to, const char *name,
		    enum metrics_type type, const char *help, servers_value_fn *value,
		    const void *m);

/* The server at an origin (config_origin()), or who covers it; NULL: none is configured there. */
struct server *servers_by_origin(const struct servers *all, const char *origin);
/* An orphan whose quarantine is over goes. Not while anybody else holds it. */
void servers_drop(struct servers *all, struct server *s);
/* Orders to breakers of servers that are not configured, as the state on disk has them; how
 * many there are. ret has room for all, or is NULL. */
size_t servers_kept(const struct servers *all, struct state_server *ret, uint64_t now);
/* The order that is kept for a name has come to who stands where it was given for, and is the
 * name's alone from now on. */
void servers_kept_settled(struct servers *all, const char *name);
/* The reason of an order that came to a server from another name, which gave it for `reason`. */
void servers_inherited_reason(char ret[STATUS_REASON_LEN], const char *name, const char *reason);
/* Is this the configuration of whoever has the endpoint of another name, configured as well? */
bool servers_covers(const struct servers *all, const struct config_server *c, const char *name);
/* In place of the origin that an order was given for: it has been handed over there. */
#define SERVERS_NOWHERE "-"
/* What the latest configuration changed, for people. */
const char *servers_report(const struct servers *all);

/* Writes what is wanted of each that wants something new, and reads it back; bus_pass() does
 * so, others only where the kernel must know before they go on. What fails is logged, and
 * tried again at the next pass. */
void servers_write(struct servers *all);
/* Refreshes s->breaker, and carries out what is due by time. */
int server_read(struct server *s) MUST_CHECK;
/* The addresses that it claims from now on (n <= SERVER_ADDRS_MAX); settles whose they are,
 * writes the endpoints of all whose have changed, emits ADDRS for them. */
int server_set_addrs(struct server *s, const struct addr *addrs, size_t n) MUST_CHECK;
/* Writes its endpoints anew: this host's addresses have changed. */
int server_endpoints(struct server *s) MUST_CHECK;
/* Who owns an address that s claims, and has not; NULL: it has it. */
const struct server *server_owner(const struct server *s, const struct addr *a);
/* Opens its breaker, for what user space knows of `generation`, within the limits; what those
 * forbid is said (SUPPRESSED). The transition comes by the ring. */
void server_trip(struct server *s, uint32_t generation, enum sg_reason reason);
/* Notes a transition by its number; false if it was reported before. `made_up`: from the
 * map, since its record was lost. */
bool server_moved(struct server *s, uint32_t seq, bool made_up);

#endif
