/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks over the records of tracked sockets: read in batches, without locks and
 * without entering a namespace; who looks as if something were due is then judged
 * by the kernel, under the locks that the hooks take (bpf/walk.bpf.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "flow.h"
#include "dataplane/private.h"

#define SUB "bpf"
#define VICTIMS_MAX 1000000U
#define PULSE_STEP_NS (10 * NS_PER_MS) /* so late may pulse.silent_ns be */

typedef int flow_fn(void *data, const struct sg_flow *f);

struct flows {
	flow_fn *fn;
	void *data;
};

static int flow_element(void *data, const void *key, const void *value)
{
	const struct flows *flows = data;
	const struct sg_flow *f = value;

	return memcmp(key, &f->cookie, sizeof(f->cookie)) ? 0 : flows->fn(flows->data, f);
}

/* Calls fn with a copy of each record in use. A result that is not 0 ends the walk. */
static int walk(struct dataplane *dp, flow_fn *fn, void *data)
{
	struct flows flows = { fn, data };

	return dataplane_map_walk(dp->skel->maps.flows, "cannot read the records of connections",
				  flow_element, &flows);
}

/* --- commands over lists ----------------------------------------------------------------- */

struct items {
	struct sg_walk_item *v; /* owned */
	size_t n;
};

static int items_add(struct items *items, uint64_t cookie, uint32_t serial)
{
	int r = list_grow(&items->v, items->n, sizeof(*items->v));

	if (!r)
		items->v[items->n++] = (struct sg_walk_item){ .cookie = cookie, .serial = serial };
	return r;
}

static void items_done(struct items *items)
{
	free(items->v);
}

static int judge_some(struct dataplane *dp, enum sg_walk_op op, struct sg_walk_item *v, uint32_t n)
{
	struct sg_walk_command cmd = { .magic = SG_WALK_MAGIC, .op = op, .n = n };
	struct sg_walk_command out;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &cmd, .data_size_in = sizeof(cmd),
		    .data_out = &out, .data_size_out = sizeof(out), .repeat = 1);
	int r;

	memcpy(cmd.item, v, n * sizeof(*v));
	r = bpf_prog_test_run_opts(bpf_program__fd(dp->skel->progs.sg_walk), &run);
	if (!r && run.retval)
		r = -(int)run.retval;
	if (r)
		return log_failure(r, SUB, "the program that judges connections cannot be run");
	memcpy(v, out.item, n * sizeof(*v));
	return 0;
}

/* The results are in the items. */
static int judge(struct dataplane *dp, enum sg_walk_op op, struct items *items)
{
	int r = 0;

	for (size_t i = 0; i < items->n && !r; i += SG_WALK_MAX) {
		size_t n = items->n - i < SG_WALK_MAX ? items->n - i : SG_WALK_MAX;

		r = judge_some(dp, op, items->v + i, (uint32_t)n);
	}
	return r;
}

static uint32_t count_results(const struct items *items)
{
	uint32_t n = 0;

	for (size_t i = 0; i < items->n; i++)
		n += !!items->v[i].result;
	return n;
}

int dataplane_flows_note(struct dataplane *dp, enum sg_walk_op op, const struct sg_kill_target *v,
			 size_t n)
{
	CLEANUP(items_done) struct items items = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = v[i].note == op ? items_add(&items, v[i].cookie, 0) : 0;
	return r ? r : judge(dp, op, &items);
}

bool dataplane_flow_lives(struct dataplane *dp, uint64_t cookie)
{
	struct sg_flow f;

	return !bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.flows), &cookie, &f) &&
	       f.cookie == cookie && !(f.flags & SG_FLOW_DEAD);
}

/* --- who must die --------------------------------------------------------------------------- */

void dataplane_targets_done(struct dataplane_targets *targets)
{
	free(targets->v);
	*targets = (struct dataplane_targets){ 0 };
}

static int targets_add(struct dataplane_targets *out, const struct sg_flow *f)
{
	struct sg_kill_target *v;

	if (out->n == VICTIMS_MAX)
		return -E2BIG;
	if (list_grow(&out->v, out->n, sizeof(*v)))
		return -ENOMEM;
	v = &out->v[out->n++];
	*v = (struct sg_kill_target){ .cookie = f->cookie,
				      .netns = f->netns,
				      .server = f->server,
				      .ifindex = f->ifindex,
				      .local_port = f->local_port,
				      .remote_port = f->remote_port,
				      .family = f->family,
				      .proto = f->proto,
				      .mptcp = f->flags & SG_FLOW_MPTCP };
	if (!(f->flags & SG_FLOW_TUPLE))
		v->family = 0; /* it is to be looked up by its cookie */
	memcpy(v->local, f->local, sizeof(v->local));
	memcpy(v->remote, f->remote, sizeof(v->remote));
	return 0;
}

struct finding {
	uint32_t server;
	struct dataplane_targets all;
	struct items items;
};

static int find_one(void *data, const struct sg_flow *f)
{
	struct finding *find = data;
	bool was_its = f->redirect == SG_REDIRECT_DIRECT && f->origin == find->server;
	int r;

	if (f->flags & SG_FLOW_DEAD ||
	    (find->server < SG_SERVERS_MAX && f->server != find->server && !was_its))
		return 0;
	r = items_add(&find->items, f->cookie, 0);
	return r ? r : targets_add(&find->all, f);
}

static void finding_done(struct finding *find)
{
	dataplane_targets_done(&find->all);
	items_done(&find->items);
}

int dataplane_find(struct dataplane *dp, uint32_t server, struct dataplane_targets *ret)
{
	CLEANUP(finding_done) struct finding find = { .server = server };
	size_t n = 0;
	int r = walk(dp, find_one, &find);

	if (!r)
		r = judge(dp, SG_WALK_DISPOSITION, &find.items);
	if (r)
		return r;
	for (size_t i = 0; i < find.all.n; i++) {
		find.all.busy += find.items.v[i].result == SG_DISPOSITION_BUSY;
		if (find.items.v[i].result == SG_DISPOSITION_KILL)
			find.all.v[n++] = find.all.v[i];
	}
	find.all.n = n;
	*ret = find.all;
	find.all = (struct dataplane_targets){ 0 };
	return 0;
}

/* --- the sweep --------------------------------------------------------------------------------- */

struct sweeping {
	struct dataplane *dp;
	struct sg_server servers[SG_SERVERS_MAX]; /* as first read in this sweep */
	bool read[SG_SERVERS_MAX];
	struct dataplane_sweep result;
	struct items due;
	struct items dead;
	uint64_t now;
	uint64_t asleep;
	uint64_t next_ns;
};

/* The entry of a server, read once in a sweep; NULL if it is not in use. */
static const struct sg_server *server_of(struct sweeping *s, uint32_t id)
{
	int fd = bpf_map__fd(s->dp->skel->maps.srv_state);

	if (id >= SG_SERVERS_MAX)
		return NULL;
	if (!s->read[id] && bpf_map_lookup_elem(fd, &id, &s->servers[id]))
		return NULL;
	s->read[id] = true;
	return s->servers[id].flags & SG_SRV_USED ? &s->servers[id] : NULL;
}

static void next_at(struct sweeping *s, uint64_t at)
{
	if (at < s->next_ns)
		s->next_ns = at;
}

static int sweep_one(void *data, const struct sg_flow *f)
{
	struct sweeping *s = data;
	const struct sg_server *srv;
	struct sg_due due;

	if (f->flags & SG_FLOW_DEAD) {
		s->result.dead++;
		if (f->dead_ns + SG_GRACE_NS <= s->now)
			return items_add(&s->dead, f->cookie, 0);
		next_at(s, f->dead_ns + SG_GRACE_NS);
		return 0;
	}
	s->result.flows++;
	srv = server_of(s, f->server);
	if (!srv || srv->incarnation != f->incarnation)
		return 0;
	if (f->flags & SG_FLOW_PROBE && sg_flow_connecting(f)) /* and then it has little time */
		next_at(s, s->now + SG_UNUSED_NS);
	sg_flow_due(f, srv, s->asleep, &due);
	if (due.what == SG_DUE_NOTHING)
		return 0;
	if (due.at <= s->now)
		return items_add(&s->due, f->cookie, f->serial);
	next_at(s, due.at);
	return 0;
}

static void sweeping_done(struct sweeping **s)
{
	if (*s) {
		items_done(&(*s)->due);
		items_done(&(*s)->dead);
	}
	free(*s);
}

int dataplane_sweep(struct dataplane *dp, struct dataplane_sweep *ret)
{
	CLEANUP(sweeping_done) struct sweeping *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->dp = dp;
	s->next_ns = SG_FOREVER;
	dp->swept_ns = s->now = clock_boot_ns(); /* what begins from here on may have been missed */
	s->asleep = dataplane_asleep(dp);
	r = walk(dp, sweep_one, s);
	if (!r)
		r = judge(dp, SG_WALK_SWEEP, &s->due);
	if (!r)
		r = judge(dp, SG_WALK_BURY, &s->dead);
	dp->sweep_next_ns = r ? s->now + NS_PER_SEC : s->next_ns;
	if (r)
		return r;
	*ret = s->result;
	ret->ended = count_results(&s->due);
	ret->buried = count_results(&s->dead);
	ret->dead -= ret->buried;
	return 0;
}

/* The least time in which something that begins now can become due. */
static uint64_t soonest(const struct dataplane *dp)
{
	uint64_t least = SG_FOREVER;

	for (uint32_t id = 0; id < SG_SERVERS_MAX; id++)
		if (dp->soonest_ns[id] && dp->soonest_ns[id] < least)
			least = dp->soonest_ns[id];
	return least;
}

static uint64_t earlier(uint64_t a, uint64_t since, uint64_t ns)
{
	uint64_t b = ns < SG_FOREVER - since ? since + ns : SG_FOREVER;

	return a < b ? a : b;
}

uint64_t dataplane_sweep_due(const struct dataplane *dp)
{
	uint64_t turn = __atomic_load_n(&dp->pulse->turn_ns, __ATOMIC_RELAXED);
	uint64_t silent = __atomic_load_n(&dp->pulse->silent_ns, __ATOMIC_RELAXED);
	uint64_t dead = __atomic_load_n(&dp->pulse->dead_ns, __ATOMIC_RELAXED);
	uint64_t probe = __atomic_load_n(&dp->pulse->probe_ns, __ATOMIC_RELAXED);
	uint64_t due = dp->sweep_next_ns;

	if (turn >= dp->swept_ns)
		due = earlier(due, dp->swept_ns, soonest(dp));
	if (silent + PULSE_STEP_NS >= dp->swept_ns)
		due = earlier(due, dp->swept_ns, SG_SILENCE_NS);
	if (probe >= dp->swept_ns)
		due = earlier(due, dp->swept_ns, SG_UNUSED_NS);
	if (dead >= dp->swept_ns)
		due = earlier(due, dp->swept_ns, SG_GRACE_NS);
	return due;
}

/* --- records of a server that is no more --------------------------------------------------- */

static int of_server(void *data, const struct sg_flow *f)
{
	struct finding *find = data;

	return f->server == find->server ? items_add(&find->items, f->cookie, 0) : 0;
}

int dataplane_flows_forget(struct dataplane *dp, uint32_t server)
{
	CLEANUP(finding_done) struct finding find = { .server = server };
	int r = walk(dp, of_server, &find);

	return r ? r : judge(dp, SG_WALK_LOST, &find.items);
}

/* --- records of whose end nobody told -------------------------------------------------------- */

struct idling {
	uint64_t before;
	bool by_sockops;
	struct dataplane_targets all;
};

/* Of TCP sockets that make callbacks the end is always seen. */
static int idle_one(void *data, const struct sg_flow *f)
{
	struct idling *idle = data;
	bool told = f->flags & SG_FLOW_TUPLE && !(f->flags & (SG_FLOW_UDP | SG_FLOW_ADOPTED)) &&
		    idle->by_sockops;

	if (told || f->flags & SG_FLOW_DEAD || f->connect_ns > idle->before ||
	    f->request_ns > idle->before || f->last_ns > idle->before)
		return 0;
	return targets_add(&idle->all, f);
}

int dataplane_flows_idle(struct dataplane *dp, uint64_t idle_ns, struct dataplane_targets *ret)
{
	uint64_t now = clock_boot_ns();
	struct idling idle = { .before = now > idle_ns ? now - idle_ns : 0,
			       .by_sockops = dp->skel->rodata_sg->sg_rodata.by_sockops };
	int r = walk(dp, idle_one, &idle);

	if (r)
		dataplane_targets_done(&idle.all);
	else
		*ret = idle.all;
	return r;
}

/* --- adoption ------------------------------------------------------------------------------------ */

/* Runs an iterator to its end; how many cookies it wrote. */
static int adopt(const struct bpf_link *link, size_t *n)
{
	CLEANUP(closep) int fd = -1;
	uint64_t cookies[512];
	ssize_t got;

	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return log_failure(-errno, SUB, "cannot start a walk over sockets");
	for (;;) {
		got = read(fd, cookies, sizeof(cookies));
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got < 0)
			return log_failure(-errno, SUB, "a walk over sockets failed");
		if (!got)
			return 0;
		*n += (size_t)got / sizeof(cookies[0]);
	}
}

int dataplane_adopt_here(struct dataplane *dp, uint64_t netns_cookie, size_t *ret_n)
{
	struct sg_job job = { .netns = netns_cookie };
	__u32 zero = 0;
	size_t n = 0;
	int r = 0;

	if (bpf_map_update_elem(bpf_map__fd(dp->skel->maps.job), &zero, &job, BPF_ANY))
		return log_failure(-errno, SUB, "cannot write the iterators' parameters");
	if (dp->iter_adopt_tcp)
		r = adopt(dp->iter_adopt_tcp, &n);
	if (!r && dp->iter_adopt_udp)
		r = adopt(dp->iter_adopt_udp, &n);
	*ret_n = n;
	return r;
}

bool dataplane_adopts(const struct dataplane *dp)
{
	return dp->iter_adopt_tcp;
}

/* --- our own sockets, and killing ------------------------------------------------------------- */

int dataplane_own_add(struct dataplane *dp, int socket, uint64_t *ret_cookie)
{
	socklen_t len = sizeof(*ret_cookie);
	uint8_t one = 1;

	if (getsockopt(socket, SOL_SOCKET, SO_COOKIE, ret_cookie, &len))
		return -errno;
	return dataplane_map_put(dp->skel->maps.own, ret_cookie, &one, BPF_ANY);
}

void dataplane_own_remove(struct dataplane *dp, uint64_t cookie)
{
	bpf_map_delete_elem(bpf_map__fd(dp->skel->maps.own), &cookie);
}

void dataplane_can_kill(struct dataplane *dp, bool can)
{
	__atomic_store_n(&dp->cfg->can_kill, can, __ATOMIC_RELAXED);
}

bool dataplane_kills(const struct dataplane *dp)
{
	return __atomic_load_n(&dp->cfg->can_kill, __ATOMIC_RELAXED);
}
