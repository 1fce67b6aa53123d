/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What any user can do: as one, in a user namespace of his own, as many processes as
 * wanted, each in a network namespace of its own. They end with this one. At SIGUSR1 each
 * makes a socket there: only then does a search for connections have to look closer.
 */
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "util.h"

static const char usage[] =
	"usage: nsmany --uid N --count N\n"
	"Prints \"ready N\" when they are there, and waits to be killed; \"sockets N\" when each\n"
	"has made one, after SIGUSR1.\n"
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

static char make_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 || listen(fd, 1) ? (char)errno : 0; /* at any port */
}

/* Says to `ready` what came of either step; the second begins when nobody can write to `go`. */
static void __attribute__((noreturn)) live(pid_t parent, int ready, int go)
{
	char error;
	char byte;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	error = unshare(CLONE_NEWNET) ? (char)errno : 0;
	if (write(ready, &error, 1) != 1 || error || read(go, &byte, 1))
		_exit(1);
	error = make_socket();
	if (write(ready, &error, 1) != 1 || error)
		_exit(1);
	for (;;)
		pause();
}

static void made(int ready, const char *what, long i)
{
	char error = 0;

	if (read(ready, &error, 1) == 1 && !error)
		return;
	fprintf(stderr, "nsmany: %s %ld: %s\n", what, i, strerror(error));
	exit(EXIT_SKIP);
}

int main(int argc, char **argv)
{
	sigset_t signals;
	pid_t parent;
	long count;
	int pair[2];
	int go[2];
	int which;

	if (argc != 5 || strcmp(argv[1], "--uid") || strcmp(argv[3], "--count"))
		die("%s", usage);
	count = parse_long("--count", argv[4], 1, 20000);
	become_user(parse_long("--uid", argv[2], 1, 4294967294));
	parent = getpid();
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	if (pipe2(pair, O_CLOEXEC) || pipe2(go, O_CLOEXEC) ||
	    sigprocmask(SIG_BLOCK, &signals, NULL))
		die("nsmany: %s", strerror(errno));
	for (long i = 0; i < count; i++) {
		pid_t child = fork();

		if (!child) {
			close(go[1]);
			live(parent, pair[1], go[0]);
		}
		if (child < 0)
			die("nsmany: process %ld: %s", i + 1, strerror(errno));
		made(pair[0], "network namespace", i + 1);
	}
	printf("ready %ld\n", count);
	fflush(stdout);
	if (sigwait(&signals, &which))
		die("nsmany: cannot wait for SIGUSR1");
	close(go[1]);
	for (long i = 0; i < count; i++)
		made(pair[0], "socket", i + 1);
	printf("sockets %ld\n", count);
	fflush(stdout);
	for (;;)
		pause();
}
