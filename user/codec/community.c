/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/community.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int community_init(struct community *c, uint64_t seed)
{
	struct reputation *w = &c->web;

	*c = (struct community){ 0 };
	w->keys = calloc(COMMUNITY_KEYS, sizeof(*w->keys));
	w->records = calloc(COMMUNITY_RECORDS, sizeof(*w->records));
	w->servers = calloc(COMMUNITY_SERVERS, sizeof(*w->servers));
	c->proofs = calloc(COMMUNITY_RECORDS, sizeof(*c->proofs));
	c->servers = calloc(COMMUNITY_SERVERS, sizeof(*c->servers));
	c->keys = calloc(COMMUNITY_NAMES, sizeof(*c->keys));
	w->keys_cap = COMMUNITY_KEYS;
	w->records_cap = COMMUNITY_RECORDS;
	w->servers_cap = COMMUNITY_SERVERS;
	w->seed = seed;
	return w->keys && w->records && w->servers && c->proofs && c->servers && c->keys ? 0
											 : -ENOMEM;
}

void community_done(struct community *c)
{
	free(c->web.keys);
	free(c->web.records);
	free(c->web.servers);
	free(c->proofs);
	free(c->servers);
	free(c->keys);
	*c = (struct community){ 0 };
}

static bool same(const struct trust_id *a, const struct trust_id *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* --- keys ------------------------------------------------------------------------------------ */

bool community_name_is_good(const char *name)
{
	size_t len = strlen(name);
	struct trust_id id;

	if (!len || len >= COMMUNITY_NAME_LEN || !isalnum((unsigned char)*name) ||
	    hex_parse(name, id.b, sizeof(id.b)))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-@", *name))
			return false;
	return true;
}

const struct community_key *community_named(const struct community *c, const char *name)
{
	for (size_t i = 0; i < c->n_keys; i++)
		if (!strcmp(c->keys[i].name, name))
			return &c->keys[i];
	return NULL;
}

const struct community_key *community_name_of(const struct community *c, const struct trust_id *key)
{
	for (size_t i = 0; i < c->n_keys; i++)
		if (same(&c->keys[i].key, key))
			return &c->keys[i];
	return NULL;
}

bool community_find(const struct community *c, const char *text, struct trust_id *ret)
{
	const struct community_key *k = community_named(c, text);

	if (k)
		*ret = k->key;
	return k || hex_parse(text, ret->b, sizeof(ret->b));
}

void community_show(const struct community *c, const struct trust_id *key,
		    char ret[COMMUNITY_NAME_LEN])
{
	const struct community_key *k = community_name_of(c, key);

	if (k)
		snprintf(ret, COMMUNITY_NAME_LEN, "%s", k->name);
	else
		hex_print(key->b, 8, ret);
}

int community_add(struct community *c, const char *name, const struct trust_id *key,
		  const char **ret_name)
{
	const struct community_key *known = community_name_of(c, key);
	struct community_key *k = &c->keys[c->n_keys];

	if (known) {
		*ret_name = known->name;
		return -EALREADY;
	}
	if (community_named(c, name))
		return -EEXIST;
	if (c->n_keys == COMMUNITY_NAMES)
		return -ENOSPC;
	*k = (struct community_key){ .key = *key };
	snprintf(k->name, sizeof(k->name), "%s", name);
	*ret_name = k->name;
	c->n_keys++;
	return 0;
}

int community_anchor(struct community *c, const char *name, bool on)
{
	const struct community_key *found = community_named(c, name);
	struct community_key *k = found ? &c->keys[found - c->keys] : NULL;
	int r = k ? reputation_anchor(&c->web, &k->key, on) : -ENOENT;

	if (!r)
		k->anchor = on;
	return r;
}

void community_remove(struct community *c, const char *name)
{
	const struct community_key *found = community_named(c, name);

	if (!found)
		return;
	if (found->anchor)
		(void)!reputation_anchor(&c->web, &found->key, false);
	c->keys[found - c->keys] = c->keys[--c->n_keys];
}

/* --- servers ---------------------------------------------------------------------------------- */

int community_server(struct community *c, const char *name, const struct trust_id *id,
		     uint32_t *ret)
{
	uint32_t before = REPUTATION_NONE;
	int r;

	for (uint32_t i = 0; i < c->web.n_servers; i++)
		if (!strcmp(c->servers[i], name))
			before = i;
	if (before != REPUTATION_NONE && same(&c->web.servers[before].id, id)) {
		*ret = before;
		return 0;
	}
	r = reputation_subject(&c->web, id, before, ret);
	if (r)
		return r;
	if (before != REPUTATION_NONE)
		c->servers[before][0] = '\0';
	snprintf(c->servers[*ret], sizeof(c->servers[*ret]), "%s", name);
	return 0;
}

/* --- statements -------------------------------------------------------------------------------- */

static struct community_proof *proof_of(const struct community *c,
					const struct reputation_record *k)
{
	return &c->proofs[k - c->web.records];
}

void community_prove(struct community *c, const struct statement *s)
{
	const struct reputation_record *k =
		reputation_record(&c->web, &s->says.issuer, &s->says.subject, s->says.type);
	struct community_proof *proof = proof_of(c, k);

	proof->evidence = s->evidence;
	proof->value = s->says.value;
	memcpy(proof->nonce, s->nonce, sizeof(proof->nonce));
	memcpy(proof->signature, s->signature, sizeof(proof->signature));
}

enum reputation_verdict community_take(struct community *c, const struct statement *s,
				       uint64_t wall_ns)
{
	enum reputation_verdict verdict =
		reputation_accept(&c->web, &s->says, statement_verify(s), wall_ns);

	if (verdict == REPUTATION_ACCEPTED)
		community_prove(c, s);
	return verdict;
}

uint64_t community_seq(const struct community *c, const struct reputation_statement *s,
		       uint64_t wall_ns)
{
	const struct reputation_record *k =
		reputation_record(&c->web, &s->issuer, &s->subject, s->type);

	return k && k->seq >= wall_ns ? k->seq + 1 : wall_ns;
}

/* The statement of a record, as it was signed. */
static void statement_of(const struct community *c, const struct reputation_record *k,
			 struct statement *ret)
{
	const struct reputation *w = &c->web;
	const struct community_proof *proof = proof_of(c, k);

	*ret = (struct statement){
		.says = { .type = (enum reputation_type)k->type,
			  .issuer = w->keys[k->issuer].id,
			  .subject = k->type == REPUTATION_RATING ? w->servers[k->subject].id
								  : w->keys[k->subject].id,
			  .value = proof->value,
			  .depth = k->depth,
			  .seq = k->seq,
			  .not_before_ns = k->not_before_ns,
			  .expires_ns = k->expires_ns },
		.evidence = proof->evidence,
	};
	memcpy(ret->nonce, proof->nonce, sizeof(ret->nonce));
	memcpy(ret->signature, proof->signature, sizeof(ret->signature));
}

int community_export(const struct community *c, const struct trust_id *issuer, struct buf *out)
{
	int r = 0;

	for (uint32_t i = 0; i < c->web.records_cap && !r; i++) {
		const struct reputation_record *k = &c->web.records[i];
		struct statement s;

		if (!k->used || (issuer && !same(&c->web.keys[k->issuer].id, issuer)))
			continue;
		statement_of(c, k, &s);
		r = statement_encode(&s, out);
	}
	return r ? r : buf_error(out);
}
