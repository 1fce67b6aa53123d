/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets for tests, written as a string of layers, one letter each, behind an
 * Ethernet header:
 *   q 802.1Q  a 802.1ad  z 0x9100  4 IPv4  o O with 8 or 40 bytes of options
 *   y first, x later fragment of IPv4  6 IPv6  h hop-by-hop, H of 1,032 bytes
 *   r routing  d destination options  f first, F later fragment  A authentication
 *   t TCP  u UDP  l UDP-Lite  i ICMP  n no next header
 * An IP header behind another makes the outer one a tunnel.
 */
#ifndef SWITCHGEAR_TESTS_BPF_PACKET_H
#define SWITCHGEAR_TESTS_BPF_PACKET_H

#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 2048
#define PACKET_ETHERNET 14 /* bytes of its header */

struct packet {
	uint8_t data[PACKET_MAX];
	size_t len;
	size_t address;   /* bytes that must be there to know the outer source, 0: too deep */
	size_t inner;     /* to know the inner source, 0: there is none */
	size_t fragment;  /* to know that this is a later fragment, 0: it is none */
	size_t transport; /* to know the ports, 0: it has none */
};

struct packet_source {
	const uint8_t *v4;
	const uint8_t *v6;
};

/* The outermost IP header comes from `outer`, those in it from `inner`; the source port in
 * host order. */
struct packet packet_make(const char *layers, const struct packet_source *outer,
			  const struct packet_source *inner, uint16_t port);

/* Writes 16 bits in network order. */
void packet_u16(uint8_t *at, uint16_t value);

#endif
