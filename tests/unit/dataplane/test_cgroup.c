/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "dataplane/cgroup.h"
#include "dataplane/cgroup_names.h"

struct line {
	const char *text;
	int r;
	const char *root;
	const char *point;
};

static void reads_mountinfo(void **state)
{
	static const struct line lines[] = {
		{ "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate",
		  0, "/", "/sys/fs/cgroup" },
		/* hybrid: no optional field */
		{ "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n", 0, "/",
		  "/sys/fs/cgroup/unified" },
		{ "35 24 0:30 /docker/abc /a\\040b\\134c rw shared:9 master:1 - cgroup2 none rw", 0,
		  "/docker/abc", "/a b\\c" },
		{ "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu", -ENOENT,
		  NULL, NULL },
		/* The word in another place is not the type. */
		{ "1 2 0:1 / /cgroup2 rw cgroup2 - tmpfs cgroup2 rw", -ENOENT, NULL, NULL },
		{ "1 2 0:1 / /m - - cgroup2 cgroup2 rw", 0, "/", "/m" },
		{ "", -EINVAL, NULL, NULL },
		{ "1 2 0:1 / /m rw", -EINVAL, NULL, NULL },
		{ "1 2 0:1 / /m rw -", -EINVAL, NULL, NULL },
		{ "1 2 0:1 / /m\\04 rw - cgroup2 c rw", -EINVAL, NULL, NULL },
		{ "1 2 0:1 / /m\\ rw - cgroup2 c rw", -EINVAL, NULL, NULL },
		{ "1 2 0:1 / /m\\000x rw - cgroup2 c rw", -EINVAL, NULL, NULL },
		{ "1 2 0:1 / /m\\777 rw - cgroup2 c rw", -EINVAL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		CLEANUP(cgroup_mount_done) struct cgroup_mount m = { 0 };

		assert_int_equal(cgroup_parse_mount(lines[i].text, &m), lines[i].r);
		if (lines[i].r < 0) {
			assert_null(m.root);
			assert_null(m.point);
			continue;
		}
		assert_string_equal(m.root, lines[i].root);
		assert_string_equal(m.point, lines[i].point);
	}
}

static void finds_and_checks_the_hierarchy(void **state)
{
	CLEANUP(freep) char *path = NULL;
	int r = cgroup_find(&path);

	(void)state;
	if (r == -ENOENT)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(cgroup_check(path), 0);
	assert_int_equal(cgroup_check("/proc"), -EINVAL);
	assert_int_equal(cgroup_check("/nonexistent"), -ENOENT);
	assert_int_equal(cgroup_check("/etc/passwd"), -ENOTDIR);
}

static void knows_who_is_inside(void **state)
{
	CLEANUP(freep) char *root = NULL;
	CLEANUP(freep) char *group = NULL;
	CLEANUP(freep) char *sibling = NULL;
	CLEANUP(freep) char *procs = NULL;
	CLEANUP(fclosep) FILE *f = NULL;
	bool inside = false;
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0 || cgroup_find(&root) < 0)
		skip();
	assert_int_equal(cgroup_contains(root, 0, &inside), 0);
	assert_true(inside);
	assert_true(asprintf(&group, "%s/sg-test-%d", root, getpid()) > 0);
	/* A name that only begins like the group's. */
	assert_true(asprintf(&sibling, "%s/sg-test-%dx", root, getpid()) > 0);
	assert_true(asprintf(&procs, "%s/cgroup.procs", sibling) > 0);
	if (mkdir(group, 0755) < 0 || mkdir(sibling, 0755) < 0)
		skip();
	assert_int_equal(cgroup_contains(group, 0, &inside), 0);
	assert_false(inside);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	f = fopen(procs, "we");
	assert_non_null(f);
	assert_true(fprintf(f, "%d", pid) > 0);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(cgroup_contains(sibling, pid, &inside), 0);
	assert_true(inside);
	assert_int_equal(cgroup_contains(root, pid, &inside), 0);
	assert_true(inside);
	assert_int_equal(cgroup_contains(group, pid, &inside), 0);
	assert_false(inside);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(cgroup_contains(root, pid, &inside), -ESRCH);
	assert_int_equal(rmdir(group), 0);
	assert_int_equal(rmdir(sibling), 0);
	assert_int_equal(cgroup_contains(group, 0, &inside), -ENOENT);
}

static uint64_t inode(const char *dir, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* A group is a directory, and its inode the id. */
static void lists_what_is_below(void **state)
{
	static const char *const names[] = { "a", "a/b", "a/b/c", "a/d", "e" };
	struct cgroup_ids ids;
	char dir[] = "/tmp/test_cgroup.XXXXXX";
	char path[256];
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(path, sizeof(path), "%s/a/cgroup.procs", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(cgroup_ids(path, &ids), 0);
	assert_int_equal(ids.n, 4);
	assert_false(ids.all);
	for (size_t i = 0; i < 4; i++)
		assert_true(cgroup_ids_has(&ids, inode(dir, names[i])));
	assert_false(cgroup_ids_has(&ids, inode(dir, "e")));
	assert_false(cgroup_ids_has(&ids, inode(dir, ".")));
	assert_false(cgroup_ids_has(&ids, inode(dir, "a/cgroup.procs")));
	cgroup_ids_done(&ids);
	assert_int_equal(cgroup_ids("/no/such/group", &ids), -ENOENT);
	assert_false(cgroup_ids_has(&ids, 1));
	snprintf(path, sizeof(path), "%s/a/cgroup.procs", dir);
	assert_int_equal(unlink(path), 0);
	for (size_t i = sizeof(names) / sizeof(names[0]); i--;) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* By the id alone, and as the path below the mount; what is gone keeps its number, or its name
 * if that was asked for before. */
static void names_by_id(void **state)
{
	CLEANUP(freep) char *root = NULL;
	CLEANUP(freep) char *group = NULL;
	CLEANUP(freep) char *other = NULL;
	struct cgroup_names *names;
	char want[64];
	char text[300];
	struct stat st;

	(void)state;
	assert_string_equal(cgroup_names_get(NULL, 42, text, sizeof(text)), "42");
	if (geteuid() != 0 || cgroup_find(&root) < 0)
		skip();
	assert_true(asprintf(&group, "%s/sg-names-%d", root, getpid()) > 0);
	assert_true(asprintf(&other, "%s/other", group) > 0);
	if (mkdir(group, 0755) < 0 || mkdir(other, 0755) < 0)
		skip();
	names = cgroup_names_new(group);
	assert_non_null(names);
	assert_int_equal(stat(group, &st), 0);
	snprintf(want, sizeof(want), "/sg-names-%d", getpid());
	assert_string_equal(cgroup_names_get(names, st.st_ino, text, sizeof(text)), want);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(rmdir(other), 0);
	snprintf(want, sizeof(want), "%llu", (unsigned long long)st.st_ino);
	assert_string_equal(cgroup_names_get(names, st.st_ino, text, sizeof(text)), want);
	assert_int_equal(stat(group, &st), 0);
	assert_int_equal(rmdir(group), 0);
	snprintf(want, sizeof(want), "/sg-names-%d", getpid());
	assert_string_equal(cgroup_names_get(names, st.st_ino, text, sizeof(text)), want);
	assert_int_equal(stat(root, &st), 0);
	assert_string_equal(cgroup_names_get(names, st.st_ino, text, sizeof(text)), "/");
	cgroup_names_free(names);
	assert_null(cgroup_names_new("/proc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_mountinfo),
		cmocka_unit_test(finds_and_checks_the_hierarchy),
		cmocka_unit_test(knows_who_is_inside),
		cmocka_unit_test(lists_what_is_below),
		cmocka_unit_test(names_by_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
