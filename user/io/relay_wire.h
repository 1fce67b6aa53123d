/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon and the relay's process (io/relay.h) say to each other, by io/wire.h:
 *
 *   relay:  HELLO, SWITCHGEAR_VERSION
 *   daemon: RULE as often as there are some (with a memfd, if there is a list of tools), READY
 *   relay:  takes connections from now on
 *   daemon: RULE, DROP, as things change
 *   relay:  STATS, TROUBLE, and ALIVE every RELAY_ALIVE_NS
 *
 * Texts are UTF-8, end with NUL and are free of control characters: relay_rule_check().
 */
#ifndef SWITCHGEAR_IO_RELAY_WIRE_H
#define SWITCHGEAR_IO_RELAY_WIRE_H

#include <stdbool.h>

#include "abi.h"
#include "io/program.h"
#include "io/wire.h"

/* What the process has open, besides the three that everybody has. */
enum relay_fd {
	RELAY_FD_LINE = PROGRAM_SOCKET, /* to the daemon */
	RELAY_FD_LISTEN4,               /* may be closed: no IPv4 */
	RELAY_FD_LISTEN6,               /* may be closed: no IPv6 */
	RELAY_FD_ORIGINS,               /* SG_ORIGINS_MAX of struct sg_origin */
	RELAY_FD_END
};

enum relay_wire {
	RELAY_WIRE_HELLO = 1,
	RELAY_WIRE_RULE,  /* struct relay_rule; a descriptor: tools */
	RELAY_WIRE_DROP,  /* head.what: the server's id */
	RELAY_WIRE_READY, /* that was all for a start */
	RELAY_WIRE_STATS, /* struct relay_stats */
	RELAY_WIRE_ALIVE,
	RELAY_WIRE_TROUBLE, /* text, at most RELAY_TROUBLE_MAX with its end */
};

#define RELAY_TEXT_MAX 512U
#define RELAY_PATH_MAX 2048U
#define RELAY_HOST_MAX 272U /* 253, brackets, port */
#define RELAY_NAMES_MAX 4096U
#define RELAY_TOOLS_MAX (1U << 20)
#define RELAY_TROUBLE_MAX 160U
#define RELAY_ALIVE_NS 1000000000ULL

enum relay_kind {
	RELAY_STAND_IN, /* answers itself */
	RELAY_FORWARD, /* hands requests on to the target; answers itself if that cannot be reached */
	RELAY_KIND_COUNT
};

/* Credentials (Authorization, Cookie, Proxy-Authorization, X-Api-Key and their like) go on to the
 * target, too. */
#define RELAY_SHARE_AUTHORIZATION 1U
/* The target is the server that the rule is about: it is back, and keeps the sessions that it
 * made itself; those that were born at the relay are begun anew with it. Credentials go on. */
#define RELAY_TO_PRIMARY 2U

/*
 * What is done with connections that were meant for one server. All zero is a stand-in for server
 * 0 without a word. Unix times are in seconds.
 */
struct relay_rule {
	uint32_t server;      /* id, < SG_SERVERS_MAX */
	uint32_t incarnation; /* of that id: comes back in the stats */
	uint8_t kind;         /* enum relay_kind */
	uint8_t flags;        /* RELAY_SHARE_AUTHORIZATION, RELAY_TO_PRIMARY */
	uint16_t port;        /* FORWARD: of the target, host byte order, not 0 */
	uint8_t addr[16];     /* FORWARD: its address, IPv4 v4-mapped */
	uint64_t since_s;     /* unavailable since; 0: not known */
	uint64_t until_s;     /* 0: until it is released */
	uint64_t retry_s; /* trying again is of use from then on; 0: not before something changes */
	char name[SG_NAME_LEN]; /* the server's, as agents' people know it; not empty */
	char path[RELAY_PATH_MAX]; /* of the server's URL, with its leading slash, no query; "" is "/" */
	char reason[RELAY_TEXT_MAX]; /* why it is unavailable, words that go on behind "because"; may be "" */
	char instead[RELAY_TEXT_MAX]; /* what else can be used, words that go on behind "use"; may be "" */
	/* FORWARD, else "": */
	char target[SG_NAME_LEN];         /* its name, for texts */
	char target_host[RELAY_HOST_MAX]; /* the Host field: with brackets, and the port if need be */
	char target_path[RELAY_PATH_MAX]; /* in place of `path`; what follows that is kept */
	/* Tools that may be called a second time if the first call got lost: names, each with its
	 * NUL, behind the last one another NUL. Besides those that the list of tools declares to
	 * be read-only or idempotent. */
	char idempotent[RELAY_NAMES_MAX];
};

/* Of one server's connections, as counted since the relay's process began. */
struct relay_stats {
	uint32_t server;
	uint32_t incarnation; /* of the rule that applies */
	uint64_t answered;    /* requests that the stand-in answered */
	uint64_t forwarded;   /* that went to a target */
	uint64_t replayed;    /* sessions begun anew at a target */
	uint64_t failed;      /* forwarded ones that got no answer from it */
	uint32_t sessions;    /* that the server may not know, used in the last 10 minutes */
	uint32_t pad;
};

/* Is a rule what its structure promises? Asked on both sides. -EINVAL. */
int relay_rule_check(const struct relay_rule *rule) MUST_CHECK;

#endif
