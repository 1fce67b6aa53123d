/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "io/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"

/* --- the program ---------------------------------------------------------------------------- */

/* Above the numbers that a process gives to its own. */
static int open_program(const char *path)
{
	CLEANUP(closep) int fd = open(path, O_PATH | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fcntl(fd, F_DUPFD_CLOEXEC, PROGRAM_SOCKET + PROGRAM_FDS_MAX);
	return r < 0 ? -errno : r;
}

static int open_beside(const char *name)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	if (n < 0)
		return -errno;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	snprintf(slash + 1, 64, "%s", name);
	return open_program(path);
}

/* Of the host's own file, as all names of users: a directory service could take its time. */
static uid_t user_named(const char *name, uid_t number)
{
	CLEANUP(fclosep) FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;

	while (file && (user = fgetpwent(file)))
		if (!strcmp(user->pw_name, name))
			return user->pw_uid;
	return number;
}

void program_open(struct program *p, const char *name, uid_t number, const char *path)
{
	char installed[256];

	*p = (struct program){ .name = name, .user = user_named(name, number) };
	p->fd = path ? open_program(path) : open_beside(name);
	if (p->fd < 0 && !path) {
		snprintf(installed, sizeof(installed), "%s/%s", SWITCHGEAR_LIBEXEC, name);
		path = installed;
		p->fd = open_program(path);
	}
	if (p->fd < 0)
		snprintf(p->error, sizeof(p->error), "%.100s: %s; install all of Switchgear", path,
			 strerror(-p->fd));
}

void program_close(struct program *p)
{
	closep(&p->fd);
	p->fd = -1;
}

/* --- its process ------------------------------------------------------------------------------ */

/* A descriptor onto itself stays open, too: dup2() of posix_spawn() clears close-on-exec then. */
static int give_files(posix_spawn_file_actions_t *files, const int *fds, size_t n_fds)
{
	int r = 0;

	for (size_t i = 0; i < n_fds && !r; i++)
		if (fds[i] >= 0)
			r = posix_spawn_file_actions_adddup2(files, fds[i],
							     (int)(PROGRAM_SOCKET + i));
	return r;
}

static int set_signals(posix_spawnattr_t *how)
{
	sigset_t all;
	sigset_t none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	r = posix_spawnattr_setsigmask(how, &none);
	r = r ? r : posix_spawnattr_setsigdefault(how, &all);
	return r ? r
		 : posix_spawnattr_setflags(how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const struct program *p, const int *fds, size_t n_fds, char *const *argv,
		 char *const *environment, pid_t *ret)
{
	char program[32];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	int r;

	snprintf(program, sizeof(program), "/proc/self/fd/%d", p->fd);
	r = posix_spawn_file_actions_init(&files);
	if (r)
		return r;
	r = posix_spawnattr_init(&how);
	if (!r) {
		r = give_files(&files, fds, n_fds);
		r = r ? r : set_signals(&how);
		r = r ? r : posix_spawn(ret, program, &files, &how, argv, environment);
		posix_spawnattr_destroy(&how);
	}
	posix_spawn_file_actions_destroy(&files);
	return r;
}

/* Above the numbers that the process will have, so that giving one never covers another. */
static int lift_all(const int *fds, size_t n_fds, int *ret)
{
	for (size_t i = 0; i < n_fds; i++)
		ret[i] = -1;
	for (size_t i = 0; i < n_fds; i++) {
		if (fds[i] < 0)
			continue;
		ret[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, PROGRAM_SOCKET + PROGRAM_FDS_MAX);
		if (ret[i] < 0)
			return -errno;
	}
	return 0;
}

int program_start(const struct program *p, const int *fds, size_t n_fds, const char *argument,
		  const char *variable, pid_t *ret)
{
	int lifted[PROGRAM_FDS_MAX];
	char number[16];
	char parent[16];
	char user[16];
	char *argv[] = { (char *)p->name, number, parent, user, (char *)argument, NULL };
	char *environment[] = { (char *)"PATH=/usr/bin:/bin", (char *)variable, NULL };
	int r;

	if (n_fds > PROGRAM_FDS_MAX)
		return -EINVAL;
	snprintf(number, sizeof(number), "%u", PROGRAM_SOCKET);
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	snprintf(user, sizeof(user), "%u", p->user);
	r = lift_all(fds, n_fds, lifted);
	if (!r)
		r = -spawn(p, lifted, n_fds, argv, environment, ret);
	for (size_t i = 0; i < n_fds; i++)
		closep(&lifted[i]);
	return r;
}

bool program_reaped(pid_t *pid, int *status)
{
	pid_t r;

	if (!*pid)
		return true;
	do
		r = waitpid(*pid, status, WNOHANG);
	while (r < 0 && errno == EINTR);
	if (r)
		*pid = 0; /* -ECHILD: somebody else reaped it, or SIGCHLD is ignored */
	return r != 0;
}

int program_end(pid_t *pid, pid_t *zombie)
{
	CLEANUP(closep) int pid_fd = -1;
	int status = 0;

	if (!*pid || program_reaped(pid, &status))
		return status;
	pid_fd = (int)syscall(SYS_pidfd_open, *pid, 0);
	kill(*pid, SIGKILL);
	if (pid_fd >= 0) {
		struct pollfd p = { .fd = pid_fd, .events = POLLIN };

		poll(&p, 1, (int)(PROGRAM_REAP_NS / NS_PER_MS));
	}
	if (!program_reaped(pid, &status)) {
		*zombie = *pid;
		*pid = 0;
	}
	return status;
}

void program_explain(int status, char *out, size_t size)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		snprintf(out, size, "ended by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		snprintf(out, size, "ended with exit status %d", WEXITSTATUS(status));
	else
		snprintf(out, size, "it was killed");
}
