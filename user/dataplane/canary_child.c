/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent's side of the self-test: a process that may block. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "dataplane/canary_private.h"

#define HALF_MS ((int)(CANARY_RUN_NS / NS_PER_MS / 2))

static int write_pid(const char *cgroup)
{
	char path[4200];
	CLEANUP(closep) int fd = -1;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "0", 1) == 1 ? 0 : -errno;
}

/* A socket that is connected to loopback, or -errno. */
static int dial(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (fd < 0)
		return -ENOTSOCK;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&p, 1, HALF_MS) != 1)
			return -ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)
			return error ? -error : -errno;
	}
	return TAKE_FD(fd);
}

/* Tells the other side of a step, or waits for it. */
static bool step_done(int control)
{
	return send(control, "x", 1, MSG_NOSIGNAL) == 1;
}

static bool step_wait(int control, uint64_t end_ns)
{
	uint64_t now = clock_boot_ns();
	struct pollfd p = { .fd = control, .events = POLLIN };
	char byte;

	return now < end_ns && poll(&p, 1, (int)((end_ns - now) / NS_PER_MS) + 1) == 1 &&
	       recv(control, &byte, 1, 0) == 1;
}

/*
 * A connection that is put into quarantine and killed. It stays open until then, whatever
 * came: older kernels make a socket that nobody holds and that has something to send
 * immortal by SOCK_DESTROY.
 */
static enum canary_found killed(const struct canary_child *child)
{
	CLEANUP(closep) int fd = dial(child->target_port);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	enum canary_found found = CANARY_OK;
	ssize_t n;
	char byte;

	if (fd < 0)
		return CANARY_CONTROL;
	if (!step_done(child->control) || !step_wait(child->control, child->end_ns))
		return CANARY_NO_QUARANTINE;
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || !step_done(child->control))
		return CANARY_NOTHING;
	for (;;) {
		if (poll(&p, 1, HALF_MS) != 1)
			return CANARY_ALIVE;
		n = recv(fd, &byte, 1, 0);
		if (n <= 0)
			break;
		found = CANARY_ANSWER;
	}
	/* by SOCK_DESTROY, or through the descriptor where the kernel is built without it */
	return n < 0 && (errno == ECONNABORTED || errno == ECONNRESET) ? found : CANARY_ALIVE;
}

enum canary_found canary_child(const struct canary_child *child)
{
	int r;

	if (child->cgroup && write_pid(child->cgroup))
		return CANARY_NO_CGROUP;
	r = dial(child->canary_port);
	if (r == -ENOTSOCK)
		return CANARY_NOTHING;
	if (r >= 0)
		return CANARY_CONNECTED;
	if (r != -CANARY_ERRNO && r != -EPERM && r != -ECONNREFUSED)
		return CANARY_OTHER_ERRNO;
	if (dial(child->control_port) < 0)
		return CANARY_CONTROL;
	return killed(child);
}
