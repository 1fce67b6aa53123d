/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* In place of daemon/work.c: what is for a child runs here, when the loop turns next. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/work.h"
#include "unit/modules/modules_rig.h"

struct work_job {
	struct work *work;
	struct work_order order;
	char data[WORK_DATA_MAX];
	struct loop_timer *timer;
	struct work_job *next;
};

struct work {
	struct daemon *d;
	struct work_job *jobs;
};

static bool holding;
static struct work_job *held;

static void job_free(struct work_job *job)
{
	struct work_job **at = &job->work->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	loop_timer_free(job->timer);
	free(job);
}

static void run(void *data)
{
	struct work_job *job = data;
	struct work_order order = job->order;
	char input[WORK_DATA_MAX];
	void *result;
	int r;

	if (holding) {
		held = job;
		return;
	}
	result = calloc(1, order.size + 1);
	r = result ? 0 : -ENOMEM;
	memcpy(input, job->data, sizeof(input));
	job_free(job);
	if (!r)
		r = order.fn(input, result, order.size);
	order.done(order.owner, r, result);
	free(result);
}

void modules_work_hold(void)
{
	holding = true;
}

void modules_work_release(void)
{
	holding = false;
	loop_timer_set(held->timer, clock_boot_ns() + 1);
}

int work_new(struct daemon *d, struct work **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->d = d;
	holding = false;
	return 0;
}

void work_free(struct work *work)
{
	while (work && work->jobs)
		job_free(work->jobs);
	free(work);
}

int work_add(struct work *work, const struct work_order *order, struct work_job **ret)
{
	struct work_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	r = loop_timer_new(work->d->loop, run, job, &job->timer);
	if (r) {
		free(job);
		return r;
	}
	job->work = work;
	job->order = *order;
	memcpy(job->data, order->data, order->data_len);
	job->next = work->jobs;
	work->jobs = job;
	loop_timer_set(job->timer, clock_boot_ns());
	*ret = job;
	return 0;
}

void work_cancel(struct work_job *job)
{
	if (job)
		job_free(job);
}

void work_wait(struct work *work, uint64_t until_ns)
{
	(void)until_ns;
	while (work->jobs)
		run(work->jobs);
}
