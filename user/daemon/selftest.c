/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does enforcement really bite? A canary: a listener of our own at an endpoint
 * that is denied for good. A child inside the protected cgroup connects to it
 * and must be refused with the canary's errno, and must reach a second listener
 * that nobody denies. A third connection is put into quarantine: nothing may
 * pass either way, and it must be killed; whether it could be decides what open
 * breakers do to open connections (cfg.can_kill). Attached is not enforcing (wrong
 * cgroup, stale pins, a map that somebody emptied): this notices.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/app.h"
#include "dataplane/kill.h"
#include "dataplane/cgroup.h"

#define SUB "selftest"
#define CANARY_ERRNO EHOSTDOWN /* no failing network gives this on loopback */
#define CHILD_MS 500

/* What was found; the child exits with its own. */
enum found {
	FOUND_OK,
	FOUND_CONNECTED, /* enforcement does not bite */
	FOUND_OTHER_ERRNO,
	FOUND_CONTROL,   /* an endpoint that nobody denies was not reached */
	FOUND_NO_CGROUP, /* the child could not enter the cgroup */
	FOUND_NOTHING,   /* no socket */
	FOUND_REQUEST,   /* what the agent sent in quarantine arrived */
	FOUND_ANSWER,    /* what the server sent in quarantine arrived */
	FOUND_ALIVE,     /* the connection was not killed */
	FOUND_NO_QUARANTINE,
	FOUND_COUNT
};

static const char *const findings[] = {
	[FOUND_OK] = "ok",
	[FOUND_CONNECTED] = "the canary was not refused: enforcement does not work; restart "
			    "switchgeard, and look at \"bpftool cgroup tree\"",
	[FOUND_OTHER_ERRNO] = "the canary was refused with an unexpected error: something else "
			      "denies connects, too",
	[FOUND_CONTROL] = "an endpoint that is not denied could not be reached on loopback: the "
			  "self-test cannot tell whether enforcement works",
	[FOUND_NO_CGROUP] = "the self-test could not enter the protected cgroup; is it writable?",
	[FOUND_NOTHING] = "the self-test could not make a socket",
	[FOUND_REQUEST] =
		"a request to a server in quarantine was not stopped (sg_egress); restart "
		"switchgeard",
	[FOUND_ANSWER] =
		"an answer of a server in quarantine was not stopped (sg_ingress); restart "
		"switchgeard",
	[FOUND_ALIVE] = "a live connection could not be killed (SOCK_DESTROY): open connections go "
			"on when a breaker opens",
	[FOUND_NO_QUARANTINE] = "the self-test could not set a quarantine",
};
_Static_assert(ARRAY_SIZE(findings) == FOUND_COUNT, "a text for each finding");

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
static int server_put(struct app *app, uint32_t id, const char *name, uint16_t port)
{
	struct breaker_policy defaults = breaker_policy_defaults();
	struct sg_policy policy;
	int r;

	policy_to_kernel(&defaults, CANARY_ERRNO, &policy);
	r = dataplane_server_set(app->dp, id, name, 0, 0, &policy, 0, true);
	if (!r)
		r = dataplane_quarantine_set(app->dp, id, 0);
	return r ? r : dataplane_endpoints_set(app->dp, id, &loopback, &port, 1);
}

/* Puts the canary in, forced open for ever, and the target. */
int app_canary(struct app *app)
{
	struct sg_command order = { .op = SG_CMD_ORDER,
				    .server = SG_CANARY,
				    .state = SG_FORCED_OPEN,
				    .until_ns = SG_FOREVER };
	int r;

	app->canary_fd = listener(&app->canary_port);
	app->control_fd = listener(&app->control_port);
	app->target_fd = listener(&app->target_port);
	r = app->canary_fd < 0    ? app->canary_fd
	    : app->control_fd < 0 ? app->control_fd
	    : app->target_fd < 0  ? app->target_fd
				  : 0;
	if (r)
		return log_failure(r, SUB, "cannot listen on loopback for the self-test");
	r = server_put(app, SG_CANARY, "(canary)", app->canary_port);
	if (!r)
		r = dataplane_command(app->dp, &order);
	return r ? r : server_put(app, SG_TARGET, "(target)", app->target_port);
}

/* --- the child --------------------------------------------------------------------------- */

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
		if (poll(&p, 1, CHILD_MS / 2) != 1)
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
 * The agent's side of a connection that is put into quarantine and killed. It stays
 * open until then, whatever came: older kernels make a socket that nobody holds and
 * that has something to send immortal by SOCK_DESTROY.
 */
static enum found child_killed(const struct app *app, int control, uint64_t end)
{
	CLEANUP(closep) int fd = dial(app->target_port);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	enum found found = FOUND_OK;
	ssize_t n;
	char byte;

	if (fd < 0)
		return FOUND_CONTROL;
	if (!step_done(control) || !step_wait(control, end))
		return FOUND_NO_QUARANTINE;
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || !step_done(control))
		return FOUND_NOTHING;
	for (;;) {
		if (poll(&p, 1, CHILD_MS / 2) != 1)
			return FOUND_ALIVE;
		n = recv(fd, &byte, 1, 0);
		if (n <= 0)
			break;
		found = FOUND_ANSWER;
	}
	/* by SOCK_DESTROY, or through the descriptor where the kernel is built without it */
	return n < 0 && (errno == ECONNABORTED || errno == ECONNRESET) ? found : FOUND_ALIVE;
}

static enum found child(const struct app *app, const char *cgroup, int control, uint64_t end)
{
	int r;

	if (cgroup && write_pid(cgroup))
		return FOUND_NO_CGROUP;
	r = dial(app->canary_port);
	if (r == -ENOTSOCK)
		return FOUND_NOTHING;
	if (r >= 0)
		return FOUND_CONNECTED;
	if (r != -CANARY_ERRNO && r != -EPERM && r != -ECONNREFUSED)
		return FOUND_OTHER_ERRNO;
	if (dial(app->control_port) < 0)
		return FOUND_CONTROL;
	return child_killed(app, control, end);
}

/* --- our side ------------------------------------------------------------------------------ */

static void drain(int fd)
{
	int c;

	while ((c = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(c);
}

/*
 * The server's side: puts its own connection into quarantine, sees that nothing
 * passes either way, and kills it, also if something did. The child sees the rest.
 * *tried: the kill was tried.
 */
static enum found quarantine_bites(struct app *app, int control, uint64_t end, bool *tried)
{
	CLEANUP(closep) int fd = accept4(app->target_fd, NULL, NULL, SOCK_CLOEXEC);
	struct kill_result result = { 0 };
	bool passed;
	char byte;

	if (fd < 0)
		return FOUND_CONTROL;
	if (dataplane_quarantine_set(app->dp, SG_TARGET, SG_FOREVER) ||
	    send(fd, "x", 1, MSG_NOSIGNAL) != 1 || !step_done(control) || !step_wait(control, end))
		return FOUND_NO_QUARANTINE;
	passed = recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
	*tried = true;
	/* one of an earlier test may be left, and the child sees what became of its own */
	if (kill_tracked(app->dp, app->netns, SG_TARGET, &result) || !result.killed)
		return FOUND_ALIVE;
	return passed ? FOUND_REQUEST : FOUND_OK;
}

/* The child's end, and what it found: the pipe to it ends when it does. */
static enum found child_end(pid_t pid, int control, uint64_t end)
{
	int status = 0;

	while (step_wait(control, end))
		;
	if (clock_boot_ns() >= end)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return FOUND_NOTHING;
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= FOUND_COUNT)
		return FOUND_OTHER_ERRNO;
	return (enum found)WEXITSTATUS(status);
}

/* Runs the child, inside `cgroup` unless NULL; waits at most CHILD_MS. */
static enum found run(struct app *app, const char *cgroup)
{
	uint64_t end = clock_boot_ns() + CHILD_MS * NS_PER_MS;
	enum found bites = FOUND_OK;
	enum found found;
	bool tried = false;
	bool reached;
	int control[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control))
		return FOUND_NOTHING;
	pid = fork();
	if (!pid) {
		close(control[0]);
		_exit(child(app, cgroup, control[1], end));
	}
	close(control[1]);
	reached = pid > 0 && step_wait(control[0], end);
	if (reached)
		bites = quarantine_bites(app, control[0], end, &tried);
	found = pid > 0 ? child_end(pid, control[0], end) : FOUND_NOTHING;
	close(control[0]);
	drain(app->canary_fd);
	drain(app->control_fd);
	drain(app->target_fd);
	(void)!dataplane_quarantine_set(app->dp, SG_TARGET, 0);
	if (found == FOUND_OK || (reached && bites != FOUND_OK))
		found = bites;
	if (tried && !app->observe)
		dataplane_can_kill(app->dp, found != FOUND_ALIVE);
	return found;
}

/* A cgroup that has controllers for its children takes no processes itself: so one is
 * made below it for the moment of the test. */
static enum found run_inside(struct app *app)
{
	enum found found;
	char path[4160];
	bool inside;

	if (!cgroup_contains(app->cgroup, 0, &inside) && inside)
		return run(app, NULL);
	snprintf(path, sizeof(path), "%s/switchgear-selftest.%d", app->cgroup, (int)getpid());
	if (mkdir(path, 0755) && errno != EEXIST)
		return FOUND_NO_CGROUP;
	found = run(app, path);
	rmdir(path);
	return found;
}

void app_selftest(struct app *app, struct reply_selftest *ret)
{
	uint64_t start = clock_boot_ns();
	enum found found = run_inside(app);
	bool first = !app->selftest[0];
	bool was_ok = !strcmp(app->selftest, "ok");
	bool observing = app->observe && found == FOUND_CONNECTED; /* it ends there */
	struct event e;

	memset(ret, 0, sizeof(*ret));
	ret->ok = found == FOUND_OK || observing;
	ret->elapsed_ns = clock_boot_ns() - start;
	snprintf(ret->detail, sizeof(ret->detail), "%s",
		 observing ? "observe mode: nothing is refused" : findings[found]);
	app->links_gone = dataplane_check(app->dp);
	if (app->links_gone) {
		size_t len = ret->ok ? 0 : strlen(ret->detail);

		ret->ok = false;
		snprintf(ret->detail + len, sizeof(ret->detail) - len,
			 "%s%zu link%s detached by somebody%s", len ? "; " : "", app->links_gone,
			 app->links_gone == 1 ? " was" : "s were",
			 len ? "" : "; restart switchgeard");
	}
	if (ret->ok)
		app->selftest_ok_ns = clock_boot_ns();
	snprintf(app->selftest, sizeof(app->selftest), "%.*s", (int)sizeof(app->selftest) - 1,
		 ret->ok ? "ok" : ret->detail);
	if (ret->ok == was_ok && !first)
		return;
	app_event_init(&e, EVENT_SELFTEST, "");
	e.ok = ret->ok;
	snprintf(e.text, sizeof(e.text), "%s", ret->detail);
	if (!ret->ok)
		log_error(SUB, "%s", ret->detail);
	app_report(app, &e);
	app_flush(app);
}
