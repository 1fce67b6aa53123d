/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/statement.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

#include "base/parse.h"
#include "codec/jsonget.h"
#include "codec/jsonpos.h"
#include "codec/jsonw.h"

#define DOMAIN_LEN 32
#define UNIT 1e9
#define SIGNED_LEN (DOMAIN_LEN + 1 + 32 + 32 + 8 + 4 + 8 + 8 + 8 + STATEMENT_NONCE_LEN + 32)

_Static_assert(crypto_sign_PUBLICKEYBYTES == sizeof(struct trust_id), "a key is an identity");
_Static_assert(crypto_sign_SECRETKEYBYTES == STATEMENT_SECRET_LEN, "is Ed25519");
_Static_assert(crypto_sign_BYTES == STATEMENT_SIGNATURE_LEN, "is Ed25519");

const char *const statement_type_names[REPUTATION_TYPE_COUNT + 1] = { "rating", "vouch", "revoke" };

/* --- what is signed ------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	return at + len;
}

static uint8_t *put_number(uint8_t *at, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
	return at + len;
}

static void write_signed(const struct statement *s, uint8_t out[SIGNED_LEN])
{
	const struct reputation_statement *r = &s->says;
	static const char domain[DOMAIN_LEN] = "switchgear statement 1";
	int64_t value = llround(r->value * UNIT);
	uint8_t *at = out;

	at = put(at, domain, sizeof(domain));
	at = put_number(at, r->type, 1);
	at = put(at, r->issuer.b, sizeof(r->issuer.b));
	at = put(at, r->subject.b, sizeof(r->subject.b));
	at = put_number(at, (uint64_t)value, 8);
	at = put_number(at, r->depth, 4);
	at = put_number(at, r->seq, 8);
	at = put_number(at, r->not_before_ns, 8);
	at = put_number(at, r->expires_ns, 8);
	at = put(at, s->nonce, sizeof(s->nonce));
	(void)put(at, s->evidence.b, sizeof(s->evidence.b));
}

int statement_key_new(struct trust_id *ret_public, uint8_t ret_secret[STATEMENT_SECRET_LEN])
{
	if (sodium_init() < 0)
		return -EIO;
	crypto_sign_keypair(ret_public->b, ret_secret);
	return 0;
}

void statement_key_public(const uint8_t secret[STATEMENT_SECRET_LEN], struct trust_id *ret)
{
	crypto_sign_ed25519_sk_to_pk(ret->b, secret);
}

bool statement_key_whole(const uint8_t secret[STATEMENT_SECRET_LEN])
{
	uint8_t again[STATEMENT_SECRET_LEN];
	struct trust_id key;
	bool whole;

	crypto_sign_seed_keypair(key.b, again, secret);
	whole = !sodium_memcmp(again, secret, sizeof(again));
	sodium_memzero(again, sizeof(again));
	return whole;
}

void statement_key_forget(uint8_t secret[STATEMENT_SECRET_LEN])
{
	sodium_memzero(secret, STATEMENT_SECRET_LEN);
}

int statement_sign(struct statement *s, const uint8_t secret[STATEMENT_SECRET_LEN])
{
	uint8_t bytes[SIGNED_LEN];

	if (sodium_init() < 0)
		return -EIO;
	s->says.value = (double)llround(s->says.value * UNIT) / UNIT;
	statement_key_public(secret, &s->says.issuer);
	randombytes_buf(s->nonce, sizeof(s->nonce));
	write_signed(s, bytes);
	crypto_sign_detached(s->signature, NULL, bytes, sizeof(bytes), secret);
	return 0;
}

bool statement_verify(const struct statement *s)
{
	uint8_t bytes[SIGNED_LEN];

	write_signed(s, bytes);
	return !crypto_sign_verify_detached(s->signature, bytes, sizeof(bytes), s->says.issuer.b);
}

/* --- as a line -------------------------------------------------------------------------------- */

void hex_print(const uint8_t *bytes, size_t n, char *out)
{
	sodium_bin2hex(out, 2 * n + 1, bytes, n);
}

bool hex_parse(const char *text, uint8_t *ret, size_t n)
{
	size_t len;

	return strlen(text) == 2 * n && !sodium_hex2bin(ret, n, text, 2 * n, NULL, &len, NULL) &&
	       len == n;
}

static void write_hex(struct jsonw *w, const char *key, const uint8_t *bytes, size_t n)
{
	char text[2 * STATEMENT_SIGNATURE_LEN + 1];

	hex_print(bytes, n, text);
	jsonw_text(w, key, text);
}

int statement_encode(const struct statement *s, struct buf *out)
{
	const struct reputation_statement *r = &s->says;
	CLEANUP(buf_done) struct buf line = BUF(STATEMENT_LINE_MAX);
	struct jsonw w;

	jsonw_init(&w, &line);
	jsonw_object(&w, NULL);
	jsonw_uint(&w, "v", STATEMENT_VERSION);
	jsonw_text(&w, "type", statement_type_names[r->type]);
	write_hex(&w, "issuer", r->issuer.b, sizeof(r->issuer.b));
	write_hex(&w, "subject", r->subject.b, sizeof(r->subject.b));
	jsonw_double(&w, "value", r->value);
	jsonw_uint(&w, "depth", r->depth);
	jsonw_uint(&w, "seq", r->seq);
	jsonw_uint(&w, "not_before_ns", r->not_before_ns);
	jsonw_uint(&w, "expires_ns", r->expires_ns);
	write_hex(&w, "nonce", s->nonce, sizeof(s->nonce));
	write_hex(&w, "evidence", s->evidence.b, sizeof(s->evidence.b));
	write_hex(&w, "sig", s->signature, sizeof(s->signature));
	jsonw_object_end(&w);
	buf_putc(&line, '\n');
	if (buf_error(&line))
		return buf_error(&line);
	buf_append(out, line.data, line.len);
	return buf_error(out);
}

/* While one is read: the first thing that is wrong. */
struct reading {
	const struct json_object *obj;
	char *why;
	size_t size;
	bool bad;
};

static void PRINTF_LIKE(2, 3) wrong(struct reading *r, const char *fmt, ...)
{
	va_list ap;

	if (r->bad)
		return;
	r->bad = true;
	va_start(ap, fmt);
	vsnprintf(r->why, r->size, fmt, ap);
	va_end(ap);
}

static void read_hex(struct reading *r, const char *key, uint8_t *ret, size_t n)
{
	const char *text = jget_text(r->obj, key, "");

	if (!hex_parse(text, ret, n))
		wrong(r, "\"%s\" is not %zu hexadecimal digits", key, 2 * n);
}

static uint64_t read_number(struct reading *r, const char *key, uint64_t max)
{
	struct json_object *v = jget(r->obj, key);

	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0 ||
	    json_object_get_uint64(v) > max)
		wrong(r, "\"%s\" is no whole number up to %llu", key, (unsigned long long)max);
	return v ? json_object_get_uint64(v) : 0;
}

static double read_value(struct reading *r)
{
	double value = jget_double(r->obj, "value", NAN);

	if (!(value >= -1 && value <= 1))
		wrong(r, "\"value\" is no number of -1 to 1");
	return isnan(value) ? 0 : value;
}

static enum reputation_type read_type(struct reading *r)
{
	const char *type = jget_text(r->obj, "type", "");

	for (int i = 0; i < REPUTATION_TYPE_COUNT; i++)
		if (!strcmp(type, statement_type_names[i]))
			return (enum reputation_type)i;
	wrong(r, "\"type\" is none of rating, vouch, revoke");
	return REPUTATION_RATING;
}

static void read_members(struct reading *r, struct statement *s)
{
	struct reputation_statement *says = &s->says;

	if (read_number(r, "v", UINT32_MAX) != STATEMENT_VERSION)
		wrong(r, "\"v\" is not %d", STATEMENT_VERSION);
	says->type = read_type(r);
	read_hex(r, "issuer", says->issuer.b, sizeof(says->issuer.b));
	read_hex(r, "subject", says->subject.b, sizeof(says->subject.b));
	says->value = read_value(r);
	says->depth = (uint32_t)read_number(r, "depth", UINT32_MAX);
	says->seq = read_number(r, "seq", INT64_MAX);
	says->not_before_ns = read_number(r, "not_before_ns", INT64_MAX);
	says->expires_ns = read_number(r, "expires_ns", INT64_MAX);
	read_hex(r, "nonce", s->nonce, sizeof(s->nonce));
	read_hex(r, "evidence", s->evidence.b, sizeof(s->evidence.b));
	read_hex(r, "sig", s->signature, sizeof(s->signature));
	if (json_object_object_length(r->obj) != 12)
		wrong(r, "it has members that a statement does not have");
}

int statement_decode(const char *text, size_t len, struct statement *ret, char *why,
		     size_t why_size)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct reading reading = { .why = why, .size = why_size };
	struct jsonpos_fault fault;
	int r = len > STATEMENT_LINE_MAX ? -E2BIG : jsonpos_parse(text, len, 2, &root, &fault);

	*ret = (struct statement){ 0 };
	if (r == -ENOMEM)
		return r;
	if (len > STATEMENT_LINE_MAX)
		return explain(-EINVAL, why, why_size, "it is longer than %u bytes",
			       STATEMENT_LINE_MAX);
	if (r)
		return explain(-EINVAL, why, why_size, "column %u: %s", fault.at.column,
			       fault.what);
	if (!json_object_is_type(root, json_type_object))
		return explain(-EINVAL, why, why_size, "it is no object");
	reading.obj = root;
	read_members(&reading, ret);
	return reading.bad ? -EINVAL : 0;
}
