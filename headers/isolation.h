/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Layout of what isolates the processes of a server on this host, and of refused packets that
 * are kept. docs/protocol.md is the same contract in words; see abi.h for the rules.
 */
#ifndef SWITCHGEAR_ISOLATION_H
#define SWITCHGEAR_ISOLATION_H

#include "abi.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* --- isolations: server id -> the cgroup that is cut off for it ------------- */

#define SG_ISOLATED_FROZEN 1U /* its processes were stopped by us */
#define SG_ISOLATED_FORCED 2U /* although others are in it */

#define SG_RESETS_NS 10000000000ULL /* so long resets of connections that were ended may leave */

struct sg_isolation {
	__u64 cgroup;         /* id; 0: there is none */
	__u64 reset_until_ns; /* boot time: until then resets without payload leave it */
	__u64 dropped;        /* packets, both ways */
	__u64 refused;        /* connects, and datagrams that were sent to an address */
	__u32 flags;          /* SG_ISOLATED_* */
	__u32 pad;
};

/* --- isolate_here: storage of a cgroup that is cut off: for which server ---- */

struct sg_isolated_here {
	__u64 server; /* id; 0: not known yet */
};

/* --- isolate_allow: longest prefix of (server, address) -> what it may reach -- */

#define SG_ALLOW_MAX 4096U
#define SG_ALLOW_PORTS 15
#define SG_ALLOW_SERVER_BITS 32U

struct sg_allow_key {
	__u32 prefixlen; /* SG_ALLOW_SERVER_BITS, and that of the 128-bit address */
	__u32 server;
	__u8 addr[16]; /* IPv4 v4-mapped */
};

struct sg_allow {
	__u16 n; /* ports; 0: any, and protocols without ports, too */
	__be16 port[SG_ALLOW_PORTS];
};

/* --- captures: ring buffer of refused packets ------------------------------- */

#define SG_CAPTURE_BYTES 256U
#define SG_CAPTURE_RING (1U << 18)
#define SG_CAPTURE_RATE 32U /* of one server in a second */

enum sg_capture_by {
	SG_CAPTURE_QUARANTINE, /* of the server: by a hook of sockets */
	SG_CAPTURE_XDP,        /* of the server: as it came in */
	SG_CAPTURE_ISOLATION,  /* of its processes */
	SG_CAPTURE_BREAKER,    /* what its breaker denied on an open connection */
	SG_CAPTURE_BY_COUNT
};

struct sg_captured {
	__u64 t_ns;
	__u32 server;
	__u32 len;     /* of the packet, from its IP header on */
	__u16 have;    /* bytes of it that are here */
	__u8 by;       /* enum sg_capture_by */
	__u8 out;      /* 1: it was leaving the socket */
	__u32 skipped; /* of that server's, in the second before: too many */
	__u8 data[SG_CAPTURE_BYTES];
};

/* --- capture_at: server id -> how many were kept in the second that runs ---- */

struct sg_capture_rate {
	__u64 since_ns;
	__u32 n;
	__u32 skipped;
};

#pragma GCC diagnostic pop

SG_ASSERT_SIZE(struct sg_isolation, 40);
SG_ASSERT_SIZE(struct sg_allow_key, 24);
SG_ASSERT_SIZE(struct sg_allow, 32);
SG_ASSERT_SIZE(struct sg_captured, 280);

#endif
