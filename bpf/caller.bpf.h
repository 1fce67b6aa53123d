/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who connects: the source whose failures count (witness.h), and the process, for people. */
#ifndef SWITCHGEAR_CALLER_BPF_H
#define SWITCHGEAR_CALLER_BPF_H

#include "maps.bpf.h"
#include "witness.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

/* Users that others may be, as newuidmap lets them: by the leading bits of the uid. */
SG_MAP(subuids, LPM_TRIE, BPF_F_NO_PREALLOC, SG_SUBUIDS_MAX, struct sg_subuid, __u32);

static __always_inline __u32 sg_source_of(__u64 cgroup, __u32 uid)
{
	struct sg_subuid key = { .prefixlen = 32 };
	__u32 *owner;

	if (cgroup)
		return SG_SOURCE_CGROUP | (__u32)((cgroup * 0x9e3779b97f4a7c15ULL) >> 33);
	key.uid = bpf_htonl(uid);
	owner = bpf_map_lookup_elem(&subuids, &key);
	if (owner)
		uid = *owner;
	return SG_SOURCE_USER + uid % (SG_SOURCE_CGROUP - SG_SOURCE_USER);
}

/*
 * The cgroup at the second level, where an ordinary user has one only, however many he makes
 * below (pods are at the third); where the protected cgroup is that deep itself, or the caller
 * in none, the user, or to whom his user id was handed.
 */
__weak __noinline __u32 sg_source(void)
{
	__u32 uid = (__u32)bpf_get_current_uid_gid();
	__u64 above = bpf_get_current_ancestor_cgroup_id(1);
	__u64 id = 0;

	if (!sg_rodata.cgroup || above == sg_rodata.cgroup)
		id = bpf_get_current_ancestor_cgroup_id(above == sg_rodata.pods ? 3 : 2);
	return sg_source_of(id, uid);
}

/* Which process: for people alone, so that a record that changes hands meanwhile may be wrong for
 * a moment. Its text is foreign. */
static __always_inline void sg_flow_process(struct sg_flow *f)
{
	f->pid = bpf_get_current_pid_tgid() >> 32;
	f->cgroup = bpf_get_current_cgroup_id();
	bpf_get_current_comm(f->comm, sizeof(f->comm));
}

#define SG_UNRECORDED_SLOTS 64

/* Sockets of which the connect hook could make no record, by their cookies; the latest of each
 * slot. Their SYN is about to leave: it is not to be counted a second time. */
SG_MAP(unrecorded, ARRAY, 0, SG_UNRECORDED_SLOTS, __u32, __u64);

static __always_inline void sg_unrecorded_note(__u64 cookie)
{
	__u32 slot = cookie % SG_UNRECORDED_SLOTS;
	__u64 *at = bpf_map_lookup_elem(&unrecorded, &slot);

	if (at)
		*at = cookie;
}

static __always_inline bool sg_unrecorded_before(__u64 cookie)
{
	__u32 slot = cookie % SG_UNRECORDED_SLOTS;
	const __u64 *at = bpf_map_lookup_elem(&unrecorded, &slot);

	return at && *at == cookie;
}

#define SG_LEVELS_MAX 64
#define SG_PF_KTHREAD 0x200000

/* The id of the current task's cgroup at a level, where no helper tells; 0: it is not that deep. */
__weak __noinline __u64 sg_task_cgroup(__u32 level)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct cgroup *at = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	int i;

	for (i = 0; i < SG_LEVELS_MAX && at; i++) {
		if ((__u32)BPF_CORE_READ(at, level) == level)
			return BPF_CORE_READ(at, kn, id);
		at = BPF_CORE_READ(at, self.parent, cgroup);
	}
	return 0;
}

/* As sg_source(). */
static __always_inline __u32 sg_task_source(struct task_struct *task)
{
	__u64 above = sg_task_cgroup(1);
	__u64 id = 0;

	if (!sg_rodata.cgroup || above == sg_rodata.cgroup)
		id = sg_task_cgroup(above == sg_rodata.pods ? 3 : 2);
	return sg_source_of(id, BPF_CORE_READ(task, cred, uid.val));
}

/*
 * Source and process of the current task, into a record. Of a thread of the kernel, which works
 * for somebody, nothing is known.
 */
static __always_inline void sg_task_process(struct sg_flow *f)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	f->source = SG_SOURCE_UNKNOWN;
	if (BPF_CORE_READ(task, flags) & SG_PF_KTHREAD)
		return;
	f->source = sg_task_source(task);
	f->pid = (__u32)BPF_CORE_READ(task, tgid);
	f->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	BPF_CORE_READ_INTO(&f->comm, task, comm);
}

#endif
