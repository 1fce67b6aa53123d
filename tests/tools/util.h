/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the test tools share: strict option parsing, addresses, two clocks.
 * Header-only, so that every tool stays one translation unit and can be linked
 * statically for a guest that has nothing but a shell.
 */
#ifndef SWITCHGEAR_TESTS_UTIL_H
#define SWITCHGEAR_TESTS_UTIL_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_SKIP 77 /* the kernel cannot do what was asked */

struct endpoint {
	struct sockaddr_storage sa;
	socklen_t len;
};

__attribute__((format(printf, 1, 2), noreturn)) static inline void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

static inline double clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static inline double now_ms(void) /* for durations */
{
	return clock_ms(CLOCK_MONOTONIC);
}

static inline double wall_ms(void) /* comparable with the shell's EPOCHREALTIME */
{
	return clock_ms(CLOCK_REALTIME);
}

static inline const char *errno_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "-";

	return name ? name : "E?";
}

static inline long parse_long(const char *what, const char *text, long min, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max)
		die("%s: \"%s\" is not a number from %ld to %ld", what, text, min, max);
	return value;
}

/* "10.0.0.1:80", "[::1]:80"; exits with usage status on anything else. */
static inline struct endpoint parse_endpoint(const char *text)
{
	struct endpoint ep = {};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ep.sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ep.sa;
	const char *colon = strrchr(text, ':');
	char host[64] = "";
	size_t len;
	uint16_t port;

	if (!colon)
		die("\"%s\" is not ADDRESS:PORT", text);
	port = htons((uint16_t)parse_long("port", colon + 1, 1, 65535));
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		die("\"%s\": the address is too long", text);
	memcpy(host, text, len);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		ep.len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		ep.len = sizeof(*v6);
	} else {
		die("\"%s\" is not an IPv4 or IPv6 address", host);
	}
	return ep;
}

/* The same endpoint as ::ffff:a.b.c.d; dies on IPv6. */
static inline struct endpoint map_endpoint(const struct endpoint *ep)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&ep->sa;
	struct endpoint mapped = { .len = sizeof(struct sockaddr_in6) };
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&mapped.sa;

	if (ep->sa.ss_family != AF_INET)
		die("a v4-mapped address needs an IPv4 address");
	v6->sin6_family = AF_INET6;
	v6->sin6_port = v4->sin_port;
	v6->sin6_addr.s6_addr[10] = 0xff;
	v6->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&v6->sin6_addr.s6_addr[12], &v4->sin_addr, 4);
	return mapped;
}

static inline int endpoint_port(const struct endpoint *ep)
{
	if (ep->sa.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&ep->sa)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&ep->sa)->sin_port);
}

static inline int local_port(int fd)
{
	struct endpoint ep = { .len = sizeof(ep.sa) };

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&ep.sa, &ep.len))
		return 0;
	return endpoint_port(&ep);
}

static inline void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static inline void close_with_reset(int fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static inline void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

#endif
