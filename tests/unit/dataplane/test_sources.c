/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines of subuid(5). */
#include "dataplane/private.h"

#include "unit/unit.h"

static int parse(const char *line, uint32_t *owner, uint32_t *first, uint64_t *n)
{
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", line);
	return dataplane_subuid_parse(copy, owner, first, n);
}

static void test_lines(void **state)
{
	static const char *const bad[] = { "",           "root",           "root:1",
					   "a:0:10",     "a:-1:10",        "a:x:10",
					   "a:10:",      "a:10:0",         "a:4294967295:2",
					   "a:10:10 20", "a:4294967296:1", "::" };
	uint32_t owner;
	uint32_t first;
	uint64_t n;

	(void)state;
	assert_int_equal(parse("root:100000:65536\n", &owner, &first, &n), 0);
	assert_int_equal(owner, 0); /* by the file of users */
	assert_int_equal(first, 100000);
	assert_int_equal(n, 65536);
	assert_int_equal(parse("1000:165536:1", &owner, &first, &n), 0);
	assert_int_equal(owner, 1000);
	assert_int_equal(parse("no such user:231072:65536", &owner, &first, &n), 0);
	assert_int_equal(owner, 231072); /* whoever it is, he is one */
	assert_int_equal(parse("1:4294967295:1", &owner, &first, &n), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], &owner, &first, &n), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
