/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that may block. It keeps nothing of the daemon's: no descriptor,
 * no signal mask, no root. What it parses comes from the network.
 */
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "io/resolver_private.h"

#define CHILD_FD 3
#define NOBODY 65534

static void add(struct resolver_answer *answer, const struct sockaddr *sa)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct addr a;

	if (sa->sa_family == AF_INET) {
		memcpy(a.bytes, mapped, sizeof(mapped));
		memcpy(a.bytes + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	} else {
		return;
	}
	for (uint32_t i = 0; i < answer->n; i++)
		if (!memcmp(&answer->addrs[i], &a, sizeof(a)))
			return;
	if (answer->n < RESOLVER_ADDRS_MAX)
		answer->addrs[answer->n++] = a;
}

static void look_up(const char *host, struct resolver_answer *ret)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = getaddrinfo(host, NULL, &hints, &list);
	if (r) {
		snprintf(ret->error, sizeof(ret->error), "%s",
			 r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return;
	}
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
		add(ret, ai->ai_addr);
	freeaddrinfo(list);
	if (!ret->n)
		snprintf(ret->error, sizeof(ret->error), "the name has no IPv4 or IPv6 address");
}

static void drop_rights(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(1);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(1);
}

static void forget_daemon(int fd, pid_t parent)
{
	sigset_t none;

	/* The order matters: dup2 first, since fd may be above what is closed next. */
	if (dup2(fd, CHILD_FD) < 0 || close_range(CHILD_FD + 1, ~0U, 0) < 0)
		_exit(1);
	drop_rights();
	/* A change of user clears the death signal: it is set after it, and the parent
	 * that died meanwhile is noticed. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	prctl(PR_SET_NAME, "sg-resolver");
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	signal(SIGINT, SIG_IGN); /* Ctrl-C is the daemon's business: we end with it */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Two attempts of 3 s at each server stay within the parent's patience. */
	setenv("RES_OPTIONS", "timeout:3 attempts:2", 1);
}

static void __attribute__((noreturn)) serve(void)
{
	struct resolver_question question;
	struct resolver_answer answer;

	for (;;) {
		ssize_t n = recv(CHILD_FD, &question, sizeof(question), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(question))
			_exit(0);
		question.host[RESOLVER_HOST_MAX] = '\0';
		look_up(question.host, &answer);
		if (send(CHILD_FD, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			_exit(0);
	}
}

int resolver_spawn(int *ret_fd, pid_t *ret_pid)
{
	pid_t parent = getpid();
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(pair[0]);
		close(pair[1]);
		return r;
	}
	if (pid == 0) {
		forget_daemon(pair[1], parent);
		serve();
	}
	close(pair[1]);
	*ret_fd = pair[0];
	*ret_pid = pid;
	return 0;
}
