/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a worker, and the relay, cannot do any more, and what they still can, each in a child of its
 * own. */
#include "unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io/findings_job.h"
#include "io/resolver.h"
#include "sandbox/sandbox.h"

#define USER 61183
#define FAILED 100 /* exit status: the sandbox itself */

static enum sandbox_role role = SANDBOX_ASKS;

static int enter(pid_t parent, const char **what)
{
	const struct sandbox s = { role, USER, parent, 64, 512UL << 20 };

	return sandbox_enter(&s, what);
}

/* Each returns 0 if it could. */
static int open_to_write(void)
{
	return open("/tmp/sg-test-sandbox", O_WRONLY | O_CREAT, 0600) < 0 ? -errno : 0;
}

static int open_to_write_what_is_there(void)
{
	return open("/dev/null", O_RDWR) < 0 ? -errno : 0;
}

static int unlink_something(void)
{
	return unlink("/nonexistent") ? -errno : 0;
}

static int make_a_process(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : 0;
}

static int run_a_program(void)
{
	char *const argv[] = { (char *)"true", NULL };

	execv("/bin/true", argv);
	return -errno;
}

static int look_into_another(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) ? -errno : 0;
}

static int signal_another(void)
{
	return kill(getppid(), 0) ? -errno : 0;
}

static int load_a_program(void)
{
	return syscall(SYS_bpf, 0, NULL, 0) < 0 ? -errno : 0;
}

static int make_a_namespace(void)
{
	return syscall(SYS_unshare, 0x10000000) ? -errno : 0; /* CLONE_NEWUSER */
}

static int be_root_again(void)
{
	return setresuid(0, 0, 0) ? -errno : 0;
}

static int be_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1) ? -errno : 0;
}

static int packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? -errno : 0;
}

static int raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_TCP) < 0 ? -errno : 0;
}

static int listen_there(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || listen(fd, 1) ? -errno : 0;
}

static int look_up(void)
{
	struct resolver_answer answer = { 0 };

	resolver_look_up("localhost", &answer);
	return answer.n ? 0 : -ENOENT;
}

static int read_a_file(void)
{
	char byte;
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	return fd < 0 || read(fd, &byte, 1) != 1 ? -errno : 0;
}

static int connect_somewhere(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(1),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)) || errno == EINPROGRESS ||
	    errno == ECONNREFUSED)
		return 0;
	return -errno;
}

static int have_memory(void)
{
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int datagram_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) < 0 ? -errno : 0;
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0 ? -errno : 0;
}

static int bind_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ? -errno : 0;
}

static int listener = -1;

static int take_a_connection(void)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 ? -errno : 0;
}

static const char finding[] = "{\"source\":\"s\",\"severity\":\"low\",\"rule\":\"r\"}";
static int findings_memory = -1;

/* What a scanner wrote is read in memory that the daemon has made. */
static int read_findings(void)
{
	static struct findings_done done;
	struct findings_job job = { .len = sizeof(finding) - 1 };

	if (findings_job_do(&job, findings_memory, &done))
		return -EIO;
	return done.len && !*done.why ? 0 : -EBADMSG;
}

/* -errno of what it tried, in the sandbox; or FAILED. */
static int in_the_sandbox(int (*what)(void))
{
	pid_t parent = getpid();
	pid_t pid = fork();
	const char *unused;
	int status = 0;

	assert_true(pid >= 0);
	if (!pid)
		_exit(enter(parent, &unused) ? FAILED : -what());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void refuses(void **state)
{
	static const struct {
		const char *name;
		int (*what)(void);
	} cases[] = {
		{ "open to write", open_to_write },
		{ "open to write what is there", open_to_write_what_is_there },
		{ "unlink", unlink_something },
		{ "fork", make_a_process },
		{ "exec", run_a_program },
		{ "ptrace", look_into_another },
		{ "kill", signal_another },
		{ "bpf", load_a_program },
		{ "unshare", make_a_namespace },
		{ "setresuid", be_root_again },
		{ "dumpable", be_dumpable },
		{ "packet socket", packet_socket },
		{ "raw socket", raw_socket },
		{ "listen", listen_there },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		size_t j = i % ARRAY_SIZE(cases);
		int error;

		role = i == j ? SANDBOX_ASKS : SANDBOX_TAKES;
		error = in_the_sandbox(cases[j].what);
		if (error != EPERM)
			fail_msg("%s: %d (%s)", cases[j].name, error, strerror(error));
	}
	role = SANDBOX_ASKS;
}

/* What only who asks needs. */
static void refuses_who_takes(void **state)
{
	static const struct {
		const char *name;
		int (*what)(void);
	} cases[] = {
		{ "read a file", read_a_file },
		{ "datagram socket", datagram_socket },
		{ "unix socket", unix_socket },
		{ "bind", bind_somewhere },
	};

	(void)state;
	role = SANDBOX_TAKES;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int error = in_the_sandbox(cases[i].what);

		if (error != EPERM)
			fail_msg("%s: %d (%s)", cases[i].name, error, strerror(error));
	}
	role = SANDBOX_ASKS;
}

static void allows_who_takes(void **state)
{
	static const struct {
		const char *name;
		int (*what)(void);
	} cases[] = {
		{ "connect", connect_somewhere },
		{ "memory", have_memory },
		{ "accept", take_a_connection },
	};
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int client = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	role = SANDBOX_TAKES;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int error = in_the_sandbox(cases[i].what);

		if (error)
			fail_msg("%s: %d (%s)", cases[i].name, error, strerror(error));
	}
	role = SANDBOX_ASKS;
	close(client);
	closep(&listener);
}

static void allows(void **state)
{
	static const struct {
		const char *name;
		int (*what)(void);
	} cases[] = {
		{ "look up", look_up },           { "read a file", read_a_file },
		{ "connect", connect_somewhere }, { "memory", have_memory },
		{ "findings", read_findings },
	};

	(void)state;
	findings_memory = findings_job_open(finding, sizeof(finding) - 1);
	assert_true(findings_memory >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int error = in_the_sandbox(cases[i].what);

		if (error)
			fail_msg("%s: %d (%s)", cases[i].name, error, strerror(error));
	}
	closep(&findings_memory);
}

static int tell_user(void)
{
	return -(geteuid() == 0);
}

static void is_not_root(void **state)
{
	(void)state;
	assert_int_equal(in_the_sandbox(tell_user), 0);
}

/* Whoever took the place of a daemon that is gone is not served. */
static void wants_its_daemon(void **state)
{
	const char *what = NULL;
	pid_t pid = fork();
	int status = 0;

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(enter(1, &what) == -ESRCH ? 7 : 8);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),           cmocka_unit_test(allows),
		cmocka_unit_test(refuses_who_takes), cmocka_unit_test(allows_who_takes),
		cmocka_unit_test(is_not_root),       cmocka_unit_test(wants_its_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
