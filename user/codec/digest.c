/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/digest.h"

#include <sodium.h>
#include <string.h>

_Static_assert(DIGEST_LEN == crypto_hash_sha256_BYTES, "is SHA-256");

void digest_bytes(const void *data, size_t len, struct digest *ret)
{
	crypto_hash_sha256(ret->b, data, len);
}

void digest_texts(const char *const *texts, size_t n, struct digest *ret)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < n; i++) {
		const char *text = texts[i] ? texts[i] : "";
		size_t len = strlen(text);
		uint8_t head[8];

		for (size_t k = 0; k < sizeof(head); k++)
			head[k] = (uint8_t)((uint64_t)len >> (8 * k));
		crypto_hash_sha256_update(&state, head, sizeof(head));
		crypto_hash_sha256_update(&state, (const unsigned char *)text, len);
	}
	crypto_hash_sha256_final(&state, ret->b);
}
