/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drops packets that come from quarantined endpoints, before the stack sees
 * them. The last resort, for what connects and kills cannot reach (forwarded
 * traffic, raw sockets): a drop tells nobody anything. Fail-open: what cannot
 * be parsed passes, with one exception, for a sender who hides the ports on
 * purpose: while any quarantine is in force (map `cutoff`), a packet from a
 * listed address whose headers cannot be followed to its ports is dropped.
 *
 * A fragment that is not the first has no ports. It passes: the first one is
 * dropped, so its datagram is never put together. Where a whole network is in
 * quarantine, ports do not matter and every fragment is dropped.
 *
 * IP in IP is looked into, one level deep: it comes from both of its sources.
 */
#include "addr.bpf.h"
#include "capture.bpf.h"
#include "event.bpf.h"
#include "verdict.h"

#include <bpf/bpf_endian.h>

#define SG_ETH_P_IP 0x0800
#define SG_ETH_P_IPV6 0x86dd
#define SG_ETH_P_8021Q 0x8100
#define SG_ETH_P_8021AD 0x88a8
#define SG_VLANS_MAX 2
#define SG_EXTENSIONS_MAX 6

#define SG_IPPROTO_IPV4 4
#define SG_IPPROTO_IPV6 41

#define SG_HEADERS_MAX 1024 /* bytes of headers that are looked into */

struct sg_cursor {
	void *data;
	void *end;
	__u32 at;
};

struct sg_eth {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
};

struct sg_vlan {
	__be16 tag;
	__be16 type;
};

struct sg_ports {
	__be16 src;
	__be16 dst;
};

#define SG_FRAGMENT 1U /* not the first: no ports */
#define SG_LOST 2U     /* there may be ports, but not where they can be read */
#define SG_TUNNEL 4U   /* what follows is another IP header */
#define SG_NOWHERE 8U  /* no IP header: no address either */

/* Where the packet comes from, as far as one IP header tells. */
struct sg_sender {
	struct sg_ep ep; /* port 0: none */
	__u32 flags;
};

static __always_inline struct sg_cursor sg_cursor_at(struct xdp_md *ctx, __u32 at)
{
	struct sg_cursor c = { (void *)(long)ctx->data, (void *)(long)ctx->data_end, at };

	return c;
}

/* The next `bytes` (a constant) of headers, or NULL. */
static __always_inline void *sg_take(struct sg_cursor *c, __u32 bytes)
{
	__u64 at = c->at;
	void *p;

	asm volatile("" : "+r"(at)); /* keeps offset and pointer apart for the verifier */
	if (at > SG_HEADERS_MAX)
		return NULL;
	p = c->data + at;
	if (p + bytes > c->end)
		return NULL;
	c->at = (__u32)at + bytes;
	return p;
}

/* The type of what is behind Ethernet and VLAN headers; 0 if that is too far in. */
static __always_inline __be16 sg_parse_ethernet(struct sg_cursor *c)
{
	struct sg_eth *eth = sg_take(c, sizeof(*eth));
	__be16 type;
	__u32 i;

	if (!eth)
		return 0;
	type = eth->type;
	for (i = 0; i < SG_VLANS_MAX; i++) {
		struct sg_vlan *vlan;

		if (type != bpf_htons(SG_ETH_P_8021Q) && type != bpf_htons(SG_ETH_P_8021AD))
			break;
		vlan = sg_take(c, sizeof(*vlan));
		if (!vlan)
			return 0;
		type = vlan->type;
	}
	return type;
}

/* --- from an IP header to the ports ------------------------------------------- */

/* What is behind the IP headers: ports, which must be in the packet, or another one. */
static __always_inline void sg_parse_ports(struct sg_cursor *c, struct sg_sender *o, __u8 proto)
{
	struct sg_ports *ports;

	o->ep.proto = proto == SG_IPPROTO_UDPLITE ? SG_IPPROTO_UDP : proto;
	if (o->flags)
		return;
	if (proto == SG_IPPROTO_IPV4 || proto == SG_IPPROTO_IPV6)
		o->flags = SG_TUNNEL;
	if (o->ep.proto != SG_IPPROTO_TCP && o->ep.proto != SG_IPPROTO_UDP)
		return;
	ports = sg_take(c, sizeof(*ports));
	if (ports)
		o->ep.port = ports->src;
	else
		o->flags = SG_LOST;
}

/* The source of the IP header that comes next, or NULL; else the header. */
static __always_inline __u8 *sg_parse_source(struct sg_cursor *c, struct sg_ep *ep, bool v6)
{
	__u8 *ip;

	if (v6) {
		ip = sg_take(c, 40);
		if (!ip || ip[0] >> 4 != 6)
			return NULL;
		__builtin_memcpy(ep->addr, ip + 8, 16);
	} else {
		ip = sg_take(c, 20);
		if (!ip || ip[0] >> 4 != 4)
			return NULL;
		sg_addr_v4(ep->addr, *(__be32 *)(ip + 12));
	}
	return ip;
}

static __always_inline bool sg_parse_v4(struct sg_cursor *c, struct sg_sender *o)
{
	__u8 *ip = sg_parse_source(c, &o->ep, false);

	if (!ip)
		return false;
	if ((ip[0] & 15) < 5)
		o->flags = SG_LOST;
	else if ((ip[6] & 0x1f) << 8 | ip[7])
		o->flags = SG_FRAGMENT;
	c->at += ((ip[0] & 15) - 5) * 4;
	sg_parse_ports(c, o, ip[9]);
	return true;
}

static __always_inline bool sg_is_extension(__u8 proto)
{
	return !proto || proto == 43 || proto == 44 || proto == 51 || proto == 60;
}

/* Steps over the extension header that comes next. */
static __always_inline void sg_parse_extension(struct sg_cursor *c, struct sg_sender *o, __u8 *next)
{
	__u8 *h = sg_take(c, 8);

	if (!h) {
		o->flags = SG_LOST;
		return;
	}
	if (*next == 44)
		o->flags = (h[2] << 8 | (h[3] & 0xf8)) ? SG_FRAGMENT : 0;
	else if (*next == 51)
		c->at += (__u32)h[1] * 4;
	else
		c->at += (__u32)h[1] * 8;
	*next = h[0];
}

static __always_inline bool sg_parse_v6(struct sg_cursor *c, struct sg_sender *o)
{
	__u8 *ip = sg_parse_source(c, &o->ep, true);
	__u32 i;
	__u8 next;

	if (!ip)
		return false;
	next = ip[6];
	for (i = 0; i <= SG_EXTENSIONS_MAX && !o->flags && sg_is_extension(next); i++) {
		if (i == SG_EXTENSIONS_MAX)
			o->flags = SG_LOST;
		else
			sg_parse_extension(c, o, &next);
	}
	sg_parse_ports(c, o, next);
	return true;
}

static __always_inline bool sg_parse_ip(struct sg_cursor *c, struct sg_sender *o, bool v6)
{
	return v6 ? sg_parse_v6(c, o) : sg_parse_v4(c, o);
}

/* --- who is to be dropped ------------------------------------------------------- */

/*
 * Is a packet from there to be dropped? If so it is counted, and the number of its
 * server plus one is returned. Where the ports are
 * lost the address decides: it is not known which endpoint is meant, so any that
 * is listed there will do, whether or not its server is the one in quarantine.
 */
static __always_inline __u32 sg_drops(struct sg_ep *ep, bool lost)
{
	struct sg_cfg *conf = sg_config();
	struct sg_scope s;
	__u64 now;
	__u32 at;

	if (!conf)
		return 0;
	sg_ep_normalise(ep, conf->home_netns);
	at = sg_server_at(ep, conf);
	if (at == SG_AT_NONE && !lost)
		return 0;
	now = bpf_ktime_get_boot_ns();
	if (at == SG_AT_NONE || !sg_quarantined(sg_quarantine_until(SG_AT_ID(at)), now))
		at = lost ? sg_listed_at(ep, conf, now) : SG_AT_NONE;
	if (at == SG_AT_NONE || !sg_scope_at(&s, at) || sg_lets_pass(conf, s.server, now))
		return 0;
	if (sg_by_name(s.server) && ep->proto == SG_IPPROTO_TCP)
		return 0; /* it may be another's: the hooks of the cgroup know */
	SG_COUNT(&s, dropped_packets);
	return s.id + 1;
}

/* --- headers that hide the ports -------------------------------------------------- */

/*
 * Rare, and so in global functions, which take and return numbers: the verifier walks
 * each once, where the code above, inlined for outer and inner headers, would multiply.
 * What sg_xdp_walk() found: flags, protocol, and the port or the offset of the inner header.
 */
#define SG_WALK(flags, proto, value) ((flags) << 24 | (__u32)(proto) << 16 | ((value)&0xffff))
#define SG_WALK_FLAGS(walk) ((__u32)(walk) >> 24)
#define SG_WALK_PROTO(walk) ((walk) >> 16 & 0xff)
#define SG_WALK_VALUE(walk) ((walk)&0xffff)

__noinline int sg_xdp_walk(struct xdp_md *ctx, __u32 at, __u32 v6)
{
	struct sg_cursor c = sg_cursor_at(ctx, at);
	struct sg_sender o = {};

	if (!sg_parse_ip(&c, &o, v6))
		return SG_WALK(SG_NOWHERE | SG_LOST, 0, 0);
	return SG_WALK(o.flags, o.ep.proto, o.flags & SG_TUNNEL ? c.at : o.ep.port);
}

/* Is the source in the IP header at `at`, of which sg_xdp_walk() found this, to be dropped? */
__noinline int sg_judge(struct xdp_md *ctx, __u32 at, __u32 v6, __u32 walk)
{
	struct sg_cursor c = sg_cursor_at(ctx, at);
	struct sg_ep ep = {};

	if (!sg_parse_source(&c, &ep, v6))
		return 0;
	ep.proto = SG_WALK_PROTO(walk);
	if (!SG_WALK_FLAGS(walk))
		ep.port = SG_WALK_VALUE(walk);
	return sg_drops(&ep, SG_WALK_FLAGS(walk) & SG_LOST);
}

/*
 * For what is lost or a tunnel: as sg_drops(). A tunnel within a tunnel counts as lost,
 * and what is lost inside is lost for the outer source as well. Else a tunnel's outer
 * source has no port, and only the quarantine of its network drops it.
 */
__noinline int sg_hidden(struct xdp_md *ctx, __u32 at, __u32 v6)
{
	__u32 walk = sg_xdp_walk(ctx, at, v6);
	int drop;

	if (SG_WALK_FLAGS(walk) & SG_TUNNEL) {
		__u32 in6 = SG_WALK_PROTO(walk) == SG_IPPROTO_IPV6;
		__u32 in_at = SG_WALK_VALUE(walk);
		__u32 inner = sg_xdp_walk(ctx, in_at, in6);

		if (SG_WALK_FLAGS(inner) & SG_TUNNEL)
			inner |= SG_WALK(SG_LOST, 0, 0);
		drop = SG_WALK_FLAGS(inner) & SG_NOWHERE ? 0 : sg_judge(ctx, in_at, in6, inner);
		if (drop)
			return drop;
		walk |= inner & SG_WALK(SG_LOST, 0, 0);
	}
	return sg_judge(ctx, at, v6, walk);
}

/* Keeps what was dropped, from the IP header at `at` on. Before 5.18 it cannot be read here. */
__noinline int sg_xdp_capture(struct xdp_md *ctx, __u32 at, __u32 id)
{
	struct sg_captured *p;
	__u64 have;
	__u64 len;

	if (!sg_rodata.xdp_load)
		return 0;
	p = sg_capture_new(id, SG_CAPTURE_XDP, bpf_ktime_get_boot_ns());
	if (!p)
		return 0;
	len = ctx->data_end - ctx->data;
	asm volatile("" : "+r"(len)); /* a number, before anything is taken off it */
	len -= at;
	p->len = (__u32)len;
	have = len < SG_CAPTURE_BYTES ? len : SG_CAPTURE_BYTES;
	asm volatile("" : "+r"(have));
	have = ((have - 1) & (SG_CAPTURE_BYTES - 1)) + 1;
	if (bpf_xdp_load_bytes(ctx, at, p->data, (__u32)have))
		have = 0;
	p->have = (__u16)have;
	bpf_ringbuf_submit(p, BPF_RB_NO_WAKEUP);
	return 1;
}

SEC("xdp")
int sg_xdp(struct xdp_md *ctx)
{
	struct sg_cursor c = sg_cursor_at(ctx, 0);
	__be16 type = sg_parse_ethernet(&c);
	bool v6 = type == bpf_htons(SG_ETH_P_IPV6);
	struct sg_sender o = {};
	__u32 at = c.at;
	__u32 drop;

	if (!v6 && type != bpf_htons(SG_ETH_P_IP))
		return XDP_PASS;
	if (!sg_parse_ip(&c, &o, v6))
		return XDP_PASS;
	if (o.flags & (SG_LOST | SG_TUNNEL))
		drop = sg_hidden(ctx, at, v6);
	else
		drop = sg_drops(&o.ep, false);
	if (!drop)
		return XDP_PASS;
	sg_xdp_capture(ctx, at, drop - 1);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
