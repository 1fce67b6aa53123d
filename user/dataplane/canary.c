/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The server's side, step by step: the child tells that it is connected (PHASE_REACH), its
 * connection is put into quarantine; it tells that it has sent something (PHASE_SEND), its
 * connection is killed; it ends (PHASE_END) and says what it found as its exit status. Its
 * end of the socket to it ends when it does, and then its process is what is waited for.
 */
#include "dataplane/canary.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/policy.h"
#include "dataplane/canary_private.h"
#include "dataplane/cgroup.h"
#include "dataplane/kill.h"

#define SUB "selftest"
#define CONTROL_FD 3 /* in the child */

enum phase {
	PHASE_IDLE,
	PHASE_REACH,
	PHASE_SEND,
	PHASE_END,
	PHASE_DYING
};

/* One test. */
struct run {
	enum phase phase;
	uint64_t start_ns;
	uint64_t end_ns; /* then what still runs is killed; in PHASE_DYING given up */
	int control;     /* to the child; -1: none, or it ended */
	int pid_fd;
	int served;              /* the server's end of the connection to the target */
	enum canary_found bites; /* what our side found */
	bool reached;            /* the child came as far as the target */
	bool tried;              /* the kill was tried */
	char below[4160];        /* a cgroup that was made for it; "": none */
};

struct canary {
	struct dataplane *dp;
	const char *cgroup;
	int epoll_fd;
	int canary_fd;
	int control_fd;
	int target_fd;
	uint16_t canary_port;
	uint16_t control_port;
	uint16_t target_port;
	pid_t pid; /* of the child; 0: reaped. May outlive its test, see struct run */
	struct run run;
	bool any; /* result is one */
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

static int listen_all(struct canary *c)
{
	c->canary_fd = listener(&c->canary_port);
	c->control_fd = listener(&c->control_port);
	c->target_fd = listener(&c->target_port);
	return c->canary_fd < 0    ? c->canary_fd
	       : c->control_fd < 0 ? c->control_fd
	       : c->target_fd < 0  ? c->target_fd
				   : 0;
}

/* Puts the canary in, forced open for ever, and the target. */
static int servers_put(const struct canary *c)
{
	struct sg_command order = { .op = SG_CMD_ORDER,
				    .server = SG_CANARY,
				    .state = SG_FORCED_OPEN,
				    .until_ns = SG_FOREVER };
	int r = server_put(c, SG_CANARY, "(canary)", c->canary_port);

	if (!r)
		r = dataplane_command(c->dp, &order);
	return r ? r : server_put(c, SG_TARGET, "(target)", c->target_port);
}

int canary_new(struct dataplane *dp, const char *cgroup, struct canary **ret)
{
	CLEANUP(canary_freep) struct canary *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->dp = dp;
	c->cgroup = cgroup;
	c->epoll_fd = c->canary_fd = c->control_fd = c->target_fd = -1;
	c->run.control = c->run.pid_fd = c->run.served = -1;
	r = listen_all(c);
	if (r)
		return log_failure(r, SUB, "cannot listen on loopback for the self-test");
	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return log_failure(-errno, SUB, "cannot watch the self-test");
	r = servers_put(c);
	if (r)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

/* --- the end of a test ---------------------------------------------------------------------- */

static void unwatch(struct canary *c, int *fd)
{
	if (*fd < 0)
		return;
	epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

/* Whether the child has ended; never waits. */
static bool reap(struct canary *c, int *ret_status)
{
	pid_t pid;

	*ret_status = 0;
	if (!c->pid)
		return true;
	do
		pid = waitpid(c->pid, ret_status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid)
		c->pid = 0;
	return pid != 0;
}

static void drain(int fd)
{
	int peer;

	while ((peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(peer);
}

static void describe(struct canary *c, enum canary_found found)
{
	struct canary_result *result = &c->result;
	bool observing = dataplane_observes(c->dp) && found == CANARY_CONNECTED; /* it ends there */

	memset(result, 0, sizeof(*result));
	result->found = found;
	result->ok = found == CANARY_OK || observing;
	result->elapsed_ns = clock_boot_ns() - c->run.start_ns;
	snprintf(result->text, sizeof(result->text), "%s",
		 observing ? "observe mode: nothing is refused" : findings[found]);
	result->links_gone = dataplane_check(c->dp);
	if (result->links_gone) {
		size_t len = result->ok ? 0 : strlen(result->text);

		result->ok = false;
		snprintf(result->text + len, sizeof(result->text) - len,
			 "%s%zu link%s detached by somebody%s", len ? "; " : "", result->links_gone,
			 result->links_gone == 1 ? " was" : "s were",
			 len ? "" : "; restart switchgeard");
	}
	c->any = true;
}

/* What a test leaves behind, however it ended. */
static void clean(struct canary *c)
{
	struct run *run = &c->run;

	unwatch(c, &run->control);
	unwatch(c, &run->pid_fd);
	closep(&run->served);
	run->served = -1;
	drain(c->canary_fd);
	drain(c->control_fd);
	drain(c->target_fd);
	(void)!dataplane_quarantine_set(c->dp, SG_TARGET, 0);
	if (run->below[0])
		rmdir(run->below);
	run->below[0] = '\0';
	run->phase = PHASE_IDLE;
}

/* `found` is the child's. */
static void conclude(struct canary *c, enum canary_found found)
{
	struct run *run = &c->run;

	clean(c);
	if (found == CANARY_OK || (run->reached && run->bites != CANARY_OK))
		found = run->bites;
	if (run->tried && !dataplane_observes(c->dp))
		dataplane_can_kill(c->dp, found != CANARY_ALIVE);
	describe(c, found);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static void __attribute__((noreturn)) child(struct canary_child *arguments, pid_t parent)
{
	/* Nothing of the daemon's outlives it in here: pins, locks, its clients' connections. The
	 * signals that its loop blocked stay blocked: SIGKILL is what ends this. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
	    dup2(arguments->control, CONTROL_FD) < 0 || close_range(CONTROL_FD + 1, ~0U, 0) < 0)
		_exit(CANARY_NOTHING);
	arguments->control = CONTROL_FD;
	_exit((int)canary_child(arguments));
}

static int watch(struct canary *c, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int spawn(struct canary *c)
{
	struct run *run = &c->run;
	struct canary_child arguments = { .cgroup = run->below[0] ? run->below : NULL,
					  .canary_port = c->canary_port,
					  .control_port = c->control_port,
					  .target_port = c->target_port,
					  .end_ns = run->end_ns };
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	run->control = pair[0];
	arguments.control = pair[1];
	c->pid = fork();
	if (!c->pid)
		child(&arguments, parent);
	close(pair[1]);
	if (c->pid < 0) {
		c->pid = 0;
		return -EAGAIN;
	}
	run->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return run->pid_fd < 0 ? -errno : watch(c, run->control);
}

/* A cgroup that has controllers for its children takes no processes itself: so one is
 * made below it for the moment of the test. */
static int make_below(struct canary *c)
{
	bool inside;

	if (!cgroup_contains(c->cgroup, 0, &inside) && inside)
		return 0;
	snprintf(c->run.below, sizeof(c->run.below), "%s/switchgear-selftest.%d", c->cgroup,
		 (int)getpid());
	if (!mkdir(c->run.below, 0755) || errno == EEXIST)
		return 0;
	c->run.below[0] = '\0';
	return -errno;
}

void canary_start(struct canary *c)
{
	struct run *run = &c->run;
	int status;

	if (run->phase != PHASE_IDLE)
		return;
	*run = (struct run){ .phase = PHASE_REACH, .control = -1, .pid_fd = -1, .served = -1 };
	run->start_ns = clock_boot_ns();
	run->end_ns = run->start_ns + CANARY_RUN_NS;
	if (!reap(c, &status))
		conclude(c, CANARY_OTHER_ERRNO); /* the kernel still holds the one before */
	else if (make_below(c))
		conclude(c, CANARY_NO_CGROUP);
	else if (spawn(c)) {
		if (c->pid)
			kill(c->pid, SIGKILL);
		conclude(c, CANARY_NOTHING);
	}
}

/* --- its steps --------------------------------------------------------------------------------- */

/* The server's side of the connection: puts it into quarantine, and tries to answer. */
static enum canary_found quarantine(struct canary *c)
{
	struct run *run = &c->run;

	run->served = accept4(c->target_fd, NULL, NULL, SOCK_CLOEXEC);
	if (run->served < 0)
		return CANARY_CONTROL;
	if (dataplane_quarantine_set(c->dp, SG_TARGET, SG_FOREVER) ||
	    send(run->served, "x", 1, MSG_NOSIGNAL) != 1 ||
	    send(run->control, "x", 1, MSG_NOSIGNAL) != 1)
		return CANARY_NO_QUARANTINE;
	return CANARY_OK;
}

/* Sees that no request came, and kills it, also if one did. The child sees the rest. */
static enum canary_found end_connection(struct canary *c)
{
	struct kill_result result = { 0 };
	char byte;
	bool passed = recv(c->run.served, &byte, 1, MSG_DONTWAIT) == 1;

	c->run.tried = true;
	/* one of an earlier test may be left, and the child sees what became of its own */
	if (kill_server(c->dp, SG_TARGET, KILL_RECORDED, &result) || !result.killed)
		return CANARY_ALIVE;
	return passed ? CANARY_REQUEST : CANARY_OK;
}

/* Our side has seen what there is to see. */
static void leave(struct run *run, enum canary_found bites)
{
	run->bites = bites;
	run->phase = PHASE_END;
	closep(&run->served);
	run->served = -1;
}

/* The child has told that it is done with its step. */
static void advance(struct canary *c)
{
	struct run *run = &c->run;
	enum canary_found bites;

	if (run->phase == PHASE_REACH) {
		run->reached = true;
		bites = quarantine(c);
		if (bites == CANARY_OK)
			run->phase = PHASE_SEND;
		else
			leave(run, bites);
	} else if (run->phase == PHASE_SEND) {
		leave(run, end_connection(c));
	}
}

/* No more steps: the child ended, or its time is over. */
static void stop_steps(struct run *run)
{
	if (run->phase == PHASE_SEND)
		leave(run, CANARY_NO_QUARANTINE);
	else if (run->phase == PHASE_REACH)
		leave(run, CANARY_OK);
}

static void read_control(struct canary *c)
{
	char byte;
	ssize_t n;

	while (c->run.control >= 0) {
		n = recv(c->run.control, &byte, 1, MSG_DONTWAIT);
		if (n == 1) {
			advance(c);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		stop_steps(&c->run);
		unwatch(c, &c->run.control);
		if (watch(c, c->run.pid_fd)) /* then the time is what ends it */
			log_debug(SUB, "cannot watch the child's end");
	}
}

/* Is it over? Who is killed is waited for as before, but not for long. */
static void expire(struct canary *c, uint64_t now)
{
	struct run *run = &c->run;

	if (now < run->end_ns)
		return;
	if (run->phase == PHASE_DYING) {
		conclude(c, CANARY_OTHER_ERRNO);
		return;
	}
	stop_steps(run);
	run->phase = PHASE_DYING;
	run->end_ns = now + CANARY_GRACE_NS;
	kill(c->pid, SIGKILL);
}

void canary_step(struct canary *c)
{
	int status;

	if (c->run.phase == PHASE_IDLE)
		return;
	read_control(c);
	if (c->run.control < 0 && reap(c, &status)) {
		bool told = WIFEXITED(status) && WEXITSTATUS(status) < CANARY_FOUND_COUNT;

		conclude(c, told ? (enum canary_found)WEXITSTATUS(status) : CANARY_OTHER_ERRNO);
		return;
	}
	expire(c, clock_boot_ns());
}

/* --- interface ------------------------------------------------------------------------------------ */

bool canary_running(const struct canary *c)
{
	return c->run.phase != PHASE_IDLE;
}

int canary_fd(const struct canary *c)
{
	return c->epoll_fd;
}

uint64_t canary_due_ns(const struct canary *c)
{
	return canary_running(c) ? c->run.end_ns : UINT64_MAX;
}

const struct canary_result *canary_result(const struct canary *c)
{
	return c->any ? &c->result : NULL;
}

static void wait_ready(const struct canary *c)
{
	struct pollfd p = { .fd = c->epoll_fd, .events = POLLIN };
	uint64_t now = clock_boot_ns();
	uint64_t due = canary_due_ns(c);

	poll(&p, 1, due > now ? (int)((due - now) / NS_PER_MS) + 1 : 0);
}

const struct canary_result *canary_wait(struct canary *c)
{
	canary_start(c);
	while (canary_running(c)) {
		wait_ready(c);
		canary_step(c);
	}
	return canary_result(c);
}

/* No result: what it would tell of may be detached already. */
static void give_up(struct canary *c)
{
	struct pollfd p = { .fd = c->run.pid_fd, .events = POLLIN };
	int status;

	kill(c->pid, SIGKILL);
	poll(&p, 1, (int)(CANARY_GRACE_NS / NS_PER_MS));
	(void)reap(c, &status);
	clean(c);
}

void canary_free(struct canary *c)
{
	if (!c)
		return;
	if (canary_running(c))
		give_up(c);
	closep(&c->epoll_fd);
	closep(&c->canary_fd);
	closep(&c->control_fd);
	closep(&c->target_fd);
	free(c);
}
