/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets as pcapng, which tshark and Wireshark read: a header, then a block for each packet, as
 * they come. The link type is raw IP, times are of the wall clock in nanoseconds, numbers in the byte order
 * of this host. Writers append to `out`; whether all of it went well says buf_error().
 */
#ifndef SWITCHGEAR_CODEC_PCAPNG_H
#define SWITCHGEAR_CODEC_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PCAPNG_TYPE "application/x-pcapng"
#define PCAPNG_BLOCK_MAX 2048U /* bytes of a block of a packet of 256 bytes */

struct pcapng_packet {
	uint64_t wall_ns;
	const uint8_t *data; /* from its IP header on */
	uint32_t have;       /* bytes there */
	uint32_t len;        /* bytes that it had; not less */
	bool out;            /* it was leaving, else it came */
	const char *comment; /* UTF-8 */
};

/* What a file or stream begins with. `snap`: no packet has more bytes than these. */
void pcapng_begin(struct buf *out, const char *program, const char *interface, uint32_t snap);
void pcapng_packet(struct buf *out, const struct pcapng_packet *p);
/* So many packets are missing here. */
void pcapng_lost(struct buf *out, uint64_t wall_ns, uint64_t n);

#endif
