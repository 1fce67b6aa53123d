/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/trust_policy.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

#define DAY 86400.0
#define MONTH (31 * DAY)
#define YEAR (366 * DAY)

#define ROW(kind, key, fallback, least, most, help) \
	{ #key, offsetof(struct trust_policy, key), POLICY_##kind, fallback, least, most, help },

const struct policy_key trust_keys[TRUST_KEY_COUNT] = { TRUST_KEYS(ROW) };

struct trust_policy trust_policy_defaults(void)
{
	struct trust_policy policy = { 0 };

	policy_keys_default(&policy, trust_keys, TRUST_KEY_COUNT);
	return policy;
}

const struct policy_key *trust_key_find(const char *name)
{
	for (size_t i = 0; i < TRUST_KEY_COUNT; i++)
		if (!strcmp(trust_keys[i].name, name))
			return &trust_keys[i];
	return NULL;
}

/* Pairs of which the first must not exceed the second, by their names. */
static const char *const ordered[][2] = {
	{ "soft_weight", "hard_weight" }, { "fast_half_life_seconds", "slow_half_life_seconds" },
	{ "fast_cap", "slow_cap" },       { "watch", "watch_return" },
	{ "watch_return", "trusted" },    { "watch", "trusted_leave" },
	{ "trusted_leave", "trusted" },   { "dwell_seconds", "dwell_max_seconds" },
};

int trust_policy_check(const struct trust_policy *p, char *why, size_t why_size)
{
	int r = policy_keys_check(p, trust_keys, TRUST_KEY_COUNT, why, why_size);

	for (size_t i = 0; !r && i < ARRAY_SIZE(ordered); i++) {
		double less = policy_key_get(p, trust_key_find(ordered[i][0]));
		double more = policy_key_get(p, trust_key_find(ordered[i][1]));

		if (less > more)
			r = explain(-EINVAL, why, why_size,
				    "%s is %.10g, more than %s %.10g: it must be at most as much",
				    ordered[i][0], less, ordered[i][1], more);
	}
	if (!r && p->strike_penalty * p->strike_max > 100)
		r = explain(-EINVAL, why, why_size,
			    "strike_penalty %.10g times strike_max %u is more than 100: the score "
			    "would be negative",
			    p->strike_penalty, p->strike_max);
	return r;
}
