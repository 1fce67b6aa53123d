/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/signer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/keyring.h"

#define SUB "community"

bool signer_is_users(const char *name)
{
	return !strncmp(name, SIGNER_USERS, strlen(SIGNER_USERS));
}

int signer_key(const struct signer *s, const char *name, struct trust_id *ret, char *why)
{
	uint8_t secret[STATEMENT_SECRET_LEN];
	int r = keyring_read(s->dir, name, secret, why, SIGNER_WHY_MAX);

	if (r)
		return r;
	statement_key_public(secret, ret);
	statement_key_forget(secret);
	return 0;
}

struct learning {
	const struct signer *signer;
	bool learned;
};

static void learn_one(void *data, const char *name)
{
	struct learning *l = data;
	struct trust_id key;
	const char *known;
	char why[SIGNER_WHY_MAX] = "the name is not one of a key";

	if (community_named(l->signer->all, name))
		return;
	if (!community_name_is_good(name) || signer_key(l->signer, name, &key, why))
		log_warning(SUB, "ignoring the key \"%.100s\": %s", name, why);
	else
		l->learned |= !community_add(l->signer->all, name, &key, &known);
}

bool signer_learn(const struct signer *s)
{
	struct learning l = { .signer = s };

	keyring_each(s->dir, learn_one, &l);
	return l.learned;
}

struct only_one {
	char *name;
	size_t n;
};

static void note_own(void *data, const char *name)
{
	struct only_one *only = data;

	if (signer_is_users(name))
		return;
	only->n++;
	snprintf(only->name, COMMUNITY_NAME_LEN, "%.*s", COMMUNITY_NAME_LEN - 1, name);
}

size_t signer_only(const struct signer *s, char ret[COMMUNITY_NAME_LEN])
{
	struct only_one only = { .name = ret };

	keyring_each(s->dir, note_own, &only);
	return only.n;
}

int signer_sign(const struct signer *s, const char *name, struct statement *to, char *why)
{
	const struct community_key *known = community_named(s->all, name);
	uint8_t secret[STATEMENT_SECRET_LEN];
	int r = keyring_read(s->dir, name, secret, why, SIGNER_WHY_MAX);

	if (r)
		return r;
	statement_key_public(secret, &to->says.issuer);
	if (known && memcmp(&known->key, &to->says.issuer, sizeof(known->key)) != 0) {
		r = explain(-EPERM, why, SIGNER_WHY_MAX,
			    "the file of %s holds another key than the one of that name: put the "
			    "right one there, or `switchgear keys remove %s`",
			    name, name);
	} else {
		to->says.seq = community_seq(s->all, &to->says, to->says.not_before_ns);
		r = statement_sign(to, secret);
		if (r)
			r = explain(r, why, SIGNER_WHY_MAX, "there is no randomness to sign with");
	}
	statement_key_forget(secret);
	return r;
}

uint32_t *signer_count(const struct signer *s)
{
	const struct reputation *w = &s->all->web;
	uint32_t *n = calloc(w->keys_cap, sizeof(*n));

	for (uint32_t i = 0; n && i < w->records_cap; i++)
		if (w->records[i].used)
			n[w->records[i].issuer]++;
	return n;
}

void signer_show(const struct signer *s, const struct community_key *k, const uint32_t *n,
		 struct key_entry *to)
{
	const struct reputation_key *weighed = reputation_key(&s->all->web, &k->key);
	struct trust_id key;
	char why[SIGNER_WHY_MAX] = "";
	int r = signer_key(s, k->name, &key, why);

	*to = (struct key_entry){ .own = r != -ENOENT, .anchor = k->anchor };
	snprintf(to->name, sizeof(to->name), "%s", k->name);
	hex_print(k->key.b, sizeof(k->key.b), to->key);
	if (to->own)
		snprintf(to->error, sizeof(to->error), "%.*s", (int)sizeof(to->error) - 1, why);
	if (!weighed)
		return;
	to->revoked = weighed->revoked;
	to->weight = (double)weighed->weight / (double)REPUTATION_ONE;
	to->statements = n ? n[weighed - s->all->web.keys] : 0;
}
