/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/messages_community.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/parse.h"
#include "codec/fields.h"
#include "codec/jsonpos.h"
#include "codec/messages.h"

#define DEPTH_MAX 4U
#define REQUEST_DEPTH_MAX 2U
#define VOUCH_DEPTH_MAX 16U

static int word_from(const char *const *words, const char *name)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(words[i], name))
			return i;
	return -EINVAL;
}

const char *statement_type_name(unsigned int type)
{
	return type < REPUTATION_TYPE_COUNT ? statement_type_names[type] : "?";
}

static int statement_type_from_name(const char *name)
{
	return word_from(statement_type_names, name);
}

static const char *const orders[KEYS_ORDER_COUNT + 1] = { "new", "add", "anchor", "unanchor",
							  "remove" };

const char *keys_order_name(unsigned int order)
{
	return order < KEYS_ORDER_COUNT ? orders[order] : "?";
}

static int order_from_name(const char *name)
{
	return word_from(orders, name);
}

/* --- requests: strict ------------------------------------------------------------------------- */

/* Members by their bits: which there are. */
enum member {
	MEMBER_TYPE = 1,
	MEMBER_SERVER = 2,
	MEMBER_KEY = 4,
	MEMBER_VALUE = 8,
	MEMBER_DEPTH = 16,
	MEMBER_BY = 32,
	MEMBER_FOR = 64,
	MEMBER_EVIDENCE = 128,
	MEMBER_DO = 256,
	MEMBER_NAME = 512,
};

static const char *const member_names[] = { "type", "server", "key",      "value", "depth",
					    "by",   "for",    "evidence", "do",    "name" };

static int body_parse(const char *text, size_t len, struct json_object **ret, char *why,
		      size_t size)
{
	struct jsonpos_fault fault;
	int r;

	if (len > REQUEST_SIZE_MAX)
		return explain(-EINVAL, why, size, "the body has %zu bytes; at most %u are allowed",
			       len, REQUEST_SIZE_MAX);
	r = jsonpos_parse(text, len, REQUEST_DEPTH_MAX, ret, &fault);
	if (r == -ENOMEM)
		return r;
	if (r)
		return explain(-EINVAL, why, size, "line %u, column %u: %s", fault.at.line,
			       fault.at.column, fault.what);
	if (!json_object_is_type(*ret, json_type_object))
		return explain(-EINVAL, why, size, "the body must be a JSON object");
	return 0;
}

static int check_members(struct json_object *obj, unsigned int allowed, unsigned int required,
			 char *why, size_t size)
{
	unsigned int there = 0;

	json_object_object_foreach(obj, key, value)
	{
		unsigned int bit = 0;

		(void)value;
		for (size_t i = 0; i < ARRAY_SIZE(member_names); i++)
			if (!strcmp(member_names[i], key))
				bit = 1U << i;
		if (!(bit & allowed))
			return explain(-EINVAL, why, size, "the key \"%.64s\" is not known here",
				       key);
		there |= bit;
	}
	for (size_t i = 0; i < ARRAY_SIZE(member_names); i++)
		if (required & ~there & 1U << i)
			return explain(-EINVAL, why, size, "the key \"%s\" is missing",
				       member_names[i]);
	return 0;
}

static int read_text(const struct json_object *obj, const char *key, char *ret, size_t ret_size,
		     char *why, size_t size)
{
	struct json_object *v = jget(obj, key);

	if (!v)
		return 0;
	if (!json_object_is_type(v, json_type_string) || !jget_copy(obj, key, ret, ret_size) ||
	    !*ret)
		return explain(-EINVAL, why, size, "%s must be a text of 1 to %zu bytes", key,
			       ret_size - 1);
	return 0;
}

static int read_value(const struct json_object *obj, struct request_say *q, char *why, size_t size)
{
	double least = q->type == REPUTATION_RATING ? -1 : 0;

	q->value = jget_double(obj, "value", q->type == REPUTATION_REVOKE ? 1 : NAN);
	if (q->value >= least && q->value <= 1)
		return 0;
	return explain(-EINVAL, why, size, "value must be a number of %g to 1", least);
}

static int read_for(const struct json_object *obj, struct request_say *q, char *why, size_t size)
{
	struct json_object *v = jget(obj, "for");
	bool good = true;

	if (!v)
		return 0;
	if (json_object_is_type(v, json_type_string))
		good = !parse_duration(json_object_get_string(v), &q->for_ns);
	else if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double))
		q->for_ns = seconds_to_ns(json_object_get_double(v));
	if (good && q->for_ns && q->for_ns <= REPUTATION_LIFE_MAX_NS)
		return 0;
	return explain(-EINVAL, why, size,
		       "for must be a duration of at most 180 days: 90s, 10m, 2h, 1d, or seconds");
}

static int read_rest(const struct json_object *obj, struct request_say *q, char *why, size_t size)
{
	const char *evidence = jget_text(obj, "evidence", NULL);

	q->depth = jget_uint(obj, "depth", 0);
	if (q->depth > VOUCH_DEPTH_MAX ||
	    (jget(obj, "depth") && !json_object_is_type(jget(obj, "depth"), json_type_int)))
		return explain(-EINVAL, why, size, "depth must be a whole number up to %u",
			       VOUCH_DEPTH_MAX);
	if (jget(obj, "evidence") &&
	    (!evidence || !hex_parse(evidence, q->evidence.b, sizeof(q->evidence.b))))
		return explain(-EINVAL, why, size,
			       "evidence must be a SHA-256, 64 hexadecimal digits");
	return 0;
}

/* What each may have, and must: a rating by who asks, a rating, a vouch, a revocation. */
static const struct {
	unsigned int allowed;
	unsigned int required;
} says[] = {
	{ MEMBER_SERVER | MEMBER_VALUE | MEMBER_FOR | MEMBER_EVIDENCE,
	  MEMBER_SERVER | MEMBER_VALUE },
	{ MEMBER_TYPE | MEMBER_SERVER | MEMBER_VALUE | MEMBER_BY | MEMBER_FOR | MEMBER_EVIDENCE,
	  MEMBER_TYPE | MEMBER_SERVER | MEMBER_VALUE },
	{ MEMBER_TYPE | MEMBER_KEY | MEMBER_VALUE | MEMBER_DEPTH | MEMBER_BY | MEMBER_FOR |
		  MEMBER_EVIDENCE,
	  MEMBER_TYPE | MEMBER_KEY | MEMBER_VALUE },
	{ MEMBER_TYPE | MEMBER_KEY | MEMBER_BY | MEMBER_FOR | MEMBER_EVIDENCE,
	  MEMBER_TYPE | MEMBER_KEY },
};

int request_say_decode(bool user, const char *text, size_t len, struct request_say *ret, char *why,
		       size_t why_size)
{
	CLEANUP(json_putp) struct json_object *obj = NULL;
	struct request_say q = { 0 };
	int r = body_parse(text, len, &obj, why, why_size);
	int type = REPUTATION_RATING;

	if (r)
		return r;
	if (!user)
		type = statement_type_from_name(jget_text(obj, "type", ""));
	if (type < 0)
		return explain(-EINVAL, why, why_size, "type must be rating, vouch or revoke");
	q.type = (uint32_t)type;
	r = check_members(obj, says[user ? 0 : 1 + type].allowed,
			  says[user ? 0 : 1 + type].required, why, why_size);
	if (!r)
		r = read_text(obj, type == REPUTATION_RATING ? "server" : "key", q.subject,
			      sizeof(q.subject), why, why_size);
	if (!r)
		r = read_text(obj, "by", q.by, sizeof(q.by), why, why_size);
	if (!r)
		r = read_value(obj, &q, why, why_size);
	if (!r)
		r = read_for(obj, &q, why, why_size);
	if (!r)
		r = read_rest(obj, &q, why, why_size);
	if (!r)
		*ret = q;
	return r;
}

int request_say_encode(bool user, const struct request_say *q, struct buf *out)
{
	static const struct trust_id none;
	char evidence[KEY_TEXT_LEN];
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	if (!user)
		jsonw_text(&w, "type", statement_type_name(q->type));
	jsonw_text(&w, q->type == REPUTATION_RATING ? "server" : "key", q->subject);
	if (q->type != REPUTATION_REVOKE)
		jsonw_double(&w, "value", q->value);
	if (q->type == REPUTATION_VOUCH)
		jsonw_uint(&w, "depth", q->depth);
	if (*q->by)
		jsonw_text(&w, "by", q->by);
	if (q->for_ns)
		jsonw_seconds(&w, "for", q->for_ns);
	hex_print(q->evidence.b, sizeof(q->evidence.b), evidence);
	if (memcmp(&q->evidence, &none, sizeof(none)) != 0)
		jsonw_text(&w, "evidence", evidence);
	jsonw_object_end(&w);
	return buf_error(out);
}

int request_keys_decode(const char *text, size_t len, struct request_keys *ret, char *why,
			size_t why_size)
{
	CLEANUP(json_putp) struct json_object *obj = NULL;
	struct request_keys q = { 0 };
	int r = body_parse(text, len, &obj, why, why_size);
	unsigned int add;
	int order;

	if (r)
		return r;
	order = order_from_name(jget_text(obj, "do", ""));
	if (order < 0)
		return explain(-EINVAL, why, why_size,
			       "do must be new, add, anchor, unanchor or remove");
	q.order = (uint32_t)order;
	add = order == KEYS_ADD ? MEMBER_KEY : 0;
	r = check_members(obj, MEMBER_DO | MEMBER_NAME | add, MEMBER_DO | MEMBER_NAME | add, why,
			  why_size);
	if (!r)
		r = read_text(obj, "name", q.name, sizeof(q.name), why, why_size);
	if (!r)
		r = read_text(obj, "key", q.key, sizeof(q.key), why, why_size);
	if (!r)
		*ret = q;
	return r;
}

int request_keys_encode(const struct request_keys *q, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_text(&w, "do", keys_order_name(q->order));
	jsonw_text(&w, "name", q->name);
	if (*q->key)
		jsonw_text(&w, "key", q->key);
	jsonw_object_end(&w);
	return buf_error(out);
}

/* --- replies ------------------------------------------------------------------------------------ */

/* clang-format off */
#define KEY(key_name, kind, member, ...) FIELD(key_name, kind, key_entry, member, __VA_ARGS__)
static const struct field key_fields[] = {
	KEY("name", KIND_TEXT, name),
	KEY("key", KIND_TEXT, key),
	KEY("own", KIND_BOOL, own),
	KEY("anchor", KIND_BOOL, anchor),
	KEY("revoked", KIND_BOOL, revoked),
	KEY("weight", KIND_NUMBER, weight),
	KEY("statements", KIND_UINT32, statements),
	KEY("error", KIND_TEXT, error, .zero = ZERO_OMITTED),
	FIELDS_STOP
};

static const struct field keys_fields[] = {
	FIELD_LIST(reply_keys, keys, key_fields),
	FIELDS_STOP
};

#define SAID(key_name, kind, member, ...) FIELD(key_name, kind, reply_said, member, __VA_ARGS__)
static const struct field said_fields[] = {
	SAID("name", KIND_TEXT, name),
	SAID("key", KIND_TEXT, key),
	SAID("type", KIND_WORD, type, FIELD_WORDS(statement_type, REPUTATION_RATING)),
	SAID("subject", KIND_TEXT, subject),
	SAID("value", KIND_NUMBER, value),
	SAID("expires", KIND_TIME, expires_wall_ns),
	SAID("statement", KIND_STRING, statement),
	SAID("error", KIND_TEXT, error, .zero = ZERO_OMITTED),
	FIELDS_STOP
};

static const struct field line_fields[] = {
	FIELD("line", KIND_UINT32, taken_line, line),
	FIELD("verdict", KIND_TEXT, taken_line, verdict),
	FIELD("issuer", KIND_TEXT, taken_line, issuer),
	FIELDS_STOP
};

#define TAKEN(key_name, kind, member, ...) FIELD(key_name, kind, reply_taken, member, __VA_ARGS__)
static const struct field taken_fields[] = {
	TAKEN("accepted", KIND_UINT32, accepted),
	TAKEN("old", KIND_UINT32, old),
	TAKEN("unknown", KIND_UINT32, unknown),
	TAKEN("refused", KIND_UINT32, refused),
	FIELD_LIST(reply_taken, lines, line_fields),
	TAKEN("error", KIND_TEXT, error, .zero = ZERO_OMITTED),
	FIELDS_STOP
};
/* clang-format on */

static const struct document key_document = {
	key_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "key", json_type_string } }
};
static const struct document keys_document = {
	keys_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "keys", json_type_array } }
};
static const struct document said_document = {
	said_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "statement", json_type_string } }
};
static const struct document taken_document = {
	taken_fields, REPLY_SIZE_MAX, DEPTH_MAX, { { "lines", json_type_array } }
};

int reply_key_encode(const struct key_entry *k, struct buf *out)
{
	return document_encode(&key_document, k, URL_MASKED, out);
}

int reply_key_decode(const char *text, size_t len, struct key_entry *ret)
{
	*ret = (struct key_entry){ 0 };
	return document_decode(&key_document, text, len, ret);
}

void reply_keys_done(struct reply_keys *r)
{
	free(r->keys);
	*r = (struct reply_keys){ 0 };
}

int reply_keys_encode(const struct reply_keys *r, struct buf *out)
{
	return document_encode(&keys_document, r, URL_MASKED, out);
}

int reply_keys_decode(const char *text, size_t len, struct reply_keys *ret)
{
	return document_decode(&keys_document, text, len, ret);
}

void reply_said_done(struct reply_said *r)
{
	free(r->statement);
	*r = (struct reply_said){ 0 };
}

int reply_said_encode(const struct reply_said *r, struct buf *out)
{
	return document_encode(&said_document, r, URL_MASKED, out);
}

int reply_said_decode(const char *text, size_t len, struct reply_said *ret)
{
	return document_decode(&said_document, text, len, ret);
}

void reply_taken_done(struct reply_taken *r)
{
	free(r->lines);
	*r = (struct reply_taken){ 0 };
}

int reply_taken_encode(const struct reply_taken *r, struct buf *out)
{
	return document_encode(&taken_document, r, URL_MASKED, out);
}

int reply_taken_decode(const char *text, size_t len, struct reply_taken *ret)
{
	return document_decode(&taken_document, text, len, ret);
}
