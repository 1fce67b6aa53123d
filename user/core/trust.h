/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The trust in one server: a score from 0 to 100 that can be computed again by hand from what
 * trust_explain() tells. docs/trust.md has the model, its formulas and where they come from.
 *
 *   T = min(100 - strike_penalty x strikes, 100 x S x ((1 - w) x P + w x C))
 *
 * P, performance, is what was measured here; S, security, what scanners found: a factor that
 * falls at once and rises slowly; C, community, what raters said whom the operator has a reason
 * to believe (core/reputation.h). All three are in [0, 1].
 *
 * Invariants; tests/unit/core/test_trust_property.c tries each on random histories:
 *  A. Nothing is written but by an event. Reading works on a copy, at any time.
 *  B. What happened at one instant happened in no order: the state, to the bit, is that of the
 *     set. So the rules (bands, quarantine) judge an instant once, when it is over; a read judges
 *     the instant of the read. An operator's release is the exception: it is of what was
 *     known when it came.
 *  C. A bad event never raises T, a good one never lowers it.
 *  D. A new identity never has a higher T than the old one would have, whatever follows, but
 *     for a clean scan or ratings of its own.
 *
 * Times are ns of one clock that never goes back and goes on while the host sleeps: the caller's
 * CLOCK_BOOTTIME plus what it carries over from before a reboot. An earlier time counts as the
 * latest one seen. No function fails for want of memory; every one is O(1) in the number of events.
 *
 * Memory: struct trust is the caller's, plain data, to be saved as it is with what its two pointers
 * point to. Both may be NULL until trust_give() provides them: without memory for tools all
 * calls share one baseline and one bucket; without memory for findings each one counts in `rest`,
 * which weighs as much and forgets less (fail closed).
 */
#ifndef SWITCHGEAR_CORE_TRUST_H
#define SWITCHGEAR_CORE_TRUST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "core/trust_policy.h"

#define TRUST_TOOLS 64U    /* tools of a server with a baseline of their own */
#define TRUST_FINDINGS 24U /* findings that are kept apart */
#define TRUST_SCARS 6U
#define TRUST_CHANGES 6U
#define TRUST_ONE (1 << 26) /* unit of the sums below: whole numbers add up in any order */

/* --- what happens ------------------------------------------------------------------- */

/* An outcome of a call that was let through; probes too, not what was refused or redirected. */
struct trust_call {
	uint64_t tool;       /* hash of its name; 0: not known */
	enum sg_class class; /* all but success, soft and hard count nothing */
	uint64_t latency_ns; /* of a success; SG_FOREVER: not known, loses nothing */
	bool learn;          /* the breaker is closed or in its ramp: the baseline may follow */
};

enum trust_severity {
	TRUST_INFO, /* changes nothing and is not kept */
	TRUST_LOW,
	TRUST_MEDIUM,
	TRUST_HIGH,
	TRUST_CRITICAL,
	TRUST_SEVERITY_COUNT
};

struct trust_id {
	uint8_t b[32]; /* a SHA-256 */
};

/* Of what an identity is a digest, in this order; what is missing is empty. */
enum trust_field {
	TRUST_FIELD_TRANSPORT, /* its kind: "http", "stdio", ... */
	TRUST_FIELD_CODE,      /* digest of the executable or package, or the TLS public key */
	TRUST_FIELD_ENDPOINT,  /* canonical */
	TRUST_FIELD_TOOLS,     /* digest of the list of tools */
	TRUST_FIELD_COUNT
};

struct trust_bytes {
	const void *data; /* borrowed; NULL: empty */
	size_t len;
};

/*
 * The bytes of which H is the SHA-256, which the caller computes: each field behind its length,
 * eight bytes, the most significant first, so that no two lists of fields have the same.
 * Writes as many as fit into out[size] and returns how many there are.
 */
size_t trust_identity_bytes(const struct trust_bytes fields[TRUST_FIELD_COUNT], uint8_t *out,
			    size_t size);

/* One finding as a scanner reports it. */
struct trust_report {
	uint64_t identity[2]; /* 128 bits of a hash over (scanner, rule, digest, location) */
	uint64_t scanner;     /* hash of its name */
	uint32_t ruleset;     /* number of its version: a newer one is greater */
	enum trust_severity severity;
	double confidence; /* 0 to 1; what is outside counts as the nearer end, NAN as 1 */
};

/* A scan that was made. */
struct trust_scan {
	uint64_t scanner;
	uint32_t ruleset;
	bool clean; /* it found nothing */
};

/* What raters say, weighed: reputation_sums(). */
struct trust_ratings {
	double good; /* R: sum of weight x age x max(q, 0) */
	double bad;  /* N: negative_weight x sum of weight x age x max(-q, 0) */
	bool cap;    /* they are bad and independent enough to cap security */
};

/* --- state -------------------------------------------------------------------------- */

/* A tool, or all calls of which the tool is not known. */
struct trust_tool {
	uint64_t key;
	uint32_t bucket; /* low bits of the bucket that the counts are of */
	uint32_t good;   /* calls of that bucket: successes, ... */
	uint32_t hard;
	uint32_t soft;
	uint64_t loss : 52;    /* sum of their latency losses, in TRUST_ONE */
	uint64_t learned : 12; /* successes of the baseline; TRUST_LEARNED: it is made */
	union {                /* of ln x, x in seconds */
		double mean;
		int64_t sum; /* in 2^-32, while it is being made */
	};
	union {
		double variance;
		int64_t squares;
	};
	uint64_t last_ns;   /* of the latest success that the baseline learned from */
	float pending_ns;   /* the least latency at last_ns, not yet followed; 0: none */
	float pending_wait; /* ns between the success before and last_ns */
};
static_assert(sizeof(struct trust_tool) <= 64, "a tool takes more than 64 bytes");

#define TRUST_LEARNED 4095U

struct trust_scale {
	double good; /* r */
	double bad;  /* s */
};

struct trust_performance {
	struct trust_scale fast; /* both as of evidence_ns */
	struct trust_scale slow;
	uint64_t evidence_ns; /* end of the last bucket that was added */
	uint64_t bucket;      /* the open one: time / evidence_bucket_seconds */
	int64_t open_good;    /* its sums, each tool scaled, in TRUST_ONE */
	int64_t open_bad;
	struct trust_tool *tools; /* TRUST_TOOLS, by hash; borrowed, NULL: none */
	struct trust_tool shared; /* of calls without a tool, and of tools beyond the limit */
};

#define TRUST_WAIVED 1U    /* an operator released the server knowing it */
#define TRUST_GONE 2U      /* a clean scan of this instant took it away */
#define TRUST_INHERITED 4U /* of an identity before this one, or of a relative */
#define TRUST_RAISED 8U    /* its peak is of the instant seen_ns */

struct trust_finding {
	uint64_t identity[2];
	uint64_t scanner;
	uint64_t since_ns; /* reported first */
	uint64_t seen_ns;  /* and last */
	double confidence;
	uint32_t ruleset;
	uint8_t severity; /* enum trust_severity */
	uint8_t peak;     /* the highest it ever had */
	uint8_t flags;    /* TRUST_WAIVED, ... */
};

struct trust_scar {
	uint64_t until_ns;
	uint32_t high; /* findings of the same instant */
	uint32_t critical;
};

/*
 * What did not fit among the findings, the lightest first: as one. Which ones they are is in a
 * Bloom filter, so that a rescan does not count them again; it may take a new one for known.
 */
struct trust_rest {
	uint64_t known[2];
	uint64_t scanner; /* of all of them; 0: of several */
	uint64_t seen_ns; /* the latest */
	double ceiling;   /* the lowest */
	double product;
	uint32_t ruleset; /* the newest */
	uint32_t n;
	uint8_t worst; /* enum trust_severity */
	uint8_t flags;
	bool blocks; /* one of them is grave and sure enough for a quarantine */
};

struct trust_security {
	double anchor; /* S at anchor_ns, before what changed at that instant */
	double target; /* from anchor_ns until next_ns */
	uint64_t anchor_ns;
	uint64_t next_ns;               /* when time alone changes the target; SG_FOREVER: never */
	uint64_t scan_ns;               /* latest scan of this identity */
	struct trust_finding *findings; /* TRUST_FINDINGS, sorted by identity; borrowed */
	uint32_t n_findings;
	uint32_t n_scars;
	struct trust_scar scars[TRUST_SCARS]; /* by their ends */
	struct trust_rest rest;
	bool scanned;     /* this identity was */
	bool had_finding; /* ever */
	bool had_clean;   /* there was a clean scan, ever */
	bool jump;        /* the first one, at anchor_ns: S is the target at once */
	bool capped;      /* by ratings */
};

enum trust_band {
	TRUST_DEGRADED,
	TRUST_WATCH,
	TRUST_TRUSTED,
	TRUST_BAND_COUNT
};

enum trust_quarantine {
	TRUST_FREE,
	TRUST_BY_FINDING, /* high or critical, and sure enough */
	TRUST_BY_SCORE,   /* T < 15 with S < .5 */
};

/* Causes of a change of T: a set. */
#define TRUST_CAUSE_SUCCESS 1U
#define TRUST_CAUSE_SOFT 2U
#define TRUST_CAUSE_HARD 4U
#define TRUST_CAUSE_CALLS 7U
#define TRUST_CAUSE_FINDING 8U
#define TRUST_CAUSE_SCAN 16U
#define TRUST_CAUSE_RATINGS 32U
#define TRUST_CAUSE_IDENTITY 64U
#define TRUST_CAUSE_INHERITED 128U
#define TRUST_CAUSE_RELEASE 256U
#define TRUST_CAUSE_TIME 512U        /* nothing but time: trust_tick() */
#define TRUST_CAUSE_QUARANTINE 1024U /* and a rule quarantined it: another strike */
#define TRUST_CAUSE_RECOVERED 2048U  /* and its quarantine by rule ended by itself */

struct trust_change {
	uint64_t t_ns; /* of the latest of them */
	uint32_t causes;
	uint32_t n;    /* instants that are told together: a row of calls of one kind */
	double before; /* T as the change before left it: time between them included */
	double after;
};

struct trust {
	struct trust_performance performance;
	struct trust_security security;
	struct trust_id identity; /* H of what is rated; all zero: not known */
	uint64_t now_ns;          /* of the latest event */
	uint64_t since_ns;        /* when this identity began */
	uint64_t ratings_ns;      /* as of when ratings.good and .bad are */
	double ratings_good;
	double ratings_bad;
	uint64_t clean_ns;      /* clean time is counted from here */
	uint64_t quarantine_ns; /* since when, if quarantine is not TRUST_FREE */
	uint64_t dwell_ns;
	double score;         /* T at the latest instant that is over */
	double noted;         /* and as of the last change that was noted */
	uint32_t causes;      /* of the instant now_ns; 0: it is judged */
	uint32_t successes;   /* with this identity; stops at UINT32_MAX */
	uint32_t strikes;     /* at clean_ns, at most strike_max */
	uint32_t quarantines; /* k at clean_ns */
	uint8_t band;         /* enum trust_band */
	uint8_t quarantine;   /* enum trust_quarantine */
	uint32_t n_changes;   /* of all times; the last are kept, at n % TRUST_CHANGES */
	struct trust_change changes[TRUST_CHANGES];
};
static_assert(sizeof(struct trust) + TRUST_FINDINGS * sizeof(struct trust_finding) < 2048,
	      "a server takes 2 KiB or more, without its tools");

/* --- events --------------------------------------------------------------------------- */

/* A new server of which nothing is known: unscanned, no evidence. */
void trust_init(struct trust *t, const struct trust_policy *p, uint64_t now_ns);

/*
 * Memory for what is bounded: tools, TRUST_TOOLS of them, findings, TRUST_FINDINGS of them, zeroed
 * or as they were saved. They stay the caller's and outlive *t. NULL: as it was. Tools come before
 * the first call that names one, or that tool's baseline begins later.
 */
void trust_give(struct trust *t, struct trust_tool *tools, struct trust_finding *findings);

/* Another policy from now on. The open bucket is closed by the old one. */
void trust_set_policy(struct trust *t, const struct trust_policy *before,
		      const struct trust_policy *p, uint64_t now_ns);

/* A call ended. */
void trust_call(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		const struct trust_call *call);

/*
 * A finding about the identity `digest`; the same one again brings confidence, ruleset and
 * severity up to date, a higher severity than ever takes its waiver back. False, and nothing is changed: it is
 * of another identity than the present one, or of no severity that there is. NULL: of the
 * present one.
 */
bool trust_finding(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   const struct trust_id *digest, const struct trust_report *report);

/*
 * A scan of `digest` was made, as above. A clean one removes findings of the same scanner by the
 * same or an older ruleset that were reported before now_ns: low and medium ones, and all that
 * were inherited. False: as above.
 */
bool trust_scan(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		const struct trust_id *digest, const struct trust_scan *scan);

/*
 * A scanner tells all that it knows whenever it tells anything: what of its findings was not
 * reported at this very instant is gone, whatever its severity; scars stay. False: nothing was. It
 * is no scan of the server, so that nothing else changes.
 */
bool trust_withdraw(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		    uint64_t scanner);

/* Ratings as weighed now. */
void trust_ratings(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   const struct trust_ratings *ratings);

/*
 * The server is another one now: H differs. Nothing happens if it is the same. It starts unscanned;
 * ceilings, scars, strikes, findings, quarantine and what was measured as bad stay. What was
 * measured as good stays if it answers at the same place: endpoint and key are unchanged.
 * Good ratings of the one before are gone, bad ones stay until trust_ratings().
 */
void trust_identify(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		    const struct trust_id *identity, bool same_place);

/*
 * *t shares a key, an endpoint, a package or an executable with `from`, which has been punished:
 * it takes over ceiling, scars, strikes, quarantine, open findings, bad evidence and bad ratings,
 * where these are worse than its own. *from is as of its own latest event.
 */
void trust_inherit(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   const struct trust *from);

/* An operator lets it go: the quarantine by rule ends, and rules do not enter again for the
 * findings that are known now. These go on counting in S. */
void trust_release(struct trust *t, const struct trust_policy *p, uint64_t now_ns);

/*
 * One finding alone, by its identity: rules do not enter for it, as if an operator had released the
 * server knowing it. It goes on counting in S. False: there is none of that identity.
 */
bool trust_waive(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		 const uint64_t identity[2]);

/*
 * An operator says that a finding is none: it counts no more, but its scar stays. S is `security`
 * again, what it was before the finding, or the target if that is less. If nothing else holds
 * the server in a quarantine by finding, that ends. False: there is none of that identity.
 */
bool trust_settle(struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		  const uint64_t identity[2], double security);

/* More is known of what has been rated all the time: another H, and no event. */
void trust_learn(struct trust *t, const struct trust_id *identity);

/* Time has passed: carries out what a read would show, the end of a quarantine by rule above
 * all. The caller calls it about every minute, and after trust_read() showed a change. */
void trust_tick(struct trust *t, const struct trust_policy *p, uint64_t now_ns);

/* --- reading ---------------------------------------------------------------------------- */

struct trust_view {
	double score;       /* T */
	double performance; /* P */
	double security;    /* S */
	double community;   /* C */
	uint32_t strikes;
	enum trust_band band;
	enum trust_quarantine quarantine;
	uint64_t quarantine_ns; /* since when, unless TRUST_FREE */
	uint64_t earliest_ns;   /* its dwell ends then; SG_FOREVER: an operator must end it */
	bool restricted;        /* a finding of medium severity or more: not for tools that write */
};

/* As if nothing happened until now_ns; *t stays as it is. */
void trust_read(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		struct trust_view *ret);

/* This host's own rating of it, 2P - 1, for the credibility of raters; NAN while slow
 * evidence is less than the prior's weight. */
double trust_own_rating(const struct trust *t, const struct trust_policy *p, uint64_t now_ns);

/* Everything that T is made of. Each number is the one that was computed with. */
struct trust_term {                          /* a finding that counts */
	const struct trust_finding *finding; /* NULL: the rest */
	double ceiling;                      /* 1 - confidence x (1 - c) */
	double factor;                       /* 1 - d x confidence */
	uint64_t age_ns;                     /* since it was first reported */
};

struct trust_explanation {
	struct trust_view view;
	double community_weight; /* w */
	double score_max;        /* 100 - strike_penalty x strikes */
	/* P = min(fast, slow); slow = (r + a W) / (r + s + W), fast with `slow` in place of a */
	struct trust_scale fast;
	struct trust_scale slow;
	double prior;
	double prior_weight;
	double performance_fast;
	double performance_slow;
	uint64_t evidence_age_ns; /* since the last bucket that was added */
	/* S: at most the target, to which it rises slowly. target = min(lowest x product,
	 * raised to the floor, scarred, unscanned where it is, .5 where ratings cap) */
	struct trust_term terms[TRUST_FINDINGS + 1];
	uint32_t n_terms;
	double lowest;  /* of the ceilings */
	double product; /* of the factors, in their order */
	double floor;
	double scarred; /* 1 less what scars take */
	double cap;     /* by a missing scan, by ratings; 1: none */
	double target;
	bool scanned;  /* recently */
	bool capped;   /* by ratings */
	bool jumped;   /* its first clean scan is of this instant */
	double anchor; /* S at anchor_ns, from where it rises */
	uint64_t anchor_ns;
	double rise_per_day;
	uint64_t scan_age_ns; /* SG_FOREVER: never */
	/* C = (good + 1) / (good + bad + 2), faded by age */
	double ratings_good;
	double ratings_bad;
	uint64_t ratings_age_ns; /* since they were weighed */
	/* what the band asks for beyond the score */
	uint32_t successes; /* with this identity, of TRUST_SUCCESSES */
	uint64_t known_ns;  /* and for how long, of TRUST_KNOWN_NS */
	uint32_t quarantines;
	/* the last changes, oldest first */
	struct trust_change changes[TRUST_CHANGES];
	uint32_t n_changes;
};

#define TRUST_SUCCESSES 30U
#define TRUST_KNOWN_NS 86400000000000ULL

/* As trust_read(), with all of it. Findings are borrowed from *t. */
void trust_explain(const struct trust *t, const struct trust_policy *p, uint64_t now_ns,
		   struct trust_explanation *ret);

/* T from the numbers of an explanation alone: equal to view.score, to the bit. */
double trust_recompute(const struct trust_explanation *e);

extern const char *const trust_band_names[TRUST_BAND_COUNT + 1];         /* "degraded", ... */
extern const char *const trust_severity_names[TRUST_SEVERITY_COUNT + 1]; /* "info", ... */

#endif
