/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/resolver.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

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

void resolver_look_up(const char *host, struct resolver_answer *ret)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int r = getaddrinfo(host, NULL, &hints, &list);

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

void resolver_group(const char *name, struct resolver_group *ret)
{
	const struct group *group;

	errno = 0;
	group = getgrnam(name);
	ret->found = group;
	if (group)
		ret->gid = group->gr_gid;
	else
		snprintf(ret->error, sizeof(ret->error), "%s",
			 errno && errno != ENOENT ? strerror(errno) : "there is none");
}

/* `sense`: the answer is one, but for its text perhaps. */
static const char *why(bool sense, bool found, const char *error, size_t size)
{
	if (!sense || !memchr(error, '\0', size))
		return "the answer makes no sense";
	return found ? NULL : error;
}

const char *resolver_answer_why(const struct resolver_answer *answer)
{
	return why(answer->n <= RESOLVER_ADDRS_MAX, answer->n, answer->error,
		   sizeof(answer->error));
}

const char *resolver_group_why(const struct resolver_group *answer)
{
	uint8_t found = *(const uint8_t *)&answer->found; /* it may be neither true nor false */

	return why(found <= 1, found, answer->error, sizeof(answer->error));
}
