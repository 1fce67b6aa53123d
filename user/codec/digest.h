/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SHA-256, by libsodium: of bytes, or of several texts, each with its length before it, so that no
 * two lists of texts have the same bytes. Against malice, as the checksums of base/hash.h are not. */
#ifndef SWITCHGEAR_CODEC_DIGEST_H
#define SWITCHGEAR_CODEC_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 32

struct digest {
	uint8_t b[DIGEST_LEN];
};

void digest_bytes(const void *data, size_t len, struct digest *ret);
/* A text may be NULL, which is as if it were empty. */
void digest_texts(const char *const *texts, size_t n, struct digest *ret);

#endif
