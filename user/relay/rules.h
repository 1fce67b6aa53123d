/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The daemon's rules, one a server. Who works by one holds it, so that it ends as it began. */
#ifndef SWITCHGEAR_RELAY_RULES_H
#define SWITCHGEAR_RELAY_RULES_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "io/relay_wire.h"

struct rule {
	struct relay_rule is;
	uint32_t target; /* what its target is told apart by: address, port, path; 0: there is none */
	int tools;       /* of at most RELAY_TOOLS_MAX bytes; -1: none is known */
	unsigned int holders;
};

struct rules {
	struct rule *v[SG_SERVERS_MAX]; /* NULL: no rule */
};

/* Takes `tools` (-1: none) if it succeeds. -EINVAL: it is none; -ENOMEM. */
int rules_set(struct rules *r, const struct relay_rule *is, int tools) MUST_CHECK;
void rules_drop(struct rules *r, uint32_t server); /* any number: it may have none */
void rules_done(struct rules *r);

/* Is there a rule for the server that had this id in this incarnation? */
bool rules_are_for(const struct rules *r, uint32_t server, uint32_t incarnation);
/* That one, held: rule_put() lets go. NULL: there is none. */
struct rule *rules_hold(struct rules *r, uint32_t server, uint32_t incarnation);
void rule_put(struct rule *rule); /* NULL-safe */

/* The list of tools; "[]" where none is known, or it cannot be read. */
void rule_tools(const struct rule *rule, struct buf *out);
/* May this tool be called a second time after a call that got lost? */
bool rule_may_repeat(const struct rule *rule, const char *tool);
/* Do credentials go on to the target? */
bool rule_shares(const struct rule *rule);

/*
 * Where at the target a path of the server's is: the target's path in place of the server's, what
 * is below it kept. Appends it. -ENOENT: it is not of the server's.
 */
int rule_path(const struct rule *rule, const char *path, size_t len, struct buf *out) MUST_CHECK;

#endif
