/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The document as a whole. */
#include "codec/config.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "codec/config_read.h"
#include "codec/jsonget.h"

#define RESOLVE_DEFAULT_NS (30 * NS_PER_SEC)
#define DAY_NS (86400 * NS_PER_SEC)

/* --- servers ------------------------------------------------------------------- */

static bool is_disabled(const struct json_object *obj)
{
	return jget_bool(obj, "disabled", false) || !jget_bool(obj, "enabled", true) ||
	       !jget_bool(obj, "isActive", true);
}

static bool read_server(struct config_reader *r, const struct config_value *v,
			struct config *config)
{
	struct config_server *server = &config->servers[config->n_servers];

	if (!config_check_name(r, &v->path, false, v->path.key))
		return false;
	config->n_servers++;
	snprintf(server->name, sizeof(server->name), "%s", v->path.key);
	return config_read_server(r, v, config, server);
}

static bool read_servers(struct config_reader *r, const struct config_value *v,
			 const struct config_key *key, void *target)
{
	struct config *config = target;
	size_t n = 0;
	bool good = true;

	(void)key;
	if (!config_is(r, v, json_type_object, "an object of servers { \"NAME\": { } }"))
		return false;
	json_object_object_foreach(v->obj, counted, counted_obj)
	{
		(void)counted;
		n += !is_disabled(counted_obj);
	}
	if (n > config->limit_servers)
		return config_complain(
			r, &v->path, false,
			"%zu servers; at most %u are allowed here (limits.servers, up "
			"to %u)",
			n, config->limit_servers, CONFIG_SERVERS_MAX);
	config->servers = calloc(n ? n : 1, sizeof(*config->servers));
	if (!config->servers)
		return config_no_memory(r);
	json_object_object_foreach(v->obj, name, obj)
	{
		struct config_value child = { { &v->path, name, 0 }, obj };

		if (!is_disabled(obj))
			good &= read_server(r, &child, config);
	}
	return good;
}

/* --- the document's own keys ----------------------------------------------------- */

static bool read_mode(struct config_reader *r, const struct config_value *v,
		      const struct config_key *key, void *target)
{
	static const char *const words[] = { "enforce", "observe", NULL };
	int word = config_word(r, v, words);

	(void)key;
	((struct config *)target)->observe = word == 1;
	return word >= 0;
}

static bool read_api_read(struct config_reader *r, const struct config_value *v,
			  const struct config_key *key, void *target)
{
	static const char *const words[] = { "all", "group", NULL };
	int word = config_word(r, v, words);

	(void)key;
	((struct config *)target)->api_read_group = word == 1;
	return word >= 0;
}

static bool read_metrics(struct config_reader *r, const struct config_value *v,
			 const struct config_key *key, void *target)
{
	const char *text = config_text(r, v);
	struct addr addr;
	uint16_t port;

	if (!text)
		return false;
	if (strcmp(text, "off") && parse_addr_port(text, &addr, &port) < 0)
		return config_complain(
			r, &v->path, true,
			"\"%s\" is not an address; write \"127.0.0.1:9464\" or \"off\"", text);
	return config_read_text(r, v, key, target);
}

static bool read_path(struct config_reader *r, const struct config_value *v,
		      const struct config_key *key, void *target)
{
	const char *text = config_text(r, v);

	if (!text)
		return false;
	if (*text != '/')
		return config_complain(r, &v->path, true, "not an absolute path; begin it with /");
	return config_read_text(r, v, key, target);
}

static bool read_cgroup(struct config_reader *r, const struct config_value *v,
			const struct config_key *key, void *target)
{
	const char *text = config_text(r, v);

	if (text && !strcmp(text, "auto"))
		return true;
	return text && read_path(r, v, key, target);
}

static bool read_interfaces(struct config_reader *r, const struct config_value *v,
			    const struct config_key *key, void *target)
{
	const struct config_list *list = &((struct config *)target)->interfaces;

	if (!config_read_list(r, v, key, target))
		return false;
	for (size_t i = 0; i < list->n; i++) {
		struct json_path path = { &v->path, NULL, i };
		size_t n = strlen(list->v[i]);

		if (!n || n > 15 || strpbrk(list->v[i], "/ "))
			return config_complain(r, &path, true,
					       "\"%s\" is not the name of an interface",
					       list->v[i]);
	}
	return true;
}

static bool read_limits(struct config_reader *r, const struct config_value *v,
			const struct config_key *key, void *target)
{
	static const struct config_key table[] = {
		{ "endpoints", config_read_u32, offsetof(struct config, limit_endpoints), 1,
		  1U << 22 },
		{ "servers", config_read_u32, offsetof(struct config, limit_servers), 1,
		  CONFIG_SERVERS_MAX },
	};
	static const struct config_keys keys = { .keys = table, .n = ARRAY_SIZE(table) };

	(void)key;
	return config_read_object(r, v, &keys, target);
}

static bool read_default_breaker(struct config_reader *r, const struct config_value *v,
				 const struct config_key *key, void *target)
{
	struct config *config = target;

	(void)key;
	return config_read_breaker(r, v, &config->policy) &&
	       config_check_policy(r, &v->path, &config->policy);
}

static bool read_default_trust(struct config_reader *r, const struct config_value *v,
			       const struct config_key *key, void *target)
{
	bool good = config_read_trust(r, v);

	(void)key;
	(void)target;
	if (good && json_object_object_length(v->obj))
		config_warn(r, &v->path, "\"trust\" does nothing yet: there is no trust score");
	return good;
}

static bool read_default_on_open(struct config_reader *r, const struct config_value *v,
				 const struct config_key *key, void *target)
{
	struct config *config = target;
	int word = config_on_open(r, v);

	(void)key;
	if (word < 0)
		return false;
	config->on_open = (enum on_open)word;
	config->has_on_open = true;
	return true;
}

static bool read_defaults(struct config_reader *r, const struct config_value *v,
			  const struct config_key *key, void *target)
{
	static const struct config_key table[] = {
		{ "breaker", read_default_breaker, 0, 0, 0 },
		{ "trust", read_default_trust, 0, 0, 0 },
		{ "on_open", read_default_on_open, 0, 0, 0 },
	};
	static const struct config_keys keys = { .keys = table, .n = ARRAY_SIZE(table) };

	(void)key;
	return config_read_object(r, v, &keys, target);
}

static bool read_foreign_servers(struct config_reader *r, const struct config_value *v,
				 const struct config_key *key, void *target)
{
	(void)key;
	(void)target;
	return config_complain(
		r, &v->path, false,
		"this client's key for its servers is \"mcpServers\" here; rename it");
}

/* Read in this order, not the file's: the servers need what stands before them. */
static const struct config_key document_keys[] = {
	{ "mode", read_mode, 0, 0, 0 },
#define SETTING_KEY(key, reader, argument, fallback, help) \
	{ #key, reader, offsetof(struct config, key), 0, 0 },
	CONFIG_SETTINGS(SETTING_KEY)
#undef SETTING_KEY
		{ "interfaces", read_interfaces, offsetof(struct config, interfaces), 0,
		  CONFIG_INTERFACES_MAX },
	{ "api_read", read_api_read, 0, 0, 0 },
	{ "resolve_seconds", config_read_duration, offsetof(struct config, resolve_ns), NS_PER_SEC,
	  DAY_NS },
	{ "limits", read_limits, 0, 0, 0 },
	{ "defaults", read_defaults, 0, 0, 0 },
	{ "mcpServers", read_servers, 0, 0, 0 },
};

/* Other keys of clients' files: those without a use, and those that are told something. */
static const char *const unused_keys[] = { "$schema", "inputs", "globalShortcut", NULL };
static const struct config_key client_keys[] = {
	{ "servers", read_foreign_servers, 0, 0, 0 },
	{ "context_servers", read_foreign_servers, 0, 0, 0 },
	{ "mcp", read_foreign_servers, 0, 0, 0 },
};

static const struct config_key *key_find(const struct config_key *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	}
	return NULL;
}

static void read_document(struct config_reader *r, struct json_object *root, struct config *config)
{
	static const struct config_keys keys = { .keys = document_keys,
						 .n = ARRAY_SIZE(document_keys) };
	struct config_value whole = { .obj = root };

	if (!json_object_is_type(root, json_type_object)) {
		config_complain(r, NULL, true,
				"a configuration is an object: { \"mcpServers\": { } }");
		return;
	}
	json_object_object_foreach(whole.obj, name, member)
	{
		struct config_value v = { { NULL, name, 0 }, member };
		const struct config_key *foreign =
			key_find(client_keys, ARRAY_SIZE(client_keys), name);

		if (foreign)
			foreign->read(r, &v, foreign, config);
		else if (!config_is_name(unused_keys, name) &&
			 !key_find(document_keys, ARRAY_SIZE(document_keys), name))
			config_unknown_key(r, &v.path, &keys);
	}
	for (size_t i = 0; i < ARRAY_SIZE(document_keys); i++) {
		const struct config_key *key = &document_keys[i];
		struct config_value v = { { NULL, key->name, 0 }, NULL };

		if (json_object_object_get_ex(root, key->name, &v.obj))
			key->read(r, &v, key, config);
	}
}

/* --- all of it ------------------------------------------------------------------ */

int config_parse(const char *text, size_t len, const char *file, const struct config_env *env,
		 struct config **ret, struct buf *errors)
{
	struct config_reader r = {
		.text = text, .len = len, .file = file, .env = env, .errors = errors
	};
	CLEANUP(json_putp) struct json_object *root = NULL;
	CLEANUP(config_freep) struct config *config = NULL;
	int e = config_read_tree(&r, "configuration", &root);

	if (e)
		return e;
	config = calloc(1, sizeof(*config));
	if (!config)
		return -ENOMEM;
	config->policy = breaker_policy_defaults();
	config->limit_endpoints = SG_ENDPOINTS_DEFAULT;
	config->limit_servers = CONFIG_SERVERS_MAX;
	config->resolve_ns = RESOLVE_DEFAULT_NS;
	read_document(&r, root, config);
	if (!r.n_errors)
		config_check_across(&r, config);
	if (r.no_memory)
		return -ENOMEM;
	if (r.n_errors)
		return -EINVAL;
	*ret = TAKE_PTR(config);
	return 0;
}
