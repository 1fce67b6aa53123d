/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the trust model share: formulas once, over parts of struct trust. */
#ifndef SWITCHGEAR_CORE_TRUST_PRIVATE_H
#define SWITCHGEAR_CORE_TRUST_PRIVATE_H

#include "core/trust.h"

#define TRUST_DAY_NS 86400e9

/* --- trust_performance.c --- */

/* Both scales at a time, the open bucket added as if it ended then. */
struct trust_evidence {
	struct trust_scale fast;
	struct trust_scale slow;
};

void trust_performance_init(struct trust_performance *f, const struct trust_policy *p,
			    uint64_t now_ns);
/* Brings it to an instant: adds the open bucket if that is over. */
void trust_performance_advance(struct trust_performance *f, const struct trust_policy *p,
			       uint64_t now_ns);
/* Adds the open bucket although it is not over. */
void trust_performance_close(struct trust_performance *f, const struct trust_policy *p,
			     uint64_t now_ns);
/* Opens a bucket under another policy, once the one before is closed. */
void trust_performance_reopen(struct trust_performance *f, const struct trust_policy *p,
			      uint64_t now_ns);
/* A call that ended at the instant that *f was brought to; its class counts. */
void trust_performance_call(struct trust_performance *f, const struct trust_policy *p,
			    uint64_t now_ns, const struct trust_call *call);
/* Forgets what was good, not what was bad. */
void trust_performance_worse(struct trust_performance *f);
struct trust_evidence trust_performance_read(const struct trust_performance *f,
					     const struct trust_policy *p, uint64_t now_ns);
double trust_slow(const struct trust_evidence *e, double prior, double weight);
double trust_fast(const struct trust_evidence *e, double slow, double weight);

/* --- trust_security.c --- */

struct trust_limits { /* of what the target is made, at one time */
	double lowest;
	double product;
	double floor;
	double scarred;
	double cap;
	double target;
	bool scanned;
	uint64_t next_ns; /* when time alone changes them */
};

void trust_security_init(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns);
/* Before a change at now_ns; sweeps what an earlier instant took away. */
void trust_security_begin(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns);
/* After it. */
void trust_security_end(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns);
double trust_security_at(const struct trust_security *s, const struct trust_policy *p,
			 uint64_t now_ns);
struct trust_limits trust_security_limits(const struct trust_security *s,
					  const struct trust_policy *p, uint64_t now_ns,
					  bool waived);
double trust_finding_ceiling(const struct trust_finding *f);
double trust_finding_factor(const struct trust_finding *f);
/* Is there one that quarantines by itself, and that nobody has waived? */
bool trust_security_blocks(const struct trust_security *s, const struct trust_policy *p);
bool trust_security_restricts(const struct trust_security *s);

/* Between begin and end: */
void trust_security_report(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns,
			   const struct trust_report *report);
void trust_security_scan(struct trust_security *s, uint64_t now_ns, const struct trust_scan *scan);
/* Is there a finding of it that was not reported at this instant? They go. */
bool trust_security_stale(const struct trust_security *s, uint64_t now_ns, uint64_t scanner);
void trust_security_withdraw(struct trust_security *s, uint64_t now_ns, uint64_t scanner);
void trust_security_identity(struct trust_security *s);
void trust_security_inherit(struct trust_security *s, const struct trust_policy *p, uint64_t now_ns,
			    const struct trust_security *from, double from_now);
void trust_security_waive(struct trust_security *s);
/* Sets a flag of one finding; false: it is not there. */
bool trust_security_mark(struct trust_security *s, const uint64_t identity[2], uint8_t flag);

/* --- trust.c --- */

/* *ret is what *t will be when the instant now_ns is over and nothing else has happened. Its
 * pointers are those of *t: they must not be written through. */
void trust_judged(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		  struct trust *ret);
double trust_score(double security, double performance, double community, double weight,
		   double score_max);
double trust_community(double good, double bad);
double trust_score_max(const struct trust *t, const struct trust_policy *p, uint64_t now_ns);
/* Strikes or quarantines as time has left them. */
uint32_t trust_faded(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		     uint32_t count);
/* What ratings have faded to: a factor. */
double trust_ratings_fade(const struct trust *t, const struct trust_policy *p, uint64_t now_ns);
/* Of a judged one. */
void trust_view_of(const struct trust *t, const struct trust_policy *p, struct trust_view *ret);

#endif
