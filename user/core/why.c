/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/names.h"

static const char *const rules[] = {
	[WHY_NOTHING] = "nothing", [WHY_QUARANTINE] = "quarantine", [WHY_ORDER] = "order",
	[WHY_OPEN] = "open",       [WHY_HALF_OPEN] = "half_open",   [WHY_RAMP] = "ramp",
};

NAME_FUNCTIONS(why_rule, unsigned int, rules, WHY_RULE_COUNT)

/* What a failure is called, by its cause; NULL: it is none that opens a breaker. */
static const char *failure_of(const struct status_cause *c)
{
	static const char *const words[SG_CAUSE_COUNT] = {
		[SG_CAUSE_REFUSED] = "refused connects",
		[SG_CAUSE_TIMEOUT] = "unanswered connects",
		[SG_CAUSE_UNREACHABLE] = "connects to an unreachable host",
		[SG_CAUSE_RESET] = "reset connections",
		[SG_CAUSE_TRUNCATED] = "answers cut off",
		[SG_CAUSE_NO_ANSWER] = "calls without an answer in time",
		[SG_CAUSE_LEASE] = "calls without an answer in time",
		[SG_CAUSE_ABANDONED] = "calls that agents gave up",
		[SG_CAUSE_STATUS] = "HTTP errors",
		[SG_CAUSE_BAD_RESPONSE] = "malformed answers",
		[SG_CAUSE_TLS] = "failed TLS handshakes",
		[SG_CAUSE_CERTIFICATE] = "expired certificates",
		[SG_CAUSE_LIMITED] = "calls over its rate limit",
		[SG_CAUSE_NO_ROUTE] = "answers \"not found\"",
		[SG_CAUSE_ANSWER] = "answers with an error",
	};

	return c->class == SG_HARD || c->class == SG_SOFT ? words[c->cause % SG_CAUSE_COUNT] : NULL;
}

/* The two most frequent causes of the last hour: "HTTP errors (12), refused connects (3)"; "" if
 * nothing failed. */
static void failures_print(const struct status_server *s, char *out, size_t size)
{
	const struct status_cause *said = NULL;
	size_t n = 0;

	out[0] = '\0';
	for (int round = 0; round < 2; round++) {
		const struct status_cause *most = NULL;

		for (size_t i = 0; i < s->n_causes; i++) {
			const struct status_cause *c = &s->causes[i];

			if (c != said && c->calls && failure_of(c) &&
			    (!most || c->calls > most->calls))
				most = c;
		}
		if (!most || n >= size)
			break;
		n += (size_t)snprintf(out + n, size - n, "%s%s (%" PRIu64 ")", round ? ", " : "",
				      failure_of(most), most->calls);
		said = most;
	}
}

static void why_quarantine(const struct status_server *s, struct why *ret)
{
	ret->rule = WHY_QUARANTINE;
	ret->since_wall_ns = s->quarantine.since_wall_ns;
	ret->until_wall_ns = s->quarantine.until_wall_ns;
	snprintf(ret->by, sizeof(ret->by), "%s", s->quarantine.by);
	snprintf(ret->because, sizeof(ret->because), "it is in quarantine%s%s",
		 *s->quarantine.reason ? ": " : "", s->quarantine.reason);
}

static void why_order(const struct status_server *s, struct why *ret)
{
	ret->rule = WHY_ORDER;
	if (s->ordered) {
		ret->since_wall_ns = s->order.since_wall_ns;
		ret->until_wall_ns = s->order.until_wall_ns;
		snprintf(ret->by, sizeof(ret->by), "%s", s->order.by);
	}
	snprintf(ret->because, sizeof(ret->because), "an operator has taken it out of service%s%s",
		 s->ordered && *s->order.reason ? ": " : "", s->ordered ? s->order.reason : "");
}

static void why_breaker(const struct status_server *s, enum why_rule rule, uint64_t now,
			struct why *ret)
{
	static const char *const words[WHY_RULE_COUNT] = {
		[WHY_OPEN] = "its circuit breaker is open",
		[WHY_HALF_OPEN] = "its circuit breaker is half-open: a few calls are let through",
		[WHY_RAMP] = "it is well again, and gets only a growing share of the calls for now",
	};
	char failures[160];

	ret->rule = rule;
	ret->since_wall_ns = s->since_wall_ns;
	if (s->breaker.open_remaining_ns && s->breaker.open_remaining_ns != STATUS_NEVER)
		ret->until_wall_ns = now + s->breaker.open_remaining_ns;
	failures_print(s, failures, sizeof(failures));
	snprintf(ret->because, sizeof(ret->because), "%s%s%s%s", words[rule],
		 *failures ? " (in the last hour: " : "", failures, *failures ? ")" : "");
}

void why_of(const struct status_server *s, uint64_t now, struct why *ret)
{
	*ret = (struct why){ .until_wall_ns = STATUS_NEVER };
	if (s->quarantined)
		why_quarantine(s, ret);
	else if (s->state == SG_FORCED_OPEN)
		why_order(s, ret);
	else if (s->state == SG_OPEN)
		why_breaker(s, WHY_OPEN, now, ret);
	else if (s->state == SG_HALF_OPEN)
		why_breaker(s, WHY_HALF_OPEN, now, ret);
	else if (s->state == SG_RAMP)
		why_breaker(s, WHY_RAMP, now, ret);
}
