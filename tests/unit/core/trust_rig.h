/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tests of the trust model share: a server with all its memory, and random histories. */
#ifndef SWITCHGEAR_TESTS_TRUST_RIG_H
#define SWITCHGEAR_TESTS_TRUST_RIG_H

#include "core/trust.h"

struct rig {
	struct trust_policy policy;
	struct trust trust;
	struct trust_tool tools[TRUST_TOOLS];
	struct trust_finding findings[TRUST_FINDINGS];
};

void rig_init(struct rig *r, const struct trust_policy *p, uint64_t now);
struct rig rig_fresh(void); /* by the defaults, at 0 */
/* One whose pointers are its own. */
#define FRESH(r)                    \
	struct rig r = rig_fresh(); \
	trust_give(&(r).trust, (r).tools, (r).findings)
/* A copy whose pointers are its own. */
void rig_copy(struct rig *to, const struct rig *from);
/* A sum over all that matters of the state; tools in whatever slots. */
uint64_t rig_digest(const struct rig *r);

struct trust_view rig_read(const struct rig *r, uint64_t now);
double rig_score(const struct rig *r, uint64_t now);

/* n calls of no tool, one each `step` ns from `*now` on, without latency. */
void rig_calls(struct rig *r, uint64_t *now, uint64_t step, unsigned int n, enum sg_class class);

/* By scanner 1, ruleset 1. */
void rig_scan(struct rig *r, uint64_t now, bool clean);
void rig_find(struct rig *r, uint64_t now, uint64_t identity, enum trust_severity severity,
	      double confidence);

/* Two numbers that are about the same. */
#define NEAR(a, b, within)                                                          \
	do {                                                                        \
		double a_ = (a), b_ = (b);                                          \
		if (!(fabs(a_ - b_) <= (within)))                                   \
			fail_msg("%s: %.9g is not %.9g by %g", #a, a_, b_, within); \
	} while (0)

enum event_type {
	EVENT_CALL,
	EVENT_FINDING,
	EVENT_SCAN,
	EVENT_RATINGS,
	EVENT_IDENTIFY,
	EVENT_RELEASE,
	EVENT_TICK,
	EVENT_COUNT
};

struct event {
	uint64_t t_ns;
	enum event_type type;
	struct trust_call call;
	struct trust_report report;
	struct trust_scan scan;
	struct trust_ratings ratings;
	struct trust_id identity;
	bool same_place;
};

void rig_feed(struct rig *r, const struct event *e);

/* Marsaglia: Xorshift RNGs (2003), with the multiplier of xorshift64*. */
uint64_t random_next(uint64_t *state);
double random_share(uint64_t *state); /* [0, 1) */
bool random_one_in(uint64_t *state, unsigned int n);

/* A policy: the defaults as often as not, else within the ranges. */
struct trust_policy random_policy(uint64_t *state);
/* An event at `t`, calls above all; `types`: a set of 1 << EVENT_*. */
struct event random_event(uint64_t *state, uint64_t t, uint32_t types);
/* How long until the next: nothing, less than a second, minutes, days. */
uint64_t random_wait(uint64_t *state);

/* SG_HISTORIES, or what the test takes otherwise; SG_SEED, or 1. Printed. */
uint64_t histories(uint64_t otherwise);
uint64_t seed_of(uint64_t history);

#endif
