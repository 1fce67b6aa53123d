/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/clients.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "codec/bridges.h"
#include "codec/jsonget.h"
#include "core/proxies.h"

#define CLIENTS_DEPTH_MAX 100U
#define CLIENT_ARG_MAX 4096U

#define PLACE(client, base, path, dir_env, ...)       \
	{                                             \
		client, CLIENT_##base, path, dir_env, \
		{                                     \
			__VA_ARGS__                   \
		}                                     \
	}

const struct client_place client_places[] = {
	PLACE("Claude Code", HOME, ".claude.json", "CLAUDE_CONFIG_DIR", "mcpServers",
	      "projects/*/mcpServers"),
	PLACE("Claude Code", ROOT, "/etc/claude-code/managed-mcp.json", NULL, "mcpServers"),
	PLACE("Claude Code", PROJECT, ".mcp.json", NULL, "mcpServers", ""),
	PLACE("Claude Desktop", CONFIG, "Claude/claude_desktop_config.json", NULL, "mcpServers"),
	PLACE("VS Code", CONFIG, "Code/User/mcp.json", NULL, "servers", "mcpServers"),
	PLACE("VS Code", CONFIG, "Code/User/settings.json", NULL, "mcp/servers"),
	PLACE("VS Code", PROJECT, ".vscode/mcp.json", NULL, "servers", "mcpServers"),
	PLACE("GitHub Copilot", HOME, ".copilot/mcp-config.json", NULL, "mcpServers"),
	PLACE("Cursor", HOME, ".cursor/mcp.json", NULL, "mcpServers"),
	PLACE("Cursor", PROJECT, ".cursor/mcp.json", NULL, "mcpServers"),
	PLACE("Windsurf", HOME, ".codeium/windsurf/mcp_config.json", NULL, "mcpServers"),
	PLACE("Antigravity", HOME, ".gemini/antigravity/mcp_config.json", NULL, "mcpServers"),
	PLACE("Gemini CLI", HOME, ".gemini/settings.json", NULL, "mcpServers"),
	PLACE("Gemini CLI", PROJECT, ".gemini/settings.json", NULL, "mcpServers"),
	PLACE("Codex", HOME, ".codex/config.toml", "CODEX_HOME"),
	PLACE("Codex", PROJECT, ".codex/config.toml", NULL),
	PLACE("Zed", CONFIG, "zed/settings.json", NULL, "context_servers"),
	PLACE("OpenCode", CONFIG, "opencode/opencode.json", NULL, "mcp"),
	PLACE("OpenCode", CONFIG, "opencode/opencode.jsonc", NULL, "mcp"),
	PLACE("OpenCode", HOME, ".opencode/opencode.json", NULL, "mcp"),
	PLACE("Kiro", HOME, ".kiro/settings/mcp.json", NULL, "mcpServers"),
	PLACE("Cline", CONFIG,
	      "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
	      NULL, "mcpServers"),
	PLACE("Roo Code", CONFIG,
	      "Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json", NULL,
	      "mcpServers"),
	PLACE("Goose", CONFIG, "goose/config.yaml", NULL),
	PLACE("Continue", HOME, ".continue/config.yaml", NULL),
	PLACE("LM Studio", HOME, ".lmstudio/mcp.json", NULL, "mcpServers"),
	PLACE("Factory", HOME, ".factory/mcp.json", NULL, "mcpServers"),
	PLACE("Kimi", HOME, ".kimi/mcp.json", NULL, "mcpServers"),
	PLACE("Amp", CONFIG, "amp/settings.json", NULL, "amp.mcpServers"),
};
#undef PLACE
const size_t client_places_count = ARRAY_SIZE(client_places);

static void server_done(struct client_server *s)
{
	free(s->name);
	free(s->scope);
	free(s->url);
	free(s->command);
	free(s->bridge);
	config_list_done(&s->args);
}

void client_list_done(struct client_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		server_done(&list->v[i]);
	free(list->v);
	config_list_done(&list->proxies);
	*list = (struct client_list){ 0 };
}

/* Takes *s over unless the list is full. */
static int list_push(struct client_list *list, struct client_server *s)
{
	struct client_server *v;

	if (list->n >= CLIENTS_FOUND_MAX)
		return 0;
	v = reallocarray(list->v, list->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	list->v = v;
	list->v[list->n++] = *s;
	*s = (struct client_server){};
	return 0;
}

/* What is known while one file is read. */
struct reading {
	const struct client_place *place;
	const struct config_env *env;
	struct client_list *list;
	const char *scope;
};

/* The origin alone where variables went in: what they hold may be a secret. */
static char *url_keep(const struct url *u, bool expanded)
{
	char *end = expanded ? strchr(strstr(u->bare, "://") + 3, '/') : NULL;

	return strndup(u->bare, end ? (size_t)(end - u->bare) + 1 : strlen(u->bare));
}

static int use_url(const struct reading *rd, const char *text, struct client_server *s)
{
	CLEANUP(buf_done) struct buf expanded = BUF(URL_TEXT_MAX);
	CLEANUP(url_done) struct url url = {};
	const char *why = NULL;
	char variable[64];
	int r;

	r = expand_variables(text, rd->env ? rd->env->lookup : NULL, rd->env ? rd->env->arg : NULL,
			     &expanded, variable, sizeof(variable));
	if (r == -ENOENT)
		why = "its URL holds a variable that is not set here";
	else if (r == -EINVAL)
		why = "its URL holds a value that only the client knows";
	else if (r == -EMSGSIZE)
		why = "its URL is too long";
	if (!r)
		r = url_parse(buf_str(&expanded), &url, &why);
	if (r == -ENOMEM)
		return r;
	if (r) {
		s->skipped = why;
		return 0;
	}
	s->url = url_keep(&url, strstr(text, "${") != NULL);
	return s->url ? 0 : -ENOMEM;
}

/* Collects arguments as they are: those of `list` from `first` on. */
static int args_read(const struct json_object *list, size_t first, struct config_list *ret)
{
	size_t n = list ? json_object_array_length(list) : 0;
	int r = 0;

	for (size_t i = first; i < n && i < CONFIG_ARGS_MAX && !r; i++) {
		struct json_object *arg = json_object_array_get_idx(list, i);

		if (json_object_is_type(arg, json_type_string))
			r = config_list_add(ret, json_object_get_string(arg));
	}
	return r;
}

static int args_redact(struct config_list *args, bool secret)
{
	for (size_t i = 0; i < args->n; i++) {
		CLEANUP(buf_done) struct buf shown = BUF(CLIENT_ARG_MAX);
		char *text;

		secret = command_print_arg(args->v[i], secret, &shown);
		text = shown.error ? strdup("***") : strdup(buf_str(&shown));
		if (!text)
			return -ENOMEM;
		free(args->v[i]);
		args->v[i] = text;
	}
	return 0;
}

/* A version that is pinned and has known flaws goes on into the configuration: others are as good
 * as none. */
static int use_bridge(const char *command, struct client_server *s)
{
	struct bridge b;

	if (!bridge_find(command, (const char *const *)s->args.v, s->args.n, &b) ||
	    !bridge_flaw_next(&b, NULL))
		return 0;
	if (asprintf(&s->bridge, "%s@%s", b.package, b.version) >= 0)
		return 0;
	s->bridge = NULL;
	return -ENOMEM;
}

static int use_command(const struct reading *rd, const char *command,
		       const struct json_object *list, size_t first, struct client_server *s)
{
	CLEANUP(buf_done) struct buf shown = BUF(3 * CLIENT_ARG_MAX);
	const char *remote;
	bool secret;
	int r = args_read(list, first, &s->args);

	if (r)
		return r;
	remote = command_remote_url(command, (const char *const *)s->args.v, s->args.n);
	if (remote) {
		r = use_url(rd, remote, s);
		if (!r)
			r = use_bridge(command, s);
		config_list_done(&s->args);
		return r;
	}
	if (!*command || strlen(command) > CLIENT_ARG_MAX ||
	    utf8_has_control(command, strlen(command))) {
		s->skipped = "its command is empty, too long or has control characters";
		return 0;
	}
	secret = command_print_arg(command, false, &shown);
	s->command = buf_steal(&shown);
	return s->command ? args_redact(&s->args, secret) : -ENOMEM;
}

static const char *find_url(const struct json_object *obj)
{
	static const char *const keys[] = { "url", "serverUrl", "httpUrl", "uri" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *url = jget_text(obj, keys[i], NULL);

		if (url)
			return url;
	}
	return NULL;
}

/* --- proxies ----------------------------------------------------------------------- */

static bool is_proxy_variable(const char *name)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "all_proxy" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool list_has(const struct config_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->v[i], text))
			return true;
	return false;
}

/* Keeps of the value of such a variable what a configuration takes. */
static int use_proxy(const struct reading *rd, const char *value)
{
	char text[sizeof("http://") + URL_HOST_MAX + 8] = "http://";
	size_t scheme = strlen(text);
	CLEANUP(url_done) struct url url = {};
	const char *why;
	int r;

	if (!*value)
		return 0;
	proxy_reduce(text + scheme, sizeof(text) - scheme, value);
	r = proxy_plain(value) ? url_parse(text, &url, &why) : -EINVAL;
	if (r == -ENOMEM)
		return r;
	if (!r && list_has(&rd->list->proxies, text + scheme))
		return 0;
	if (r || rd->list->proxies.n == CONFIG_PROXIES_MAX) {
		rd->list->proxies_left++;
		return 0;
	}
	return config_list_add(&rd->list->proxies, text + scheme);
}

static int read_env(const struct reading *rd, struct json_object *obj)
{
	struct json_object *env = jget(obj, "env");
	int r = 0;

	if (!json_object_is_type(env, json_type_object))
		return 0;
	json_object_object_foreach(env, name, value)
	{
		if (!r && is_proxy_variable(name) && json_object_is_type(value, json_type_string))
			r = use_proxy(rd, json_object_get_string(value));
	}
	return r;
}

static int read_entry(const struct reading *rd, struct json_object *obj, struct client_server *s)
{
	struct json_object *command = jget(obj, "command");
	const char *url = find_url(obj);
	int r;

	if (!json_object_is_type(obj, json_type_object)) {
		s->skipped = "it is not an object";
		return 0;
	}
	if (jget_bool(obj, "disabled", false) || !jget_bool(obj, "enabled", true)) {
		s->skipped = "it is disabled";
		return 0;
	}
	r = read_env(rd, obj);
	if (r)
		return r;
	if (url)
		return use_url(rd, url, s);
	if (json_object_is_type(command, json_type_string))
		return use_command(rd, json_object_get_string(command), jget_list(obj, "args"), 0,
				   s);
	if (json_object_is_type(command, json_type_object))
		return use_command(rd, jget_text(command, "path", ""), jget_list(command, "args"),
				   0, s);
	if (json_object_is_type(command, json_type_array)) {
		struct json_object *word = json_object_array_get_idx(command, 0);
		bool text = json_object_is_type(word, json_type_string);

		return use_command(rd, text ? json_object_get_string(word) : "", command, 1, s);
	}
	s->skipped = "it has neither a URL nor a command";
	return 0;
}

static int read_servers(const struct reading *rd, struct json_object *servers)
{
	int r;

	if (!json_object_is_type(servers, json_type_object))
		return 0;
	json_object_object_foreach(servers, name, obj)
	{
		CLEANUP(server_done)
		struct client_server s = { .client = rd->place->client, .name = strdup(name) };

		if (rd->scope)
			s.scope = strdup(rd->scope);
		r = !s.name || (rd->scope && !s.scope) ? -ENOMEM : read_entry(rd, obj, &s);
		if (!r)
			r = list_push(rd->list, &s);
		if (r)
			return r;
	}
	return 0;
}

/* Follows `path`, a container of the table, and reads what it leads to. */
static int read_container(const struct reading *rd, struct json_object *obj, const char *path)
{
	size_t n = strcspn(path, "/");
	const char *rest = path[n] ? path + n + 1 : "";
	char key[64];
	int r = 0;

	if (!n)
		return read_servers(rd, obj);
	if (!json_object_is_type(obj, json_type_object) || n >= sizeof(key))
		return 0;
	memcpy(key, path, n);
	key[n] = '\0';
	if (strcmp(key, "*"))
		return read_container(rd, jget(obj, key), rest);
	json_object_object_foreach(obj, scope, member)
	{
		struct reading below = *rd;

		below.scope = scope;
		r = read_container(&below, member, rest);
		if (r)
			break;
	}
	return r;
}

int clients_parse(const struct client_place *place, const char *text, size_t len,
		  const struct config_env *env, struct client_list *list)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct reading rd = { .place = place, .env = env, .list = list };
	int r;

	if (!place->containers[0])
		return -ENOTSUP;
	if (len > CLIENTS_SIZE_MAX)
		return -EBADMSG;
	r = json_parse(text, len, CLIENTS_DEPTH_MAX, &root);
	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(place->containers) && place->containers[i]; i++) {
		if (!*place->containers[i] && jget(root, place->containers[0]))
			break;
		r = read_container(&rd, root, place->containers[i]);
		if (r)
			return r;
	}
	return 0;
}
