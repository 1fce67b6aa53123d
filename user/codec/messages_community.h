/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the API is asked about keys and statements, and what it tells, as codec/messages.h does of
 * everything else. */
#ifndef SWITCHGEAR_CODEC_MESSAGES_COMMUNITY_H
#define SWITCHGEAR_CODEC_MESSAGES_COMMUNITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "codec/community.h"

#define SUBJECT_TEXT_LEN 128 /* a server's name, a key's name or its digits */

/* --- requests -------------------------------------------------------------------------------- */

enum keys_order {
	KEYS_NEW,
	KEYS_ADD, /* another's, by name: `key` */
	KEYS_ANCHOR,
	KEYS_UNANCHOR,
	KEYS_REMOVE,
	KEYS_ORDER_COUNT
};

struct request_keys {
	uint32_t order; /* enum keys_order */
	char name[SUBJECT_TEXT_LEN];
	char key[SUBJECT_TEXT_LEN];
};

/* To be signed. */
struct request_say {
	uint32_t type; /* enum reputation_type */
	char subject[SUBJECT_TEXT_LEN];
	char by[SUBJECT_TEXT_LEN]; /* a key of this host; "": not said */
	double value;
	uint64_t depth;
	uint64_t for_ns;          /* 0: not said */
	struct trust_id evidence; /* all zero: none */
};

/* Strict, as request_decode(): -EINVAL with a sentence in why, -ENOMEM. `user`: a rating by who
 * asks, not by a key that is named. */
int request_keys_decode(const char *text, size_t len, struct request_keys *ret, char *why,
			size_t why_size) MUST_CHECK;
int request_say_decode(bool user, const char *text, size_t len, struct request_say *ret, char *why,
		       size_t why_size) MUST_CHECK;
int request_keys_encode(const struct request_keys *q, struct buf *out) MUST_CHECK;
int request_say_encode(bool user, const struct request_say *q, struct buf *out) MUST_CHECK;

/* --- replies ------------------------------------------------------------------------------------ */

/* A key that is known by name. */
struct key_entry {
	char name[COMMUNITY_NAME_LEN];
	char key[KEY_TEXT_LEN];
	bool own; /* its secret half is here, and can be used unless there is an error */
	bool anchor;
	bool revoked;
	double weight;
	uint32_t statements; /* of it that are known */
	char error[320];     /* why it cannot sign; "" */
};

/* Reply to changes of keys: the key, as it is now. */
int reply_key_encode(const struct key_entry *k, struct buf *out) MUST_CHECK;
int reply_key_decode(const char *text, size_t len, struct key_entry *ret) MUST_CHECK;

struct reply_keys {
	struct key_entry *keys;
	size_t n_keys;
};

void reply_keys_done(struct reply_keys *r);
int reply_keys_encode(const struct reply_keys *r, struct buf *out) MUST_CHECK;
int reply_keys_decode(const char *text, size_t len, struct reply_keys *ret) MUST_CHECK;

/* What was signed, and is known here from now on. */
struct reply_said {
	char name[COMMUNITY_NAME_LEN]; /* of the key */
	char key[KEY_TEXT_LEN];
	uint32_t type; /* enum reputation_type */
	char subject[SUBJECT_TEXT_LEN];
	double value;
	uint64_t expires_wall_ns;
	char *statement; /* the line, owned */
	char error[256]; /* why it would not survive a restart; "" */
};

void reply_said_done(struct reply_said *r);
int reply_said_encode(const struct reply_said *r, struct buf *out) MUST_CHECK;
int reply_said_decode(const char *text, size_t len, struct reply_said *ret) MUST_CHECK;

/* What became of a line that came from elsewhere. */
struct taken_line {
	uint32_t line;
	char verdict[96]; /* a reputation_verdict_names[], or of a key "added", "known", ... */
	char issuer[COMMUNITY_NAME_LEN];
};

struct reply_taken {
	uint32_t accepted; /* keys that were added, too */
	uint32_t old;      /* or known */
	uint32_t unknown;  /* ratings of servers that are not here */
	uint32_t refused;
	struct taken_line *lines;
	size_t n_lines;
	char error[256];
};

void reply_taken_done(struct reply_taken *r);
int reply_taken_encode(const struct reply_taken *r, struct buf *out) MUST_CHECK;
int reply_taken_decode(const char *text, size_t len, struct reply_taken *ret) MUST_CHECK;

const char *keys_order_name(unsigned int order);
const char *statement_type_name(unsigned int type);

#endif
