/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The threat models of EigenTrust (Kamvar, Schlosser, Garcia-Molina 2003), with servers in the
 * place of peers who share files. */
#include "lab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GOOD 63U
#define ANCHORS 3U
#define BAD_MAX 147U
#define ALL_MAX (GOOD + BAD_MAX)
#define CYCLES 30U
#define DOWNLOADS 20U /* of each good peer, a cycle */
#define STEP (180 * LAB_SECOND)
#define HAVE 0.10   /* honest peers that have what is asked for; the others say they all do */
#define ERRORS 0.05 /* of what honest peers give */

enum model {
	NOBODY,     /* no trust at all: a source at random */
	ALONE,      /* A: gives nothing but bad */
	COLLECTIVE, /* B: and they praise each other */
	CAMOUFLAGE, /* C: the same, and half of what they give is good */
	SPIES       /* D: half of them give only good, and praise the others */
};

struct world {
	struct trust_policy p;
	enum model model;
	uint32_t bad;
	uint32_t all;
	struct trust *opinions; /* of each good peer on each peer */
	struct reputation *web;
	double *scores; /* as of the present download */
	uint64_t now;
	uint32_t good_served; /* by bad peers */
	uint32_t bad_served;
	uint32_t downloads;
	uint32_t inauthentic;
};

static struct trust *opinion(struct world *w, uint32_t of, uint32_t about)
{
	return &w->opinions[of * ALL_MAX + about];
}

static bool is_spy(const struct world *w, uint32_t peer)
{
	return w->model == SPIES && peer >= GOOD + w->bad / 2;
}

/* Is what this peer gives authentic? */
static bool gives_good(const struct world *w, uint32_t peer)
{
	if (peer < GOOD || is_spy(w, peer))
		return lab_chance() >= ERRORS;
	return w->model == CAMOUFLAGE && lab_chance() < 0.5;
}

static uint32_t choose(struct world *w, uint32_t who)
{
	uint32_t chosen = UINT32_MAX;
	double best = -1;

	for (uint32_t peer = 0; peer < w->all; peer++) {
		double score;

		if (peer == who || (peer < GOOD && lab_chance() >= HAVE))
			continue;
		/* of equals any one */
		score = lab_chance() * 1e-6;
		if (w->model != NOBODY)
			score += lab_read(opinion(w, who, peer), &w->p, w->now).score;
		if (score > best) {
			best = score;
			chosen = peer;
		}
	}
	return chosen;
}

static void download(struct world *w, uint32_t who)
{
	uint32_t from = choose(w, who);
	bool good;

	if (from == UINT32_MAX)
		return;
	good = gives_good(w, from);
	w->downloads++;
	w->inauthentic += !good;
	if (from >= GOOD) {
		w->good_served += good;
		w->bad_served += !good;
	}
	lab_call(opinion(w, who, from), &w->p, w->now, good);
}

static void say(struct world *w, enum reputation_type type, uint32_t from, uint32_t about,
		double value)
{
	lab_say(w->web, type, lab_id(LAB_KEY, from),
		lab_id(type == REPUTATION_RATING ? LAB_SERVER : LAB_KEY, about), value, w->now);
}

/* Everybody says what he thinks of those he knows, and vouches for those he thinks well of. */
static void tell(struct world *w)
{
	for (uint32_t who = 0; who < GOOD; who++)
		for (uint32_t about = 0; about < w->all; about++) {
			double q = trust_own_rating(opinion(w, who, about), &w->p, w->now);

			if (isnan(q))
				continue;
			say(w, REPUTATION_RATING, who, about, q);
			say(w, REPUTATION_VOUCH, who, about, q > 0.5 ? 1 : 0);
		}
	if (w->model <= ALONE)
		return;
	for (uint32_t who = GOOD; who < w->all; who++)
		for (uint32_t about = 0; about < w->all; about++) {
			bool ours = about >= GOOD;

			if (who == about)
				continue;
			/* spies do not give themselves away */
			if (!ours && is_spy(w, who))
				continue;
			say(w, REPUTATION_RATING, who, about, ours ? 1 : -1);
			if (ours)
				say(w, REPUTATION_VOUCH, who, about, 1);
		}
}

static void listen(struct world *w)
{
	reputation_weigh(w->web, &w->p, w->now);
	reputation_sums(w->web, &w->p, w->now);
	for (uint32_t who = 0; who < GOOD; who++)
		for (uint32_t about = 0; about < w->all; about++)
			trust_ratings(opinion(w, who, about), &w->p, w->now,
				      &w->web->servers[about].ratings);
}

static void begin(struct world *w)
{
	w->p = trust_policy_defaults();
	w->all = GOOD + w->bad;
	w->now = LAB_START;
	w->web = lab_web(1024, 1U << 18, ALL_MAX);
	w->opinions = calloc((size_t)GOOD * ALL_MAX, sizeof(*w->opinions));
	lab_must(w->opinions, "out of memory");
	lab_seed(11);
	for (uint32_t i = 0; i < GOOD * ALL_MAX; i++)
		trust_init(&w->opinions[i], &w->p, w->now);
	for (uint32_t i = 0; i < w->all; i++) {
		struct trust_id server = lab_id(LAB_SERVER, i);
		struct trust_id key = lab_id(LAB_KEY, i);
		uint32_t at;

		lab_must(!reputation_subject(w->web, &server, REPUTATION_NONE, &at) && at == i,
			 "no room for a server");
		if (i < ANCHORS)
			lab_must(!reputation_anchor(w->web, &key, true), "no room for an anchor");
	}
}

/* The share of inauthentic downloads. */
static double run(struct world *w)
{
	begin(w);
	for (uint32_t cycle = 0; cycle < CYCLES; cycle++) {
		for (uint32_t n = 0; n < DOWNLOADS; n++) {
			w->now += STEP;
			for (uint32_t who = 0; who < GOOD; who++)
				download(w, who);
		}
		tell(w);
		listen(w);
	}
	lab_web_free(w->web);
	free(w->opinions);
	return (double)w->inauthentic / w->downloads;
}

static double share(enum model model, uint32_t percent, struct world *w)
{
	*w = (struct world){ .model = model,
			     .bad = (GOOD * percent + (100 - percent) / 2) / (100 - percent) };
	return run(w);
}

static void table(void)
{
	static const uint32_t percents[] = { 0, 10, 20, 30, 40, 50, 60, 70 };
	struct world w;

	printf("| malicious | without | A | B | C | D |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		double v[SPIES + 1];

		for (int model = NOBODY; model <= SPIES; model++)
			v[model] = share((enum model)model, percents[i], &w);
		printf("| %u %% | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f %% |\n", percents[i],
		       v[NOBODY] * 100, v[ALONE] * 100, v[COLLECTIVE] * 100, v[CAMOUFLAGE] * 100,
		       v[SPIES] * 100);
		if (percents[i] == 40)
			lab_bound(v[NOBODY] > 0.80 && v[ALONE] < 0.12 && v[COLLECTIVE] < 0.12,
				  "peers: at 40 %% malicious %.3f, %.3f, %.3f", v[NOBODY], v[ALONE],
				  v[COLLECTIVE]);
		lab_bound(v[SPIES] < 0.06, "peers: spies place %.3f", v[SPIES]);
	}
	printf("\nPublished, for 40 %% malicious: about 87 %% without and 10 %% with EigenTrust, in "
	       "B as in A; in C at most\nabout 28 %%, where half of what they give is good. Chirita "
	       "and others (2004): in C at most 17.6 %% at\n50 %% and 7.3 %% at 70 %% of good "
	       "answers.\n\n"
	       "In B praise and slander of keys without a path move a score by less "
	       "than a point. That decides only\nbetween strangers of whom nobody has measured "
	       "anything: the more of them are malicious, the more\noften a first call goes "
	       "wrong.\n\n");
	(void)share(SPIES, 40, &w);
	printf("What D pays for it, at 40 %%: bad peers gave %u good files to place %u bad ones. "
	       "Published: 1,420 for\n1,197.\n\n",
	       w.good_served, w.bad_served);
}

void peers(void)
{
	printf("## Threat models of EigenTrust\n\n"
	       "%u honest peers, of which %u are the anchors of all; malicious ones are that part of "
	       "all. An honest peer\nhas one file in ten that is asked for, and of what it gives "
	       "5 %% are bad; malicious ones say that they\nhave all. %u cycles of %u downloads of "
	       "each honest peer, from whom it trusts most (a score of\nits own measurements and of "
	       "ratings, one scan was never made); after each cycle all say what they think\nof "
	       "whom they know, and vouch for those they think well of. Shown is the part of bad "
	       "files.\n\n",
	       GOOD, ANCHORS, CYCLES, DOWNLOADS);
	table();
}
