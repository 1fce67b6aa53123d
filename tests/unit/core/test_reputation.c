/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who counts how much, what is accepted, and the bounds of docs/trust.md; I9, I12, I13 and I14 on
 * random webs: SG_SEED and SG_HISTORIES repeat a run. */
#include "core/reputation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "trust_rig.h"
#include "unit/unit.h"

#define KEYS 256
#define RECORDS 1024
#define SERVERS 16
#define HISTORIES 1000

static const uint64_t day = SECONDS(86400);
static const uint64_t start = SECONDS(1.7e9);

struct web {
	struct trust_policy policy;
	struct reputation r;
	struct reputation_key keys[KEYS];
	struct reputation_record records[RECORDS];
	struct reputation_server servers[SERVERS];
	uint64_t now;
};

static void web_init(struct web *w)
{
	memset(w, 0, sizeof(*w));
	w->policy = trust_policy_defaults();
	w->r = (struct reputation){ .keys = w->keys,
				    .records = w->records,
				    .servers = w->servers,
				    .keys_cap = KEYS,
				    .records_cap = RECORDS,
				    .servers_cap = SERVERS,
				    .seed = 42 };
	reputation_init(&w->r);
	w->now = start;
}

static void web_copy(struct web *to, const struct web *from)
{
	memcpy(to, from, sizeof(*to));
	to->r.keys = to->keys;
	to->r.records = to->records;
	to->r.servers = to->servers;
}

/* Keys and servers are numbers here; servers are from 1000 on. */
static struct trust_id id(unsigned int n)
{
	struct trust_id ret = { { (uint8_t)n, (uint8_t)(n >> 8), 7 } };

	return ret;
}

static unsigned int server(unsigned int n)
{
	return 1000 + n;
}

static void anchor(struct web *w, unsigned int key)
{
	struct trust_id k = id(key);

	assert_int_equal(reputation_anchor(&w->r, &k, true), 0);
}

static uint32_t subject(struct web *w, unsigned int n, uint32_t before)
{
	struct trust_id s = id(server(n));
	uint32_t ret;

	assert_int_equal(reputation_subject(&w->r, &s, before, &ret), 0);
	return ret;
}

static struct reputation_statement statement(const struct web *w, enum reputation_type type,
					     unsigned int from, unsigned int to, double value)
{
	static uint64_t seq;

	return (struct reputation_statement){ .type = type,
					      .issuer = id(from),
					      .subject = id(to),
					      .value = value,
					      .depth = 16,
					      .seq = ++seq,
					      .not_before_ns = w->now,
					      .expires_ns = w->now + 90 * day };
}

static void say(struct web *w, enum reputation_type type, unsigned int from, unsigned int to,
		double value)
{
	struct reputation_statement s = statement(w, type, from, to, value);

	assert_int_equal(reputation_accept(&w->r, &s, true, w->now), REPUTATION_ACCEPTED);
}

static void vouch(struct web *w, unsigned int from, unsigned int to, double amount)
{
	say(w, REPUTATION_VOUCH, from, to, amount);
}

static void rate(struct web *w, unsigned int from, unsigned int n, double q)
{
	say(w, REPUTATION_RATING, from, server(n), q);
}

static void take_back(struct web *w, unsigned int from, unsigned int to)
{
	say(w, REPUTATION_REVOKE, from, to, 0);
}

static double weight(struct web *w, unsigned int key)
{
	struct trust_id k = id(key);
	const struct reputation_key *found;

	reputation_weigh(&w->r, &w->policy, w->now);
	found = reputation_key(&w->r, &k);
	return found ? (double)found->weight / (double)(INT64_C(1) << 40) : 0;
}

static const struct trust_ratings *ratings(struct web *w, uint32_t n)
{
	reputation_weigh(&w->r, &w->policy, w->now);
	reputation_sums(&w->r, &w->policy, w->now);
	return &w->servers[n].ratings;
}

/* T of a scanned server of P .5 with these ratings; what moves T is C alone, with S = 1. */
static double score(struct web *w, uint32_t n)
{
	static struct rig rig;
	const struct trust_scan clean = { .scanner = 1, .clean = true };

	rig_init(&rig, &w->policy, 0);
	assert_true(trust_scan(&rig.trust, &rig.policy, 0, NULL, &clean));
	trust_ratings(&rig.trust, &rig.policy, 0, ratings(w, n));
	return rig_score(&rig, 0);
}

/* --- weights ------------------------------------------------------------------------------ */

static void test_budgets_are_split(void **state)
{
	static struct web w;

	(void)state;
	web_init(&w);
	anchor(&w, 1);
	vouch(&w, 1, 2, 1);
	assert_double(weight(&w, 1), 1);
	assert_double(weight(&w, 2), 0.5);
	vouch(&w, 1, 3, 1);
	assert_double(weight(&w, 2), 0.25);
	vouch(&w, 1, 3, 0.25); /* amounts of 1.25: 1/1.25 and .25/1.25 of half */
	assert_double(weight(&w, 2), 0.4);
	assert_double(weight(&w, 3), 0.1);
	vouch(&w, 1, 3, 0);
	assert_double(weight(&w, 2), 0.5);
	vouch(&w, 1, 2, 0.5); /* less than all is handed on */
	assert_double(weight(&w, 2), 0.25);
}

static void test_paths_end_at_their_depth(void **state)
{
	static struct web w;
	const struct reputation_key *key;
	struct trust_id four = id(4);

	(void)state;
	web_init(&w);
	anchor(&w, 1);
	for (unsigned int i = 1; i < 6; i++)
		vouch(&w, i, i + 1, 1);
	assert_double(weight(&w, 3), 0.25);
	assert_double(weight(&w, 4), 0.125);
	assert_double(weight(&w, 5), 0);
	key = reputation_key(&w.r, &four);
	assert_int_equal(key->level, 3);
	assert_int_equal(w.keys[w.keys[w.keys[key->parent].parent].parent].is_anchor, true);
	/* a vouch may say that less follows */
	{
		struct reputation_statement s = statement(&w, REPUTATION_VOUCH, 1, 2, 1);

		s.depth = 1;
		assert_int_equal(reputation_accept(&w.r, &s, true, w.now), REPUTATION_ACCEPTED);
	}
	assert_double(weight(&w, 3), 0.25);
	assert_double(weight(&w, 4), 0);
}

/* Of two that give the same the one with the smaller id is shown, however the tables lie. */
static void test_paths_do_not_depend_on_tables(void **state)
{
	static struct web w;
	struct trust_id nine = id(9);

	(void)state;
	for (uint64_t seed = 1; seed < 20; seed++) {
		const struct reputation_key *key;

		web_init(&w);
		w.r.seed = seed;
		anchor(&w, 1);
		anchor(&w, 2);
		vouch(&w, 2, 9, 1);
		vouch(&w, 1, 9, 1);
		assert_double(weight(&w, 9), 1);
		key = reputation_key(&w.r, &nine);
		assert_int_equal(w.keys[key->parent].id.b[0], 1);
	}
}

/* A key of weight .125 and its thousand: half of it for all of them. */
static void test_sybils_share(void **state)
{
	static struct reputation_record records[4096];
	static struct reputation_key keys[2048];
	static struct web w;
	double sum = 0;

	(void)state;
	web_init(&w);
	w.r.keys = keys;
	w.r.keys_cap = 2048;
	w.r.records = records;
	w.r.records_cap = 4096;
	reputation_init(&w.r);
	anchor(&w, 1);
	vouch(&w, 1, 2, 0.25);
	assert_double(weight(&w, 2), 0.125);
	for (unsigned int i = 0; i < 1000; i++)
		vouch(&w, 2, 5000 + i, 1);
	reputation_weigh(&w.r, &w.policy, w.now);
	for (unsigned int i = 0; i < 2048; i++)
		if (keys[i].level == 2)
			sum += (double)keys[i].weight / (double)(INT64_C(1) << 40);
	if (!(fabs(sum - 0.0625) < 1e-9))
		fail_msg("%.12g", sum);
}

static void test_weights_stop_at_one(void **state)
{
	static struct web w;

	(void)state;
	web_init(&w);
	for (unsigned int i = 1; i <= 3; i++) {
		anchor(&w, i);
		vouch(&w, i, 9, 1);
	}
	assert_double(weight(&w, 9), 1);
}

/* --- I9: how far ratings move T -------------------------------------------------------------- */

/* T with and without ratings of weight `more`, where R or N is already there; the most over all. */
static double moved(double more, bool up)
{
	double most = 0;

	for (double there = 0; there < 4; there += 0.01) {
		double r = up ? 0 : there, n = up ? there : 0;
		double before = (r + 1) / (r + n + 2);
		double after = up ? (r + more + 1) / (r + more + n + 2)
				  : (r + 1) / (r + n + 2 * more + 2);

		most = fmax(most, 100 * 0.3 * fabs(after - before));
	}
	return most;
}

static void test_bounds(void **state)
{
	(void)state;
	assert_true(moved(0.05, true) <= 0.37 && moved(0.05, true) > 0.36);
	assert_true(moved(0.05, false) <= 0.72 && moved(0.05, false) > 0.71);
	assert_true(moved(0.5, true) <= 3.1 && moved(0.5, true) > 3.0);
	assert_true(moved(0.5, false) <= 5.2 && moved(0.5, false) > 5.1);
	assert_true(moved(1, true) <= 5.2 && moved(1, true) > 5.1);
	assert_true(moved(1, false) <= 8.1 && moved(1, false) > 8.0);
	/* with all that its subtree can have: 1 + 1/2 + 1/4 + 1/8 */
	assert_true(moved(1.875, true) <= 2 * 5.2);
	assert_true(moved(1.875, false) <= 2 * 8.1);
}

static void test_unknown_raters(void **state)
{
	static struct web w;
	uint32_t a;

	(void)state;
	web_init(&w);
	a = subject(&w, 0, REPUTATION_NONE);
	assert_double(score(&w, a), 50);
	for (unsigned int i = 0; i < 90; i++) {
		rate(&w, 2000 + i, 0, 1);
		assert_true(score(&w, a) <= 50.37 && score(&w, a) > 50.36);
	}
	for (unsigned int i = 0; i < 90; i++)
		rate(&w, 2000 + i, 0, -1);
	assert_true(score(&w, a) >= 50 - 0.72 && score(&w, a) < 50 - 0.71);
}

static void test_captured_keys(void **state)
{
	static struct web w;
	uint32_t a, b;

	(void)state;
	web_init(&w);
	a = subject(&w, 0, REPUTATION_NONE);
	b = subject(&w, 1, REPUTATION_NONE);
	anchor(&w, 1);
	vouch(&w, 1, 2, 1);
	rate(&w, 2, 0, 1);
	rate(&w, 2, 1, -1);
	assert_double(score(&w, a), 53);
	assert_double(score(&w, b), 45);
	rate(&w, 1, 0, 1);
	rate(&w, 1, 1, -1);
	assert_true(score(&w, a) < 50 + 2 * 5.2);
	assert_true(score(&w, b) > 50 - 2 * 8.1);
	assert_false(ratings(&w, b)->cap); /* one anchor cannot */
}

static void test_ratings_cap_only_together(void **state)
{
	static struct web w;
	uint32_t a;

	(void)state;
	web_init(&w);
	a = subject(&w, 0, REPUTATION_NONE);
	anchor(&w, 1);
	anchor(&w, 2);
	vouch(&w, 1, 3, 1);
	vouch(&w, 2, 3, 1); /* one key of two anchors is of one of them */
	vouch(&w, 3, 4, 1);
	vouch(&w, 4, 5, 1);
	rate(&w, 3, 0, -1);
	rate(&w, 4, 0, -1);
	rate(&w, 5, 0, -1);
	assert_double(weight(&w, 3) + weight(&w, 4) + weight(&w, 5), 1.75);
	assert_false(ratings(&w, a)->cap);
	web_init(&w);
	a = subject(&w, 0, REPUTATION_NONE);
	anchor(&w, 1);
	anchor(&w, 2);
	vouch(&w, 2, 3, 1);
	rate(&w, 1, 0, -0.5);
	assert_false(ratings(&w, a)->cap);
	rate(&w, 3, 0, -0.5);
	assert_true(ratings(&w, a)->cap);
	rate(&w, 3, 0, -0.49);
	assert_false(ratings(&w, a)->cap);
}

/* --- ratings ---------------------------------------------------------------------------------- */

static void test_ratings_fade(void **state)
{
	static struct web w;
	uint32_t a;

	(void)state;
	web_init(&w);
	a = subject(&w, 0, REPUTATION_NONE);
	anchor(&w, 1);
	rate(&w, 1, 0, 1);
	assert_double(ratings(&w, a)->good, 1);
	w.now += 30 * day;
	assert_double(ratings(&w, a)->good, 0.5);
	assert_true(reputation_next_ns(&w.r, w.now) == start + 90 * day + 1);
	w.now = start + 90 * day + 1;
	assert_double(ratings(&w, a)->good, 0);
}

static void test_credibility(void **state)
{
	double own[SERVERS];
	static struct web w;
	uint32_t a = 0;

	(void)state;
	web_init(&w);
	anchor(&w, 1);
	for (unsigned int i = 0; i < 6; i++) {
		a = subject(&w, i, REPUTATION_NONE);
		rate(&w, 1, i, 0.5);
		own[i] = i < 4 ? 0.2 : NAN;
	}
	reputation_credit(&w.r, own, w.now);
	assert_double(ratings(&w, a)->good, 0.5); /* four in common are too few */
	own[4] = 0.2;
	reputation_credit(&w.r, own, w.now);
	if (!(fabs(ratings(&w, a)->good - 0.5 * 0.7) < 1e-9))
		fail_msg("%.12g", ratings(&w, a)->good);
	for (unsigned int i = 0; i < 6; i++)
		own[i] = 0.5;
	reputation_credit(&w.r, own, w.now); /* never more than 1 */
	assert_double(ratings(&w, a)->good, 0.5);
}

/* Of an identity that was replaced what is bad stays, until its rater rates the new one. */
static void test_bad_ratings_follow(void **state)
{
	struct reputation_term terms[4];
	static struct web w;
	uint32_t a, b, c;

	(void)state;
	web_init(&w);
	anchor(&w, 1);
	anchor(&w, 2);
	a = subject(&w, 0, REPUTATION_NONE);
	b = subject(&w, 1, a);
	c = subject(&w, 2, b);
	rate(&w, 1, 0, -1);
	rate(&w, 2, 0, 1);
	assert_double(ratings(&w, a)->good, 1);
	assert_double(ratings(&w, b)->good, 0);
	assert_double(ratings(&w, c)->bad, 2);
	assert_int_equal(reputation_terms(&w.r, &w.policy, c, w.now, terms, 4), 1);
	assert_true(terms[0].inherited && terms[0].value < 0);
	rate(&w, 1, 1, 0.5);
	assert_double(ratings(&w, b)->bad, 0);
	assert_double(ratings(&w, c)->bad, 0);
}

/* --- statements --------------------------------------------------------------------------------- */

static void test_what_is_accepted(void **state)
{
	static const struct {
		uint64_t seq, not_before, expires;
		double value;
		bool verified;
		unsigned int subject;
		enum reputation_verdict verdict;
	} cases[] = {
		{ 5, start, start + day, 1, false, 1000, REPUTATION_BAD_SIGNATURE },
		{ 5, start, start + day, 1.01, true, 1000, REPUTATION_BAD_VALUE },
		{ 5, start, start + day, NAN, true, 1000, REPUTATION_BAD_VALUE },
		{ 0, start, start + day, 1, true, 1000, REPUTATION_BAD_VALUE },
		{ 5, start, start, 1, true, 1000, REPUTATION_BAD_LIFE },
		{ 5, start, start + 180 * SECONDS(86400) + 1, 1, true, 1000, REPUTATION_BAD_LIFE },
		{ 5, start + SECONDS(301), start + day, 1, true, 1000, REPUTATION_NOT_NOW },
		{ 5, start - day, start - 1, 1, true, 1000, REPUTATION_NOT_NOW },
		{ 5, start, start + day, 1, true, 1999, REPUTATION_UNKNOWN },
		{ 5, start + SECONDS(300), start + day, 1, true, 1000, REPUTATION_ACCEPTED },
		{ 5, start, start + day, 0.5, true, 1000, REPUTATION_OLD },
		{ 4, start, start + day, 0.5, true, 1000, REPUTATION_OLD },
		{ 6, start - 90 * SECONDS(86400), start, -1, true, 1000, REPUTATION_ACCEPTED },
	};
	static struct web w;

	(void)state;
	web_init(&w);
	subject(&w, 0, REPUTATION_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reputation_statement s = { .issuer = id(1),
						  .subject = id(cases[i].subject),
						  .value = cases[i].value,
						  .seq = cases[i].seq,
						  .not_before_ns = cases[i].not_before,
						  .expires_ns = cases[i].expires };

		assert_int_equal(reputation_accept(&w.r, &s, cases[i].verified, w.now),
				 cases[i].verdict);
	}
}

static void test_revocation(void **state)
{
	struct reputation_statement s;
	static struct web w;
	uint32_t a;

	(void)state;
	web_init(&w);
	a = subject(&w, 0, REPUTATION_NONE);
	anchor(&w, 1);
	vouch(&w, 1, 2, 1);
	vouch(&w, 2, 3, 1);
	rate(&w, 3, 0, 1);
	assert_double(ratings(&w, a)->good, 0.25);
	w.now += day;
	take_back(&w, 2, 2);
	assert_double(weight(&w, 2), 0);
	assert_double(weight(&w, 3), 0);
	assert_double(ratings(&w, a)->good, 0); /* not even as of an unknown rater */
	s = statement(&w, REPUTATION_VOUCH, 2, 9, 1);
	assert_int_equal(reputation_accept(&w.r, &s, true, w.now), REPUTATION_REVOKED);
	w.now += 100 * day; /* for ever, though the statement is over */
	vouch(&w, 1, 2, 1);
	assert_double(weight(&w, 2), 0);
}

static void test_revocation_by_certifiers(void **state)
{
	static struct web w;

	(void)state;
	web_init(&w);
	anchor(&w, 1);
	anchor(&w, 2);
	vouch(&w, 1, 3, 1);
	vouch(&w, 2, 3, 0.5);
	take_back(&w, 2, 3); /* a third of it */
	assert_double(weight(&w, 3), 0.75);
	vouch(&w, 9, 3, 1);
	take_back(&w, 9, 3); /* of no weight */
	assert_double(weight(&w, 3), 0.75);
	take_back(&w, 1, 3);
	assert_double(weight(&w, 3), 0);
	vouch(&w, 1, 3, 0); /* and it stays so */
	assert_double(weight(&w, 3), 0);
}

static void test_full_tables_refuse(void **state)
{
	static struct web w;
	unsigned int accepted = 0;
	struct reputation_statement s;

	(void)state;
	web_init(&w);
	subject(&w, 0, REPUTATION_NONE);
	anchor(&w, 1);
	vouch(&w, 1, 2, 1);
	reputation_weigh(&w.r, &w.policy, w.now);
	for (unsigned int i = 0; i < 2 * KEYS; i++) { /* who has no path gets half of the keys */
		s = statement(&w, REPUTATION_RATING, 5000 + i, server(0), 1);
		accepted += reputation_accept(&w.r, &s, true, w.now) == REPUTATION_ACCEPTED;
	}
	assert_int_equal(accepted, KEYS / 2 / 4 * 3 - 2);
	for (unsigned int i = 0; i < KEYS / 4; i++) /* who has one gets the rest */
		vouch(&w, 2, 9000 + i, 1);
}

/* --- random webs --------------------------------------------------------------------------------- */

static uint64_t now_history;

static uint64_t web_digest(struct web *w)
{
	uint64_t sum = 0;

	ratings(w, 0);
	for (uint32_t i = 0; i < KEYS; i++) {
		const struct reputation_key *k = &w->keys[i];
		uint64_t all[] = { fnv1a(&k->id, sizeof(k->id)),
				   (uint64_t)k->weight,
				   k->level,
				   k->reach,
				   k->revoked,
				   k->revoked_ns };

		sum += k->used ? fnv1a(all, sizeof(all)) : 0;
	}
	for (uint32_t i = 0; i < w->r.n_servers; i++)
		sum = sum * 31 + fnv1a(&w->servers[i].good, 3 * sizeof(int64_t));
	for (uint32_t i = 0; i < RECORDS; i++)
		sum += w->records[i].used ? w->records[i].seq * 0x9e3779b97f4a7c15ULL : 0;
	return sum;
}

#define STATEMENTS 60

static struct reputation_statement random_statement(struct web *w, uint64_t *random)
{
	unsigned int from = 1 + (unsigned int)(random_next(random) % 14);
	unsigned int to = 1 + (unsigned int)(random_next(random) % 14);
	double share = random_one_in(random, 3) ? 1 : random_share(random);

	if (random_one_in(random, 2))
		return statement(w, REPUTATION_VOUCH, from, to == from ? to + 1 : to,
				 random_one_in(random, 10) ? 0 : share);
	return statement(w, REPUTATION_RATING, from,
			 server((unsigned int)(random_next(random) % 6)), 2 * share - 1);
}

static void random_web(struct web *w, uint64_t history, uint64_t *random,
		       struct reputation_statement *all)
{
	now_history = history;
	*random = seed_of(history);
	web_init(w);
	for (unsigned int i = 0; i < 6; i++)
		subject(w, i, i && random_one_in(random, 3) ? i - 1 : REPUTATION_NONE);
	for (unsigned int i = 1; i <= 3; i++)
		anchor(w, i);
	for (unsigned int i = 0; i < STATEMENTS; i++) {
		all[i] = random_statement(w, random);
		assert_int_equal(reputation_accept(&w->r, &all[i], true, w->now),
				 REPUTATION_ACCEPTED);
	}
}

#define HOLDS(what)                                                                           \
	do {                                                                                  \
		if (!(what))                                                                  \
			fail_msg("history %llu: %s", (unsigned long long)now_history, #what); \
	} while (0)

/* As the other was before anything was said, its tables in another order. */
static void web_restart(struct web *w, const struct web *other, uint64_t seed)
{
	web_init(w);
	w->r.seed = seed;
	for (unsigned int i = 0; i < other->r.n_servers; i++)
		subject(w, i, other->servers[i].before);
	for (unsigned int i = 1; i <= 3; i++)
		anchor(w, i);
}

static void web_hear(struct web *w, const struct reputation_statement *s)
{
	enum reputation_verdict verdict = reputation_accept(&w->r, s, true, w->now);

	HOLDS(verdict == REPUTATION_ACCEPTED || verdict == REPUTATION_OLD);
}

/* I12, I14: old ones again, and all of them in another order. */
static void test_I12_I14_replays_and_orders(void **state)
{
	static struct reputation_statement all[STATEMENTS];
	static struct web w, other;
	uint64_t random;

	(void)state;
	for (uint64_t i = 0, n = histories(HISTORIES); i < n; i++) {
		uint64_t digest;

		random_web(&w, i, &random, all);
		digest = web_digest(&w);
		for (unsigned int k = 0; k < 2 * STATEMENTS; k++) {
			const struct reputation_statement *s =
				&all[random_next(&random) % STATEMENTS];

			HOLDS(reputation_accept(&w.r, s, true, w.now) == REPUTATION_OLD);
		}
		HOLDS(web_digest(&w) == digest);
		web_restart(&other, &w, i);
		for (unsigned int k = STATEMENTS; k; k--) {
			unsigned int at = (unsigned int)(random_next(&random) % k);

			web_hear(&other, &all[at]);
			all[at] = all[k - 1];
		}
		HOLDS(web_digest(&other) == digest);
	}
}

/* I13: no key gains, and no server of which those who lose something spoke well, or nobody. */
static void test_I13_revoking_helps_nobody(void **state)
{
	static struct reputation_statement all[STATEMENTS];
	static struct web w, after;
	uint64_t random;

	(void)state;
	for (uint64_t i = 0, n = histories(HISTORIES); i < n; i++) {
		unsigned int key;
		bool slandered[6] = { false };

		random_web(&w, i, &random, all);
		key = 1 + (unsigned int)(random_next(&random) % 14);
		ratings(&w, 0);
		web_copy(&after, &w);
		after.now++; /* what was said until then stays in the shape of the graph */
		say(&after, REPUTATION_REVOKE, key, key, 0);
		after.now--;
		ratings(&after, 0);
		for (uint32_t k = 0; k < KEYS; k++)
			HOLDS(after.keys[k].weight <= w.keys[k].weight);
		for (uint32_t k = 0; k < RECORDS; k++) {
			const struct reputation_record *r = &w.records[k];
			bool loses = r->used &&
				     (after.keys[r->issuer].weight < w.keys[r->issuer].weight ||
				      after.keys[r->issuer].revoked);

			if (loses && r->type == REPUTATION_RATING && r->value < 0)
				for (uint32_t s = r->subject; s != REPUTATION_NONE;
				     s = w.servers[s].after)
					slandered[s] = true;
		}
		for (uint32_t k = 0; k < 6; k++)
			HOLDS(slandered[k] || (after.servers[k].good <= w.servers[k].good &&
					       after.servers[k].bad >= w.servers[k].bad));
	}
}

/* I9: however many unknown ones there are, they move T by less than the bounds. */
static void test_I9_unknown_raters_are_few(void **state)
{
	static struct reputation_statement all[STATEMENTS];
	static struct web w, flooded;
	uint64_t random;

	(void)state;
	for (uint64_t i = 0, n = histories(HISTORIES); i < n; i++) {
		double before, after;
		unsigned int sybils;
		bool up;

		random_web(&w, i, &random, all);
		for (uint32_t k = 0; k < RECORDS; k++) /* none to begin with */
			if (w.records[k].used && w.records[k].type == REPUTATION_RATING &&
			    w.keys[w.records[k].issuer].level == REPUTATION_NONE)
				w.records[k].value = 0;
		ratings(&w, 0);
		for (uint32_t k = 0; k < RECORDS; k++)
			if (w.records[k].used && w.records[k].type == REPUTATION_RATING &&
			    w.keys[w.records[k].issuer].level == REPUTATION_NONE)
				w.records[k].value = 0;
		before = score(&w, 0);
		web_copy(&flooded, &w);
		up = random_one_in(&random, 2);
		sybils = 1 + (unsigned int)(random_next(&random) % 50);
		for (unsigned int k = 0; k < sybils; k++)
			rate(&flooded, 3000 + k, 0,
			     up ? random_share(&random) : -random_share(&random));
		after = score(&flooded, 0);
		HOLDS(after <= before + 0.37 && after >= before - 0.72);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budgets_are_split),
		cmocka_unit_test(test_paths_end_at_their_depth),
		cmocka_unit_test(test_paths_do_not_depend_on_tables),
		cmocka_unit_test(test_sybils_share),
		cmocka_unit_test(test_weights_stop_at_one),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_unknown_raters),
		cmocka_unit_test(test_captured_keys),
		cmocka_unit_test(test_ratings_cap_only_together),
		cmocka_unit_test(test_ratings_fade),
		cmocka_unit_test(test_credibility),
		cmocka_unit_test(test_bad_ratings_follow),
		cmocka_unit_test(test_what_is_accepted),
		cmocka_unit_test(test_revocation),
		cmocka_unit_test(test_revocation_by_certifiers),
		cmocka_unit_test(test_full_tables_refuse),
		cmocka_unit_test(test_I12_I14_replays_and_orders),
		cmocka_unit_test(test_I13_revoking_helps_nobody),
		cmocka_unit_test(test_I9_unknown_raters_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
