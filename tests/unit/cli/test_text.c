/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "cli/text.h"

static void escapes_what_a_terminal_obeys(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "a\033[31mb\n\t\x7f", "a\\x1b[31mb\\x0a\\x09\\x7f" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xc2\x9b", "\\xc2\\x9b" },                   /* CSI in C1 */
		{ "x\xe2\x80\xaey", "x\\xe2\\x80\\xaey" },      /* right-to-left override */
		{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },          /* isolate */
		{ "\xff\xc3", "\\xff\\xc3" },                   /* no UTF-8 */
		{ "\xc0\xaf", "\\xc0\\xaf" },                   /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond the last */
		{ "\xe2\x82", "\\xe2\\x82" },                   /* cut off */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(buf_done) struct buf b = { 0 };

		b = BUF(1000);
		text_escape(&b, rows[i][0]);
		assert_string_equal(buf_str(&b), rows[i][1]);
	}
}

static void formats_for_people(void **state)
{
	static const struct {
		double ms;
		const char *text;
	} rows[] = { { NAN, "-" },        { 0, "0.00 ms" },    { 1.234, "1.23 ms" },
		     { 12.34, "12 ms" },  { 9.94, "9.94 ms" }, { 9.96, "10 ms" },
		     { 999.4, "999 ms" }, { 1500, "1.5 s" } };
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(text_milliseconds(text, sizeof(text), rows[i].ms),
				    rows[i].text);
	assert_string_equal(text_remaining(text, sizeof(text), 5 * NS_PER_SEC + 1, 0), "6 s");
	assert_string_equal(text_remaining(text, sizeof(text), 5, 10), "0 s");
	assert_int_equal(text_width("\xe2\x82\xac+1"), 3);
}

static void print(const struct table *t, bool coloured, char *out, size_t size)
{
	FILE *f = fmemopen(out, size, "w");

	assert_non_null(f);
	assert_int_equal(table_print(t, coloured, f), 0);
	fclose(f);
}

static void aligns_columns(void **state)
{
	CLEANUP(table_done) struct table t;
	char out[512];

	(void)state;
	table_init(&t, 3, 2); /* the second one to the right */
	table_add(&t, COLOUR_HEAD, "NAME");
	table_add(&t, COLOUR_HEAD, "N");
	table_add(&t, COLOUR_HEAD, "END");
	table_add(&t, COLOUR_NONE, "\xc3\xbc");
	table_add(&t, COLOUR_BAD, "%d", 12345);
	table_add(&t, COLOUR_NONE, "a\nb");
	print(&t, false, out, sizeof(out));
	assert_string_equal(out, "NAME      N  END\n"
				 "\xc3\xbc     12345  a\\x0ab\n");
	print(&t, true, out, sizeof(out));
	assert_non_null(strstr(out, "\033[1;31m12345\033[0m"));
	assert_non_null(strstr(out, "\033[1mNAME\033[0m  "));
}

static void table_errors_stick(void **state)
{
	CLEANUP(table_done) struct table t;
	char big[5000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	table_init(&t, 1, 0);
	table_add(&t, COLOUR_NONE, "%s", big);
	table_add(&t, COLOUR_NONE, "x");
	assert_int_equal(table_print(&t, false, stdout), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_what_a_terminal_obeys),
		cmocka_unit_test(formats_for_people),
		cmocka_unit_test(aligns_columns),
		cmocka_unit_test(table_errors_stick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
