/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Opening: pins, load, what a fresh load needs, and attaching, in this order. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "core/answer.h"
#include "dataplane/isolate.h"
#include "dataplane/private.h"

#define SUB "bpf"

/* Of an array of u64, or of structs that are made of them: nothing lies between its elements. */
static size_t map_bytes(const struct bpf_map *map)
{
	return (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
}

/* NULL, logged, if it cannot be. */
static void *map_mmap(const struct bpf_map *map)
{
	void *p =
		mmap(NULL, map_bytes(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (p != MAP_FAILED)
		return p;
	log_failure(-errno, SUB, "cannot map %s into memory", bpf_map__name(map));
	return NULL;
}

static void map_munmap(const struct bpf_map *map, void *at)
{
	if (at)
		munmap(at, map_bytes(map));
}

/* --- open ----------------------------------------------------------------------------- */

static int tables_write(struct dataplane *dp)
{
	struct sg_http_table table;
	__u32 zero = 0;
	int r;

	r = answer_table_build(&table);
	if (!r)
		r = bpf_map_update_elem(bpf_map__fd(dp->skel->maps.http_dfa), &zero, &table,
					BPF_ANY);
	if (r)
		return log_failure(r, SUB, "cannot write the HTTP table");
	return 0;
}

static int config_write(struct dataplane *dp, const struct dataplane_options *o)
{
	int r;

	dp->cfg = map_mmap(dp->skel->maps.cfg);
	dp->pulse = map_mmap(dp->skel->maps.pulse);
	dp->cutoff = map_mmap(dp->skel->maps.cutoff);
	dp->quarantine = map_mmap(dp->skel->maps.quarantine);
	if (!dp->cfg || !dp->pulse || !dp->cutoff || !dp->quarantine)
		return -ENOMEM;
	r = dataplane_cookie_here(dp, &dp->home_netns);
	if (r)
		return r;
	if (!dp->pulse->asleep_ns) /* else a load before this one has seen how long it slept */
		dp->pulse->asleep_ns = dataplane_asleep(dp);
	dp->cfg->abi = SG_ABI;
	dp->cfg->home_netns = dp->home_netns;
	dp->cfg->observe = o->observe;
	return 0;
}

/* Sockets of a daemon before this one: closed with it, or never closed by it. */
static int own_forget(struct dataplane *dp)
{
	int fd = bpf_map__fd(dp->skel->maps.own);
	uint64_t cookie;

	for (uint32_t i = 0; i < SG_OWN_MAX && !bpf_map_get_next_key(fd, NULL, &cookie); i++)
		if (bpf_map_delete_elem(fd, &cookie) && errno != ENOENT)
			return log_failure(-errno, SUB, "cannot clear the map of own sockets");
	return 0;
}

static int on_event(void *ctx, void *data, size_t size)
{
	struct dataplane *dp = ctx;

	if (size >= sizeof(struct sg_event) && dp->event_fn)
		dp->event_fn(dp->event_data, data);
	return 0;
}

int dataplane_open(const struct dataplane_options *o, struct dataplane **ret)
{
	CLEANUP(dataplane_closep) struct dataplane *dp = calloc(1, sizeof(*dp));
	int r;

	if (!dp)
		return -ENOMEM;
	dp->dir_fd = -1;
	dp->observe = o->observe;
	dp->pin_dir = strdup(o->pin_dir);
	dp->cgroup = strdup(o->cgroup);
	dp->cpus = (unsigned int)libbpf_num_possible_cpus();
	if (!dp->pin_dir || !dp->cgroup)
		return -ENOMEM;
	dp->cgroups = cgroup_names_new(o->cgroup);
	r = netns_new(&dp->netns);
	if (!r)
		r = dataplane_pins_open(dp);
	if (!r)
		r = dataplane_load(dp, o);
	if (!r)
		r = tables_write(dp);
	if (!r)
		r = config_write(dp, o);
	if (!r)
		r = dataplane_maps_pin(dp);
	if (!r)
		r = own_forget(dp);
	if (!r) {
		dataplane_subuids_write(dp);
		dataplane_quarantine_sync(dp);
	}
	if (!r)
		r = dataplane_attach(dp, o);
	if (r)
		return r;
	dataplane_isolations_take_over(dp);
	netns_cookies(dp->netns, dataplane_cookie_here, dp);
	dp->ring = ring_buffer__new(bpf_map__fd(dp->skel->maps.ev), on_event, dp, NULL);
	if (!dp->ring)
		return log_failure(-errno, SUB, "cannot read the event ring");
	r = dataplane_captures_open(dp);
	if (r)
		return r;
	*ret = TAKE_PTR(dp);
	return 0;
}

static void put(int *to, size_t max, size_t *n, int fd)
{
	if (fd >= 0 && *n < max)
		to[(*n)++] = fd;
}

size_t dataplane_child_fds(const struct dataplane *dp, int *ret, size_t max)
{
	struct bpf_map *map;
	size_t n = 0;

	put(ret, max, &n, netns_home_fd(dp->netns));
	put(ret, max, &n, bpf_program__fd(dp->skel->progs.sg_command));
	put(ret, max, &n, bpf_program__fd(dp->skel->progs.sg_walk));
	put(ret, max, &n, bpf_program__fd(dp->skel->progs.sg_netns));
	n += dataplane_isolation_fds(dp, ret + n, max - n);
	if (dp->iter_adopt_tcp)
		put(ret, max, &n, bpf_link__fd(dp->iter_adopt_tcp));
	if (dp->iter_adopt_udp)
		put(ret, max, &n, bpf_link__fd(dp->iter_adopt_udp));
	if (dp->iter_held)
		put(ret, max, &n, bpf_link__fd(dp->iter_held));
	for (map = bpf_object__next_map(dp->skel->obj, NULL); map;
	     map = bpf_object__next_map(dp->skel->obj, map))
		put(ret, max, &n, bpf_map__fd(map));
	return n;
}

void dataplane_close(struct dataplane *dp)
{
	if (!dp)
		return;
	ring_buffer__free(dp->ring);
	ring_buffer__free(dp->captures);
	for (size_t i = 0; i < dp->n_links; i++)
		bpf_link__destroy(dp->links[i].link); /* pinned: only our descriptor goes */
	bpf_link__destroy(dp->iter_adopt_tcp);
	bpf_link__destroy(dp->iter_adopt_udp);
	bpf_link__destroy(dp->iter_held);
	if (dp->skel) {
		map_munmap(dp->skel->maps.cfg, dp->cfg);
		map_munmap(dp->skel->maps.pulse, dp->pulse);
		map_munmap(dp->skel->maps.cutoff, dp->cutoff);
		map_munmap(dp->skel->maps.quarantine, dp->quarantine);
	}
	switchgear_bpf__destroy(dp->skel);
	closep(&dp->dir_fd);
	cgroup_names_free(dp->cgroups);
	netns_free(dp->netns);
	free(dp->cgroup);
	free(dp->pin_dir);
	free(dp);
}

char *dataplane_cgroup_name(struct dataplane *dp, uint64_t id, char *out, size_t size)
{
	return cgroup_names_get(dp->cgroups, id, out, size);
}

ssize_t dataplane_processes(struct dataplane *dp, process_fn *fn, void *data)
{
	return processes_each(dp->cgroup, fn, data);
}
