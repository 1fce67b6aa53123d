/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One entry of mcpServers. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "codec/bridges.h"
#include "codec/config_read.h"
#include "codec/jsonget.h"

/* What is read of an entry before it can be put together. */
struct draft {
	struct config_server server; /* the target; first, its members are rows too */
	const struct config *config;
	const struct json_path *path;
	struct json_path url_path; /* of the URL's key */
	char *url;
	char *command;
	struct config_list args;
	struct json_object *breaker; /* the member of that name, borrowed; may be NULL */
};

static void draft_done(struct draft *d)
{
	free(d->url);
	free(d->command);
	config_list_done(&d->args);
}

/* --- readers ---------------------------------------------------------------- */

static bool read_url(struct config_reader *r, const struct config_value *v, void *target)
{
	struct draft *d = target;

	if (d->url)
		return config_complain(r, &v->path, false,
				       "a second URL beside \"%s\"; keep one of the two",
				       d->url_path.key);
	d->url_path = v->path;
	d->url_path.key = v->key->name; /* the table's text outlives the loop over members */
	return config_read_text(r, v, target);
}

static bool read_networks(struct config_reader *r, const struct config_value *v, void *target)
{
	struct config_server *s = &((struct draft *)target)->server;
	size_t n;

	if (!config_is(r, v, json_type_array, "a list of networks like \"10.0.0.0/8\""))
		return false;
	n = json_object_array_length(v->obj);
	if (n > v->key->max)
		return config_complain(r, &v->path, true,
				       "%zu networks; at most %" PRIu64 " are allowed", n,
				       v->key->max);
	s->networks = calloc(n ? n : 1, sizeof(*s->networks));
	if (!s->networks)
		return config_no_memory(r);
	for (size_t i = 0; i < n; i++) {
		struct config_value item = { { &v->path, NULL, i },
					     json_object_array_get_idx(v->obj, i),
					     NULL };
		struct config_network *net = &s->networks[s->n_networks];
		const char *text = config_text(r, &item);

		if (!text)
			return false;
		if (parse_network(text, &net->addr, &net->prefix) < 0)
			return config_complain(
				r, &item.path, true,
				"\"%s\" is not a network; write it like 10.0.0.0/8 or "
				"fd00::/8, with no bits set behind the prefix",
				text);
		snprintf(net->text, sizeof(net->text), "%s", text);
		s->n_networks++;
	}
	return true;
}

static const int errnos[] = {
	ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN,     ENETDOWN, ETIMEDOUT, ECONNRESET,
	ECONNABORTED, EACCES,       EPERM,       EADDRNOTAVAIL, EIO,      EBUSY,
};

/* Some errnos tell a caller that a connect goes on or is done: those would lie. */
static bool errno_lies(int64_t value)
{
	return value == EINPROGRESS || value == EALREADY || value == EISCONN || value == EINTR ||
	       value == EAGAIN;
}

static bool read_deny_errno(struct config_reader *r, const struct config_value *v, void *target)
{
	struct config_server *s = &((struct draft *)target)->server;
	const char *names[ARRAY_SIZE(errnos) + 1] = { NULL };
	int64_t value;
	int word;

	if (json_object_is_type(v->obj, json_type_int)) {
		value = json_object_get_int64(v->obj);
		if (value < (int64_t)v->key->min || value > (int64_t)v->key->max ||
		    errno_lies(value))
			return config_complain(r, &v->path, true,
					       "%" PRId64
					       " cannot refuse a connect; use a name like "
					       "\"ECONNREFUSED\", or its number",
					       value);
		s->deny_errno = (uint32_t)value;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(errnos); i++)
		names[i] = strerrorname_np(errnos[i]);
	word = config_word(r, v, names);
	if (word >= 0)
		s->deny_errno = (uint32_t)errnos[word];
	return word >= 0;
}

static bool read_group(struct config_reader *r, const struct config_value *v, void *target)
{
	struct config_server *s = &((struct draft *)target)->server;
	const char *text = config_text(r, v);

	if (!text || !config_check_name(r, &v->path, true, text))
		return false;
	s->group = strdup(text);
	return s->group || config_no_memory(r);
}

static const char *const fallback_words[] = { "list", "trust", NULL };

static const struct config_key fallback_keys[] = {
	CONFIG_KEY("servers", config_read_list, config_server, fallback,
		   .max = CONFIG_FALLBACK_MAX),
	CONFIG_KEY("by", config_read_second, config_server, fallback_by_trust,
		   .words = fallback_words),
	CONFIG_KEY("allow_partial", config_read_bool, config_server, fallback_partial),
	CONFIG_KEY("share_authorization", config_read_bool, config_server, fallback_shares),
	CONFIG_KEY("direct", config_read_bool, config_server, fallback_direct),
};

/* A list, or an object with it, its order, and what is allowed. */
static bool read_fallback(struct config_reader *r, const struct config_value *v, void *target)
{
	static const struct config_keys keys = { .keys = fallback_keys,
						 .n = ARRAY_SIZE(fallback_keys) };
	struct config_server *s = &((struct draft *)target)->server;

	if (!json_object_is_type(v->obj, json_type_object))
		return config_read_list(r, v, target);
	s->fallback_keyed = true;
	if (!config_read_object(r, v, &keys, s))
		return false;
	return s->fallback.n ||
	       config_complain(r, &v->path, true,
			       "\"servers\" is missing or empty; list the servers that stand in");
}

static bool read_local(struct config_reader *r, const struct config_value *v, void *target)
{
	return config_read_local(r, v, &((struct draft *)target)->server);
}

/* A breaker key directly in the server. */
static int read_other(struct config_reader *r, const struct config_value *v, void *target)
{
	struct draft *d = target;

	if (d->breaker && jget(d->breaker, v->path.key)) {
		config_complain(r, &v->path, false,
				"given twice: here and in \"breaker\"; remove one of the two");
		return 0;
	}
	return config_read_breaker_key(r, v, &d->server.policy);
}

/* What `--import` keeps of a command line whose URL it found. */
static bool read_bridge(struct config_reader *r, const struct config_value *v, void *target)
{
	struct draft *d = target;
	struct bridge bridge;
	const char *text = config_text(r, v);

	if (!text)
		return false;
	if (!bridge_parse(text, &bridge))
		return config_complain(r, &v->path, true,
				       "not a bridge that is known here, with its version; write "
				       "it like \"mcp-remote@0.1.16\", or leave it out");
	return config_read_text(r, v, &d->server.bridge);
}

static bool read_shared(struct config_reader *r, const struct config_value *v, void *target)
{
	struct config_server *s = &((struct draft *)target)->server;

	if (!config_is(r, v, json_type_boolean, "true or false"))
		return false;
	s->shared = json_object_get_boolean(v->obj) ? CONFIG_SHARED_ALWAYS : CONFIG_SHARED_NEVER;
	return true;
}

static const struct config_key server_keys[] = {
	CONFIG_KEY("url", read_url, draft, url),
	CONFIG_KEY("serverUrl", read_url, draft, url),
	CONFIG_KEY("httpUrl", read_url, draft, url),
	CONFIG_KEY("command", config_read_text, draft, command),
	CONFIG_KEY("args", config_read_scripts, draft, args, .max = CONFIG_ARGS_MAX),
	CONFIG_KEY("bridge", read_bridge, draft, server),
	CONFIG_KEY("networks", read_networks, draft, server.networks, .max = CONFIG_NETWORKS_MAX),
	CONFIG_KEY("fallback", read_fallback, draft, server.fallback, .max = CONFIG_FALLBACK_MAX),
	CONFIG_KEY("on_open", config_read_word, draft, server.on_open, .words = on_open_words),
	CONFIG_KEY("group", read_group, draft, server.group),
	CONFIG_KEY("deny_errno", read_deny_errno, draft, server.deny_errno, .min = 1, .max = 133),
	CONFIG_KEY("breaker", config_read_breaker, draft, server.policy),
	CONFIG_KEY("inspect_tls", config_read_bool, draft, server.inspect_tls),
	CONFIG_KEY("idempotent_tools", config_read_list, draft, server.idempotent_tools,
		   .max = CONFIG_TOOLS_MAX),
	CONFIG_KEY("local", read_local, draft, server),
	CONFIG_KEY("isolation", config_read_isolation, draft, server.isolation),
	CONFIG_KEY("shared", read_shared, draft, server),
};

/* What clients write and Switchgear has no use for; env and headers hold secrets. */
/* clang-format off */
static const char *const client_keys[] = {
	"alwaysAllow", "auth", "authProviderType", "autoApprove", "bearer_token_env_var", "cwd",
	"description", "dev", "disabled", "disabledTools", "enabled", "enabledTools", "env",
	"envFile", "excludeTools", "gallery", "headers", "headersHelper", "icon", "includeTools",
	"initTimeout", "isActive", "name", "note", "oauth", "requestOptions", "scopes", "settings",
	"source", "sse_read_timeout", "targetAudience", "timeout", "tools", "transport",
	"transportType", "trust", "type", "version", NULL
};
/* clang-format on */

/* --- putting it together ---------------------------------------------------- */

static const char *lookup_shown(void *arg, const char *name)
{
	const struct config_env *env = arg;

	return secret_is_named(name, strlen(name)) ? "***" : env->lookup(env->arg, name);
}

/* How it is shown: "***" for variables that are named as secrets, whatever they hold. */
static char *url_shown(const struct config_reader *r, const char *text, struct url *url)
{
	CLEANUP(buf_done) struct buf expanded = BUF(URL_TEXT_MAX);
	CLEANUP(url_done) struct url shown = {};
	struct config_env env;
	const char *why;
	char name[64];

	if (!r->env || !strstr(text, "${"))
		return TAKE_PTR(url->shown);
	env = *r->env;
	if (expand_variables(text, lookup_shown, &env, &expanded, name, sizeof(name)) ||
	    url_parse(buf_str(&expanded), &shown, &why)) /* one is the host or the port */
		return TAKE_PTR(url->shown);
	return TAKE_PTR(shown.shown);
}

#define UNIX_PATH_MAX (SG_UNIX_PATH - 1)

/* As url_shown(): nothing of what the variables of secrets hold. NULL: no memory. */
static char *unix_shown(const struct config_reader *r, const char *text, const char *name)
{
	CLEANUP(buf_done) struct buf known = BUF(URL_TEXT_MAX);
	CLEANUP(buf_done) struct buf shown = BUF(URL_TEXT_MAX);
	struct config_env env;
	char unset[64];

	if (r->env && strstr(text, "${")) {
		env = *r->env;
		if (expand_variables(text, lookup_shown, &env, &known, unset, sizeof(unset)) ||
		    strstr(buf_str(&known), "***"))
			return strdup(CONFIG_UNIX_HIDDEN);
	}
	if (*name == '@') {
		buf_printf(&shown, CONFIG_UNIX_SCHEME "%s", name);
	} else {
		buf_puts(&shown, CONFIG_UNIX_SCHEME "//");
		secret_print_path(name, strlen(name), &shown);
	}
	return buf_steal(&shown);
}

/* "unix:/run/x.sock", "unix:///run/x.sock", "unix:@name" */
static bool use_unix(struct config_reader *r, struct draft *d, const char *text,
		     const char *expanded, const struct json_path *path)
{
	const char *name = expanded + strlen(CONFIG_UNIX_SCHEME);

	if (!strncmp(name, "///", 3))
		name += 2;
	if ((*name != '/' && *name != '@') || !name[1] || strlen(name) > UNIX_PATH_MAX)
		return config_complain(r, path, true,
				       "not a Unix socket; write it like unix:/run/mcp.sock, or "
				       "unix:@name, with at most %u bytes",
				       UNIX_PATH_MAX);
	d->server.url_shown = unix_shown(r, text, name);
	d->server.unix_name = strdup(name);
	if (!d->server.url_shown || !d->server.unix_name)
		return config_no_memory(r);
	d->server.visibility = d->server.n_networks ? VISIBILITY_METADATA : VISIBILITY_NONE;
	return true;
}

static bool use_url(struct config_reader *r, struct draft *d, const char *text,
		    const struct json_path *path)
{
	CLEANUP(buf_done) struct buf expanded = BUF(URL_TEXT_MAX);
	CLEANUP(url_done) struct url url = {};
	struct config_server *s = &d->server;
	const char *why = "";
	char name[64] = "";
	int e;

	e = expand_variables(text, r->env ? r->env->lookup : NULL, r->env ? r->env->arg : NULL,
			     &expanded, name, sizeof(name));
	if (e == -ENOENT)
		return config_complain(
			r, path, true,
			"the variable %s is not set; set it for the daemon, or write "
			"${%s:-default}",
			name, name);
	if (e == -EINVAL)
		return config_complain(
			r, path, true,
			"\"%s\" is not a variable; write ${NAME} or ${NAME:-default}", name);
	if (!e && !strncmp(buf_str(&expanded), CONFIG_UNIX_SCHEME, strlen(CONFIG_UNIX_SCHEME)))
		return use_unix(r, d, text, buf_str(&expanded), path);
	if (!e)
		e = url_parse(buf_str(&expanded), &url, &why);
	if (e == -EMSGSIZE)
		return config_complain(r, path, true, "longer than %u bytes", URL_TEXT_MAX);
	if (e == -EINVAL)
		return config_complain(r, path, true, "%s", why);
	if (e < 0)
		return config_no_memory(r);
	s->has_url = true;
	s->has_addr = url.has_addr;
	s->scheme = url.scheme;
	s->port = url.port;
	s->addr = url.addr;
	memcpy(s->host, url.host, sizeof(s->host));
	s->url_shown = url_shown(r, text, &url);
	s->visibility = s->scheme == URL_HTTP ? VISIBILITY_PLAINTEXT : VISIBILITY_METADATA;
	return true;
}

/* Known flaws of what clients run to reach it are warned of, with what to do. */
static bool use_bridge(struct config_reader *r, struct draft *d)
{
	const struct bridge_flaw *flaw = NULL;
	struct bridge b;

	if (d->command && !d->server.bridge &&
	    bridge_find(d->command, (const char *const *)d->args.v, d->args.n, &b) &&
	    asprintf(&d->server.bridge, "%s@%s", b.package, b.version) < 0) {
		d->server.bridge = NULL;
		return config_no_memory(r);
	}
	if (!d->server.bridge || !bridge_parse(d->server.bridge, &b))
		return true;
	while ((flaw = bridge_flaw_next(&b, flaw))) {
		CLEANUP(buf_done) struct buf text = BUF(FINDING_TEXT_MAX);

		bridge_flaw_print(&b, flaw, &text);
		config_warn(r, d->path, "%s", buf_str(&text));
	}
	return true;
}

static bool use_command(struct config_reader *r, struct draft *d)
{
	const char *const *args = (const char *const *)d->args.v;
	const char *remote = command_remote_url(d->command, args, d->args.n);
	struct json_path path = { d->path, "args", 0 };
	CLEANUP(buf_done) struct buf shown = BUF(COMMAND_SHOWN_MAX + 16);

	command_print(d->command, args, d->args.n, &shown);
	d->server.command_shown = buf_steal(&shown);
	if (!d->server.command_shown)
		return config_no_memory(r);
	d->server.visibility = VISIBILITY_NONE;
	return !remote || use_url(r, d, remote, &path);
}

static bool use_transport(struct config_reader *r, struct draft *d)
{
	struct config_server *s = &d->server;

	if (d->url && d->command)
		return config_complain(
			r, d->path, false,
			"has both \"%s\" and \"command\"; keep the one that agents use",
			d->url_path.key);
	if (d->url)
		return use_url(r, d, d->url, &d->url_path);
	if (d->command)
		return use_command(r, d);
	if (!s->n_networks)
		return config_complain(
			r, d->path, false,
			"has neither \"url\" nor \"command\" nor \"networks\"; add the "
			"URL that agents connect to");
	s->visibility = VISIBILITY_METADATA;
	return true;
}

/* By what name would it be told from the others? */
static bool use_shared(struct config_reader *r, struct draft *d)
{
	const struct config_server *s = &d->server;
	struct json_path path = { d->path, "shared", 0 };

	if (s->shared != CONFIG_SHARED_ALWAYS ||
	    (s->has_url && !s->has_addr && !s->n_networks && strlen(s->host) < SG_TARGET_LEN))
		return true;
	return config_complain(r, &path, true,
			       "needs a URL with the name of a host, of less than %u bytes, and no "
			       "\"networks\": what is shared is told apart by names",
			       SG_TARGET_LEN);
}

static bool use_on_open(struct config_reader *r, struct draft *d)
{
	struct config_server *s = &d->server;
	struct json_path path = { d->path, "on_open", 0 };

	bool given = s->on_open != ON_OPEN_COUNT;

	if (!given)
		s->on_open = s->fallback.n ? ON_OPEN_FALLBACK : d->config->on_open;
	if (s->on_open != ON_OPEN_FALLBACK || s->fallback.n)
		return true;
	if (given)
		return config_complain(r, &path, true,
				       "\"fallback\" needs a list \"fallback\" of other servers");
	s->on_open = ON_OPEN_REFUSE;
	return true;
}

static void warn_of_name(struct config_reader *r, const struct config_value *v, const char *name)
{
	CLEANUP(buf_done) struct buf shown = BUF(3 * SG_NAME_LEN);

	url_redact(name, URL_MASKED, &shown);
	if (strcmp(buf_str(&shown), name))
		config_warn(
			r, &v->path,
			"this name holds what looks like a secret; names are shown to everybody, "
			"choose another");
}

bool config_read_server(struct config_reader *r, const struct config_value *v,
			const struct config *config, struct config_server *server)
{
	static const struct config_keys keys = { server_keys, ARRAY_SIZE(server_keys), client_keys,
						 read_other, true };
	CLEANUP(draft_done) struct draft d = { .server = *server, .config = config };
	bool good;

	d.path = &v->path;
	d.breaker = jget_object(v->obj, "breaker");
	d.server.policy = config->policy;
	d.server.deny_errno = ECONNREFUSED;
	d.server.same_endpoint = CONFIG_UNIQUE;
	d.server.on_open = ON_OPEN_COUNT; /* not given */
	warn_of_name(r, v, server->name);
	d.server.line = jsonpos_find(r->text, r->len, &v->path, false).line;
	good = config_read_object(r, v, &keys, &d);
	if (good || d.url || d.command)
		good &= use_transport(r, &d);
	if (good)
		good = use_bridge(r, &d);
	if (good)
		good = use_shared(r, &d);
	if (good)
		good = use_on_open(r, &d);
	if (good)
		good = config_check_policy(r, &v->path, &d.server.policy);
	*server = d.server;
	return good;
}
