/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "codec/url.h"
#include "unit/unit.h"

#define ARGS_MAX 8

static size_t count(const char *const *args)
{
	size_t n = 0;

	while (n < ARGS_MAX && args[n])
		n++;
	return n;
}

static void test_print(void **state)
{
	static const struct {
		const char *args[ARGS_MAX];
		const char *shown;
	} rows[] = {
		{ { "-y", "@scope/server", "/srv" }, "npx -y @scope/server /srv" },
		{ { "--api-key", "abc", "x" }, "npx --api-key *** x" },
		{ { "--api-key=abc", "x" }, "npx --api-key=*** x" },
		{ { "-e", "GITHUB_TOKEN=abc", "-e", "MODE=ro" },
		  "npx -e GITHUB_TOKEN=*** -e MODE=ro" },
		{ { "--header", "Authorization: Bearer x" }, "npx --header ***" },
		{ { "-H", "Authorization:Bearer x" }, "npx -H Authorization:***" },
		{ { "https://u:p@h/a?k=v" }, "npx https://***@h/a?***" },
		{ { "--db=postgres://u:p@h/d" }, "npx --db=***" },
		{ { "--url=https://h/a?k=v" }, "npx --url=https://h/a?***" },
		{ { "sk-live-123", "ghp_abc" }, "npx *** ***" },
		{ { "--key", "x", "--password", "y", "--secret", "z" },
		  "npx --key *** --password *** --secret ***" },
		{ { "--token", "x", "DB_PASS=y", "MYSQL_PWD=z" },
		  "npx --token *** DB_PASS=*** MYSQL_PWD=***" },
		{ { "FOO=ghp_abc", "--id=0123456789abcdef" }, "npx FOO=*** --id=***" },
		{ { "--env=API_KEY=abc", "-e=MODE=ro" }, "npx --env=*** -e=MODE=ro" },
		{ { "550e8400-e29b-41d4-a716-446655440000" }, "npx ***" },
		{ { "/srv/a8f3k2m9x1c4v7b0/x", "/etc/token/abc" },
		  "npx /srv/***/x /etc/token/***" },
		{ { "@modelcontextprotocol/server-filesystem@2025.1.14", "token-counter-mcp" },
		  "npx @modelcontextprotocol/server-filesystem@2025.1.14 token-counter-mcp" },
		{ { "https://auth.example.com:8443/token/x", "y" },
		  "npx https://auth.example.com:8443/token/*** y" },
		{ { "--url=https://h/0123456789abcdef/mcp?a=b&c=d;e,f" },
		  "npx --url=https://h/***/mcp?***" },
		/* several words in one argument */
		{ { "-c", "MODE=ro TOKEN=abc exec server" }, "npx -c MODE=ro TOKEN=***" },
		{ { "exec server --token abc -v", "-v" }, "npx exec server --token *** -v" },
		{ { "run Bearer abc", "x" }, "npx run Bearer *** x" },
		{ { "Bearer", "abc" }, "npx Bearer ***" },
		{ { "{\"mode\":\"ro\",\"apiKey\":\"abc\"}" },
		  "npx {\"mode\":\"ro\",\"apiKey\":***" },
		{ { "curl 'https://h/a?b=c' | sh" }, "npx curl 'https://h/a?***' | sh" },
		{ { "a\nb" }, "npx a b" },
		{ { "--token" }, "npx --token" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out;

		out = BUF(4096);
		command_print("npx", rows[i].args, count(rows[i].args), &out);
		assert_string_equal(buf_str(&out), rows[i].shown);
		buf_done(&out);
	}
}

/* The command may be all of it. */
static void test_print_command(void **state)
{
	static const struct {
		const char *command, *shown;
	} rows[] = {
		{ "server --token abc", "server --token *** x" },
		{ "API_KEY=abc server", "API_KEY=*** x" },
		{ "/opt/0123456789abcdef/server", "/opt/***/server x" },
		{ "server --token", "server --token ***" },
	};
	const char *args[] = { "x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out;

		out = BUF(4096);
		command_print(rows[i].command, args, 1, &out);
		assert_string_equal(buf_str(&out), rows[i].shown);
		buf_done(&out);
	}
}

static void test_print_long(void **state)
{
	static char long_arg[2 * COMMAND_SHOWN_MAX];
	const char *args[] = { "short", long_arg };
	struct buf out;

	(void)state;
	memset(long_arg, 'o', sizeof(long_arg) - 1);
	out = BUF(4096);
	command_print("npx", args, 2, &out);
	assert_string_equal(buf_str(&out), "npx short ...");
	buf_done(&out);
}

static void test_remote(void **state)
{
	static const struct {
		const char *command, *args[ARGS_MAX], *url;
	} rows[] = {
		{ "npx",
		  { "-y", "mcp-remote@latest", "https://h/mcp", "--debug" },
		  "https://h/mcp" },
		{ "mcp-remote", { "http://h/" }, "http://h/" },
		{ "/usr/bin/mcp-proxy", { "HTTPS://h/" }, "HTTPS://h/" },
		{ "npx", { "supergateway", "--sse", "https://h/sse" }, "https://h/sse" },
		{ "npx", { "server", "https://h/" }, NULL },
		{ "npx", { "mcp-remote-thing", "https://h/" }, NULL },
		{ "npx", { "https://h/", "mcp-remote" }, NULL },
		{ "npx", { "mcp-remote" }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *url =
			command_remote_url(rows[i].command, rows[i].args, count(rows[i].args));

		if (rows[i].url)
			assert_string_equal(url, rows[i].url);
		else
			assert_null(url);
	}
}

static const char *lookup(void *arg, const char *name)
{
	assert_string_equal(arg, "arg");
	if (!strcmp(name, "HOST"))
		return "example.com";
	return strcmp(name, "EMPTY") ? NULL : "";
}

static void test_expand(void **state)
{
	static const struct {
		const char *in;
		int r;
		const char *out; /* or the name */
	} rows[] = {
		{ "plain $x {y}", 0, "plain $x {y}" },
		{ "http://${HOST}/", 0, "http://example.com/" },
		{ "${env:HOST}${HOST}", 0, "example.comexample.com" },
		{ "${NONE:-a:-b}", 0, "a:-b" },
		{ "${EMPTY:-x}", 0, "x" },
		{ "[${EMPTY}]", 0, "[]" },
		{ "${HOST:-x}", 0, "example.com" },
		{ "${env:NONE:-}", 0, "" },
		{ "${NONE}", -ENOENT, "NONE" },
		{ "${env:NONE}", -ENOENT, "NONE" },
		{ "${HOST", -EINVAL, "${HOST" },
		{ "http://${HOST/x?key=abc", -EINVAL, "${HOST" },
		{ "${}", -EINVAL, "" },
		{ "${:-x}", -EINVAL, "" },
		{ "${1A}", -EINVAL, "1A" },
		{ "${input:key}", -EINVAL, "input:key" },
		{ "${a b}", -EINVAL, "a b" },
	};
	static char arg[] = "arg";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char name[16] = "";
		struct buf out;

		out = BUF(100);
		assert_int_equal(expand_variables(rows[i].in, lookup, arg, &out, name,
						  sizeof(name)),
				 rows[i].r);
		assert_string_equal(rows[i].r ? name : buf_str(&out), rows[i].out);
		buf_done(&out);
	}
}

static void test_expand_limits(void **state)
{
	char name[8] = "";
	struct buf out;

	(void)state;
	out = BUF(4);
	assert_int_equal(expand_variables("12345", NULL, NULL, &out, name, sizeof(name)),
			 -EMSGSIZE);
	buf_done(&out);
	out = BUF(100);
	assert_int_equal(expand_variables("${LONGERTHANEIGHT}", NULL, NULL, &out, name,
					  sizeof(name)),
			 -EINVAL);
	assert_string_equal(name, "LONGERT");
	assert_int_equal(expand_variables("${A}", NULL, NULL, &out, name, sizeof(name)), -ENOENT);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),      cmocka_unit_test(test_print_command),
		cmocka_unit_test(test_print_long), cmocka_unit_test(test_remote),
		cmocka_unit_test(test_expand),     cmocka_unit_test(test_expand_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
