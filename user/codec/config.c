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

static bool read_servers(struct config_reader *r, const struct config_value *v, void *target)
{
	struct config *config = target;
	size_t n = 0;
	bool good = true;

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
		struct config_value child = { { &v->path, name, 0 }, obj, NULL };

		if (!is_disabled(obj))
			good &= read_server(r, &child, config);
	}
	return good;
}

/* --- the document's own keys ----------------------------------------------------- */

static bool read_metrics(struct config_reader *r, const struct config_value *v, void *target)
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
	return config_read_text(r, v, target);
}

static bool read_path(struct config_reader *r, const struct config_value *v, void *target)
{
	const char *text = config_text(r, v);

	if (!text)
		return false;
	if (*text != '/')
		return config_complain(r, &v->path, true, "not an absolute path; begin it with /");
	return config_read_text(r, v, target);
}

static bool read_cgroup(struct config_reader *r, const struct config_value *v, void *target)
{
	const char *text = config_text(r, v);

	if (text && !strcmp(text, "auto"))
		return true;
	return text && read_path(r, v, target);
}

static bool read_interfaces(struct config_reader *r, const struct config_value *v, void *target)
{
	const struct config_list *list = &((struct config *)target)->interfaces;

	if (!config_read_list(r, v, target))
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

/* Of a proxy host and port are kept, and nothing of its user information. */
static bool read_proxies(struct config_reader *r, const struct config_value *v, void *target)
{
	struct config_list *list = &((struct config *)target)->proxies;

	if (!config_read_list(r, v, target))
		return false;
	for (size_t i = 0; i < list->n; i++) {
		struct json_path path = { &v->path, NULL, i };
		CLEANUP(url_done) struct url url = {};
		char text[URL_HOST_MAX + 16];
		const char *why = NULL;
		char *kept;
		int e = url_parse(list->v[i], &url, &why);

		if (e == -ENOMEM)
			return config_no_memory(r);
		if (e || url.scheme != URL_HTTP)
			return config_complain(
				r, &path, true,
				"%s; write \"http://HOST:PORT\": what is said to other proxies "
				"than those of HTTP in clear cannot be read",
				e ? why : "this is no proxy whose connections can be watched");
		snprintf(text, sizeof(text), strchr(url.host, ':') ? "[%s]:%u" : "%s:%u", url.host,
			 url.port);
		kept = strdup(text);
		if (!kept)
			return config_no_memory(r);
		free(list->v[i]);
		list->v[i] = kept;
	}
	return true;
}

static const char *const mode_words[] = { "enforce", "observe", NULL };
static const char *const api_read_words[] = { "all", "group", NULL };

static const struct config_key limit_keys[] = {
	CONFIG_KEY("endpoints", config_read_u32, config, limit_endpoints, .min = 1,
		   .max = 1U << 22),
	CONFIG_KEY("servers", config_read_u32, config, limit_servers, .min = 1,
		   .max = CONFIG_SERVERS_MAX),
};
static const struct config_keys limits = { .keys = limit_keys, .n = ARRAY_SIZE(limit_keys) };

static const struct config_key history_keys[] = {
	CONFIG_KEY("days", config_read_u32, config, history_days, .min = 1, .max = 36500),
	CONFIG_KEY("megabytes", config_read_u32, config, history_megabytes, .min = 1,
		   .max = 1U << 20),
};
static const struct config_keys history = { .keys = history_keys, .n = ARRAY_SIZE(history_keys) };

static const struct config_key default_keys[] = {
	CONFIG_KEY("breaker", config_read_policy, config, policy),
	CONFIG_KEY("trust", config_read_trust, config, trust),
	CONFIG_KEY("on_open", config_read_word, config, on_open, .words = on_open_words),
};
static const struct config_keys defaults = { .keys = default_keys, .n = ARRAY_SIZE(default_keys) };

/* Read in this order, not the file's: the servers need what stands before them. */
static const struct config_key document_keys[] = {
	CONFIG_KEY("mode", config_read_second, config, observe, .words = mode_words),
#define SETTING_KEY(key, reader, ...) CONFIG_KEY(#key, reader, config, key),
	CONFIG_SETTINGS(SETTING_KEY)
#undef SETTING_KEY
		CONFIG_KEY("interfaces", read_interfaces, config, interfaces,
			   .max = CONFIG_INTERFACES_MAX),
	CONFIG_KEY("proxies", read_proxies, config, proxies, .max = CONFIG_PROXIES_MAX),
	CONFIG_KEY("api_read", config_read_second, config, api_read_group, .words = api_read_words),
	CONFIG_KEY("resolve_seconds", config_read_duration, config, resolve_ns, .min = NS_PER_SEC,
		   .max = DAY_NS),
	CONFIG_KEY("isolation", config_read_isolation, config, isolation),
	{ .name = "limits", .read = config_read_keys, .keys = &limits },
	{ .name = "history", .read = config_read_keys, .keys = &history },
	{ .name = "defaults", .read = config_read_keys, .keys = &defaults },
	CONFIG_KEY("mcpServers", read_servers, config, servers),
};

/* Other keys of clients' files: those without a use, and those of the servers. */
static const char *const unused_keys[] = { "$schema", "inputs", "globalShortcut", NULL };
static const char *const foreign_keys[] = { "servers", "context_servers", "mcp", NULL };

static bool is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(document_keys); i++) {
		if (!strcmp(document_keys[i].name, name))
			return true;
	}
	return config_is_name(unused_keys, name);
}

static void read_document(struct config_reader *r, struct json_object *root, struct config *config)
{
	static const struct config_keys keys = { .keys = document_keys,
						 .n = ARRAY_SIZE(document_keys) };

	if (!json_object_is_type(root, json_type_object)) {
		config_complain(r, NULL, true,
				"a configuration is an object: { \"mcpServers\": { } }");
		return;
	}
	json_object_object_foreach(root, name, member)
	{
		struct json_path path = { NULL, name, 0 };

		(void)member;
		if (config_is_name(foreign_keys, name))
			config_complain(r, &path, false,
					"this client's key for its servers is \"mcpServers\" here; "
					"rename it");
		else if (!is_known(name))
			config_unknown_key(r, &path, &keys);
	}
	for (size_t i = 0; i < ARRAY_SIZE(document_keys); i++) {
		const struct config_key *key = &document_keys[i];
		struct config_value v = { { NULL, key->name, 0 }, NULL, key };

		if (json_object_object_get_ex(root, key->name, &v.obj))
			key->read(r, &v, config);
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
	config->trust = trust_policy_defaults();
	config->limit_endpoints = SG_ENDPOINTS_DEFAULT;
	config->limit_servers = CONFIG_SERVERS_MAX;
	config->history_days = CONFIG_HISTORY_DAYS;
	config->history_megabytes = CONFIG_HISTORY_MEGABYTES;
	config->resolve_ns = RESOLVE_DEFAULT_NS;
	read_document(&r, root, config);
	if (!r.n_errors)
		config_check_across(&r, config);
	if (r.no_memory || buf_error(errors) == -ENOMEM) /* it must not fail without a word */
		return -ENOMEM;
	if (r.n_errors)
		return -EINVAL;
	*ret = TAKE_PTR(config);
	return 0;
}
