/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this host knows of others' opinions: keys by their names, the web of what they said
 * (core/reputation.h) with the signatures, so that it can be handed on, and the file that keeps
 * all of it over restarts.
 *
 * The file is of lines, each an object: the first has the checksum of the rest, then come keys by
 * name, servers, revocations that were carried out, and statements as they were signed. Of a file
 * that is damaged the statements whose signatures are good are good all the same.
 *
 * Memory is bounded: COMMUNITY_* below; what is beyond is refused. Times are wall time in ns.
 */
#ifndef SWITCHGEAR_CODEC_COMMUNITY_H
#define SWITCHGEAR_CODEC_COMMUNITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/statement.h"
#include "core/reputation.h"

#define COMMUNITY_VERSION 1U
#define COMMUNITY_KEYS 8192U     /* three quarters of both are used */
#define COMMUNITY_RECORDS 16384U /* statements */
#define COMMUNITY_SERVERS 1024U  /* identities, ever */
#define COMMUNITY_NAMES 512U
#define COMMUNITY_NAME_LEN 64 /* with its NUL */
#define COMMUNITY_FILE_MAX (16U << 20)
#define COMMUNITY_LINES_MAX 2048U /* of what comes at once */
#define KEY_TEXT_LEN 65           /* 64 hexadecimal digits, and a NUL */

struct community_key {
	char name[COMMUNITY_NAME_LEN];
	struct trust_id key;
	bool anchor;
};

/* Of the record of the same place: what is signed beside it. */
struct community_proof {
	struct trust_id evidence;
	double value; /* of a revocation it counts for nothing */
	uint8_t nonce[STATEMENT_NONCE_LEN];
	uint8_t signature[STATEMENT_SIGNATURE_LEN];
};

struct community {
	struct reputation web;
	struct community_proof *proofs;
	char (*servers)[SG_NAME_LEN]; /* who had that identity last; "": nobody here */
	struct community_key *keys;
	size_t n_keys;
};

/* Pages that nothing was written to take no memory. -ENOMEM: community_done() all the same. */
int community_init(struct community *c, uint64_t seed) MUST_CHECK;
void community_done(struct community *c);

/* --- keys ------------------------------------------------------------------------------------ */

/* 1 to 63 letters, digits, '.', '_', '-', '@'; the first a letter or a digit; no 64 digits. */
bool community_name_is_good(const char *name);
/* By name, or the key itself in hexadecimal digits, also one without a name; false: neither. */
bool community_find(const struct community *c, const char *text, struct trust_id *ret);
/* NULL: it has none. */
const struct community_key *community_named(const struct community *c, const char *name);
const struct community_key *community_name_of(const struct community *c,
					      const struct trust_id *key);
/* Its name, or the first 16 of its digits. */
void community_show(const struct community *c, const struct trust_id *key,
		    char ret[COMMUNITY_NAME_LEN]);
/* -EEXIST: the name is of another key; -EALREADY: the key has a name, *ret_name, or this one;
 * -ENOSPC. */
int community_add(struct community *c, const char *name, const struct trust_id *key,
		  const char **ret_name) MUST_CHECK;
/* Anchors one that has a name, or no longer. -ENOENT, -ENOSPC. */
int community_anchor(struct community *c, const char *name, bool on) MUST_CHECK;
/* Forgets the name; an anchor is none any more. What the key said stays. */
void community_remove(struct community *c, const char *name);

/* --- servers ---------------------------------------------------------------------------------- */

/* The server of that name has this identity from now on. *ret: its index in web.servers. -ENOSPC. */
int community_server(struct community *c, const char *name, const struct trust_id *id,
		     uint32_t *ret) MUST_CHECK;

/* --- statements -------------------------------------------------------------------------------- */

/* Verifies it, and takes it if it is good and new. */
enum reputation_verdict community_take(struct community *c, const struct statement *s,
				       uint64_t wall_ns);
/* The next `seq` of an issuer: above all that are known, and above those of a past that is lost. */
uint64_t community_seq(const struct community *c, const struct reputation_statement *s,
		       uint64_t wall_ns);
/* Keeps beside the record of a statement, which is there, what else was signed. */
void community_prove(struct community *c, const struct statement *s);
/* Appends the lines of all statements, or of those of one issuer. buf_error(). */
int community_export(const struct community *c, const struct trust_id *issuer,
		     struct buf *out) MUST_CHECK;
/* A key by its name as a line, for others to import. */
int community_key_line(const struct community_key *k, struct buf *out) MUST_CHECK;

/* A line that comes from elsewhere: a key by name, or a statement. */
struct community_line {
	unsigned int number; /* from 1 */
	bool is_key;
	struct community_key key;
	struct statement statement;
};

struct community_lines {
	struct community_line *v; /* owned */
	size_t n;
};

/* Reads what `export` writes, empty lines allowed. -EINVAL with "line N: what is wrong" in why:
 * nothing of it counts; -ENOMEM. community_lines_done() in any case. */
int community_lines_read(const char *text, size_t len, struct community_lines *ret, char *why,
			 size_t why_size) MUST_CHECK;
void community_lines_done(struct community_lines *lines);

/* --- the file ----------------------------------------------------------------------------------- */

int community_encode(const struct community *c, struct buf *out) MUST_CHECK;
/* Adds to what is there what it does not know. -EBADMSG: damaged; -EPROTONOSUPPORT: another
 * version; what is wrong in why, and nothing is taken. */
int community_decode(struct community *c, const char *text, size_t len, struct buf *why) MUST_CHECK;
/* Of a damaged file: how many statements were taken. They are checked by their signatures. */
size_t community_salvage(struct community *c, const char *text, size_t len);

#endif
