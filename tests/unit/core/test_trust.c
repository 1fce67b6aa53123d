/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The figures of docs/trust.md, performance, and the state as a whole. */
#include "core/trust.h"

#include <string.h>

#include "trust_rig.h"
#include "unit/unit.h"

static const uint64_t second = SECONDS(1);
static const uint64_t hour = SECONDS(3600);
static const uint64_t day = SECONDS(86400);

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
	rig_scan(&r, 0, true);
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
	rig_scan(&r, 0, true);
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

/* For the credibility of raters: none before there is as much evidence as the prior weighs. */
static void test_own_rating(void **state)
{
	uint64_t now = 0;
	FRESH(r);

	(void)state;
	rig_calls(&r, &now, second, 1, SG_SUCCESS);
	assert_true(isnan(trust_own_rating(&r.trust, &r.policy, now)));
	rig_calls(&r, &now, second, 59, SG_SUCCESS);
	NEAR(trust_own_rating(&r.trust, &r.policy, now), 2 * 0.984 - 1, 1e-3);
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

/* --- state --------------------------------------------------------------------------------- */

static void test_changes_have_causes(void **state)
{
	uint64_t now = 0;
	struct trust_explanation e;
	FRESH(r);

	(void)state;
	rig_scan(&r, 0, true);
	now = second;
	rig_calls(&r, &now, second, 50, SG_SUCCESS);
	rig_calls(&r, &now, second, 2, SG_HARD);
	rig_find(&r, now, 1, TRUST_CRITICAL, 1);
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
	rig_calls(&r, &now, 1, 1, SG_SUCCESS); /* in a bucket of the new one */
	assert_int_equal(r.trust.performance.open_good, (int64_t)TRUST_ONE);
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
		cmocka_unit_test(test_own_rating),
		cmocka_unit_test(test_what_counts_nothing),
		cmocka_unit_test(test_tools_beyond_the_limit_share),
		cmocka_unit_test(test_changes_have_causes),
		cmocka_unit_test(test_time_never_goes_back),
		cmocka_unit_test(test_without_more_memory),
		cmocka_unit_test(test_another_policy),
		cmocka_unit_test(test_policy_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
