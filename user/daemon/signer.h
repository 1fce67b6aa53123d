/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The keys of this host: secret ones, which are files (io/keyring.h), under the names by which
 * all keys are known (codec/community.h). A secret half is read for each signature and overwritten
 * in memory after it. `why` has SIGNER_WHY_MAX bytes.
 */
#ifndef SWITCHGEAR_DAEMON_SIGNER_H
#define SWITCHGEAR_DAEMON_SIGNER_H

#include <stdbool.h>

#include "codec/messages_community.h"

#define SIGNER_WHY_MAX 1280
#define SIGNER_USERS "uid-" /* begins the names of keys of users for whom the daemon signs */

struct signer {
	struct community *all;
	const char *dir; /* of the state */
};

bool signer_is_users(const char *name);
/* The public half of one of this host. -ENOENT without it; -errno with why. */
int signer_key(const struct signer *s, const char *name, struct trust_id *ret,
	       char *why) MUST_CHECK;
/* Files that came there by other hands, keys that were restored, get their names. Was there one? */
bool signer_learn(const struct signer *s);
/* The only key here that is no user's; how many of these there are. */
size_t signer_only(const struct signer *s, char ret[COMMUNITY_NAME_LEN]);
/* Fills in issuer, seq and signature, as the key of that name. -errno with why. */
int signer_sign(const struct signer *s, const char *name, struct statement *to,
		char *why) MUST_CHECK;

/* How many statements there are of each key, by its index in web.keys: for signer_show(). NULL: no
 * memory. The caller's. */
uint32_t *signer_count(const struct signer *s);
/* What is told of a key. n may be NULL. */
void signer_show(const struct signer *s, const struct community_key *k, const uint32_t *n,
		 struct key_entry *to);

#endif
