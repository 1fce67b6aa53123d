/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process of its own for what asks the network and parses what strangers say: another
 * program, under another user, without capabilities, with a list of system calls and limits
 * (user/worker/). It does one job after the other, is started when there is one, ends when
 * there has been none for WORKER_IDLE_NS, and is started again after it died, later each time.
 *
 * The caller watches worker_fd() for reading and calls worker_run() when it is readable
 * and when worker_due_ns() is reached.
 *
 * Invariants:
 *  K1  Nothing here waits, but for a process that was killed, PROGRAM_REAP_NS at most.
 *  K2  Every job ends, in one of three ways: with a result of the size that was asked for, at
 *      its deadline, or because no process could finish it. What is late is killed.
 *  K3  What a worker says is checked for its shape here and for its sense by who asked.
 */
#ifndef SWITCHGEAR_IO_WORKER_H
#define SWITCHGEAR_IO_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "io/program.h"
#include "io/worker_wire.h"

#define WORKER_IDLE_NS 10000000000ULL
#define WORKER_AGAIN_NS 100000000ULL       /* after its first death; twice as long each time, */
#define WORKER_AGAIN_MAX_NS 30000000000ULL /* up to this; a job that is done ends that */
#define WORKER_TRIES 3U                    /* processes that a job may outlive */

enum worker_op {
	WORKER_LOOK_UP,  /* text with its end -> struct resolver_answer */
	WORKER_GROUP,    /* text with its end -> struct resolver_group */
	WORKER_PROBE,    /* io/probe_job.h */
	WORKER_FINDINGS, /* io/findings_job.h; needs a descriptor */
	WORKER_OP_COUNT
};

/* What all workers of a daemon are. */
struct worker_program {
	struct program program;
	char *ca_file; /* of certificates beside the system's; NULL: none */
};

/* Never fails as such: r->program.fd and r->program.error tell. `path` NULL: beside this program, else where it
 * is installed. */
void worker_program_open(struct worker_program *r, const char *path, const char *ca_file);
void worker_program_close(struct worker_program *p);

/* The worker asks for what it may not do; what is returned is its answer. fd: closed by the
 * caller afterwards, -1: none. Must not touch the worker. */
typedef int worker_ask_fn(void *owner, uint32_t what, const void *data, size_t len, int fd);

struct worker_job {
	enum worker_op op;
	const void *data; /* copied; at most WIRE_DATA_MAX */
	size_t len;
	const int *fd;        /* goes with it; copied, the caller's as before. NULL: none */
	size_t size;          /* of the result, at most WIRE_DATA_MAX */
	uint64_t deadline_ns; /* boot time; UINT64_MAX: none */
	worker_ask_fn *ask;   /* NULL: it has nothing to ask */
	void *owner;
};

enum worker_state {
	WORKER_IDLE,
	WORKER_RUNNING,
	WORKER_DONE,
	WORKER_DIED, /* worker_why() */
	WORKER_TIMED_OUT,
};

struct worker;

/* Starts nothing. `program` must outlive it. -ENOMEM, -EMFILE. */
int worker_new(const struct worker_program *program, struct worker **ret) MUST_CHECK;
/* Kills it; NULL-safe. */
void worker_free(struct worker *w);

/* -EBUSY: it has one. -EINVAL, -E2BIG, -EMFILE. That no process can be had is an end of
 * the job (WORKER_DIED) in a worker_run(). */
int worker_start(struct worker *w, const struct worker_job *job) MUST_CHECK;
/* The job is forgotten, and its process killed. */
void worker_cancel(struct worker *w);

int worker_fd(const struct worker *w);          /* borrowed, the same for ever; level-triggered */
uint64_t worker_due_ns(const struct worker *w); /* boot time; 0: at once, UINT64_MAX: never */
enum worker_state worker_run(struct worker *w);
/* After WORKER_DONE, until the next job: `size` bytes, and what the worker returned. */
const void *worker_result(const struct worker *w, int *ret_r);
/* For people: why the latest process died, or why there is none; "" if none did. */
const char *worker_why(const struct worker *w);
pid_t worker_pid(const struct worker *w); /* 0: none is running */

static inline void worker_freep(struct worker **w)
{
	worker_free(*w);
}

#endif
