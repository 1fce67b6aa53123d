/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ratings that a server's score is made of, for `explain`. */
#ifndef SWITCHGEAR_CODEC_COMMUNITY_EXPLAIN_H
#define SWITCHGEAR_CODEC_COMMUNITY_EXPLAIN_H

#include "codec/community.h"
#include "codec/messages_trust.h"

#define COMMUNITY_RATERS_SHOWN 128U /* the heaviest; the others are added up */

/* Fills in the raters, as they count now; `server` is an index of c->web.servers, the web is
 * weighed. -ENOMEM: reply_explain_done() in any case. */
int community_explain(const struct community *c, const struct trust_policy *p, uint32_t server,
		      uint64_t wall_ns, struct reply_explain *to) MUST_CHECK;

#endif
