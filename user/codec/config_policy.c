/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The `breaker` and `trust` objects. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "codec/config_read.h"

static bool read_parameter(struct config_reader *r, const struct config_value *v,
			   const struct policy_key *key, void *policy)
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

static void *member(const struct config_value *v, void *target)
{
	return (char *)target + v->key->offset;
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

static int read_trust_key(struct config_reader *r, const struct config_value *v, void *policy)
{
	const struct policy_key *key = trust_key_find(v->path.key);

	return key ? read_parameter(r, v, key, policy) : -ENOENT;
}

bool config_read_trust(struct config_reader *r, const struct config_value *v, void *target)
{
	const char *names[TRUST_KEY_COUNT + 1] = { NULL };
	struct config_keys keys = { .names = names, .other = read_trust_key };
	char why[256];

	for (size_t i = 0; i < TRUST_KEY_COUNT; i++)
		names[i] = trust_keys[i].name;
	if (!config_read_object(r, v, &keys, member(v, target)))
		return false;
	if (trust_policy_check(member(v, target), why, sizeof(why)) >= 0)
		return true;
	return config_complain(r, &v->path, false, "%s", why);
}
