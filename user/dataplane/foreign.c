/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs of others at the hooks of connect, which may rewrite where a connect goes: those in
 * front of ours hide what was asked for, those behind it where it went.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "dataplane/private.h"

#define PROGRAMS_MAX 64U /* of one hook, in a cgroup and all above it; the kernel's own limit */

static bool describe(uint32_t id, struct dataplane_foreign *to)
{
	CLEANUP(closep) int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	to->id = id;
	snprintf(to->name, sizeof(to->name), "%s", info.name);
	return true;
}

static uint32_t id_of(const struct bpf_program *prog)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len) ? 0 : info.id;
}

static bool known(const struct dataplane_foreign *v, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].id == id)
			return true;
	return false;
}

size_t dataplane_foreign(struct dataplane *dp, struct dataplane_foreign *ret, size_t max)
{
	const struct {
		enum bpf_attach_type type;
		const struct bpf_program *ours;
	} hooks[] = { { BPF_CGROUP_INET4_CONNECT, dp->skel->progs.sg_connect4 },
		      { BPF_CGROUP_INET6_CONNECT, dp->skel->progs.sg_connect6 } };
	CLEANUP(closep) int cgroup = open(dp->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool blind = cgroup < 0;
	size_t found = 0;

	for (size_t h = 0; cgroup >= 0 && h < ARRAY_SIZE(hooks); h++) {
		uint32_t ours = id_of(hooks[h].ours);
		uint32_t ids[PROGRAMS_MAX];
		uint32_t n = PROGRAMS_MAX;
		bool before = true;

		/* in the order in which they run */
		if (bpf_prog_query(cgroup, hooks[h].type, BPF_F_QUERY_EFFECTIVE, NULL, ids, &n)) {
			blind = true;
			continue;
		}
		for (uint32_t i = 0; i < n && found < max; i++) {
			if (ids[i] == ours)
				before = false;
			else if (!known(ret, found, ids[i]) && describe(ids[i], &ret[found]))
				ret[found++].before = before;
		}
	}
	/* from now on the kernel looks for what they make of connects, or spares it */
	__atomic_store_n(&dp->cfg->foreign, found || blind, __ATOMIC_RELAXED);
	return found;
}
