/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io/store.h"

/*
 * The machine stops before the step of that number that changes the disk; 0: it goes on. Links
 * may be missing.
 */
static unsigned int steps_left;
static bool no_links;

static void step(void)
{
	if (steps_left && !--steps_left)
		_exit(42);
}

int renameat(int a, const char *from, int b, const char *to)
{
	step();
	return (int)syscall(SYS_renameat2, a, from, b, to, 0);
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
	step();
	if (no_links) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_linkat, a, from, b, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	step();
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

ssize_t write(int fd, const void *data, size_t n)
{
	step();
	return syscall(SYS_write, fd, data, n);
}

int fsync(int fd)
{
	step();
	return (int)syscall(SYS_fsync, fd);
}

struct fixture {
	char base[64];
	char dir[128];
	struct store *store;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->base, sizeof(f->base), "%s", "/tmp/sg-test-store-XXXXXX");
	assert_non_null(mkdtemp(f->base));
	snprintf(f->dir, sizeof(f->dir), "%s/a/b", f->base);
	assert_int_equal(store_open(f->dir, 0, &f->store), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	nftw(f->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void check(struct store *store, const char *name, const char *expected)
{
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;

	assert_int_equal(store_read(store, name, 4096, &text, &len), 0);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
}

static void makes_private_directory(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void writes_replaces_and_removes(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;
	size_t len;
	char path[256];
	struct stat st;

	assert_int_equal(store_read(f->store, "state", 10, &text, &len), -ENOENT);
	assert_int_equal(store_write(f->store, "state", "old", 3), 0);
	check(f->store, "state", "old");
	assert_int_equal(store_write(f->store, "state", "newer", 5), 0);
	check(f->store, "state", "newer");
	snprintf(path, sizeof(path), "%s/state", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/.state.new", f->dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(store_read(f->store, "other", 10, &text, &len), -ENOENT);
	assert_int_equal(store_remove(f->store, "state"), 0);
	assert_int_equal(store_read(f->store, "state", 10, &text, &len), -ENOENT);
	assert_int_equal(store_read(f->store, "state.1", 10, &text, &len), -ENOENT);
	assert_null(text);
	assert_int_equal(store_remove(f->store, "state"), 0);
}

static void ignores_what_a_crash_left(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), "%s/.state.new", f->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "half a", 6), 6);
	assert_int_equal(store_write(f->store, "state", "whole", 5), 0);
	check(f->store, "state", "whole");
}

static void caps_what_it_reads(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;
	size_t len;

	assert_int_equal(store_write(f->store, "state", "12345", 5), 0);
	assert_int_equal(store_read(f->store, "state", 4, &text, &len), -EFBIG);
	assert_null(text);
	assert_int_equal(store_read(f->store, "state", 5, &text, &len), 0);
	free(text);
}

static void reads_any_file_within_its_limit(void **state)
{
	struct fixture *f = *state;
	CLEANUP(freep) char *big = calloc(1, 100001);
	char *text = NULL;
	char path[256];
	size_t len;

	assert_non_null(big);
	memset(big, 'x', 100000);
	assert_int_equal(store_write(f->store, "big", big, 100000), 0);
	snprintf(path, sizeof(path), "%s/big", f->dir);
	assert_int_equal(file_read(path, 99999, &text, &len), -EFBIG);
	assert_null(text);
	assert_int_equal(file_read(path, 100000, &text, &len), 0);
	assert_int_equal(len, 100000);
	assert_string_equal(text, big);
	free(TAKE_PTR(text));
	assert_int_equal(file_read("/dev/zero", 1000, &text, &len), -EFBIG);
	assert_int_equal(file_read("/dev/null", 1000, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(TAKE_PTR(text));
	assert_int_equal(file_read("/no/such/file", 1000, &text, &len), -ENOENT);
}

static void refuses_names_that_leave_the_directory(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;
	size_t len;

	assert_int_equal(store_write(f->store, "../x", "", 0), -EINVAL);
	assert_int_equal(store_write(f->store, "..", "", 0), -EINVAL);
	assert_int_equal(store_write(f->store, "", "", 0), -EINVAL);
	assert_int_equal(store_read(f->store, "a/b", 1, &text, &len), -EINVAL);
	assert_int_equal(store_write(f->store, ".hidden", "", 0), -EINVAL);
}

static void refuses_links_and_directories(void **state)
{
	struct fixture *f = *state;
	char path[256];
	char *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/link", f->dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(store_read(f->store, "link", 65536, &text, &len), -ELOOP);
	assert_int_equal(store_write(f->store, "link", "x", 1), 0); /* replaces the link itself */
	check(f->store, "link", "x");
	snprintf(path, sizeof(path), "%s/sub", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(store_read(f->store, "sub", 65536, &text, &len), -EINVAL);
	assert_true(store_write(f->store, "sub", "x", 1) < 0);
	snprintf(path, sizeof(path), "%s/.sub.new", f->dir);
	assert_int_equal(access(path, F_OK), -1);
}

static void refuses_a_directory_that_others_write(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;

	store_close(TAKE_PTR(f->store));
	assert_int_equal(chmod(f->dir, 0770), 0);
	assert_int_equal(store_open(f->dir, 0, &second), -EPERM);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(store_open(f->dir, 0, &second), 0);
	store_close(second);
}

static void says_when_a_file_is_in_the_way(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	char path[256];

	assert_int_equal(store_write(f->store, "file", "x", 1), 0);
	snprintf(path, sizeof(path), "%s/file/below", f->dir);
	assert_int_equal(store_open(path, 0, &second), -ENOTDIR);
	snprintf(path, sizeof(path), "%s/file", f->dir);
	assert_int_equal(store_open(path, 0, &second), -ENOTDIR);
	assert_null(second);
}

/* Other processes, or this one again: the lock goes with the store. */
static void keeps_others_out(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	int status = 0;
	pid_t pid;

	assert_int_equal(store_open(f->dir, 0, &second), -EBUSY);
	assert_null(second);
	assert_int_equal(store_busy(f->dir), -EBUSY);
	assert_int_equal(store_open_beside(f->dir, &second), 0);
	assert_int_equal(store_write(second, "other", "mine", 4), 0);
	check(f->store, "other", "mine");
	store_close(TAKE_PTR(second));
	assert_int_equal(store_busy(f->dir), -EBUSY); /* it is still locked */
	store_close(TAKE_PTR(f->store));
	assert_int_equal(store_busy(f->dir), 0);
	assert_int_equal(store_busy("/no/such/directory"), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(store_open(f->dir, 0, &second) ? 1 : 0); /* and dies with it */
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(store_open(f->dir, 0, &f->store), 0);
}

static void keeps_the_text_before(void **state)
{
	struct fixture *f = *state;
	char *text = NULL;
	size_t len;

	for (int links = 0; links < 2; links++) {
		no_links = !links;
		assert_int_equal(store_write(f->store, "state", "one", 3), 0);
		if (!links)
			assert_int_equal(store_read(f->store, "state.1", 9, &text, &len), -ENOENT);
		assert_int_equal(store_write(f->store, "state", "two", 3), 0);
		check(f->store, "state", "two");
		check(f->store, "state.1", "one");
		assert_int_equal(store_write(f->store, "state", "three", 5), 0);
		check(f->store, "state", "three");
		check(f->store, "state.1", "two");
	}
	no_links = false;
}

/* One of both is there, and whole, and the newest that was acknowledged is among them. */
static bool one_is_whole(struct store *store, const char *newest, const char *before)
{
	static const char *const names[] = { "state", "state.1" };
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		CLEANUP(freep) char *text = NULL;
		size_t len;
		int r = store_read(store, names[i], 100, &text, &len);

		if (r == -ENOENT)
			continue;
		if (r || (strcmp(text, "0") && strcmp(text, "1") && strcmp(text, "2")))
			return false;
		found |= !strcmp(text, newest) || !strcmp(text, before);
	}
	return found;
}

/* A second crash comes after the first, at the same step, and a whole write ends it all. */
static void survives_a_crash_at_every_step(void **state)
{
	struct fixture *f = *state;
	unsigned int crashes = 0;

	for (int links = 0; links < 2; links++)
		for (unsigned int at = 1; at < 20; at++) {
			no_links = !links;
			assert_int_equal(store_write(f->store, "state", "0", 1), 0);
			assert_int_equal(store_write(f->store, "state", "1", 1), 0);
			for (int again = 0; again < 2; again++) {
				int status = 0;
				pid_t pid = fork();

				assert_true(pid >= 0);
				if (pid == 0) {
					steps_left = at;
					_exit(store_write(f->store, "state", "2", 1) ? 1 : 0);
				}
				assert_int_equal(waitpid(pid, &status, 0), pid);
				assert_true(WIFEXITED(status));
				assert_true(WEXITSTATUS(status) == 42 || !status);
				crashes += status != 0;
				assert_true(one_is_whole(f->store, status ? "1" : "2", "2"));
			}
			assert_int_equal(store_write(f->store, "state", "0", 1), 0);
			check(f->store, "state", "0");
		}
	assert_true(crashes > 20);
	no_links = false;
}

static void sets_aside_without_overwriting(void **state)
{
	struct fixture *f = *state;
	char name[256], path[512];

	assert_int_equal(store_aside(f->store, name, sizeof(name)), 0);
	assert_int_equal(store_set_aside(f->store, "state", name, sizeof(name)), -ENOENT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_write(f->store, "state", &"abc"[i], 1), 0);
		assert_int_equal(store_set_aside(f->store, "state", name, sizeof(name)), 0);
	}
	assert_string_equal(name, "state.damaged-3");
	check(f->store, "state.damaged-1", "a");
	check(f->store, "state.damaged-2", "b");
	check(f->store, "state.damaged-3", "c");
	assert_int_equal(store_aside(f->store, name, sizeof(name)), 3);
	assert_non_null(strstr(name, "state.damaged-"));
	/* whatever it is, and whatever has the name: a link to nowhere, a directory */
	snprintf(path, sizeof(path), "%s/state.damaged-4", f->dir);
	assert_int_equal(symlink("nowhere", path), 0);
	snprintf(path, sizeof(path), "%s/state", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(store_set_aside(f->store, "state", name, sizeof(name)), 0);
	assert_string_equal(name, "state.damaged-5");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(store_set_aside(f->store, "../state", name, sizeof(name)), -EINVAL);
}

/* In a mount namespace of its own: a file system that is full, then read-only. */
static int on_small_tmpfs(const char *dir)
{
	CLEANUP(store_closep) struct store *store = NULL;
	CLEANUP(freep) char *big = calloc(1, 1 << 20);
	CLEANUP(freep) char *text = NULL;
	size_t len;
	char path[256];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700") < 0)
		return 77;
	if (store_open(dir, 0, &store) < 0 || store_write(store, "state", "good", 4) < 0)
		return 1;
	if (store_write(store, "state", big, 1 << 20) != -ENOSPC)
		return 2;
	if (store_read(store, "state", 100, &text, &len) < 0 || strcmp(text, "good"))
		return 3;
	free(TAKE_PTR(text));
	if (store_read(store, "state.1", 100, &text, &len) != -ENOENT)
		return 4;
	/* What did not fit is not left behind to fill the file system. */
	snprintf(path, sizeof(path), "%s/.state.new", dir);
	if (access(path, F_OK) == 0 || store_write(store, "state", "good2", 5) < 0)
		return 5;
	if (mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return 6;
	if (store_set_aside(store, "state", path, sizeof(path)) != -EROFS)
		return 7;
	if (store_write(store, "state", "x", 1) != -EROFS)
		return 8;
	store_close(TAKE_PTR(store));
	return store_open(dir, 0, &store) ? 9 : 0; /* it can be read, and locked */
}

static void survives_full_and_read_only(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(on_small_tmpfs(f->dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void says_when_not_permitted(void **state)
{
	struct fixture *f = *state;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct store *store = NULL;
		char path[256];

		snprintf(path, sizeof(path), "%s/mine", f->base);
		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(store_open(path, 0, &store) == -EACCES ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(makes_private_directory),         TEST(writes_replaces_and_removes),
		TEST(ignores_what_a_crash_left),       TEST(caps_what_it_reads),
		TEST(reads_any_file_within_its_limit), TEST(refuses_names_that_leave_the_directory),
		TEST(refuses_links_and_directories),   TEST(refuses_a_directory_that_others_write),
		TEST(says_when_a_file_is_in_the_way),  TEST(survives_full_and_read_only),
		TEST(says_when_not_permitted),         TEST(keeps_others_out),
		TEST(keeps_the_text_before),           TEST(survives_a_crash_at_every_step),
		TEST(sets_aside_without_overwriting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
