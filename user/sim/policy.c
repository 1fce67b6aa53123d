/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "sim/policy.h"

#include <errno.h>
#include <string.h>

#include "codec/config_read.h"
#include "codec/jsonget.h"

static const struct config_key parts[] = {
	CONFIG_KEY("breaker", config_read_policy, sim_policy, breaker),
	CONFIG_KEY("trust", config_read_trust, sim_policy, trust),
};

static int read_bare(struct config_reader *r, const struct config_value *v, void *target)
{
	return config_read_breaker_key(r, v, &((struct sim_policy *)target)->breaker);
}

static bool read_document(struct config_reader *r, struct json_object *root,
			  struct sim_policy *policy)
{
	static const struct config_keys whole = { .keys = parts, .n = ARRAY_SIZE(parts) };
	static const struct config_keys bare = {
		.keys = parts, .n = ARRAY_SIZE(parts), .other = read_bare, .breaker_keys = true
	};
	struct config_value v = { .obj = root };

	if (!json_object_is_type(root, json_type_object))
		return config_complain(r, NULL, true,
				       "a policy is an object: { \"breaker\": { } }");
	if (json_object_object_get_ex(root, "breaker", NULL) ||
	    json_object_object_get_ex(root, "trust", NULL))
		return config_read_object(r, &v, &whole, policy);
	return config_read_object(r, &v, &bare, policy) &&
	       config_check_policy(r, NULL, &policy->breaker);
}

int sim_policy_parse(const char *text, size_t len, const char *file, struct sim_policy *ret,
		     struct buf *errors)
{
	struct config_reader r = { .text = text, .len = len, .file = file, .errors = errors };
	struct sim_policy policy = { breaker_policy_defaults(), trust_policy_defaults() };
	CLEANUP(json_putp) struct json_object *root = NULL;
	int e = config_read_tree(&r, "policy", &root);
	bool good;

	if (e)
		return e;
	good = read_document(&r, root, &policy);
	if (r.no_memory)
		return -ENOMEM;
	if (!good || r.n_errors)
		return -EINVAL;
	*ret = policy;
	return 0;
}
