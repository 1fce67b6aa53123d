/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does enforcement really bite? A canary: a listener of our own at an endpoint
 * that is denied for good. A child inside the protected cgroup connects to it
 * and must be refused with the canary's errno, and must reach a second listener
 * that nobody denies. Attached is not enforcing (wrong cgroup, stale pins, a
 * map that somebody emptied): this notices.
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
#include <time.h>

#include "daemon/app.h"
#include "io/cgroup.h"

#define SUB "selftest"
#define CANARY_ERRNO EHOSTDOWN /* no failing network gives this on loopback */
#define CHILD_MS 500

/* What the child found; it exits with this. */
enum found {
	FOUND_REFUSED,   /* as it must be */
	FOUND_CONNECTED, /* enforcement does not bite */
	FOUND_OTHER_ERRNO,
	FOUND_CONTROL,   /* an endpoint that nobody denies was not reached */
	FOUND_NO_CGROUP, /* the child could not enter the cgroup */
	FOUND_NOTHING,   /* no socket */
	FOUND_COUNT
};

static const char *const findings[] = {
	[FOUND_REFUSED] = "ok",
	[FOUND_CONNECTED] = "the canary was not refused: enforcement does not work; restart "
			    "switchgeard, and look at \"bpftool cgroup tree\"",
	[FOUND_OTHER_ERRNO] = "the canary was refused with an unexpected error: something else "
			      "denies connects, too",
	[FOUND_CONTROL] = "an endpoint that is not denied could not be reached on loopback: the "
			  "self-test cannot tell whether enforcement works",
	[FOUND_NO_CGROUP] = "the self-test could not enter the protected cgroup; is it writable?",
	[FOUND_NOTHING] = "the self-test could not make a socket",
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

/* Puts the canary in: forced open, for ever. */
int app_canary(struct app *app)
{
	const struct addr loopback = { { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 } };
	struct sg_command order = { .op = SG_CMD_ORDER,
				    .server = SG_CANARY,
				    .state = SG_FORCED_OPEN,
				    .until_ns = SG_FOREVER };
	struct breaker_policy defaults = breaker_policy_defaults();
	struct sg_policy policy;
	int r;

	app->canary_fd = listener(&app->canary_port);
	app->control_fd = listener(&app->control_port);
	if (app->canary_fd < 0 || app->control_fd < 0)
		return log_failure(app->canary_fd < 0 ? app->canary_fd : app->control_fd, SUB,
				   "cannot listen on loopback for the self-test");
	policy_to_kernel(&defaults, CANARY_ERRNO, &policy);
	r = dataplane_server_set(app->dp, SG_CANARY, "(canary)", 0, 0, &policy, 0, true);
	if (!r)
		r = dataplane_command(app->dp, &order);
	if (!r)
		r = dataplane_endpoints_set(app->dp, SG_CANARY, &loopback, &app->canary_port, 1);
	return r;
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

/* 0, or the errno of a connect to loopback. */
static int try_connect(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (fd < 0)
		return -1;
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (poll(&p, 1, CHILD_MS / 2) != 1)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

static enum found child(const struct app *app, const char *cgroup)
{
	int r;

	if (cgroup && write_pid(cgroup))
		return FOUND_NO_CGROUP;
	r = try_connect(app->canary_port);
	if (r < 0)
		return FOUND_NOTHING;
	if (!r)
		return FOUND_CONNECTED;
	if (r != CANARY_ERRNO && r != EPERM && r != ECONNREFUSED)
		return FOUND_OTHER_ERRNO;
	return try_connect(app->control_port) ? FOUND_CONTROL : FOUND_REFUSED;
}

static void drain(int fd)
{
	int c;

	while ((c = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(c);
}

/* Runs the child, inside `cgroup` unless NULL; waits at most CHILD_MS. */
static enum found run(struct app *app, const char *cgroup)
{
	uint64_t end = clock_boot_ns() + CHILD_MS * NS_PER_MS;
	const struct timespec pause = { .tv_nsec = 500000 };
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return FOUND_NOTHING;
	if (!pid)
		_exit(child(app, cgroup));
	for (;;) {
		pid_t done = waitpid(pid, &status, WNOHANG);

		if (done == pid)
			break;
		if (done < 0)
			return FOUND_NOTHING;
		if (clock_boot_ns() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		nanosleep(&pause, NULL);
	}
	drain(app->canary_fd);
	drain(app->control_fd);
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= FOUND_COUNT)
		return FOUND_OTHER_ERRNO;
	return (enum found)WEXITSTATUS(status);
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
	bool was_ok = !strcmp(app->selftest, "ok");
	bool observing = app->observe && found == FOUND_CONNECTED;
	struct event e;

	memset(ret, 0, sizeof(*ret));
	ret->ok = found == FOUND_REFUSED || observing;
	ret->elapsed_ns = clock_boot_ns() - start;
	snprintf(ret->detail, sizeof(ret->detail), "%s",
		 observing ? "observe mode: nothing is refused" : findings[found]);
	app->links_gone = dataplane_check(app->dp);
	if (app->links_gone) {
		ret->ok = false;
		snprintf(ret->detail, sizeof(ret->detail),
			 "%zu links were detached by somebody; restart switchgeard",
			 app->links_gone);
	}
	if (ret->ok)
		app->selftest_ok_ns = clock_boot_ns();
	snprintf(app->selftest, sizeof(app->selftest), "%.*s", (int)sizeof(app->selftest) - 1,
		 ret->ok ? "ok" : ret->detail);
	if (ret->ok == was_ok)
		return;
	app_event_init(&e, EVENT_SELFTEST, "");
	e.ok = ret->ok;
	snprintf(e.text, sizeof(e.text), "%s", ret->detail);
	if (!ret->ok)
		log_error(SUB, "%s", ret->detail);
	app_report(app, &e);
	app_flush(app);
}
