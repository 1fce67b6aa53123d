/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/fallback.h"

#include <stdio.h>
#include <string.h>

#include "core/select.h"

#define CANDIDATES_MAX 64U

static bool gets_connects(const struct status_server *s)
{
	return s->state == SG_CLOSED || s->state == SG_FORCED_CLOSED || s->state == SG_DISABLED ||
	       s->state == SG_SHADOW;
}

bool fallback_usable(const struct fallback_candidate *c, bool partial, char *out, size_t size)
{
	const struct status_server *s = c->status;
	const char *why = "";

	out[0] = '\0';
	if (s->quarantined)
		why = "it is in quarantine";
	else if (s->orphan)
		why = "it is not configured any more";
	else if (s->state == SG_RAMP)
		why = "it is in its slow start";
	else if (!gets_connects(s))
		(void)select_use(s, false, &why);
	else if (!c->addressed)
		why = "no address of it is known";
	else if (!c->asked)
		why = "it has not been asked yet";
	if (*why)
		snprintf(out, size, "%s", why);
	else if (!gets_connects(s))
		snprintf(out, size, "it is not watched");
	else if (!c->answered)
		snprintf(out, size, "it does not answer: %s", c->failure);
	else if (c->missing && !partial)
		snprintf(out, size, "it does not offer %zu of the tools (%s)", c->missing,
			 c->differs);
	return !out[0];
}

size_t fallback_choose(const struct fallback_candidate *v, size_t n, bool by_trust, bool partial)
{
	const struct status_server *statuses[CANDIDATES_MAX] = { 0 };
	size_t order[CANDIDATES_MAX];
	char why[16];

	if (n > CANDIDATES_MAX)
		n = CANDIDATES_MAX;
	for (size_t i = 0; i < n; i++)
		statuses[i] = v[i].status;
	select_order(statuses, n, false, by_trust, order);
	for (size_t i = 0; i < n; i++)
		if (fallback_usable(&v[order[i]], partial, why, sizeof(why)))
			return order[i];
	return FALLBACK_NONE;
}
