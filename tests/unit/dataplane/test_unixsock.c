/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/private.h"

static char dir[] = "/tmp/sg-unixsock-XXXXXX";

static const char *below(const char *rest)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s%s", dir, rest);
	return path;
}

static int setup(void **state)
{
	(void)state;
	return !mkdtemp(dir) || mkdir(below("/real"), 0700) || symlink("real", below("/link"));
}

static int teardown(void **state)
{
	(void)state;
	return unlink(below("/link")) || rmdir(below("/real")) || rmdir(dir);
}

static void expect_rest_zero(const struct sg_unix *key, size_t len)
{
	for (size_t i = len; i < sizeof(key->path); i++)
		assert_int_equal(key->path[i], 0);
}

static void test_paths(void **state)
{
	struct sg_unix keys[UNIX_KEYS_MAX];

	(void)state;
	assert_int_equal(dataplane_unix_keys(below("/real/a.sock"), keys), 1);
	assert_string_equal(keys[0].path, below("/real/a.sock"));
	expect_rest_zero(&keys[0], strlen(keys[0].path));
	/* as it is configured, and where its directory is; the socket itself need not exist */
	assert_int_equal(dataplane_unix_keys(below("/link/a.sock"), keys), 2);
	assert_string_equal(keys[0].path, below("/link/a.sock"));
	assert_string_equal(keys[1].path, below("/real/a.sock"));
	assert_int_equal(dataplane_unix_keys(below("/link/..//real/./a.sock"), keys), 2);
	assert_string_equal(keys[1].path, below("/real/a.sock"));
	assert_int_equal(dataplane_unix_keys(below("/none/a.sock"), keys), 1);
	assert_int_equal(dataplane_unix_keys("/../a.sock", keys), 2);
	assert_string_equal(keys[1].path, "/a.sock");
}

static void test_run(void **state)
{
	struct sg_unix keys[UNIX_KEYS_MAX];
	char run[PATH_MAX];

	(void)state;
	if (!realpath("/var/run", run) || strcmp(run, "/run") != 0)
		skip();
	assert_int_equal(dataplane_unix_keys("/run/a.sock", keys), 2);
	assert_string_equal(keys[1].path, "/var/run/a.sock");
	assert_int_equal(dataplane_unix_keys("/var/run/a.sock", keys), 2);
	assert_string_equal(keys[1].path, "/run/a.sock");
	assert_int_equal(dataplane_unix_keys("/var/run/./a.sock", keys), 3);
}

static void test_abstract(void **state)
{
	struct sg_unix keys[UNIX_KEYS_MAX];

	(void)state;
	assert_int_equal(dataplane_unix_keys("@a/b", keys), 1);
	assert_int_equal(keys[0].path[0], 0);
	assert_string_equal(keys[0].path + 1, "a/b");
	expect_rest_zero(&keys[0], 4);
}

/* What does not fit into an address is no way to the socket. */
static void test_long(void **state)
{
	struct sg_unix keys[UNIX_KEYS_MAX];
	char name[SG_UNIX_PATH + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[0] = '/';
	name[SG_UNIX_PATH] = '\0';
	assert_int_equal(dataplane_unix_keys(name, keys), 0);
	name[SG_UNIX_PATH - 1] = '\0';
	assert_int_equal(dataplane_unix_keys(name, keys), 1);
	assert_int_equal(strlen(keys[0].path), SG_UNIX_PATH - 1);
}

static void test_root_dev(void **state)
{
	FILE *f = fopen(below("/mountinfo"), "w");

	(void)state;
	assert_non_null(f);
	fputs("1 1 0:1 / / rw - rootfs none rw\n"
	      "2 1 254:3 / / rw,relatime - ext4 /dev/root rw\n"
	      "3 2 0:20 / /run rw - tmpfs none rw\n",
	      f);
	fclose(f);
	assert_int_equal(dataplane_root_dev(below("/mountinfo")), 254 << 20 | 3);
	unlink(below("/mountinfo"));
	assert_int_equal(dataplane_root_dev(below("/mountinfo")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),    cmocka_unit_test(test_run),
		cmocka_unit_test(test_abstract), cmocka_unit_test(test_long),
		cmocka_unit_test(test_root_dev),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
