/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/buf.h"

#include <errno.h>
#include <string.h>

#include "unit/unit.h"

static void test_empty(void **state)
{
	struct buf b;
	char *text;

	(void)state;
	b = BUF(10);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_error(&b), 0);
	text = buf_steal(&b);
	assert_string_equal(text, "");
	free(text);
	buf_done(&b);
}

static void test_grows(void **state)
{
	struct buf b;

	(void)state;
	b = BUF(100000);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i % 10);
	buf_puts(&b, "end");
	buf_putc(&b, '.');
	buf_append(&b, "\0x", 2);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.len, 2006);
	assert_memory_equal(b.data + 1990, "5,6,7,8,9,end.\0x\0", 17);
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.max, 100000);
}

static void test_maximum_is_exact_and_sticks(void **state)
{
	struct buf b;

	(void)state;
	b = BUF(5);
	buf_puts(&b, "abc");
	buf_puts(&b, "de");
	assert_int_equal(buf_error(&b), 0);
	buf_putc(&b, 'f');
	assert_int_equal(buf_error(&b), -EMSGSIZE);
	assert_string_equal(buf_str(&b), "abcde");
	assert_null(buf_steal(&b));
	buf_clear(&b);
	assert_int_equal(buf_error(&b), 0);
	buf_printf(&b, "%s", "123456");
	assert_int_equal(buf_error(&b), -EMSGSIZE);
	buf_puts(&b, "1");
	assert_string_equal(buf_str(&b), "");
	buf_done(&b);
}

static void test_steal_leaves_empty(void **state)
{
	struct buf b;
	char *text;

	(void)state;
	b = BUF(50);
	buf_puts(&b, "given away");
	text = buf_steal(&b);
	assert_string_equal(text, "given away");
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "anew");
	assert_string_equal(buf_str(&b), "anew");
	free(text);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_maximum_is_exact_and_sticks),
		cmocka_unit_test(test_steal_leaves_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
