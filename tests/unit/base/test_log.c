/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "unit/unit.h"

static char captured[8192];

/* What stderr gets between capture() and captured_text(). */
static int saved = -1;
static int sink = -1;

static void capture(void)
{
	sink = memfd_create("log", 0);
	saved = dup(STDERR_FILENO);
	assert_true(sink >= 0 && saved >= 0);
	dup2(sink, STDERR_FILENO);
}

static const char *captured_text(void)
{
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(sink, captured, sizeof(captured) - 1, 0);
	close(sink);
	assert_true(n >= 0);
	captured[n] = '\0';
	return captured;
}

static void test_lines(void **state)
{
	int r;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	capture();
	log_warning("config", "%s is %d, ignoring", "x", 1);
	r = log_failure(-ENOENT, "bpf", "cannot open %s", "/a");
	log_debug("bpf", "not shown");
	assert_string_equal(captured_text(),
			    "warning: config: x is 1, ignoring\n"
			    "error: bpf: cannot open /a: No such file or directory\n");
	assert_int_equal(r, -ENOENT);
}

static void test_journal_prefix_and_level(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_set_level(LOG_LEVEL_DEBUG);
	capture();
	log_debug("loop", "shown");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("loop", "not shown");
	log_error("loop", "shown");
	assert_string_equal(captured_text(), "<7>loop: shown\n<3>loop: shown\n");
	log_set_level(LOG_LEVEL_INFO);
	unsetenv("JOURNAL_STREAM");
}

static void test_one_line_whatever_is_in_it(void **state)
{
	(void)state;
	capture();
	errno = EBUSY;
	log_info("api", "name \"a\nerror: forged\x1b[31m\x7f\"");
	assert_int_equal(errno, EBUSY);
	assert_string_equal(captured_text(),
			    "info: api: name \"a\\nerror: forged\\x1b[31m\\x7f\"\n");
}

static void test_long_messages_are_cut(void **state)
{
	static char text[5000];
	const char *out;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	capture();
	log_info("api", "%s", text);
	out = captured_text();
	assert_true(strlen(out) < 2200);
	assert_string_equal(out + strlen(out) - 6, "aa...\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_journal_prefix_and_level),
		cmocka_unit_test(test_one_line_whatever_is_in_it),
		cmocka_unit_test(test_long_messages_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
