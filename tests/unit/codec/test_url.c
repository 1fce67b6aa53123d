/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/url.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

static void test_good(void **state)
{
	static const struct {
		const char *text;
		enum url_scheme scheme;
		const char *host;
		uint16_t port;
		bool has_addr, has_secret;
		const char *shown, *bare;
	} rows[] = {
		{ "http://127.0.0.1:3001/mcp", URL_HTTP, "127.0.0.1", 3001, true, false,
		  "http://127.0.0.1:3001/mcp", "http://127.0.0.1:3001/mcp" },
		{ "HTTPS://Mcp.Example.COM", URL_HTTPS, "mcp.example.com", 443, false, false,
		  "https://mcp.example.com", "https://mcp.example.com" },
		{ "http://host:80/", URL_HTTP, "host", 80, false, false, "http://host/",
		  "http://host/" },
		{ "https://host:/x", URL_HTTPS, "host", 443, false, false, "https://host/x",
		  "https://host/x" },
		{ "http://[FD00::1]:8080/a", URL_HTTP, "fd00::1", 8080, true, false,
		  "http://[fd00::1]:8080/a", "http://[fd00::1]:8080/a" },
		{ "http://[::ffff:10.0.0.1]/", URL_HTTP, "10.0.0.1", 80, true, false,
		  "http://10.0.0.1/", "http://10.0.0.1/" },
		{ "http://u:p@h/a?b=c#d", URL_HTTP, "h", 80, false, true, "http://***@h/a?***",
		  "http://h/a" },
		{ "http://u@x:p@h/", URL_HTTP, "h", 80, false, true, "http://***@h/", "http://h/" },
		{ "http://h?k=v", URL_HTTP, "h", 80, false, true, "http://h?***", "http://h" },
		{ "http://h#f", URL_HTTP, "h", 80, false, false, "http://h", "http://h" },
		{ "http://h./", URL_HTTP, "h", 80, false, false, "http://h/", "http://h/" },
		{ "https://h/s/0a1b2c3d4e5f60718293/mcp", URL_HTTPS, "h", 443, false, false,
		  "https://h/s/***/mcp", "https://h/s/***/mcp" },
		{ "https://h/a-long-name-without-numbers/", URL_HTTPS, "h", 443, false, false,
		  "https://h/a-long-name-without-numbers/",
		  "https://h/a-long-name-without-numbers/" },
		/* numbers that clients read as IPv4 */
		{ "http://127.1/", URL_HTTP, "127.0.0.1", 80, true, false, "http://127.0.0.1/",
		  "http://127.0.0.1/" },
		{ "http://0x7f000001/", URL_HTTP, "127.0.0.1", 80, true, false, "http://127.0.0.1/",
		  "http://127.0.0.1/" },
		{ "http://2130706433/", URL_HTTP, "127.0.0.1", 80, true, false, "http://127.0.0.1/",
		  "http://127.0.0.1/" },
		{ "http://my_host-1.local:65535/", URL_HTTP, "my_host-1.local", 65535, false, false,
		  "http://my_host-1.local:65535/", "http://my_host-1.local:65535/" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = NULL;
		struct url u;

		assert_int_equal(url_parse(rows[i].text, &u, &why), 0);
		assert_int_equal(u.scheme, rows[i].scheme);
		assert_string_equal(u.host, rows[i].host);
		assert_int_equal(u.port, rows[i].port);
		assert_int_equal(u.has_addr, rows[i].has_addr);
		assert_int_equal(u.has_secret, rows[i].has_secret);
		assert_string_equal(u.shown, rows[i].shown);
		assert_string_equal(u.bare, rows[i].bare);
		url_done(&u);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "not an absolute URL" },
		{ "example.com/mcp", "not an absolute URL" },
		{ "localhost:3000", "not an absolute URL" },
		{ "http:/x", "not an absolute URL" },
		{ "ws://h/", "scheme is not supported" },
		{ "file:///etc/passwd", "scheme is not supported" },
		{ "httpx://h/", "scheme is not supported" },
		{ "http:///x", "host is missing" },
		{ "http://u@/x", "host is missing" },
		{ "http://./x", "host is missing" },
		{ "http://:80/", "host is missing" },
		{ "http://a b/", "spaces and control" },
		{ "http://a\n/", "spaces and control" },
		{ "http://h:0/", "port must be" },
		{ "http://h:65536/", "port must be" },
		{ "http://h:12345678901/", "port must be" },
		{ "http://h:8x/", "port must be" },
		{ "http://h:-1/", "port must be" },
		{ "http://::1/", "in [brackets]" },
		{ "http://[::1/", "closing ']'" },
		{ "http://[::1]x/", "only ':PORT'" },
		{ "http://[]/", "not an IPv6" },
		{ "http://[1.2.3.4]/", "not an IPv6" },
		{ "http://[fe80::1%25eth0]/", "zone" },
		{ "http://1.2.3.256/", "looks like an IPv4" },
		{ "http://1.2.3.4.5/", "looks like an IPv4" },
		{ "http://a..b/", "empty part" },
		{ "http://.a/", "empty part" },
		{ "http://h\xc3\xa9/", "xn--" },
		{ "http://a%41/", "xn--" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = NULL;
		struct url u;

		assert_int_equal(url_parse(rows[i].text, &u, &why), -EINVAL);
		assert_non_null(strstr(why, rows[i].why));
	}
}

static void test_long(void **state)
{
	char text[URL_TEXT_MAX + 16] = "http://";
	const char *why = NULL;
	struct url u;

	(void)state;
	memset(text + 7, 'a', URL_HOST_MAX);
	assert_int_equal(url_parse(text, &u, &why), 0);
	url_done(&u);
	memset(text + 7, 'a', URL_HOST_MAX + 1);
	assert_int_equal(url_parse(text, &u, &why), -EINVAL);
	assert_non_null(strstr(why, "253"));
	memset(text + 7, 'a', URL_TEXT_MAX);
	assert_int_equal(url_parse(text, &u, &why), -EINVAL);
	assert_non_null(strstr(why, "4096"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
