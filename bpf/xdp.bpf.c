/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drops packets that come from quarantined endpoints, before the stack sees
 * them. The last resort, for what connects and kills cannot reach (forwarded
 * traffic, raw sockets): a drop tells nobody anything. Fail-open: what cannot
 * be parsed passes.
 *
 * A fragment that is not the first has no ports. It passes: the first one is
 * dropped, so its datagram is never put together. Where a whole network is in
 * quarantine, ports do not matter and every fragment is dropped.
 */
#include "common.bpf.h"

#define SG_ETH_P_IP 0x0800
#define SG_ETH_P_IPV6 0x86dd
#define SG_ETH_P_8021Q 0x8100
#define SG_ETH_P_8021AD 0x88a8
#define SG_VLANS_MAX 2
#define SG_EXTENSIONS_MAX 6

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

/* Where the packet comes from; port 0 if it cannot be told. */
struct sg_origin {
	struct sg_ep ep;
	bool fragment; /* not the first: no ports */
};

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

static __always_inline bool sg_parse_v4(struct sg_cursor *c, struct sg_origin *o)
{
	__u8 *ip = sg_take(c, 20);

	if (!ip || ip[0] >> 4 != 4 || (ip[0] & 15) < 5)
		return false;
	sg_addr_v4(o->ep.addr, *(__be32 *)(ip + 12));
	o->ep.proto = ip[9];
	o->fragment = ((ip[6] & 0x1f) << 8 | ip[7]) != 0;
	c->at += ((ip[0] & 15) - 5) * 4;
	return true;
}

/* One extension header; false if `*next` is none that can be skipped. */
static __always_inline bool sg_parse_extension(struct sg_cursor *c, struct sg_origin *o, __u8 *next)
{
	__u8 *h;

	if (*next != 0 && *next != 43 && *next != 44 && *next != 51 && *next != 60)
		return false;
	h = sg_take(c, 8);
	if (!h)
		return false;
	if (*next == 44)
		o->fragment = (h[2] << 8 | (h[3] & 0xf8)) != 0;
	else if (*next == 51)
		c->at += (__u32)h[1] * 4;
	else
		c->at += (__u32)h[1] * 8;
	*next = h[0];
	return true;
}

static __always_inline bool sg_parse_v6(struct sg_cursor *c, struct sg_origin *o)
{
	__u8 *ip = sg_take(c, 40);
	__u32 i;
	__u8 next;

	if (!ip || ip[0] >> 4 != 6)
		return false;
	__builtin_memcpy(o->ep.addr, ip + 8, 16);
	next = ip[6];
	for (i = 0; i < SG_EXTENSIONS_MAX; i++) {
		if (o->fragment || !sg_parse_extension(c, o, &next))
			break;
	}
	o->ep.proto = next;
	return true;
}

static __always_inline bool sg_parse(struct sg_cursor *c, struct sg_origin *o)
{
	struct sg_eth *eth = sg_take(c, sizeof(*eth));
	struct sg_ports *ports;
	__be16 type;
	__u32 i;

	if (!eth)
		return false;
	type = eth->type;
	for (i = 0; i < SG_VLANS_MAX; i++) {
		struct sg_vlan *vlan;

		if (type != bpf_htons(SG_ETH_P_8021Q) && type != bpf_htons(SG_ETH_P_8021AD))
			break;
		vlan = sg_take(c, sizeof(*vlan));
		if (!vlan)
			return false;
		type = vlan->type;
	}
	if (type == bpf_htons(SG_ETH_P_IP)) {
		if (!sg_parse_v4(c, o))
			return false;
	} else if (type != bpf_htons(SG_ETH_P_IPV6) || !sg_parse_v6(c, o)) {
		return false;
	}
	if (o->fragment || (o->ep.proto != SG_IPPROTO_TCP && o->ep.proto != SG_IPPROTO_UDP))
		return true;
	ports = sg_take(c, sizeof(*ports));
	if (ports)
		o->ep.port = ports->src;
	return true;
}

SEC("xdp")
int sg_xdp(struct xdp_md *ctx)
{
	struct sg_cursor c = { (void *)(long)ctx->data, (void *)(long)ctx->data_end, 0 };
	struct sg_origin o = {};
	struct sg_cfg *conf;
	struct sg_scope s;
	__u32 *id;

	conf = sg_config();
	if (!conf || !sg_parse(&c, &o))
		return XDP_PASS;
	sg_ep_normalise(&o.ep, conf->home_netns);
	id = sg_server_at(&o.ep, conf);
	if (!id || !sg_quarantined(sg_quarantine_until(*id), bpf_ktime_get_boot_ns()))
		return XDP_PASS;
	if (!sg_scope_find(&s, *id) || conf->observe || s.server->flags & SG_SRV_OBSERVE)
		return XDP_PASS;
	SG_COUNT(&s, dropped_packets);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
