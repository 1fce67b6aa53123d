/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ratings by many keys that nobody knows, as lines on the standard output. It writes the bytes
 * that are signed by docs/protocol.md, not by the product's code: both must agree.
 *
 * usage: raters N SUBJECT VALUE   N keys, made here and forgotten; SUBJECT is H, in hexadecimal
 */
#include <math.h>
#include <sodium.h>

#include "util.h"

struct parts {
	unsigned char bytes[32 + 1 + 32 + 32 + 8 + 4 + 8 + 8 + 8 + 16 + 32];
	size_t n;
};

static void put(struct parts *p, const void *data, size_t len)
{
	memcpy(p->bytes + p->n, data, len);
	p->n += len;
}

static void put_number(struct parts *p, uint64_t value, int len)
{
	for (int i = len - 1; i >= 0; i--)
		p->bytes[p->n++] = (unsigned char)(value >> (8 * i));
}

static void put_hex(const char *key, const unsigned char *bytes, size_t len)
{
	char text[129];

	sodium_bin2hex(text, sizeof(text), bytes, len);
	printf(",\"%s\":\"%s\"", key, text);
}

static void rate(const unsigned char subject[32], double value, uint64_t now, uint64_t end)
{
	static const char domain[32] = "switchgear statement 1";
	unsigned char key[crypto_sign_PUBLICKEYBYTES];
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
	unsigned char signature[crypto_sign_BYTES];
	unsigned char nonce[16], evidence[32] = { 0 };
	struct parts p = { .n = 0 };

	crypto_sign_keypair(key, secret);
	randombytes_buf(nonce, sizeof(nonce));
	put(&p, domain, sizeof(domain));
	put_number(&p, 0, 1); /* a rating */
	put(&p, key, sizeof(key));
	put(&p, subject, 32);
	put_number(&p, (uint64_t)llround(value * 1e9), 8);
	put_number(&p, 0, 4);
	put_number(&p, 1, 8);
	put_number(&p, now, 8);
	put_number(&p, end, 8);
	put(&p, nonce, sizeof(nonce));
	put(&p, evidence, sizeof(evidence));
	crypto_sign_detached(signature, NULL, p.bytes, p.n, secret);
	printf("{\"v\":1,\"type\":\"rating\"");
	put_hex("issuer", key, sizeof(key));
	put_hex("subject", subject, 32);
	printf(",\"value\":%.9f,\"depth\":0,\"seq\":1,\"not_before_ns\":%llu,\"expires_ns\":%llu",
	       value, (unsigned long long)now, (unsigned long long)end);
	put_hex("nonce", nonce, sizeof(nonce));
	put_hex("evidence", evidence, sizeof(evidence));
	put_hex("sig", signature, sizeof(signature));
	printf("}\n");
}

int main(int argc, char **argv)
{
	unsigned char subject[32];
	struct timespec ts;
	uint64_t now;
	size_t len;

	if (argc != 4 || sodium_init() < 0 ||
	    sodium_hex2bin(subject, sizeof(subject), argv[2], strlen(argv[2]), NULL, &len, NULL) ||
	    len != sizeof(subject))
		die("usage: raters N SUBJECT VALUE");
	clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	for (long i = parse_long("N", argv[1], 1, 1000000); i > 0; i--)
		rate(subject, strtod(argv[3], NULL), now, now + 86400ULL * 1000000000);
	return 0;
}
