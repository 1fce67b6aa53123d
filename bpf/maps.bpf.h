/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map, declared once and weak, so that all objects share it when they
 * are linked. What is pinned and what it means: docs/protocol.md.
 */
#ifndef SWITCHGEAR_MAPS_BPF_H
#define SWITCHGEAR_MAPS_BPF_H

#include "abi.h"
#include "kernel.h"

#include <bpf/bpf_helpers.h>

const volatile struct sg_rodata sg_rodata __weak SEC(".rodata.sg") = {};

/* One of them; the type without BPF_MAP_TYPE_. */
#define SG_MAP(name, map_type, flags, entries, key_type, value_type) \
	struct {                                                     \
		__uint(type, BPF_MAP_TYPE_##map_type);               \
		__uint(map_flags, flags);                            \
		__uint(max_entries, entries);                        \
		__type(key, key_type);                               \
		__type(value, value_type);                           \
	} name SEC(".maps") __weak

/* The element of a map that has one only. */
#define SG_ONLY(map)                               \
	({                                         \
		__u32 zero_ = 0;                   \
		bpf_map_lookup_elem(&map, &zero_); \
	})

SG_MAP(ep2srv, HASH, BPF_F_NO_PREALLOC, SG_ENDPOINTS_DEFAULT, struct sg_ep, __u32);
SG_MAP(net2srv, LPM_TRIE, BPF_F_NO_PREALLOC, SG_NETWORKS_MAX, struct sg_net, __u32);
SG_MAP(unix2srv, HASH, BPF_F_NO_PREALLOC, SG_UNIX_MAX, struct sg_unix, __u32);
SG_MAP(local_addrs, HASH, BPF_F_NO_PREALLOC, SG_LOCALS_MAX, struct sg_local, __u8);
SG_MAP(listed, HASH, BPF_F_NO_PREALLOC, SG_ENDPOINTS_DEFAULT, struct sg_local, __u32);
SG_MAP(proxies, HASH, BPF_F_NO_PREALLOC, SG_PROXIES_MAX, struct sg_ep, __u8);
SG_MAP(proxy_names, HASH, BPF_F_NO_PREALLOC, SG_TARGETS_MAX, struct sg_target, __u32);
SG_MAP(host_names, HASH, BPF_F_NO_PREALLOC, SG_TARGETS_MAX, struct sg_host, __u32);
SG_MAP(hellos, LRU_HASH, 0, SG_HELLOS_MAX, __u64, struct sg_hello);
SG_MAP(srv_state, ARRAY, 0, SG_SERVERS_MAX, __u32, struct sg_server);
SG_MAP(groups, ARRAY, 0, SG_GROUPS_MAX, __u32, struct sg_group);
SG_MAP(routes, ARRAY, 0, SG_ROUTES_MAX, __u32, struct sg_route_entry);
SG_MAP(quarantine, ARRAY, BPF_F_MMAPABLE, SG_SERVERS_MAX, __u32, __u64);
SG_MAP(cutoff, ARRAY, BPF_F_MMAPABLE, 1, __u32, __u64);
SG_MAP(srv_name, ARRAY, 0, SG_SERVERS_MAX, __u32, struct sg_name);
SG_MAP(stats, PERCPU_HASH, BPF_F_NO_PREALLOC, SG_SERVERS_MAX, __u32, struct sg_stats);
SG_MAP(hist, PERCPU_HASH, BPF_F_NO_PREALLOC, SG_SERVERS_MAX *SG_METRIC_COUNT, struct sg_hist_key,
       struct sg_hist);
SG_MAP(cfg, ARRAY, BPF_F_MMAPABLE, 1, __u32, struct sg_cfg);
SG_MAP(pulse, ARRAY, BPF_F_MMAPABLE, 1, __u32, struct sg_pulse);

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} sk_ctx SEC(".maps") __weak;

SG_MAP(flows, HASH, BPF_F_NO_PREALLOC, SG_FLOWS_MAX, __u64, struct sg_flow);

/* Zeros, for a new record: a flow is too large for the stack. Nobody writes it. */
SG_MAP(blank, ARRAY, 0, 1, __u32, __u8[sizeof(struct sg_flow)]);

SG_MAP(redirects, ARRAY, 0, SG_SERVERS_MAX, __u32, struct sg_redirect);
SG_MAP(origins, ARRAY, BPF_F_MMAPABLE, SG_ORIGINS_MAX, __u32, struct sg_origin);

SG_MAP(own, HASH, BPF_F_NO_PREALLOC, SG_OWN_MAX, __u64, __u8);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SG_RING_BYTES);
} ev SEC(".maps") __weak;

SG_MAP(http_dfa, ARRAY, BPF_F_RDONLY_PROG, 1, __u32, struct sg_http_table);

/* What the next run of an iterator, or of sg_netns, is about or found. */
SG_MAP(job, ARRAY, 0, 1, __u32, struct sg_job);

#endif
