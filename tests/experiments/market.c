/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A market whose members rate each other for years, signed and read back, in the order of time,
 * with and without what known frauds say. Its numbers are those published of Bitcoin OTC (Kumar
 * and others 2016, 2018): who rates whom there cannot be had from a package.
 */
#include "lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/statement.h"

#define MEMBERS 5881U
#define RATINGS 35592U
#define FRAUDS 180U /* as many as were told to be */
#define DAYS 1900U
#define LOOKS 10U
#define KEYS_CAP (1U << 14)
#define RECORDS_CAP (1U << 18)
#define ANCHORS 3U
#define BY_FRAUDS 0.04  /* of all ratings */
#define BY_ANCHORS 0.05 /* of the others: they are at it more than most */
#define OF_FRAUDS 0.08  /* of those by the honest */
#define DECEIVED 0.05   /* of these are praise */

struct market {
	struct trust_policy p;
	struct trust_id keys[MEMBERS];
	uint8_t (*secrets)[STATEMENT_SECRET_LEN];
	uint32_t drawn[RATINGS + MEMBERS]; /* members, each as often as it was rated, and once */
	uint32_t n_drawn;
	struct reputation *all;    /* what everybody said */
	struct reputation *honest; /* without what frauds said */
	uint64_t now;
	uint32_t positive;
	uint32_t by_frauds;
};

static bool is_fraud(uint32_t member)
{
	return member % (MEMBERS / FRAUDS) == 7 && member / (MEMBERS / FRAUDS) < FRAUDS;
}

static uint32_t any(struct market *m, bool fraud)
{
	uint32_t member;

	do
		member = m->drawn[lab_random() % m->n_drawn];
	while (is_fraud(member) != fraud);
	return member;
}

/* -10 to 10, mostly 1. */
static double good_word(void)
{
	static const double words[] = { 1, 1, 1, 1, 1, 1, 2, 2, 3, 5, 5, 10 };

	return words[lab_random() % ARRAY_SIZE(words)] / 10;
}

static void take(struct reputation *to, const struct statement *s, uint64_t now)
{
	enum reputation_verdict verdict = reputation_accept(to, &s->says, statement_verify(s), now);

	lab_must(verdict == REPUTATION_ACCEPTED, reputation_verdict_names[verdict]);
}

/* As a line of a file, and from there into the webs. */
static void say(struct market *m, uint32_t from, struct trust_id about, enum reputation_type type,
		double value)
{
	static uint64_t seq;
	struct buf line = BUF(STATEMENT_LINE_MAX);
	struct statement read;
	char why[128];
	struct statement s = { .says = { .type = type,
					 .subject = about,
					 .value = value,
					 .depth = type == REPUTATION_VOUCH ? 16 : 0,
					 .seq = ++seq,
					 .not_before_ns = m->now,
					 .expires_ns = m->now + 180 * LAB_DAY } };

	lab_must(!statement_sign(&s, m->secrets[from]) && !statement_encode(&s, &line),
		 "nothing can be signed");
	lab_must(line.len && !statement_decode(line.data, line.len - 1, &read, why, sizeof(why)),
		 "what was signed cannot be read");
	buf_done(&line);
	take(m->all, &read, m->now);
	if (!is_fraud(from))
		take(m->honest, &read, m->now);
}

static void rate_one(struct market *m)
{
	bool by_fraud = lab_chance() < BY_FRAUDS;
	bool of_fraud = by_fraud ? lab_chance() < 0.4 : lab_chance() < OF_FRAUDS;
	bool by_anchor = !by_fraud && lab_chance() < BY_ANCHORS;
	uint32_t from = by_anchor ? (uint32_t)(lab_random() % ANCHORS) : any(m, by_fraud);
	uint32_t about = any(m, of_fraud);
	bool praise = by_fraud ? of_fraud : !of_fraud || lab_chance() < DECEIVED;
	double value = !praise ? -1 : by_fraud ? 1 : good_word();

	if (from == about)
		return;
	m->positive += praise;
	m->by_frauds += by_fraud;
	m->drawn[m->n_drawn++] = about;
	say(m, from, lab_id(LAB_SERVER, about), REPUTATION_RATING, value);
	if (value >= 0.5)
		say(m, from, m->keys[about], REPUTATION_VOUCH, value);
}

static struct reputation *web(const struct market *m)
{
	struct reputation *r = lab_web(KEYS_CAP, RECORDS_CAP, MEMBERS);

	for (uint32_t i = 0; i < MEMBERS; i++) {
		struct trust_id server = lab_id(LAB_SERVER, i);
		uint32_t at;

		lab_must(!reputation_subject(r, &server, REPUTATION_NONE, &at) && at == i,
			 "no room for a server");
	}
	for (uint32_t i = 0; i < ANCHORS; i++)
		lab_must(!reputation_anchor(r, &m->keys[i], true), "no room for an anchor");
	return r;
}

static struct market *open_market(void)
{
	struct market *m = calloc(1, sizeof(*m));

	lab_must(m, "out of memory");
	m->p = trust_policy_defaults();
	m->now = LAB_START;
	m->secrets = calloc(MEMBERS, sizeof(*m->secrets));
	lab_must(m->secrets, "out of memory");
	for (uint32_t i = 0; i < MEMBERS; i++) {
		lab_must(!statement_key_new(&m->keys[i], m->secrets[i]), "no keys can be made");
		m->drawn[m->n_drawn++] = i;
	}
	m->all = web(m);
	m->honest = web(m);
	return m;
}

static void close_market(struct market *m)
{
	lab_web_free(m->all);
	lab_web_free(m->honest);
	free(m->secrets);
	free(m);
}

/* T of a scanned server of P .5, where ratings move it most. */
static double score(const struct market *m, const struct reputation *r, uint32_t member)
{
	const struct trust_scan clean = { .scanner = 1, .ruleset = 1, .clean = true };
	static struct lab_server s;

	lab_server_init(&s, &m->p, m->now);
	lab_must(trust_scan(&s.trust, &m->p, m->now, NULL, &clean), "no scan is taken");
	trust_ratings(&s.trust, &m->p, m->now, &r->servers[member].ratings);
	return lab_read(&s.trust, &m->p, m->now).score;
}

/* Weighs both, and tells how far apart they are. */
static void look(struct market *m)
{
	double weight = 0;
	double down = 0;
	double up = 0;
	double most;

	reputation_weigh(m->all, &m->p, m->now);
	reputation_sums(m->all, &m->p, m->now);
	reputation_weigh(m->honest, &m->p, m->now);
	reputation_sums(m->honest, &m->p, m->now);
	for (uint32_t i = 0; i < MEMBERS; i++) {
		double d = is_fraud(i) ? 0 : score(m, m->all, i) - score(m, m->honest, i);

		down = fmin(down, d);
		up = fmax(up, d);
		weight += is_fraud(i) ? lab_weight(m->all, m->keys[i]) : 0;
	}
	/* all of them, and the pool of those without a path, against a server that nobody praised:
	 * C from 1/2 to 1 / (2 + 2 x weight); those that they vouch for weigh at most half of it */
	most = 100 * m->p.community_weight *
	       (0.5 - 1 / (2 + 2 * (1.5 * weight + m->p.unknown_pool)));
	printf("| %.0f | %.3f | %+.2f | %+.2f | %.2f |\n", (double)(m->now - LAB_START) / LAB_DAY,
	       weight, down, up, most);
	lab_bound(-down <= most + 1e-6 && up <= most + 1e-6, "market: %.3f, %.3f beyond %.3f", down,
		  up, most);
}

void market(void)
{
	struct market *m = open_market();

	lab_seed(3);
	printf("## A market of strangers, signed\n\n"
	       "%u members rate each other %u times in %u days, who is rated more often the more "
	       "often; %u of them are\nfrauds, who praise each other and slander others. 89 %% "
	       "of the ratings are positive. The numbers are those\npublished of Bitcoin OTC; the "
	       "network itself is made up, and drawn anew here. Good ratings of 5 of 10\nand more "
	       "are vouches, too; one in twenty of the honest is deceived by a fraud whom he "
	       "rates. Every\nstatement is signed, written, read and verified, in the order of "
	       "time. Shown is how far an honest\nmember's score is from what it is without what "
	       "frauds say, where it is furthest, and how far their\nweight lets it be.\n\n"
	       "| day | weight of all frauds | lowest | highest | bound |\n|---|---|---|---|---|\n",
	       MEMBERS, RATINGS, DAYS, FRAUDS);
	for (uint32_t i = 1; i <= RATINGS; i++) {
		m->now = LAB_START + i * (DAYS * LAB_DAY / RATINGS);
		rate_one(m);
		if (i % (RATINGS / LOOKS) == 0)
			look(m);
	}
	printf("\n%.0f %% of the ratings were positive, %u were by frauds.\n\n",
	       100.0 * m->positive / RATINGS, m->by_frauds);
	close_market(m);
}
