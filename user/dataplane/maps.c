/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Servers and their counters: the maps. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"

bool dataplane_taken_over(const struct dataplane *dp)
{
	return dp->taken_over;
}

const char *dataplane_degraded(const struct dataplane *dp, size_t i)
{
	if (i < dp->n_degraded)
		return dp->degraded[i];
	i -= dp->n_degraded;
	for (size_t k = 0; k < dp->n_xdp; k++)
		if (dp->xdp_error[k][0] && i-- == 0)
			return dp->xdp_error[k];
	return NULL;
}

const struct dataplane_xdp *dataplane_xdp(const struct dataplane *dp, size_t i)
{
	for (size_t k = 0; k < dp->n_xdp; k++)
		if (!dp->xdp_error[k][0] && i-- == 0)
			return &dp->xdp[k];
	return NULL;
}

size_t dataplane_programs(struct dataplane *dp, struct dataplane_program *ret, size_t max)
{
	struct bpf_program *prog;
	size_t n = 0;

	bpf_object__for_each_program(prog, dp->skel->obj)
	{
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);

		if (n == max)
			break;
		if (!dataplane_loaded(prog) ||
		    bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			continue;
		ret[n].name = bpf_program__name(prog);
		ret[n].run_count = info.run_cnt;
		ret[n].run_ns = info.run_time_ns;
		n++;
	}
	return n;
}

static int count(void *data, UNUSED const void *key, UNUSED const void *value)
{
	uint32_t *n = data;

	++*n;
	return 0;
}

static uint32_t map_used(const struct bpf_map *map)
{
	uint8_t key[64];
	uint8_t next[64];
	const void *at = NULL;
	uint32_t n = 0;
	uint32_t max = bpf_map__max_entries(map);

	if (bpf_map__type(map) == BPF_MAP_TYPE_HASH) {
		(void)!dataplane_map_walk(map, "cannot count the entries of a map", count, &n);
		return n;
	}
	if (bpf_map__key_size(map) > sizeof(key))
		return 0;
	while (n < max && !bpf_map_get_next_key(bpf_map__fd(map), at, next)) {
		memcpy(key, next, bpf_map__key_size(map));
		at = key;
		n++;
	}
	return n;
}

size_t dataplane_fill(struct dataplane *dp, struct dataplane_fill *ret, size_t max)
{
	const struct bpf_map *const maps[] = { dp->skel->maps.ep2srv, dp->skel->maps.net2srv,
					       dp->skel->maps.local_addrs, dp->skel->maps.stats,
					       dp->skel->maps.flows };
	size_t n = 0;

	for (; n < ARRAY_SIZE(maps) && n < max; n++) {
		ret[n].map = bpf_map__name(maps[n]);
		ret[n].used = map_used(maps[n]);
		ret[n].max = bpf_map__max_entries(maps[n]);
	}
	return n;
}

/* --- servers -------------------------------------------------------------------------- */

int dataplane_server_name(struct dataplane *dp, uint32_t id, char *name)
{
	struct sg_name entry;

	if (bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_name), &id, &entry))
		return -errno;
	entry.name[SG_NAME_LEN - 1] = '\0';
	memcpy(name, entry.name, SG_NAME_LEN);
	return 0;
}

int dataplane_server_find(struct dataplane *dp, const char *name, uint32_t *ret_id)
{
	CLEANUP(freep) struct sg_name *names = calloc(SG_SERVERS_MAX, sizeof(*names));
	CLEANUP(freep) uint32_t *ids = calloc(SG_SERVERS_MAX, sizeof(*ids));
	uint32_t n = SG_SERVERS_MAX;
	uint32_t cursor;
	int r;

	if (!names || !ids)
		return -ENOMEM;
	r = bpf_map_lookup_batch(bpf_map__fd(dp->skel->maps.srv_name), NULL, &cursor, ids, names,
				 &n, NULL);
	if (r && r != -ENOENT)
		return log_failure(r, SUB, "cannot read the servers' names");
	for (uint32_t i = 0; i < n; i++) {
		names[i].name[SG_NAME_LEN - 1] = '\0';
		if (ids[i] < SG_RESERVED || strcmp(names[i].name, name))
			continue;
		*ret_id = ids[i];
		return 0;
	}
	return -ENOENT;
}

/* Makes an entry of zeros in a per-CPU map if there is none. */
static int percpu_ensure(struct dataplane *dp, const struct bpf_map *map, const void *key,
			 size_t value_size)
{
	CLEANUP(freep) void *zeros = calloc(dp->cpus, (value_size + 7) / 8 * 8);
	int r;

	if (!zeros)
		return -ENOMEM;
	r = dataplane_map_put(map, key, zeros, BPF_NOEXIST);
	if (r && r != -EEXIST)
		return log_failure(r, SUB, "cannot make counters in the map %s",
				   bpf_map__name(map));
	return 0;
}

static int counters_ensure(struct dataplane *dp, uint32_t id)
{
	int r = percpu_ensure(dp, dp->skel->maps.stats, &id, sizeof(struct sg_stats));

	for (uint32_t m = 0; m < SG_METRIC_COUNT && !r; m++) {
		struct sg_hist_key key = { .server = id, .metric = m };

		r = percpu_ensure(dp, dp->skel->maps.hist, &key, sizeof(struct sg_hist));
	}
	return r;
}

static uint64_t soonest(const struct sg_policy *p)
{
	uint64_t least = p->connect_ns < p->timeout_ns ? p->connect_ns : p->timeout_ns;

	if (p->probe_lease_ns && p->probe_lease_ns < least)
		least = p->probe_lease_ns;
	return least ? least : 1;
}

int dataplane_server_set(struct dataplane *dp, uint32_t id, const char *name, uint32_t flags,
			 uint32_t group, const struct sg_policy *policy, uint64_t next_open_ns,
			 bool may_trip)
{
	struct sg_command cmd = { .op = SG_CMD_CONFIGURE, .server = id, .group = group };
	struct sg_name entry = { { 0 } };
	int r;

	r = counters_ensure(dp, id);
	if (r)
		return r;
	snprintf(entry.name, sizeof(entry.name), "%s", name);
	if (bpf_map_update_elem(bpf_map__fd(dp->skel->maps.srv_name), &id, &entry, BPF_ANY))
		return log_failure(-errno, SUB, "cannot name server %u \"%s\"", id, name);
	cmd.flags = flags | SG_SRV_USED;
	cmd.policy = *policy;
	cmd.breaker.next_open_ns = next_open_ns;
	cmd.breaker.may_trip = may_trip;
	r = dataplane_command(dp, &cmd);
	if (r)
		return r;
	dp->soonest_ns[id] = soonest(policy);
	dp->sweep_next_ns = 0; /* its limits may have become shorter */
	return 0;
}

int dataplane_server_group(struct dataplane *dp, uint32_t id, uint32_t *ret_group)
{
	struct sg_server entry;

	if (bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.srv_state), &id, &entry))
		return -errno;
	*ret_group = entry.group;
	return 0;
}

int dataplane_group_set(struct dataplane *dp, uint32_t group, const struct dataplane_group *to,
			uint32_t *ret_open)
{
	struct sg_command cmd = { .op = SG_CMD_GROUP,
				  .server = group,
				  .limit = to->limit,
				  .flags = to->take_back,
				  .until_ns = to->rest_ns };
	int r = dataplane_command(dp, &cmd);

	if (!r && ret_open)
		*ret_open = cmd.flags;
	return r;
}

int dataplane_group_open(struct dataplane *dp, uint32_t group, uint32_t *ret_open)
{
	struct sg_group entry;

	if (bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.groups), &group, &entry))
		return -errno;
	*ret_open = entry.open;
	return 0;
}

int dataplane_killed_add(struct dataplane *dp, uint32_t id, uint32_t n)
{
	struct sg_command cmd = { .op = SG_CMD_KILLED, .server = id, .flags = n };

	return dataplane_command(dp, &cmd);
}

int dataplane_server_forget(struct dataplane *dp, uint32_t id)
{
	struct sg_command cmd = { .op = SG_CMD_FORGET, .server = id };
	struct sg_name entry = { { 0 } };
	int r;

	r = dataplane_endpoints_set(dp, id, NULL, NULL, 0);
	if (!r)
		r = dataplane_networks_set(dp, id, NULL, 0);
	if (!r)
		r = dataplane_unix_set(dp, id, NULL);
	if (!r)
		r = dataplane_redirect_set(dp, id, &(struct sg_redirect){ 0 });
	if (!r)
		r = dataplane_quarantine_set(dp, id, 0);
	if (!r)
		r = dataplane_command(dp, &cmd);
	if (!r)
		r = dataplane_flows_forget(dp, id);
	if (r)
		return r;
	dp->soonest_ns[id] = 0;
	bpf_map_delete_elem(bpf_map__fd(dp->skel->maps.stats), &id);
	for (uint32_t m = 0; m < SG_METRIC_COUNT; m++) {
		struct sg_hist_key key = { .server = id, .metric = m };

		bpf_map_delete_elem(bpf_map__fd(dp->skel->maps.hist), &key);
	}
	return bpf_map_update_elem(bpf_map__fd(dp->skel->maps.srv_name), &id, &entry, BPF_ANY);
}

static uint64_t quarantine_latest(const struct dataplane *dp)
{
	uint64_t latest = 0;

	for (uint32_t id = 0; id < SG_SERVERS_MAX; id++) {
		uint64_t until = __atomic_load_n(&dp->quarantine[id], __ATOMIC_SEQ_CST);

		if (until > latest)
			latest = until;
	}
	return latest;
}

/* The self-test's child does this, too: who wrote last has seen what all others wrote. */
void dataplane_quarantine_sync(struct dataplane *dp)
{
	uint64_t latest;

	do {
		latest = quarantine_latest(dp);
		__atomic_store_n(dp->cutoff, latest, __ATOMIC_SEQ_CST);
	} while (latest != quarantine_latest(dp));
}

int dataplane_quarantine_set(struct dataplane *dp, uint32_t id, uint64_t until_ns)
{
	if (bpf_map_update_elem(bpf_map__fd(dp->skel->maps.quarantine), &id, &until_ns, BPF_ANY))
		return log_failure(-errno, SUB, "cannot write the quarantine of server %u", id);
	dataplane_quarantine_sync(dp);
	return 0;
}

uint64_t dataplane_quarantine_until(const struct dataplane *dp, uint32_t id)
{
	return id < SG_SERVERS_MAX ? __atomic_load_n(&dp->quarantine[id], __ATOMIC_RELAXED) : 0;
}

/* Adds the per-CPU values, which are arrays of u64, up. */
static int percpu_sum(struct dataplane *dp, const struct bpf_map *map, const void *key, void *ret,
		      size_t size)
{
	CLEANUP(freep) uint64_t *values = calloc(dp->cpus, size);
	uint64_t *sum = ret;
	size_t words = size / sizeof(uint64_t);

	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map), key, values))
		return -errno;
	memset(ret, 0, size);
	for (unsigned int cpu = 0; cpu < dp->cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			sum[i] += values[cpu * words + i];
	return 0;
}

int dataplane_stats(struct dataplane *dp, uint32_t id, struct sg_stats *ret)
{
	return percpu_sum(dp, dp->skel->maps.stats, &id, ret, sizeof(*ret));
}

int dataplane_hist(struct dataplane *dp, uint32_t id, enum sg_metric metric, struct sg_hist *ret)
{
	struct sg_hist_key key = { .server = id, .metric = metric };

	return percpu_sum(dp, dp->skel->maps.hist, &key, ret, sizeof(*ret));
}

/* --- time and events ----------------------------------------------------------------------- */

void dataplane_lease(struct dataplane *dp, uint64_t until_ns)
{
	/* the wall clock may be set at any time: dates are read by what it shows now */
	__atomic_store_n(&dp->cfg->wall_ns, clock_wall_ns() - clock_boot_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&dp->cfg->lease_until_ns, until_ns, __ATOMIC_RELAXED);
}

bool dataplane_observes(const struct dataplane *dp)
{
	return dp->observe;
}

void dataplane_observe(struct dataplane *dp, bool observe)
{
	dp->observe = observe;
	__atomic_store_n(&dp->cfg->observe, observe, __ATOMIC_RELAXED);
}

void dataplane_bypass(struct dataplane *dp, uint64_t until_ns)
{
	__atomic_store_n(&dp->cfg->bypass_until_ns, until_ns, __ATOMIC_RELAXED);
}

uint64_t dataplane_bypass_until(const struct dataplane *dp)
{
	uint64_t until = __atomic_load_n(&dp->cfg->bypass_until_ns, __ATOMIC_RELAXED);

	return until > clock_boot_ns() ? until : 0;
}

bool dataplane_lets_pass(const struct dataplane *dp)
{
	return dp->observe || dataplane_bypass_until(dp);
}

uint64_t dataplane_lost(const struct dataplane *dp)
{
	return __atomic_load_n(&dp->pulse->lost_events, __ATOMIC_RELAXED);
}

int dataplane_ring_fd(const struct dataplane *dp)
{
	return ring_buffer__epoll_fd(dp->ring);
}

int dataplane_ring_read(struct dataplane *dp, dataplane_event_fn *fn, void *data)
{
	int r;

	dp->event_fn = fn;
	dp->event_data = data;
	r = ring_buffer__consume(dp->ring);
	dp->event_fn = NULL;
	return r;
}
