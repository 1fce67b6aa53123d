/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A second breaker, written from the rules and not from the code: it keeps a
 * list of what happened in a generation and counts it again for each question.
 * It has no backoff jitter: an opening's length is given to it, and judged by
 * ref_open_range().
 */
#ifndef SWITCHGEAR_TESTS_BREAKER_REF_H
#define SWITCHGEAR_TESTS_BREAKER_REF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"

#define REF_OUTCOMES 1024

struct ref_outcome {
	uint64_t t_ns;
	bool failed;
	bool slow;
};

struct ref {
	const struct breaker_policy *policy;
	enum sg_state state; /* of the machine, under a shadow too */
	bool shadow;
	bool may_trip;
	uint32_t generation;
	uint32_t reported; /* transitions */
	uint64_t since_ns;
	uint64_t deadline_ns; /* 0: none */
	uint64_t until_ns;    /* of an order */
	uint64_t retry_ns;    /* largest Retry-After of this generation */
	uint64_t last_open_ns;
	uint32_t streak;
	uint32_t handed, decided, failed, slow, ignored; /* probes of this generation */
	uint32_t hard, soft;                             /* failures of this generation */
	uint32_t n;                                      /* trips, before decay */
	uint64_t good_ns; /* closed or in ramp since the last trip, up to since_ns */
	struct ref_outcome list[REF_OUTCOMES]; /* counted outcomes of this generation */
	uint32_t listed;
};

/* A transition that must happen now; reason SG_REASON_NONE: none. */
struct ref_move {
	enum sg_state from, to;
	enum sg_reason reason;
};

void ref_init(struct ref *r, const struct breaker_policy *policy, uint64_t now);

/* What time brings at or before `now`, and when (*ret_t). */
struct ref_move ref_time(const struct ref *r, uint64_t now, uint64_t *ret_t);

enum sg_admit ref_admit(struct ref *r, uint64_t now, uint32_t hash, bool may_probe);
void ref_give_back(struct ref *r, uint32_t generation, bool complete);
struct ref_move ref_outcome(struct ref *r, uint64_t now, uint32_t generation, enum sg_class class,
			    bool slow, bool probe, bool complete, uint64_t retry_ns);

/* Shortest and longest length of a trip's opening at `t`, without a Retry-After. */
void ref_open_range(const struct ref *r, uint64_t t, uint64_t *ret_min, uint64_t *ret_max);

/* Carries a transition out; open_ns is the length of an opening, until_ns of an order. */
void ref_enter(struct ref *r, const struct ref_move *m, uint64_t t, uint64_t open_ns,
	       uint64_t until_ns);

/* Counts of the window that is shown. */
void ref_counts(const struct ref *r, uint64_t now, uint32_t *ret_calls, uint32_t *ret_failed,
		uint32_t *ret_slow);

#endif
