/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fake/dataplane.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "hist.h"
#include "verdict.h"

/* --- calls and errors ------------------------------------------------------------------ */

void fake_fail(struct dataplane *dp, enum fake_fn fn, unsigned int n, unsigned int times, int error)
{
	dp->fail[fn].in = n;
	dp->fail[fn].times = times;
	dp->fail[fn].error = error;
}

void fake_forget_calls(struct dataplane *dp)
{
	dp->n_calls = 0;
}

size_t fake_called(const struct dataplane *dp, enum fake_fn fn, uint32_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < dp->n_calls; i++)
		n += dp->calls[i].fn == fn && (!id || dp->calls[i].id == id);
	return n;
}

size_t fake_commands(const struct dataplane *dp, enum sg_command_op op, uint32_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < dp->n_calls; i++)
		n += dp->calls[i].fn == FAKE_COMMAND && dp->calls[i].arg == op &&
		     (!id || dp->calls[i].id == id);
	return n;
}

/* Notes a call; 0, or -errno of it. */
static int called(struct dataplane *dp, enum fake_fn fn, uint32_t id, uint32_t arg)
{
	if (dp->n_calls < FAKE_CALLS_MAX)
		dp->calls[dp->n_calls++] = (struct fake_call){ fn, id, arg };
	if (!dp->fail[fn].times || !dp->fail[fn].in || --dp->fail[fn].in)
		return 0;
	dp->fail[fn].in = --dp->fail[fn].times ? 1 : 0;
	return -dp->fail[fn].error;
}

/* --- life ---------------------------------------------------------------------------------- */

struct dataplane *fake_dataplane_new(void)
{
	struct dataplane *dp = calloc(1, sizeof(*dp));

	if (!dp)
		abort();
	dp->ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fake_dataplane_wipe(dp);
	return dp;
}

void fake_dataplane_wipe(struct dataplane *dp)
{
	int fd = dp->ring_fd;

	memset(dp, 0, sizeof(*dp));
	dp->ring_fd = fd;
	for (size_t i = 0; i < SG_GROUPS_MAX; i++)
		dp->groups[i].limit = SG_UNLIMITED;
}

void dataplane_close(struct dataplane *dp)
{
	if (!dp)
		return;
	close(dp->ring_fd);
	free(dp);
}

int dataplane_detach(struct dataplane *dp, struct detach_result *ret)
{
	int r = called(dp, FAKE_DETACH, 0, 0);

	dp->detached = ret->detached = !r;
	return r;
}

bool dataplane_detached(const struct dataplane *dp)
{
	return dp->detached;
}

const char *dataplane_degraded(const struct dataplane *dp, size_t i)
{
	return i < DATAPLANE_DEGRADED_MAX ? dp->degraded[i] : NULL;
}

void dataplane_xdp_retry(struct dataplane *dp)
{
	dp->xdp_retries++;
}

const struct dataplane_xdp *dataplane_xdp(const struct dataplane *dp, size_t i)
{
	static const struct dataplane_xdp one = { "lo", "generic" };

	(void)dp;
	return i ? NULL : &one;
}

size_t dataplane_programs(struct dataplane *dp, struct dataplane_program *ret, size_t max)
{
	(void)dp;
	ret[0] = (struct dataplane_program){ "sg_one", 3, 1500000000 };
	return max > 0;
}

size_t dataplane_fill(struct dataplane *dp, struct dataplane_fill *ret, size_t max)
{
	(void)dp;
	ret[0] = (struct dataplane_fill){ "flows", 4, 65536 };
	return max > 0;
}

/* --- the ring ---------------------------------------------------------------------------------- */

bool fake_push(struct dataplane *dp, const struct sg_event *e)
{
	if (dp->ring_full || dp->n_queue == FAKE_QUEUE_MAX) {
		dp->lost++;
		return false;
	}
	dp->queue[dp->n_queue++] = *e;
	eventfd_write(dp->ring_fd, 1);
	return true;
}

static void push_move(struct dataplane *dp, uint32_t id, const struct sg_transition *mv)
{
	const struct sg_event e = { .t_ns = clock_boot_ns(),
				    .type = SG_EV_TRANSITION,
				    .server = id,
				    .generation = mv->generation,
				    .move = *mv };

	fake_push(dp, &e);
}

int dataplane_ring_fd(const struct dataplane *dp)
{
	return dp->ring_fd;
}

int dataplane_ring_read(struct dataplane *dp, dataplane_event_fn *fn, void *data)
{
	int r = called(dp, FAKE_RING_READ, 0, 0);
	eventfd_t unused;
	size_t n = 0;

	if (r)
		return r;
	(void)!eventfd_read(dp->ring_fd, &unused);
	while (n < dp->n_queue) {
		struct sg_event e = dp->queue[n++];

		fn(data, &e);
	}
	dp->n_queue = 0;
	return (int)n;
}

uint64_t dataplane_lost(const struct dataplane *dp)
{
	return dp->lost;
}

void dataplane_observe(struct dataplane *dp, bool observe)
{
	dp->observe = observe;
}

bool dataplane_observes(const struct dataplane *dp)
{
	return dp->observe;
}

bool dataplane_taken_over(const struct dataplane *dp)
{
	return dp->taken_over;
}

void dataplane_lease(struct dataplane *dp, uint64_t until_ns)
{
	dp->lease_ns = until_ns;
}

/* --- breakers: as bpf/command.bpf.c, report.bpf.h and group.bpf.h ------------------------------- */

static struct sg_group *blast(struct dataplane *dp)
{
	struct sg_group *g = &dp->groups[SG_GROUP_ALL];

	return g->limit == SG_UNLIMITED || !g->limit || dp->lease_ns < clock_boot_ns() ? NULL : g;
}

static void group_add(struct sg_group *g, int n)
{
	if (n > 0 || g->open)
		g->open += (__u32)n;
}

static bool reserve(struct dataplane *dp, uint32_t group)
{
	struct sg_group *all = blast(dp);
	struct sg_group *g = &dp->groups[group];

	if (all && all->open >= all->limit)
		return false;
	if (group && (g->open >= g->limit || (all && g->rest_until_ns > clock_boot_ns())))
		return false;
	if (all)
		all->open++;
	if (group) {
		g->open++;
		g->rest_until_ns = all ? clock_boot_ns() + all->rest_ns : g->rest_until_ns;
	}
	return true;
}

static int place(struct sg_server *srv)
{
	const struct sg_breaker *b = &srv->breaker;
	int was = (int)srv->placed;

	srv->placed = !b->shadow && (b->state == SG_OPEN || b->state == SG_HALF_OPEN ||
				     b->state == SG_FORCED_OPEN);
	return (int)srv->placed - was;
}

static void settle(struct dataplane *dp, struct sg_server *srv)
{
	int n = place(srv);

	if (srv->group)
		group_add(&dp->groups[srv->group], n);
}

static void bring_up(struct dataplane *dp, uint32_t id)
{
	struct sg_server *srv = &dp->servers[id].kernel;
	struct sg_transition mv;

	while (sg_breaker_tick(&srv->breaker, &srv->policy, clock_boot_ns(), &mv)) {
		settle(dp, srv);
		push_move(dp, id, &mv);
	}
}

static enum sg_effect trip(struct dataplane *dp, uint32_t id, uint32_t generation, uint8_t reason)
{
	struct sg_server *srv = &dp->servers[id].kernel;
	enum sg_effect effect;
	struct sg_transition mv;

	if (generation != srv->breaker.generation ||
	    (srv->breaker.state != SG_CLOSED && srv->breaker.state != SG_RAMP))
		return SG_EFFECT_STALE;
	if (!srv->breaker.may_trip || !reserve(dp, srv->group)) {
		dp->servers[id].stats.overflow++;
		return SG_EFFECT_OVERFLOW;
	}
	effect = sg_breaker_trip(&srv->breaker, &srv->policy, clock_boot_ns(), generation, reason,
				 &mv);
	place(srv);
	if (effect == SG_EFFECT_MOVED)
		push_move(dp, id, &mv);
	return effect;
}

static void count(struct sg_stats *stats, const struct fake_ended *e)
{
	stats->requests++;
	stats->success += e->outcome == SG_SUCCESS;
	stats->hard += e->outcome == SG_HARD;
	stats->soft += e->outcome == SG_SOFT;
	stats->refused += e->cause == SG_CAUSE_REFUSED;
}

static void end(struct dataplane *dp, uint32_t id, uint32_t generation, const struct fake_ended *e)
{
	struct sg_server *srv = &dp->servers[id].kernel;
	struct sg_breaker *b = &srv->breaker;
	struct sg_event event = { .t_ns = clock_boot_ns(),
				  .type = SG_EV_OUTCOME,
				  .server = id,
				  .generation = generation,
				  .latency_ns = e->latency_ns,
				  .status = e->status,
				  .outcome = (__u8)e->outcome,
				  .cause = (__u8)e->cause,
				  .flags = (__u8)e->flags };
	bool may_trip = b->may_trip;
	struct sg_transition mv;

	count(&dp->servers[id].stats, e);
	b->may_trip = 0; /* a streak trips below, within the limits */
	event.effect = (__u8)sg_breaker_outcome(b, &srv->policy, clock_boot_ns(), generation,
						e->outcome, e->flags, 0, &mv);
	b->may_trip = may_trip;
	if (event.effect == SG_EFFECT_OVERFLOW)
		event.effect = (__u8)trip(dp, id, generation, SG_REASON_CONSECUTIVE);
	else if (mv.moved)
		push_move(dp, id, &mv);
	settle(dp, srv);
	event.streak = b->streak;
	fake_push(dp, &event);
}

void fake_end(struct dataplane *dp, uint32_t id, const struct fake_ended *e)
{
	bring_up(dp, id);
	end(dp, id, dp->servers[id].kernel.breaker.generation, e);
}

void fake_failures(struct dataplane *dp, uint32_t id, unsigned int n)
{
	while (n-- > 0)
		fake_end(dp, id,
			 &(struct fake_ended){ SG_HARD, SG_CAUSE_REFUSED, NS_PER_MS, 0, 0 });
}

void fake_successes(struct dataplane *dp, uint32_t id, unsigned int n)
{
	while (n-- > 0)
		fake_end(dp, id,
			 &(struct fake_ended){ SG_SUCCESS, SG_CAUSE_ANSWER, NS_PER_MS,
					       SG_OUT_COMPLETE, 200 });
}

void fake_ask_kill(struct dataplane *dp, uint32_t id)
{
	fake_push(dp,
		  &(struct sg_event){ .t_ns = clock_boot_ns(), .type = SG_EV_KILL, .server = id });
}

void fake_ask_search(struct dataplane *dp, uint32_t id)
{
	fake_push(dp, &(struct sg_event){ .t_ns = clock_boot_ns(),
					  .type = SG_EV_KILL,
					  .server = id,
					  .flags = SG_KILL_SEARCH });
}

void fake_order(struct dataplane *dp, uint32_t id, enum sg_state to, uint64_t until_ns)
{
	struct sg_command cmd = {
		.op = SG_CMD_ORDER, .server = id, .state = (__u8)to, .until_ns = until_ns
	};

	if (dataplane_command(dp, &cmd))
		abort();
}

static void configure(struct sg_server *srv, const struct sg_command *cmd)
{
	srv->flags = (srv->flags & SG_SRV_OWN) | (cmd->flags & ~SG_SRV_OWN);
	srv->group = cmd->group;
	srv->policy = cmd->policy;
	srv->breaker.may_trip = cmd->breaker.may_trip;
	srv->breaker.next_open_ns = cmd->breaker.next_open_ns;
}

static void forget(struct sg_server *srv)
{
	uint32_t generation = srv->breaker.generation;

	srv->flags = srv->group = 0;
	memset(&srv->breaker, 0, sizeof(srv->breaker));
	memset(&srv->policy, 0, sizeof(srv->policy));
	srv->breaker.generation = generation + 1;
}

static void probe_ended(struct dataplane *dp, const struct sg_command *cmd)
{
	const struct sg_ended *e = &cmd->ended;
	struct sg_breaker *b = &dp->servers[cmd->server].kernel.breaker;

	if (e->outcome >= SG_CLASS_COUNT)
		sg_breaker_give_back(b, e->generation, false);
	else
		end(dp, cmd->server, e->generation,
		    &(struct fake_ended){ (enum sg_class)e->outcome, (enum sg_cause)e->cause,
					  e->latency_ns, e->flags, e->status });
}

static void apply(struct dataplane *dp, struct sg_command *cmd)
{
	struct sg_server *srv = &dp->servers[cmd->server].kernel;
	struct sg_transition unused;

	switch (cmd->op) {
	case SG_CMD_CONFIGURE:
		configure(srv, cmd);
		break;
	case SG_CMD_TRIP:
		cmd->effect = (__u8)trip(dp, cmd->server, cmd->generation, cmd->reason);
		break;
	case SG_CMD_ORDER:
		sg_breaker_order(&srv->breaker, &srv->policy, cmd->state, clock_boot_ns(),
				 cmd->until_ns, &unused);
		break;
	case SG_CMD_RESET:
		sg_breaker_reset(&srv->breaker, &srv->policy, clock_boot_ns(), &unused);
		break;
	case SG_CMD_RESTORE:
		srv->breaker = cmd->breaker;
		break;
	case SG_CMD_FORGET:
		forget(srv);
		break;
	case SG_CMD_OUTCOME:
		probe_ended(dp, cmd);
		break;
	case SG_CMD_PROBE:
		cmd->state = (__u8)sg_breaker_admit(&srv->breaker, &srv->policy, clock_boot_ns(), 0,
						    true);
		break;
	default:
		break;
	}
}

int dataplane_command(struct dataplane *dp, struct sg_command *cmd)
{
	struct sg_server *srv = &dp->servers[cmd->server].kernel;
	uint32_t group = srv->group;
	bool own = cmd->op == SG_CMD_TRIP || cmd->op == SG_CMD_OUTCOME; /* moves are told there */
	int r = called(dp, FAKE_COMMAND, cmd->server, cmd->op);
	uint32_t seq;
	int n;

	if (r)
		return r;
	if (srv->flags & SG_SRV_USED)
		bring_up(dp, cmd->server);
	else if (own || cmd->op == SG_CMD_PROBE)
		return -ENOENT;
	seq = srv->breaker.last.seq;
	apply(dp, cmd);
	cmd->breaker = srv->breaker;
	cmd->policy = srv->policy;
	cmd->flags = srv->flags;
	n = place(srv);
	if (srv->group == group) {
		if (group)
			group_add(&dp->groups[group], n);
	} else {
		if (group && (int)srv->placed - n)
			group_add(&dp->groups[group], -1);
		if (srv->group && srv->placed)
			group_add(&dp->groups[srv->group], 1);
	}
	cmd->moved = srv->breaker.last.seq != seq && cmd->op != SG_CMD_RESTORE &&
		     cmd->op != SG_CMD_FORGET;
	if (cmd->moved && !own)
		push_move(dp, cmd->server, &srv->breaker.last);
	return 0;
}

/* --- servers ------------------------------------------------------------------------------------ */

uint32_t fake_id(const struct dataplane *dp, const char *name)
{
	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++)
		if (!strcmp(dp->servers[id].name, name))
			return id;
	return 0;
}

int dataplane_server_find(struct dataplane *dp, const char *name, uint32_t *ret_id)
{
	int r = called(dp, name[0] ? FAKE_SERVER_FIND : FAKE_SERVER_NEW, 0, 0);
	uint32_t id = fake_id(dp, name);

	if (r)
		return r;
	if (id)
		*ret_id = id;
	return id ? 0 : -ENOENT;
}

int dataplane_server_name(struct dataplane *dp, uint32_t id, char *name)
{
	memcpy(name, dp->servers[id].name, SG_NAME_LEN);
	return dp->fail[FAKE_SERVER_NAME].times ? called(dp, FAKE_SERVER_NAME, id, 0) : 0;
}

int dataplane_server_set(struct dataplane *dp, uint32_t id, const char *name, uint32_t flags,
			 uint32_t group, const struct sg_policy *policy, uint64_t next_open_ns,
			 bool may_trip)
{
	struct sg_command cmd = { .op = SG_CMD_CONFIGURE,
				  .server = id,
				  .group = group,
				  .flags = flags | SG_SRV_USED,
				  .policy = *policy };
	int r = called(dp, FAKE_SERVER_SET, id, flags);

	if (r)
		return r;
	snprintf(dp->servers[id].name, SG_NAME_LEN, "%s", name);
	cmd.breaker.next_open_ns = next_open_ns;
	cmd.breaker.may_trip = may_trip;
	return dataplane_command(dp, &cmd);
}

int dataplane_server_group(struct dataplane *dp, uint32_t id, uint32_t *ret_group)
{
	*ret_group = dp->servers[id].kernel.group;
	return called(dp, FAKE_SERVER_GROUP, id, 0);
}

int dataplane_server_forget(struct dataplane *dp, uint32_t id)
{
	struct sg_command cmd = { .op = SG_CMD_FORGET, .server = id };
	int r = called(dp, FAKE_SERVER_FORGET, id, 0);
	struct sg_server kernel;

	if (!r)
		r = dataplane_command(dp, &cmd);
	if (r)
		return r;
	kernel = dp->servers[id].kernel;
	memset(&dp->servers[id], 0, sizeof(dp->servers[id]));
	dp->servers[id].kernel = kernel;
	return 0;
}

int dataplane_group_set(struct dataplane *dp, uint32_t group, const struct dataplane_group *to,
			uint32_t *ret_open)
{
	struct sg_group *g = &dp->groups[group];
	int r = called(dp, FAKE_GROUP_SET, group, to->limit);

	if (r)
		return r;
	g->open = g->open > to->take_back ? g->open - to->take_back : 0;
	g->limit = to->limit;
	g->rest_ns = to->rest_ns;
	if (ret_open)
		*ret_open = g->open;
	return 0;
}

int dataplane_group_open(struct dataplane *dp, uint32_t group, uint32_t *ret_open)
{
	*ret_open = dp->groups[group].open;
	return called(dp, FAKE_GROUP_OPEN, group, 0);
}

int dataplane_quarantine_set(struct dataplane *dp, uint32_t id, uint64_t until_ns)
{
	int r = called(dp, FAKE_QUARANTINE_SET, id, until_ns != 0);

	if (!r)
		dp->servers[id].quarantine_ns = until_ns;
	return r;
}

void dataplane_quarantine_sync(struct dataplane *dp)
{
	(void)dp;
}

uint64_t dataplane_quarantine_until(const struct dataplane *dp, uint32_t id)
{
	return dp->servers[id].quarantine_ns;
}

int dataplane_stats(struct dataplane *dp, uint32_t id, struct sg_stats *ret)
{
	int r = called(dp, FAKE_STATS, id, 0);

	if (!r)
		*ret = dp->servers[id].stats;
	return r;
}

int dataplane_hist(struct dataplane *dp, uint32_t id, enum sg_metric metric, struct sg_hist *ret)
{
	memset(ret, 0, sizeof(*ret));
	return called(dp, FAKE_HIST, id, metric);
}

int dataplane_endpoints_set(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n)
{
	struct fake_server *s = &dp->servers[id];
	int r = called(dp, FAKE_ENDPOINTS_SET, id, (uint32_t)n);

	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		s->addrs[i] = addrs[i];
		s->ports[i] = ports[i];
	}
	s->n_addrs = n;
	return 0;
}

uint32_t dataplane_server_at(struct dataplane *dp, const uint8_t addr[16], uint16_t port, bool home)
{
	(void)home;
	for (uint32_t id = SG_RESERVED; id < SG_SERVERS_MAX; id++)
		for (size_t i = 0; i < dp->servers[id].n_addrs; i++)
			if (!memcmp(dp->servers[id].addrs[i].bytes, addr, 16) &&
			    dp->servers[id].ports[i] == port)
				return id;
	return SG_SERVERS_MAX;
}

/* In the kernel the older ones would stay until dataplane_endpoints_set(). */
int dataplane_endpoints_add(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			    const uint16_t *ports, size_t n)
{
	(void)dp;
	(void)id;
	(void)addrs;
	(void)ports;
	(void)n;
	return 0;
}

int dataplane_endpoints_get(struct dataplane *dp, uint32_t id, struct addr *ret, size_t max,
			    size_t *ret_n)
{
	struct fake_server *s = &dp->servers[id];

	*ret_n = s->n_addrs < max ? s->n_addrs : max;
	memcpy(ret, s->addrs, *ret_n * sizeof(*ret));
	return 0;
}

bool dataplane_endpoints_left(const struct dataplane *dp, uint32_t id)
{
	(void)dp;
	(void)id;
	return false;
}

int dataplane_networks_set(struct dataplane *dp, uint32_t id, const struct dataplane_net *nets,
			   size_t n)
{
	int r = called(dp, FAKE_NETWORKS_SET, id, (uint32_t)n);

	(void)nets;
	if (!r)
		dp->servers[id].n_networks = n;
	return r;
}

int dataplane_locals_set(struct dataplane *dp, const struct addr *addrs, size_t n)
{
	(void)addrs;
	return called(dp, FAKE_LOCALS_SET, 0, (uint32_t)n);
}

/* --- connections -------------------------------------------------------------------------------- */

int dataplane_sweep(struct dataplane *dp, struct dataplane_sweep *ret)
{
	memset(ret, 0, sizeof(*ret));
	dp->sweeps++;
	return called(dp, FAKE_SWEEP, 0, 0);
}

uint64_t dataplane_sweep_due(const struct dataplane *dp)
{
	(void)dp;
	return 0;
}

int dataplane_own_add(struct dataplane *dp, int socket, uint64_t *ret_cookie)
{
	*ret_cookie = (uint64_t)socket + 1;
	dp->own++;
	return called(dp, FAKE_OWN_ADD, 0, 0);
}

void dataplane_own_remove(struct dataplane *dp, uint64_t cookie)
{
	(void)cookie;
	dp->own--;
}

int kill_server(struct dataplane *dp, uint32_t server, enum kill_scope scope,
		struct kill_result *ret)
{
	*ret = dp->servers[server].kill;
	return called(dp, FAKE_KILL, server, scope);
}

bool dataplane_adopts(const struct dataplane *dp)
{
	(void)dp;
	return true;
}

int kill_soon(struct dataplane *dp, uint32_t server, enum kill_scope scope, uint64_t until_ns,
	      struct kill_result *ret, bool *ret_left)
{
	(void)until_ns;
	*ret_left = false;
	return kill_server(dp, server, scope, ret);
}

int kill_order_run(void *order, void *outcome, size_t size)
{
	const struct kill_order *o = order;
	struct kill_outcome *out = outcome;

	return size == sizeof(*out) ? kill_server(o->dp, o->server, o->scope, &out->kill) : -EINVAL;
}

void kill_outcome_note(struct dataplane *dp, uint32_t server, const struct kill_outcome *outcome)
{
	(void)outcome;
	dp->servers[server].unrecorded = 0;
}

uint64_t kill_unrecorded(struct dataplane *dp, uint32_t server)
{
	return dp->servers[server].unrecorded;
}

void kill_forget_server(struct dataplane *dp, uint32_t server)
{
	(void)called(dp, FAKE_KILL_FORGET_SERVER, server, 0);
}

int kill_forget_lost(void *search, void *n, size_t size)
{
	(void)n;
	(void)size;
	return called(((struct kill_search *)search)->dp, FAKE_KILL_FORGET_LOST, 0, 0);
}

bool dataplane_finds_held(const struct dataplane *dp)
{
	return dp->finds_held;
}

int kill_look(void *search, void *seen, size_t size)
{
	struct dataplane *dp = ((struct kill_search *)search)->dp;

	if (size != sizeof(dp->held))
		return -EINVAL;
	memcpy(seen, &dp->held, size);
	return called(dp, FAKE_KILL_LOOK, 0, 0);
}

void kill_adopted(struct dataplane *dp, bool all)
{
	(void)dp;
	(void)all;
}

int kill_adopt(void *search, void *n, size_t size)
{
	struct dataplane *dp = ((struct kill_search *)search)->dp;

	(void)size;
	memcpy(n, &dp->adopted, sizeof(dp->adopted));
	return called(dp, FAKE_KILL_ADOPT, 0, 0);
}
