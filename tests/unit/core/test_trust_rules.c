/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Security, bands, quarantine by rule and identities, rule by rule. */
#include "core/trust.h"

#include <string.h>

#include "trust_rig.h"
#include "unit/unit.h"

static const uint64_t second = SECONDS(1);
static const uint64_t day = SECONDS(86400);

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

		rig_scan(&r, 0, true);
		rig_find(&r, second, 1, cases[i].severity, cases[i].confidence);
		assert_double(security(&r, second), cases[i].security);
	}
}

static void test_floors(void **state)
{
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	for (uint64_t i = 1; i <= 60; i++) /* more than are kept apart */
		rig_find(&r, second, i << 8 | i, TRUST_LOW, 1);
	assert_double(security(&r, second), 0.6);
	for (uint64_t i = 101; i <= 160; i++)
		rig_find(&r, second, i, TRUST_MEDIUM, 1);
	assert_double(security(&r, second), 0.2);
	rig_find(&r, second, 200, TRUST_HIGH, 1);
	assert_true(security(&r, second) < 0.01);
}

/* Noise: 20 low and 4 medium, and a rescan of them, without a quarantine. */
static void test_scanner_noise(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	rig_calls(&r, &now, second, 3000, SG_SUCCESS);
	for (int round = 0; round < 3; round++, now += day)
		for (uint64_t i = 1; i <= 24; i++)
			rig_find(&r, now, i, i <= 20 ? TRUST_LOW : TRUST_MEDIUM, 1);
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
	rig_scan(&r, 0, true);
	for (uint64_t i = 1; i <= 30; i++)
		rig_find(&r, second, i, TRUST_LOW, 0.1);
	before = security(&r, second);
	assert_int_equal(r.trust.security.rest.n, 6);
	for (uint64_t i = 1; i <= 30; i++)
		rig_find(&r, 2 * second, i, TRUST_LOW, 0.1);
	assert_double(security(&r, 2 * second), before);
}

static void test_security_rises_slowly(void **state)
{
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	rig_find(&r, day, 1, TRUST_MEDIUM, 1);
	rig_scan(&r, 2 * day, true); /* by the same scanner: it is gone */
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
	rig_scan(&r, 0, true);
	rig_find(&r, day, 1, TRUST_HIGH, 1);
	rig_find(&r, day, 2, TRUST_CRITICAL, 1);
	rig_find(&r, 2 * day, 1, TRUST_HIGH, 1); /* the same: no other scar */
	trust_identify(&r.trust, &r.policy, 3 * day, &next, true);
	rig_scan(&r, 3 * day, true);
	assert_double(security(&r, 150 * day), 1 - 0.03 - 0.10);
	assert_double(security(&r, 181 * day), 0.87);
	assert_double(security(&r, 183 * day), 0.97); /* and it rises as slowly as ever */
	assert_double(security(&r, 190 * day), 1);
}

/* Reported as high and as critical at one instant, in whatever order: one scar. */
static void test_one_finding_one_scar(void **state)
{
	struct trust_explanation e;
	FRESH(r);

	(void)state;
	rig_find(&r, second, 1, TRUST_HIGH, 1);
	rig_find(&r, second, 1, TRUST_CRITICAL, 1);
	trust_explain(&r.trust, &r.policy, second, &e);
	assert_double(e.scarred, 0.9);
	rig_find(&r, 2 * second, 2, TRUST_HIGH, 1);
	rig_find(&r, 3 * second, 2, TRUST_CRITICAL, 1); /* later it has become another */
	trust_explain(&r.trust, &r.policy, 3 * second, &e);
	assert_double(e.scarred, 0.9 - 0.03 - 0.1);
}

/* Scars that end at different times, and more of them than there is room for. */
static void test_scars_are_kept(void **state)
{
	FRESH(r);
	struct trust_explanation e;

	(void)state;
	for (uint64_t i = 1; i <= 12; i++)
		rig_find(&r, i * day, i, TRUST_HIGH, 0.1);
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
	struct trust_explanation e;
	FRESH(r);

	(void)state;
	rig_find(&r, second, 1, TRUST_MEDIUM, 1);
	rig_find(&r, second, 2, TRUST_HIGH, 0.1);
	assert_true(trust_scan(&r.trust, &r.policy, 2 * second, NULL, &other));
	assert_true(trust_scan(&r.trust, &r.policy, 3 * second, NULL, &older));
	trust_explain(&r.trust, &r.policy, 3 * second, &e);
	assert_int_equal(e.n_terms, 2);
	assert_double(e.product, 0.75 * 0.94);
	/* of another digest: not of this one */
	assert_false(trust_scan(&r.trust, &r.policy, 4 * second, &digest, &other));
	assert_false(trust_finding(&r.trust, &r.policy, 4 * second, &digest,
				   &(struct trust_report){ .severity = TRUST_CRITICAL }));
	rig_scan(&r, 5 * second, true); /* the medium one, not the high one */
	trust_tick(&r.trust, &r.policy, 6 * second);
	rig_find(&r, 7 * second, 3, TRUST_LOW, 0); /* sweeps */
	assert_int_equal(r.trust.security.n_findings, 2);
	/* a new identity: all of them */
	trust_identify(&r.trust, &r.policy, 8 * second, &digest, true);
	assert_int_equal(r.trust.security.n_findings, 2);
	rig_scan(&r, 9 * second, true);
	rig_find(&r, 10 * second, 4, TRUST_LOW, 0);
	assert_int_equal(r.trust.security.n_findings, 1);
}

/* Who tells all that he knows takes back what he does not tell: of any severity, and nothing else. */
static void test_withdrawn(void **state)
{
	const struct trust_report other = {
		.identity = { 9, 9 }, .scanner = 2, .severity = TRUST_HIGH, .confidence = .3
	};
	FRESH(r);

	(void)state;
	rig_find(&r, day, 1, TRUST_CRITICAL, .25);
	rig_find(&r, day, 2, TRUST_LOW, 1);
	assert_true(trust_finding(&r.trust, &r.policy, day, NULL, &other));
	assert_false(trust_withdraw(&r.trust, &r.policy, day, 1)); /* all of it was told just now */
	rig_find(&r, 2 * day, 2, TRUST_LOW, 1);
	assert_true(trust_withdraw(&r.trust, &r.policy, 2 * day, 1));
	assert_false(trust_withdraw(&r.trust, &r.policy, 2 * day, 1));
	assert_false(trust_withdraw(&r.trust, &r.policy, 2 * day, 3));
	trust_tick(&r.trust, &r.policy, 3 * day);
	rig_find(&r, 3 * day, 2, TRUST_LOW, 1);
	assert_int_equal(r.trust.security.n_findings, 2);
	assert_int_equal(r.findings[0].identity[0] + r.findings[1].identity[0], 11);
	assert_false(r.trust.security.scanned);
	assert_int_equal(r.trust.security.n_scars, 1); /* it stays */
}

static void test_findings_are_no_scan(void **state)
{
	FRESH(r);

	(void)state;
	rig_find(&r, second, 1, TRUST_LOW, 0);
	assert_double(security(&r, second), 0.8);
	rig_scan(&r, 2 * second, false); /* a scan that found it */
	assert_double(security(&r, 2 * second), 0.8);
	assert_double(security(&r, 2 * second + day), 0.85);
}

static void test_ratings_cap_security(void **state)
{
	const struct trust_ratings bad = { .bad = 4, .cap = true };
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
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
	rig_scan(&r, 0, true);
	rig_calls(&r, &now, second, 50, SG_SUCCESS);
	assert_int_equal(rig_read(&r, now).band, TRUST_WATCH);
	assert_int_equal(rig_read(&r, day - 1).band, TRUST_WATCH);
	assert_int_equal(rig_read(&r, day).band, TRUST_TRUSTED);
	/* a day without calls is not enough */
	rig_init(&r, &r.policy, 0);
	now = 0;
	r.policy.trusted = 45;
	r.policy.trusted_leave = 45;
	rig_scan(&r, 0, true);
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
	rig_scan(&r, 0, true);
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
	rig_find(&r, now, 1, TRUST_HIGH, 0.69);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_FREE);
	rig_find(&r, now, 2, TRUST_HIGH, 0.7);
	v = rig_read(&r, now);
	assert_int_equal(v.quarantine, TRUST_BY_FINDING);
	assert_int_equal(v.strikes, 1);
	assert_true(v.earliest_ns == SG_FOREVER);
	assert_true(v.quarantine_ns == now);
	assert_int_equal(rig_read(&r, 99 * day).quarantine, TRUST_BY_FINDING);
	/* it ends by a clean scan of another identity, once T has come up */
	trust_identify(&r.trust, &r.policy, day, &next, true);
	assert_int_equal(rig_read(&r, 2 * day).quarantine, TRUST_BY_FINDING);
	rig_scan(&r, 2 * day, true);
	assert_int_equal(rig_read(&r, 2 * day).quarantine, TRUST_BY_FINDING);
	assert_true(rig_read(&r, 2 * day).earliest_ns == now + SECONDS(600));
	assert_int_equal(rig_read(&r, 21 * day).quarantine, TRUST_FREE);
	assert_int_equal(rig_read(&r, 21 * day).strikes, 1);
	/* rules that may not */
	r.policy.auto_quarantine = false;
	rig_init(&r, &r.policy, 0);
	rig_find(&r, second, 2, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, second).quarantine, TRUST_FREE);
}

/* T below 15 with S below .5; a low P alone never does it. */
static void test_a_score_quarantines(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	rig_calls(&r, &now, second, 3000, SG_HARD);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_FREE);
	rig_find(&r, now, 1, TRUST_MEDIUM, 1);
	assert_true(rig_score(&r, now) < 15);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_BY_SCORE);
	assert_true(rig_read(&r, now).earliest_ns == now + SECONDS(600));
}

/* T is high enough long before its time is over. */
static void test_a_quarantine_lasts_its_time(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	r.policy.security_rise_per_day = 1;
	r.policy.dwell_seconds = r.policy.dwell_max_seconds = 5 * 86400;
	rig_scan(&r, 0, true);
	rig_calls(&r, &now, second, 30, SG_HARD);
	rig_find(&r, now, 1, TRUST_MEDIUM, 1);
	assert_int_equal(rig_read(&r, now).quarantine, TRUST_BY_SCORE);
	rig_scan(&r, now + second, true);
	rig_calls(&r, &now, second, 3000, SG_SUCCESS);
	assert_true(rig_score(&r, 4 * day) > 45);
	assert_int_equal(rig_read(&r, 4 * day).quarantine, TRUST_BY_SCORE);
	assert_int_equal(rig_read(&r, 6 * day).quarantine, TRUST_FREE);
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
		rig_find(&r, at + second, k, TRUST_HIGH, 1);
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
	rig_scan(&r, 0, true);
	rig_find(&r, second, 1, TRUST_HIGH, 1);
	trust_identify(&r.trust, &r.policy, 2 * second, &next, true);
	rig_scan(&r, day, true);
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
	rig_find(&r, second, 1, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, second).quarantine, TRUST_BY_FINDING);
	trust_release(&r.trust, &r.policy, 2 * second);
	assert_int_equal(rig_read(&r, 2 * second).quarantine, TRUST_FREE);
	assert_int_equal(rig_read(&r, day).quarantine, TRUST_FREE); /* though T is 0 */
	assert_double(security(&r, day), 0);
	rig_find(&r, day, 1, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, day).quarantine, TRUST_FREE);
	rig_find(&r, day + second, 2, TRUST_HIGH, 1);
	assert_int_equal(rig_read(&r, day + second).quarantine, TRUST_BY_FINDING);
	assert_int_equal(rig_read(&r, day + second).strikes, 2);
}

static void test_a_graver_report_takes_the_waiver_back(void **state)
{
	FRESH(r);

	(void)state;
	rig_find(&r, second, 1, TRUST_HIGH, 1);
	trust_release(&r.trust, &r.policy, 2 * second);
	rig_find(&r, 3 * second, 1, TRUST_CRITICAL, 1);
	assert_int_equal(rig_read(&r, 3 * second).quarantine, TRUST_BY_FINDING);
}

/* --- identity ----------------------------------------------------------------------------- */

/* "ab", "c" and "a", "bc" are not the same; what does not fit is counted. */
static void test_identities_have_no_doubles(void **state)
{
	static const uint8_t expected[] = { 0, 0, 0, 0, 0, 0, 0,   2, 'a', 'b', 0, 0,
					    0, 0, 0, 0, 0, 1, 'c', 0, 0,   0,   0, 0,
					    0, 0, 0, 0, 0, 0, 0,   0, 0,   0,   0 };
	const struct trust_bytes one[TRUST_FIELD_COUNT] = { { "ab", 2 }, { "c", 1 } };
	const struct trust_bytes two[TRUST_FIELD_COUNT] = { { "a", 1 }, { "bc", 2 } };
	uint8_t a[64], b[64], few[12] = { 0 };

	(void)state;
	assert_int_equal(trust_identity_bytes(one, a, sizeof(a)), sizeof(expected));
	assert_memory_equal(a, expected, sizeof(expected));
	assert_int_equal(trust_identity_bytes(two, b, sizeof(b)), sizeof(expected));
	assert_memory_not_equal(a, b, sizeof(expected));
	assert_int_equal(trust_identity_bytes(one, few, 11), sizeof(expected));
	assert_memory_equal(few, expected, 11);
	assert_int_equal(few[11], 0);
}

static void test_a_new_identity_starts_unscanned(void **state)
{
	const struct trust_ratings good = { .good = 6 };
	const struct trust_id next = { { 1 } };
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	rig_calls(&r, &now, second, 100, SG_SUCCESS);
	assert_int_equal(rig_read(&r, 2 * day).band, TRUST_TRUSTED);
	trust_ratings(&r.trust, &r.policy, day, &good);
	assert_true(rig_read(&r, 2 * day).community > 0.8);
	trust_identify(&r.trust, &r.policy, 2 * day, &next, true);
	assert_double(rig_read(&r, 2 * day).community, 0.5);
	assert_true(rig_read(&r, 2 * day).performance > 0.98);
	assert_double(security(&r, 2 * day), 0.8);
	assert_int_equal(rig_read(&r, 2 * day).band, TRUST_WATCH);
	rig_scan(&r, 3 * day, true); /* not its first: S rises slowly */
	assert_double(security(&r, 4 * day), 0.85);
}

static void test_another_place_keeps_what_was_bad(void **state)
{
	const struct trust_id next = { { 1 } };
	struct trust_explanation before, after;
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	rig_calls(&r, &now, second, 5, SG_HARD);
	rig_calls(&r, &now, second, 100, SG_SUCCESS);
	trust_explain(&r.trust, &r.policy, now, &before);
	trust_identify(&r.trust, &r.policy, now, &next, false);
	trust_explain(&r.trust, &r.policy, now, &after);
	assert_double(after.slow.good, 0);
	NEAR(after.slow.bad, before.slow.bad, 1e-9);
	assert_int_equal(after.successes, 0);
}

/*
 * What a bucket's good calls had added is taken away, and what thins them out later too: less than
 * none may be left. Another change in the same bucket does not forgive that.
 */
static void test_changing_twice_does_not_pay(void **state)
{
	const struct trust_id next = { { 1 } }, other = { { 2 } };
	uint64_t now = 0;
	int64_t left;
	FRESH(r);

	(void)state;
	rig_calls(&r, &now, 1, 20, SG_SUCCESS);
	trust_identify(&r.trust, &r.policy, now, &next, false);
	assert_int_equal(r.trust.performance.open_good, 0);
	rig_calls(&r, &now, 1, 20, SG_HARD);
	left = r.trust.performance.open_good;
	assert_true(left < 0);
	trust_identify(&r.trust, &r.policy, now, &other, false);
	assert_int_equal(r.trust.performance.open_good, left);
}

static void test_relatives_inherit(void **state)
{
	struct rig heir;
	struct trust_view v;
	FRESH(r);

	(void)state;
	rig_find(&r, second, 1, TRUST_HIGH, 1);
	trust_tick(&r.trust, &r.policy, 2 * second);
	rig_init(&heir, &r.policy, 3 * second);
	trust_inherit(&heir.trust, &heir.policy, 3 * second, &r.trust);
	v = rig_read(&heir, 3 * second);
	assert_int_equal(v.quarantine, TRUST_BY_FINDING);
	assert_int_equal(v.strikes, 1);
	assert_double(v.security, 0.06);
	assert_double(v.score, rig_score(&r, 3 * second));
}

/* Nor is the first clean scan of a new name the first one. */
static void test_relatives_have_been_scanned(void **state)
{
	struct rig heir;
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	rig_init(&heir, &r.policy, second);
	trust_inherit(&heir.trust, &heir.policy, second, &r.trust);
	rig_scan(&heir, second, true);
	assert_double(rig_read(&heir, second).security, 0.8);
}

/* --- one finding ---------------------------------------------------------------------- */

#define ONE(x) ((const uint64_t[2]){ x, 0 })

static void test_one_finding_is_waived(void **state)
{
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	rig_find(&r, second, 1, TRUST_HIGH, 1);
	assert_true(trust_waive(&r.trust, &r.policy, second, ONE(1)));
	assert_false(trust_waive(&r.trust, &r.policy, second, ONE(2)));
	assert_int_equal(rig_read(&r, 2 * second).quarantine, TRUST_FREE);
	assert_double(security(&r, 2 * second), 0.06); /* it counts */
	rig_find(&r, 3 * second, 2, TRUST_HIGH, 1);    /* and another one is not waived by that */
	assert_int_equal(rig_read(&r, 3 * second).quarantine, TRUST_BY_FINDING);
}

static void test_one_finding_is_settled(void **state)
{
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	rig_find(&r, second, 1, TRUST_HIGH, 1);
	rig_find(&r, second, 2, TRUST_HIGH, 1);
	assert_int_equal(rig_read(&r, second).quarantine, TRUST_BY_FINDING);
	assert_false(trust_settle(&r.trust, &r.policy, 2 * second, ONE(3), 1));
	assert_true(trust_settle(&r.trust, &r.policy, 2 * second, ONE(1), 1));
	assert_int_equal(rig_read(&r, 2 * second).quarantine, TRUST_BY_FINDING); /* by the other */
	assert_double(security(&r, 2 * second), 0.06);
	assert_true(trust_settle(&r.trust, &r.policy, 3 * second, ONE(2), 1));
	assert_int_equal(rig_read(&r, 3 * second).quarantine, TRUST_FREE);
	assert_double(security(&r, 3 * second), 0.94); /* at most the target: two scars */
	assert_int_equal(rig_read(&r, 3 * second).strikes, 1);
	/* found once more it is a new one */
	rig_find(&r, 4 * second, 2, TRUST_HIGH, 1);
	assert_int_equal(rig_read(&r, 4 * second).quarantine, TRUST_BY_FINDING);
	assert_true(trust_settle(&r.trust, &r.policy, 5 * second, ONE(2), 0.5));
	assert_double(security(&r, 5 * second), 0.5); /* no more than before */
}

static void test_more_is_known(void **state)
{
	const struct trust_id id = { { 7 } };
	const struct trust_id other = { { 8 } };
	struct trust_view before;
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	before = rig_read(&r, second);
	trust_learn(&r.trust, &id);
	assert_true(rig_read(&r, second).score == before.score);
	trust_identify(&r.trust, &r.policy, second, &id, true); /* nothing happens */
	assert_true(rig_read(&r, second).security == before.security);
	trust_identify(&r.trust, &r.policy, second, &other, true);
	assert_true(rig_read(&r, second).security < before.security); /* unscanned */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_severities),
		cmocka_unit_test(test_floors),
		cmocka_unit_test(test_scanner_noise),
		cmocka_unit_test(test_a_rescan_counts_nothing_twice),
		cmocka_unit_test(test_security_rises_slowly),
		cmocka_unit_test(test_scars),
		cmocka_unit_test(test_one_finding_one_scar),
		cmocka_unit_test(test_scars_are_kept),
		cmocka_unit_test(test_what_a_clean_scan_removes),
		cmocka_unit_test(test_withdrawn),
		cmocka_unit_test(test_findings_are_no_scan),
		cmocka_unit_test(test_ratings_cap_security),
		cmocka_unit_test(test_trusted_takes_time_and_calls),
		cmocka_unit_test(test_bands_have_two_edges),
		cmocka_unit_test(test_a_finding_quarantines),
		cmocka_unit_test(test_a_score_quarantines),
		cmocka_unit_test(test_a_quarantine_lasts_its_time),
		cmocka_unit_test(test_dwell_doubles_and_strikes_fade),
		cmocka_unit_test(test_strikes_take_from_the_top),
		cmocka_unit_test(test_release_waives),
		cmocka_unit_test(test_a_graver_report_takes_the_waiver_back),
		cmocka_unit_test(test_identities_have_no_doubles),
		cmocka_unit_test(test_a_new_identity_starts_unscanned),
		cmocka_unit_test(test_another_place_keeps_what_was_bad),
		cmocka_unit_test(test_changing_twice_does_not_pay),
		cmocka_unit_test(test_relatives_inherit),
		cmocka_unit_test(test_one_finding_is_waived),
		cmocka_unit_test(test_one_finding_is_settled),
		cmocka_unit_test(test_more_is_known),
		cmocka_unit_test(test_relatives_have_been_scanned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
