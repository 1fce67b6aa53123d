/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the kernel is written: elements that it allocates one by one, and commands. */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "dataplane/private.h"

#define SUB "bpf"

#define RESERVE_WAIT_US 1000 /* for a reserve of elements to be filled again */
#define RESERVE_TRIES 200

int dataplane_map_put(const struct bpf_map *map, const void *key, const void *value, uint64_t flags)
{
	int r = bpf_map_update_elem(bpf_map__fd(map), key, value, flags);

	for (size_t i = 0; i < RESERVE_TRIES && r == -ENOMEM; i++) {
		usleep(RESERVE_WAIT_US);
		r = bpf_map_update_elem(bpf_map__fd(map), key, value, flags);
	}
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
