/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hash tables with open addressing: nothing is ever removed, so that seq never goes back, and
 * places never change while the tables stay where they are.
 */
#include "core/reputation.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define DAY_NS 86400e9
#define ONE REPUTATION_ONE
#define VERY_BAD (-0.5)                   /* ratings down to here can cap security together, ... */
#define VERY_BAD_WEIGHT (ONE + ONE / 2)   /* from this weight on, of two anchors */
#define CHAIN_MAX 16U                     /* identities back to which bad ratings are followed */
#define HASH_FACTOR 0x9e3779b97f4a7c15ULL /* 2^64 / golden ratio */

const char *const reputation_verdict_names[REPUTATION_VERDICT_COUNT + 1] = {
	[REPUTATION_ACCEPTED] = "accepted",
	[REPUTATION_BAD_SIGNATURE] = "bad signature",
	[REPUTATION_BAD_VALUE] = "bad value",
	[REPUTATION_BAD_LIFE] = "bad validity",
	[REPUTATION_NOT_NOW] = "not valid now",
	[REPUTATION_REVOKED] = "issuer revoked",
	[REPUTATION_OLD] = "old",
	[REPUTATION_UNKNOWN] = "unknown server",
	[REPUTATION_FULL] = "no room",
};

/* --- tables --------------------------------------------------------------------------------- */

void reputation_init(struct reputation *r)
{
	memset(r->keys, 0, r->keys_cap * sizeof(*r->keys));
	memset(r->records, 0, r->records_cap * sizeof(*r->records));
	r->n_keys = 0;
	r->n_records = 0;
	r->n_servers = 0;
	r->n_pathless = 0;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * HASH_FACTOR;
	return h ^ h >> 29;
}

static uint64_t hash_id(const struct reputation *r, const struct trust_id *id)
{
	uint64_t h = r->seed;
	uint64_t words[4];

	memcpy(words, id, sizeof(words));
	for (int i = 0; i < 4; i++)
		h = mix(h, words[i]);
	return h;
}

static bool id_same(const struct trust_id *a, const struct trust_id *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* The key's place, or the free one where it would be. The table is never full. */
static uint32_t key_place(const struct reputation *r, const struct trust_id *id)
{
	uint32_t i = (uint32_t)hash_id(r, id) & (r->keys_cap - 1);

	while (r->keys[i].used && !id_same(&r->keys[i].id, id))
		i = (i + 1) & (r->keys_cap - 1);
	return i;
}

static bool has_room(uint32_t n, uint32_t cap)
{
	return n < cap / 4 * 3;
}

/* REPUTATION_NONE: there is no room. */
static uint32_t key_make(struct reputation *r, const struct trust_id *id)
{
	uint32_t i = key_place(r, id);

	if (r->keys[i].used)
		return i;
	if (!has_room(r->n_keys, r->keys_cap))
		return REPUTATION_NONE;
	r->keys[i] = (struct reputation_key){ .id = *id,
					      .credibility = 1,
					      .level = REPUTATION_NONE,
					      .parent = REPUTATION_NONE,
					      .anchor = REPUTATION_NONE,
					      .used = true };
	r->n_keys++;
	return i;
}

static uint32_t record_place(const struct reputation *r, uint32_t issuer, uint32_t subject,
			     enum reputation_type type)
{
	uint64_t h = mix(mix(mix(r->seed, issuer), subject), type);
	uint32_t i = (uint32_t)h & (r->records_cap - 1);

	for (; r->records[i].used; i = (i + 1) & (r->records_cap - 1)) {
		const struct reputation_record *k = &r->records[i];

		if (k->issuer == issuer && k->subject == subject && k->type == type)
			break;
	}
	return i;
}

static const struct reputation_record *record_find(const struct reputation *r, uint32_t issuer,
						   uint32_t subject, enum reputation_type type)
{
	const struct reputation_record *k = &r->records[record_place(r, issuer, subject, type)];

	return k->used ? k : NULL;
}

static uint32_t server_find(const struct reputation *r, const struct trust_id *id)
{
	for (uint32_t i = 0; i < r->n_servers; i++)
		if (id_same(&r->servers[i].id, id))
			return i;
	return REPUTATION_NONE;
}

int reputation_anchor(struct reputation *r, const struct trust_id *key, bool on)
{
	uint32_t i = key_make(r, key);

	if (i == REPUTATION_NONE)
		return -ENOSPC;
	r->keys[i].is_anchor = on;
	return 0;
}

int reputation_subject(struct reputation *r, const struct trust_id *server, uint32_t before,
		       uint32_t *ret)
{
	*ret = server_find(r, server);
	if (*ret != REPUTATION_NONE)
		return 0;
	if (r->n_servers == r->servers_cap)
		return -ENOSPC;
	*ret = r->n_servers++;
	r->servers[*ret] = (struct reputation_server){ .id = *server,
						       .before = before,
						       .after = REPUTATION_NONE };
	if (before != REPUTATION_NONE)
		r->servers[before].after = *ret;
	return 0;
}

const struct reputation_key *reputation_key(const struct reputation *r, const struct trust_id *id)
{
	const struct reputation_key *key = &r->keys[key_place(r, id)];

	return key->used ? key : NULL;
}

/* --- accepting -------------------------------------------------------------------------------- */

static bool is_valued(const struct reputation_statement *s)
{
	double least = s->type == REPUTATION_RATING ? -1 : 0;

	if (s->type >= REPUTATION_TYPE_COUNT || !s->seq)
		return false;
	if (s->type == REPUTATION_VOUCH && id_same(&s->issuer, &s->subject))
		return false;
	return s->type == REPUTATION_REVOKE || (s->value >= least && s->value <= 1);
}

static bool is_now(const struct reputation_statement *s, uint64_t now)
{
	return s->not_before_ns <= now + REPUTATION_EARLY_NS && now <= s->expires_ns;
}

/* What can be said of a statement by itself. */
static enum reputation_verdict look_at(const struct reputation_statement *s, bool verified,
				       uint64_t now)
{
	if (!verified)
		return REPUTATION_BAD_SIGNATURE;
	if (!is_valued(s))
		return REPUTATION_BAD_VALUE;
	if (s->expires_ns <= s->not_before_ns ||
	    s->expires_ns - s->not_before_ns > REPUTATION_LIFE_MAX_NS)
		return REPUTATION_BAD_LIFE;
	return is_now(s, now) ? REPUTATION_ACCEPTED : REPUTATION_NOT_NOW;
}

/* Room for one more record and so many keys; who has no path gets at most half of it. */
static bool admits(const struct reputation *r, const struct reputation_key *issuer, uint32_t keys)
{
	uint32_t share = issuer->is_anchor || issuer->level != REPUTATION_NONE ? 1 : 2;

	return has_room(r->n_records, r->records_cap) &&
	       (share == 1 || has_room(r->n_pathless, r->records_cap / share)) &&
	       (!keys || has_room(r->n_keys + keys - 1, r->keys_cap / share));
}

/* The issuer as a key, who is known or one for whom there is room; nothing is written. */
static enum reputation_verdict look_up(const struct reputation *r,
				       const struct reputation_statement *s)
{
	static const struct reputation_key nobody = { .level = REPUTATION_NONE };
	const struct reputation_key *issuer = reputation_key(r, &s->issuer);
	const struct reputation_key *key = reputation_key(r, &s->subject);
	bool of_key = s->type != REPUTATION_RATING;
	uint32_t subject = of_key ? 0 : server_find(r, &s->subject);
	const struct reputation_record *k = NULL;
	uint32_t more = !issuer + (of_key && !key);

	if (subject == REPUTATION_NONE)
		return REPUTATION_UNKNOWN;
	if (issuer && issuer->revoked && s->not_before_ns >= issuer->revoked_ns)
		return REPUTATION_REVOKED;
	if (of_key && key)
		subject = (uint32_t)(key - r->keys);
	if (issuer && (!of_key || key))
		k = record_find(r, (uint32_t)(issuer - r->keys), subject, s->type);
	if (k)
		return s->seq > k->seq ? REPUTATION_ACCEPTED : REPUTATION_OLD;
	if (!admits(r, issuer ? issuer : &nobody, more))
		return REPUTATION_FULL;
	return REPUTATION_ACCEPTED;
}

static bool is_pathless(const struct reputation_key *issuer)
{
	return !issuer->is_anchor && issuer->level == REPUTATION_NONE;
}

/* There is room for it. */
static void record_write(struct reputation *r, const struct reputation_statement *s)
{
	uint32_t issuer = key_make(r, &s->issuer);
	uint32_t subject = s->type == REPUTATION_RATING ? server_find(r, &s->subject)
							: key_make(r, &s->subject);
	struct reputation_record *k = &r->records[record_place(r, issuer, subject, s->type)];

	if (!k->used) {
		r->n_records++;
		r->n_pathless += is_pathless(&r->keys[issuer]);
	}
	*k = (struct reputation_record){
		.seq = s->seq,
		.not_before_ns = s->not_before_ns,
		.expires_ns = s->expires_ns,
		.value = s->type == REPUTATION_REVOKE ? 1 : s->value,
		.issuer = issuer,
		.subject = subject,
		.depth = s->depth,
		.type = (uint8_t)s->type,
		.used = true,
	};
}

enum reputation_verdict reputation_accept(struct reputation *r,
					  const struct reputation_statement *s, bool verified,
					  uint64_t now_ns)
{
	enum reputation_verdict verdict = look_at(s, verified, now_ns);

	if (verdict == REPUTATION_ACCEPTED)
		verdict = look_up(r, s);
	if (verdict != REPUTATION_ACCEPTED)
		return verdict;
	record_write(r, s);
	return REPUTATION_ACCEPTED;
}

/* --- over restarts ---------------------------------------------------------------------------- */

static void key_revoke(struct reputation_key *key, uint64_t from_ns)
{
	if (!key->revoked || from_ns < key->revoked_ns)
		key->revoked_ns = from_ns;
	key->revoked = true;
}

const struct reputation_record *reputation_record(const struct reputation *r,
						  const struct trust_id *issuer,
						  const struct trust_id *subject,
						  enum reputation_type type)
{
	const struct reputation_key *from = reputation_key(r, issuer);
	const struct reputation_key *to = NULL;
	uint32_t server;

	if (!from)
		return NULL;
	if (type == REPUTATION_RATING) {
		server = server_find(r, subject);
		return server == REPUTATION_NONE
			       ? NULL
			       : record_find(r, (uint32_t)(from - r->keys), server, type);
	}
	to = reputation_key(r, subject);
	return to ? record_find(r, (uint32_t)(from - r->keys), (uint32_t)(to - r->keys), type)
		  : NULL;
}

int reputation_restore(struct reputation *r, const struct reputation_statement *s)
{
	const struct reputation_record *k = reputation_record(r, &s->issuer, &s->subject, s->type);

	if (s->type == REPUTATION_RATING && server_find(r, &s->subject) == REPUTATION_NONE)
		return -ENOENT;
	if (k && k->seq >= s->seq)
		return -ESTALE;
	if (!k &&
	    (!has_room(r->n_records, r->records_cap) || !has_room(r->n_keys + 1, r->keys_cap)))
		return -ENOSPC;
	record_write(r, s);
	return 0;
}

int reputation_restore_revoked(struct reputation *r, const struct trust_id *key, uint64_t from_ns)
{
	uint32_t i = key_make(r, key);

	if (i == REPUTATION_NONE)
		return -ENOSPC;
	key_revoke(&r->keys[i], from_ns);
	return 0;
}

void reputation_restored(struct reputation *r)
{
	r->n_pathless = 0;
	for (uint32_t i = 0; i < r->records_cap; i++)
		r->n_pathless += r->records[i].used && is_pathless(&r->keys[r->records[i].issuer]);
}

/* --- the graph -------------------------------------------------------------------------------- */

/* Does it count now? Of a revoked issuer what was issued before does, in the shape of the graph. */
static bool is_live(const struct reputation *r, const struct reputation_record *k, uint64_t now)
{
	const struct reputation_key *issuer;

	if (!k->used || now > k->expires_ns || now + REPUTATION_EARLY_NS < k->not_before_ns)
		return false;
	issuer = &r->keys[k->issuer];
	return !issuer->revoked || k->not_before_ns < issuer->revoked_ns;
}

static bool is_vouch(const struct reputation *r, const struct reputation_record *k, uint64_t now)
{
	return k->type == REPUTATION_VOUCH && k->value > 0 && is_live(r, k, now);
}

/* Keys that revoked themselves; whatever they said later is void. */
static void revoke_selves(struct reputation *r)
{
	for (uint32_t i = 0; i < r->records_cap; i++) {
		const struct reputation_record *k = &r->records[i];

		if (k->used && k->type == REPUTATION_REVOKE && k->issuer == k->subject)
			key_revoke(&r->keys[k->subject], k->not_before_ns);
	}
}

static void graph_clear(struct reputation *r, const struct trust_policy *p)
{
	for (uint32_t i = 0; i < r->keys_cap; i++) {
		struct reputation_key *key = &r->keys[i];
		bool anchor = key->used && key->is_anchor;

		key->level = anchor ? 0 : REPUTATION_NONE;
		key->anchor = anchor ? i : REPUTATION_NONE;
		key->parent = REPUTATION_NONE;
		key->reach = anchor ? p->path_depth : 0;
		key->given = anchor ? ONE : 0;
		key->against = 0;
		key->against_ns = 0;
		key->parent_gives = 0;
		key->vouched = 0;
		key->weight = anchor && !key->revoked ? ONE : 0;
	}
}

static int64_t parts(double value)
{
	return llround(value * (double)ONE);
}

/* All amounts, also those for keys that are revoked or reached elsewhere: the budget is split. */
static void count_amounts(struct reputation *r, uint64_t now)
{
	for (uint32_t i = 0; i < r->records_cap; i++)
		if (is_vouch(r, &r->records[i], now))
			r->keys[r->records[i].issuer].vouched += parts(r->records[i].value);
}

static bool is_less(const struct reputation *r, uint32_t a, uint32_t b)
{
	return memcmp(&r->keys[a].id, &r->keys[b].id, sizeof(struct trust_id)) < 0;
}

static void edge_give(struct reputation *r, const struct trust_policy *p,
		      const struct reputation_record *k)
{
	const struct reputation_key *from = &r->keys[k->issuer];
	struct reputation_key *to = &r->keys[k->subject];
	const struct reputation_record *revocation =
		record_find(r, k->issuer, k->subject, REPUTATION_REVOKE);
	double budget = fmax((double)from->vouched, (double)ONE);
	int64_t gives =
		llround(p->path_decay * (double)from->weight * ((double)parts(k->value) / budget));

	to->given += gives;
	if (revocation) {
		to->against += gives;
		if (revocation->not_before_ns > to->against_ns)
			to->against_ns = revocation->not_before_ns;
	}
	if (to->parent == REPUTATION_NONE || gives > to->parent_gives ||
	    (gives == to->parent_gives && is_less(r, k->issuer, to->parent))) {
		to->parent = k->issuer;
		to->parent_gives = gives;
		to->anchor = from->anchor;
	}
}

/* A level is complete: more than half of what it was given can take it back for ever. */
static void level_close(struct reputation *r, uint32_t level)
{
	for (uint32_t i = 0; i < r->keys_cap; i++) {
		struct reputation_key *key = &r->keys[i];

		if (!key->used || key->level != level)
			continue;
		if (key->against > key->given / 2)
			key_revoke(key, key->against_ns);
		key->weight = key->given < ONE ? key->given : ONE;
		if (key->revoked)
			key->weight = 0;
	}
}

static void level_open(struct reputation *r, const struct trust_policy *p, uint32_t level,
		       uint64_t now)
{
	for (uint32_t i = 0; i < r->records_cap; i++) {
		const struct reputation_record *k = &r->records[i];
		const struct reputation_key *from;
		struct reputation_key *to;
		uint32_t reach;

		if (!is_vouch(r, k, now))
			continue;
		from = &r->keys[k->issuer];
		to = &r->keys[k->subject];
		if (from->level != level || !from->reach)
			continue;
		if (to->level == REPUTATION_NONE)
			to->level = level + 1;
		if (to->level != level + 1)
			continue;
		reach = k->depth < from->reach - 1 ? k->depth : from->reach - 1;
		to->reach = reach > to->reach ? reach : to->reach;
		edge_give(r, p, k);
	}
}

void reputation_weigh(struct reputation *r, const struct trust_policy *p, uint64_t now_ns)
{
	revoke_selves(r);
	graph_clear(r, p);
	count_amounts(r, now_ns);
	for (uint32_t level = 0; level < p->path_depth; level++) {
		level_open(r, p, level, now_ns);
		level_close(r, level + 1);
	}
}

uint64_t reputation_next_ns(const struct reputation *r, uint64_t now_ns)
{
	uint64_t next = SG_FOREVER;

	for (uint32_t i = 0; i < r->records_cap; i++) {
		const struct reputation_record *k = &r->records[i];

		if (k->used && k->expires_ns >= now_ns && k->expires_ns + 1 < next)
			next = k->expires_ns + 1;
	}
	return next;
}

/* --- ratings ---------------------------------------------------------------------------------- */

/* A revoked rater weighs nothing, and keeps its share of the pool, so that nobody else gets it. */
static bool is_rating(const struct reputation *r, const struct reputation_record *k, uint64_t now)
{
	return k->type == REPUTATION_RATING && (k->value < 0 || k->value > 0) && is_live(r, k, now);
}

void reputation_credit(struct reputation *r, const double *own, uint64_t now_ns)
{
	for (uint32_t i = 0; i < r->keys_cap; i++) {
		struct reputation_key *key = &r->keys[i];

		key->given = 0; /* sum of squares, and the number of servers, until the end */
		key->vouched = 0;
	}
	for (uint32_t i = 0; i < r->records_cap; i++) {
		const struct reputation_record *k = &r->records[i];
		double off;

		if (!is_rating(r, k, now_ns) || isnan(own[k->subject]))
			continue;
		off = k->value - own[k->subject];
		r->keys[k->issuer].given += parts(off * off);
		r->keys[k->issuer].vouched++;
	}
	for (uint32_t i = 0; i < r->keys_cap; i++) {
		struct reputation_key *key = &r->keys[i];
		double n = (double)key->vouched;

		key->credibility = 1;
		if (key->vouched >= REPUTATION_COMMON_MIN)
			key->credibility = fmax(1 - sqrt((double)key->given / (double)ONE / n), 0);
	}
}

static bool is_unknown(const struct reputation_key *key)
{
	return key->level == REPUTATION_NONE;
}

/* Of an identity that was replaced only what is bad counts, and only until its rater has rated
 * the one that replaced it. `to` is in the chain of those that replaced it. */
static bool is_for(const struct reputation *r, const struct reputation_record *k, uint32_t to)
{
	uint32_t server = to;

	for (uint32_t i = 0; server != k->subject; i++) {
		if (server == REPUTATION_NONE || i == CHAIN_MAX || k->value > 0 ||
		    record_find(r, k->issuer, server, REPUTATION_RATING))
			return false;
		server = r->servers[server].before;
	}
	return true;
}

static double rater_weight(const struct reputation *r, const struct trust_policy *p,
			   const struct reputation_key *rater, uint32_t server)
{
	double weight = (double)rater->weight / (double)ONE;

	if (is_unknown(rater) && !rater->revoked)
		weight = p->unknown_pool / r->servers[server].unknown;
	return weight * rater->credibility;
}

static double fade_of(const struct trust_policy *p, const struct reputation_record *k, uint64_t now)
{
	double age = now > k->not_before_ns ? (double)(now - k->not_before_ns) : 0;

	return exp2(-age / DAY_NS / p->rating_half_life_days);
}

static void rate(struct reputation *r, const struct trust_policy *p,
		 const struct reputation_record *k, uint32_t server, uint64_t now)
{
	struct reputation_server *s = &r->servers[server];
	const struct reputation_key *rater = &r->keys[k->issuer];
	double weight = rater_weight(r, p, rater, server);
	int64_t amount = parts(weight * fade_of(p, k, now) * fabs(k->value));

	if (k->value > 0)
		s->good += amount;
	else
		s->bad += amount;
	if (k->value > VERY_BAD || is_unknown(rater))
		return;
	s->very_bad += parts(weight);
	if (s->very_bad_anchor == REPUTATION_NONE)
		s->very_bad_anchor = rater->anchor;
	s->very_bad_several |= s->very_bad_anchor != rater->anchor;
}

/* For each rating and each server that it is for: its own, and those that replaced it. */
static void each_rating(struct reputation *r, const struct trust_policy *p, uint64_t now,
			void (*visit)(struct reputation *r, const struct trust_policy *p,
				      const struct reputation_record *k, uint32_t server,
				      uint64_t now))
{
	for (uint32_t i = 0; i < r->records_cap; i++) {
		const struct reputation_record *k = &r->records[i];
		uint32_t server;

		if (!is_rating(r, k, now))
			continue;
		visit(r, p, k, k->subject, now);
		server = r->servers[k->subject].after;
		for (uint32_t n = 0; k->value < 0 && server != REPUTATION_NONE && n < CHAIN_MAX;
		     n++) {
			if (!is_for(r, k, server))
				break;
			visit(r, p, k, server, now);
			server = r->servers[server].after;
		}
	}
}

static void count_unknown(struct reputation *r, const struct trust_policy *p,
			  const struct reputation_record *k, uint32_t server, uint64_t now)
{
	(void)p;
	(void)now;
	r->servers[server].unknown += is_unknown(&r->keys[k->issuer]);
}

void reputation_sums(struct reputation *r, const struct trust_policy *p, uint64_t now_ns)
{
	for (uint32_t i = 0; i < r->n_servers; i++) {
		struct reputation_server *s = &r->servers[i];

		s->unknown = 0;
		s->good = 0;
		s->bad = 0;
		s->very_bad = 0;
		s->very_bad_anchor = REPUTATION_NONE;
		s->very_bad_several = false;
	}
	each_rating(r, p, now_ns, count_unknown);
	each_rating(r, p, now_ns, rate);
	for (uint32_t i = 0; i < r->n_servers; i++) {
		struct reputation_server *s = &r->servers[i];

		s->ratings.good = (double)s->good / (double)ONE;
		s->ratings.bad = p->negative_weight * (double)s->bad / (double)ONE;
		s->ratings.cap = s->very_bad_several && s->very_bad >= VERY_BAD_WEIGHT;
	}
}

size_t reputation_terms(const struct reputation *r, const struct trust_policy *p, uint32_t server,
			uint64_t now_ns, struct reputation_term *terms, size_t max)
{
	size_t n = 0;

	for (uint32_t i = 0; i < r->records_cap; i++) {
		const struct reputation_record *k = &r->records[i];
		const struct reputation_key *rater;

		if (!is_rating(r, k, now_ns) || !is_for(r, k, server))
			continue;
		rater = &r->keys[k->issuer];
		if (n < max)
			terms[n] = (struct reputation_term){
				.rater = rater,
				.value = k->value,
				.weight = rater_weight(r, p, rater, server),
				.fade = fade_of(p, k, now_ns),
				.inherited = k->subject != server,
			};
		n++;
	}
	return n;
}
