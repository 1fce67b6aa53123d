/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "unit/unit.h"

static void test_addresses_round_trip(void **state)
{
	static const struct {
		const char *in, *out;
		bool v4, loopback, unspecified;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", true, false, false },
		{ "127.9.9.9", "127.9.9.9", true, true, false },
		{ "::ffff:127.0.0.1", "127.0.0.1", true, true, false },
		{ "::1", "::1", false, true, false },
		{ "[::1]", "::1", false, true, false },
		{ "0.0.0.0", "0.0.0.0", true, false, true },
		{ "::", "::", false, false, true },
		{ "::ffff:0.0.0.0", "0.0.0.0", true, false, true },
		{ "FD00::A", "fd00::a", false, false, false },
	};
	struct addr a;
	char out[46];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(parse_addr(rows[i].in, &a), 0);
		assert_string_equal(format_addr(out, sizeof(out), &a), rows[i].out);
		assert_int_equal(addr_is_v4(&a), rows[i].v4);
		assert_int_equal(addr_is_loopback(&a), rows[i].loopback);
		assert_int_equal(addr_is_unspecified(&a), rows[i].unspecified);
	}
}

static void test_bad_addresses(void **state)
{
	static const char *const rows[] = { "",          "1.2.3", "1.2.3.4.5", "01.2.3.4",
					    "[1.2.3.4]", "[::1",  "::1]",      "fe80::1%lo",
					    "localhost", " ::1",  "1.2.3.4 ",  "256.0.0.1",
					    "[]" };
	struct addr a = { { 7 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(parse_addr(rows[i], &a), -EINVAL);
	assert_int_equal(a.bytes[0], 7);
}

static void test_networks(void **state)
{
	static const struct {
		const char *text;
		int r;
		unsigned int len;
	} rows[] = {
		{ "10.0.0.0/8", 0, 104 },
		{ "0.0.0.0/0", 0, 96 },
		{ "1.2.3.4/32", 0, 128 },
		{ "fd00::/8", 0, 8 },
		{ "::/0", 0, 0 },
		{ "::1/128", 0, 128 },
		{ "10.0.0.1/8", -EINVAL, 0 },
		{ "10.0.0.0/33", -ERANGE, 0 },
		{ "fd00::/129", -ERANGE, 0 },
		{ "fd00::1/8", -EINVAL, 0 },
		{ "10.0.0.0", -EINVAL, 0 },
		{ "10.0.0.0/", -EINVAL, 0 },
		{ "/8", -EINVAL, 0 },
		{ "10.0.0.0/8/8", -EINVAL, 0 },
	};
	struct addr a;
	unsigned int len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		len = 777;
		assert_int_equal(parse_network(rows[i].text, &a, &len), rows[i].r);
		assert_int_equal(len, rows[i].r ? 777 : rows[i].len);
	}
}

static void test_ports(void **state)
{
	static const char *const bad[] = { "127.0.0.1", "::1:80", "1.2.3.4:", "1.2.3.4:65536x",
					   "[::1]80",   ":",      "",         "host:80" };
	struct addr a = { { 7 } };
	uint16_t port = 7;
	char out[54];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_addr_port(bad[i], &a, &port), -EINVAL);
	assert_int_equal(parse_addr_port("1.2.3.4:65536", &a, &port), -ERANGE);
	assert_int_equal(port, 7);
	assert_int_equal(a.bytes[0], 7);
	assert_int_equal(parse_addr_port("127.0.0.1:9464", &a, &port), 0);
	assert_int_equal(port, 9464);
	assert_string_equal(format_addr(out, sizeof(out), &a), "127.0.0.1");
	assert_string_equal(format_addr_port(out, sizeof(out), &a, port), "127.0.0.1:9464");
	assert_int_equal(parse_addr_port("[fd00::1]:80", &a, &port), 0);
	assert_string_equal(format_addr(out, sizeof(out), &a), "fd00::1");
	assert_string_equal(format_addr_port(out, sizeof(out), &a, port), "[fd00::1]:80");
	assert_int_equal(parse_addr_port(":80", &a, &port), 0);
	assert_true(addr_is_unspecified(&a));
	assert_int_equal(port, 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_round_trip),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
