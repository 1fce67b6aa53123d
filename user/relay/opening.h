/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Begins a session of the relay's own at a target: initialize, and notifications/initialized. It
 * is nobody's in particular: who needs it waits (session_wait()), and may go meanwhile.
 */
#ifndef SWITCHGEAR_RELAY_OPENING_H
#define SWITCHGEAR_RELAY_OPENING_H

#include "codec/http1.h"
#include "relay/env.h"

#define OPENING_NS 10000000000ULL /* for all of it */
#define OPENING_DEFAULT "2025-06-18"

/*
 * `http`: the request for which it is begun, of which version and, where the rule shares them,
 * credentials are the agent's; copied. Sets session->opening; those who wait are
 * called from the loop: -ECONNREFUSED (nobody is there), else -EIO. Holds rule and session. -errno:
 * not begun.
 */
int opening_begin(struct env *env, struct session *session, struct rule *rule,
		  const struct http1 *http) MUST_CHECK;

#endif
