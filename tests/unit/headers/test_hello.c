/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whom a connection names, cut at every place; and what names nobody. */
#include "hello.h"

#include "bpf/hello.h"
#include "unit/headers/hello_feed.h"
#include "base/list.h"
#include "unit/unit.h"

static void expect(const uint8_t *v, size_t n, uint8_t stage, const char *name)
{
	struct sg_hello h;

	for (size_t piece = 1; piece <= n; piece++) {
		hello_feed(&h, v, n, piece);
		assert_int_equal(h.stage, stage);
		if (name)
			assert_string_equal((const char *)h.key.text, name);
		if (piece == 200)
			piece = n - 1;
	}
}

static void test_hello(void **state)
{
	static const size_t records[] = { 16384, 1, 4, 39, 100 };
	uint8_t v[HELLO_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++)
		for (int big = 0; big < 2; big++) {
			expect(v, hello_make(v, "S.Test", big, records[i]), SG_HELLO_OVER,
			       "s.test");
			expect(v, hello_make(v, "s.test.", big, records[i]), SG_HELLO_OVER,
			       "s.test");
			expect(v, hello_make(v, HELLO_127, big, records[i]), SG_HELLO_OVER,
			       HELLO_127);
			expect(v, hello_make(v, HELLO_LONG, big, records[i]), SG_HELLO_OTHER, NULL);
			expect(v, hello_make(v, "192.0.2.1", big, records[i]), SG_HELLO_NONE, NULL);
			expect(v, hello_make(v, NULL, big, records[i]), SG_HELLO_NONE, NULL);
		}
}

/* Lengths that do not fit, other messages, other records. */
static void test_broken(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} rows[] = {
		{ 5, 2 },    /* a ServerHello */
		{ 1, 2 },    /* another version of records */
		{ 4, 0 },    /* and an empty one */
		{ 84, 0 },   /* extensions that are none, */
		{ 85, 3 },   /* or too short for one */
		{ 88, 255 }, /* one that is longer than all */
	};
	uint8_t v[HELLO_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = hello_make(v, "s.test", false, 16384);

		if (rows[i].at == 84)
			v[85] = 0;
		if (rows[i].at == 4)
			v[3] = 0;
		if (rows[i].at == 85)
			v[84] = 0;
		v[rows[i].at] = rows[i].value;
		expect(v, n, SG_HELLO_NONE, NULL);
	}
}

static void test_host(void **state)
{
	static const struct {
		const char *text;
		uint8_t stage;
		const char *name;
	} rows[] = {
		{ "POST / HTTP/1.1\r\nHost: S.test:8080\r\n\r\n", SG_HELLO_OVER, "s.test" },
		{ "POST / HTTP/1.1\nA: b\nhost:s.test\n\n", SG_HELLO_OVER, "s.test" },
		{ "POST / HTTP/1.1\r\nHhost: x\r\nHost:\t s.test. \r\n\r\n", SG_HELLO_OVER,
		  "s.test" },
		{ "POST / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", SG_HELLO_NONE, NULL },
		{ "POST / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", SG_HELLO_NONE, NULL },
		{ "POST / HTTP/1.1\r\nHost: \r\n\r\n", SG_HELLO_NONE, NULL },
		{ "POST / HTTP/1.0\r\nA: b\r\n\r\nHost: x.test\r\n", SG_HELLO_NONE, NULL },
		{ "POST / HTTP/1.1\r\nHost: s.te", SG_HELLO_HOST, NULL },
		{ "POST / HTTP/1.1\r\nHos", SG_HELLO_FIND, NULL },
		{ "POST / HTTP/1.1\r\nHost: " HELLO_LONG "\r\n\r\n", SG_HELLO_OTHER, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect((const uint8_t *)rows[i].text, strlen(rows[i].text), rows[i].stage,
		       rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
