/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whom a proxy is asked for: the first line of a request as HTTP proxies get it, "CONNECT
 * host:port" or "POST http://host:port/path". Without branches in the loop, which a verifier
 * would follow each byte through.
 */
#ifndef SWITCHGEAR_TARGET_H
#define SWITCHGEAR_TARGET_H

#include "abi.h"

#define SG_TARGET_CONNECT 0x434f4e4eU
#define SG_TARGET_SCHEME_LEN 7 /* "http://" */

/* Length of the method, and of the blank behind it, by a request's first four bytes
 * (big-endian); 0: it is none. */
static __always_inline __u32 sg_target_method(__u32 head)
{
	switch (head) {
	case 0x47455420: /* GET */
	case 0x50555420: /* PUT */
		return 4;
	case 0x504f5354: /* POST */
	case 0x48454144: /* HEAD */
		return 5;
	case 0x50415443: /* PATC(H) */
		return 6;
	case 0x44454c45: /* DELE(TE) */
		return 7;
	case 0x4f505449: /* OPTI(ONS) */
	case SG_TARGET_CONNECT:
		return 8;
	default:
		return 0;
	}
}

/* Is it the scheme of an absolute URI that a proxy forwards in clear? */
static __always_inline bool sg_target_scheme(const __u8 *b)
{
	return (b[0] | 32) == 'h' && (b[1] | 32) == 't' && (b[2] | 32) == 't' &&
	       (b[3] | 32) == 'p' && b[4] == ':' && b[5] == '/' && b[6] == '/';
}

/* 1 if a < b, else 0; both are small. */
static __always_inline __u64 sg_target_less(__u64 a, __u64 b)
{
	return (a - b) >> 63;
}

/* Ends the text where host and port end, and puts it in small letters. */
static __always_inline void sg_target_cut(struct sg_target *t)
{
	__u64 over = 0;
	__u32 i;

#ifdef __bpf__
#pragma clang loop unroll(disable)
#endif
	for (i = 0; i < SG_TARGET_LEN; i++) {
		__u64 c = t->text[i];

		asm volatile("" : "+r"(c)); /* or a compiler finds the branches again */
		over |= sg_target_less(c, '!') | sg_target_less(c ^ '/', 1) |
			sg_target_less(c ^ '?', 1) | sg_target_less(c ^ '#', 1);
		c += (sg_target_less(c, 'Z' + 1) & ~sg_target_less(c, 'A')) << 5;
		t->text[i] = (__u8)(c & (over - 1));
	}
}

#endif
