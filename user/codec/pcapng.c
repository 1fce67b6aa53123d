/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/pcapng.h"

#include <string.h>

#define SECTION 0x0a0d0d0aU
#define INTERFACE 1U
#define STATISTICS 5U
#define PACKET 6U
#define BYTE_ORDER_MAGIC 0x1a2b3c4dU
#define LINKTYPE_RAW 101U /* an IP header is first */

/* Options, by their numbers in their blocks. */
#define COMMENT 1U
#define SECTION_APPLICATION 4U
#define INTERFACE_NAME 2U
#define INTERFACE_RESOLUTION 9U
#define PACKET_FLAGS 2U
#define STATISTICS_DROPPED 5U
#define INBOUND 1U
#define OUTBOUND 2U
#define NANOSECONDS 9U

static void put16(struct buf *b, uint32_t value)
{
	uint16_t v = (uint16_t)value;

	buf_append(b, &v, sizeof(v));
}

static void put32(struct buf *b, uint32_t value)
{
	buf_append(b, &value, sizeof(value));
}

static void pad(struct buf *b, size_t len)
{
	static const char zeros[4];

	buf_append(b, zeros, (4 - len % 4) % 4);
}

static void option(struct buf *b, uint32_t code, const void *value, size_t len)
{
	put16(b, code);
	put16(b, (uint32_t)len);
	buf_append(b, value, len);
	pad(b, len);
}

static void put_time(struct buf *b, uint64_t ns)
{
	put32(b, (uint32_t)(ns >> 32));
	put32(b, (uint32_t)ns);
}

/* Type, length, what is in it, the end of options if there are any, and the length again. */
static void block(struct buf *out, uint32_t type, const struct buf *body, bool options)
{
	uint32_t len = (uint32_t)body->len + 12 + (options ? 4 : 0);

	put32(out, type);
	put32(out, len);
	buf_append(out, buf_str(body), body->len);
	if (options)
		put32(out, 0);
	put32(out, len);
}

void pcapng_begin(struct buf *out, const char *program, const char *interface, uint32_t snap)
{
	CLEANUP(buf_done) struct buf b = BUF(PCAPNG_BLOCK_MAX);
	const uint8_t resolution = NANOSECONDS;
	const uint64_t unknown = ~0ULL; /* length of the section */

	put32(&b, BYTE_ORDER_MAGIC);
	put16(&b, 1); /* version 1.0 */
	put16(&b, 0);
	buf_append(&b, &unknown, sizeof(unknown));
	option(&b, SECTION_APPLICATION, program, strlen(program));
	block(out, SECTION, &b, true);
	buf_clear(&b);
	put16(&b, LINKTYPE_RAW);
	put16(&b, 0);
	put32(&b, snap);
	option(&b, INTERFACE_NAME, interface, strlen(interface));
	option(&b, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	block(out, INTERFACE, &b, true);
}

void pcapng_packet(struct buf *out, const struct pcapng_packet *p)
{
	CLEANUP(buf_done) struct buf b = BUF(PCAPNG_BLOCK_MAX);
	uint32_t flags = p->out ? OUTBOUND : INBOUND;

	put32(&b, 0); /* the interface */
	put_time(&b, p->wall_ns);
	put32(&b, p->have);
	put32(&b, p->len);
	buf_append(&b, p->data, p->have);
	pad(&b, p->have);
	option(&b, COMMENT, p->comment, strlen(p->comment));
	option(&b, PACKET_FLAGS, &flags, sizeof(flags));
	block(out, PACKET, &b, true);
}

void pcapng_lost(struct buf *out, uint64_t wall_ns, uint64_t n)
{
	CLEANUP(buf_done) struct buf b = BUF(PCAPNG_BLOCK_MAX);

	put32(&b, 0);
	put_time(&b, wall_ns);
	option(&b, STATISTICS_DROPPED, &n, sizeof(n));
	block(out, STATISTICS, &b, true);
}
