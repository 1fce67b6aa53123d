/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "dataplane/netns.h"

struct fixture {
	struct netns *netns;
	pid_t child; /* in a namespace of its own */
	ino_t inode; /* that one */
	int go[2];
};

static ino_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[64];
	char c;

	assert_non_null(f);
	assert_int_equal(netns_new(&f->netns), 0);
	*state = f;
	if (geteuid() != 0)
		return 0;
	assert_int_equal(pipe(f->go), 0);
	f->child = fork();
	assert_true(f->child >= 0);
	if (f->child == 0) {
		int r = unshare(CLONE_NEWNET);

		if (write(f->go[1], "x", 1) != 1 || r < 0)
			_exit(1);
		raise(SIGSTOP);
		r = unshare(CLONE_NEWNET); /* moves on when it is told to */
		if (write(f->go[1], "x", 1) == 1 && r == 0)
			pause();
		_exit(0);
	}
	assert_int_equal(read(f->go[0], &c, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", f->child);
	f->inode = inode_of(path);
	return 0;
}

static void end_child(struct fixture *f)
{
	if (f->child <= 0)
		return;
	kill(f->child, SIGKILL);
	waitpid(f->child, NULL, 0);
	f->child = 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	end_child(f);
	if (f->go[1]) {
		close(f->go[0]);
		close(f->go[1]);
	}
	netns_free(f->netns);
	free(f);
	return 0;
}

static bool lists(const struct netns *netns, ino_t inode)
{
	size_t found = 0;

	for (size_t i = 0; i < netns_count(netns); i++)
		found += netns_inode(netns, i) == inode;
	assert_true(found <= 1); /* each once */
	return found == 1;
}

static void knows_its_own(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;

	assert_int_equal(netns_count(f->netns), 1);
	assert_int_equal(netns_home(f->netns), inode_of("/proc/self/ns/net"));
	assert_int_equal(netns_open(f->netns, netns_home(f->netns), &fd), 0);
	assert_true(fd >= 0);
}

static void finds_one_of_a_process(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;

	if (!f->inode)
		skip();
	assert_false(lists(f->netns, f->inode));
	assert_int_equal(netns_open(f->netns, f->inode, &fd), 0);
	assert_true(lists(f->netns, f->inode));
	assert_true(lists(f->netns, netns_home(f->netns)));
}

static void forgets_it_with_the_process(void **state)
{
	struct fixture *f = *state;
	int fd = -1;

	if (!f->inode)
		skip();
	assert_int_equal(netns_scan(f->netns), 0);
	assert_true(lists(f->netns, f->inode));
	end_child(f);
	assert_int_equal(netns_open(f->netns, f->inode, &fd), -ENOENT);
	assert_int_equal(fd, -1);
	assert_false(lists(f->netns, f->inode));
	assert_int_equal(netns_open(f->netns, 1, &fd), -ENOENT);
}

/* The path that was remembered leads elsewhere now, as after reuse of a process id. */
static void notices_that_a_path_leads_elsewhere(void **state)
{
	struct fixture *f = *state;
	int status;
	int fd = -1;
	char c;

	if (!f->inode)
		skip();
	assert_int_equal(netns_scan(f->netns), 0);
	assert_true(lists(f->netns, f->inode));
	assert_int_equal(waitpid(f->child, &status, WUNTRACED), f->child);
	assert_int_equal(kill(f->child, SIGCONT), 0);
	assert_int_equal(read(f->go[0], &c, 1), 1);
	assert_int_equal(netns_open(f->netns, f->inode, &fd), -ENOENT);
	assert_int_equal(fd, -1);
}

/* A namespace that nothing but a descriptor of ours keeps alive: itself, or a socket in it. */
static void finds_one_that_a_descriptor_keeps(void **state)
{
	struct fixture *f = *state;

	if (!f->inode)
		skip();
	for (int by_socket = 0; by_socket < 2; by_socket++) {
		CLEANUP(closep) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		CLEANUP(closep) int keeps = -1;
		CLEANUP(closep) int fd = -1;
		struct stat st;
		ino_t inode;

		assert_int_equal(unshare(CLONE_NEWNET), 0);
		inode = inode_of("/proc/thread-self/ns/net");
		keeps = by_socket ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
				  : open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		assert_true(keeps >= 0);
		assert_int_equal(setns(home, CLONE_NEWNET), 0);
		assert_int_equal(netns_scan(f->netns), 0);
		assert_false(lists(f->netns, inode));
		/* whether all of them could be looked at is the machine's matter */
		(void)!netns_scan_all(f->netns, NULL, NULL);
		assert_true(lists(f->netns, inode));
		assert_true(lists(f->netns, f->inode));
		assert_int_equal(netns_open(f->netns, inode, &fd), 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_ino, inode);
		closep(&fd);
		fd = -1;
		closep(&keeps);
		keeps = -1;
		assert_int_equal(netns_open(f->netns, inode, &fd), -ENOENT);
	}
}

/* In place of a cookie: the inode. */
static int cookie_played(void *data, uint64_t *ret)
{
	++*(int *)data;
	*ret = inode_of("/proc/thread-self/ns/net");
	return 0;
}

static void searches_for_so_long_only(void **state)
{
	struct fixture *f = *state;
	struct netns_search late = { .until_ns = 1 };
	struct netns_search soon = { .until_ns = UINT64_MAX };
	int asked = 0;
	int fd = -1;

	if (!f->inode)
		skip();
	netns_cookies(f->netns, cookie_played, &asked);
	assert_int_equal(netns_open_soon(f->netns, f->inode, &late, &fd), -ETIME);
	assert_int_equal(netns_scan(f->netns), 0);
	assert_true(lists(f->netns, f->inode)); /* no other search ends early */
	asked = 0;
	assert_int_equal(netns_open_soon(f->netns, f->inode, &late, &fd), -ETIME);
	assert_int_equal(asked, 0);
	assert_int_equal(fd, -1);
	assert_int_equal(netns_open_soon(f->netns, f->inode, &soon, &fd), 0);
	close(fd);
	asked = 0;
	fd = -1;
	/* what is known is asked once more, and no other */
	assert_int_equal(netns_open_soon(f->netns, f->inode, &late, &fd), 0);
	assert_int_equal(asked, 1);
	close(fd);
}

/* Of what a search did not come to nothing is forgotten. */
static void keeps_what_it_did_not_come_to(void **state)
{
	struct fixture *f = *state;
	struct netns_search late = { .until_ns = 1 };
	size_t n;
	int asked = 0;
	int fd = -1;

	if (!f->inode)
		skip();
	netns_cookies(f->netns, cookie_played, &asked);
	assert_int_equal(netns_scan(f->netns), 0);
	n = netns_count(f->netns);
	for (int i = 0; i < 2; i++) { /* all are asked in the first */
		struct netns_search search = { .until_ns = UINT64_MAX, .scanned = true };

		assert_int_equal(netns_open_soon(f->netns, 1, &search, &fd), -ENOENT);
	}
	asked = 0;
	assert_int_equal(netns_open_soon(f->netns, 1, &late, &fd), -ETIME);
	assert_true(late.scanned);
	assert_true(netns_count(f->netns) >= n);
	assert_true(lists(f->netns, f->inode));
	assert_int_equal(netns_open_soon(f->netns, f->inode, &late, &fd), 0);
	close(fd);
}

/* More than the first table holds, each once. */
static void finds_many(void **state)
{
	struct fixture *f = *state;
	ino_t inode[40];
	int keeps[40];
	CLEANUP(closep) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (!f->inode)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(keeps); i++) {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		inode[i] = inode_of("/proc/thread-self/ns/net");
		keeps[i] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		assert_true(keeps[i] >= 0);
	}
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	(void)!netns_scan_all(f->netns, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(keeps); i++) {
		int fd = -1;

		assert_true(lists(f->netns, inode[i]));
		assert_int_equal(netns_open(f->netns, inode[i], &fd), 0);
		close(fd);
		close(keeps[i]);
	}
}

static int report(void *data)
{
	*(ino_t *)data = inode_of("/proc/thread-self/ns/net");
	return 42;
}

static void calls_inside_and_comes_back(void **state)
{
	struct fixture *f = *state;
	CLEANUP(closep) int fd = -1;
	ino_t seen = 0;

	if (!f->inode)
		skip();
	assert_int_equal(netns_open(f->netns, f->inode, &fd), 0);
	assert_int_equal(netns_call(f->netns, fd, report, &seen), 42);
	assert_int_equal(seen, f->inode);
	assert_int_equal(inode_of("/proc/thread-self/ns/net"), netns_home(f->netns));
	assert_int_equal(netns_call(f->netns, -1, report, &seen), -EBADF);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(knows_its_own),
		TEST(finds_one_of_a_process),
		TEST(forgets_it_with_the_process),
		TEST(notices_that_a_path_leads_elsewhere),
		TEST(finds_one_that_a_descriptor_keeps),
		TEST(searches_for_so_long_only),
		TEST(keeps_what_it_did_not_come_to),
		TEST(finds_many),
		TEST(calls_inside_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
