/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rules of hello.h over bytes in memory, as bpf/name.bpf.h has them over packets. */
#ifndef SWITCHGEAR_TESTS_HELLO_FEED_H
#define SWITCHGEAR_TESTS_HELLO_FEED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hello.h"

static inline size_t hello_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t hello_feed_clear(struct sg_hello *h, const uint8_t *v, size_t len)
{
	size_t have = h->stage == SG_HELLO_HOST ? h->have : 0;
	size_t n = hello_least(len, SG_TARGET_LEN - have);

	memcpy(h->key.text + have, v, n);
	if (h->stage == SG_HELLO_FIND)
		return sg_hello_seek(h, (__u32)n);
	h->have = (__u16)(have + n);
	if (sg_hello_line(h, h->have))
		sg_hello_cut(h, h->have);
	else if (h->have >= SG_TARGET_LEN)
		h->stage = SG_HELLO_OTHER;
	return n;
}

static inline size_t hello_feed_one(struct sg_hello *h, const uint8_t *v, size_t len)
{
	size_t n = hello_least(len, h->frame);

	if (h->stage >= SG_HELLO_FIND)
		return hello_feed_clear(h, v, len);
	if (!h->frame) {
		h->header[h->framed++] = *v;
		if (h->framed >= SG_HELLO_FRAME)
			sg_hello_frame(h);
		return 1;
	}
	if (h->skip) {
		n = hello_least(n, h->skip);
		h->skip -= (__u16)n;
		h->frame -= (__u16)n;
		return n;
	}
	n = hello_least(n, (size_t)h->need - h->have);
	memcpy(h->key.text + h->have, v, n);
	h->have += (__u16)n;
	h->frame -= (__u16)n;
	if (h->have < h->need)
		return n;
	if (h->stage == SG_HELLO_NAME)
		sg_hello_cut(h, h->have);
	else
		sg_hello_field(h);
	return n;
}

/* The beginning of a connection in pieces of `piece` bytes. */
static inline void hello_feed(struct sg_hello *h, const uint8_t *v, size_t len, size_t piece)
{
	memset(h, 0, sizeof(*h));
	if (len)
		sg_hello_begin(h, v[0]);
	for (size_t at = 0; at < len; at += piece) {
		size_t end = at + hello_least(piece, len - at);

		for (size_t i = at; i < end && sg_hello_open(h);)
			i += hello_feed_one(h, v + i, end - i);
	}
}

#endif
