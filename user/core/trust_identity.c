/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "core/trust.h"

#define LENGTH_BYTES 8U

static void put(uint8_t *out, size_t size, size_t at, const void *data, size_t len)
{
	if (at >= size || !len)
		return;
	memcpy(out + at, data, len < size - at ? len : size - at);
}

size_t trust_identity_bytes(const struct trust_bytes fields[TRUST_FIELD_COUNT], uint8_t *out,
			    size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < TRUST_FIELD_COUNT; i++) {
		size_t len = fields[i].data ? fields[i].len : 0;
		uint8_t length[LENGTH_BYTES];

		for (unsigned int k = 0; k < LENGTH_BYTES; k++)
			length[k] = (uint8_t)((uint64_t)len >> 8 * (LENGTH_BYTES - 1 - k));
		put(out, size, at, length, LENGTH_BYTES);
		put(out, size, at + LENGTH_BYTES, fields[i].data, len);
		at += LENGTH_BYTES + len;
	}
	return at;
}
