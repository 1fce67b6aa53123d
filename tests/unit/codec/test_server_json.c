/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/server_json.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

#define OFFICIAL "\"_meta\":{\"io.modelcontextprotocol.registry/official\":{\"status\":\""
#define REMOTE(url) "{\"type\":\"streamable-http\",\"url\":\"" url "\"}"
#define PACKAGE(type, id, version) \
	"{\"registryType\":\"" type "\",\"identifier\":\"" id "\",\"version\":\"" version "\"}"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct server_json made(const char *text)
{
	CLEANUP(buf_done) struct buf errors = BUF(4096);
	struct server_json s;

	if (server_json_read(text, strlen(text), "f", &s, &errors))
		fail_msg("%s", buf_str(&errors));
	return s;
}

static void test_what_is_read(void **state)
{
	struct server_json s = made(
		"{\"$schema\":\"x\",\"name\":\"com.example/acme\",\"version\":\"2.0.0\",\"packages\":[" PACKAGE(
			"npm", "@u/p",
			"1.0.0") ",{\"registryType\":\"mcpb\",\"identifier\":\"i\","
				 "\"fileSha256\":\"" SHA
				 "\",\"transport\":{\"type\":\"stdio\"}}],\"remotes\":[" REMOTE(
					 "https://{tenant}.example.com/mcp") "],\"unknown\":[1]}");

	(void)state;
	assert_string_equal(s.name, "com.example/acme");
	assert_string_equal(s.version, "2.0.0");
	assert_int_equal(s.n_packages, 2);
	assert_string_equal(s.packages[0].identifier, "@u/p");
	assert_null(s.packages[0].sha256);
	assert_string_equal(s.packages[1].sha256, SHA);
	assert_string_equal(s.packages[1].transport, "stdio");
	assert_string_equal(s.remotes[0].url, "https://{tenant}.example.com/mcp");
	assert_int_equal(s.status, REGISTRY_UNKNOWN);
	server_json_done(&s);
}

static void test_status(void **state)
{
	static const struct {
		const char *text;
		enum registry_status status;
	} rows[] = {
		{ "{\"name\":\"a.b/c\",\"version\":\"1\",\"status\":\"deprecated\",\"remotes\":[" REMOTE(
			  "http://h") "]}",
		  REGISTRY_DEPRECATED },
		{ "{\"name\":\"a.b/c\",\"version\":\"1\",\"status\":\"active\",\"remotes\":[" REMOTE(
			  "http://h") "]," OFFICIAL "deleted\"}}}",
		  REGISTRY_DELETED },
		{ "{\"server\":{\"name\":\"a.b/c\",\"version\":\"1\",\"remotes\":[" REMOTE(
			  "http://h") "]}," OFFICIAL "deleted\"}}}",
		  REGISTRY_DELETED },
		{ "{\"server\":{\"name\":\"a.b/c\",\"version\":\"1\",\"remotes\":[" REMOTE(
			  "http://h") "]},\"_meta\":{\"other\":1}}",
		  REGISTRY_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct server_json s = made(rows[i].text);

		assert_int_equal(s.status, rows[i].status);
		server_json_done(&s);
	}
}

#define OF(rest) "{\"name\":\"a.b/c\",\n\"version\":\"1\",\n" rest "}"

static void test_bad_files(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "f:1:1: " },
		{ "[]", "an object" },
		{ "{\"version\":\"1\"}", "\"name\" is missing" },
		{ "{\"name\":\"a.b/c\"}", "\"version\" is missing" },
		{ "{\"name\":7,\"version\":\"1\"}", "f:1:9: name: " },
		{ "{\"name\":\"acme\",\"version\":\"1\"}", "not a name in a namespace" },
		{ "{\"name\":\"a..b/c\",\"version\":\"1\"}", "not a name in a namespace" },
		{ "{\"name\":\"a.b/c/d\",\"version\":\"1\"}", "not a name in a namespace" },
		{ OF("\"packages\":[]"), "neither packages nor remotes" },
		{ OF("\"packages\":{}"), "f:3:12: packages: " },
		{ OF("\"packages\":[1]"), "packages[0]: " },
		{ OF("\"packages\":[{\"registryType\":\"npm\"}]"),
		  "packages[0]: \"identifier\" is missing" },
		{ OF("\"packages\":[" PACKAGE("npm", "x", "latest") "]"), "is no version" },
		{ OF("\"packages\":[" PACKAGE("mcpb", "x", "1") "]"), "needs \"fileSha256\"" },
		{ OF("\"packages\":[{\"registryType\":\"mcpb\",\"identifier\":\"x\","
		     "\"fileSha256\":\"12\"}]"),
		  "packages[0].fileSha256: this is no SHA-256" },
		{ OF("\"remotes\":[{\"type\":\"stdio\",\"url\":\"http://h\"}]"),
		  "remotes[0].type: \"stdio\" is no transport" },
		{ OF("\"remotes\":[" REMOTE("ftp://h") "]"), "f:3:" },
		{ OF("\"remotes\":[" REMOTE("https://u:p@h/") "]"), "remotes[0].url: not an http" },
		{ OF("\"remotes\":[" REMOTE("https://{a/x") "]"), "remotes[0].url: not an http" },
		{ OF("\"remotes\":[" REMOTE("https://{a.b}/x") "]"), "remotes[0].url: not" },
		{ OF("\"remotes\":[" REMOTE("https://{}x/") "]"), "remotes[0].url: not an http" },
		{ OF("\"remotes\":[" REMOTE("https://{a}{b}/") "]"), "remotes[0].url: not an" },
		{ OF("\"remotes\":[" REMOTE("https://h/}") "]"), "remotes[0].url: not an http" },
		{ OF("\"status\":\"gone\",\"remotes\":[" REMOTE("http://h") "]"), "status: " },
		{ OF("\"_meta\":3,\"remotes\":[" REMOTE("http://h") "]"), "_meta: " },
		{ OF("\"name\":\"x\""), "f:3:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_done) struct buf errors = BUF(4096);
		struct server_json s;

		assert_int_equal(server_json_read(rows[i].text, strlen(rows[i].text), "f", &s,
						  &errors),
				 -EINVAL);
		if (!strstr(buf_str(&errors), rows[i].why))
			fail_msg("%s: %s", rows[i].text, buf_str(&errors));
		assert_null(s.name);
	}
}

static void test_urls(void **state)
{
	static const struct {
		const char *pattern, *url;
		enum verify_result r;
	} rows[] = {
		{ "https://h.example/mcp", "https://h.example/mcp", VERIFY_MATCHES },
		{ "https://H.example:443/mcp/", "https://h.example/mcp", VERIFY_MATCHES },
		{ "https://h.example/mcp", "http://h.example/mcp", VERIFY_DIFFERS },
		{ "https://h.example/mcp", "https://h.example/MCP", VERIFY_DIFFERS },
		{ "https://h.example/mcp", "https://h.example/mcp/x", VERIFY_DIFFERS },
		{ "https://h.example/mcp", "https://h.example:8443/mcp", VERIFY_DIFFERS },
		{ "https://h.example/mcp", "https://h.example.evil/mcp", VERIFY_DIFFERS },
		{ "https://{t}.example/mcp", "https://a.example/mcp", VERIFY_MATCHES },
		{ "https://{t}.example/mcp", "https://a.b.example/mcp", VERIFY_DIFFERS },
		{ "https://{t}.example/mcp", "https://.example/mcp", VERIFY_DIFFERS },
		{ "https://{t}.example/mcp", "https://evil/x.example/mcp", VERIFY_DIFFERS },
		{ "https://{t}-eu.example/", "https://a-eu-eu.example/", VERIFY_MATCHES },
		{ "https://x{a}y{b}z.example/", "https://x1y2y3z.example/", VERIFY_MATCHES },
		{ "https://x{a}y{b}z.example/", "https://xyz.example/", VERIFY_DIFFERS },
		{ "https://h:{port}/mcp", "https://h:3001/mcp", VERIFY_MATCHES },
		{ "https://h:{port}/mcp", "https://h/mcp", VERIFY_DIFFERS },
		{ "https://h/{v}/mcp", "https://h/v1/mcp", VERIFY_MATCHES },
		{ "https://h/{v}/mcp", "https://h/v1/x/mcp", VERIFY_DIFFERS },
		{ "https://h/{key}/mcp", "https://h/***/mcp", VERIFY_MATCHES },
		{ "https://h/abc/mcp", "https://h/***/mcp", VERIFY_UNKNOWN },
		{ "https://h/mcp", "https://h:443", VERIFY_UNKNOWN },
		{ "https://h/mcp", "https://h/", VERIFY_DIFFERS },
		{ "http://[::1]:3001/mcp", "http://[::1]:3001/mcp", VERIFY_MATCHES },
		{ "https://h/mcp?x", "https://h/mcp", VERIFY_MATCHES },
		{ "https://h/mcp", "unix:/run/x", VERIFY_DIFFERS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (server_json_url_matches(rows[i].pattern, rows[i].url) != rows[i].r)
			fail_msg("%s %s", rows[i].pattern, rows[i].url);
}

static void test_namespaces(void **state)
{
	(void)state;
	assert_true(server_json_owns("com.example/x", "example.com"));
	assert_true(server_json_owns("com.example/x", "mcp.eu.example.com"));
	assert_true(server_json_owns("com.Example.mcp/x", "mcp.example.COM."));
	assert_false(server_json_owns("com.example/x", "example.com.evil.net"));
	assert_false(server_json_owns("com.example/x", "notexample.com"));
	assert_false(server_json_owns("com.example.mcp/x", "example.com"));
	assert_false(server_json_owns("com/x", "example.com"));
	assert_false(server_json_owns("io.github.user/x", "example.com"));
	assert_false(server_json_owns("com.example/x", ""));
}

static void verified(const char *text, const char *url, const char *command, const char *wanted)
{
	struct server_json s = made(text);
	struct verification v;
	char got[96];

	server_json_verify(&s, url, command, &v);
	snprintf(got, sizeof(got), "%s: %s %s %s %s", v.matches ? "yes" : "no",
		 verify_result_names[v.checks[0].result], verify_result_names[v.checks[1].result],
		 verify_result_names[v.checks[2].result], verify_result_names[v.checks[3].result]);
	assert_string_equal(got, wanted);
	server_json_done(&s);
}

static void test_verification(void **state)
{
	static const char remote[] =
		"{\"name\":\"com.example/c\",\"version\":\"1\",\"remotes\":[" REMOTE(
			"https://other/") "," REMOTE("https://{t}.example.com/mcp") "]}";
	static const char gone[] =
		"{\"name\":\"com.example/c\",\"version\":\"1\",\"remotes\":[" REMOTE(
			"https://a.example.com/mcp") "],\"status\":\"deleted\"}";
	static const char packages[] =
		"{\"name\":\"io.github.u/c\",\"version\":\"1\",\"packages\":[" PACKAGE(
			"npm", "@u/p",
			"1.0.0") "," PACKAGE("pypi", "tool",
					     "2.0") "," PACKAGE("oci", "docker.io/u/x", "3") "]}";

	(void)state;
	verified(remote, "https://a.example.com/mcp", NULL, "yes: note matches note matches");
	verified(remote, "https://other", NULL, "yes: note matches note note");
	verified(remote, "https://evil/mcp", NULL, "no: note differs note note");
	verified(remote, "https://a.example.com:443", NULL, "no: note unknown note matches");
	verified(remote, NULL, "npx x", "no: note note differs note");
	verified(gone, "https://a.example.com/mcp", NULL, "no: differs matches note matches");
	verified(packages, NULL, "npx -y @u/p@1.0.0 /srv", "yes: note note matches note");
	verified(packages, NULL, "npx -y @u/p", "yes: note note matches note");
	verified(packages, NULL, "npx -y @u/p@1.0.1", "no: note note differs note");
	verified(packages, NULL, "npx -y @u/p-evil", "no: note note differs note");
	verified(packages, NULL, "uvx tool==2.0", "yes: note note matches note");
	verified(packages, NULL, "uvx tool@2.1", "no: note note differs note");
	verified(packages, NULL, "docker run docker.io/u/x:3", "yes: note note matches note");
	verified(packages, NULL, NULL, "no: note note note note");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read), cmocka_unit_test(test_status),
		cmocka_unit_test(test_bad_files),    cmocka_unit_test(test_urls),
		cmocka_unit_test(test_namespaces),   cmocka_unit_test(test_verification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
