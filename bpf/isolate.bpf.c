/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Isolation of the processes of a server on this host: attached to their very cgroup while the
 * server is in quarantine, so that they are reached by nobody and reach nothing, but for an allow
 * list. Packets decide; the hooks of connect only tell at once. Fail-closed: what cannot be read
 * is dropped. Which server it is stands in the storage of the cgroup, and is asked for its
 * quarantine: what has a time is over without a daemon, too.
 */
#include "addr.bpf.h"
#include "admit.bpf.h"
#include "capture.bpf.h"
#include "event.bpf.h"
#include "isolation.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "verdict.h"

#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SG_ENETUNREACH 101
#define SG_TCP_RST 4

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct sg_isolated_here);
} isolate_here SEC(".maps");

SG_MAP(isolations, ARRAY, 0, SG_SERVERS_MAX, __u32, struct sg_isolation);
SG_MAP(isolate_allow, LPM_TRIE, BPF_F_NO_PREALLOC, SG_ALLOW_MAX, struct sg_allow_key,
       struct sg_allow);

/* The server that this cgroup is cut off for; 0: none is just now. Counts what passes for an
 * emergency. */
static __always_inline __u32 sg_isolated_for(const struct sg_isolated_here *here, __u64 now)
{
	struct sg_cfg *c = sg_config();
	struct sg_scope s = {};

	if (!here || !c || !sg_scope_find(&s, (__u32)here->server) ||
	    !sg_quarantined(sg_quarantine_until(s.id), now))
		return 0;
	if (!sg_lets_pass(c, s.server, now))
		return s.id;
	SG_COUNT(&s, would_deny);
	return 0;
}

static __always_inline bool sg_allow_port(const struct sg_allow *a, __be16 port)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < SG_ALLOW_PORTS; i++)
		if (i < a->n && a->port[i] == port)
			return true;
	return !a->n;
}

/* May it be reached: an address, and a port (0: there is none)? */
__noinline int sg_isolate_allows(__u32 id, __u64 first, __u64 last, __u32 port)
{
	struct sg_allow_key key = { .prefixlen = SG_ALLOW_SERVER_BITS + 128, .server = id };
	struct sg_allow *a;

	__builtin_memcpy(key.addr, &first, sizeof(first));
	__builtin_memcpy(key.addr + sizeof(first), &last, sizeof(last));
	a = bpf_map_lookup_elem(&isolate_allow, &key);
	return a && sg_allow_port(a, (__be16)port);
}

/* Is it the end of a connection that was cut, and nothing else? */
static __always_inline bool sg_isolate_reset(struct __sk_buff *skb, __u32 id, __u32 at, __u64 now)
{
	struct sg_isolation *iso = bpf_map_lookup_elem(&isolations, &id);
	struct sg_segment seg;
	__u8 flags;

	return iso && iso->reset_until_ns > now && !bpf_skb_load_bytes(skb, at + 13, &flags, 1) &&
	       flags & SG_TCP_RST && sg_tcp_segment(skb, at, &seg) && !seg.len;
}

/* May a packet from (out: to) its other end pass? */
__noinline int sg_isolate_passes(struct __sk_buff *skb, __u32 id, __u32 out, __u64 now)
{
	union {
		__u8 bytes[16];
		__u64 halves[2];
	} peer = {};
	__be16 port = 0;
	__u8 ip[20] __attribute__((aligned(8)));
	__u32 proto;
	int found;

	if (bpf_skb_load_bytes(skb, 0, ip, sizeof(ip)))
		return 0;
	if (ip[0] >> 4 == 4)
		sg_addr_v4(peer.bytes, out ? *(__be32 *)(ip + 16) : *(__be32 *)(ip + 12));
	else if (bpf_skb_load_bytes(skb, out ? 24 : 8, peer.bytes, sizeof(peer.bytes)))
		return 0;
	found = sg_transport(skb, ip);
	if (found < 0)
		return 0;
	proto = found & 0xff;
	if (proto == SG_IPPROTO_TCP || proto == SG_IPPROTO_UDP || proto == SG_IPPROTO_UDPLITE) {
		if (bpf_skb_load_bytes(skb, ((__u32)found >> 8) + (out ? 2 : 0), &port,
				       sizeof(port)))
			return 0;
	}
	if (sg_isolate_allows(id, peer.halves[0], peer.halves[1], port))
		return 1;
	return out && proto == SG_IPPROTO_TCP && sg_isolate_reset(skb, id, (__u32)found >> 8, now);
}

static __always_inline int sg_isolate_packet(struct __sk_buff *skb, __u32 out)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 id = sg_isolated_for(bpf_get_local_storage(&isolate_here, 0), now);
	struct sg_isolation *iso;

	if (!id || sg_isolate_passes(skb, id, out, now))
		return SG_PASS;
	iso = bpf_map_lookup_elem(&isolations, &id);
	if (iso)
		__sync_fetch_and_add(&iso->dropped, 1);
	sg_capture(skb, id, SG_CAPTURE_ISOLATION | (out ? SG_CAPTURE_OUT : 0), now);
	return SG_DROP;
}

SEC("cgroup_skb/ingress")
int sg_isolate_in(struct __sk_buff *skb)
{
	return sg_isolate_packet(skb, 0);
}

SEC("cgroup_skb/egress")
int sg_isolate_out(struct __sk_buff *skb)
{
	return sg_isolate_packet(skb, 1);
}

static __always_inline int sg_isolate_refuse(__u32 id)
{
	struct sg_isolation *iso = bpf_map_lookup_elem(&isolations, &id);

	if (iso)
		__sync_fetch_and_add(&iso->refused, 1);
	if (sg_rodata.has_retval)
		bpf_set_retval(-SG_ENETUNREACH);
	return SG_REJECT;
}

static __always_inline int sg_isolate_address(const struct bpf_sock_addr *ctx, bool v6,
					      const struct sg_isolated_here *here)
{
	__u32 id = sg_isolated_for(here, bpf_ktime_get_boot_ns());
	union {
		__u8 bytes[16];
		__u64 halves[2];
	} to = {};

	if (!id)
		return SG_PROCEED;
	if (v6)
		sg_addr_v6(to.bytes, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
			   ctx->user_ip6[3]);
	else
		sg_addr_v4(to.bytes, ctx->user_ip4);
	if (sg_isolate_allows(id, to.halves[0], to.halves[1], ctx->user_port & 0xffff))
		return SG_PROCEED;
	return sg_isolate_refuse(id);
}

SEC("cgroup/connect4")
int sg_isolate_c4(struct bpf_sock_addr *ctx)
{
	return sg_isolate_address(ctx, false, bpf_get_local_storage(&isolate_here, 0));
}

SEC("cgroup/connect6")
int sg_isolate_c6(struct bpf_sock_addr *ctx)
{
	return sg_isolate_address(ctx, true, bpf_get_local_storage(&isolate_here, 0));
}

SEC("cgroup/sendmsg4")
int sg_isolate_s4(struct bpf_sock_addr *ctx)
{
	return sg_isolate_address(ctx, false, bpf_get_local_storage(&isolate_here, 0));
}

SEC("cgroup/sendmsg6")
int sg_isolate_s6(struct bpf_sock_addr *ctx)
{
	return sg_isolate_address(ctx, true, bpf_get_local_storage(&isolate_here, 0));
}

/* To Unix sockets; libbpf before 1.3 does not know these hooks: load.c says which they are. */
static __always_inline int sg_isolate_unix(const struct sg_isolated_here *here)
{
	__u32 id = sg_isolated_for(here, bpf_ktime_get_boot_ns());

	return id ? sg_isolate_refuse(id) : SG_PROCEED;
}

SEC("cgroup/connect4")
int sg_isolate_cu(struct bpf_sock_addr *ctx)
{
	(void)ctx;
	return sg_isolate_unix(bpf_get_local_storage(&isolate_here, 0));
}

SEC("cgroup/sendmsg4")
int sg_isolate_su(struct bpf_sock_addr *ctx)
{
	(void)ctx;
	return sg_isolate_unix(bpf_get_local_storage(&isolate_here, 0));
}
