/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "dataplane/kill.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "dataplane/cgroup.h"
#include "dataplane/endsock.h"
#include "dataplane/private.h"
#include "dataplane/sockdiag.h"
#include "verdict.h"

#define SUB "kill"
#define PASSES_MAX 16
#define STRAYS_MAX 65536U

/* The targets of one namespace, while we are in it. */
struct group {
	struct sg_kill_target *v; /* by their cookies */
	size_t n;
	bool by_listing; /* their names are not known, or not right any more */
	bool quick;      /* what takes long is left out: listings, other processes' descriptors */
	int error;
};

/* A kill that is not to take long: what it leaves, it leaves to another. */
struct quick {
	struct netns_search search;
	bool any; /* one namespace was visited */
};

/* Not UDP-Lite: no kernel can end such a socket. A quarantine drops its datagrams. */
static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

static int by_cookie(const void *a, const void *b)
{
	const struct sg_kill_target *x = a;
	const struct sg_kill_target *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static int by_netns(const void *a, const void *b)
{
	const struct sg_kill_target *x = a;
	const struct sg_kill_target *y = b;

	if (x->netns != y->netns)
		return x->netns > y->netns ? 1 : -1;
	return by_cookie(a, b);
}

/*
 * Ends one socket. Of an MPTCP connection the subflow alone is not enough, and a
 * kernel without INET_DIAG_DESTROY can only be helped through the owner's descriptor,
 * which takes an inode, from a listing. `gone`: it has to be looked up, by its cookie.
 */
static int destroy(int fd, struct sg_kill_target *v)
{
	int r = -ENOENT;

	if (v->family)
		r = v->mptcp ? endsock_mptcp(v) : sockdiag_destroy(fd, v);
	if (r == -EOPNOTSUPP && v->inode)
		r = endsock_inode(v->inode);
	v->gone = r == -ENOENT || (r == -EOPNOTSUPP && !v->inode);
	v->note = r ? 0 : SG_WALK_ENDED;
	return r;
}

/* A listed socket: is it one of ours, found under another name than its record says? */
static int rename_one(void *data, const struct sg_kill_target *socket)
{
	struct group *g = data;
	struct sg_kill_target *v = bsearch(socket, g->v, g->n, sizeof(*g->v), by_cookie);

	if (!v || !v->gone)
		return 0;
	memcpy(v->local, socket->local, sizeof(v->local));
	memcpy(v->remote, socket->remote, sizeof(v->remote));
	v->local_port = socket->local_port;
	v->remote_port = socket->remote_port;
	v->ifindex = socket->ifindex;
	v->family = socket->family;
	v->inode = socket->inode;
	v->gone = false;
	return 0;
}

/*
 * The sockets that were not found by name, e.g. bound to a device since they were
 * named, or connected and never used: they are looked up by their cookies.
 */
static int list_gone(struct group *g)
{
	bool wanted[ARRAY_SIZE(protocols)] = { false };
	int r = 0;

	for (size_t i = 0; i < g->n; i++)
		for (size_t p = 0; p < ARRAY_SIZE(protocols); p++)
			wanted[p] |= g->v[i].gone && g->v[i].proto == protocols[p];
	for (size_t p = 0; p < ARRAY_SIZE(protocols) && !r; p++)
		if (wanted[p])
			r = sockdiag_list(protocols[p], NULL, rename_one, g);
	return r;
}

static int kill_by_listing(int fd, struct group *g)
{
	int r = list_gone(g);

	for (size_t i = 0; i < g->n && !r; i++)
		if (!g->v[i].note && !g->v[i].gone)
			(void)!destroy(fd, &g->v[i]);
	return r;
}

static int kill_group(void *data)
{
	struct group *g = data;
	CLEANUP(closep) int fd = -1;
	size_t gone = 0;
	int r = sockdiag_open(&fd);

	for (size_t i = 0; i < g->n && !r; i++) {
		int one = g->quick && g->v[i].mptcp ? -EAGAIN : destroy(fd, &g->v[i]);

		gone += g->v[i].gone;
		if (one == -EOPNOTSUPP)
			g->by_listing = true; /* it takes the inode, which a listing tells */
		else if (one && one != -ENOENT)
			g->error = one;
	}
	return r || !gone || !g->by_listing || g->quick ? r : kill_by_listing(fd, g);
}

/* What became of them, in the records: dead ones are counted, lost ones forgotten. */
static int note(struct dataplane *dp, const struct group *g, uint32_t *killed)
{
	int r;

	for (size_t i = 0; i < g->n; i++) {
		struct sg_kill_target *v = &g->v[i];

		if (v->note == SG_WALK_ENDED)
			++*killed;
		else if (v->gone && g->by_listing && !g->quick)
			v->note = SG_WALK_LOST;
	}
	r = dataplane_flows_note(dp, SG_WALK_ENDED, g->v, g->n);
	return r ? r : dataplane_flows_note(dp, SG_WALK_LOST, g->v, g->n);
}

/* The namespace cannot be entered, or nothing can be killed there: what only a breaker
 * denies is to pass on these connections, though some may have ended. */
static int note_stuck(struct dataplane *dp, const struct group *g, int error)
{
	log_failure(error, SUB,
		    "cannot kill %zu connections in the network namespace with cookie %llu: a "
		    "quarantine drops their packets, but what a breaker denies passes there",
		    g->n, (unsigned long long)g->v[0].netns);
	for (size_t i = 0; i < g->n; i++)
		g->v[i].note = SG_WALK_STUCK;
	return dataplane_flows_note(dp, SG_WALK_STUCK, g->v, g->n);
}

/* Our own is found without a search. */
static int open_netns(struct dataplane *dp, uint64_t cookie, struct quick *quick, int *ret_fd)
{
	if (cookie == dp->home_netns)
		return netns_open(dp->netns, netns_home(dp->netns), ret_fd);
	if (!quick)
		return netns_open_cookie(dp->netns, cookie, ret_fd);
	if (!dataplane_cookie_quick())
		return -ETIME;
	return netns_open_soon(dp->netns, cookie, &quick->search, ret_fd);
}

/* Enters one namespace and does its work there. */
static int visit(struct dataplane *dp, struct quick *quick, struct group *g, uint32_t *killed)
{
	CLEANUP(closep) int fd = -1;
	int r = open_netns(dp, g->v[0].netns, quick, &fd);

	if (!r)
		r = netns_call(dp->netns, fd, kill_group, g);
	if (r)
		return quick ? 0 : note_stuck(dp, g, r);
	r = note(dp, g, killed);
	if (g->error && !quick)
		(void)!note_stuck(dp, g, g->error);
	return r;
}

static void sort(struct dataplane_targets *found)
{
	if (found->n)
		qsort(found->v, found->n, sizeof(*found->v), by_netns);
}

/* Those of the next namespace, from *at on; false: there are no more. */
static bool next_group(const struct dataplane_targets *sorted, size_t *at, struct group *ret)
{
	*ret = (struct group){ .v = &sorted->v[*at] };
	while (*at < sorted->n && sorted->v[*at].netns == ret->v[0].netns) {
		ret->n++;
		++*at;
	}
	return ret->n;
}

static int kill_found(struct dataplane *dp, struct quick *quick, struct dataplane_targets *found,
		      bool by_listing, uint32_t *killed)
{
	struct group g;
	size_t at = 0;
	int r = 0;

	sort(found);
	while (!r && next_group(found, &at, &g)) {
		g.by_listing = by_listing;
		g.quick = quick;
		if (quick && quick->any && clock_boot_ns() >= quick->search.until_ns)
			break;
		r = visit(dp, quick, &g, killed);
		if (quick)
			quick->any = true;
	}
	return r;
}

/* quick NULL: takes the time that it takes. */
static int kill_tracked(struct dataplane *dp, uint32_t server, struct quick *quick,
			struct kill_result *ret)
{
	size_t before = SIZE_MAX;
	bool last = false;
	int r = 0;

	for (int pass = 0; pass < PASSES_MAX && !r; pass++) {
		CLEANUP(dataplane_targets_done) struct dataplane_targets found = { 0 };

		r = dataplane_find(dp, server, &found);
		if (r)
			break;
		ret->survivors = (uint32_t)found.n;
		ret->busy = (uint32_t)found.busy;
		/* nobody left, or nobody dies any more: not by name, and not by cookie */
		if (!found.n || ((last || quick) && found.n >= before))
			pass = PASSES_MAX;
		else
			r = kill_found(dp, quick, &found, found.n >= before, &ret->killed);
		last = found.n >= before;
		before = found.n;
	}
	if (ret->killed)
		(void)!dataplane_killed_add(dp, server, ret->killed);
	return r;
}

/* --- without a record ------------------------------------------------------------------------ */

/* Survivors without a record, by their cookies: another search may come by the same. */
struct stuck {
	uint64_t *v;
	size_t n;
};

static void stuck_done(struct stuck *stuck)
{
	free(stuck->v);
}

static int stuck_add(struct stuck *stuck, uint64_t cookie)
{
	int r = list_grow(&stuck->v, stuck->n, sizeof(*stuck->v));

	if (!r)
		stuck->v[stuck->n++] = cookie;
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Once they are sorted. */
static bool stuck_has(const struct stuck *stuck, uint64_t cookie)
{
	return stuck->n && bsearch(&cookie, stuck->v, stuck->n, sizeof(cookie), by_number);
}

struct unrecorded {
	struct dataplane *dp;
	struct cgroup_ids inside;
	uint32_t server;
	bool home; /* in the daemon's own namespace */
	struct sg_kill_target *v;
	size_t n;
	uint32_t killed;
	struct stuck *stuck;
};

/*
 * Is this socket's peer the server, and the socket one of those that are protected? What
 * the kernel does not tell the cgroup of counts as one. No agent gets anything out of a
 * socket that its process has closed, and older kernels make it immortal by SOCK_DESTROY. A
 * target is noted: killing has to wait for the list's end.
 */
static int unrecorded_one(void *data, const struct sg_kill_target *socket)
{
	struct unrecorded *st = data;

	if (socket->closed || (socket->cgroup && !cgroup_ids_has(&st->inside, socket->cgroup)))
		return 0;
	if (dataplane_server_at(st->dp, socket->remote, ntohs(socket->remote_port), st->home) !=
		    st->server ||
	    dataplane_flow_lives(st->dp, socket->cookie))
		return 0;
	if (st->n == STRAYS_MAX)
		return -E2BIG;
	if (list_grow(&st->v, st->n, sizeof(*st->v)))
		return -ENOMEM;
	st->v[st->n++] = *socket;
	return 0;
}

static int unrecorded_here(void *data)
{
	struct unrecorded *st = data;
	CLEANUP(closep) int fd = -1;
	int r = sockdiag_open(&fd);

	st->n = 0;
	for (size_t p = 0; p < ARRAY_SIZE(protocols) && !r; p++) {
		if (!sockdiag_any(protocols[p]))
			continue; /* as in most of them, where somebody makes thousands */
		r = sockdiag_list(protocols[p], NULL, unrecorded_one, st);
		if (r == -ENOENT && protocols[p] != IPPROTO_TCP)
			r = 0; /* a kernel without that protocol has no such sockets */
	}
	for (size_t i = 0; i < st->n && !r; i++) {
		int one = destroy(fd, &st->v[i]);

		if (!one)
			st->killed++;
		else if (one != -ENOENT)
			r = stuck_add(st->stuck, st->v[i].cookie);
	}
	return r;
}

/* Looks in one namespace; that it is gone is no error. */
static int unrecorded_in(struct unrecorded *st, struct netns *netns, ino_t inode)
{
	CLEANUP(closep) int fd = -1;
	int r = netns_open(netns, inode, &fd);

	st->home = inode == netns_home(netns);
	if (!r)
		r = netns_call(netns, fd, unrecorded_here, st);
	if (!r || r == -ENOENT)
		return 0;
	return log_failure(r, SUB,
			   "cannot look for connections without a record in the network "
			   "namespace with inode %lu",
			   (unsigned long)inode);
}

/* Who is not in the cgroup has no connections that are to be found, as far as can be told. */
static bool protected(const void *cgroup, pid_t pid)
{
	bool inside;

	return !cgroup || cgroup_contains(cgroup, pid, &inside) || inside;
}

/* The order may have been taken back while we look: then nobody else is to be killed. */
static bool denied(struct dataplane *dp, uint32_t server)
{
	uint64_t now = clock_boot_ns();
	struct sg_server srv;

	if (dataplane_lets_pass(dp))
		return false;
	if (sg_quarantined(dataplane_quarantine_until(dp, server), now))
		return true;
	return !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_state), &server, &srv) &&
	       srv.flags & SG_SRV_USED && sg_breaker_denies(&srv.breaker, now);
}

/* Looks in all of them: who hides a connection may hide its namespace, too. */
static int unrecorded_everywhere(struct unrecorded *st, struct netns *netns, const char *cgroup)
{
	int hidden = netns_scan_all(netns, protected, cgroup);
	size_t n = netns_count(netns);
	CLEANUP(freep) ino_t *inodes = calloc(n + 1, sizeof(*inodes));
	int r = hidden == -EPERM || hidden == -E2BIG ? 0 : hidden;

	if (!inodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		inodes[i] = netns_inode(netns, i); /* the list may change while we look */
	for (size_t i = 0; i < n && !r; i++)
		r = denied(st->dp, st->server) ? unrecorded_in(st, netns, inodes[i]) : -ECANCELED;
	if (r || !hidden)
		return r;
	return log_failure(hidden, SUB,
			   "cannot look for network namespaces that only a descriptor keeps "
			   "alive: connections without a record may be left in one");
}

static int kill_strays(struct dataplane *dp, uint32_t server, struct stuck *stuck,
		       struct kill_result *ret)
{
	struct unrecorded st = {
		.dp = dp, .server = server, .inside.all = !dp->cgroup, .stuck = stuck
	};
	int r = dp->cgroup ? cgroup_ids(dp->cgroup, &st.inside) : 0;

	if (r)
		return log_failure(r, SUB, "cannot look for what is below the cgroup %s",
				   dp->cgroup);
	r = unrecorded_everywhere(&st, dp->netns, dp->cgroup);
	free(st.v);
	cgroup_ids_done(&st.inside);
	if (st.killed)
		(void)!dataplane_killed_add(dp, server, st.killed);
	ret->killed += st.killed;
	return r;
}

/* --- held by protected processes ------------------------------------------------------------- */

#define HELD_PASSES 3

/* Those of one namespace, while we are in it. */
struct held {
	struct sg_kill_target *v;
	size_t n;
	uint32_t killed;
};

static int kill_held_here(void *data)
{
	struct held *h = data;
	CLEANUP(closep) int fd = -1;
	int r = sockdiag_open(&fd);

	for (size_t i = 0; i < h->n && !r; i++)
		h->killed += !destroy(fd, &h->v[i]);
	return r;
}

/* Only a descriptor may keep it alive: whoever holds these sockets has one of it. */
static int open_holders_netns(struct netns *netns, ino_t inode, int *ret_fd)
{
	int r = netns_open(netns, inode, ret_fd);

	if (r != -ENOENT)
		return r;
	(void)!netns_scan_all(netns, NULL, NULL);
	return netns_open(netns, inode, ret_fd);
}

/* Whose namespace cannot be entered stays, and is found again by the next look. */
static void kill_held_in(struct dataplane *dp, struct held *h)
{
	CLEANUP(closep) int fd = -1;
	int r = open_holders_netns(dp->netns, h->v[0].netns, &fd);

	if (!r)
		r = netns_call(dp->netns, fd, kill_held_here, h);
	if (r)
		log_failure(r, SUB,
			    "cannot kill %zu connections that were brought into the protected "
			    "cgroup, in the network namespace with inode %llu",
			    h->n, (unsigned long long)h->v[0].netns);
}

static uint32_t kill_those(struct dataplane *dp, struct dataplane_targets *found)
{
	uint32_t killed = 0;

	for (size_t at = 0; at < found->n;) {
		struct held h = { .v = &found->v[at] };

		while (at < found->n && found->v[at].netns == h.v[0].netns) {
			h.n++;
			at++;
		}
		kill_held_in(dp, &h);
		killed += h.killed;
	}
	return killed;
}

/*
 * Sockets that were made outside of the cgroup, and are held by one who is in it: no hook saw
 * them, and no listing tells who holds them. Who is still found after the last attempt lives.
 */
static int kill_held(struct dataplane *dp, uint32_t server, const struct stuck *stuck,
		     struct kill_result *ret)
{
	uint32_t killed = 0;
	int r = 0;

	for (int pass = 0; pass < HELD_PASSES && !r; pass++) {
		CLEANUP(dataplane_targets_done) struct dataplane_targets found = { 0 };
		uint32_t now;

		r = denied(dp, server) ? dataplane_find_held(dp, server, &found) : -ECANCELED;
		now = r || pass == HELD_PASSES - 1 ? 0 : kill_those(dp, &found);
		killed += now;
		if (r || now)
			continue;
		for (size_t i = 0; i < found.n; i++)
			ret->survivors += !stuck_has(stuck, found.v[i].cookie);
		ret->held = (uint32_t)found.n;
		ret->searched = true;
		break;
	}
	if (killed)
		(void)!dataplane_killed_add(dp, server, killed);
	ret->killed += killed;
	return r;
}

int kill_look(void *search, void *seen, size_t size)
{
	CLEANUP(dataplane_targets_done) struct dataplane_targets found = { 0 };
	struct kill_seen *out = seen;
	int r;

	if (size != sizeof(*out))
		return -EINVAL;
	r = dataplane_find_held(((const struct kill_search *)search)->dp, SG_SERVERS_MAX, &found);
	for (size_t i = 0; i < found.n; i++)
		if (found.v[i].server < SG_SERVERS_MAX)
			out->n[found.v[i].server]++;
	return r;
}

/* --- both ------------------------------------------------------------------------------------- */

uint64_t kill_unrecorded(struct dataplane *dp, uint32_t server)
{
	struct sg_stats stats;

	if (server >= SG_SERVERS_MAX || dataplane_stats(dp, server, &stats) ||
	    stats.unrecorded < dp->unrecorded_ended[server])
		return 0;
	return stats.unrecorded - dp->unrecorded_ended[server];
}

void kill_forget_server(struct dataplane *dp, uint32_t server)
{
	if (server < SG_SERVERS_MAX)
		dp->unrecorded_ended[server] = 0;
}

static bool looks_for_strays(struct dataplane *dp, uint32_t server, enum kill_scope scope)
{
	return scope != KILL_RECORDED &&
	       ((scope == KILL_QUARANTINED && (!dataplane_adopts(dp) || dp->unadopted)) ||
		kill_unrecorded(dp, server));
}

static bool looks_for_held(const struct dataplane *dp, enum kill_scope scope)
{
	return scope == KILL_QUARANTINED && dataplane_has_outside(dp);
}

/* Both searches to their ends: what one of them finds has to die, whatever ails the other. */
static int kill_others(struct dataplane *dp, uint32_t server, enum kill_scope scope,
		       struct kill_result *ret)
{
	CLEANUP(stuck_done) struct stuck stuck = { 0 };
	uint64_t unrecorded = kill_unrecorded(dp, server);
	int by_peer = 0;
	int by_holder = 0;

	if (looks_for_strays(dp, server, scope)) {
		by_peer = kill_strays(dp, server, &stuck, ret);
		/* those that were made before the walk, and of which it left nothing, need no other */
		if (!by_peer && !stuck.n)
			dp->unrecorded_ended[server] += unrecorded;
	}
	ret->survivors += (uint32_t)stuck.n;
	if (stuck.n)
		qsort(stuck.v, stuck.n, sizeof(*stuck.v), by_number);
	if (looks_for_held(dp, scope))
		by_holder = kill_held(dp, server, &stuck, ret);
	return by_peer ? by_peer : by_holder;
}

int kill_server(struct dataplane *dp, uint32_t server, enum kill_scope scope,
		struct kill_result *ret)
{
	struct kill_result tracked = { 0 };
	struct kill_result again = { 0 };
	int r = kill_tracked(dp, server, NULL, &tracked);

	if (!r)
		r = kill_others(dp, server, scope, ret);
	/* who got a record between the two was found by neither */
	if (!r && scope == KILL_QUARANTINED && dp->unadopted) {
		r = kill_tracked(dp, server, NULL, &again);
		again.killed += tracked.killed;
		tracked = again;
	}
	ret->killed += tracked.killed;
	ret->survivors += tracked.survivors;
	ret->busy = tracked.busy;
	return r;
}

int kill_soon(struct dataplane *dp, uint32_t server, enum kill_scope scope, uint64_t until_ns,
	      struct kill_result *ret, bool *ret_left)
{
	struct quick quick = { .search.until_ns = until_ns };
	int r = kill_tracked(dp, server, &quick, ret);

	*ret_left = !r && (ret->survivors || looks_for_strays(dp, server, scope) ||
			   looks_for_held(dp, scope));
	return r;
}

int kill_order_run(void *data, void *result, size_t size)
{
	const struct kill_order *order = data;
	struct kill_outcome *out = result;
	int r;

	if (size != sizeof(*out) || order->server >= SG_SERVERS_MAX)
		return -EINVAL;
	r = kill_server(order->dp, order->server, order->scope, &out->kill);
	out->unrecorded_ended = order->dp->unrecorded_ended[order->server];
	return r;
}

void kill_outcome_note(struct dataplane *dp, uint32_t server, const struct kill_outcome *outcome)
{
	if (server < SG_SERVERS_MAX && outcome->unrecorded_ended > dp->unrecorded_ended[server])
		dp->unrecorded_ended[server] = outcome->unrecorded_ended;
}

/* --- records of whose end nobody told --------------------------------------------------------- */

/* Who is not found by name is looked up by cookie; who is `gone` then does not exist any more. */
static int look_here(void *data)
{
	struct group *g = data;
	CLEANUP(closep) int fd = -1;
	bool any = false;
	int r = sockdiag_open(&fd);

	for (size_t i = 0; i < g->n && !r; i++) {
		struct sg_kill_target *v = &g->v[i];
		int one = v->family ? sockdiag_exists(fd, v) : -ENOENT;

		v->gone = one == -ENOENT;
		any |= v->gone;
	}
	return r || !any ? r : list_gone(g);
}

int kill_forget_lost(void *search, void *n, size_t size)
{
	const struct kill_search *what = search;
	CLEANUP(dataplane_targets_done) struct dataplane_targets idle = { 0 };
	size_t *gone = n;
	size_t at = 0;
	struct group g;
	int r;

	if (size != sizeof(*gone))
		return -EINVAL;
	r = dataplane_flows_idle(what->dp, what->idle_ns, &idle);
	if (r)
		return r;
	sort(&idle);
	while (!r && next_group(&idle, &at, &g)) {
		CLEANUP(closep) int fd = -1;

		if (open_netns(what->dp, g.v[0].netns, NULL, &fd) ||
		    netns_call(what->dp->netns, fd, look_here, &g))
			continue; /* who cannot be asked is not forgotten */
		for (size_t k = 0; k < g.n; k++) {
			g.v[k].note = g.v[k].gone ? SG_WALK_LOST : 0;
			*gone += g.v[k].gone;
		}
		r = dataplane_flows_note(what->dp, SG_WALK_LOST, g.v, g.n);
	}
	return r;
}

/* --- connections older than the load ------------------------------------------------------------ */

void kill_adopted(struct dataplane *dp, bool all)
{
	dp->unadopted = !all;
}

struct adoption {
	struct dataplane *dp;
	size_t *total;
};

static int adopt_here(void *data)
{
	const struct adoption *a = data;
	uint64_t cookie;
	size_t n = 0;
	int r = dataplane_cookie_here(a->dp, &cookie);

	if (!r)
		r = dataplane_adopt_here(a->dp, cookie, &n);
	*a->total += n;
	return r;
}

int kill_adopt(void *search, void *n, size_t size)
{
	struct adoption a = { ((const struct kill_search *)search)->dp, n };
	struct netns *netns = a.dp->netns;
	int r;

	if (size != sizeof(*a.total))
		return -EINVAL;
	r = dataplane_adopts(a.dp) ? netns_scan(netns) : 0;
	if (r || !dataplane_adopts(a.dp))
		return r;
	for (size_t i = 0; i < netns_count(netns); i++) {
		CLEANUP(closep) int fd = -1;
		int one = netns_open(netns, netns_inode(netns, i), &fd);

		if (!one)
			one = netns_call(netns, fd, adopt_here, &a);
		if (one && one != -ENOENT)
			r = one;
	}
	return r;
}
