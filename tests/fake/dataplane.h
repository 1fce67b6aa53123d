/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * user/dataplane as daemon and modules call it, linked in its place: servers with real
 * breakers (headers/breaker.h) in memory, groups, a quarantine, an event queue. Tests look
 * into it and change it as they like. What the kernel's programs do is in bpf/, and is
 * tested in tests/bpf/; this only plays it.
 */
#ifndef SWITCHGEAR_TESTS_FAKE_DATAPLANE_H
#define SWITCHGEAR_TESTS_FAKE_DATAPLANE_H

#include "dataplane/dataplane.h"
#include "dataplane/isolate.h"
#include "dataplane/kill.h"

#define FAKE_ADDRS_MAX 64
#define FAKE_QUEUE_MAX 256
#define FAKE_CALLS_MAX 4096

enum fake_fn {
	FAKE_COMMAND,
	FAKE_SERVER_FIND,
	FAKE_SERVER_NEW,
	FAKE_SERVER_NAME,
	FAKE_SERVER_SET,
	FAKE_SERVER_GROUP,
	FAKE_SERVER_FORGET,
	FAKE_GROUP_SET,
	FAKE_GROUP_OPEN,
	FAKE_QUARANTINE_SET,
	FAKE_STATS,
	FAKE_HIST,
	FAKE_ENDPOINTS_SET,
	FAKE_NETWORKS_SET,
	FAKE_LOCALS_SET,
	FAKE_RING_READ,
	FAKE_SWEEP,
	FAKE_OWN_ADD,
	FAKE_DETACH,
	FAKE_KILL,
	FAKE_KILL_ADOPT,
	FAKE_KILL_LOOK,
	FAKE_KILL_FORGET_LOST,
	FAKE_KILL_FORGET_SERVER,
	FAKE_FN_COUNT
};

struct fake_call {
	enum fake_fn fn;
	uint32_t id;  /* of a server or group; 0: of none */
	uint32_t arg; /* command: op; kill: scope; group: limit; endpoints, networks: n */
};

struct fake_server {
	char name[SG_NAME_LEN];
	struct sg_server kernel;
	struct addr addrs[FAKE_ADDRS_MAX];
	uint16_t ports[FAKE_ADDRS_MAX];
	size_t n_addrs;
	size_t n_networks;
	char unix_name[SG_UNIX_PATH]; /* "": at no Unix socket */
	struct sg_stats stats;
	uint64_t quarantine_ns;
	struct kill_result kill; /* what the next kills come to */
	uint64_t unrecorded;
	struct sg_redirect redirect;
	struct isolate_result isolate;      /* what the next orders come to */
	struct isolate_order isolate_order; /* the latest, */
	size_t isolate_orders;              /* of so many */
	struct sg_isolation isolation;
};

struct dataplane {
	struct fake_server servers[SG_SERVERS_MAX];
	struct sg_group groups[SG_GROUPS_MAX];
	struct sg_event queue[FAKE_QUEUE_MAX];
	size_t n_queue;
	struct sg_captured captured[8]; /* that are read next */
	size_t n_captured;
	bool ring_full; /* what comes is lost */
	uint64_t lost;
	const char *proxied; /* the environment of a process; NULL: there is none */
	struct {
		struct addr addr;
		uint16_t port;
	} proxies[4];
	size_t n_proxies;
	bool proxies_added; /* to those that were there */
	struct dataplane_host hosts[8];
	size_t n_hosts;
	int hosts_error;
	struct dataplane_target targets[8];
	size_t n_targets;
	struct dataplane_foreign foreign[2]; /* id 0: none */
	int ring_fd;                         /* eventfd, readable while the queue is not empty */
	bool observe;
	uint64_t bypass_ns;
	bool unix_refused; /* connects to Unix sockets are not seen here */
	bool unix_begun;
	bool taken_over;
	bool detached;
	uint64_t lease_ns;
	size_t sweeps;
	size_t xdp_retries;
	const char *degraded[DATAPLANE_DEGRADED_MAX];
	size_t adopted; /* so many are there at each kill_adopt() */
	size_t own;     /* sockets */
	uint32_t relay_user;
	size_t redirects_set; /* how often */
	bool finds_held;
	struct kill_seen held; /* what each kill_look() finds */
	struct fake_call calls[FAKE_CALLS_MAX];
	size_t n_calls;
	struct {
		unsigned int in; /* the so-manieth call from now; 0: none */
		unsigned int times;
		int error;
	} fail[FAKE_FN_COUNT];
};

struct dataplane *fake_dataplane_new(void);
/* A new boot: nothing of it stays. */
void fake_dataplane_wipe(struct dataplane *dp);

/* The n-th call from now (1: the next) and `times - 1` more end with -errno. */
void fake_fail(struct dataplane *dp, enum fake_fn fn, unsigned int n, unsigned int times,
	       int error);
void fake_forget_calls(struct dataplane *dp);
/* How many calls; id 0: of any server. */
size_t fake_called(const struct dataplane *dp, enum fake_fn fn, uint32_t id);
/* How many commands of this op. */
size_t fake_commands(const struct dataplane *dp, enum sg_command_op op, uint32_t id);
uint32_t fake_id(const struct dataplane *dp, const char *name); /* 0: there is none */

/* What hooks do: a call ends, something asks for a kill, someone writes into the map. */
struct fake_ended {
	enum sg_class outcome;
	enum sg_cause cause;
	uint64_t latency_ns;
	uint32_t flags;
	uint16_t status;
};
void fake_end(struct dataplane *dp, uint32_t id, const struct fake_ended *e);
/* n hard failures, or successes. */
void fake_failures(struct dataplane *dp, uint32_t id, unsigned int n);
void fake_successes(struct dataplane *dp, uint32_t id, unsigned int n);
void fake_ask_kill(struct dataplane *dp, uint32_t id);
/* The same for sockets without a record. */
void fake_ask_search(struct dataplane *dp, uint32_t id);
void fake_order(struct dataplane *dp, uint32_t id, enum sg_state to, uint64_t until_ns);
/* Puts an event into the ring; false: it was full. */
bool fake_push(struct dataplane *dp, const struct sg_event *e);

/* --- the self-test's canary, and this host's addresses ---------------------------------- */

struct fake_canary {
	bool ok; /* what the next tests find */
	size_t started;
};
extern struct fake_canary fake_canary;

void fake_locals_change(void);

#endif
