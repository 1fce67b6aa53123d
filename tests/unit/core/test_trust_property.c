/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What docs/trust.md promises, on random histories under random policies: each test is named after
 * its invariant there. SG_SEED and SG_HISTORIES repeat a run; what is broken names its history.
 * `make test-trust` tries 100,000 histories for each. Invariants of ratings are in
 * test_reputation_property.c.
 */
#include <stdio.h>
#include <string.h>

#include "trust_rig.h"
#include "unit/unit.h"

#define HISTORIES 2000
#define EVENTS_MAX 60
#define EPSILON 1e-9
#define ALL (~0U)

static const uint64_t day = SECONDS(86400);

static uint64_t now_history; /* for messages */

#define AT_MOST(a, b)                                                              \
	do {                                                                       \
		double a_ = (a), b_ = (b);                                         \
		if (!(a_ <= b_ + EPSILON))                                         \
			fail_msg("history %llu: %s = %.17g > %s = %.17g",          \
				 (unsigned long long)now_history, #a, a_, #b, b_); \
	} while (0)
#define SAME(a, b)                                                                              \
	do {                                                                                    \
		if ((a) != (b))                                                                 \
			fail_msg("history %llu: %s != %s", (unsigned long long)now_history, #a, \
				 #b);                                                           \
	} while (0)

/* A history's beginning: a policy, a server, some events; where it is and its randomness. */
struct story {
	uint64_t random;
	uint64_t now;
	struct rig rig;
};

static void story_wait(struct story *s)
{
	s->now += random_wait(&s->random);
}

static void story_begin(struct story *s, uint64_t history, uint32_t types)
{
	struct trust_policy p;
	uint64_t n;

	now_history = history;
	s->random = seed_of(history);
	s->now = random_next(&s->random) % day;
	p = random_policy(&s->random);
	rig_init(&s->rig, &p, s->now);
	n = random_next(&s->random) % EVENTS_MAX;
	for (uint64_t i = 0; i < n; i++) {
		struct event e = random_event(&s->random, s->now, types);

		/* bursts: floods, and baselines that get ready */
		for (uint64_t k = random_one_in(&s->random, 8) ? random_next(&s->random) % 50 : 1;
		     k; k--) {
			rig_feed(&s->rig, &e);
			e.t_ns += random_next(&s->random) % SECONDS(0.3);
		}
		s->now = e.t_ns;
		story_wait(s);
	}
}

#define EACH_HISTORY(s, types)                           \
	for (uint64_t i_ = 0, n_ = histories(HISTORIES); \
	     i_ < n_ && (story_begin(&(s), i_, types), true); i_++)

static struct trust_call call_of(struct story *s, enum sg_class class, uint64_t latency)
{
	return (struct trust_call){ .tool = random_next(&s->random) % 6,
				    .class = class,
				    .latency_ns = latency,
				    .learn = true };
}

/* T at once after a call, on a copy. */
static double score_after(const struct story *s, const struct trust_call *call)
{
	static struct rig r;

	rig_copy(&r, &s->rig);
	trust_call(&r.trust, &r.policy, s->now, call);
	return rig_score(&r, s->now);
}

/* I1: between 0 and 100, whenever one looks; the same to the bit from a replay; looking is free. */
static void test_I1_bounded_and_replayed(void **state)
{
	static struct story s, again;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		uint64_t before = rig_digest(&s.rig);
		struct trust_view v = rig_read(&s.rig, s.now + random_wait(&s.random));

		assert_true(isfinite(v.score));
		AT_MOST(0, v.score);
		AT_MOST(v.score, 100);
		AT_MOST(v.performance, 1);
		AT_MOST(v.security, 1);
		AT_MOST(v.community, 1);
		SAME(rig_digest(&s.rig), before);
		story_begin(&again, now_history, ALL);
		SAME(rig_digest(&again.rig), before);
	}
}

/* Calls of a tool at one instant, now and then more than count fully. */
static void flood(struct story *s, uint64_t tool)
{
	static const enum sg_class classes[] = { SG_HARD, SG_SOFT, SG_SUCCESS };
	struct trust_call call = { .tool = tool, .latency_ns = SG_FOREVER };

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		call.class = classes[i];
		if (random_one_in(&s->random, 2))
			continue;
		for (uint64_t n = random_next(&s->random) % 60; n; n--)
			trust_call(&s->rig.trust, &s->rig.policy, s->now, &call);
	}
}

static void test_I2_bad_never_raises(void **state)
{
	static struct story s;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		bool hard = random_one_in(&s.random, 2);
		struct trust_call call = call_of(&s, hard ? SG_HARD : SG_SOFT, SG_FOREVER);

		flood(&s, call.tool);
		AT_MOST(score_after(&s, &call), rig_score(&s.rig, s.now));
	}
}

static void test_I3_good_never_lowers(void **state)
{
	static struct story s;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		double before = rig_score(&s.rig, s.now);
		double target = s.rig.policy.latency_target_seconds;
		bool known = random_one_in(&s.random, 2);
		struct trust_call call =
			call_of(&s, SG_SUCCESS,
				known ? SECONDS(target / 4 * random_share(&s.random)) : SG_FOREVER);

		AT_MOST(before, score_after(&s, &call));
	}
}

/* I4, I14: events of one instant in another order, whatever they are of. */
static void test_I4_I14_no_order_within_an_instant(void **state)
{
	static const uint32_t types = 1U << EVENT_CALL | 1U << EVENT_FINDING | 1U << EVENT_SCAN |
				      1U << EVENT_TICK;
	static struct story s;
	static struct rig other;
	struct event events[12];

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		s.now += 1;
		rig_copy(&other, &s.rig);
		for (int round = 0; round < 3; round++) {
			size_t n = 1 + random_next(&s.random) % ARRAY_SIZE(events);

			for (size_t i = 0; i < n; i++) {
				events[i] = random_event(&s.random, s.now, types);
				rig_feed(&s.rig, &events[i]);
			}
			for (size_t i = n; i; i--) {
				size_t at = random_next(&s.random) % i;

				rig_feed(&other, &events[at]);
				events[at] = events[i - 1];
			}
			SAME(rig_digest(&s.rig), rig_digest(&other));
			s.now += 1 + random_wait(&s.random);
			assert_double(rig_score(&s.rig, s.now), rig_score(&other, s.now));
		}
	}
}

static void test_I5_slower_is_not_better(void **state)
{
	static struct story s;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		double x = exp(8 * random_share(&s.random) - 5);
		double more = x * (1 + 3 * random_share(&s.random));
		struct trust_call fast = call_of(&s, SG_SUCCESS, SECONDS(x));
		struct trust_call slow = fast;

		slow.latency_ns = SECONDS(more);
		AT_MOST(score_after(&s, &slow), score_after(&s, &fast));
	}
}

static double score_with(const struct story *s, const struct trust_report *report)
{
	static struct rig r;
	struct trust_explanation before, after;

	rig_copy(&r, &s->rig);
	trust_explain(&r.trust, &r.policy, s->now, &before);
	assert_true(trust_finding(&r.trust, &r.policy, s->now, NULL, report));
	trust_explain(&r.trust, &r.policy, s->now, &after);
	SAME(before.scanned, after.scanned);
	return after.view.score;
}

/* I6: one more finding, or a graver one, and no scan by it. */
static void test_I6_findings_never_raise(void **state)
{
	static struct story s;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		double before = rig_score(&s.rig, s.now);
		struct trust_report report = {
			.identity = { 1000 + random_next(&s.random) % 1000 },
			.scanner = 1,
			.severity = (enum trust_severity)(random_next(&s.random) % TRUST_CRITICAL),
			.confidence = random_share(&s.random),
		};
		struct trust_report graver = report;

		graver.severity++;
		AT_MOST(score_with(&s, &report), before);
		AT_MOST(score_with(&s, &graver), score_with(&s, &report));
	}
}

/* I6: what is taken away comes back no faster than S may rise. */
static void test_I6_recovery_is_slow(void **state)
{
	static struct story s;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		struct trust_security *sec = &s.rig.trust.security;
		struct trust_scan clean = { .scanner = 1, .ruleset = 9, .clean = true };
		double before, after, most;
		uint64_t later;

		s.now += 1;
		before = rig_read(&s.rig, s.now).security;
		assert_true(trust_scan(&s.rig.trust, &s.rig.policy, s.now, NULL, &clean));
		clean.scanner = 2;
		assert_true(trust_scan(&s.rig.trust, &s.rig.policy, s.now, NULL, &clean));
		if (sec->jump && !sec->had_finding)
			continue;
		later = random_wait(&s.random);
		most = s.rig.policy.security_rise_per_day * ((double)later / 86400e9);
		after = rig_read(&s.rig, s.now + later).security;
		AT_MOST(after, before + most);
	}
}

/* Nearer to `rest` than before, or as near, and on the same side of it. */
static void no_further(double before, double after, double rest)
{
	AT_MOST(fabs(after - rest), fabs(before - rest));
	AT_MOST(-(after - rest) * (before - rest), 0);
}

/* I7: from the end of its last bucket on. */
static void test_I7_idle_goes_to_rest(void **state)
{
	static struct story s;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		struct trust_explanation a, b;
		double ratio;

		s.now += SECONDS(s.rig.policy.evidence_bucket_seconds);
		trust_explain(&s.rig.trust, &s.rig.policy, s.now, &a);
		for (int i = 0; i < 4; i++, a = b) {
			s.now += random_wait(&s.random);
			trust_explain(&s.rig.trust, &s.rig.policy, s.now, &b);
			no_further(a.performance_slow, b.performance_slow, b.prior);
			no_further(a.view.community, b.view.community, 0.5);
			ratio = b.fast.good / fmax(b.fast.good + b.fast.bad, 1e-300);
			AT_MOST(b.performance_fast, fmax(ratio, b.performance_slow));
			AT_MOST(fmin(ratio, b.performance_slow), b.performance_fast);
			AT_MOST(b.fast.good + b.fast.bad, a.fast.good + a.fast.bad);
			AT_MOST(b.view.security, b.target);
			if (a.scanned == b.scanned)
				AT_MOST(a.view.security, b.view.security);
		}
	}
}

static unsigned int calls_to_undo(struct rig *r, uint64_t now, unsigned int limit)
{
	double before = rig_read(r, now).performance;
	unsigned int n = 0;

	rig_calls(r, &now, 0, 1, SG_HARD);
	while (n < limit && rig_read(r, now).performance < before - 1e-12) {
		now += SECONDS(1);
		trust_call(&r->trust, &r->policy, now,
			   &(struct trust_call){ .class = SG_SUCCESS, .latency_ns = SG_FOREVER });
		n++;
	}
	return n;
}

/*
 * I8: without caps and decay lambda P / (1 - P) calls; with them, by default, 85 % of that, where
 * the slow scale is what P is: the fast one forgets by its cap, and is not asked to keep.
 */
static void test_I8_a_failure_is_dear(void **state)
{
	static struct rig r;

	(void)state;
	for (uint64_t i = 0, n = histories(HISTORIES); i < n; i++) {
		uint64_t random = seed_of(i), now = 0;
		struct trust_policy p = trust_policy_defaults();
		bool free = i % 2;
		unsigned int warm =
			20 + (unsigned int)(random_next(&random) % (i % 16 ? 100 : 1500));
		double share = random_share(&random) * 0.3, before, least;
		struct trust_explanation e;

		now_history = i;
		if (free) {
			p.fast_cap = p.slow_cap = 1e6;
			p.slow_half_life_seconds = p.fast_half_life_seconds = 366 * 86400.0;
			p.hard_weight = 0.5 + 5 * random_share(&random);
			p.soft_weight = 0.5;
		}
		rig_init(&r, &p, 0);
		for (unsigned int k = 0; k < warm; k++)
			rig_calls(&r, &now, SECONDS(1), 1,
				  random_share(&random) < share ? SG_HARD : SG_SUCCESS);
		trust_explain(&r.trust, &p, now, &e);
		if (!free && e.performance_fast < e.performance_slow)
			continue;
		before = e.view.performance;
		least = p.hard_weight * before / (1 - before) * (free ? 1 - 1e-3 : 0.85);
		if (least < 500)
			AT_MOST(floor(least), calls_to_undo(&r, now, 1000));
	}
}

/* A schedule of good and bad calls, one a second, all seen, served by a gate that opens at
 * P >= theta: at no time have more bad ones been served for each slot than by the bound, but for
 * the first, which is before any failure is known. */
static void oscillate(uint64_t *random, unsigned int slots)
{
	static struct rig r;
	struct trust_policy p = trust_policy_defaults();
	double theta = random_one_in(random, 2) ? 0.7 : 0.8;
	double bound = (1 - theta) / (1 - theta + p.hard_weight * theta);
	double span = log(slots);
	unsigned int bad = 1 + (unsigned int)exp((span - 2) * random_share(random));
	unsigned int period = bad + 1 + (unsigned int)exp(span * random_share(random));
	unsigned int served = 0;
	uint64_t now = 0;

	rig_init(&r, &p, 0);
	for (unsigned int i = 0; i < slots; i++) {
		bool is_bad = i % period >= period - bad;

		if (is_bad && rig_read(&r, now).performance >= theta)
			AT_MOST((double)served++ / (i + 1), bound);
		rig_calls(&r, &now, SECONDS(1), 1, is_bad ? SG_HARD : SG_SUCCESS);
	}
}

/* I10: short schedules in each history, long ones in one of a thousand. */
static void test_I10_oscillation_does_not_pay(void **state)
{
	(void)state;
	for (uint64_t i = 0, n = histories(HISTORIES); i < n; i++) {
		uint64_t random = seed_of(i);

		now_history = i;
		oscillate(&random, i % 1000 ? 300 : 40000);
	}
}

/* I11: calls of a tool of their own. */
static void test_I11_floods_weigh_as_twenty(void **state)
{
	static struct story s;
	static struct rig few;
	struct trust_call ping = { .tool = 77, .class = SG_SUCCESS, .latency_ns = SG_FOREVER };

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		uint32_t cap = s.rig.policy.evidence_cap;
		uint64_t more = random_next(&s.random) % 500;

		for (uint32_t i = 0; i < cap; i++)
			trust_call(&s.rig.trust, &s.rig.policy, s.now, &ping);
		rig_copy(&few, &s.rig);
		for (uint64_t i = 0; i < more; i++)
			trust_call(&s.rig.trust, &s.rig.policy, s.now, &ping);
		AT_MOST(rig_read(&s.rig, s.now).performance, rig_read(&few, s.now).performance);
	}
}

/* I15: another identity, then the same events for both. */
static void test_I15_whitewashing_never_pays(void **state)
{
	static const uint32_t types = 1U << EVENT_CALL | 1U << EVENT_FINDING | 1U << EVENT_TICK;
	static struct story s;
	static struct rig washed;
	const struct trust_id other = { { 0xff } };

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		rig_copy(&washed, &s.rig);
		trust_identify(&washed.trust, &washed.policy, s.now, &other,
			       random_one_in(&s.random, 2));
		for (int i = 0; i < 30; i++) {
			struct event e = random_event(&s.random, s.now, types);

			AT_MOST(rig_score(&washed, s.now), rig_score(&s.rig, s.now));
			rig_feed(&s.rig, &e);
			rig_feed(&washed, &e);
			story_wait(&s);
		}
	}
}

/* I15: another name for the same server, which had nothing to say for itself. */
static void test_I15_a_relative_inherits(void **state)
{
	static const uint32_t types = 1U << EVENT_CALL | 1U << EVENT_FINDING | 1U << EVENT_TICK;
	static struct story s;
	static struct rig heir;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		s.now += SECONDS(s.rig.policy.evidence_bucket_seconds);
		trust_tick(&s.rig.trust, &s.rig.policy, s.now);
		rig_init(&heir, &s.rig.policy, s.now);
		trust_inherit(&heir.trust, &heir.policy, s.now, &s.rig.trust);
		for (int i = 0; i < 30; i++) {
			struct event e = random_event(&s.random, s.now, types);

			e.call.latency_ns = SG_FOREVER;
			AT_MOST(rig_score(&heir, s.now), rig_score(&s.rig, s.now));
			rig_feed(&s.rig, &e);
			rig_feed(&heir, &e);
			story_wait(&s);
		}
	}
}

/* I16: from the numbers that are shown. */
static void test_I16_the_numbers_recompute(void **state)
{
	static struct story s;

	(void)state;
	EACH_HISTORY(s, ALL)
	{
		struct trust_explanation e;
		double lowest = 1, product = 1, rises;

		s.now += random_wait(&s.random);
		trust_explain(&s.rig.trust, &s.rig.policy, s.now, &e);
		SAME(trust_recompute(&e), e.view.score);
		for (uint32_t i = 0; i < e.n_terms; i++) {
			const struct trust_finding *f = e.terms[i].finding;

			lowest = fmin(lowest, e.terms[i].ceiling);
			product *= e.terms[i].factor;
			if (f)
				assert_true(f->severity && e.terms[i].age_ns <= s.now);
		}
		SAME(lowest, e.lowest);
		SAME(product, e.product);
		SAME(fmin(fmin(fmax(lowest * product, e.floor), e.scarred), e.cap), e.target);
		AT_MOST(e.view.security, e.target);
		rises = e.anchor + e.rise_per_day * ((double)(s.now - e.anchor_ns) / 86400e9);
		if (!s.rig.trust.security.jump)
			AT_MOST(e.view.security, rises);
		for (uint32_t i = 1; i < e.n_changes;
		     i++) /* each from where the one before ended */
			SAME(e.changes[i].before, e.changes[i - 1].after);
		SAME(fmin(e.performance_fast, e.performance_slow), e.view.performance);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_I1_bounded_and_replayed),
		cmocka_unit_test(test_I2_bad_never_raises),
		cmocka_unit_test(test_I3_good_never_lowers),
		cmocka_unit_test(test_I4_I14_no_order_within_an_instant),
		cmocka_unit_test(test_I5_slower_is_not_better),
		cmocka_unit_test(test_I6_findings_never_raise),
		cmocka_unit_test(test_I6_recovery_is_slow),
		cmocka_unit_test(test_I7_idle_goes_to_rest),
		cmocka_unit_test(test_I8_a_failure_is_dear),
		cmocka_unit_test(test_I10_oscillation_does_not_pay),
		cmocka_unit_test(test_I11_floods_weigh_as_twenty),
		cmocka_unit_test(test_I15_whitewashing_never_pays),
		cmocka_unit_test(test_I15_a_relative_inherits),
		cmocka_unit_test(test_I16_the_numbers_recompute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
