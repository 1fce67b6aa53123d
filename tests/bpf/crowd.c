/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "bpf/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "dataplane/kill.h"

#define BACKLOG 4096
#define FULL_PORT 3900 /* + server: nobody gets through there */

#define die(...)                                                                        \
	do {                                                                            \
		fprintf(stderr, "crowd: " __VA_ARGS__);                                 \
		fprintf(stderr, " (%s:%d: %s)\n", __FILE__, __LINE__, strerror(errno)); \
		exit(2);                                                                \
	} while (0)

/* --- namespaces ------------------------------------------------------------------- */

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		die("a network namespace cannot be entered");
}

static void shell(const char *command)
{
	if (system(command)) /* NOLINT(cert-env33-c): fixed commands */
		die("failed: %s", command);
}

/* A process that keeps the namespace findable, as a container's would. */
static int keeper(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static int space_new(int *ret_keeper)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		die("no new network namespace");
	shell("ip link set lo up && ip addr add " CROWD_V4 "/32 dev lo && ip -6 addr add " CROWD_V6
	      "/128 dev lo nodad");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("the network namespace");
	*ret_keeper = keeper();
	return fd;
}

/* --- sockets ---------------------------------------------------------------------- */

static socklen_t address(struct sockaddr_storage *ret, enum crowd_kind kind, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	bool six = kind == CROWD_TCP6 || kind == CROWD_MAPPED;

	memset(ret, 0, sizeof(*ret));
	if (!six) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		inet_pton(AF_INET, CROWD_V4, &v4->sin_addr);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	inet_pton(AF_INET6, kind == CROWD_MAPPED ? "::ffff:" CROWD_V4 : CROWD_V6, &v6->sin6_addr);
	return sizeof(*v6);
}

static int listener(enum crowd_kind kind, int type, uint16_t port, int backlog)
{
	struct sockaddr_storage at;
	socklen_t len = address(&at, kind, port);
	int fd = socket(at.ss_family, type | SOCK_CLOEXEC, 0);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) ||
	    (type == SOCK_STREAM && listen(fd, backlog)))
		die("cannot listen at port %u", port);
	return fd;
}

static int dial(enum crowd_kind kind, uint16_t port)
{
	int type = kind == CROWD_UDP ? SOCK_DGRAM : SOCK_STREAM;
	struct sockaddr_storage to;
	socklen_t len = address(&to, kind, port);
	int flags = kind == CROWD_SYN_SENT ? SOCK_NONBLOCK : 0;
	int fd = socket(to.ss_family, type | flags | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("no socket");
	if (kind == CROWD_BOUND && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3))
		die("SO_BINDTODEVICE");
	if (connect(fd, (struct sockaddr *)&to, len) && errno != EINPROGRESS)
		die("connect of kind %d to port %u", kind, port);
	if (kind == CROWD_UDP && send(fd, "x", 1, 0) != 1)
		die("a datagram");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* A listener whose queue is full: further connects stay without an answer. */
static void fill(struct crowd *c, uint16_t port)
{
	c->listeners[c->n_listeners++] = listener(CROWD_SYN_SENT, SOCK_STREAM, port, 0);
	/* it takes one more than it is told; they are nobody's connections yet */
	c->listeners[c->n_listeners++] = dial(CROWD_TCP4, port);
}

static void servers_listen(struct crowd *c)
{
	for (size_t s = 0; s < c->servers_n; s++) {
		uint16_t port = (uint16_t)(CROWD_PORT + s);

		c->listeners[c->n_listeners++] = listener(CROWD_TCP4, SOCK_STREAM, port, BACKLOG);
		c->listeners[c->n_listeners++] = listener(CROWD_TCP6, SOCK_STREAM, port, BACKLOG);
		c->listeners[c->n_listeners++] = listener(CROWD_UDP, SOCK_DGRAM, port, 0);
	}
}

/* --- the crowd --------------------------------------------------------------------- */

static void servers_put(struct crowd *c, const struct sg_policy *policy)
{
	struct addr addrs[3];
	uint16_t ports[3];
	char name[32];

	if (parse_addr(CROWD_V4, &addrs[0]) || parse_addr(CROWD_V6, &addrs[1]))
		die("an address");
	addrs[2] = addrs[0];
	for (size_t s = 0; s < c->servers_n; s++) {
		uint32_t id = c->first_server + (uint32_t)s;

		ports[0] = ports[1] = (uint16_t)(CROWD_PORT + s);
		ports[2] = (uint16_t)(FULL_PORT + s);
		snprintf(name, sizeof(name), "crowd-%zu", s);
		if (dataplane_server_set(c->dp, id, name, 0, 0, policy, NS_PER_SEC, true) ||
		    dataplane_endpoints_set(c->dp, id, addrs, ports, 3))
			die("a server");
	}
}

void crowd_init(struct crowd *c, struct dataplane *dp, size_t spaces, uint32_t first,
		size_t servers, const struct sg_policy *policy)
{
	struct rlimit limit;

	memset(c, 0, sizeof(*c));
	if (spaces > CROWD_SPACES_MAX || servers > CROWD_SERVERS_MAX)
		die("too many");
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	c->dp = dp;
	c->first_server = first;
	c->servers_n = servers;
	c->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	for (; c->n_spaces < spaces; c->n_spaces++) {
		c->spaces[c->n_spaces] = space_new(&c->keepers[c->n_spaces]);
		servers_listen(c);
		for (size_t s = 0; s < servers; s++)
			fill(c, (uint16_t)(FULL_PORT + s));
	}
	enter(c->home);
	servers_put(c, policy); /* from here on connects are seen */
}

void crowd_add(struct crowd *c, uint32_t server, size_t n)
{
	uint16_t index = (uint16_t)(server - c->first_server);

	c->sockets = realloc(c->sockets, (c->n + n) * sizeof(*c->sockets));
	if (!c->sockets)
		die("memory");
	for (size_t space = 0; space < c->n_spaces; space++) {
		enter(c->spaces[space]);
		for (size_t i = space; i < n; i += c->n_spaces) {
			enum crowd_kind kind =
				(enum crowd_kind)((i / c->n_spaces) % CROWD_KIND_COUNT);
			uint16_t port = kind == CROWD_SYN_SENT ? FULL_PORT : CROWD_PORT;

			c->sockets[c->n++] = (struct crowd_socket){
				.fd = dial(kind, (uint16_t)(port + index)),
				.server = server,
				.kind = kind,
			};
		}
	}
	enter(c->home);
}

static bool alive(const struct crowd_socket *s)
{
	char byte;

	return recv(s->fd, &byte, 1, MSG_PEEK) < 0 && errno != ECONNABORTED;
}

size_t crowd_alive(const struct crowd *c, uint32_t server)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += (server == SG_SERVERS_MAX || c->sockets[i].server == server) &&
		     alive(&c->sockets[i]);
	return n;
}

uint64_t crowd_quarantine(struct crowd *c, uint32_t server)
{
	uint64_t start = clock_boot_ns();
	struct kill_result result = { 0 };
	uint64_t end;

	if (dataplane_quarantine_set(c->dp, server, SG_FOREVER) ||
	    kill_server(c->dp, server, KILL_RECORDED, &result))
		die("a quarantine");
	end = clock_boot_ns();
	if (result.survivors)
		die("%u survivors of %zu", result.survivors, c->n);
	return end - start;
}

void crowd_disperse(struct crowd *c)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	for (size_t i = 0; i < c->n; i++) {
		setsockopt(c->sockets[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		close(c->sockets[i].fd);
	}
	c->n = 0;
}

void crowd_done(struct crowd *c)
{
	crowd_disperse(c);
	for (size_t i = 0; i < c->n_listeners; i++)
		close(c->listeners[i]);
	for (size_t i = 0; i < c->n_spaces; i++) {
		close(c->spaces[i]);
		kill(c->keepers[i], SIGKILL);
		waitpid(c->keepers[i], NULL, 0);
	}
	close(c->home);
	free(c->sockets);
}
