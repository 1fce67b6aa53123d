/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/packet.h"

#include <stdbool.h>
#include <string.h>

#include "unit/unit.h"

static uint16_t ether_type(char layer)
{
	switch (layer) {
	case 'q':
		return 0x8100;
	case 'a':
		return 0x88a8;
	case 'z':
		return 0x9100;
	case '6':
		return 0x86dd;
	default:
		return 0x0800;
	}
}

static uint8_t ip_proto(char layer)
{
	static const char letters[] = "turhHdfFAil4oOxy6";
	static const uint8_t protos[] = {
		6, 17, 43, 0, 0, 60, 44, 44, 51, 1, 136, 4, 4, 4, 4, 4, 41
	};
	const char *p = layer ? strchr(letters, layer) : NULL;

	return p ? protos[p - letters] : 59;
}

static uint8_t *take(struct packet *p, size_t n)
{
	uint8_t *at = p->data + p->len;

	assert_true(p->len + n <= sizeof(p->data));
	p->len += n;
	return at;
}

void packet_u16(uint8_t *at, uint16_t type)
{
	at[0] = (uint8_t)(type >> 8);
	at[1] = (uint8_t)type;
}

static void put_v4(struct packet *p, char kind, char next, const uint8_t *src)
{
	size_t options = kind == 'o' ? 8 : kind == 'O' ? 40 : 0;
	uint8_t *ip = take(p, 20 + options);

	ip[0] = (uint8_t)(0x40 | (5 + options / 4));
	if (kind == 'y')
		ip[6] = 0x20;
	if (kind == 'x')
		ip[7] = 0xb9;
	ip[8] = 64;
	ip[9] = ip_proto(next);
	memcpy(ip + 12, src, 4);
	if (kind == 'x' && !p->fragment)
		p->fragment = p->len;
}

static void put_extension(struct packet *p, char kind, char next)
{
	size_t len = kind == 'H' ? 1032 : kind == 'h' || kind == 'r' ? 16 : kind == 'A' ? 24 : 8;
	uint8_t *h = take(p, len);

	h[0] = ip_proto(next);
	h[1] = (uint8_t)(kind == 'A' ? len / 4 - 2 : len / 8 - 1);
	if (kind == 'f' || kind == 'F')
		h[1] = 0;
	if (kind == 'f')
		h[3] = 1;
	if (kind == 'F')
		packet_u16(h + 2, 0x05b8);
	if (kind == 'F' && !p->fragment)
		p->fragment = p->len - len + 8;
}

static void put_v6(struct packet *p, char next, const uint8_t *src)
{
	uint8_t *ip = take(p, 40);

	ip[0] = 0x60;
	ip[6] = ip_proto(next);
	memcpy(ip + 8, src, 16);
}

/* One layer; returns whether it is an IP header. */
static bool put_layer(struct packet *p, const char *layer, const struct packet_source *src,
		      uint16_t port)
{
	switch (*layer) {
	case 'q':
	case 'a':
	case 'z':
		packet_u16(take(p, 4) + 2, ether_type(layer[1]));
		return false;
	case '4':
	case 'o':
	case 'O':
	case 'x':
	case 'y':
		put_v4(p, *layer, layer[1], src->v4);
		return true;
	case '6':
		put_v6(p, layer[1], src->v6);
		return true;
	case 't':
	case 'u':
	case 'l':
	case 'i':
		p->transport = p->len + 4;
		packet_u16(take(p, *layer == 't' ? 20 : 8), port);
		return false;
	default:
		put_extension(p, *layer, layer[1]);
		return false;
	}
}

struct packet packet_make(const char *layers, const struct packet_source *outer,
			  const struct packet_source *inner, uint16_t port)
{
	struct packet p = { 0 };
	bool deep = strspn(layers, "qa") > 2 || *layers == 'z';
	size_t ips = 0;

	packet_u16(take(&p, PACKET_ETHERNET) + 12, ether_type(layers[0]));
	for (; *layers; layers++) {
		size_t known = p.len + (*layers == '6' ? 40 : 20);

		if (!put_layer(&p, layers, ips ? inner : outer, port))
			continue;
		if (!ips++)
			p.address = deep ? 0 : known;
		else
			p.inner = known;
	}
	take(&p, 24); /* payload */
	return p;
}
