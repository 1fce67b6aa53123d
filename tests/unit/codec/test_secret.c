/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "codec/url.h"
#include "unit/unit.h"

/* As they are found in the configurations of clients and in the documents of servers; the keys
 * are made up. "=" in place of a text: shown as it is. */
static const struct {
	const char *path;
	const char *shown;
} paths[] = {
	/* ordinary ones */
	{ "", "=" },
	{ "/", "=" },
	{ "/mcp", "=" },
	{ "/mcp/", "=" },
	{ "//mcp", "=" },
	{ "/v1/mcp", "=" },
	{ "/sse", "=" },
	{ "/api/servers/search", "=" },
	{ "/server-everything", "=" },
	{ "/mcp/x/pull_requests/readonly", "=" },
	{ "/@modelcontextprotocol/server-sequential-thinking/mcp", "=" },
	{ "/modelcontextprotocol/mcp", "=" },
	{ "/mcp-server-2025.06.18-beta1", "=" },
	{ "/claude-3-5-sonnet-20241022", "=" },
	{ "/gpt-4o-mini-2024-07-18/mcp", "=" },
	{ "/api/v2/kubernetes-v1.29.3-cluster", "=" },
	{ "/x86_64-unknown-linux-gnu", "=" },
	{ "/us-east-1-production-2", "=" },
	{ "/oauth2callback-handler", "=" },
	{ "/getMcpApiServerV2", "=" },
	{ "/OpenAPI-3.0-Specification.json", "=" },
	{ "/a11y-checker-i18n-server", "=" },
	{ "/pg16-postgresql-replica2", "=" },
	{ "/base64encode-service", "=" },
	{ "/oauth2callback3-handler", "=" },
	{ "/sqlclient-everything-lib", "=" },
	{ "/sequentialthinkingstdiohttp1", "=" },
	{ "/https-xhtml-proxy-1", "=" },
	{ "/key-value-store/mcp", "=" },
	{ "/token-counter", "=" },
	{ "/sk-SK/mcp", "=" },
	{ "/monkeys/authors/keyboards", "=" },
	{ "/tenants/acme-corporation/projects/42/mcp", "=" },
	{ "/2024-11-05T12:00:00Z/report", "=" },
	{ "/caf%C3%A9-menu-search-1", "=" },
	/* keys by what they begin with */
	{ "/mcp/sk-proj-Zm9vYmFyYmF6", "/mcp/***" },
	{ "/pk-live-4f9a/mcp", "/***/mcp" },
	{ "/ghp_16C7e42F292c6912E7710c838347Ae178B4a", "/***" },
	{ "/github_pat_11ABCDEFG0aB", "/***" },
	{ "/xoxb-1234-abcd/events", "/***/events" },
	{ "/s/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjf/mcp", "/s/***/mcp" },
	{ "/AKIAIOSFODNN7EXAMPLE", "/***" },
	{ "/key-8f3a9b/mcp", "/***/mcp" },
	{ "/token-xkqzrtw", "/***" },
	{ "/key-abc12/mcp", "/***/mcp" },
	/* hexadecimal ones */
	{ "/mcp/550e8400-e29b-41d4-a716-446655440000", "/mcp/***" },
	{ "/550E8400E29B41D4A716446655440000/sse", "/***/sse" },
	{ "/0123456789abcdef", "/***" },
	{ "/1234567890123456", "/***" },
	{ "/deadbeefdeadbeef", "/***" },
	{ "/0123456789abcde", "=" },
	{ "/hooks/team-9f86d081884c7d65/mcp", "/hooks/***/mcp" },
	/* random ones */
	{ "/api/mcp/s/NDg5YzE2ZmYtMzU4Ni00NjA5LWE1/mcp", "/api/mcp/s/***/mcp" },
	{ "/a8f3k2m9x1c4v7b0", "/***" },
	{ "/prod-a8f3k2m9x1c4v7b0-eu", "/***" },
	{ "/services/T02QK7X9Z/B03RJ8W2M/s9Kf83jdKw0PqLmZx2VbNt4R",
	  "/services/T02QK7X9Z/B03RJ8W2M/***" },
	{ "/abc123def456ghi789", "/***" },
	{ "/1234abcd5678efgh", "/***" },
	{ "/mfrggzdfmztwq2lk", "/***" },
	{ "/QmxhYmxhU2VjcmV0S2V5", "/***" },
	{ "/aBcDeFgHiJkLmNoP", "/***" },
	{ "/team-123456789012", "/***" },
	{ "/ZakoTebi4VunoRal", "/***" },
	{ "/xkqzrtwp-bvdfghjk", "/***" },
	{ "/user:a8f3k2m9x1c4v7b0@host", "/***" },
	{ "/a8f3k2m9x1c4v7", "=" }, /* too short to be known */
	/* announced ones */
	{ "/token/abc/mcp", "/token/***/***" },
	{ "/mcp/Key/x", "/mcp/Key/***" },
	{ "/secret/x", "/secret/***" },
	{ "/apikey/x/", "/apikey/***/" },
	{ "/api-key/x", "/api-key/***" },
	{ "/auth/x/sse", "/auth/***/***" },
	{ "/token", "=" },
	{ "/mcp;token=abc/x", "/***/x" },
	{ "/mcp;version=2/x", "=" },
};

static void test_paths(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *want = paths[i].shown[0] == '=' ? paths[i].path : paths[i].shown;
		const char *why = NULL;
		char text[256];
		struct buf out;
		struct url u;

		out = BUF(1000);
		secret_print_path(paths[i].path, strlen(paths[i].path), &out);
		if (strcmp(buf_str(&out), want)) {
			print_error("%s: shown as %s\n", paths[i].path, buf_str(&out));
			wrong++;
		}
		buf_done(&out);
		/* the same of URLs, however they are shown */
		snprintf(text, sizeof(text), "https://u:geheim@h:8443%s?k=geheim#geheim",
			 paths[i].path);
		assert_int_equal(url_parse(text, &u, &why), 0);
		assert_string_equal(u.bare + strlen("https://h:8443"), want);
		out = BUF(1000);
		url_redact(text, URL_MASKED, &out);
		assert_string_equal(buf_str(&out), u.shown);
		buf_clear(&out);
		url_redact(text, URL_ORIGIN, &out);
		assert_string_equal(buf_str(&out), "https://h:8443");
		buf_done(&out);
		url_done(&u);
	}
	assert_int_equal(wrong, 0);
}

static void test_texts(void **state)
{
	static const struct {
		const char *text, *masked, *origin;
	} rows[] = {
		{ "", "", "" },
		{ "no URL: //x, a/b?c=d", "no URL: //x, a/b?c=d", "no URL: //x, a/b?c=d" },
		{ "see https://u:p@h/a?b=c#d, then http://h2:1/x now",
		  "see https://***@h/a?*** then http://h2:1/x now",
		  "see https://h then http://h2:1 now" },
		{ "\"http://h/token/x\" is", "\"http://h/token/***\" is", "\"http://h\" is" },
		{ "postgres+ssl://u:p@[::1]:5/d?x", "postgres+ssl://***@[::1]:5/d?***",
		  "postgres+ssl://[::1]:5" },
		{ "write http://HOST:PORT/PATH or https://...",
		  "write http://HOST:PORT/PATH or https://...",
		  "write http://HOST:PORT or https://..." },
		{ "http://a?u=http://b/c", "http://a?***", "http://a" },
		{ "://x/y", "://x/y", "://x" },
		{ "http://", "http://", "http://" },
		{ "http://h\\p@x/y", "http://h\\p@x/y", "http://h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out;

		out = BUF(1000);
		url_redact(rows[i].text, URL_MASKED, &out);
		assert_string_equal(buf_str(&out), rows[i].masked);
		buf_clear(&out);
		url_redact(rows[i].text, URL_ORIGIN, &out);
		assert_string_equal(buf_str(&out), rows[i].origin);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
