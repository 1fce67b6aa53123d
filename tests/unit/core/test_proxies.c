/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "base/cleanup.h"
#include "core/proxies.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_read),
					    cmocka_unit_test(test_for) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
