/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What others say about servers, and how much of it counts here: a web of trust from keys that the
 * operator named (anchors). docs/trust.md has the model. Signatures are not checked here: who calls
 * reputation_accept() says whether they are good.
 *
 * Weights are those of Levien's Advogato in spirit and of a split budget in fact: an anchor has
 * weight 1; along the breadth-first graph a key hands rho times its own weight to all keys that it
 * vouches for together. So a thousand keys behind one captured key have no more weight
 * together than one.
 *
 * Invariants:
 *  A. What counts is a function of the statements that were accepted, not of their order: sums are
 *     whole numbers (2^-40). Only a revocation by certifiers is for ever from the weighing on in
 *     which they had the majority.
 *  B. A statement that was accepted is not accepted again, ever: `seq` must grow for each
 *     issuer, subject and type, and what was seen is not forgotten: the table must be saved.
 *  C. Revoking a key never gives another key weight: it stays in the graph, with what it was
 *     given, and hands nothing on. Whom it alone reached has no weight, not even as unknown.
 *     What it says to have issued from its revocation on is as if it had never been said.
 *
 * Who drives it: reputation_subject() for each server; reputation_accept() for each statement;
 * then reputation_weigh(), after changes and at reputation_next_ns(); then reputation_sums(), whose
 * results go to trust_ratings(). Weighing and sums are O(keys + statements).
 *
 * Times are wall time in ns. All memory is the caller's; full tables refuse (fail closed), and
 * issuers without a path have at most half of the statements.
 */
#ifndef SWITCHGEAR_CORE_REPUTATION_H
#define SWITCHGEAR_CORE_REPUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "core/trust.h"

#define REPUTATION_NONE UINT32_MAX
#define REPUTATION_ONE (INT64_C(1) << 40)   /* weights are whole numbers of its parts */
#define REPUTATION_EARLY_NS 300000000000ULL /* clocks may differ by so much */
#define REPUTATION_LIFE_MAX_NS (180 * 86400000000000ULL) /* of a statement */
#define REPUTATION_COMMON_MIN 5U /* servers that two must have rated to be compared */

enum reputation_type {
	REPUTATION_RATING, /* about a server: q */
	REPUTATION_VOUCH,  /* for a key: amount */
	REPUTATION_REVOKE, /* of a key, by itself or by those who vouch for it; for ever */
	REPUTATION_TYPE_COUNT
};

struct reputation_statement {
	enum reputation_type type;
	struct trust_id issuer;  /* key */
	struct trust_id subject; /* H of a server, or a key */
	double value;            /* rating: -1 to 1; vouch: 0 to 1; 0 takes it back */
	uint32_t depth;          /* of a vouch: how many vouches may follow below the subject */
	uint64_t seq; /* grows by each statement of the issuer about the subject; from 1 */
	uint64_t not_before_ns;
	uint64_t expires_ns;
};

enum reputation_verdict {
	REPUTATION_ACCEPTED,
	REPUTATION_BAD_SIGNATURE,
	REPUTATION_BAD_VALUE, /* out of range, not a number, a key about itself */
	REPUTATION_BAD_LIFE,  /* ends before it begins, or lasts more than 180 days */
	REPUTATION_NOT_NOW,   /* begins more than 5 minutes from now, or is over */
	REPUTATION_REVOKED,   /* its issuer was revoked before it was issued */
	REPUTATION_OLD,       /* seq is not above what was seen */
	REPUTATION_UNKNOWN,   /* a rating of no server of ours */
	REPUTATION_FULL,      /* no room */
	REPUTATION_VERDICT_COUNT
};

/* --- tables: the caller's memory, zeroed or as saved ------------------------------------- */

struct reputation_key {
	struct trust_id id;
	int64_t weight;      /* in REPUTATION_ONE; 0 without a path, or revoked */
	int64_t given;       /* before the limit of 1, by all certifiers */
	int64_t against;     /* of that by those who have revoked it */
	int64_t vouched;     /* sum of the amounts that it vouches for */
	double credibility;  /* 1 until reputation_credit() */
	uint64_t revoked_ns; /* statements issued from then on are void; if revoked */
	uint64_t against_ns; /* the latest of those revocations by certifiers */
	uint32_t level;      /* vouches from the nearest anchor; REPUTATION_NONE: no path */
	uint32_t reach;      /* vouches that may follow */
	uint32_t parent;     /* who gives it most; REPUTATION_NONE: nobody */
	uint32_t anchor;     /* at the end of the parents */
	int64_t parent_gives;
	bool used;
	bool is_anchor;
	bool revoked;
};

struct reputation_record { /* the newest statement of its issuer, subject and type */
	uint64_t seq;
	uint64_t not_before_ns;
	uint64_t expires_ns;
	double value;
	uint32_t issuer;  /* key */
	uint32_t subject; /* key, or server for a rating */
	uint32_t depth;
	uint8_t type; /* enum reputation_type */
	bool used;
};

struct reputation_server {
	struct trust_id id;
	uint32_t before;  /* which it replaced: whose bad ratings it keeps; REPUTATION_NONE */
	uint32_t after;   /* which replaced it last */
	uint32_t unknown; /* raters without a path */
	struct trust_ratings ratings; /* of reputation_sums() */
	int64_t good; /* the same sums, and the weight of very bad ratings, in 2^-40 */
	int64_t bad;
	int64_t very_bad;
	uint32_t very_bad_anchor; /* of one of them; REPUTATION_NONE: none yet */
	bool very_bad_several;    /* they are of several anchors */
};

struct reputation {
	struct reputation_key *keys; /* hash tables: capacities are powers of two */
	struct reputation_record *records;
	struct reputation_server *servers; /* a list */
	uint32_t keys_cap;
	uint32_t records_cap;
	uint32_t servers_cap;
	uint32_t n_keys;
	uint32_t n_records;
	uint32_t n_servers;
	uint32_t n_pathless; /* records whose issuer had no path when they came */
	uint64_t seed; /* of the tables: random, so that nobody can choose keys that collide */
};

/* Tables that are empty: keys and records hold three quarters of their capacity. */
void reputation_init(struct reputation *r);

/* --- events ------------------------------------------------------------------------------- */

/* An anchor of the operator, or no longer one. -ENOSPC. Weigh again afterwards. */
int reputation_anchor(struct reputation *r, const struct trust_id *key, bool on) MUST_CHECK;

/* The index of a server, made known if it is new; `before`, or REPUTATION_NONE: which one it
 * replaced. -ENOSPC. */
int reputation_subject(struct reputation *r, const struct trust_id *server, uint32_t before,
		       uint32_t *ret) MUST_CHECK;

/* Takes a statement, or says why not; then nothing has changed. `verified`: its signature is
 * good. Nothing counts before the next reputation_weigh(). */
enum reputation_verdict reputation_accept(struct reputation *r,
					  const struct reputation_statement *s, bool verified,
					  uint64_t now_ns) MUST_CHECK;

/* Weights of all keys at a time; carries revocations out. */
void reputation_weigh(struct reputation *r, const struct trust_policy *p, uint64_t now_ns);

/* When a statement begins or ends to count next; SG_FOREVER: never. */
uint64_t reputation_next_ns(const struct reputation *r, uint64_t now_ns);

/*
 * How far each rater agrees with this host: 1 less the root mean square of the differences to
 * `own`, by index of the server, over at least 5 servers that both rated; never above 1. NAN: this
 * host has no rating. Part of the weight from then on.
 */
void reputation_credit(struct reputation *r, const double *own, uint64_t now_ns);

/* Ratings of all servers, as weighed: servers[].ratings. Age counts from not_before. */
void reputation_sums(struct reputation *r, const struct trust_policy *p, uint64_t now_ns);

/* --- over restarts ------------------------------------------------------------------------- */

/*
 * A statement that was accepted once, with the revocations that were carried out: nothing of it is
 * asked again, but that it is newer than what is there. Anchors and servers come before. -ENOENT:
 * a rating of no server of ours; -ESTALE: not newer; -ENOSPC.
 */
int reputation_restore(struct reputation *r, const struct reputation_statement *s) MUST_CHECK;
int reputation_restore_revoked(struct reputation *r, const struct trust_id *key,
			       uint64_t from_ns) MUST_CHECK;
/* All is back and weighed: counts the statements without a path. */
void reputation_restored(struct reputation *r);

/* --- reading ------------------------------------------------------------------------------ */

/* The newest statement of an issuer about a subject, or NULL. Its place stays its own. */
const struct reputation_record *reputation_record(const struct reputation *r,
						  const struct trust_id *issuer,
						  const struct trust_id *subject,
						  enum reputation_type type);
/* The key, or NULL. Its parents make the path to its anchor. */
const struct reputation_key *reputation_key(const struct reputation *r, const struct trust_id *id);

/* One rating that counts for a server: the sums are made of these. */
struct reputation_term {
	const struct reputation_key *rater;
	double value;   /* q */
	double weight;  /* with its credibility; of one without a path its share of the pool */
	double fade;    /* 2^(-age / half-life) */
	bool inherited; /* of the identity before: only bad ones count */
};

/* Up to `max` terms of a server, of all that there are (the result). After reputation_sums(). */
size_t reputation_terms(const struct reputation *r, const struct trust_policy *p, uint32_t server,
			uint64_t now_ns, struct reputation_term *terms, size_t max);

extern const char *const reputation_verdict_names[REPUTATION_VERDICT_COUNT + 1];

#endif
