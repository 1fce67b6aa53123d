/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checksums against damage, not against malice. */
#ifndef SWITCHGEAR_BASE_HASH_H
#define SWITCHGEAR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a, 64 bits. */
static inline uint64_t fnv1a(const void *data, size_t len)
{
	const unsigned char *bytes = data;
	uint64_t sum = 14695981039346656037ULL;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * 1099511628211ULL;
	return sum;
}

#endif
