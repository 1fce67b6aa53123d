/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/work.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/settings.h"

struct work_job {
	struct work *work;
	struct work_job *next;
	struct work_order order;
	int fd; /* order.fd is this one, or NULL */
	uint8_t data[] __attribute__((aligned(16)));
};

struct work {
	struct daemon *d;
	struct work_job *first; /* the one that runs, if one does */
	struct child *child;
	struct loop_source *source; /* of child */
	struct worker *worker;      /* NULL: none was needed so far */
	struct loop_source *worker_source;
	bool busy; /* the worker has the first job */
	struct loop_timer *timer;
};

static void job_free(struct work_job *job)
{
	closep(&job->fd);
	free(job);
}

static bool runs(const struct work *work)
{
	return work->child || work->busy;
}

static void leave(struct work *work)
{
	if (work->busy)
		worker_cancel(work->worker);
	work->busy = false;
	loop_del(work->source);
	work->source = NULL;
	child_free(work->child);
	work->child = NULL;
}

static void take(struct work_job *job)
{
	struct work_job **at = &job->work->first;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
}

/* The callback may order and cancel others. */
static void end(struct work_job *job, int r, const void *result)
{
	take(job);
	job->order.done(job->order.owner, r, result);
	job_free(job);
}

static void step(void *data);

static uint64_t deadline(const struct work_order *o, uint64_t now)
{
	uint64_t at = o->run_ns < SG_FOREVER - now ? now + o->run_ns : SG_FOREVER;

	return o->by_ns < at ? o->by_ns : at;
}

static int begin_child(struct work *work, uint64_t now)
{
	const struct work_order *o = &work->first->order;
	int keep[DATAPLANE_FDS_MAX + WORK_KEEP_MAX];
	struct child_job job = { .name = o->name,
				 .fn = o->fn,
				 .data = work->first->data,
				 .size = o->size,
				 .deadline_ns = deadline(o, now),
				 .keep = keep };
	int r;

	job.n_keep = dataplane_child_fds(work->d->dp, keep, DATAPLANE_FDS_MAX);
	for (size_t i = 0; i < o->n_keep; i++)
		keep[job.n_keep++] = o->keep[i];
	r = child_start(&job, &work->child);
	if (!r)
		r = loop_add_fd(work->d->loop, child_fd(work->child), step, work, &work->source);
	if (r)
		leave(work);
	return r;
}

static int make_worker(struct work *work)
{
	int r;

	if (work->worker)
		return 0;
	r = worker_new(&work->d->settings->worker, &work->worker);
	if (r)
		return r;
	r = loop_add_fd(work->d->loop, worker_fd(work->worker), step, work, &work->worker_source);
	if (r) {
		worker_free(work->worker);
		work->worker = NULL;
	}
	return r;
}

static int begin_worker(struct work *work, uint64_t now)
{
	const struct work_order *o = &work->first->order;
	const struct worker_job job = { .op = o->op,
					.data = work->first->data,
					.len = o->data_len,
					.size = o->size,
					.fd = o->fd,
					.deadline_ns = deadline(o, now),
					.ask = o->ask,
					.owner = o->owner };
	int r = make_worker(work);

	if (!r)
		r = worker_start(work->worker, &job);
	work->busy = !r;
	return r;
}

/* Also lets an idle one go, or takes note of its end. */
static void finish_worker(struct work *work)
{
	enum worker_state state = worker_run(work->worker);
	const void *result = NULL;
	int r = state == WORKER_TIMED_OUT ? -ETIMEDOUT : -EOWNERDEAD;

	if (!work->busy || state == WORKER_RUNNING)
		return;
	if (state == WORKER_DONE)
		result = worker_result(work->worker, &r);
	work->busy = false;
	end(work->first, r, result);
}

/* Of the one that runs. The result lives in the child. */
static void finish_child(struct work *work)
{
	struct child *child = work->child;
	enum child_state state = child_run(child);
	const void *result = NULL;
	int r = state == CHILD_TIMED_OUT ? -ETIMEDOUT : -EOWNERDEAD;

	if (state == CHILD_RUNNING)
		return;
	if (state == CHILD_DONE)
		result = child_result(child, &r);
	loop_del(work->source);
	work->source = NULL;
	work->child = NULL;
	end(work->first, r, result);
	child_free(child);
}

/* Those that are over before their turn came. */
static void expire(struct work *work, uint64_t now)
{
	struct work_job *job = runs(work) ? work->first->next : work->first;

	while (job && job->order.by_ns > now)
		job = job->next;
	if (!job)
		return;
	end(job, -ETIMEDOUT, NULL);
	expire(work, now); /* the list may be another one now */
}

static void schedule(struct work *work)
{
	uint64_t due = work->child ? child_due_ns(work->child) : SG_FOREVER;

	if (work->worker && worker_due_ns(work->worker) < due)
		due = worker_due_ns(work->worker);
	if (work->first && !runs(work))
		due = 0;
	for (const struct work_job *job = work->first; job; job = job->next)
		if (!(runs(work) && job == work->first) && job->order.by_ns < due)
			due = job->order.by_ns;
	loop_timer_set(work->timer, due);
}

static void step(void *data)
{
	struct work *work = data;
	uint64_t now = clock_boot_ns();

	if (work->child)
		finish_child(work);
	if (work->worker)
		finish_worker(work);
	expire(work, now);
	if (!runs(work) && work->first) {
		int r = work->first->order.fn ? begin_child(work, now) : begin_worker(work, now);

		if (r)
			end(work->first, r, NULL);
	}
	schedule(work);
}

int work_new(struct daemon *d, struct work **ret)
{
	struct work *work = calloc(1, sizeof(*work));
	int r;

	if (!work)
		return -ENOMEM;
	work->d = d;
	r = loop_timer_new(d->loop, step, work, &work->timer);
	if (r)
		free(work);
	else
		*ret = work;
	return r;
}

void work_free(struct work *work)
{
	if (!work)
		return;
	leave(work);
	loop_del(work->worker_source);
	worker_free(work->worker);
	loop_timer_free(work->timer);
	while (work->first) {
		struct work_job *job = work->first;

		work->first = job->next;
		job_free(job);
	}
	free(work);
}

int work_add(struct work *work, const struct work_order *order, struct work_job **ret)
{
	struct work_job **at = &work->first;
	struct work_job *job;

	if (order->data_len > WORK_DATA_MAX || order->n_keep > WORK_KEEP_MAX ||
	    order->size > (order->fn ? CHILD_RESULT_MAX : WIRE_DATA_MAX))
		return -EINVAL;
	job = calloc(1, sizeof(*job) + order->data_len);
	if (!job)
		return -ENOMEM;
	job->work = work;
	job->order = *order;
	job->fd = order->fd ? fcntl(*order->fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (order->fd && job->fd < 0) {
		int r = -errno;

		job_free(job);
		return r;
	}
	job->order.fd = order->fd ? &job->fd : NULL;
	memcpy(job->data, order->data, order->data_len);
	while (*at)
		at = &(*at)->next;
	*at = job;
	schedule(work);
	*ret = job;
	return 0;
}

void work_cancel(struct work_job *job)
{
	struct work *work;

	if (!job)
		return;
	work = job->work;
	if (runs(work) && work->first == job)
		leave(work);
	take(job);
	job_free(job);
	schedule(work);
}

static int wait_ms(const struct work *work, uint64_t now, uint64_t until_ns)
{
	uint64_t due = work->busy ? worker_due_ns(work->worker) : runs(work) ? until_ns : 0;

	due = due < until_ns ? due : until_ns;
	return due > now ? (int)((due - now) / NS_PER_MS) + 1 : 0;
}

void work_wait(struct work *work, uint64_t until_ns)
{
	uint64_t now;

	step(work);
	while (work->first && (now = clock_boot_ns()) < until_ns) {
		struct pollfd p = { .events = POLLIN };

		p.fd = work->child  ? child_fd(work->child)
		       : work->busy ? worker_fd(work->worker)
				    : -1;
		poll(&p, 1, wait_ms(work, now, until_ns));
		step(work);
	}
}

const char *work_explain(const struct work *work, int r)
{
	bool tells = r == -EOWNERDEAD && work->worker && *worker_why(work->worker);

	return tells ? worker_why(work->worker) : strerror(-r);
}
