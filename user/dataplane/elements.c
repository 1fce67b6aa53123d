/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Commands, and elements of maps: those that the kernel allocates one by one, and all of a map. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"
#define RESERVE_WAIT_US 1000 /* for a reserve of elements to be filled again */
#define RESERVE_TRIES 200
#define BATCH 8192U /* more than a bucket of a hash can hold */

int dataplane_map_put(const struct bpf_map *map, const void *key, const void *value, uint64_t flags)
{
	int r = bpf_map_update_elem(bpf_map__fd(map), key, value, flags);

	for (size_t i = 0; i < RESERVE_TRIES && r == -ENOMEM; i++) {
		usleep(RESERVE_WAIT_US);
		r = bpf_map_update_elem(bpf_map__fd(map), key, value, flags);
	}
	return r;
}

int dataplane_map_walk(const struct bpf_map *map, const char *failure, dataplane_element_fn *fn,
		       void *data)
{
	size_t key_size = bpf_map__key_size(map);
	size_t value_size = bpf_map__value_size(map);
	CLEANUP(freep) uint8_t *keys = malloc(BATCH * key_size);
	CLEANUP(freep) uint8_t *values = malloc(BATCH * value_size);
	uint32_t cursor[16];
	void *from = NULL;
	int more = 0;
	int r = 0;

	if (!keys || !values)
		return -ENOMEM;
	while (!r && !more) {
		uint32_t n = BATCH;

		more = bpf_map_lookup_batch(bpf_map__fd(map), from, cursor, keys, values, &n, NULL);
		if (more && more != -ENOENT)
			return log_failure(more, SUB, "%s", failure);
		for (uint32_t i = 0; i < n && !r; i++)
			r = fn(data, keys + i * key_size, values + i * value_size);
		from = cursor;
	}
	return r;
}

/* What a walk compares with, and what is to go. */
struct keep {
	uint32_t owner;
	const uint8_t *wanted;
	size_t n_wanted;
	size_t size; /* of a key */
	uint8_t *stale;
	size_t n_stale;
};

static int keep_one(void *data, const void *key, const void *value)
{
	struct keep *k = data;

	if (k->owner != SG_NOBODY && SG_AT_ID(*(const uint32_t *)value) != k->owner)
		return 0;
	for (size_t i = 0; i < k->n_wanted; i++)
		if (!memcmp(k->wanted + i * k->size, key, k->size))
			return 0;
	if (list_grow(&k->stale, k->n_stale, k->size))
		return -ENOMEM;
	memcpy(k->stale + k->n_stale++ * k->size, key, k->size);
	return 0;
}

int dataplane_map_keep(const struct bpf_map *map, const char *failure, uint32_t owner,
		       const void *keys, size_t n)
{
	struct keep k = {
		.owner = owner, .wanted = keys, .n_wanted = n, .size = bpf_map__key_size(map)
	};
	int r = dataplane_map_walk(map, failure, keep_one, &k);

	for (size_t i = 0; i < k.n_stale && !r; i++)
		bpf_map_delete_elem(bpf_map__fd(map), k.stale + i * k.size);
	free(k.stale);
	return r;
}

int dataplane_command(struct dataplane *dp, struct sg_command *cmd)
{
	struct sg_command out = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = cmd, .data_size_in = sizeof(*cmd),
		    .data_out = &out, .data_size_out = sizeof(out), .repeat = 1);
	int r;

	cmd->magic = SG_COMMAND_MAGIC;
	r = bpf_prog_test_run_opts(bpf_program__fd(dp->skel->progs.sg_command), &run);
	if (r)
		return log_failure(r, SUB, "the command program cannot be run");
	if (run.retval)
		return -(int)run.retval;
	*cmd = out;
	return 0;
}
