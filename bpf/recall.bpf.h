/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which connections hold the probes of a server, so that who asks in vain can take back what
 * lies unused: before 5.15 there is no timer that does it while there is no daemon.
 */
#ifndef SWITCHGEAR_RECALL_BPF_H
#define SWITCHGEAR_RECALL_BPF_H

#include "flow.h"
#include "flows.bpf.h"
#include "maps.bpf.h"

#define SG_HOLDERS 32 /* the latest ones */
/* Who sweeps makes an outcome of a probe that is overdue; it had that long to do so. */
#define SG_RECALL_LATE_NS 2000000000ULL

struct sg_holders {
	__u64 cookie[SG_HOLDERS];
	__u32 next;
	__u32 pad;
};

SG_MAP(holders, ARRAY, 0, SG_SERVERS_MAX, __u32, struct sg_holders);

/* Two that take a probe at once may be entered as one: the other's comes back as without
 * this. */
static __always_inline void sg_hold(__u32 id, __u64 cookie)
{
	struct sg_holders *h = bpf_map_lookup_elem(&holders, &id);

	if (h)
		h->cookie[h->next++ % SG_HOLDERS] = cookie;
}

/* Takes back the probe of one connection if it is over: undecided, for an outcome would need
 * more of the stack than a connect has left. 1 if it did. */
__weak __noinline int sg_recall_one(__u64 cookie, __u32 id, __u64 now)
{
	struct sg_scope s;
	struct sg_flow *f = sg_flow_find(cookie, &s);
	struct sg_due due;

	if (!f || s.id != id || !(f->flags & SG_FLOW_PROBE))
		return 0;
	sg_flow_due(f, s.server, sg_asleep(now), &due);
	if (due.what == SG_DUE_OVERDUE)
		due.at += SG_RECALL_LATE_NS;
	else if (due.what != SG_DUE_UNUSED)
		return 0;
	if (due.at > now)
		return 0;
	sg_give_back(&s, f, false);
	return 1;
}

/* Takes back what is over of the probes of a server: how many. */
__weak __noinline int sg_recall(__u32 id, __u64 now)
{
	struct sg_holders *h = bpf_map_lookup_elem(&holders, &id);
	int n = 0;
	__u32 i;

	if (!h)
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < SG_HOLDERS; i++)
		if (h->cookie[i])
			n += sg_recall_one(h->cookie[i], id, now);
	return n;
}

#endif
