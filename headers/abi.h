/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Layout of everything that crosses the border between kernel and user space:
 * map keys and values, ring-buffer events, commands. docs/protocol.md is the
 * same contract in words. Structures have no implicit padding (-Wpadded is an
 * error here) and their sizes are asserted by both compilers.
 *
 * Times are nanoseconds of CLOCK_BOOTTIME unless a name says otherwise.
 */
#ifndef SWITCHGEAR_ABI_H
#define SWITCHGEAR_ABI_H

#include "breaker.h"
#include "counters.h"
#include "route.h"
#include "witness.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

#define SG_ABI 2U

#define SG_SERVERS_MAX 1024U /* server ids: [0, SG_SERVERS_MAX) */
#define SG_CANARY 0U         /* server id of the self-test's canary: always refused */
#define SG_TARGET 1U         /* and of the one whose connection it quarantines and kills */
#define SG_RESERVED 2U       /* ids below are no configured server's */
#define SG_NAME_LEN 64
#define SG_ENDPOINTS_DEFAULT 16384U
#define SG_NETWORKS_MAX 4096U
#define SG_LOCALS_MAX 4096U
#define SG_FLOWS_MAX 65536U
#define SG_OWN_MAX 1024U
#define SG_PROXIES_MAX 1024U
#define SG_TARGETS_MAX 4096U
#define SG_TARGET_LEN 128
#define SG_HELLOS_MAX 4096U /* connections whose beginning is being read at one time */
#define SG_SUBUIDS_MAX 4096U
#define SG_COMM_LEN 16
#define SG_LEASE_NS 1000000000ULL
#define SG_OWN_PROBE_NS 2000000000ULL /* from the deadline on the first probe is the daemon's */
#define SG_SILENCE_NS 200000000ULL    /* an answer of unknown end is over after so much silence */
#define SG_GRACE_NS 1000000000ULL     /* a dead flow's record stays so long: see struct sg_flow */
#define SG_UNUSED_NS 250000000ULL     /* a probe that nothing is sent with goes back */
#define SG_ASK_NS 20000000ULL         /* the kill of a flow is asked for once in so long */
#define SG_NAP_NS 500000000ULL      /* less is no sleep, but two clocks read one after the other */
#define SG_WAKING_NS 3000000000ULL  /* after it the network may take so long to be there */
#define SG_DENIAL_NS 10000000000ULL /* one denial of a server is told in so long */
#define SG_BYPASS_MAX_NS 86400000000000ULL /* a day: so long everything may pass at once */
#define SG_DOUBT_NS 1000000000ULL          /* so long connects go elsewhere while it may be gone */
#define SG_WATCH_NS 1000000000ULL          /* how often sg_watch looks while there is no daemon */
#define SG_RING_BYTES (1U << 20)

/* --- ep2srv: endpoint -> whose it is (u32, SG_AT) --------------------------- */

/*
 * IPv4 is stored v4-mapped. `netns` is 0 for addresses that mean the same
 * everywhere; a loopback address, and one that the daemon's namespace owns, has the
 * cookie of the network namespace that the entry is for. The unspecified address is
 * asked for as the loopback's; as a key it stands for every address that the host
 * owns, at which a server of it may be reached: an alias.
 */
struct sg_ep {
	__u64 netns;
	__u8 addr[16];
	__be16 port;
	__u8 proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 pad[5];
};

/*
 * Whose an endpoint is: id of the server; its slot, which tells the server's addresses
 * apart (witness.h); whether it is an alias, at which a refused connect proves nothing;
 * and low bits of the server's incarnation, without which the entry is nobody's.
 */
#define SG_AT(id, slot, alias, incarnation) \
	((__u32)(id) | (__u32)(slot) << 16 | (__u32)(alias) << 19 | (__u32)(incarnation) << 20)
#define SG_AT_ID(at) ((at)&0xffff)
#define SG_AT_SLOT(at) ((at) >> 16 & 7)
#define SG_AT_ALIAS(at) ((at) >> 19 & 1)
#define SG_AT_INCARNATION(at) ((at) >> 20)
#define SG_AT_INCARNATIONS 4096U

/* --- net2srv: longest prefix -> whose it is (u32, SG_AT), any port --------- */

struct sg_net {
	__u32 prefixlen; /* of the 128-bit address: IPv4 is 96 + its own */
	__u8 addr[16];
};

/* --- unix2srv: name of a Unix socket -> whose it is (u32, SG_AT) ------------ */

/*
 * A path as it is asked for, byte by byte, and zeros behind it; its alias bit says that this
 * is not how it is configured. An abstract name begins with a zero, and is that of the
 * daemon's own network namespace.
 */
#define SG_UNIX_PATH 108U /* of struct sockaddr_un */
#define SG_UNIX_MAX 4096U

struct sg_unix {
	char path[SG_UNIX_PATH];
};

/* --- local_addrs: addresses that a namespace owns -> u8 ------------------- */
/* --- listed: addresses that ep2srv has an endpoint of -> one of those there (u32, SG_AT) --- */

/*
 * `listed` has the address and namespace of every key of ep2srv, whatever the
 * port. It is asked for packets
 * whose ports cannot be read, and only while `cutoff` is in force.
 */

struct sg_local {
	__u64 netns;
	__u8 addr[16];
};

/* --- proxies: endpoint (struct sg_ep) of an HTTP proxy -> u8 ----------------- */
/* --- proxy_names: whom a proxy is asked for -> whose it is (u32, SG_AT) ------ */

/*
 * "host:port" as it stands in a request, or "host" alone where that means the same; in small
 * letters, IPv6 in brackets, zeros behind it, of which there is at least one.
 */
struct sg_target {
	__u8 text[SG_TARGET_LEN];
};

/* --- host_names: host and port -> whose it is (u32, SG_AT) ------------------------ */

/* By what connections name a server: in small letters, zeros behind it, at least one. */
struct sg_host {
	__u8 text[SG_TARGET_LEN];
	__be16 port;
	__u8 pad[6];
};

/* --- hellos: socket cookie -> how far the beginning of its connection is read -- */

/* See hello.h. What is read goes to key.text; behind the key is room for what does not fit. */
struct sg_hello {
	__u32 head;  /* the first four bytes of all, big-endian; 0: not all were in one segment */
	__u16 need;  /* bytes that are read next */
	__u16 have;  /* how many of them were */
	__u16 skip;  /* bytes that tell nothing, before those */
	__u16 left;  /* of the extensions; of HTTP: bytes of "\nhost:" that were seen, and more */
	__u16 frame; /* of the current TLS record */
	__u8 stage;  /* enum sg_hello_stage */
	__u8 framed; /* bytes of a record's header that were read */
	__u8 header[8];
	struct sg_host key;
	__u8 room[SG_TARGET_LEN - 8];
};

/* --- subuids: leading bits of a uid -> the uid that it was handed to --------- */

struct sg_subuid {
	__u32 prefixlen; /* at most 32 */
	__be32 uid;
};

/* --- srv_state: server id -> breaker, policy ------------------------------ */

#define SG_SRV_USED 1U     /* the id is in use */
#define SG_SRV_OBSERVE 2U  /* count what would be refused, refuse nothing */
#define SG_SRV_PROBED 4U   /* the daemon makes the first probe, if it comes in time */
#define SG_SRV_SPOKE 8U    /* it has answered a POST in JSON or events; the kernel's own */
#define SG_SRV_NAMED 16U   /* `host_names` has it: connections are asked whom they name */
#define SG_SRV_SHARED 32U  /* its addresses are others', too: refused is what names it */
#define SG_SRV_LEARNED 64U /* the same, as connections have shown; the kernel's own */
#define SG_SRV_OWN (SG_SRV_SPOKE | SG_SRV_LEARNED) /* what no command changes */

/* Changed only under `lock`: by BPF programs, and by user space through the
 * command program. The lock must stay the first member. */
struct sg_server {
	struct bpf_spin_lock lock;
	__u32 flags;
	__u32 group;  /* index in `groups`, 0: in none */
	__u32 placed; /* 1: counts in its group's `open` */
	struct sg_breaker breaker;
	struct sg_policy policy;
	__u32 incarnation; /* grows whenever the id becomes free */
	struct sg_slots slots;
	struct sg_sources sources;
	__u64 success_ns; /* when it last answered well */
	__u64 longest_ns; /* and how long that takes at most; falls slowly (sg_patience()) */
	__u64 row_ns;     /* when the first failure of the streak was seen */
	__u64 held_ns;    /* for its route's sake it did not open, latest; 0: never */
	__u64 doubt_ns; /* a connect or connection of it failed, latest; 0: never, or it is there */
	__u16 route[SG_SLOTS_MAX]; /* of each address, from the daemon's namespace; index in `routes` */
};

/* --- routes: index -> how the way to servers fares, see route.h -------------- */

#define SG_ROUTES_MAX 256U /* index 0 is none */

struct sg_route_entry {
	struct bpf_spin_lock lock;
	__u32 ifindex;
	__u8 hop[16]; /* IPv4 v4-mapped; zero: there is none, the servers are on the link */
	struct sg_route route;
};

/* --- groups: index -> members that may not all be open at once ------------ */

#define SG_GROUPS_MAX SG_SERVERS_MAX
#define SG_GROUP_ALL 0U /* every server: the blast limit, which acts while the daemon lives */
#define SG_UNLIMITED (~0U)

/*
 * Who opens a breaker for its performance reserves a place first; where none is
 * left the breaker stays closed. Members hold their places until they are closed
 * (or in ramp) again, those of SG_GROUP_ALL until the daemon takes them back.
 */
struct sg_group {
	struct bpf_spin_lock lock;
	__u32 open;
	__u32 limit;
	__u32 pad;
	__u64 rest_ns;       /* SG_GROUP_ALL: for so long no other member of the same group opens */
	__u64 rest_until_ns; /* until then none of this group does */
};

/* --- quarantine: server id -> u64 ----------------------------------------- */
/* 0: none; SG_FOREVER: until released; else boot time at which it ends. */

/* --- cutoff: one entry, u64, memory-mapped by the daemon ------------------ */
/*
 * The latest end of all quarantines, in the form of `quarantine`. While it is in
 * force, packets of sockets without a record are looked up by their addresses.
 */

/* --- redirects: server id -> where connects go that it does not get ----------- */

enum sg_redirect_kind {
	SG_REDIRECT_NONE,     /* they are refused */
	SG_REDIRECT_DIRECT,   /* to another server's own address; counts as that server's */
	SG_REDIRECT_FORWARD,  /* to the relay, which forwards them to another server */
	SG_REDIRECT_STAND_IN, /* to the relay, which answers itself */
	SG_REDIRECT_COUNT
};

/*
 * An address of zeros: none of that family; a socket of IPv6 then goes to the other, unless it
 * is for IPv6 only. What is of the relay holds while the daemon lives. Changed under `lock`.
 */
struct sg_redirect {
	struct bpf_spin_lock lock;
	__u32 kind; /* enum sg_redirect_kind */
	__u32 at4;  /* DIRECT: whose addr4 is (SG_AT), and addr6; both of one server */
	__u32 at6;
	__u64 netns;    /* cookie of the only namespace whose sockets may go there; 0: all may */
	__u8 addr4[16]; /* v4-mapped */
	__u8 addr6[16];
	__be16 port4;
	__be16 port6;
	__u32 flags; /* SG_REDIRECT_* */
};

#define SG_REDIRECT_ALL 1U /* FORWARD: what the server would get, but for probes, goes there, too */

/* --- origins: port of a socket that went to the relay -> what it had asked for -- */

/*
 * Written before the SYN leaves, at the index of the socket's port in host order, so that who
 * accepts the connection finds it by the peer's port; memory-mapped by the relay. The address
 * tells sockets apart that share a port; an old time, that this is not about the connection.
 */
#define SG_ORIGINS_MAX 65536U

struct sg_origin {
	__u64 t_ns; /* of the connect; 0: never */
	__u64 cookie;
	__u8 local[16]; /* the socket's own address, IPv4 v4-mapped */
	__u8 remote[16];
	__be16 remote_port;
	__u16 server; /* id */
	__u32 incarnation;
};

/* --- own: socket cookie -> u8: the daemon's own sockets, exempt from breakers -- */

/* --- srv_name: server id -> name, for people with bpftool ----------------- */

struct sg_name {
	char name[SG_NAME_LEN];
};

/* --- stats: per CPU, server id -> counters -------------------------------- */

#define SG_COUNTER_MEMBER(member, ...) __u64 member;
struct sg_stats {
	SG_COUNTERS(SG_COUNTER_MEMBER)
};
#undef SG_COUNTER_MEMBER

/* --- hist: per CPU, (server id, metric) -> buckets ------------------------ */

enum sg_metric {
	SG_METRIC_CONNECT,    /* connect() to established */
	SG_METRIC_FIRST_BYTE, /* first request byte to first answer byte */
	SG_METRIC_ANSWER,     /* first request byte to last answer byte */
	SG_METRIC_TLS,        /* established to the end of the TLS handshake */
	SG_METRIC_COUNT
};

/*
 * Log-linear: four buckets an octave from 2^16 ns (65.5 us) to 2^36 ns
 * (68.7 s). Bucket 0 is everything below, the last one everything above;
 * bucket i > 0 ends at (5 + (i - 1) % 4) << (14 + (i - 1) / 4) ns.
 */
#define SG_HIST_MIN_LOG2 16
#define SG_HIST_MAX_LOG2 36
#define SG_HIST_BUCKETS (2 + 4 * (SG_HIST_MAX_LOG2 - SG_HIST_MIN_LOG2))

struct sg_hist_key {
	__u32 server;
	__u32 metric; /* enum sg_metric */
};

struct sg_hist {
	__u64 sum_ns;
	__u64 count;
	__u64 bucket[SG_HIST_BUCKETS];
};

/* --- cfg: one entry, memory-mapped by the daemon -------------------------- */

struct sg_cfg {
	__u64 lease_until_ns;  /* the daemon is alive until then */
	__u64 home_netns;      /* cookie of the daemon's network namespace */
	__u32 abi;             /* SG_ABI */
	__u32 epoch;           /* tracing programs of another epoch do nothing */
	__u32 observe;         /* 1: refuse nothing anywhere, count would_deny */
	__u32 networks;        /* entries in net2srv; 0 spares the lookup */
	__u64 bypass_until_ns; /* until then nothing is refused anywhere; 0: it is */
	__u32 can_kill;        /* 1: killing a socket worked when it was last tried */
	__u32 aliases;         /* entries of ep2srv that are; 0 spares the lookup */
	__u64 wall_ns;         /* CLOCK_REALTIME less CLOCK_BOOTTIME; 0: not known */
	__u64 asleep_ns;       /* taken for time asleep, besides what the clocks say: for tests */
	__u32 foreign;    /* 1: others may rewrite addresses of connects; 0 spares the lookup */
	__u32 proxies;    /* entries in `proxies`; 0 spares the lookup */
	__u32 relay_user; /* uid of the relay, whose own connects go nowhere else; 0: there is none */
	__u32 pad;
};

/* Read-only data, decided before the load; the verifier prunes what a kernel cannot do. */
struct sg_rodata {
	__u32 epoch;       /* of this load; tracing programs compare it with cfg.epoch */
	__u32 has_retval;  /* bpf_set_retval() may be called from address hooks */
	__u32 by_sockops;  /* states come from sockops, but for adopted connections */
	__u32 retransmits; /* are counted by sockops, for the same reason */
	__u32 skb_netns;   /* bpf_get_netns_cookie() may be called for packets */
	__u32 blind;       /* answers are not seen: nothing is judged by them */
	__u64 cgroup;      /* id of the one that is protected; 0: every socket is in it */
	__u64 pods;        /* id of the cgroup of Kubernetes' pods; 0: there is none */
	__u32 home_inode;  /* of the daemon's network namespace */
	__u32 root_dev;    /* of the file system that the daemon's root is in; 0: not known */
	__u32 xdp_load;    /* bpf_xdp_load_bytes() may be called */
	__u32 pad;
};

/* --- pulse: one entry, memory-mapped; what the next sweep may find ---------- */

struct sg_pulse {
	__u64 turn_ns;     /* the latest time a connect or a turn began */
	__u64 silent_ns;   /* about the latest time an answer of unknown end went on */
	__u64 dead_ns;     /* the latest time a flow ended */
	__u64 lost_events; /* records that found the ring full */
	__u64 probe_ns;    /* the latest time a probe was handed out */
	__u64 asleep_ns;   /* since boot, as it was seen last */
	__u64 awake_ns;    /* what begins from then on counts: this host slept before */
	__u64 route_ns;    /* the latest time failures were held for a route, or one came back */
	__u64 armed_ns;    /* the latest time a flow was armed; on a cache line of its own */
	__u64 compared_ns; /* when the clocks were compared, and found to differ by */
	__u64 differed_ns;
};

/* --- sk_ctx: socket storage of tracked sockets, u64: its cookie ------------ */
/* --- flows: socket cookie -> record of a tracked socket -------------------- */

#define SG_FLOW_UNTRUSTED (1U << 0) /* teaches nothing: who calls may answer himself */
#define SG_FLOW_EXEMPT (1U << 1)    /* the daemon's own socket */
#define SG_FLOW_PROBE (1U << 2)     /* holds a probe of `generation` */
#define SG_FLOW_ADOPTED (1U << 3)   /* older than the load */
#define SG_FLOW_ARMED (1U << 4)     /* its answer tripped: ends by TCP_USER_TIMEOUT */
#define SG_FLOW_STOPPED (1U << 5)   /* something of it was dropped: kill */
#define SG_FLOW_LAST (1U << 6)      /* kill when the current exchange ends */
#define SG_FLOW_TLS (1U << 7)
#define SG_FLOW_OPENED (1U << 8) /* reached ESTABLISHED */
#define SG_FLOW_KILLED (1U << 9) /* by us */
#define SG_FLOW_UDP (1U << 10)
#define SG_FLOW_SEEN_RX (1U << 11) /* rx_next is valid */
#define SG_FLOW_SEEN_TX (1U << 12) /* tx_next is valid */
#define SG_FLOW_COUNTED (1U << 13) /* the outcome of the connect or current exchange is reported */
#define SG_FLOW_TLS_READY (1U << 14) /* the handshake is over */
#define SG_FLOW_DENY_SEEN (1U << 15) /* passed_open is counted for this exchange */
#define SG_FLOW_TUPLE (1U << 16)     /* addresses, ports and interface are known */
#define SG_FLOW_DEAD (1U << 17)      /* ended at dead_ns */
#define SG_FLOW_GONE (1U << 18)      /* dead for so long that its record is being removed */
#define SG_FLOW_STUCK (1U << 19)     /* could not be killed: what its breaker denies passes */
#define SG_FLOW_MPTCP (1U << 20)     /* a subflow: killing it does not end the connection */
#define SG_FLOW_ORPHAN (1U << 21)    /* its owner has closed it; older kernels do not end that */
#define SG_FLOW_TIMED (1U << 22)     /* has our TCP_USER_TIMEOUT; its own is in user_timeout */
#define SG_FLOW_ALIAS (1U << 23)     /* its endpoint is an alias of the server's */
#define SG_FLOW_OPTIONS (1U << 24)   /* its own options may keep it from connecting */
#define SG_FLOW_HALF (1U << 25)      /* its server had closed it before the current exchange */
#define SG_FLOW_OVERDUE (1U << 26)   /* was counted as unanswered: what comes corrects that */
#define SG_FLOW_SETTLED (1U << 27)   /* and the breaker has taken it */
#define SG_FLOW_LATE (1U << 28)      /* something came before that */
#define SG_FLOW_QUIET (1U << 29)     /* its encrypted answer may be over: nobody reported it */
#define SG_FLOW_H2 (1U << 30)        /* its client offers HTTP/2 */
#define SG_FLOW_WATCHED (1U << 31)   /* its callbacks end it when something of it was stopped */

/* Where a flow stands in its current exchange. */
enum sg_phase {
	SG_PHASE_IDLE,    /* no request outstanding */
	SG_PHASE_REQUEST, /* request sent, no answer byte yet */
	SG_PHASE_HEAD,    /* inside the answer's header */
	SG_PHASE_BODY,    /* header complete, body outstanding */
	SG_PHASE_COUNT
};

/* Whose a connection is that may be of several servers. */
enum sg_proxied {
	SG_PROXIED_NOT,    /* it goes to no proxy */
	SG_PROXIED_EACH,   /* each request names its server; nobody's (SG_NOBODY) in between */
	SG_PROXIED_TUNNEL, /* its server's to the end */
	/* Of no proxy: a connection to an address that is, or may be, of several names. */
	SG_PROXIED_UNNAMED, /* it was admitted unasked; what it begins with tells whose it is */
	SG_PROXIED_CHECKED, /* it is the server's, unless it begins with another name */
	SG_PROXIED_NAMED,   /* it has told whose it is */
	SG_PROXIED_FOREIGN, /* no server's (SG_NOBODY), to the end */
};

#define SG_NOBODY SG_SERVERS_MAX /* `server` of a flow that is no server's just now */

enum sg_framing {
	SG_FRAMING_UNKNOWN, /* the answer ends after SG_SILENCE_NS without payload */
	SG_FRAMING_LENGTH,
	SG_FRAMING_CHUNKED,
	SG_FRAMING_CLOSE, /* ends with the connection */
};

enum sg_method {
	SG_METHOD_UNKNOWN, /* not HTTP, or encrypted */
	SG_METHOD_POST,
	SG_METHOD_GET,
	SG_METHOD_DELETE,
	SG_METHOD_HEAD,
	SG_METHOD_OTHER,
	SG_METHOD_CONNECT,
	SG_METHOD_COUNT
};

/* Numbers that an answer's header holds; see http1.h. */
enum sg_http_slot {
	SG_SLOT_NONE, /* scratch */
	SG_SLOT_STATUS,
	SG_SLOT_LENGTH, /* Content-Length, then what is left of the body or of the chunk */
	SG_SLOT_RETRY,  /* Retry-After: seconds, or the digits of a date */
	SG_SLOT_COUNT
};

enum sg_http_body {
	SG_HTTP_BODY_UNKNOWN,
	SG_HTTP_BODY_NONE,  /* the header says that there is none */
	SG_HTTP_BODY_BEGUN, /* some of it has come */
};

/* Incremental scan of an answer: its header, then its chunks; see http1.h. */
struct sg_http {
	__u64 number[4]; /* by enum sg_http_slot */
	__u64 length;    /* the first Content-Length, where there are several */
	__u16 bits;      /* SG_HTTP_* */
	__u8 state;      /* of the automaton */
	__u8 framing;    /* enum sg_framing, once the header is complete */
	__u8 body;       /* enum sg_http_body */
	__u8 chunk;      /* enum sg_chunk_state, with SG_FRAMING_CHUNKED */
	__u8 pad[2];
};

/* What user space itself saw end: SG_CMD_OUTCOME. */
struct sg_ended {
	__u64 cookie;
	__u64 latency_ns;
	__u64 first_ns;
	__u64 retry_after_ns;
	__u32 server;
	__u32 generation;
	__u32 serial;
	__u16 status; /* HTTP, 0 if none */
	__u8 outcome; /* enum sg_class; SG_CLASS_COUNT: none, only the probe goes back */
	__u8 cause;   /* enum sg_cause */
	__u8 flags;   /* SG_OUT_* */
	__u8 method;  /* enum sg_method */
	__u8 pad[6];
};

/*
 * A deleted element of a hash may be handed out again while a program still
 * holds a pointer to it. So nothing is deleted while it can be in use: a flow that
 * ended is marked, and removed SG_GRACE_NS later by the sweep (without a daemon at
 * once, or by sg_watch: a full map would be worse than one wrong byte in it). And
 * whoever takes something out of a record compares the cookie inside the lock.
 */
struct sg_flow {
	struct bpf_spin_lock lock;
	__u32 server;
	__u32 generation;
	__u32 flags;      /* SG_FLOW_* */
	__u64 cookie;     /* as the key; 0: not in use yet */
	__u64 netns;      /* cookie of the network namespace */
	__u64 connect_ns; /* latest connect() */
	__u64 request_ns; /* first byte of the current exchange's request */
	__u64 first_ns;   /* first byte of its answer, 0 before */
	__u64 last_ns;    /* latest byte of its answer */
	__u64 lease_ns;   /* the probe fails then; 0: not started */
	__u64 asked_ns;   /* when its kill was last asked for */
	__u64 dead_ns;
	struct sg_http http;
	__u32 rx_next; /* next expected sequence number */
	__u32 tx_next;
	__u32 exchange; /* number of the current exchange, 0 before the first */
	__u32 rx_bytes; /* of the current answer, saturating */
	__u32 serial;   /* counts connects and exchanges of this socket */
	__u32 ifindex;  /* of SO_BINDTODEVICE, 0: none */
	/* Before SG_FLOW_TUPLE, remote and its port are what was asked for. */
	__u8 local[16]; /* IPv4 v4-mapped; valid with SG_FLOW_TUPLE, as what follows */
	__u8 remote[16];
	__be16 local_port;
	__be16 remote_port;
	__u8 family;        /* of the socket: AF_INET, AF_INET6 */
	__u8 proto;         /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE */
	__u8 phase;         /* enum sg_phase */
	__u8 method;        /* enum sg_method */
	__u8 outcome;       /* enum sg_class, being reported */
	__u8 cause;         /* enum sg_cause, being reported */
	__u8 result_flags;  /* SG_OUT_*, being reported */
	__u8 slot;          /* of its server's addresses */
	__u32 user_timeout; /* milliseconds, 0: none; valid with SG_FLOW_TIMED */
	__u32 incarnation;  /* of its server; of another one's connection nobody is asked */
	__u32 source;       /* who connected, see witness.h */
	__u64 opened_ns;    /* connected */
	__u32 request_seq;  /* of the first byte of the current exchange's request */
	__u32 pid;          /* of the process that connected; 0: nobody saw it */
	__u64 cgroup;       /* id of the process's */
	/* of its thread: foreign text */
	char comm[SG_COMM_LEN];
	/* of the failure that was counted of an overdue connect or exchange: */
	__u64 counted_ns;
	__u32 counted;        /* its number, see sg_breaker_correct() */
	__u8 counted_flags;   /* SG_OUT_* */
	__u8 counted_outcome; /* enum sg_class */
	__u8 counted_cause;   /* enum sg_cause */
	__u8 proxied;         /* enum sg_proxied */
	__u64 asleep_ns;      /* time asleep since boot as the connect or the exchange began */
	__u32 heard;          /* `serial` of the latest for which anything at all came */
	/* Of a connect that was redirected: */
	__u32 origin;             /* id of the server that it was meant for */
	__u32 origin_incarnation; /* and its incarnation */
	__u8 redirect;            /* enum sg_redirect_kind */
	__u8 pad2;
	__be16 asked_port;
	__u8 asked[16]; /* what was asked for, IPv4 v4-mapped */
};

/* --- http_dfa: one entry, the automata that scan an answer's header and chunks -- */

#define SG_HTTP_STATES 256
#define SG_HTTP_CLASSES 64
#define SG_CHUNK_STATES 16
#define SG_CHUNK_CLASSES 8

/* Built by answer_table_build(); every index is masked, so any content is safe. */
struct sg_http_table {
	__u8 class[256];                            /* of a byte */
	__u8 next[SG_HTTP_STATES][SG_HTTP_CLASSES]; /* state */
	__u16 effect[SG_HTTP_STATES];               /* SG_HTTP_*, on entering a state */
	__u8 slot[SG_HTTP_STATES];                  /* enum sg_http_slot a digit goes to */
	__u8 chunk_class[256];                      /* of a byte between chunks */
	__u8 chunk_next[SG_CHUNK_STATES][SG_CHUNK_CLASSES];
	__u8 chunk_shift[SG_CHUNK_STATES]; /* 4 in a state whose byte is a digit of a size */
};

/* --- ev: ring buffer ------------------------------------------------------ */

enum sg_event_type {
	SG_EV_OUTCOME = 1, /* one call ended */
	SG_EV_TRANSITION,  /* a breaker changed its state */
	SG_EV_KILL,        /* please kill this socket: STOPPED, or LAST and done */
	SG_EV_DENIAL,      /* one of those that were denied */
	SG_EV_DOUBT,       /* the server may be gone, and connects go elsewhere meanwhile */
	SG_EV_TYPE_COUNT
};

enum sg_cause {
	SG_CAUSE_NONE,
	SG_CAUSE_REFUSED,
	SG_CAUSE_TIMEOUT, /* SYN unanswered */
	SG_CAUSE_UNREACHABLE,
	SG_CAUSE_RESET,
	SG_CAUSE_TRUNCATED, /* end of stream with a request outstanding */
	SG_CAUSE_NO_ANSWER,
	SG_CAUSE_ABANDONED,
	SG_CAUSE_STATUS, /* HTTP status decided */
	SG_CAUSE_BAD_RESPONSE,
	SG_CAUSE_TLS,
	SG_CAUSE_KILLED,
	SG_CAUSE_LEASE,         /* a probe's lease ran out */
	SG_CAUSE_ANSWER,        /* a complete answer */
	SG_CAUSE_OTHER_ADDRESS, /* a connect failed at one of the server's addresses only */
	SG_CAUSE_OPTIONS,       /* the caller's own socket options explain it */
	SG_CAUSE_STALE,        /* a connection that had answered ended before it took the request */
	SG_CAUSE_ASLEEP,       /* this host slept meanwhile */
	SG_CAUSE_HOST_OFFLINE, /* this host's network explains it */
	SG_CAUSE_UNSEEN,       /* encrypted, and nothing told that it was over */
	SG_CAUSE_DISTRUST,     /* the caller's TLS does not trust the server */
	SG_CAUSE_CERTIFICATE,  /* the server's certificate is over */
	SG_CAUSE_LIMITED,      /* the server asked to be called less */
	SG_CAUSE_NO_ROUTE,     /* not found, where calls were answered before */
	SG_CAUSE_PROXY,        /* the proxy's own failure */
	SG_CAUSE_COUNT
};

#define SG_KILL_SEARCH (1U << 0) /* it has no record: it has to be looked for */

struct sg_event {
	__u64 t_ns;
	__u32 type; /* enum sg_event_type */
	__u32 server;
	__u32 generation; /* of the outcome; of a transition the new one */
	__u32 source;     /* of an outcome; of an opening the only one that failed, 0: several */
	__u64 cookie;     /* of the socket, 0 if none */
	__u64 latency_ns; /* request to last byte; connect failures: since connect */
	__u64 first_ns;   /* request to first byte */
	__u64 retry_after_ns;
	__u64 was_ns;              /* t_ns of the failure that it replaces; SG_OUT_LATE */
	struct sg_transition move; /* SG_EV_TRANSITION */
	__u32 streak;
	__u16 status; /* HTTP, 0 if none */
	__u8 outcome; /* enum sg_class */
	__u8 cause;   /* enum sg_cause */
	__u8 flags;   /* SG_OUT_*; SG_EV_KILL: SG_KILL_* */
	__u8 method;  /* enum sg_method */
	__u8 effect;  /* enum sg_effect, SG_EV_OUTCOME */
	/* with SG_OUT_LATE: what it replaces */
	__u8 was_outcome;
	__u8 was_cause;
	__u8 proxied; /* SG_EV_OUTCOME: enum sg_proxied */
	__u8 pad[2];
	/* SG_EV_OUTCOME, SG_EV_DENIAL: whose socket it was, where that is known; else 0 */
	__u64 cgroup;
	__u32 pid;
	__be16 port; /* of the peer */
	__u8 pad2[2];
	__u8 addr[16]; /* the same, IPv4 v4-mapped */
	char comm[SG_COMM_LEN];
};

/* --- commands: packet data of a BPF_PROG_TEST_RUN of sg_command ------------ */

enum sg_command_op {
	SG_CMD_READ = 1,  /* only the snapshot; carries out what is due by time */
	SG_CMD_CONFIGURE, /* flags, policy, may_trip, next_open_ns */
	SG_CMD_TRIP,      /* generation, reason: see sg_breaker_trip() */
	SG_CMD_ORDER,     /* state, until_ns */
	SG_CMD_RESET,
	SG_CMD_RESTORE, /* breaker: replaces everything, reports nothing */
	SG_CMD_FORGET,  /* all zero: the id is free */
	SG_CMD_KILLED,  /* counts connections that user space killed */
	SG_CMD_OUTCOME, /* ended: reported as a hook would have done */
	SG_CMD_PROBE,   /* takes a token for the daemon's own probe; out: state: enum sg_admit */
	SG_CMD_GROUP,   /* server: index of a group; limit, flags: places to take back, until_ns:
			 * rest_ns; out: flags: places taken */
	SG_CMD_SLOTS,   /* flags: mask of the server's addresses */
	SG_CMD_REACHED, /* generation: see sg_breaker_reached() */
	SG_CMD_VIA,     /* flags: slot, SG_VIA_NOWHERE; limit: its route */
	SG_CMD_ROUTE,   /* server: index of a route; flags: SG_VIA_*; until_ns: see there */
	SG_CMD_COUNT
};

#define SG_VIA_NOWHERE (1U << 8) /* there is none */

/* What the daemon says of a route. */
#define SG_VIA_OFFLINE 1U /* it is of no use; without that bit it may be */
#define SG_VIA_BACK 2U    /* it is back: what began before until_ns tells nothing */

/* Written in place by the program; the run's return value is 0 or an errno. */
struct sg_command {
	__u64 magic; /* SG_COMMAND_MAGIC */
	__u32 op;
	__u32 server;
	__u64 now_ns; /* 0: the kernel's own clock */
	__u64 until_ns;
	__u32 generation;
	__u32 flags; /* SG_CMD_CONFIGURE: SG_SRV_*; SG_CMD_KILLED: how many */
	__u8 state;  /* enum sg_state, SG_CMD_ORDER */
	__u8 reason; /* enum sg_reason, SG_CMD_TRIP */
	__u8 moved;  /* out: 1 if this changed the state; breaker.last tells how */
	__u8 effect; /* out: enum sg_effect, SG_CMD_TRIP */
	__u8 pad[4];
	__u32 group;             /* CONFIGURE */
	__u32 limit;             /* GROUP */
	struct sg_policy policy; /* in: CONFIGURE; out: as it is now */
	struct sg_breaker
		breaker;       /* in: CONFIGURE (may_trip, next_open_ns), RESTORE; out: snapshot */
	struct sg_ended ended; /* in: OUTCOME */
};

#define SG_COMMAND_MAGIC 0x5347434d44303031ULL

/* --- flow commands: packet data of a BPF_PROG_TEST_RUN of sg_walk ------------- */

enum sg_walk_op {
	SG_WALK_SWEEP = 1, /* ends what the clock ended; result: 1 if it ended something */
	SG_WALK_DISPOSITION, /* result: enum sg_disposition; marks who dies now or after its exchange */
	SG_WALK_ENDED,       /* user space killed it; datagram sockets and orphans do not tell */
	SG_WALK_STUCK,       /* it cannot be killed: see SG_FLOW_STUCK */
	SG_WALK_LOST,        /* there is no such socket any more: its record is dead */
	SG_WALK_BURY,        /* removes the record if it has been dead for SG_GRACE_NS */
	SG_WALK_COUNT
};

#define SG_WALK_MAX 128

struct sg_walk_item {
	__u64 cookie;
	__u32 serial; /* SWEEP: of what user space saw; nothing happens if it is another by now */
	__u32 result; /* out */
};

/* Written in place by the program; the run's return value is 0 or an errno. */
struct sg_walk_command {
	__u64 magic;  /* SG_WALK_MAGIC */
	__u64 now_ns; /* 0: the kernel's own clock */
	__u32 op;
	__u32 n; /* items, at most SG_WALK_MAX */
	struct sg_walk_item item[SG_WALK_MAX];
};

#define SG_WALK_MAGIC 0x5347574c4b303031ULL

enum sg_disposition {
	SG_DISPOSITION_LIVE, /* stays: nothing denies it */
	SG_DISPOSITION_BUSY, /* dies when its exchange ends */
	SG_DISPOSITION_KILL,
};

/* --- job: one entry, for the walks that adopt, and from sg_netns -------------------- */

struct sg_job {
	__u64 netns; /* cookie of the namespace that is walked */
};

/* What sg_find_held writes of each descriptor. */
struct sg_held {
	__u64 cookie; /* 0: it has none yet */
	__u64 inode;
	__u32 netns; /* inode of its network namespace */
	__u32 server;
	__u32 ifindex;
	__u8 local[16]; /* IPv4 v4-mapped */
	__u8 remote[16];
	__be16 local_port;
	__be16 remote_port;
	__u8 family;
	__u8 proto;
	__u8 mptcp;
	__u8 pad[5];
};

#pragma GCC diagnostic pop

#define SG_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " changed size")
SG_ASSERT_SIZE(struct sg_ep, 32);
SG_ASSERT_SIZE(struct sg_net, 20);
SG_ASSERT_SIZE(struct sg_unix, 108);
SG_ASSERT_SIZE(struct sg_local, 24);
SG_ASSERT_SIZE(struct sg_target, 128);
SG_ASSERT_SIZE(struct sg_policy, 80);
SG_ASSERT_SIZE(struct sg_breaker, 136);
SG_ASSERT_SIZE(struct sg_slots, 20);
SG_ASSERT_SIZE(struct sg_sources, 160);
SG_ASSERT_SIZE(struct sg_server, 472);
SG_ASSERT_SIZE(struct sg_route_entry, 64);
SG_ASSERT_SIZE(struct sg_transition, 48);
SG_ASSERT_SIZE(struct sg_event, 176);
SG_ASSERT_SIZE(struct sg_flow, 312);
SG_ASSERT_SIZE(struct sg_redirect, 64);
SG_ASSERT_SIZE(struct sg_origin, 56);
SG_ASSERT_SIZE(struct sg_held, 72);

#endif
