/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the relay is told of one server, from what modules know of it. */
#ifndef SWITCHGEAR_DAEMON_RELAY_RULE_H
#define SWITCHGEAR_DAEMON_RELAY_RULE_H

#include <stddef.h>

#include "core/status.h"
#include "core/why.h"
#include "daemon/servers.h"
#include "io/relay.h"

/*
 * Fills what is done with connections that were meant for s. `to`: who gets them, s itself if it
 * is back; NULL: the relay answers itself. `why` they are denied, and the candidates as they were
 * judged last, are what agents are told. Equal rules are equal by their bytes. -EINVAL: a URL holds a secret, or there is no address;
 * -ENAMETOOLONG.
 */
int relay_rule_fill(const struct server *s, const struct server *to, const struct why *why,
		    const struct status_candidate *candidates, size_t n_candidates,
		    struct relay_rule *rule) MUST_CHECK;

#endif
