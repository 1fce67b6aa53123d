/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One table per enumeration. */
#include "core/names.h"

#include <errno.h>
#include <string.h>

static const char *const state_names[] = {
	[SG_CLOSED] = "closed",           [SG_OPEN] = "open",
	[SG_HALF_OPEN] = "half_open",     [SG_RAMP] = "ramp",
	[SG_FORCED_OPEN] = "forced_open", [SG_FORCED_CLOSED] = "forced_closed",
	[SG_DISABLED] = "disabled",       [SG_SHADOW] = "shadow",
};
NAME_FUNCTIONS(state, unsigned int, state_names, SG_STATE_COUNT)

static const char *const reason_names[] = {
	[SG_REASON_NONE] = "none",
	[SG_REASON_CONSECUTIVE] = "consecutive",
	[SG_REASON_FAILURE_RATE] = "failure_rate",
	[SG_REASON_SLOW_RATE] = "slow_rate",
	[SG_REASON_HALF_OPEN_FAILED] = "half_open_failed",
	[SG_REASON_HALF_OPEN_TIMEOUT] = "half_open_timeout",
	[SG_REASON_DEADLINE] = "deadline",
	[SG_REASON_PROBES_PASSED] = "probes_passed",
	[SG_REASON_REACHABLE] = "reachable",
	[SG_REASON_RAMP_DONE] = "ramp_done",
	[SG_REASON_MANUAL] = "manual",
	[SG_REASON_RESET] = "reset",
	[SG_REASON_FORCE_EXPIRED] = "force_expired",
	[SG_REASON_RESTART] = "restart",
	[SG_REASON_OWN_PROBE] = "own_probe",
};
NAME_FUNCTIONS(reason, unsigned int, reason_names, SG_REASON_COUNT)

static const char *const class_names[] = {
	[SG_SUCCESS] = "success", [SG_HARD] = "hard",   [SG_SOFT] = "soft",       [SG_APP] = "app",
	[SG_CALLER] = "caller",   [SG_LOCAL] = "local", [SG_UNKNOWN] = "unknown",
};
NAME_FUNCTIONS(class, unsigned int, class_names, SG_CLASS_COUNT)

static const char *const cause_names[] = {
	[SG_CAUSE_NONE] = "none",
	[SG_CAUSE_REFUSED] = "refused",
	[SG_CAUSE_TIMEOUT] = "timeout",
	[SG_CAUSE_UNREACHABLE] = "unreachable",
	[SG_CAUSE_RESET] = "reset",
	[SG_CAUSE_TRUNCATED] = "truncated",
	[SG_CAUSE_NO_ANSWER] = "no_answer",
	[SG_CAUSE_ABANDONED] = "abandoned",
	[SG_CAUSE_STATUS] = "status",
	[SG_CAUSE_BAD_RESPONSE] = "bad_response",
	[SG_CAUSE_TLS] = "tls",
	[SG_CAUSE_KILLED] = "killed",
	[SG_CAUSE_LEASE] = "lease",
	[SG_CAUSE_ANSWER] = "answer",
	[SG_CAUSE_OTHER_ADDRESS] = "other_address",
	[SG_CAUSE_OPTIONS] = "options",
	[SG_CAUSE_STALE] = "stale",
	[SG_CAUSE_ASLEEP] = "asleep",
	[SG_CAUSE_HOST_OFFLINE] = "host_offline",
	[SG_CAUSE_UNSEEN] = "unseen",
	[SG_CAUSE_DISTRUST] = "distrust",
	[SG_CAUSE_CERTIFICATE] = "certificate",
	[SG_CAUSE_LIMITED] = "rate_limited",
	[SG_CAUSE_NO_ROUTE] = "no_route",
	[SG_CAUSE_PROXY] = "proxy",
};
NAME_FUNCTIONS(cause, unsigned int, cause_names, SG_CAUSE_COUNT)

const char *name_of(const char *const *table, size_t count, unsigned int value)
{
	return value < count ? table[value] : "unknown";
}

int value_of(const char *const *table, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(table[i], name))
			return (int)i;
	return -EINVAL;
}
