/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What takes long, for modules: functions in forked children (io/child.h) that have the data
 * plane's descriptors, and jobs of workers (io/worker.h), which have nothing of the daemon's.
 * Those of one line of work run one after the other, in their order.
 *
 * Invariants:
 *  W1  Callbacks come from the loop only, once for each job that is not cancelled; never
 *      from work_add() or work_cancel().
 *  W2  A job that cannot be begun, dies, or is late ends with an error and no result.
 */
#ifndef SWITCHGEAR_DAEMON_WORK_H
#define SWITCHGEAR_DAEMON_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "daemon/daemon.h"
#include "io/child.h"
#include "io/worker.h"

#define WORK_DATA_MAX WIRE_DATA_MAX
#define WORK_KEEP_MAX 4U

struct work;
struct work_job;

/* r: what function or worker returned, or -EOWNERDEAD (it died), -ETIMEDOUT, or why it could not be begun;
 * result: of the size that was ordered; NULL: none. The job is no more. */
typedef void work_done_fn(void *owner, int r, const void *result);

struct work_order {
	const char *name;   /* of the child, for people */
	child_fn *fn;       /* NULL: it is the job of a worker, */
	enum worker_op op;  /* of this kind, */
	const int *fd;      /* that gets this; copied, the caller's as before. NULL: nothing */
	worker_ask_fn *ask; /* that may ask; must neither add nor cancel work; NULL: nothing */
	const void *data; /* copied; what it points to is the child's copy at the time of its start */
	size_t data_len; /* at most WORK_DATA_MAX */
	size_t size;     /* of the result */
	const int *keep; /* descriptors that fn needs beside the data plane's; borrowed */
	size_t n_keep;   /* at most WORK_KEEP_MAX */
	uint64_t run_ns; /* how long it may run */
	uint64_t by_ns;  /* when it is over in any case, boot time; SG_FOREVER: never */
	work_done_fn *done;
	void *owner; /* of done and ask */
};

int work_new(struct daemon *d, struct work **ret) MUST_CHECK;
/* Kills what runs, drops what waits, calls nobody; NULL-safe. Before the loop goes. */
void work_free(struct work *work);

/* -EINVAL, -ENOMEM, -EMFILE. */
int work_add(struct work *work, const struct work_order *order, struct work_job **ret) MUST_CHECK;
/* Its callback is not called any more; if it runs it is killed. NULL-safe. */
void work_cancel(struct work_job *job);
/* Runs the jobs from here until there is none, or the time is over: before the loop does. */
void work_wait(struct work *work, uint64_t until_ns);
/* For people: why a job of this line ended with r, from its callback; of a worker that died, or
 * that there is none, by what became of it. */
const char *work_explain(const struct work *work, int r);

#endif
