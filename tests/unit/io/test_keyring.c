/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "unit/unit.h"

static char dir[64];
static char why[1280];

static const char *path(const char *name)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/keys/%s", dir, name);
	return text;
}

static int setup(void **state)
{
	(void)state;
	why[0] = '\0';
	snprintf(dir, sizeof(dir), "/tmp/sg-test-keyring-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void made(const char *name, struct trust_id *ret)
{
	if (keyring_new(dir, name, ret, why, sizeof(why)))
		fail_msg("%s", why);
}

static int read_key(const char *name)
{
	uint8_t secret[STATEMENT_SECRET_LEN];

	return keyring_read(dir, name, secret, why, sizeof(why));
}

static void test_a_key_is_kept(void **state)
{
	uint8_t secret[STATEMENT_SECRET_LEN];
	struct trust_id key, again;
	struct stat st;

	(void)state;
	assert_int_equal(read_key("ops"), -ENOENT);
	made("ops", &key);
	assert_int_equal(stat(path("ops.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keyring_read(dir, "ops", secret, why, sizeof(why)), 0);
	statement_key_public(secret, &again);
	assert_memory_equal(key.b, again.b, sizeof(key.b));
	/* another one does not take its place, and nothing else is left there */
	assert_int_equal(keyring_new(dir, "ops", &again, why, sizeof(why)), -EEXIST);
	assert_int_equal(read_key("ops"), 0);
	assert_int_equal(access(path(".new"), F_OK), -1);
}

static void refused(int r, const char *text)
{
	assert_int_equal(read_key("ops"), r);
	if (!strstr(why, text))
		fail_msg("\"%s\" does not say \"%s\"", why, text);
}

static void test_what_others_can_read_is_refused(void **state)
{
	static const mode_t modes[] = { 0644, 0640, 0604, 0620, 0602, 0610 };
	struct trust_id key;

	(void)state;
	made("ops", &key);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(chmod(path("ops.key"), modes[i]), 0);
		refused(-EPERM, "chmod 0600");
	}
	assert_int_equal(chmod(path("ops.key"), 0400), 0);
	assert_int_equal(read_key("ops"), 0);
	assert_int_equal(chmod(path(""), 0777), 0);
	refused(-EPERM, "others can write to");
}

static void test_what_is_no_file_of_ours_is_refused(void **state)
{
	struct trust_id key;
	char other[128];

	(void)state;
	made("other", &key);
	snprintf(other, sizeof(other), "%s", path("other.key"));
	assert_int_equal(symlink(other, path("ops.key")), 0);
	refused(-EPERM, "symbolic link");
	assert_int_equal(unlink(path("ops.key")), 0);
	assert_int_equal(mkfifo(path("ops.key"), 0600), 0);
	refused(-EPERM, "no regular file");
	assert_int_equal(unlink(path("ops.key")), 0);
	if (geteuid())
		return;
	assert_int_equal(rename(other, path("ops.key")), 0);
	assert_int_equal(chown(path("ops.key"), 1, 0), 0);
	refused(-EPERM, "belongs to user 1");
}

/* Whatever a bit of it is changed to: it does not sign. */
static void test_a_damaged_key_is_refused(void **state)
{
	struct trust_id key;
	char digit;
	int fd;

	(void)state;
	made("ops", &key);
	for (off_t at = 0; at < 128; at += 9) {
		fd = open(path("ops.key"), O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &digit, 1, at), 1);
		assert_int_equal(pwrite(fd, digit == '0' ? "1" : "0", 1, at), 1);
		refused(-EBADMSG, "holds no key");
		assert_int_equal(pwrite(fd, &digit, 1, at), 1);
		close(fd);
	}
	assert_int_equal(read_key("ops"), 0);
	assert_int_equal(truncate(path("ops.key"), 100), 0);
	refused(-EBADMSG, "holds no key");
}

static void count(void *arg, const char *name)
{
	size_t *n = arg;

	++*n;
	assert_true(!strcmp(name, "a") || !strcmp(name, "b"));
}

static void test_they_are_listed_and_removed(void **state)
{
	struct trust_id key;
	size_t n = 0;

	(void)state;
	keyring_each(dir, count, &n);
	assert_int_equal(n, 0);
	made("a", &key);
	made("b", &key);
	close(open(path("notes.txt"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	keyring_each(dir, count, &n);
	assert_int_equal(n, 2);
	assert_int_equal(keyring_remove(dir, "a", why, sizeof(why)), 0);
	assert_int_equal(keyring_remove(dir, "a", why, sizeof(why)), 0);
	assert_int_equal(read_key("a"), -ENOENT);
	assert_int_equal(keyring_new(dir, "../a", &key, why, sizeof(why)), -EINVAL);
	assert_int_equal(keyring_new(dir, "", &key, why, sizeof(why)), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_key_is_kept),
		TEST(test_what_others_can_read_is_refused),
		TEST(test_what_is_no_file_of_ours_is_refused),
		TEST(test_a_damaged_key_is_refused),
		TEST(test_they_are_listed_and_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
