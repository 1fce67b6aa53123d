/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit/unit.h"

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	if (!strcmp(name, "HOST"))
		return "example.com";
	return strcmp(name, "TOKEN") ? NULL : "hush";
}

static const struct config_env env = { lookup, NULL };

static const struct client_place *place(const char *path)
{
	for (size_t i = 0; i < client_places_count; i++) {
		if (!strcmp(client_places[i].path, path))
			return &client_places[i];
	}
	fail_msg("no place %s", path);
	return NULL;
}

static void parse(const char *path, const char *text, struct client_list *list)
{
	assert_int_equal(clients_parse(place(path), text, strlen(text), &env, list), 0);
}

/* One entry and what becomes of it, in every container that clients have. */
static void test_entries(void **state)
{
	static const struct {
		const char *path, *text, *scope, *url, *command, *skipped;
	} rows[] = {
		{ ".claude.json",
		  "{\"mcpServers\":{\"a\":{\"type\":\"http\",\"url\":\"http://h/x\"}}}", NULL,
		  "http://h/x", NULL, NULL },
		{ ".claude.json",
		  "{\"projects\":{\"/home/u/p\":{\"mcpServers\":{\"a\":{\"url\":\"http://h/x\"}}}}}",
		  "/home/u/p", "http://h/x", NULL, NULL },
		{ ".mcp.json", "{\"mcpServers\":{\"a\":{\"url\":\"http://h/x\"}}}", NULL,
		  "http://h/x", NULL, NULL },
		{ ".mcp.json", "{\"a\":{\"url\":\"http://h/x\"}}", NULL, "http://h/x", NULL, NULL },
		{ ".vscode/mcp.json",
		  "{\"inputs\":[],\"servers\":{\"a\":{\"url\":\"http://h/x\"}}}", NULL,
		  "http://h/x", NULL, NULL },
		{ "Code/User/settings.json",
		  "{\"mcp\":{\"servers\":{\"a\":{\"url\":\"http://h/x\"}}}}", NULL, "http://h/x",
		  NULL, NULL },
		{ ".codeium/windsurf/mcp_config.json",
		  "{\"mcpServers\":{\"a\":{\"serverUrl\":\"http://h/x\"}}}", NULL, "http://h/x",
		  NULL, NULL },
		{ ".gemini/settings.json", "{\"mcpServers\":{\"a\":{\"httpUrl\":\"http://h/x\"}}}",
		  NULL, "http://h/x", NULL, NULL },
		{ "zed/settings.json",
		  "// Zed\n{\"context_servers\":{\"a\":{\"command\":{\"path\":\"x\",\"args\":[\"y\"]},},}}",
		  NULL, NULL, "x", NULL },
		{ "zed/settings.json", "{\"context_servers\":{\"a\":{\"settings\":{}}}}", NULL,
		  NULL, NULL, "neither a URL nor a command" },
		{ "opencode/opencode.json",
		  "{\"mcp\":{\"a\":{\"type\":\"remote\",\"url\":\"http://h/x\"}}}", NULL,
		  "http://h/x", NULL, NULL },
		{ "opencode/opencode.json",
		  "{\"mcp\":{\"a\":{\"type\":\"local\",\"command\":[\"x\",\"y\"]}}}", NULL, NULL,
		  "x", NULL },
		{ "opencode/opencode.json",
		  "{\"mcp\":{\"a\":{\"enabled\":false,\"command\":[\"x\"]}}}", NULL, NULL, NULL,
		  "disabled" },
		{ "amp/settings.json", "{\"amp.mcpServers\":{\"a\":{\"url\":\"http://h/x\"}}}",
		  NULL, "http://h/x", NULL, NULL },
		{ ".cursor/mcp.json",
		  "{\"mcpServers\":{\"a\":{\"url\":\"https://u:p@h/x?k=v#f\"}}}", NULL,
		  "https://h/x", NULL, NULL },
		{ ".cursor/mcp.json",
		  "{\"mcpServers\":{\"a\":{\"url\":\"https://${env:HOST}/x\"}}}", NULL,
		  "https://example.com/", NULL, NULL },
		{ ".cursor/mcp.json",
		  "{\"mcpServers\":{\"a\":{\"url\":\"https://h/s/550e8400-e29b-41d4-a716-446655440000/x\"}}}",
		  NULL, "https://h/s/***/x", NULL, NULL },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"command\":\"API_KEY=hush npx\"}}}",
		  NULL, NULL, "API_KEY=***", NULL },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"url\":\"https://h/${TOKEN}/x\"}}}",
		  NULL, "https://h/", NULL, NULL },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"url\":\"https://${NONE}/x\"}}}",
		  NULL, NULL, NULL, "variable that is not set" },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"url\":\"https://${input:x}/\"}}}",
		  NULL, NULL, NULL, "only the client knows" },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"url\":\"ws://h/\"}}}", NULL, NULL,
		  NULL, "scheme is not supported" },
		{ ".cursor/mcp.json",
		  "{\"mcpServers\":{\"a\":{\"command\":\"npx\",\"args\":"
		  "[\"mcp-remote\",\"https://h/x?k=v\"]}}}",
		  NULL, "https://h/x", NULL, NULL },
		{ ".cursor/mcp.json",
		  "{\"mcpServers\":{\"a\":{\"disabled\":true,\"url\":\"http://h/\"}}}", NULL, NULL,
		  NULL, "disabled" },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":7}}", NULL, NULL, NULL,
		  "not an object" },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"command\":\"\"}}}", NULL, NULL,
		  NULL, "command is empty" },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"command\":[]}}}", NULL, NULL, NULL,
		  "command is empty" },
		{ ".cursor/mcp.json", "{\"mcpServers\":{\"a\":{\"url\":7}}}", NULL, NULL, NULL,
		  "neither a URL nor a command" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct client_list list = {};
		const struct client_server *s;

		parse(rows[i].path, rows[i].text, &list);
		assert_int_equal(list.n, 1);
		s = &list.v[0];
		assert_string_equal(s->name, "a");
		assert_string_equal(s->client, place(rows[i].path)->client);
		assert_string_equal(s->scope ? s->scope : "-", rows[i].scope ? rows[i].scope : "-");
		assert_string_equal(s->url ? s->url : "-", rows[i].url ? rows[i].url : "-");
		assert_string_equal(s->command ? s->command : "-",
				    rows[i].command ? rows[i].command : "-");
		if (rows[i].skipped)
			assert_non_null(strstr(s->skipped, rows[i].skipped));
		else
			assert_null(s->skipped);
		client_list_done(&list);
	}
}

static void test_bad_entries_do_not_sink_others(void **state)
{
	struct client_list list = {};

	(void)state;
	parse(".cursor/mcp.json",
	      "{\"mcpServers\":{\"a\":null,\"b\":{\"url\":\"x\"},\"c\":{\"command\":\"npx\",\"args\":"
	      "[\"--token\",\"hush\",3,\"x\"],\"env\":{\"K\":\"hush\"}},\"d\":[]}}",
	      &list);
	assert_int_equal(list.n, 4);
	assert_non_null(list.v[0].skipped);
	assert_non_null(list.v[1].skipped);
	assert_null(list.v[2].skipped);
	assert_int_equal(list.v[2].args.n, 3);
	assert_string_equal(list.v[2].args.v[1], "***");
	assert_string_equal(list.v[2].args.v[2], "x");
	client_list_done(&list);
}

static void test_files(void **state)
{
	static const char *const garbage[] = { "", "{", "{\"mcpServers\":{\"a\":{}}", "x" };
	static const char *const empty[] = { "{}",   "[]",
					     "7",    "{\"mcpServers\":[]}",
					     "null", "{\"projects\":{\"p\":1},\"mcpServers\":{}}" };
	struct client_list list = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++)
		assert_int_equal(clients_parse(place(".claude.json"), garbage[i],
					       strlen(garbage[i]), &env, &list),
				 -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		parse(".claude.json", empty[i], &list);
	assert_int_equal(clients_parse(place("goose/config.yaml"), "{}", 2, &env, &list), -ENOTSUP);
	assert_int_equal(clients_parse(place(".codex/config.toml"), "{}", 2, &env, &list),
			 -ENOTSUP);
	assert_int_equal(list.n, 0);
	client_list_done(&list);
}

static void test_to_config(void **state)
{
	static const char *const names[] = { "gh",     "http://h/?***", "gh-2", "gh-3",
					     "we_ird", "server",        "fs" };
	struct client_list list = {};
	struct config *config = NULL;
	struct buf out, errors;

	(void)state;
	parse(".cursor/mcp.json",
	      "{\"mcpServers\":{\"gh\":{\"url\":\"https://h/a?token=hush\",\"headers\":{\"A\":\"hush\"}},"
	      "\"skipped\":{},\"http://h/?hush\":{\"url\":\"http://url\"}}}",
	      &list);
	parse(".claude.json",
	      "{\"mcpServers\":{\"gh\":{\"url\":\"https://i/b\"},\"same\":{\"url\":\"https://h/a\"}},"
	      "\"projects\":{\"/p\\n\\\"}\":{\"mcpServers\":{\"gh\":{\"url\":\"https://j/\"},"
	      "\"we\\nird\":{\"url\":\"https://k/0123456789abcdef/\"},\"  \":{\"url\":\"https://l/\"},"
	      "\"fs\":{\"command\":\"npx\",\"args\":[\"a\\nb\",\"--key\",\"hush\"]}}}}}",
	      &list);
	out = BUF(1 << 16);
	errors = BUF(1 << 16);
	assert_int_equal(clients_to_config(&list, &out), 0);
	assert_null(strstr(buf_str(&out), "hush"));
	assert_non_null(strstr(buf_str(&out), "// Claude Code, /p?\"}\n"));
	assert_int_equal(config_parse(buf_str(&out), out.len, "made", NULL, &config, &errors), 0);
	assert_string_equal(buf_str(&errors), "");
	assert_int_equal(config->n_servers, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(config->servers[i].name, names[i]);
	assert_string_equal(config->servers[0].url_shown, "https://h/a");
	assert_string_equal(config->servers[4].url_shown, "https://k/***/");
	assert_string_equal(config->servers[6].command_shown, "npx a b --key ***");
	config_free(config);
	client_list_done(&list);
	buf_clear(&out);
	assert_int_equal(clients_to_config(&list, &out), 0);
	assert_int_equal(config_parse(buf_str(&out), out.len, "made", NULL, &config, &errors), 0);
	assert_int_equal(config->n_servers, 0);
	config_free(config);
	buf_done(&out);
	buf_done(&errors);
}

/* The URL of a bridge is kept, and its version if it is a bad one: once for each of them. */
static void test_bridges(void **state)
{
	struct client_list list = {};
	struct config *config = NULL;
	struct buf out = BUF(1 << 16);
	struct buf errors = BUF(1 << 16);

	(void)state;
	parse(".cursor/mcp.json",
	      "{\"mcpServers\":{"
	      "\"old\":{\"command\":\"npx\",\"args\":[\"mcp-remote@0.1.10\",\"https://h/a\"]},"
	      "\"again\":{\"command\":\"bunx\",\"args\":[\"mcp-remote@0.1.10\",\"https://h/a\"]},"
	      "\"new\":{\"command\":\"npx\",\"args\":[\"mcp-remote@0.1.16\",\"https://h/b\"]},"
	      "\"any\":{\"command\":\"npx\",\"args\":[\"mcp-remote\",\"https://h/c\"]}}}",
	      &list);
	assert_int_equal(clients_to_config(&list, &out), 0);
	assert_int_equal(config_parse(buf_str(&out), out.len, "made", NULL, &config, &errors), 0);
	assert_int_equal(config->n_servers, 3);
	assert_string_equal(config->servers[0].url_shown, "https://h/a");
	assert_string_equal(config->servers[0].bridge, "mcp-remote@0.1.10");
	assert_null(config->servers[1].bridge);
	assert_null(config->servers[2].bridge);
	assert_non_null(strstr(buf_str(&errors), "warning: mcpServers.old: mcp-remote 0.1.10 has "
						 "CVE-2025-6514"));
	assert_non_null(strstr(buf_str(&errors), "use 0.1.16 or later"));
	config_free(config);
	client_list_done(&list);
	buf_done(&out);
	buf_done(&errors);
}

/* Proxies in the environments of servers become those of the configuration, without secrets. */
static void test_proxies(void **state)
{
	static const char *const wanted[] = { "10.0.0.1:3128", "p.example:8080", "[::1]:1" };
	struct client_list list = {};
	struct config *config = NULL;
	struct buf out = BUF(1 << 16);
	struct buf errors = BUF(1 << 16);

	(void)state;
	parse(".cursor/mcp.json",
	      "{\"mcpServers\":{\"a\":{\"command\":\"x\",\"env\":{\"HTTPS_PROXY\":"
	      "\"http://u:hush@10.0.0.1:3128/hush\",\"http_proxy\":\"10.0.0.1:3128\",\"KEY\":\"hush\","
	      "\"ALL_PROXY\":\"socks5://u:hush@10.0.0.2:1\",\"all_proxy\":3}},"
	      "\"b\":{\"url\":\"http://h/\",\"env\":{\"https_proxy\":\"http://p.example:8080\","
	      "\"HTTP_PROXY\":\"${SECRET_hush}\",\"Http_Proxy\":\"http://[::1]:1\",\"all_proxy\":\"\"}},"
	      "\"c\":{\"disabled\":true,\"env\":{\"https_proxy\":\"http://no:1\"}},"
	      "\"d\":{\"command\":\"x\",\"env\":[]}}}",
	      &list);
	assert_int_equal(list.proxies_left, 2);
	assert_int_equal(clients_to_config(&list, &out), 0);
	assert_null(strstr(buf_str(&out), "hush"));
	assert_int_equal(config_parse(buf_str(&out), out.len, "made", NULL, &config, &errors), 0);
	assert_string_equal(buf_str(&errors), "");
	assert_int_equal(config->proxies.n, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_string_equal(config->proxies.v[i], wanted[i]);
	config_free(config);
	client_list_done(&list);
	buf_done(&out);
	buf_done(&errors);
}

/* More servers than there can be, with one long name: still a good configuration. */
static void test_too_many(void **state)
{
	struct client_list list = {};
	struct config *config = NULL;
	struct buf text, errors;

	(void)state;
	for (int i = 0; i < 1100; i++) {
		text = BUF(1000);
		buf_printf(&text, "{\"mcpServers\":{\"%0100d\":{\"url\":\"http://h%d/\"}}}", 0, i);
		parse(".cursor/mcp.json", buf_str(&text), &list);
		buf_done(&text);
	}
	text = BUF(1 << 20);
	errors = BUF(1 << 16);
	assert_int_equal(clients_to_config(&list, &text), 0);
	assert_int_equal(config_parse(buf_str(&text), text.len, "made", NULL, &config, &errors), 0);
	assert_int_equal(config->n_servers, CONFIG_SERVERS_MAX);
	config_free(config);
	client_list_done(&list);
	buf_done(&text);
	buf_done(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_bad_entries_do_not_sink_others),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_to_config),
		cmocka_unit_test(test_bridges),
		cmocka_unit_test(test_proxies),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
