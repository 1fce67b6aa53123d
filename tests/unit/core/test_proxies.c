/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/proxies.h"
#include "target.h"
#include "unit/unit.h"

#define READ(p, text) proxies_read(p, text, sizeof(text) - 1)

static void test_read(void **state)
{
	struct proxies p;

	(void)state;
	READ(&p, "PATH=/bin\0HTTP_PROXY=http://user:hush@h%@proxy.example:3128/x?y\0A=1\0");
	assert_string_equal(p.http, "proxy.example:3128");
	assert_string_equal(p.https, "");
	READ(&p, "https_proxy=[::1]:8080\0ALL_PROXY=socks5h://10.0.0.1:1080\0");
	assert_string_equal(p.https, "[::1]:8080");
	assert_string_equal(p.http, "10.0.0.1:1080");
	/* what is no host is not kept, nor is the rest of an environment that was cut off */
	READ(&p, "http_proxy=se cret\0HTTPS_PROXY=hush\nhush:1\0all_proxy=host:1");
	assert_string_equal(p.http, "");
	assert_string_equal(p.https, "");
	READ(&p, "MY_HTTP_PROXY=a:1\0http_proxyx=b:1\0NO_PROXY=*\0HTTP_PROXY=\0");
	assert_string_equal(p.http, "");
	proxies_read(&p, "", 0);
	assert_null(proxies_for(&p, false, "h"));
}

static void test_for(void **state)
{
	static const struct {
		const char *except;
		const char *host;
		bool proxied;
	} rows[] = {
		{ "", "mcp.example.com", true },
		{ "*", "mcp.example.com", false },
		{ "example.com", "mcp.example.com", false },
		{ ".example.com", "mcp.example.com", false },
		{ "*.example.com", "mcp.example.com", false },
		{ "EXAMPLE.com:443", "mcp.example.com", false },
		{ "ample.com", "mcp.example.com", true },
		{ "localhost, 127.0.0.1", "127.0.0.1", false },
		{ "localhost,127.0.0.1", "127.0.0.11", true },
		{ "10.0.0.0/8", "10.9.8.7", false },
		{ "10.0.0.0/15", "10.2.0.1", true },
		{ "10.0.0.0/15", "10.1.0.1", false },
		{ "::1", "::1", false },
		{ "[::1]:80", "::1", false },
		{ "::1", "fd00::1", true },
		{ ",, ,", "h", true },
		{ "mcp.example.com.au", "mcp.example.com", true },
	};
	struct proxies p;

	(void)state;
	READ(&p, "http_proxy=p:1\0https_proxy=q:2\0");
	assert_string_equal(proxies_for(&p, false, "h"), "p:1");
	assert_string_equal(proxies_for(&p, true, "h"), "q:2");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(p.except, sizeof(p.except), "%s", rows[i].except);
		assert_int_equal(proxies_for(&p, true, rows[i].host) != NULL, rows[i].proxied);
	}
}

static void test_plain(void **state)
{
	struct proxies p;

	(void)state;
	READ(&p, "http_proxy=p:1\0HTTPS_PROXY=HTTP://q:2\0");
	assert_true(p.http_plain && p.https_plain);
	READ(&p, "http_proxy=https://p:1\0all_proxy=socks5://q:2\0");
	assert_false(p.http_plain || p.https_plain);
	READ(&p, "https_proxy=https://p:1\0all_proxy=http://q:2\0");
	assert_true(p.http_plain && !p.https_plain);
}

static void test_split(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: it is none */
		uint16_t port;
	} rows[] = {
		{ "proxy.example:3128", "proxy.example", 3128 },
		{ "proxy", "proxy", 0 },
		{ "[::1]:8080", "::1", 8080 },
		{ "[::1]", "::1", 0 },
		{ "", NULL, 0 },
		{ ":1", NULL, 0 },
		{ "[]:1", NULL, 0 },
		{ "p:0", NULL, 0 },
		{ "p:65536", NULL, 0 },
		{ "p:", NULL, 0 },
		{ "[::1]8080", NULL, 0 },
		{ "[::1", NULL, 0 },
		{ "a-name-that-has-no-room:1", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char host[16];
		uint16_t port = 1;
		int r = proxy_split(rows[i].text, host, sizeof(host), &port);

		assert_int_equal(r, rows[i].host ? 0 : -EINVAL);
		if (r)
			continue;
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
}

/* What a proxy is asked for is found again by the name that it was entered by. */
static bool asked_for(const char *request, const struct sg_target *names, size_t n)
{
	struct sg_target t = { 0 };
	bool found = false;

	memcpy(t.text, request, strnlen(request, sizeof(t.text)));
	sg_target_cut(&t);
	for (size_t i = 0; i < n; i++)
		found |= !memcmp(&t, &names[i], sizeof(t));
	return found;
}

static void test_targets(void **state)
{
	struct sg_target names[PROXY_TARGETS_MAX];
	char longest[SG_TARGET_LEN + 1];
	size_t n = proxy_targets(true, "Mcp.Example.com", 443, names);

	(void)state;
	assert_int_equal(n, 1);
	assert_true(asked_for("mcp.example.com:443 HTTP/1.1\r\n", names, n));
	assert_true(asked_for("MCP.EXAMPLE.COM:443/mcp", names, n));
	assert_false(asked_for("mcp.example.com:4433 HTTP/1.1", names, n));
	assert_false(asked_for("mcp.example.com HTTP/1.1", names, n));
	assert_false(asked_for("mcp.example.com:443.example.org:443 ", names, n));
	assert_false(asked_for("cp.example.com:443 ", names, n));
	n = proxy_targets(false, "z{@[_`-9", 80, names); /* what is around the letters */
	assert_int_equal(n, 2);
	assert_true(asked_for("z{@[_`-9/", names, n));
	assert_true(asked_for("Z{@[_`-9?", names, n));
	assert_true(asked_for("z{@[_`-9#", names, n));
	assert_true(asked_for("z{@[_`-9:80\r\n", names, n));
	n = proxy_targets(false, "::1", 3001, names);
	assert_int_equal(n, 1);
	assert_true(asked_for("[::1]:3001 HTTP/1.1", names, n));
	/* at least one zero stays behind it */
	memset(longest, 'a', sizeof(longest));
	longest[SG_TARGET_LEN - 1 - strlen(":443")] = '\0';
	n = proxy_targets(true, longest, 443, names);
	assert_int_equal(n, 1);
	longest[SG_TARGET_LEN - 1 - strlen(":443")] = 'a';
	longest[SG_TARGET_LEN - strlen(":443")] = '\0';
	assert_int_equal(proxy_targets(true, longest, 443, names), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_read), cmocka_unit_test(test_for),
					    cmocka_unit_test(test_plain),
					    cmocka_unit_test(test_split),
					    cmocka_unit_test(test_targets) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
