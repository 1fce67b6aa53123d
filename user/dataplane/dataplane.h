/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The data plane as the daemon sees it: programs and maps, loaded or taken
 * over from the pin directory. The only files that know libbpf are bpf*.c.
 *
 * Enforcement lives in the kernel and outlives this object: dataplane_close()
 * leaves everything pinned, dataplane_detach() removes it. Everything runs in
 * the network namespace of the caller unless a function says otherwise.
 */
#ifndef SWITCHGEAR_DATAPLANE_DATAPLANE_H
#define SWITCHGEAR_DATAPLANE_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "core/kill_target.h"
#include "core/pins.h"
#include "dataplane/processes.h"
#include "isolation.h"

#define DATAPLANE_DEGRADED_MAX 16
#define DATAPLANE_XDP_MAX 8
#define DATAPLANE_PROGRAMS_MAX 48

struct dataplane;

struct dataplane_options {
	const char *pin_dir;           /* final directory, made 0700 */
	const char *cgroup;            /* path in a cgroup2 file system */
	const char *const *interfaces; /* for XDP; NULL-terminated, NULL: none */
	uint32_t endpoints_max;        /* size of ep2srv and listed where made anew; 0: default */
	bool observe;
	const char *without; /* optional programs not to load, for trying degradations; NULL */
};

/*
 * Loads the programs and attaches them, or takes over what is pinned without a
 * gap: maps are reused, cgroup and XDP links updated in place, tracing programs
 * attached beside the old ones and switched by an epoch. Errors are logged with
 * their remedy: -EPERM (capabilities), -EBUSY (another daemon owns the pins),
 * -ESTALE (pins of another layout), -ENOTSUP (no bpffs), else libbpf's.
 * What this kernel cannot do is in dataplane_degraded().
 */
int dataplane_open(const struct dataplane_options *o, struct dataplane **ret) MUST_CHECK;
void dataplane_close(struct dataplane *dp); /* NULL-safe; enforcement stays */
/* Removes every pin of ours, and the directory if nothing is left in it; *ret, which has been zero,
 * says what there was. */
int dataplane_detach(struct dataplane *dp, struct detach_result *ret) MUST_CHECK;
bool dataplane_detached(const struct dataplane *dp);

static inline void dataplane_closep(struct dataplane **dp)
{
	dataplane_close(*dp);
}

/* Does a daemon hold the pins in this directory? */
bool dataplane_runs(const char *pin_dir);

struct dataplane_feature {
	const char *name;
	const char *since; /* kernel */
	const char *works; /* what it is good for; neighbours can share it */
	const char *loss;  /* what is lost without it, or done another way */
	bool there;
	bool enforces; /* its loss weakens enforcement; else it only measures less */
	int error;     /* what the kernel gave when it refused, -errno; 0: unknown */
};

/*
 * Tries to load everything, attaches and pins nothing: what can this kernel do?
 * Fills at most max; 0 if enforcement is possible, else -errno (and *ret all the
 * same).
 */
int dataplane_probe(struct dataplane_feature *ret, size_t max, size_t *ret_n) MUST_CHECK;

/* --- what it is ------------------------------------------------------------------ */

bool dataplane_taken_over(const struct dataplane *dp); /* maps were there already */
/* Messages on what is missing, why and what is lost; NULL at the end. */
const char *dataplane_degraded(const struct dataplane *dp, size_t i);

struct dataplane_xdp {
	char interface[16];
	const char *mode; /* "native", "generic" */
};
/* Of those that are attached; NULL at the end. */
const struct dataplane_xdp *dataplane_xdp(const struct dataplane *dp, size_t i);
/* Attaches what could not be, or is no longer, since the interface was missing or taken. What
 * changes is logged, and in dataplane_degraded(). */
void dataplane_xdp_retry(struct dataplane *dp);

#define DATAPLANE_FDS_MAX 160

/* The descriptors that a forked child needs to walk, kill and adopt; fills at most max. Not
 * those that keep something attached. */
size_t dataplane_child_fds(const struct dataplane *dp, int *ret, size_t max);

struct dataplane_program {
	const char *name;
	uint64_t run_count; /* 0 unless the kernel keeps BPF statistics */
	uint64_t run_ns;
};
/* Fills at most max; returns how many. */
size_t dataplane_programs(struct dataplane *dp, struct dataplane_program *ret, size_t max);

struct dataplane_fill {
	const char *map;
	uint32_t used;
	uint32_t max;
};
size_t dataplane_fill(struct dataplane *dp, struct dataplane_fill *ret, size_t max);

/* Are all links still attached to what they were attached to? Logs what is gone;
 * returns how many are not. */
size_t dataplane_check(struct dataplane *dp);

/* Programs of others at the hooks of connect, of the protected cgroup and those above it. */
struct dataplane_foreign {
	uint32_t id;
	char name[17]; /* foreign text */
	bool before;   /* it sees a connect before we do */
};
/* Fills at most max, in the order in which they run; returns how many. From then on the kernel
 * looks at what they make of connects, or spares it if there is none. */
size_t dataplane_foreign(struct dataplane *dp, struct dataplane_foreign *ret, size_t max);

/* --- servers ----------------------------------------------------------------------- */

/* The lowest id with this name, "": that is free; -ENOENT if there is none. */
int dataplane_server_find(struct dataplane *dp, const char *name, uint32_t *ret_id) MUST_CHECK;
/* The name of an id; "" if it is free. name has SG_NAME_LEN bytes. */
int dataplane_server_name(struct dataplane *dp, uint32_t id, char *name) MUST_CHECK;

/* Runs one command under the breaker's lock; *cmd comes back with the snapshot. */
int dataplane_command(struct dataplane *dp, struct sg_command *cmd) MUST_CHECK;

/* Puts a server into use, or changes its policy; counters are made if missing. */
int dataplane_server_set(struct dataplane *dp, uint32_t id, const char *name, uint32_t flags,
			 uint32_t group, const struct sg_policy *policy, uint64_t next_open_ns,
			 bool may_trip) MUST_CHECK;
/* The group that an id is in, as pinned: for taking over. */
int dataplane_server_group(struct dataplane *dp, uint32_t id, uint32_t *ret_group) MUST_CHECK;
/* Frees the id: endpoints, quarantine, counters, breaker, records of connections. */
int dataplane_server_forget(struct dataplane *dp, uint32_t id) MUST_CHECK;

/* Counts n connections that were killed and have no record. */
int dataplane_killed_add(struct dataplane *dp, uint32_t id, uint32_t n) MUST_CHECK;

/* What of a group user space decides; see struct sg_group. */
struct dataplane_group {
	uint32_t limit;     /* SG_UNLIMITED: none */
	uint32_t take_back; /* places that count no more */
	uint64_t rest_ns;   /* SG_GROUP_ALL */
};
/* *ret_open, if not NULL: places that are taken after that. */
int dataplane_group_set(struct dataplane *dp, uint32_t group, const struct dataplane_group *to,
			uint32_t *ret_open) MUST_CHECK;
/* The same without a change. */
int dataplane_group_open(struct dataplane *dp, uint32_t group, uint32_t *ret_open) MUST_CHECK;

/* Also keeps the latest end of all quarantines, for packets of sockets without a record. */
int dataplane_quarantine_set(struct dataplane *dp, uint32_t id, uint64_t until_ns) MUST_CHECK;
/* Takes orders into account that somebody else wrote into the map (bpftool). No system call. */
void dataplane_quarantine_sync(struct dataplane *dp);
/* As the map has it; 0 for an id that does not exist. No system call. */
uint64_t dataplane_quarantine_until(const struct dataplane *dp, uint32_t id);

/* Sums over CPUs; -ENOENT if the id has no counters. */
int dataplane_stats(struct dataplane *dp, uint32_t id, struct sg_stats *ret) MUST_CHECK;
int dataplane_hist(struct dataplane *dp, uint32_t id, enum sg_metric metric,
		   struct sg_hist *ret) MUST_CHECK;

/* --- addresses ------------------------------------------------------------------------ */

struct dataplane_net {
	struct addr addr;
	unsigned int len; /* of 128 */
};

/*
 * Makes the endpoints and networks of a server exactly these. Each endpoint is
 * an address and port, with a slot of its own (witness.h) that it keeps; both protocols are
 * entered, one of this host for the daemon's namespace and with its aliases. An endpoint
 * that was another server's is this one's from now on: callers see to it that each has one
 * owner. Of aliases and networks the first owner stays. Their addresses are listed, and no
 * more than those of all servers. -E2BIG: a map is full (logged with the remedy); what
 * fitted is in force.
 */
int dataplane_endpoints_set(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n) MUST_CHECK;
/* The first half of it: what the server had before stays, so that endpoints can go from one
 * to another and are somebody's all the time. */
int dataplane_endpoints_add(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n) MUST_CHECK;
/* Its addresses as the kernel has them, at most max. */
int dataplane_endpoints_get(struct dataplane *dp, uint32_t id, struct addr *ret, size_t max,
			    size_t *ret_n) MUST_CHECK;
int dataplane_networks_set(struct dataplane *dp, uint32_t id, const struct dataplane_net *nets,
			   size_t n) MUST_CHECK;
/*
 * Makes the Unix socket of a server ("/run/x.sock", "@x"; NULL: none) exactly this one: by that
 * name and, where its directory exists, by the other ways to it that are known. A name that is
 * another server's is this one's from now on, but for those other ways, which stay the first
 * owner's.
 */
int dataplane_unix_set(struct dataplane *dp, uint32_t id, const char *name) MUST_CHECK;
/* Are connects to Unix sockets seen? Attaches what sees them, if need be; an attempt that failed is
 * not repeated by this daemon. */
bool dataplane_unix_begin(struct dataplane *dp);
/* Detaches it unless a server is at one: else nobody is to pay for it. */
void dataplane_unix_settle(struct dataplane *dp);
/* Why they are not; "" if they are, or nobody asked. */
const char *dataplane_unix_error(const struct dataplane *dp);
/* Was something of these another server's, and stayed so? To be tried again when one leaves. */
bool dataplane_endpoints_left(const struct dataplane *dp, uint32_t id);
/*
 * HTTP proxies, and whom they are asked for: makes the maps exactly these; with `add`, what is
 * there stays. -E2BIG: a map is full (logged); what fitted is in force.
 */
struct dataplane_target {
	struct sg_target name;
	uint32_t server;
};
int dataplane_proxies_set(struct dataplane *dp, const struct addr *addrs, const uint16_t *ports,
			  size_t n, bool add) MUST_CHECK;
int dataplane_targets_set(struct dataplane *dp, const struct dataplane_target *targets,
			  size_t n) MUST_CHECK;
/* By what names connections to addresses of several names are told apart; the same. */
struct dataplane_host {
	struct sg_host name;
	uint32_t server;
};
int dataplane_hosts_set(struct dataplane *dp, const struct dataplane_host *hosts,
			size_t n) MUST_CHECK;
/* The addresses that the daemon's namespace owns. */
int dataplane_locals_set(struct dataplane *dp, const struct addr *addrs, size_t n) MUST_CHECK;

/* --- redirects -------------------------------------------------------------------------- */

/* Where the connects of a server go that it does not get; all zero: they are refused. The address
 * is that of another server (dataplane_endpoint_at()), or the relay's. In force when it returns,
 * and until something else is said, by a dead daemon, too; what is of the relay ends with the
 * lease. */
int dataplane_redirect_set(struct dataplane *dp, uint32_t id,
			   const struct sg_redirect *to) MUST_CHECK;
/* How often its id has become free before, as origins have it; 0 also if it cannot be read. */
uint32_t dataplane_server_incarnation(struct dataplane *dp, uint32_t id);
/* As the kernel has it; of an id that does not exist -ENOENT. */
int dataplane_redirect_get(struct dataplane *dp, uint32_t id, struct sg_redirect *ret) MUST_CHECK;
/* Whose an endpoint of a server is (SG_AT), for a redirect to it: -ENOENT: it is another's, or
 * nobody's. */
int dataplane_endpoint_at(struct dataplane *dp, uint32_t id, const struct addr *a, uint16_t port,
			  uint32_t *ret) MUST_CHECK;
/* An address of the daemon's own namespace: sockets of others cannot reach it there. */
bool dataplane_is_own(struct dataplane *dp, const struct addr *a);
uint64_t dataplane_home_netns(const struct dataplane *dp);
/* For the relay: what connections that came to it had asked for (struct sg_origin by the
 * port of the peer). Borrowed. */
int dataplane_origins_fd(const struct dataplane *dp);
/* Whose connects are never redirected; 0: nobody's. No system call. */
void dataplane_relay_user(struct dataplane *dp, uint32_t uid);

/* --- routes and sleep ------------------------------------------------------------------- */

/* For how long this host slept since boot. No system call but for the clocks. */
uint64_t dataplane_asleep(const struct dataplane *dp);
/* Has it slept since this was asked last, by whomever? Then the kernel knows that it woke `now`. */
bool dataplane_woke(struct dataplane *dp, uint64_t now);

/* The latest time failures were held for a route, or one came back. No system call. */
uint64_t dataplane_route_stirred(const struct dataplane *dp);
int dataplane_route_get(struct dataplane *dp, uint32_t index,
			struct sg_route_entry *ret) MUST_CHECK;
/* Whose number it is from now on, everything at zero; ifindex 0: nobody's. */
int dataplane_route_name(struct dataplane *dp, uint32_t index, const struct addr *hop,
			 uint32_t ifindex) MUST_CHECK;
/* Is it of no use? back_ns, if not 0: what began before tells nothing. */
int dataplane_route_set(struct dataplane *dp, uint32_t index, bool offline,
			uint64_t back_ns) MUST_CHECK;
/* The route of one slot of a server's addresses, SG_ROUTE_NONE: none that has a number; or is
 * there no way at all? */
int dataplane_server_via(struct dataplane *dp, uint32_t id, uint32_t slot, uint32_t route,
			 bool nowhere) MUST_CHECK;

/* How the ways to a server's addresses fare, by their slots (witness.h). */
struct dataplane_ways {
	uint16_t route[SG_SLOTS_MAX];
	uint16_t failed[SG_SLOTS_MAX]; /* connects in a row */
	uint8_t nowhere;               /* a bit for each that there is no way to */
	uint64_t held_ns;              /* for its route's sake it did not open, latest; 0: never */
};
int dataplane_server_ways(struct dataplane *dp, uint32_t id, struct dataplane_ways *ret) MUST_CHECK;
/* The slot of an endpoint of a server; SG_SLOTS_MAX: it has none. */
uint32_t dataplane_server_slot(struct dataplane *dp, uint32_t id, const struct addr *a,
			       uint16_t port);

/* --- time and events -------------------------------------------------------------------- */

/* The daemon is alive until then (boot time). No system call. */
void dataplane_lease(struct dataplane *dp, uint64_t until_ns);
void dataplane_observe(struct dataplane *dp, bool observe);
bool dataplane_observes(const struct dataplane *dp); /* nothing is refused anywhere */
/*
 * Nothing is refused anywhere before this boot time, at most SG_BYPASS_MAX_NS from now; 0: what is
 * denied is refused again. The kernel compares the time: it ends with or without a daemon. No
 * system call.
 */
void dataplane_bypass(struct dataplane *dp, uint64_t until_ns);
uint64_t dataplane_bypass_until(const struct dataplane *dp); /* 0: it is not in force */
/* Is nothing refused anywhere just now, for the one reason or the other? */
bool dataplane_lets_pass(const struct dataplane *dp);
/* How many events found the ring full. No system call. */
uint64_t dataplane_lost(const struct dataplane *dp);

int dataplane_ring_fd(const struct dataplane *dp);
typedef void dataplane_event_fn(void *data, const struct sg_event *e);
/* Hands over every event that is there; returns how many, or -errno. */
int dataplane_ring_read(struct dataplane *dp, dataplane_event_fn *fn, void *data) MUST_CHECK;

typedef void dataplane_capture_fn(void *data, const struct sg_captured *p);
/* The same with packets that were refused, of which the kernel kept some. */
int dataplane_captures_read(struct dataplane *dp, dataplane_capture_fn *fn, void *data) MUST_CHECK;

/* --- flows: the records of tracked sockets ---------------------------------------------------- */

struct dataplane_targets {
	struct sg_kill_target *v; /* owned; dataplane_targets_done() */
	size_t n;
	size_t busy; /* others that will die when their turn ends */
};
void dataplane_targets_done(struct dataplane_targets *targets);

/* Sockets of a server (SG_SERVERS_MAX: all) that must die, in every namespace; busy ones
 * are marked to die after their turn. */
int dataplane_find(struct dataplane *dp, uint32_t server, struct dataplane_targets *ret) MUST_CHECK;

/* What became of those of n flows that have this note, see enum sg_walk_op. */
int dataplane_flows_note(struct dataplane *dp, enum sg_walk_op op, const struct sg_kill_target *v,
			 size_t n) MUST_CHECK;

/* Has the socket with this cookie a record, and is not dead? */
bool dataplane_flow_lives(struct dataplane *dp, uint64_t cookie);

/* Can a socket have been made outside of the protected cgroup? */
bool dataplane_has_outside(const struct dataplane *dp);
/* And can those be found here? */
bool dataplane_finds_held(const struct dataplane *dp);
/*
 * Connected sockets without a record, at a server in quarantine (SG_SERVERS_MAX: any), that a process of the
 * protected cgroup has in its table of descriptors, each once and sorted by their namespaces.
 * `netns` is the inode of that, cookies may be 0. -EOPNOTSUPP: the kernel refused the walk.
 * Measured: 45 ms for 100,000 descriptors of the host, half of them sockets.
 */
int dataplane_find_held(struct dataplane *dp, uint32_t server,
			struct dataplane_targets *ret) MUST_CHECK;

struct dataplane_sweep {
	uint32_t flows; /* records, dead ones not counted */
	uint32_t dead;  /* records that are still to be removed */
	uint32_t ended; /* connects, turns and probes that this sweep ended */
	uint32_t buried;
};

/* Ends what only the clock can end, and removes records of the dead. */
int dataplane_sweep(struct dataplane *dp, struct dataplane_sweep *ret) MUST_CHECK;
/* Boot time before which another sweep can find nothing. No system call. */
uint64_t dataplane_sweep_due(const struct dataplane *dp);

/*
 * Records of sockets whose end may go unseen (datagrams, connections older than the load, and
 * those that never sent a SYN), at rest for `idle_ns`: for asking whether they still exist.
 */
int dataplane_flows_idle(struct dataplane *dp, uint64_t idle_ns,
			 struct dataplane_targets *ret) MUST_CHECK;

/* Takes over connections older than the load in the caller's namespace, whose
 * cookie is given; *ret_n: how many. */
int dataplane_adopt_here(struct dataplane *dp, uint64_t netns_cookie, size_t *ret_n) MUST_CHECK;
/* Can connections older than the load be taken over here? */
bool dataplane_adopts(const struct dataplane *dp);
/* The id of the server at an address (IPv4 v4-mapped) as a socket sees it, in the daemon's
 * own namespace (home) or another; SG_SERVERS_MAX if there is none. */
uint32_t dataplane_server_at(struct dataplane *dp, const uint8_t addr[16], uint16_t port,
			     bool home);

/* Exempts a socket of our own from breakers (not from quarantine), by its cookie, which
 * nobody can forge; before it connects. To be taken back when it is of no use any more. -errno. */
int dataplane_own_add(struct dataplane *dp, int socket, uint64_t *ret_cookie) MUST_CHECK;
void dataplane_own_remove(struct dataplane *dp, uint64_t cookie);

/* The cgroup with this id, as a path below the mount of its hierarchy ("/agents"); its number where
 * that cannot be told: it is gone, or this process may not ask. Returns out. */
char *dataplane_cgroup_name(struct dataplane *dp, uint64_t id, char *out, size_t size);

/* processes_each() of the protected cgroup. */
ssize_t dataplane_processes(struct dataplane *dp, process_fn *fn, void *data) MUST_CHECK;

/* Did killing a socket work when it was tried last? If not, what a breaker denies on open
 * connections passes: a request that is dropped and not killed would hang. No system call. */
void dataplane_can_kill(struct dataplane *dp, bool can);
bool dataplane_kills(const struct dataplane *dp);

/* The cookie of the caller's network namespace; `dp` is a struct dataplane: for netns.h.
 * Before 5.14 a child tells it, in a cgroup of its own that is made for that moment. */
int dataplane_cookie_here(void *dp, uint64_t *ret) MUST_CHECK;

#endif
