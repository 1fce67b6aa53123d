/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who rated a server, how much each counts, and by which path. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/community_explain.h"

static double amount(const struct reputation_term *t)
{
	return t->weight * t->fade * fabs(t->value);
}

static int heavier_first(const void *a, const void *b)
{
	const struct reputation_term *x = a;
	const struct reputation_term *y = b;

	if (amount(x) > amount(y))
		return -1;
	if (amount(x) < amount(y))
		return 1;
	return memcmp(&x->rater->id, &y->rater->id, sizeof(x->rater->id));
}

static void add(struct explain_raters *to, const struct reputation_term *t)
{
	to->n++;
	if (t->value > 0)
		to->good += amount(t);
	else
		to->bad += amount(t);
}

static bool is_unknown(const struct reputation_term *t)
{
	return t->rater->level == REPUTATION_NONE && !t->rater->revoked;
}

static char *named(const struct community *c, const struct reputation_key *k)
{
	char name[COMMUNITY_NAME_LEN];

	community_show(c, &k->id, name);
	return strdup(name);
}

/* From the anchor down: parents are one level up each. */
static int fill_path(const struct community *c, const struct reputation_key *k,
		     struct explain_rater *to)
{
	size_t n = k->level == REPUTATION_NONE ? 0 : k->level + 1U;

	to->path = calloc(n + 1, sizeof(*to->path));
	if (!to->path)
		return -ENOMEM;
	to->n_path = n;
	for (size_t i = n; i-- > 0; k = i ? &c->web.keys[k->parent] : k) {
		to->path[i] = named(c, k);
		if (!to->path[i])
			return -ENOMEM;
	}
	return 0;
}

static int fill_rater(const struct community *c, const struct reputation_term *t,
		      struct explain_rater *to)
{
	to->value = t->value;
	to->weight = t->weight;
	to->fade = t->fade;
	to->inherited = t->inherited;
	to->revoked = t->rater->revoked;
	to->name = named(c, t->rater);
	to->key = malloc(KEY_TEXT_LEN);
	if (!to->name || !to->key)
		return -ENOMEM;
	hex_print(t->rater->id.b, sizeof(t->rater->id.b), to->key);
	return fill_path(c, t->rater, to);
}

int community_explain(const struct community *c, const struct trust_policy *p, uint32_t server,
		      uint64_t wall_ns, struct reply_explain *to)
{
	size_t n = reputation_terms(&c->web, p, server, wall_ns, NULL, 0);
	CLEANUP(freep) struct reputation_term *terms = calloc(n + 1, sizeof(*terms));
	int r = 0;

	to->raters = calloc(COMMUNITY_RATERS_SHOWN, sizeof(*to->raters));
	if (!terms || !to->raters)
		return -ENOMEM;
	to->negative_weight = p->negative_weight;
	n = reputation_terms(&c->web, p, server, wall_ns, terms, n);
	qsort(terms, n, sizeof(*terms), heavier_first);
	for (size_t i = 0; i < n && !r; i++) {
		if (is_unknown(&terms[i]))
			add(&to->unknown, &terms[i]);
		else if (to->n_raters == COMMUNITY_RATERS_SHOWN)
			add(&to->others, &terms[i]);
		else
			r = fill_rater(c, &terms[i], &to->raters[to->n_raters++]);
	}
	return r;
}
