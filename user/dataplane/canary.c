/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Both sides of the connections are in one process, which is in the protected cgroup: what is
 * connected there is an agent's, while the listeners, and with them what they accept, are the
 * daemon's.
 */
#include "dataplane/canary.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/policy.h"
#include "dataplane/cgroup.h"
#include "dataplane/kill.h"

#define SUB "selftest"
#define CANARY_ERRNO EHOSTDOWN /* no failing network gives this on loopback */
#define HALF_MS ((int)(CANARY_RUN_NS / NS_PER_MS / 2))

/* Who is connected to. */
enum point {
	POINT_CANARY,
	POINT_CONTROL,
	POINT_TARGET,
};

struct canary {
	struct dataplane *dp;
	const char *cgroup;
	int listeners[CANARY_FDS];
	uint16_t ports[CANARY_FDS];
	uint64_t start_ns;
	bool inside;      /* this process is in the cgroup already */
	char below[4160]; /* a cgroup that was made for the test; "": none */
	int served;       /* in the child: the server's end of the connection to the target */
	struct canary_result result;
};

static const char *const findings[] = {
	[CANARY_OK] = "ok",
	[CANARY_CONNECTED] = "the canary was not refused: enforcement does not work; restart "
			     "switchgeard, and look at \"bpftool cgroup tree\"",
	[CANARY_OTHER_ERRNO] = "the canary was refused with an unexpected error: something else "
			       "denies connects, too",
	[CANARY_CONTROL] = "an endpoint that is not denied could not be reached on loopback: the "
			   "self-test cannot tell whether enforcement works",
	[CANARY_NO_CGROUP] = "the self-test could not enter the protected cgroup; is it writable?",
	[CANARY_NOTHING] = "the self-test could not make a socket",
	[CANARY_REQUEST] =
		"a request to a server in quarantine was not stopped (sg_egress); restart "
		"switchgeard",
	[CANARY_ANSWER] =
		"an answer of a server in quarantine was not stopped (sg_ingress); restart "
		"switchgeard",
	[CANARY_ALIVE] =
		"a live connection could not be killed (SOCK_DESTROY): open connections go "
		"on when a breaker opens",
	[CANARY_NO_QUARANTINE] = "the self-test could not set a quarantine",
};
_Static_assert(ARRAY_SIZE(findings) == CANARY_FOUND_COUNT, "a text for each finding");

/* --- servers and endpoints -------------------------------------------------------------- */

static int listener(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&at, &len)) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static const struct addr loopback = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };

/* A server of ours; nothing denies it yet. */
static int server_put(const struct canary *c, uint32_t id, const char *name, uint16_t port)
{
	struct breaker_policy defaults = breaker_policy_defaults();
	struct sg_policy policy;
	int r;

	policy_to_kernel(&defaults, CANARY_ERRNO, &policy);
	r = dataplane_server_set(c->dp, id, name, 0, 0, &policy, 0, true);
	if (!r)
		r = dataplane_quarantine_set(c->dp, id, 0);
	return r ? r : dataplane_endpoints_set(c->dp, id, &loopback, &port, 1);
}

/* Puts the canary in, forced open for ever, and the target. */
static int servers_put(const struct canary *c)
{
	struct sg_command order = { .op = SG_CMD_ORDER,
				    .server = SG_CANARY,
				    .state = SG_FORCED_OPEN,
				    .until_ns = SG_FOREVER };
	int r = server_put(c, SG_CANARY, "(canary)", c->ports[POINT_CANARY]);

	if (!r)
		r = dataplane_command(c->dp, &order);
	return r ? r : server_put(c, SG_TARGET, "(target)", c->ports[POINT_TARGET]);
}

int canary_new(struct dataplane *dp, const char *cgroup, struct canary **ret)
{
	CLEANUP(canary_freep) struct canary *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->dp = dp;
	c->cgroup = cgroup;
	c->served = -1;
	memset(c->listeners, 0xff, sizeof(c->listeners));
	for (size_t i = 0; i < CANARY_FDS; i++) {
		c->listeners[i] = listener(&c->ports[i]);
		if (c->listeners[i] < 0)
			return log_failure(c->listeners[i], SUB,
					   "cannot listen on loopback for the self-test");
	}
	r = servers_put(c);
	if (r)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

const int *canary_fds(const struct canary *c)
{
	return c->listeners;
}

/* What a test leaves behind, however it ended. */
static void clean(struct canary *c)
{
	for (size_t i = 0; i < CANARY_FDS; i++) {
		int peer;

		while ((peer = accept4(c->listeners[i], NULL, NULL, SOCK_CLOEXEC)) >= 0)
			close(peer);
	}
	(void)!dataplane_quarantine_set(c->dp, SG_TARGET, 0);
	if (c->below[0])
		rmdir(c->below);
	c->below[0] = '\0';
}

void canary_free(struct canary *c)
{
	if (!c)
		return;
	clean(c);
	for (size_t i = 0; i < CANARY_FDS; i++)
		closep(&c->listeners[i]);
	free(c);
}

/* --- the test, in a child ------------------------------------------------------------------- */

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

/*
 * How the agent's end of the connection to the target fares. It stays open until then, whatever
 * came: older kernels make a socket that nobody holds and that has something to send immortal by
 * SOCK_DESTROY.
 */
static enum canary_found wait_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	enum canary_found found = CANARY_OK;
	ssize_t n;
	char byte;

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

/* A connection that is put into quarantine, where both sides try to send, and killed, also if
 * something passed. */
static enum canary_found cut_off(struct canary *c, bool *tried)
{
	CLEANUP(closep) int fd = dial(c->ports[POINT_TARGET]);
	struct kill_result result = { 0 };
	enum canary_found found;
	bool passed;
	bool killed;
	char byte;

	if (fd < 0)
		return CANARY_CONTROL;
	c->served = accept4(c->listeners[POINT_TARGET], NULL, NULL, SOCK_CLOEXEC);
	if (c->served < 0)
		return CANARY_CONTROL;
	if (dataplane_quarantine_set(c->dp, SG_TARGET, SG_FOREVER) ||
	    send(c->served, "x", 1, MSG_NOSIGNAL) != 1)
		return CANARY_NO_QUARANTINE;
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		return CANARY_NOTHING;
	*tried = true;
	/* one of an earlier test may be left: what became of this one its agent's end tells */
	killed = !kill_server(c->dp, SG_TARGET, KILL_RECORDED, &result) && result.killed;
	passed = recv(c->served, &byte, 1, MSG_DONTWAIT) == 1;
	close(TAKE_FD(c->served));
	found = wait_end(fd);
	if (!killed)
		return CANARY_ALIVE;
	return passed ? CANARY_REQUEST : found;
}

static enum canary_found test(struct canary *c, bool *tried)
{
	CLEANUP(closep) int control = -1;
	CLEANUP(closep) int canary = -1;

	if (!c->inside && write_pid(c->below))
		return CANARY_NO_CGROUP;
	canary = dial(c->ports[POINT_CANARY]);
	if (canary == -ENOTSOCK)
		return CANARY_NOTHING;
	if (canary >= 0)
		return CANARY_CONNECTED;
	if (canary != -CANARY_ERRNO && canary != -EPERM && canary != -ECONNREFUSED)
		return CANARY_OTHER_ERRNO;
	control = dial(c->ports[POINT_CONTROL]);
	return control < 0 ? CANARY_CONTROL : cut_off(c, tried);
}

int canary_order_run(void *order, void *outcome, size_t size)
{
	struct canary *c = *(struct canary **)order;
	struct canary_outcome *out = outcome;

	if (size != sizeof(*out))
		return -EINVAL;
	out->found = test(c, &out->tried);
	closep(&c->served);
	c->served = -1;
	return 0;
}

/* --- before and after ------------------------------------------------------------------------- */

/* A cgroup that has controllers for its children takes no processes itself: so one is made
 * below it for the moment of the test. */
void canary_begin(struct canary *c)
{
	c->start_ns = clock_boot_ns();
	if (!cgroup_contains(c->cgroup, 0, &c->inside) && c->inside)
		return;
	c->inside = false;
	snprintf(c->below, sizeof(c->below), "%s/switchgear-selftest.%d", c->cgroup, (int)getpid());
	if (mkdir(c->below, 0755) && errno != EEXIST)
		c->below[0] = '\0'; /* the child says so */
}

static void describe(struct canary *c, enum canary_found found)
{
	struct canary_result *result = &c->result;
	bool passing = dataplane_lets_pass(c->dp) && found == CANARY_CONNECTED; /* it ends there */

	memset(result, 0, sizeof(*result));
	result->found = found;
	result->ok = found == CANARY_OK || passing;
	result->elapsed_ns = clock_boot_ns() - c->start_ns;
	snprintf(result->text, sizeof(result->text), "%s",
		 !passing                    ? findings[found]
		 : dataplane_observes(c->dp) ? "observe mode: nothing is refused"
					     : "bypass: nothing is refused");
	result->links_gone = dataplane_check(c->dp);
	if (result->links_gone) {
		size_t len = result->ok ? 0 : strlen(result->text);

		result->ok = false;
		snprintf(result->text + len, sizeof(result->text) - len,
			 "%s%zu link%s detached by somebody%s", len ? "; " : "", result->links_gone,
			 result->links_gone == 1 ? " was" : "s were",
			 len ? "" : "; restart switchgeard");
	}
}

const struct canary_result *canary_end(struct canary *c, int r,
				       const struct canary_outcome *outcome)
{
	enum canary_found found = CANARY_NOTHING;

	clean(c);
	if (outcome)
		found = outcome->found;
	else if (r == -ETIMEDOUT || r == -EOWNERDEAD)
		found = CANARY_OTHER_ERRNO;
	if (outcome && outcome->tried && !dataplane_lets_pass(c->dp))
		dataplane_can_kill(c->dp, found != CANARY_ALIVE);
	describe(c, found);
	return &c->result;
}
