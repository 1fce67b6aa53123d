/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/resolver.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

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

static void drop_rights(void)
{
	pid_t parent = getppid();

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(1);
	/* A change of user clears the death signal: it is set again, and the parent that died
	 * meanwhile is noticed. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    getppid() != parent)
		_exit(1);
}

int resolver_look_up(void *host, void *answer, size_t size)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct resolver_answer *ret = answer;
	struct addrinfo *list = NULL;
	int r;

	if (size != sizeof(*ret))
		return -EINVAL;
	drop_rights();
	/* Two attempts of 3 s at each server stay within the caller's patience. */
	setenv("RES_OPTIONS", "timeout:3 attempts:2", 1);
	r = getaddrinfo(host, NULL, &hints, &list);
	if (r) {
		snprintf(ret->error, sizeof(ret->error), "%s",
			 r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return 0;
	}
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
		add(ret, ai->ai_addr);
	freeaddrinfo(list);
	if (!ret->n)
		snprintf(ret->error, sizeof(ret->error), "the name has no IPv4 or IPv6 address");
	return 0;
}

int resolver_group(void *name, void *answer, size_t size)
{
	struct resolver_group *ret = answer;
	const struct group *group;

	if (size != sizeof(*ret))
		return -EINVAL;
	drop_rights();
	errno = 0;
	group = getgrnam(name);
	ret->found = group;
	if (group)
		ret->gid = group->gr_gid;
	else
		snprintf(ret->error, sizeof(ret->error), "%s",
			 errno && errno != ENOENT ? strerror(errno) : "there is none");
	return 0;
}
