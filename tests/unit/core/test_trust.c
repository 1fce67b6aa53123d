/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The figures of docs/trust.md, and the rules one by one. */
#include "core/trust.h"

#include <string.h>

#include "trust_rig.h"
#include "unit/unit.h"

static const uint64_t second = SECONDS(1);
static const uint64_t hour = SECONDS(3600);
static const uint64_t day = SECONDS(86400);

#define NEAR(a, b, within)                                                          \
	do {                                                                        \
		double a_ = (a), b_ = (b);                                          \
		if (!(fabs(a_ - b_) <= (within)))                                   \
			fail_msg("%s: %.9g is not %.9g by %g", #a, a_, b_, within); \
	} while (0)

static struct rig fresh(void)
{
	static struct rig r;
	struct trust_policy p = trust_policy_defaults();

	rig_init(&r, &p, 0);
	return r;
}

#define FRESH(r)                \
	struct rig r = fresh(); \
	trust_give(&(r).trust, (r).tools, (r).findings)

static void scan(struct rig *r, uint64_t now, bool clean)
{
	const struct trust_scan s = { .scanner = 1, .ruleset = 1, .clean = clean };

	assert_true(trust_scan(&r->trust, &r->policy, now, NULL, &s));
}

static void find(struct rig *r, uint64_t now, uint64_t identity, enum trust_severity severity,
		 double confidence)
{
	const struct trust_report f = { .identity = { identity },
					.scanner = 1,
					.ruleset = 1,
					.severity = severity,
					.confidence = confidence };

	assert_true(trust_finding(&r->trust, &r->policy, now, NULL, &f));
}

/* --- performance --------------------------------------------------------------------- */

static double performance(const struct rig *r, uint64_t now)
{
	return rig_read(r, now).performance;
}

/* One call a second; by buckets that hold one, and by those of the defaults. */
static void test_calls_one_a_second(void **state)
{
	static const struct {
		double bucket;
		double six, twelve;
	} cases[] = { { 1, 0.707, 0.501 }, { 10, 0.735, 0.558 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t now = 0;
		FRESH(r);

		r.policy.evidence_bucket_seconds = cases[i].bucket;
		rig_init(&r, &r.policy, 0);
		rig_calls(&r, &now, second, 60, SG_SUCCESS);
		NEAR(performance(&r, now - second), 0.984, 5e-4);
		rig_calls(&r, &now, second, 6, SG_HARD);
		NEAR(performance(&r, now - second), cases[i].six, 5e-4);
		rig_calls(&r, &now, second, 6, SG_HARD);
		NEAR(performance(&r, now - second), cases[i].twelve, 5e-4);
		rig_calls(&r, &now, second, 50, SG_SUCCESS);
		NEAR(performance(&r, now - second), 0.750, 5e-4);
		rig_calls(&r, &now, second, 150, SG_SUCCESS);
		NEAR(performance(&r, now - second), 0.876, 5e-4);
		rig_calls(&r, &now, second, 200, SG_SUCCESS);
		NEAR(performance(&r, now - second), 0.926, 5e-4);
	}
}

/* The mean over twenty runs of 20,000 s; of two hundred it is the figure. */
static void test_stationary_shares(void **state)
{
	static const double figures[][2] = {
		{ 0.01, 0.961 }, { 0.05, 0.848 }, { 0.10, 0.732 }, { 0.20, 0.553 }, { 0.50, 0.237 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		double sum = 0;
		unsigned int n = 0;

		for (uint64_t run = 0; run < 20; run++) {
			uint64_t random = seed_of(100 * i + run), now = 0;
			FRESH(r);

			for (int k = 0; k < 20000; k++) {
				bool bad = random_share(&random) < figures[i][0];

				rig_calls(&r, &now, second, 1, bad ? SG_HARD : SG_SUCCESS);
				if (k < 2000 || k % 10)
					continue;
				sum += performance(&r, now);
				n++;
			}
		}
		NEAR(sum / n, figures[i][1], 0.004);
	}
}

static void test_idle_keeps_what_was_earned(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	rig_calls(&r, &now, second, 3000, SG_SUCCESS);
	NEAR(rig_score(&r, now + 12 * hour), 84.8, 0.05);
}

static void test_first_scores(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	assert_double(rig_score(&r, 0), 40);
	assert_int_equal(rig_read(&r, 0).band, TRUST_WATCH);
	scan(&r, 0, true);
	assert_double(rig_score(&r, 0), 50);
	rig_calls(&r, &now, second, 50, SG_SUCCESS);
	NEAR(rig_score(&r, now), 83.6, 0.06);
}

/* What a success after x seconds loses, by what it adds to the open bucket. */
static double loss(const struct rig *from, uint64_t now, double seconds, uint64_t tool)
{
	struct rig r;
	const struct trust_call call = { .tool = tool,
					 .class = SG_SUCCESS,
					 .latency_ns = SECONDS(seconds) };
	int64_t good;

	rig_copy(&r, from);
	trust_tick(&r.trust, &r.policy, now);
	good = r.trust.performance.open_good;
	trust_call(&r.trust, &r.policy, now, &call);
	return 1 - (double)(r.trust.performance.open_good - good) / TRUST_ONE;
}

static void test_latency_against_the_target(void **state)
{
	FRESH(r);

	(void)state;
	NEAR(loss(&r, 0, 5, 0), 0, 1e-7);
	NEAR(loss(&r, 0, 6.5, 0), 0.1, 1e-7);
	NEAR(loss(&r, 0, 20, 0), 1, 1e-7);
	NEAR(loss(&r, 0, 100, 0), 1, 1e-7);
}

/* Thirty successes at e^(-1 +- 0.5) s: mean -1, deviation .5. */
static uint64_t learn(struct rig *r, uint64_t tool)
{
	uint64_t now = 0;

	for (int i = 0; i < 30; i++, now += second) {
		const struct trust_call call = { .tool = tool,
						 .class = SG_SUCCESS,
						 .latency_ns = SECONDS(exp(i % 2 ? -0.5 : -1.5)),
						 .learn = true };

		trust_call(&r->trust, &r->policy, now, &call);
	}
	return now + hour;
}

static void test_latency_against_the_usual(void **state)
{
	FRESH(r);
	uint64_t now = learn(&r, 7);

	(void)state;
	NEAR(loss(&r, now, exp(-1 + 3 * 0.5), 7), 0, 1e-7);
	NEAR(loss(&r, now, exp(-1 + 4.5 * 0.5), 7), 0.25, 1e-6); /* z 4.5: half of l_rel 1/2 */
	NEAR(loss(&r, now, exp(-1 + 4.5 * 0.5), 8), 0, 1e-7);    /* of another tool */
	NEAR(loss(&r, now, exp(-1 + 5.1 * 0.5), 7), 0.35, 1e-6);
	/* a quarter of the target is fast enough, whatever is usual */
	r.policy.latency_target_seconds = 4 * exp(-1 + 4.5 * 0.5) + 0.001;
	NEAR(loss(&r, now, exp(-1 + 4.5 * 0.5), 7), 0, 1e-7);
}

static void baseline_call(struct rig *r, uint64_t now, double seconds, bool learns)
{
	const struct trust_call call = { .class = SG_SUCCESS,
					 .latency_ns = SECONDS(seconds),
					 .learn = learns };

	trust_call(&r->trust, &r->policy, now, &call);
}

static void test_the_usual_follows_slowly(void **state)
{
	FRESH(r);
	const struct trust_tool *tool = &r.trust.performance.shared;
	uint64_t last = learn(&r, 0) - hour - second;

	(void)state;
	baseline_call(&r, last + day, exp(-1.2), true); /* half of the way in a day */
	baseline_call(&r, last + day + 1, exp(-1.2), false);
	NEAR(tool->mean, -1.1, 1e-6);
	NEAR(tool->variance, 0.25 + (0.04 - 0.25) / 2, 1e-6);
	baseline_call(&r, last + 2 * day, 100,
		      true); /* by 5 % a day upward; two deviations count */
	baseline_call(&r, last + 2 * day + 1, 100, false);
	NEAR(tool->mean, -1.1 + log(1.05), 1e-6);
	NEAR(tool->variance, 0.145 + (4 * 0.145 - 0.145) / 2, 1e-6);
	/* frozen while the breaker is not closed */
	baseline_call(&r, last + 9 * day, 100, false);
	baseline_call(&r, last + 9 * day + 1, 100, false);
	NEAR(tool->mean, -1.1 + log(1.05), 1e-6);
	/* of several at one instant the fastest, in whatever order */
	baseline_call(&r, last + 3 * day, exp(-3), true);
}

/* Twenty calls of one tool count in ten seconds, as their mean; other tools beside them. */
static void test_floods(void **state)
{
	uint64_t now = 0;
	FRESH(r);
	const struct trust_call hard = { .tool = 5, .class = SG_HARD };

	(void)state;
	rig_calls(&r, &now, 1, 1000, SG_SUCCESS);
	assert_int_equal(r.trust.performance.open_good, 20 * (int64_t)TRUST_ONE);
	trust_call(&r.trust, &r.policy, now, &hard);
	assert_int_equal(r.trust.performance.open_bad, 3 * (int64_t)TRUST_ONE);
	/* soft failures do not thin out hard ones: 10 x 3 + 10 x 1 stay */
	rig_init(&r, &r.policy, 0);
	now = 0;
	rig_calls(&r, &now, 1, 10, SG_HARD);
	rig_calls(&r, &now, 1, 500, SG_SOFT);
	assert_int_equal(r.trust.performance.open_bad, 40 * (int64_t)TRUST_ONE);
}

static void test_what_counts_nothing(void **state)
{
	static const enum sg_class classes[] = { SG_APP, SG_CALLER, SG_LOCAL, SG_UNKNOWN };
	FRESH(r);
	uint64_t before = rig_digest(&r), now = second;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		rig_calls(&r, &now, second, 1, classes[i]);
	assert_int_equal(rig_digest(&r), before);
}

static void test_tools_beyond_the_limit_share(void **state)
{
	FRESH(r);
	struct trust_call call = { .class = SG_SUCCESS, .latency_ns = second };

	(void)state;
	for (call.tool = 1; call.tool <= TRUST_TOOLS; call.tool++)
		trust_call(&r.trust, &r.policy, 0, &call);
	assert_int_equal(r.trust.performance.shared.good, 0);
	trust_call(&r.trust, &r.policy, 0, &call);
	assert_int_equal(r.trust.performance.shared.good, 1);
	assert_int_equal(r.trust.performance.open_good, (TRUST_TOOLS + 1) * (int64_t)TRUST_ONE);
}

/* --- security ------------------------------------------------------------------------- */

static double security(const struct rig *r, uint64_t now)
{
	return rig_read(r, now).security;
}

static void test_severities(void **state)
{
	static const struct {
		enum trust_severity severity;
		double confidence, security;
	} cases[] = {
		{ TRUST_INFO, 1, 1 },
		{ TRUST_LOW, 1, 0.85 * 0.93 },
		{ TRUST_LOW, 0.5, (1 - 0.5 * 0.15) * (1 - 0.035) },
		{ TRUST_MEDIUM, 1, 0.5 * 0.75 },
		{ TRUST_HIGH, 1, 0.15 * 0.4 },
		{ TRUST_HIGH, 0.5, (1 - 0.5 * 0.85) * 0.7 },
		{ TRUST_CRITICAL, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		FRESH(r);

		scan(&r, 0, true);
		find(&r, second, 1, cases[i].severity, cases[i].confidence);
		assert_double(security(&r, second), cases[i].security);
	}
}

static void test_floors(void **state)
{
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	for (uint64_t i = 1; i <= 60; i++) /* more than are kept apart */
		find(&r, second, i << 8 | i, TRUST_LOW, 1);
	assert_double(security(&r, second), 0.6);
	for (uint64_t i = 101; i <= 160; i++)
		find(&r, second, i, TRUST_MEDIUM, 1);
	assert_double(security(&r, second), 0.2);
	find(&r, second, 200, TRUST_HIGH, 1);
	assert_true(security(&r, second) < 0.01);
}

/* Noise: 20 low and 4 medium, and a rescan of them, without a quarantine. */
static void test_scanner_noise(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	rig_calls(&r, &now, second, 3000, SG_SUCCESS);
	for (int round = 0; round < 3; round++, now += day)
		for (uint64_t i = 1; i <= 24; i++)
			find(&r, now, i, i <= 20 ? TRUST_LOW : TRUST_MEDIUM, 1);
	assert_double(security(&r, now), 0.2);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_FREE);
	assert_int_equal(r.trust.security.n_findings, 24);
	assert_int_equal(r.trust.security.rest.n, 0);
	assert_true(rig_read(&r, now).restricted);
}

/* What does not fit counts, once, however often it is found. */
static void test_a_rescan_counts_nothing_twice(void **state)
{
	double before;
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	for (uint64_t i = 1; i <= 30; i++)
		find(&r, second, i, TRUST_LOW, 0.1);
	before = security(&r, second);
	assert_int_equal(r.trust.security.rest.n, 6);
	for (uint64_t i = 1; i <= 30; i++)
		find(&r, 2 * second, i, TRUST_LOW, 0.1);
	assert_double(security(&r, 2 * second), before);
}

static void test_security_rises_slowly(void **state)
{
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	find(&r, day, 1, TRUST_MEDIUM, 1);
	scan(&r, 2 * day, true); /* by the same scanner: it is gone */
	assert_double(security(&r, 2 * day), 0.375);
	assert_double(security(&r, 4 * day), 0.475);
	assert_double(security(&r, 30 * day), 1);
	assert_double(security(&r, 32 * day), 0.8); /* and the scan is too old */
	assert_double(security(&r, 99 * day), 0.8);
}

static void test_scars(void **state)
{
	const struct trust_id next = { { 1 } };
	FRESH(r);

	(void)state;
	r.policy.scan_max_age_days = 3650;
	scan(&r, 0, true);
	find(&r, day, 1, TRUST_HIGH, 1);
	find(&r, day, 2, TRUST_CRITICAL, 1);
	find(&r, 2 * day, 1, TRUST_HIGH, 1); /* the same: no other scar */
	trust_identify(&r.trust, &r.policy, 3 * day, &next, true);
	scan(&r, 3 * day, true);
	assert_double(security(&r, 150 * day), 1 - 0.03 - 0.10);
	assert_double(security(&r, 181 * day), 0.87);
	assert_double(security(&r, 183 * day), 0.97); /* and it rises as slowly as ever */
	assert_double(security(&r, 190 * day), 1);
}

/* Scars that end at different times, and more of them than there is room for. */
static void test_scars_are_kept(void **state)
{
	FRESH(r);
	struct trust_explanation e;

	(void)state;
	for (uint64_t i = 1; i <= 12; i++)
		find(&r, i * day, i, TRUST_HIGH, 0.1);
	trust_explain(&r.trust, &r.policy, 12 * day, &e);
	assert_double(e.scarred, 1 - 12 * 0.03);
	trust_explain(&r.trust, &r.policy, 189 * day, &e);
	assert_double(e.scarred, 1 - 3 * 0.03);
}

static void test_what_a_clean_scan_removes(void **state)
{
	const struct trust_scan other = { .scanner = 2, .ruleset = 9, .clean = true };
	const struct trust_scan older = { .scanner = 1, .ruleset = 0, .clean = true };
	const struct trust_id digest = { { 9 } };
	FRESH(r);

	(void)state;
	find(&r, second, 1, TRUST_MEDIUM, 1);
	find(&r, second, 2, TRUST_HIGH, 0.1);
	assert_true(trust_scan(&r.trust, &r.policy, 2 * second, NULL, &other));
	assert_true(trust_scan(&r.trust, &r.policy, 3 * second, NULL, &older));
	assert_double(security(&r, 3 * second), 0.5 * 0.75 * 0.94);
	/* of another digest: not of this one */
	assert_false(trust_scan(&r.trust, &r.policy, 4 * second, &digest, &other));
	assert_false(trust_finding(&r.trust, &r.policy, 4 * second, &digest,
				   &(struct trust_report){ .severity = TRUST_CRITICAL }));
	scan(&r, 5 * second, true); /* the medium one, not the high one */
	trust_tick(&r.trust, &r.policy, 6 * second);
	find(&r, 7 * second, 3, TRUST_LOW, 0); /* sweeps */
	assert_int_equal(r.trust.security.n_findings, 2);
	/* a new identity: all of them */
	trust_identify(&r.trust, &r.policy, 8 * second, &digest, true);
	assert_int_equal(r.trust.security.n_findings, 2);
	scan(&r, 9 * second, true);
	find(&r, 10 * second, 4, TRUST_LOW, 0);
	assert_int_equal(r.trust.security.n_findings, 1);
}

static void test_findings_are_no_scan(void **state)
{
	FRESH(r);

	(void)state;
	find(&r, second, 1, TRUST_LOW, 0);
	assert_double(security(&r, second), 0.8);
	scan(&r, 2 * second, false); /* a scan that found it */
	assert_double(security(&r, 2 * second), 0.8);
	assert_double(security(&r, 2 * second + day), 0.85);
}

static void test_ratings_cap_security(void **state)
{
	const struct trust_ratings bad = { .bad = 4, .cap = true };
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	trust_ratings(&r.trust, &r.policy, second, &bad);
	assert_double(security(&r, second), 0.5);
	assert_double(rig_read(&r, second).community, 1.0 / 6);
}

/* --- bands and quarantine --------------------------------------------------------------- */

static void test_trusted_takes_time_and_calls(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	rig_calls(&r, &now, second, 50, SG_SUCCESS);
	assert_int_equal(rig_read(&r, now).band, TRUST_WATCH);
	assert_int_equal(rig_read(&r, day - 1).band, TRUST_WATCH);
	assert_int_equal(rig_read(&r, day).band, TRUST_TRUSTED);
	/* a day without calls is not enough */
	rig_init(&r, &r.policy, 0);
	now = 0;
	r.policy.trusted = 45;
	r.policy.trusted_leave = 45;
	scan(&r, 0, true);
	rig_calls(&r, &now, second, 29, SG_SUCCESS);
	assert_int_equal(rig_read(&r, 2 * day).band, TRUST_WATCH);
	rig_calls(&r, &now, second, 1, SG_SUCCESS);
	assert_int_equal(rig_read(&r, 2 * day).band, TRUST_TRUSTED);
}

/* T by a community of weight 1: 100 (R + 1) / (R + N + 2), at will. */
static enum trust_band band_at(struct rig *r, uint64_t now, double score)
{
	double c = score / 100;
	struct trust_ratings ratings = { .good = fmax((2 * c - 1) / (1 - c), 0),
					 .bad = fmax(1 / c - 2, 0) };

	trust_ratings(&r->trust, &r->policy, now, &ratings);
	assert_double(rig_score(r, now), score);
	return rig_read(r, now).band;
}

static void test_bands_have_two_edges(void **state)
{
	static const struct {
		double score;
		enum trust_band band;
	} steps[] = {
		{ 69.9, TRUST_WATCH },    { 70.1, TRUST_TRUSTED },  { 65.1, TRUST_TRUSTED },
		{ 64.9, TRUST_WATCH },    { 69, TRUST_WATCH },      { 40.1, TRUST_WATCH },
		{ 39.9, TRUST_DEGRADED }, { 42.9, TRUST_DEGRADED }, { 43.1, TRUST_WATCH },
		{ 75, TRUST_TRUSTED },    { 30, TRUST_DEGRADED },   { 80, TRUST_TRUSTED },
	};
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	r.policy.community_weight = 1;
	r.policy.scan_max_age_days = 3650;
	scan(&r, 0, true);
	rig_calls(&r, &now, second, 30, SG_SUCCESS);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		assert_int_equal(band_at(&r, 2 * day + i * second, steps[i].score), steps[i].band);
}

static void test_a_finding_quarantines(void **state)
{
	const struct trust_id next = { { 1 } };
	struct trust_view v;
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	rig_calls(&r, &now, second, 100, SG_SUCCESS);
	find(&r, now, 1, TRUST_HIGH, 0.69);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_FREE);
	find(&r, now, 2, TRUST_HIGH, 0.7);
	v = rig_read(&r, now);
	assert_int_equal(v.quarantine, TRUST_BY_FINDING);
	assert_int_equal(v.strikes, 1);
	assert_true(v.earliest_ns == SG_FOREVER);
	assert_true(v.quarantine_ns == now);
	assert_int_equal(rig_read(&r, 99 * day).quarantine, TRUST_BY_FINDING);
	/* it ends by a clean scan of another identity, once T has come up */
	trust_identify(&r.trust, &r.policy, day, &next, true);
	assert_int_equal(rig_read(&r, 2 * day).quarantine, TRUST_BY_FINDING);
	scan(&r, 2 * day, true);
	assert_int_equal(rig_read(&r, 2 * day).quarantine, TRUST_BY_FINDING);
	assert_true(rig_read(&r, 2 * day).earliest_ns == now + SECONDS(600));
	assert_int_equal(rig_read(&r, 21 * day).quarantine, TRUST_FREE);
	assert_int_equal(rig_read(&r, 21 * day).strikes, 1);
	/* rules that may not */
	r.policy.auto_quarantine = false;
	rig_init(&r, &r.policy, 0);
	find(&r, second, 2, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, second).quarantine, TRUST_FREE);
}

/* T below 15 with S below .5; a low P alone never does it. */
static void test_a_score_quarantines(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	rig_calls(&r, &now, second, 3000, SG_HARD);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_FREE);
	find(&r, now, 1, TRUST_MEDIUM, 1);
	assert_true(rig_score(&r, now) < 15);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_BY_SCORE);
	assert_true(rig_read(&r, now).earliest_ns == now + SECONDS(600));
}

static void test_dwell_doubles_and_strikes_fade(void **state)
{
	uint64_t at = day;
	FRESH(r);

	(void)state;
	for (uint64_t k = 1; k <= 8; k++) {
		struct trust_view v;
		uint64_t dwell = SECONDS(600) << (k - 1);

		trust_release(&r.trust, &r.policy, at);
		find(&r, at + second, k, TRUST_HIGH, 1);
		v = rig_read(&r, at + second);
		assert_int_equal(v.strikes, k < 6 ? k : 6);
		trust_tick(&r.trust, &r.policy, at + 2 * second);
		assert_true(r.trust.dwell_ns == (dwell < day ? dwell : day));
		at += day;
	}
	/* strikes do not fade in quarantine, and by one a week after it */
	assert_int_equal(rig_read(&r, at + 70 * day).strikes, 6);
	trust_release(&r.trust, &r.policy, at);
	assert_int_equal(rig_read(&r, at + 7 * day - 1).strikes, 6);
	assert_int_equal(rig_read(&r, at + 7 * day).strikes, 5);
	assert_int_equal(rig_read(&r, at + 70 * day).strikes, 0);
}

static void test_strikes_take_from_the_top(void **state)
{
	uint64_t now = 10 * day;
	const struct trust_id next = { { 1 } };
	FRESH(r);

	(void)state;
	r.policy.community_weight = 0;
	r.policy.scar_days = 0;
	r.policy.scan_max_age_days = 3650;
	scan(&r, 0, true);
	find(&r, second, 1, TRUST_HIGH, 1);
	trust_identify(&r.trust, &r.policy, 2 * second, &next, true);
	scan(&r, day, true);
	trust_release(&r.trust, &r.policy, 26 * day);
	now = 26 * day;
	rig_calls(&r, &now, second, 3000, SG_SUCCESS);
	assert_double(rig_score(&r, now), 95);
	assert_true(rig_score(&r, now + 7 * day) > 95);
}

/* A release waives what is known then: rules do not come back to it. */
static void test_release_waives(void **state)
{
	FRESH(r);

	(void)state;
	find(&r, second, 1, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, second).quarantine, TRUST_BY_FINDING);
	trust_release(&r.trust, &r.policy, 2 * second);
	assert_int_equal(rig_read(&r, 2 * second).quarantine, TRUST_FREE);
	assert_int_equal(rig_read(&r, day).quarantine, TRUST_FREE); /* though T is 0 */
	assert_double(security(&r, day), 0);
	find(&r, day, 1, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, day).quarantine, TRUST_FREE);
	find(&r, day + second, 2, TRUST_HIGH, 1);
	assert_int_equal(rig_read(&r, day + second).quarantine, TRUST_BY_FINDING);
	assert_int_equal(rig_read(&r, day + second).strikes, 2);
}

static void test_a_graver_report_takes_the_waiver_back(void **state)
{
	FRESH(r);

	(void)state;
	find(&r, second, 1, TRUST_HIGH, 1);
	trust_release(&r.trust, &r.policy, 2 * second);
	find(&r, 3 * second, 1, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, 3 * second).quarantine, TRUST_BY_FINDING);
}

/* --- identity ----------------------------------------------------------------------------- */

static void test_a_new_identity_starts_unscanned(void **state)
{
	const struct trust_id next = { { 1 } };
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	rig_calls(&r, &now, second, 100, SG_SUCCESS);
	assert_int_equal(rig_read(&r, 2 * day).band, TRUST_TRUSTED);
	trust_identify(&r.trust, &r.policy, 2 * day, &next, true);
	assert_true(rig_read(&r, 2 * day).performance > 0.98);
	assert_double(security(&r, 2 * day), 0.8);
	assert_int_equal(rig_read(&r, 2 * day).band, TRUST_WATCH);
	scan(&r, 3 * day, true); /* not its first: S rises slowly */
	assert_double(security(&r, 4 * day), 0.85);
}

static void test_another_place_keeps_what_was_bad(void **state)
{
	const struct trust_id next = { { 1 } };
	struct trust_explanation before, after;
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	rig_calls(&r, &now, second, 100, SG_SUCCESS);
	rig_calls(&r, &now, second, 5, SG_HARD);
	trust_explain(&r.trust, &r.policy, now, &before);
	trust_identify(&r.trust, &r.policy, now, &next, false);
	trust_explain(&r.trust, &r.policy, now, &after);
	assert_double(after.slow.good, 0);
	NEAR(after.slow.bad, before.slow.bad, 1e-9);
	assert_int_equal(after.successes, 0);
}

static void test_relatives_inherit(void **state)
{
	struct rig heir;
	struct trust_view v;
	FRESH(r);

	(void)state;
	find(&r, second, 1, TRUST_HIGH, 1);
	trust_tick(&r.trust, &r.policy, 2 * second);
	rig_init(&heir, &r.policy, 3 * second);
	trust_inherit(&heir.trust, &heir.policy, 3 * second, &r.trust);
	v = rig_read(&heir, 3 * second);
	assert_int_equal(v.quarantine, TRUST_BY_FINDING);
	assert_int_equal(v.strikes, 1);
	assert_double(v.security, 0.06);
	assert_double(v.score, rig_score(&r, 3 * second));
}

/* --- state --------------------------------------------------------------------------------- */

static void test_changes_have_causes(void **state)
{
	uint64_t now = 0;
	struct trust_explanation e;
	FRESH(r);

	(void)state;
	scan(&r, 0, true);
	now = second;
	rig_calls(&r, &now, second, 50, SG_SUCCESS);
	rig_calls(&r, &now, second, 2, SG_HARD);
	find(&r, now, 1, TRUST_CRITICAL, 1);
	trust_explain(&r.trust, &r.policy, now, &e);
	assert_int_equal(e.n_changes, 4);
	assert_int_equal(e.changes[0].causes, TRUST_CAUSE_SCAN);
	assert_double(e.changes[0].before, 40);
	assert_double(e.changes[0].after, 50);
	assert_int_equal(e.changes[1].causes, TRUST_CAUSE_SUCCESS);
	assert_int_equal(e.changes[1].n, 50);
	assert_int_equal(e.changes[2].causes, TRUST_CAUSE_HARD);
	assert_int_equal(e.changes[3].causes, TRUST_CAUSE_FINDING | TRUST_CAUSE_QUARANTINE);
	assert_double(e.changes[3].after, 0);
}

static void test_time_never_goes_back(void **state)
{
	uint64_t now = day;
	FRESH(r);

	(void)state;
	rig_calls(&r, &now, second, 10, SG_SUCCESS);
	now = 0;
	rig_calls(&r, &now, second, 1, SG_HARD);
	assert_true(r.trust.now_ns == day + 9 * second);
	assert_double(rig_score(&r, 0), rig_score(&r, day + 9 * second));
}

/* Without memory for findings and tools nothing is lost but detail. */
static void test_without_more_memory(void **state)
{
	struct trust_policy p = trust_policy_defaults();
	const struct trust_report f = { .identity = { 1 },
					.severity = TRUST_HIGH,
					.confidence = 1 };
	const struct trust_call call = { .tool = 5, .class = SG_HARD };
	struct trust_view v;
	struct trust t;

	(void)state;
	trust_init(&t, &p, 0);
	trust_call(&t, &p, 0, &call);
	assert_true(trust_finding(&t, &p, second, NULL, &f));
	trust_read(&t, &p, second, &v);
	assert_int_equal(v.quarantine, TRUST_BY_FINDING);
	assert_double(v.security, 0.06);
	assert_int_equal(t.performance.shared.hard, 1);
}

/* Another policy closes the bucket of the old one: nothing is counted twice. */
static void test_another_policy(void **state)
{
	struct trust_policy p = trust_policy_defaults();
	uint64_t now = 3 * second;
	double before;
	FRESH(r);

	(void)state;
	p.evidence_bucket_seconds = 60;
	rig_calls(&r, &now, 1, 10, SG_SUCCESS);
	before = performance(&r, now);
	trust_set_policy(&r.trust, &r.policy, &p, now);
	r.policy = p;
	assert_double(performance(&r, now), before);
	assert_true(performance(&r, now + 70 * second) <= before);
}

static void test_policy_is_checked(void **state)
{
	static const struct {
		const char *key;
		double value;
		const char *why;
	} cases[] = {
		{ "prior", 1.5, "prior is 1.5: it must be at least 0 and at most 1" },
		{ "fast_cap", 0, "fast_cap is 0: it must be above 0 and at most 1000000" },
		{ "path_depth", 2.5,
		  "path_depth is 2.5: it must be a whole number at least 0 and at most 16" },
		{ "trusted_leave", 71,
		  "trusted_leave is 71, more than trusted 70: it must be at most as much" },
		{ "watch", 44,
		  "watch is 44, more than watch_return 43: it must be at most as much" },
		{ "soft_weight", 4,
		  "soft_weight is 4, more than hard_weight 3: it must be at most as much" },
		{ "strike_penalty", 17,
		  "strike_penalty 17 times strike_max 6 is more than 100: the score would be negative" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct trust_policy p = trust_policy_defaults();
		char why[256] = "";
		int r = policy_key_set(&p, trust_key_find(cases[i].key), cases[i].value, why,
				       sizeof(why));

		assert_true(r || trust_policy_check(&p, why, sizeof(why)));
		assert_string_equal(why, cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_one_a_second),
		cmocka_unit_test(test_stationary_shares),
		cmocka_unit_test(test_idle_keeps_what_was_earned),
		cmocka_unit_test(test_first_scores),
		cmocka_unit_test(test_latency_against_the_target),
		cmocka_unit_test(test_latency_against_the_usual),
		cmocka_unit_test(test_the_usual_follows_slowly),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_what_counts_nothing),
		cmocka_unit_test(test_tools_beyond_the_limit_share),
		cmocka_unit_test(test_severities),
		cmocka_unit_test(test_floors),
		cmocka_unit_test(test_scanner_noise),
		cmocka_unit_test(test_a_rescan_counts_nothing_twice),
		cmocka_unit_test(test_security_rises_slowly),
		cmocka_unit_test(test_scars),
		cmocka_unit_test(test_scars_are_kept),
		cmocka_unit_test(test_what_a_clean_scan_removes),
		cmocka_unit_test(test_findings_are_no_scan),
		cmocka_unit_test(test_ratings_cap_security),
		cmocka_unit_test(test_trusted_takes_time_and_calls),
		cmocka_unit_test(test_bands_have_two_edges),
		cmocka_unit_test(test_a_finding_quarantines),
		cmocka_unit_test(test_a_score_quarantines),
		cmocka_unit_test(test_dwell_doubles_and_strikes_fade),
		cmocka_unit_test(test_strikes_take_from_the_top),
		cmocka_unit_test(test_release_waives),
		cmocka_unit_test(test_a_graver_report_takes_the_waiver_back),
		cmocka_unit_test(test_a_new_identity_starts_unscanned),
		cmocka_unit_test(test_another_place_keeps_what_was_bad),
		cmocka_unit_test(test_relatives_inherit),
		cmocka_unit_test(test_changes_have_causes),
		cmocka_unit_test(test_time_never_goes_back),
		cmocka_unit_test(test_without_more_memory),
		cmocka_unit_test(test_another_policy),
		cmocka_unit_test(test_policy_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
