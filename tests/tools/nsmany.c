/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What any user can do: as one, in a user namespace of his own, as many processes as
 * wanted, each in a network namespace of its own. They end with this one.
 */
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "util.h"

static const char usage[] =
	"usage: nsmany --uid N --count N\n"
	"Prints \"ready N\" when they are there, and waits to be killed.\n"
	"Exit status: 2 usage or setup failed, 77 the kernel refuses namespaces.\n";

static void become_user(long uid)
{
	gid_t gid = (gid_t)uid;

	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid))
		die("nsmany: user %ld: %s", uid, strerror(errno));
	if (unshare(CLONE_NEWUSER)) {
		fprintf(stderr, "nsmany: user namespaces: %s\n", strerror(errno));
		exit(EXIT_SKIP);
	}
}

static void __attribute__((noreturn)) live(pid_t parent, int ready)
{
	char error;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	error = unshare(CLONE_NEWNET) ? (char)errno : 0;
	if (write(ready, &error, 1) != 1 || error)
		_exit(1);
	close(ready);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	pid_t parent;
	long count;
	int pair[2];

	if (argc != 5 || strcmp(argv[1], "--uid") || strcmp(argv[3], "--count"))
		die("%s", usage);
	count = parse_long("--count", argv[4], 1, 20000);
	become_user(parse_long("--uid", argv[2], 1, 4294967294));
	parent = getpid();
	if (pipe2(pair, O_CLOEXEC))
		die("nsmany: %s", strerror(errno));
	for (long i = 0; i < count; i++) {
		char error = 0;
		pid_t child = fork();

		if (!child)
			live(parent, pair[1]);
		if (child < 0)
			die("nsmany: process %ld: %s", i + 1, strerror(errno));
		if (read(pair[0], &error, 1) != 1 || error) {
			fprintf(stderr, "nsmany: network namespace %ld: %s\n", i + 1,
				strerror(error));
			exit(EXIT_SKIP);
		}
	}
	printf("ready %ld\n", count);
	fflush(stdout);
	for (;;)
		pause();
}
