/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "trust_rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "unit/unit.h"

void rig_init(struct rig *r, const struct trust_policy *p, uint64_t now)
{
	const struct trust_policy policy = *p; /* which may be r's own */

	memset(r, 0, sizeof(*r));
	r->policy = policy;
	trust_init(&r->trust, &r->policy, now);
	trust_give(&r->trust, r->tools, r->findings);
}

void rig_copy(struct rig *to, const struct rig *from)
{
	memcpy(to, from, sizeof(*to));
	trust_give(&to->trust, to->tools, to->findings);
}

struct rig rig_fresh(void)
{
	struct trust_policy p = trust_policy_defaults();
	struct rig r;

	rig_init(&r, &p, 0);
	return r;
}

void rig_scan(struct rig *r, uint64_t now, bool clean)
{
	const struct trust_scan s = { .scanner = 1, .ruleset = 1, .clean = clean };

	assert_true(trust_scan(&r->trust, &r->policy, now, NULL, &s));
}

void rig_find(struct rig *r, uint64_t now, uint64_t identity, enum trust_severity severity,
	      double confidence)
{
	const struct trust_report f = { .identity = { identity },
					.scanner = 1,
					.ruleset = 1,
					.severity = severity,
					.confidence = confidence };

	assert_true(trust_finding(&r->trust, &r->policy, now, NULL, &f));
}

#define MIX(x) (h = (h ^ fnv1a(&(x), sizeof(x))) * UINT64_C(0x9e3779b97f4a7c15))

static uint64_t finding_digest(uint64_t h, const struct trust_finding *f)
{
	MIX(f->identity);
	MIX(f->scanner);
	MIX(f->since_ns);
	MIX(f->seen_ns);
	MIX(f->confidence);
	MIX(f->ruleset);
	MIX(f->severity);
	MIX(f->peak);
	MIX(f->flags);
	return h;
}

static uint64_t security_digest(uint64_t h, const struct trust_security *s)
{
	MIX(s->anchor);
	MIX(s->target);
	MIX(s->anchor_ns);
	MIX(s->next_ns);
	MIX(s->scan_ns);
	MIX(s->scanned);
	MIX(s->had_finding);
	MIX(s->had_clean);
	MIX(s->jump);
	MIX(s->capped);
	MIX(s->rest.product);
	MIX(s->rest.n);
	for (uint32_t i = 0; i < s->n_scars; i++)
		MIX(s->scars[i]);
	for (uint32_t i = 0; i < s->n_findings; i++)
		h = finding_digest(h, &s->findings[i]);
	return h;
}

uint64_t rig_digest(const struct rig *r)
{
	const struct trust *t = &r->trust;
	const struct trust_performance *f = &t->performance;
	uint64_t h = 1, tools = 0;

	MIX(f->fast);
	MIX(f->slow);
	MIX(f->evidence_ns);
	MIX(f->bucket);
	MIX(f->open_good);
	MIX(f->open_bad);
	MIX(f->shared);
	for (size_t i = 0; i < TRUST_TOOLS; i++)
		if (r->tools[i].key)
			tools += fnv1a(&r->tools[i], sizeof(r->tools[i]));
	MIX(tools);
	h = security_digest(h, &t->security);
	MIX(t->identity);
	MIX(t->now_ns);
	MIX(t->since_ns);
	MIX(t->ratings_ns);
	MIX(t->ratings_good);
	MIX(t->ratings_bad);
	MIX(t->clean_ns);
	MIX(t->score);
	MIX(t->noted);
	MIX(t->causes);
	MIX(t->successes);
	MIX(t->strikes);
	MIX(t->quarantines);
	MIX(t->band);
	MIX(t->quarantine);
	if (t->quarantine) {
		MIX(t->quarantine_ns);
		MIX(t->dwell_ns);
	}
	MIX(t->n_changes);
	MIX(t->changes);
	return h;
}

struct trust_view rig_read(const struct rig *r, uint64_t now)
{
	struct trust_view view;

	trust_read(&r->trust, &r->policy, now, &view);
	return view;
}

double rig_score(const struct rig *r, uint64_t now)
{
	return rig_read(r, now).score;
}

void rig_calls(struct rig *r, uint64_t *now, uint64_t step, unsigned int n, enum sg_class class)
{
	const struct trust_call call = { .class = class, .latency_ns = SG_FOREVER };

	for (unsigned int i = 0; i < n; i++, *now += step)
		trust_call(&r->trust, &r->policy, *now, &call);
}

void rig_feed(struct rig *r, const struct event *e)
{
	struct trust *t = &r->trust;
	const struct trust_policy *p = &r->policy;

	switch (e->type) {
	case EVENT_CALL:
		trust_call(t, p, e->t_ns, &e->call);
		break;
	case EVENT_FINDING:
		assert_true(trust_finding(t, p, e->t_ns, NULL, &e->report));
		break;
	case EVENT_SCAN:
		assert_true(trust_scan(t, p, e->t_ns, NULL, &e->scan));
		break;
	case EVENT_RATINGS:
		trust_ratings(t, p, e->t_ns, &e->ratings);
		break;
	case EVENT_IDENTIFY:
		trust_identify(t, p, e->t_ns, &e->identity, e->same_place);
		break;
	case EVENT_RELEASE:
		trust_release(t, p, e->t_ns);
		break;
	default:
		trust_tick(t, p, e->t_ns);
	}
}

uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

double random_share(uint64_t *state)
{
	return (double)(random_next(state) >> 11) / 9007199254740992.0;
}

bool random_one_in(uint64_t *state, unsigned int n)
{
	return random_next(state) >> 33 == 0 || (random_next(state) >> 33) % n == 0;
}

/* Keys that stay within what makes sense of the others, each drawn one time in three. */
struct trust_policy random_policy(uint64_t *state)
{
	static const struct {
		const char *key;
		double least, most;
	} ranges[] = {
		{ "prior", 0, 1 },
		{ "prior_weight", 0.1, 10 },
		{ "fast_cap", 5, 100 },
		{ "slow_cap", 100, 1000 },
		{ "hard_weight", 1, 10 },
		{ "soft_weight", 0, 1 },
		{ "evidence_cap", 1, 40 },
		{ "fast_half_life_seconds", 60, 3600 },
		{ "slow_half_life_seconds", 3600, 1e6 },
		{ "latency_target_seconds", 0.1, 20 },
		{ "evidence_bucket_seconds", 0.5, 60 },
		{ "community_weight", 0, 1 },
		{ "unscanned", 0, 1 },
		{ "security_rise_per_day", 0, 1 },
		{ "scar_days", 0, 365 },
		{ "scan_max_age_days", 1, 60 },
		{ "dwell_seconds", 1, 86400 },
		{ "strike_penalty", 0, 16 },
		{ "quarantine_confidence", 0, 1 },
		{ "rating_half_life_days", 1, 90 },
	};
	struct trust_policy p = trust_policy_defaults();
	char why[256];

	if (random_one_in(state, 2))
		return p;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		const struct policy_key *key = trust_key_find(ranges[i].key);
		double value =
			ranges[i].least + random_share(state) * (ranges[i].most - ranges[i].least);

		if (!random_one_in(state, 3))
			continue;
		if (key->type == POLICY_COUNT)
			value = floor(value);
		assert_int_equal(policy_key_set(&p, key, value, why, sizeof(why)), 0);
	}
	if (trust_policy_check(&p, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	return p;
}

static struct trust_call random_call(uint64_t *state)
{
	static const enum sg_class classes[] = { SG_SUCCESS, SG_SUCCESS, SG_SUCCESS, SG_SUCCESS,
						 SG_HARD,    SG_SOFT,    SG_APP,     SG_CALLER };
	double x = exp(8 * random_share(state) - 5); /* 7 ms to 20 s */

	return (struct trust_call){
		.tool = random_next(state) % 6,
		.class = classes[random_next(state) % ARRAY_SIZE(classes)],
		.latency_ns = random_one_in(state, 4) ? SG_FOREVER : SECONDS(x),
		.learn = !random_one_in(state, 5),
	};
}

static struct trust_report random_report(uint64_t *state)
{
	enum trust_severity severity = (enum trust_severity)(random_next(state) % 4);
	uint64_t identity = 1 + random_next(state) % 20; /* which holds the scanner, too */

	if (random_one_in(state, 40))
		severity = TRUST_CRITICAL;
	return (struct trust_report){
		.identity = { identity },
		.scanner = 1 + identity % 2,
		.ruleset = (uint32_t)(random_next(state) % 4),
		.severity = severity,
		.confidence = random_one_in(state, 2) ? 1 : random_share(state),
	};
}

struct event random_event(uint64_t *state, uint64_t t, uint32_t types)
{
	struct event e = { .t_ns = t };

	if (!random_one_in(state, 4))
		e.type = (enum event_type)(random_next(state) % EVENT_COUNT);
	if (random_one_in(state, 2) || !(types & 1U << e.type))
		e.type = EVENT_CALL;
	e.call = random_call(state);
	e.report = random_report(state);
	e.scan = (struct trust_scan){ .scanner = 1 + random_next(state) % 2,
				      .ruleset = (uint32_t)(random_next(state) % 4),
				      .clean = !random_one_in(state, 3) };
	e.ratings = (struct trust_ratings){ .good = 3 * random_share(state),
					    .bad = 3 * random_share(state),
					    .cap = random_one_in(state, 8) };
	e.identity.b[0] = (uint8_t)(random_next(state) % 3);
	e.same_place = random_one_in(state, 2);
	return e;
}

uint64_t random_wait(uint64_t *state)
{
	switch (random_next(state) % 16) {
	case 0:
		return SECONDS(86400 * 20 * random_share(state));
	case 1:
	case 2:
		return SECONDS(7200 * random_share(state));
	case 3:
	case 4:
	case 5:
		return 0;
	default:
		return SECONDS(2 * random_share(state));
	}
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

uint64_t histories(uint64_t otherwise)
{
	uint64_t n = setting("SG_HISTORIES", otherwise);

	print_message("SG_SEED=%llu SG_HISTORIES=%llu\n", (unsigned long long)setting("SG_SEED", 1),
		      (unsigned long long)n);
	return n;
}

uint64_t seed_of(uint64_t history)
{
	uint64_t state =
		((setting("SG_SEED", 1) << 40) + history + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 0; i < 4; i++)
		random_next(&state);
	return state;
}
