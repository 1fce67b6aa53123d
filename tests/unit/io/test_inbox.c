/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "unit/unit.h"

#define NOW (1000 * NS_PER_SEC)

static char dir[] = "/tmp/sg-test-inbox-XXXXXX";

static const char *path(const char *name)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	return text;
}

/* A file that was written at a time. */
static void drop(const char *name, const char *text, unsigned int at, unsigned int mode)
{
	const struct timespec times[] = { { .tv_sec = at }, { .tv_sec = at } };
	int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

/* The next one's name is this, "" for none; its text is its name. */
static void expect(struct inbox *box, const char *wanted)
{
	char *name = NULL;
	char *text = NULL;
	size_t len = 0;

	assert_int_equal(inbox_take(box, dir, 100, NOW, &name, &text, &len), 0);
	assert_string_equal(name ? name : "", wanted);
	if (name) {
		assert_string_equal(text, wanted);
		assert_int_equal(len, strlen(wanted));
	}
	free(name);
	free(text);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/sg-test-inbox-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void test_each_once_the_oldest_first(void **state)
{
	CLEANUP(inbox_done) struct inbox box = { 0 };
	struct inbox again = { 0 };

	(void)state;
	drop("late", "late", 30, 0600);
	drop("early", "early", 10, 0600);
	drop("middle", "middle", 20, 0600);
	expect(&box, "early");
	expect(&box, "middle");
	expect(&box, "late");
	expect(&box, "");
	/* written anew it is another */
	drop("early", "early", 40, 0600);
	expect(&box, "early");
	expect(&box, "");
	/* what is remembered is enough */
	again.seen = malloc(box.n_seen * sizeof(*box.seen));
	memcpy(again.seen, box.seen, box.n_seen * sizeof(*box.seen));
	again.n_seen = box.n_seen;
	expect(&again, "");
	inbox_done(&again);
	/* and forgotten with the file */
	assert_int_equal(unlink(path("middle")), 0);
	expect(&box, "");
	assert_int_equal(box.n_seen, 2);
}

static void test_what_is_no_report_of_ours(void **state)
{
	CLEANUP(inbox_done) struct inbox box = { 0 };

	(void)state;
	drop("group", "group", 10, 0660);
	assert_int_equal(chown(path("group"), 0, 4242), 0);
	drop("anybody", "anybody", 10, 0606);
	drop("nobody", "nobody", 10, 0600);
	assert_int_equal(chown(path("nobody"), 65534, 0), 0);
	drop(".hidden", ".hidden", 10, 0600);
	drop("empty", "", 10, 0600);
	drop("still", "still", 1000, 0600); /* being written */
	assert_int_equal(symlink("/etc/passwd", path("link")), 0);
	assert_int_equal(mkfifo(path("fifo"), 0600), 0);
	assert_int_equal(mkdir(path("directory"), 0700), 0);
	expect(&box, "");
}

static void test_who_may_write_there(void **state)
{
	CLEANUP(inbox_done) struct inbox box = { 0 };
	char *name;
	char *text;
	size_t len;

	(void)state;
	drop("a", "a", 10, 0600);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(inbox_take(&box, dir, 100, NOW, &name, &text, &len), -EPERM);
	assert_int_equal(chmod(dir, 0755), 0);
	expect(&box, "a");
	assert_int_equal(inbox_take(&box, "/nonexistent", 100, NOW, &name, &text, &len), -ENOENT);
}

static void test_too_long_is_said_once(void **state)
{
	CLEANUP(inbox_done) struct inbox box = { 0 };
	char *name;
	char *text;
	size_t len;

	(void)state;
	drop("long", "0123456789", 10, 0600);
	assert_int_equal(inbox_take(&box, dir, 9, NOW, &name, &text, &len), -EFBIG);
	assert_string_equal(name, "long");
	assert_null(text);
	free(name);
	assert_int_equal(inbox_take(&box, dir, 9, NOW, &name, &text, &len), 0);
	assert_null(name);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_once_the_oldest_first),
		TEST(test_what_is_no_report_of_ours),
		TEST(test_who_may_write_there),
		TEST(test_too_long_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
