/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The child's end is what is waited for, by a descriptor of the process: when it is
 * there, the result is whole or never will be, and waitpid() does not wait.
 */
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"

#define NEVER UINT64_MAX
#define KEEP_MIN 3 /* below are the standard ones */

/* Memory that the child shares with its parent. */
struct share {
	int r;
	bool whole; /* set last */
	char result[] __attribute__((aligned(16)));
};

struct child {
	struct share *share;
	int pid_fd;
	pid_t pid; /* 0: reaped, or given up */
	uint64_t due_ns;
	bool killed;
	enum child_state state;
	int status;
	int r;
	size_t size;
	/* A copy: whatever the child has started may still write to the other one. */
	char result[] __attribute__((aligned(16)));
};

/* --- in the child ---------------------------------------------------------------------- */

static bool kept(const struct child_job *job, int fd)
{
	for (size_t i = 0; i < job->n_keep; i++)
		if (job->keep[i] == fd)
			return true;
	return false;
}

/* Closes from the lowest to the highest what is not kept. */
static void close_others(const struct child_job *job)
{
	int last = KEEP_MIN - 1;

	for (size_t i = 0; i < job->n_keep; i++)
		if (job->keep[i] > last)
			last = job->keep[i];
	for (int fd = KEEP_MIN; fd <= last; fd++)
		if (!kept(job, fd))
			close(fd);
	if (close_range((unsigned int)last + 1, ~0U, 0) < 0)
		_exit(1);
}

/* All signals are blocked: no handler of the parent's runs in here. */
static void signals_reset(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	signal(SIGINT, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
work(const struct child_job *job, struct share *share, pid_t parent)
{
	/* a parent that died before this is noticed, too */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	if (job->name)
		prctl(PR_SET_NAME, job->name);
	close_others(job);
	signals_reset();
	share->r = job->fn(job->data, share->result, job->size);
	__atomic_store_n(&share->whole, true, __ATOMIC_RELEASE);
	_exit(0);
}

/* --- the caller's side -------------------------------------------------------------------- */

static pid_t fork_quietly(void)
{
	sigset_t all;
	sigset_t before;
	pid_t pid;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid)
		sigprocmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return pid;
}

static int start(const struct child_job *job, struct child *child)
{
	pid_t parent = getpid();

	child->share = mmap(NULL, sizeof(*child->share) + job->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (child->share == MAP_FAILED)
		return -errno;
	child->pid = fork_quietly();
	if (!child->pid)
		work(job, child->share, parent);
	if (child->pid < 0) {
		child->pid = 0;
		return -errno;
	}
	child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	return child->pid_fd < 0 ? -errno : 0;
}

int child_start(const struct child_job *job, struct child **ret)
{
	CLEANUP(child_freep) struct child *child = NULL;
	int r;

	if (!job->fn)
		return -EINVAL;
	if (job->size > CHILD_RESULT_MAX)
		return -E2BIG;
	child = calloc(1, sizeof(*child) + job->size);
	if (!child)
		return -ENOMEM;
	child->share = MAP_FAILED;
	child->pid_fd = -1;
	child->size = job->size;
	child->due_ns = job->deadline_ns;
	r = start(job, child);
	if (r)
		return r;
	*ret = TAKE_PTR(child);
	return 0;
}

int child_fd(const struct child *child)
{
	return child->pid_fd;
}

uint64_t child_due_ns(const struct child *child)
{
	return child->state == CHILD_RUNNING ? child->due_ns : NEVER;
}

static bool read_result(struct child *child)
{
	if (!child->share->whole)
		return false;
	child->r = child->share->r;
	memcpy(child->result, child->share->result, child->size);
	return true;
}

/* Reaps it if it has ended; never waits. */
static bool ended(struct child *child)
{
	pid_t pid;

	if (!child->pid)
		return true;
	do
		pid = waitpid(child->pid, &child->status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	/* -ECHILD: somebody else reaped it, or SIGCHLD is ignored */
	if (pid)
		child->pid = 0;
	return pid != 0;
}

/* An end has come: its descriptor, which stays readable, has nothing to say any more. */
static enum child_state settle(struct child *child, enum child_state state)
{
	child->state = state;
	child->due_ns = NEVER;
	return state;
}

enum child_state child_run(struct child *child)
{
	uint64_t now = clock_boot_ns();

	if (child->state != CHILD_RUNNING)
		return child->state;
	if (ended(child)) {
		if (read_result(child))
			return settle(child, CHILD_DONE);
		return settle(child, child->killed ? CHILD_TIMED_OUT : CHILD_DIED);
	}
	if (now < child->due_ns)
		return CHILD_RUNNING;
	if (child->killed)
		return settle(child, CHILD_TIMED_OUT);
	child->killed = true;
	child->due_ns = now + CHILD_GRACE_NS;
	kill(child->pid, SIGKILL);
	return CHILD_RUNNING;
}

const void *child_result(const struct child *child, int *ret_r)
{
	if (child->state != CHILD_DONE)
		return NULL;
	*ret_r = child->r;
	return child->result;
}

int child_status(const struct child *child)
{
	return child->status;
}

void child_free(struct child *child)
{
	if (!child)
		return;
	if (!ended(child)) {
		struct pollfd p = { .fd = child->pid_fd, .events = POLLIN };

		kill(child->pid, SIGKILL);
		poll(&p, 1, (int)(CHILD_FREE_NS / NS_PER_MS));
		(void)ended(child);
	}
	if (child->share != MAP_FAILED)
		munmap(child->share, sizeof(*child->share) + child->size);
	closep(&child->pid_fd);
	free(child);
}
