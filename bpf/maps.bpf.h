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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_ENDPOINTS_DEFAULT);
	__type(key, struct sg_ep);
	__type(value, __u32);
} ep2srv SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_NETWORKS_MAX);
	__type(key, struct sg_net);
	__type(value, __u32);
} net2srv SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_LOCALS_MAX);
	__type(key, struct sg_local);
	__type(value, __u8);
} local_addrs SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_ENDPOINTS_DEFAULT);
	__type(key, struct sg_local);
	__type(value, __u32);
} listed SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SG_SERVERS_MAX);
	__type(key, __u32);
	__type(value, struct sg_server);
} srv_state SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SG_GROUPS_MAX);
	__type(key, __u32);
	__type(value, struct sg_group);
} groups SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SG_SERVERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} quarantine SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cutoff SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SG_SERVERS_MAX);
	__type(key, __u32);
	__type(value, struct sg_name);
} srv_name SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_SERVERS_MAX);
	__type(key, __u32);
	__type(value, struct sg_stats);
} stats SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_SERVERS_MAX *SG_METRIC_COUNT);
	__type(key, struct sg_hist_key);
	__type(value, struct sg_hist);
} hist SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_cfg);
} cfg SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_pulse);
} pulse SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} sk_ctx SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_FLOWS_MAX);
	__type(key, __u64);
	__type(value, struct sg_flow);
} flows SEC(".maps") __weak;

/* Zeros, for a new record: a flow is too large for the stack. Nobody writes it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[sizeof(struct sg_flow)]);
} blank SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SG_OWN_MAX);
	__type(key, __u64);
	__type(value, __u8);
} own SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SG_RING_BYTES);
} ev SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_http_table);
} http_dfa SEC(".maps") __weak;

/* What the next run of an iterator, or of sg_netns, is about or found. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sg_job);
} job SEC(".maps") __weak;

#endif
