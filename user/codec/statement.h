/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signed statements (Ed25519, by libsodium): a rating of a server, a vouch for a key, a revocation of
 * a key. A key is its public half; what is rated is H (core/trust.h). What counts of them is
 * core/reputation.h's.
 *
 * As a line, for files and the network:
 *
 *   {"v":1,"type":"rating","issuer":KEY,"subject":ID,"value":0.5,"depth":0,"seq":1,
 *    "not_before_ns":N,"expires_ns":N,"nonce":HEX,"evidence":HEX,"sig":HEX}
 *
 * What is signed is not that text but its meaning, so that it may be written in any way: the
 * domain "switchgear statement 1" with zeros up to 32 bytes, the type as one byte, issuer,
 * subject, the value in 10^-9 (two's complement, 8 bytes), depth (4), seq, not_before and expires
 * in ns of wall time (8 each), nonce (16) and evidence (32, zeros without); numbers with the most
 * significant byte first. Nothing else is ever signed with these keys.
 */
#ifndef SWITCHGEAR_CODEC_STATEMENT_H
#define SWITCHGEAR_CODEC_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "core/reputation.h"

#define STATEMENT_VERSION 1
#define STATEMENT_LINE_MAX 2048U
#define STATEMENT_NONCE_LEN 16
#define STATEMENT_SIGNATURE_LEN 64
#define STATEMENT_SECRET_LEN 64

struct statement {
	struct reputation_statement says;
	uint8_t nonce[STATEMENT_NONCE_LEN];
	struct trust_id evidence; /* all zero: none */
	uint8_t signature[STATEMENT_SIGNATURE_LEN];
};

/* A new pair; `secret` holds the public half, too. -EIO: there is no randomness. */
int statement_key_new(struct trust_id *ret_public,
		      uint8_t ret_secret[STATEMENT_SECRET_LEN]) MUST_CHECK;
/* The public half of a secret one. */
void statement_key_public(const uint8_t secret[STATEMENT_SECRET_LEN], struct trust_id *ret);
/* Do its halves belong together? To sign with others would give the secret one away. */
bool statement_key_whole(const uint8_t secret[STATEMENT_SECRET_LEN]);
/* Overwrites it, whatever the compiler thinks. */
void statement_key_forget(uint8_t secret[STATEMENT_SECRET_LEN]);

/* Fills issuer, nonce and signature. -EIO. The value is rounded to 10^-9. */
int statement_sign(struct statement *s, const uint8_t secret[STATEMENT_SECRET_LEN]) MUST_CHECK;
/* Did the issuer say this? */
bool statement_verify(const struct statement *s);

/* Appends the line, its line break included. buf_error(). */
int statement_encode(const struct statement *s, struct buf *out) MUST_CHECK;
/* Strict: -EINVAL with what is wrong in why. Does not verify. -ENOMEM. */
int statement_decode(const char *text, size_t len, struct statement *ret, char *why,
		     size_t why_size) MUST_CHECK;

/* Bytes as hexadecimal digits and back: true if all of the text is n bytes. */
void hex_print(const uint8_t *bytes, size_t n, char *out); /* 2 n + 1 */
bool hex_parse(const char *text, uint8_t *ret, size_t n);

extern const char *const statement_type_names[REPUTATION_TYPE_COUNT + 1];

#endif
