/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What can be done to one server's score by those who wish it ill, or too well. */
#include "lab.h"

#include <math.h>

/* A server that is scanned clean and answers well, as of now. */
static void good_server(struct lab_server *s, const struct trust_policy *p, uint64_t *now)
{
	const struct trust_scan clean = { .scanner = 1, .ruleset = 1, .clean = true };

	lab_server_init(s, p, *now);
	lab_must(trust_scan(&s->trust, p, *now, NULL, &clean), "no scan is taken");
	for (int i = 0; i < 2000; i++) {
		*now += LAB_SECOND;
		lab_call(&s->trust, p, *now, true);
	}
}

static void find(struct lab_server *s, const struct trust_policy *p, uint64_t now, uint64_t which,
		 enum trust_severity severity)
{
	const struct trust_report report = { .identity = { which, which },
					     .scanner = 1,
					     .ruleset = 1,
					     .severity = severity,
					     .confidence = 1 };

	lab_must(trust_finding(&s->trust, p, now, NULL, &report), "no finding is taken");
}

/* How far `raters` keys move a good server's score by q: unknown ones, or an anchor's. */
static double moved(uint32_t raters, bool by_anchor, double q)
{
	const struct trust_policy p = trust_policy_defaults();
	struct reputation *web = lab_web(4096, 8192, 1);
	struct trust_id server = lab_id(LAB_SERVER, 0);
	struct trust_id first = lab_id(LAB_KEY, 0);
	static struct lab_server s;
	uint64_t now = LAB_START;
	double before;
	uint32_t at;

	good_server(&s, &p, &now);
	before = lab_read(&s.trust, &p, now).score;
	lab_must(!reputation_subject(web, &server, REPUTATION_NONE, &at), "no room for a server");
	if (by_anchor)
		lab_must(!reputation_anchor(web, &first, true), "no room for an anchor");
	for (uint32_t i = 0; i < raters; i++)
		lab_say(web, REPUTATION_RATING, lab_id(LAB_KEY, i), server, q, now);
	reputation_weigh(web, &p, now);
	reputation_sums(web, &p, now);
	trust_ratings(&s.trust, &p, now, &web->servers[at].ratings);
	lab_web_free(web);
	return lab_read(&s.trust, &p, now).score - before;
}

static void slander(void)
{
	const double unknown[2] = { moved(1000, false, -1), moved(1000, false, 1) };
	const double anchor[2] = { moved(1, true, -1), moved(1, true, 1) };

	printf("## Slander and praise\n\n"
	       "A server that was scanned clean and answered 2,000 calls well.\n\n"
	       "| who | says the worst | says the best |\n|---|---|---|\n"
	       "| 1,000 keys that nobody vouches for | %+.2f | %+.2f |\n"
	       "| one captured anchor | %+.2f | %+.2f |\n\n",
	       unknown[0], unknown[1], anchor[0], anchor[1]);
	lab_bound(unknown[0] >= -0.72 && unknown[1] <= 0.37, "slander: %.3f, %.3f", unknown[0],
		  unknown[1]);
	lab_bound(anchor[0] >= -8.1 && anchor[1] <= 5.2, "slander by an anchor: %.3f, %.3f",
		  anchor[0], anchor[1]);
}

enum change {
	STAYS,  /* what it is; its scanner finds nothing new */
	WASHED, /* a new identity each day */
	MENDED  /* a new one each day, which the scanner that found it finds clean */
};

/* T after so many days. */
static double after(unsigned int days, enum change change)
{
	const struct trust_policy p = trust_policy_defaults();
	static struct lab_server s;
	uint64_t now = LAB_START;

	good_server(&s, &p, &now);
	find(&s, &p, now, 1, TRUST_HIGH);
	for (unsigned int day = 1; day <= days; day++) {
		const struct trust_scan clean = { .scanner = 1, .ruleset = day, .clean = true };
		struct trust_id id = lab_id(LAB_SERVER, day);

		now += LAB_DAY;
		if (change != STAYS)
			trust_identify(&s.trust, &p, now, &id, false);
		if (change != WASHED)
			lab_must(trust_scan(&s.trust, &p, now, NULL, &clean), "no scan is taken");
		for (int i = 0; i < 1000; i++) {
			now += LAB_SECOND;
			lab_call(&s.trust, &p, now, true);
		}
		trust_tick(&s.trust, &p, now);
	}
	return lab_read(&s.trust, &p, now).score;
}

static void whitewashing(void)
{
	static const unsigned int days[] = { 1, 7, 30, 90 };

	printf("## Whitewashing\n\n"
	       "A server with a high finding, which then answers well: one that stays what it is "
	       "and is scanned each\nday, one with a new identity each day, and one that the "
	       "scanner which found it finds clean under each\nof them, as if it had been mended: "
	       "that alone lets it recover, slowly.\n\n"
	       "| days | stays what it is | a new identity each day | and each is clean |\n"
	       "|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		double honest = after(days[i], STAYS);
		double washed = after(days[i], WASHED);
		double mended = after(days[i], MENDED);

		printf("| %u | %.1f | %.1f | %.1f |\n", days[i], honest, washed, mended);
		lab_bound(washed <= honest + 1e-9, "whitewashing pays: %.3f, %.3f", washed, honest);
		lab_bound(mended <= honest + 100 * 0.05 * days[i], "mended: %.3f in %u days",
			  mended, days[i]);
	}
	printf("\n");
}

/* P of a server of which every call of one tool fails, with so many pings beside each. */
static double pinged(unsigned int pings, bool tools_known)
{
	const struct trust_policy p = trust_policy_defaults();
	static struct lab_server s;
	uint64_t now = LAB_START;

	lab_server_init(&s, &p, now);
	for (int i = 0; i < 600; i++) {
		struct trust_call call = { .tool = tools_known ? 1 : 0,
					   .class = SG_HARD,
					   .latency_ns = SG_FOREVER };

		now += LAB_SECOND;
		trust_call(&s.trust, &p, now, &call);
		call.class = SG_SUCCESS;
		call.tool = tools_known ? 2 : 0;
		for (unsigned int k = 0; k < pings; k++)
			trust_call(&s.trust, &p, now, &call);
	}
	return lab_read(&s.trust, &p, now).performance;
}

static void flooding(void)
{
	static const unsigned int pings[] = { 0, 1, 10, 100, 1000 };

	printf("## Flooding with pings\n\n"
	       "Each second a call that matters fails, with so many beside it that mean nothing and "
	       "succeed, for ten\nminutes: P, where the tools are known, and where they are not.\n\n"
	       "| pings a second | tools known | tools not known |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(pings); i++) {
		double known = pinged(pings[i], true);

		printf("| %u | %.3f | %.3f |\n", pings[i], known, pinged(pings[i], false));
		lab_bound(known < 0.70, "flooding: %.3f is below the gate", known);
	}
	printf("\nWhere tools are not known pings thin failures out, in proportion: docs/trust.md, "
	       "\"Limits\".\n\n");
}

static void noise(void)
{
	const struct trust_policy p = trust_policy_defaults();
	static const unsigned int medium[] = { 0, 4, 40 };

	printf("## A scanner that cries wolf\n\n"
	       "20 low findings about that good server, and so many of medium severity.\n\n"
	       "| medium | S | T | quarantined |\n|---|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(medium); i++) {
		static struct lab_server s;
		uint64_t now = LAB_START;
		struct trust_view view;

		good_server(&s, &p, &now);
		for (uint64_t n = 0; n < 20; n++)
			find(&s, &p, now, 100 + n, TRUST_LOW);
		for (uint64_t n = 0; n < medium[i]; n++)
			find(&s, &p, now, 200 + n, TRUST_MEDIUM);
		view = lab_read(&s.trust, &p, now);
		printf("| %u | %.2f | %.1f | %s |\n", medium[i], view.security, view.score,
		       view.quarantine == TRUST_FREE ? "no" : "yes");
		lab_bound(view.quarantine == TRUST_FREE, "noise quarantines");
	}
	printf("\n");
}

void attacks(void)
{
	slander();
	whitewashing();
	flooding();
	noise();
}
