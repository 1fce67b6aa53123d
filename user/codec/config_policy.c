/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The `breaker` and `trust` objects. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "codec/config_read.h"

static bool read_parameter(struct config_reader *r, const struct config_value *v,
			   const struct policy_key *key, struct breaker_policy *policy)
{
	char why[200] = "";
	double value = 0;
	uint64_t ns;

	if (key->type == POLICY_FLAG) {
		if (!config_is(r, v, json_type_boolean, "true or false"))
			return false;
		value = json_object_get_boolean(v->obj);
	} else if ((key->type == POLICY_SECONDS || key->type == POLICY_PERIOD) &&
		   json_object_is_type(v->obj, json_type_string)) {
		if (!config_duration(r, v, 0, UINT64_MAX - 1, &ns))
			return false;
		value = (double)ns / (double)NS_PER_SEC;
	} else {
		if (!json_object_is_type(v->obj, json_type_double) &&
		    !config_is(r, v, json_type_int, "a number"))
			return false;
		value = json_object_get_double(v->obj);
	}
	if (policy_key_set(policy, key, value, why, sizeof(why)) < 0)
		return config_complain(r, &v->path, true, "%s", why);
	return true;
}

int config_read_breaker_key(struct config_reader *r, const struct config_value *v, void *policy)
{
	const struct policy_key *key = policy_key_find(v->path.key);

	return key ? read_parameter(r, v, key, policy) : -ENOENT;
}

static struct breaker_policy *member(const struct config_value *v, void *target)
{
	return (void *)((char *)target + v->key->offset);
}

bool config_read_breaker(struct config_reader *r, const struct config_value *v, void *target)
{
	static const struct config_keys keys = { .other = config_read_breaker_key,
						 .breaker_keys = true };

	return config_read_object(r, v, &keys, member(v, target));
}

bool config_check_policy(struct config_reader *r, const struct json_path *path,
			 const struct breaker_policy *policy)
{
	char why[256];

	if (breaker_policy_check(policy, why, sizeof(why)) >= 0)
		return true;
	return config_complain(r, path, false, "%s", why);
}

bool config_read_policy(struct config_reader *r, const struct config_value *v, void *target)
{
	return config_read_breaker(r, v, target) &&
	       config_check_policy(r, &v->path, member(v, target));
}

/* clang-format off */
static const char *const trust_numbers[] = {
	"prior", "prior_weight", "fast_half_life_seconds", "fast_cap", "slow_half_life_seconds",
	"slow_cap", "hard_weight", "soft_weight", "latency_target_seconds", "evidence_cap",
	"evidence_bucket_seconds", "trusted", "trusted_leave", "dwell_seconds",
	"dwell_max_seconds", "quarantine_confidence", "community_weight", "unknown_pool",
	"path_decay", "path_depth", "negative_weight", "rating_half_life_days", "unscanned",
	"scan_max_age_days", "security_rise_per_day", "scar_days", "watch", "watch_return",
	"strike_penalty", "strike_max", "strike_decay_days", NULL
};
/* clang-format on */

static int other_is_number(struct config_reader *r, const struct config_value *v, void *target)
{
	(void)target;
	if (!config_is_name(trust_numbers, v->path.key))
		return -ENOENT;
	return json_object_is_type(v->obj, json_type_double) ||
	       config_is(r, v, json_type_int, "a number");
}

bool config_read_trust(struct config_reader *r, const struct config_value *v, void *target)
{
	static const struct config_key flag = { .name = "auto_quarantine",
						.read = config_read_bool };
	static const struct config_keys keys = { &flag, 1, trust_numbers, other_is_number, false };
	bool ignored;

	(void)target;
	return config_read_object(r, v, &keys, &ignored);
}
