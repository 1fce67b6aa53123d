/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A function that may block, in a forked child, while the loop goes on: it works
 * on a copy of everything as it was at the start, and its result, of a fixed
 * size, comes back in memory that both share. The caller watches child_fd() for reading and
 * calls child_run() when it is readable and when child_due_ns() is reached.
 *
 * Invariants:
 *  C1  Nothing here blocks but child_free() of a child that still runs, and that for
 *      CHILD_FREE_NS at most.
 *  C2  The child never comes back into the caller's code: it ends by _exit(), what
 *      atexit() and stdio hold is left alone. It dies with its parent.
 *  C3  A result is handed over whole or not at all.
 *
 * Cost: one fork, which copies the page tables of the daemon (0.03 ms for 1 MB, 0.07 for
 * 10 MB, 0.3 for 50 MB; several times that on a busy host), and a fault for each page that
 * either side writes until the child has ended. It holds a descriptor here, and the
 * child a copy of those in `keep`: what is closed here meanwhile ends when the child does.
 */
#ifndef SWITCHGEAR_IO_CHILD_H
#define SWITCHGEAR_IO_CHILD_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define CHILD_RESULT_MAX 32768U      /* bytes */
#define CHILD_GRACE_NS 1000000000ULL /* from its SIGKILL until nobody waits any more */
#define CHILD_FREE_NS 1000000000ULL  /* from its SIGKILL at the end */

struct child;

/*
 * Called in the child, and only there: may block, allocate, log and change what it likes of
 * its own copies; takes no lock of another process, since it may be killed anywhere. It fills
 * `size` bytes, zero before, without pointers. What it returns comes back as it is.
 * Signals are as in a new process, with none blocked, but for SIGINT, which is ignored:
 * Ctrl-C is the daemon's business, and the child ends with that.
 */
typedef int child_fn(void *data, void *result, size_t size);

struct child_job {
	const char *name; /* of the process, for people: 15 bytes; NULL: as the caller's */
	child_fn *fn;
	void *data;           /* borrowed during child_start() only */
	size_t size;          /* of the result; at most CHILD_RESULT_MAX */
	uint64_t deadline_ns; /* boot time; SG_FOREVER (UINT64_MAX): none */
	/* Descriptors that fn needs. Of the others it has the standard ones only. */
	const int *keep;
	size_t n_keep;
};

enum child_state {
	CHILD_RUNNING,
	CHILD_DONE,     /* the result is complete */
	CHILD_DIED,     /* it ended without one: child_status() */
	CHILD_TIMED_OUT /* it was killed at the deadline */
};

/* -EINVAL (no fn), -E2BIG (size), -EMFILE, -EAGAIN (no more processes), -ENOMEM, -ENOSYS (before
 * Linux 5.3): then no child is left. */
int child_start(const struct child_job *job, struct child **ret) MUST_CHECK;

int child_fd(const struct child *child); /* borrowed; level-triggered, for reading */
/* Boot time at which child_run() must be called; UINT64_MAX: not before it is readable. */
uint64_t child_due_ns(const struct child *child);
/* What became of it. Kills it when its time is over; that is CHILD_TIMED_OUT once it is
 * dead, or after CHILD_GRACE_NS if the kernel does not let it die. A result that was
 * complete before counts. The same again after the end, and nothing to poll for. */
enum child_state child_run(struct child *child);
/* After CHILD_DONE: `size` bytes, valid until child_free(), and what fn returned. NULL in
 * all other states. */
const void *child_result(const struct child *child, int *ret_r);
/* After CHILD_DIED: as waitpid() gives it. */
int child_status(const struct child *child);

/* Kills what still runs; NULL-safe. A child that does not die of it in time, since the kernel
 * holds it, stays a zombie until this process ends. */
void child_free(struct child *child);

static inline void child_freep(struct child **child)
{
	child_free(*child);
}

#endif
