/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the experiments on the trust model share. Each prints its table as Markdown and says with
 * lab_bound() what must hold; the same build prints the same tables.
 */
#ifndef SWITCHGEAR_TESTS_LAB_H
#define SWITCHGEAR_TESTS_LAB_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "core/reputation.h"
#include "core/trust.h"
#include "core/trust_policy.h"

#define LAB_SECOND 1000000000ULL
#define LAB_DAY (86400 * LAB_SECOND)
#define LAB_START (1700000000 * LAB_SECOND)

/* Something that must hold, and whether it does. */
void lab_bound(bool holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Something without which the experiment is none: ends the program. */
void lab_must(bool holds, const char *what);

/* The same numbers in each run. */
uint64_t lab_random(void);
double lab_chance(void); /* [0, 1) */
void lab_seed(uint64_t seed);

/* A server with its memory for findings. */
struct lab_server {
	struct trust trust;
	struct trust_tool tools[TRUST_TOOLS];
	struct trust_finding findings[TRUST_FINDINGS];
};
void lab_server_init(struct lab_server *s, const struct trust_policy *p, uint64_t now_ns);
void lab_call(struct trust *t, const struct trust_policy *p, uint64_t now_ns, bool good);
struct trust_view lab_read(const struct trust *t, const struct trust_policy *p, uint64_t now_ns);

/* A web of that many keys, statements and servers; ends the program without memory. */
struct reputation *lab_web(uint32_t keys, uint32_t records, uint32_t servers);
void lab_web_free(struct reputation *r);
struct trust_id lab_id(uint32_t kind, uint32_t n);
#define LAB_KEY 1U
#define LAB_SERVER 2U
/* Says it at that time, for 180 days; it must be accepted. */
void lab_say(struct reputation *r, enum reputation_type type, struct trust_id from,
	     struct trust_id about, double value, uint64_t now_ns);
double lab_weight(const struct reputation *r, struct trust_id key);

void on_off(void);
void peers(void);
void eigenvector(void);
void farms(void);
void attacks(void);
void market(void);

#endif
