/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom a connection is for, by what its client sends first: the server name of a ClientHello
 * (RFC 6066; TLS 1.2 and 1.3), or the Host of a request in clear. Read as it comes, in however many
 * segments and records: what tells nothing is skipped, the rest is gathered field by field.
 * Pure rules, which programs, unit tests and the fuzzer share.
 */
#ifndef SWITCHGEAR_HELLO_H
#define SWITCHGEAR_HELLO_H

#include "tls.h"

enum sg_hello_stage {
	SG_HELLO_HEAD,       /* type, length, version, random, length of the session id */
	SG_HELLO_SUITES,     /* length of the cipher suites */
	SG_HELLO_METHODS,    /* length of the compression methods */
	SG_HELLO_EXTENSIONS, /* length of the extensions */
	SG_HELLO_EXTENSION,  /* type and length of one */
	SG_HELLO_SERVER,     /* of the server's name: length of the list, type, length */
	SG_HELLO_NAME,       /* the name itself */
	SG_HELLO_FIND,       /* HTTP: somewhere in front of the Host */
	SG_HELLO_HOST,       /* its value */
	SG_HELLO_OVER,       /* from here on it is known: key.text has a name, */
	SG_HELLO_NONE,       /* there is none, */
	SG_HELLO_OTHER,      /* or it is one that no server can have */
};

#define SG_HELLO_HEAD_LEN 39
#define SG_HELLO_CLIENT 1 /* type of the message */
#define SG_HELLO_FRAME 5  /* a record's header */
#define SG_HELLO_SEEK 128 /* bytes in which a Host is looked for at a time */

static __always_inline bool sg_hello_open(const struct sg_hello *h)
{
	return h->stage < SG_HELLO_OVER;
}

static __always_inline void sg_hello_next(struct sg_hello *h, __u8 stage, __u32 skip, __u32 need)
{
	h->stage = stage;
	h->skip = (__u16)skip;
	h->need = (__u16)need;
	h->have = 0;
}

/* Begins with the first byte of a connection. */
static __always_inline void sg_hello_begin(struct sg_hello *h, __u8 first)
{
	if (first == SG_TLS_HANDSHAKE)
		sg_hello_next(h, SG_HELLO_HEAD, 0, SG_HELLO_HEAD_LEN);
	else
		sg_hello_next(h, SG_HELLO_FIND, 0, SG_TARGET_LEN);
}

/* A record's header is complete. */
static __always_inline void sg_hello_frame(struct sg_hello *h)
{
	h->framed = 0;
	h->frame = (__u16)(h->header[3] << 8 | h->header[4]);
	if (h->header[0] != SG_TLS_HANDSHAKE || h->header[1] != SG_TLS_MAJOR || !h->frame)
		h->stage = SG_HELLO_NONE;
	else if (!h->head)
		h->head = (__u32)h->header[0] << 24 | (__u32)h->header[1] << 16 |
			  (__u32)h->header[2] << 8 | h->header[3];
}

static __always_inline __u32 sg_hello_u16(const __u8 *b)
{
	return (__u32)b[0] << 8 | b[1];
}

/* The next extension, behind `skip` bytes of this one, if there is one. */
static __always_inline void sg_hello_extension(struct sg_hello *h, __u32 skip)
{
	if (h->left < 4)
		h->stage = SG_HELLO_NONE;
	else
		sg_hello_next(h, SG_HELLO_EXTENSION, skip, 4);
}

/* 1 if a < b, else 0; both are small. The compiler is to know neither, or it finds branches. */
static __always_inline __u64 sg_hello_less(__u64 a, __u64 b)
{
	__u64 less = a - b;

	asm volatile("" : "+r"(less));
	less >>= 63;
	asm volatile("" : "+r"(less));
	return less;
}

/*
 * Of the first `len` bytes of the text the name stays, in small letters: without a port, and
 * without a dot at its end. An address is no name. Without branches in the loop, as sg_target_cut().
 */
static __always_inline void sg_hello_cut(struct sg_hello *h, __u32 len)
{
	__u64 over = 0;
	__u64 named = 0;
	__u64 n = 0;
	__u32 i;

#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
	for (i = 0; i < SG_TARGET_LEN; i++) {
		__u64 c = h->key.text[i];

		over |= sg_hello_less(c, '!') | sg_hello_less(c ^ ':', 1) |
			(sg_hello_less(i, len) ^ 1);
		c += (sg_hello_less(c, 'Z' + 1) & ~sg_hello_less(c, 'A')) << 5;
		named |= (sg_hello_less(c, '.') | (sg_hello_less(c, ':') ^ 1) |
			  sg_hello_less(c ^ '/', 1)) &
			 (over ^ 1);
		n += over ^ 1;
		h->key.text[i] = (__u8)(c & (over - 1));
	}
	if (n && h->key.text[(n - 1) & (SG_TARGET_LEN - 1)] == '.')
		h->key.text[(n - 1) & (SG_TARGET_LEN - 1)] = 0;
	h->stage = named && h->key.text[0] != '[' ? SG_HELLO_OVER : SG_HELLO_NONE;
}

/* The value of a Host, as far as it is there: is its line complete? */
static __always_inline bool sg_hello_line(const struct sg_hello *h, __u32 len)
{
	__u64 ended = 0;
	__u32 i;

#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
	for (i = 0; i < SG_TARGET_LEN; i++) {
		__u64 c = h->key.text[i];

		ended |= sg_hello_less(c, '!') & sg_hello_less(i, len);
	}
	return ended;
}

/* What was needed of a ClientHello is there, in key.text; not the name, see sg_hello_cut(). */
static __always_inline void sg_hello_field(struct sg_hello *h)
{
	const __u8 *b = h->key.text;
	__u32 len;

	switch (h->stage) {
	case SG_HELLO_HEAD:
		if (b[0] != SG_HELLO_CLIENT)
			h->stage = SG_HELLO_NONE;
		else
			sg_hello_next(h, SG_HELLO_SUITES, b[SG_HELLO_HEAD_LEN - 1], 2);
		break;
	case SG_HELLO_SUITES:
		sg_hello_next(h, SG_HELLO_METHODS, sg_hello_u16(b), 1);
		break;
	case SG_HELLO_METHODS:
		sg_hello_next(h, SG_HELLO_EXTENSIONS, b[0], 2);
		break;
	case SG_HELLO_EXTENSIONS:
		h->left = (__u16)sg_hello_u16(b);
		sg_hello_extension(h, 0);
		break;
	case SG_HELLO_EXTENSION:
		len = sg_hello_u16(b + 2);
		if (h->left < 4 + len) {
			h->stage = SG_HELLO_NONE;
			break;
		}
		h->left -= 4 + len;
		if (sg_hello_u16(b) || len < 5)
			sg_hello_extension(h, len);
		else
			sg_hello_next(h, SG_HELLO_SERVER, 0, 5);
		break;
	case SG_HELLO_SERVER:
		len = sg_hello_u16(b + 3);
		if (b[2] || !len)
			h->stage = SG_HELLO_NONE;
		else if (len >= SG_TARGET_LEN)
			h->stage = SG_HELLO_OTHER;
		else
			sg_hello_next(h, SG_HELLO_NAME, 0, len);
		break;
	default:
		break;
	}
}

/*
 * Looks for a Host in the first n bytes of the text, SG_HELLO_SEEK at most; returns how many
 * of them are in front of its value. `left`: how many bytes of "\nhost:" were seen, 7 once its
 * value begins; above that how much of an empty line was, which ends the header.
 */
static __always_inline __u32 sg_hello_seek(struct sg_hello *h, __u32 n)
{
	const __u64 name = 0x3a74736f680aULL; /* "\nhost:", the first byte lowest */
	__u64 seen = h->left & 7;
	__u64 empty = h->left >> 3 & 3;
	__u64 at = 0;
	__u32 i;

#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
	for (i = 0; i < SG_HELLO_SEEK; i++) {
		__u64 c = h->key.text[i];
		__u64 go = sg_hello_less(i, n) & sg_hello_less(empty, 2) & sg_hello_less(seen, 7);
		__u64 line;
		__u64 hit;
		__u64 next;

		c += (sg_hello_less(c, 'Z' + 1) & ~sg_hello_less(c, 'A')) << 5;
		line = sg_hello_less(c ^ '\n', 1);
		hit = sg_hello_less(c ^ (name >> ((seen & 7) * 8) & 0xff), 1) &
		      sg_hello_less(seen, 6);
		next = hit * (seen + 1) + (hit ^ 1) * line;
		/* behind the name blanks are skipped */
		next += sg_hello_less(5, seen) *
			(7 - next - (sg_hello_less(c ^ ' ', 1) | sg_hello_less(c ^ '\t', 1)));
		empty = go * (line * (empty + 1) + sg_hello_less(c ^ '\r', 1) * empty) +
			(go ^ 1) * empty;
		seen = go * next + (go ^ 1) * seen;
		at += go & sg_hello_less(seen, 7);
	}
	h->left = (__u16)(seen | empty << 3);
	if (seen == 7)
		sg_hello_next(h, SG_HELLO_HOST, 0, SG_TARGET_LEN);
	else if (empty >= 2)
		h->stage = SG_HELLO_NONE;
	return seen == 7 ? (__u32)at : n;
}

#endif
