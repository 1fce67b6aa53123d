/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "io/resolver.h"

#define NONSENSE "the answer makes no sense"

static void finds_localhost(void **state)
{
	struct resolver_answer answer = { 0 };
	struct resolver_answer number = { 0 };

	(void)state;
	resolver_look_up("localhost", &answer);
	assert_in_range(answer.n, 1, RESOLVER_ADDRS_MAX);
	for (uint32_t i = 0; i < answer.n; i++)
		assert_true(addr_is_loopback(&answer.addrs[i]));
	assert_string_equal(answer.error, "");
	/* each once, of whatever type of socket */
	resolver_look_up("127.0.0.1", &number);
	assert_int_equal(number.n, 1);
	assert_true(addr_is_v4(&number.addrs[0]));
	assert_null(resolver_answer_why(&number));
}

static void explains_a_failure(void **state)
{
	struct resolver_answer answer = { 0 };

	(void)state;
	resolver_look_up("not a host name", &answer);
	assert_int_equal(answer.n, 0);
	assert_true(strlen(answer.error) > 5);
	assert_ptr_equal(resolver_answer_why(&answer), answer.error);
}

static void finds_groups(void **state)
{
	struct resolver_group root = { 0 };
	struct resolver_group none = { 0 };

	(void)state;
	resolver_group("root", &root);
	assert_true(root.found);
	assert_int_equal(root.gid, 0);
	resolver_group("no such group", &none);
	assert_false(none.found);
	assert_true(strlen(none.error) > 5);
	assert_null(resolver_group_why(&root));
	assert_ptr_equal(resolver_group_why(&none), none.error);
}

static void sees_nonsense(void **state)
{
	struct resolver_answer answer = { .n = RESOLVER_ADDRS_MAX + 1 };
	struct resolver_group group = { 0 };

	(void)state;
	assert_string_equal(resolver_answer_why(&answer), NONSENSE);
	answer.n = 0;
	memset(answer.error, 'x', sizeof(answer.error));
	assert_string_equal(resolver_answer_why(&answer), NONSENSE);
	*(uint8_t *)&group.found = 2;
	assert_string_equal(resolver_group_why(&group), NONSENSE);
	*(uint8_t *)&group.found = 0;
	memset(group.error, 'x', sizeof(group.error));
	assert_string_equal(resolver_group_why(&group), NONSENSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_localhost),
		cmocka_unit_test(explains_a_failure),
		cmocka_unit_test(finds_groups),
		cmocka_unit_test(sees_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
