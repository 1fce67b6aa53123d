/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* In place of daemon/work.c: what is for a child or a worker runs here, when the loop turns next;
 * but names stay until a test answers them (modules_work.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "daemon/work.h"
#include "io/findings_job.h"
#include "io/probe_job.h"
#include "io/resolver.h"
#include "unit/modules/modules_rig.h"
#include "unit/modules/modules_work.h"

#define QUESTIONS_MAX 64

struct work_job {
	struct work *work;
	struct work_order order;
	struct loop_timer *timer;
	struct work_job *next;
	char data[] __attribute__((aligned(16)));
};

struct work {
	struct daemon *d;
	struct work_job *jobs;
};

static struct {
	struct work_job *jobs[QUESTIONS_MAX]; /* of the questions; NULL: answered, or cancelled */
	char hosts[QUESTIONS_MAX][RESOLVER_HOST_MAX + 1];
	struct resolver_answer answers[QUESTIONS_MAX];
	int ends[QUESTIONS_MAX];
	size_t asked;
	int refuse;
} names;

static void names_forget(const struct work_job *job)
{
	for (size_t i = 0; i < names.asked; i++)
		if (names.jobs[i] == job)
			names.jobs[i] = NULL;
}

struct resolver_group fake_group;
struct fake_probe fake_probe;
struct fake_list fake_list;

static bool holding;
static struct work_job *held;

static void job_free(struct work_job *job)
{
	struct work_job **at = &job->work->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	names_forget(job);
	loop_timer_free(job->timer);
	free(job);
}

static void answer(void *data)
{
	struct work_job *job = data;
	struct work_order order = job->order;
	struct resolver_answer result = { 0 };
	int r = 0;

	for (size_t i = 0; i < names.asked; i++)
		if (names.jobs[i] == job) {
			result = names.answers[i];
			r = names.ends[i];
		}
	job_free(job);
	order.done(order.owner, r, r ? NULL : &result);
}

static bool is_name(const struct work_order *order)
{
	return !order->fn && order->op == WORKER_LOOK_UP;
}

/* In two pieces. */
static int list(const struct work_order *order)
{
	struct probe_verdict v = { 0 };
	const char *text = fake_list.text ? fake_list.text
					  : "{\"version\":\"\",\"why\":\"it has no tools\"}";
	size_t half = strlen(text) / 2;

	fake_list.asked++;
	if (!*text)
		return -EOWNERDEAD;
	order->ask(order->owner, PROBE_ASK_LIST, text, half, -1);
	order->ask(order->owner, PROBE_ASK_LIST, text + half, strlen(text) - half, -1);
	return order->ask(order->owner, PROBE_ASK_VERDICT, &v, sizeof(v), -1);
}

/* As a worker would, with two turns. */
static int probe(const struct work_order *order, const void *input)
{
	struct probe_verdict v = { .result = fake_probe.result };

	memcpy(&fake_probe.job, input, sizeof(fake_probe.job));
	fake_probe.asked++;
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		fake_probe.own = order->ask(order->owner, PROBE_ASK_OWN, NULL, 0, fd);
		close(fd);
	}
	if (fake_probe.r)
		return fake_probe.r;
	snprintf(v.why, sizeof(v.why), "%s", fake_probe.why);
	fake_probe.told =
		order->ask(order->owner, PROBE_ASK_VERDICT, &v, sizeof(v) - fake_probe.cut, -1);
	return 0;
}

static void run(void *data)
{
	struct work_job *job = data;
	struct work_order order = job->order;
	char input[WORK_DATA_MAX] __attribute__((aligned(16)));
	void *result;
	int r;

	if (holding) {
		held = job;
		return;
	}
	result = calloc(1, order.size + 1);
	r = result ? 0 : -ENOMEM;
	memcpy(input, job->data, order.data_len);
	if (!r && !order.fn && order.op == WORKER_GROUP)
		*(struct resolver_group *)result = fake_group;
	else if (!r && !order.fn && order.op == WORKER_FINDINGS)
		r = findings_job_do((struct findings_job *)input, *order.fd, result);
	else if (!r && !order.fn && ((struct probe_job *)input)->tools)
		r = list(&order);
	else if (!r && !order.fn)
		r = probe(&order, input);
	job_free(job);
	if (!r && order.fn)
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
	memset(&names, 0, sizeof(names));
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
	bool name = is_name(order);
	struct work_job *job;
	int r = name ? names.refuse : 0;

	if (name)
		names.refuse = 0;
	if (r || (name && names.asked == QUESTIONS_MAX))
		return r ? r : -ENOBUFS;
	job = calloc(1, sizeof(*job) + order->data_len);
	if (!job)
		return -ENOMEM;
	r = loop_timer_new(work->d->loop, name ? answer : run, job, &job->timer);
	if (r) {
		free(job);
		return r;
	}
	job->work = work;
	job->order = *order;
	memcpy(job->data, order->data, order->data_len);
	job->next = work->jobs;
	work->jobs = job;
	if (name) {
		snprintf(names.hosts[names.asked], sizeof(names.hosts[0]), "%.253s", job->data);
		names.jobs[names.asked++] = job;
	} else {
		loop_timer_set(job->timer, clock_boot_ns());
	}
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

const char *work_explain(const struct work *work, int r)
{
	(void)work;
	return r == -EOWNERDEAD ? "it was killed" : strerror(-r);
}

size_t fake_names_asked(void)
{
	return names.asked;
}

size_t fake_name_id(const char *host)
{
	for (size_t i = names.asked; i-- > 0;)
		if (!strcmp(names.hosts[i], host))
			return i + 1;
	return 0;
}

void fake_names_refuse(int r)
{
	names.refuse = r;
}

void fake_name_answer(size_t id, unsigned int first, uint32_t n, const char *error)
{
	struct resolver_answer *a = id ? &names.answers[id - 1] : NULL;

	if (!a || !names.jobs[id - 1])
		return;
	a->n = n;
	snprintf(a->error, sizeof(a->error), "%s", error ? error : "");
	for (size_t i = 0; i < n; i++) {
		a->addrs[i].bytes[10] = a->addrs[i].bytes[11] = 0xff;
		a->addrs[i].bytes[12] = 127;
		a->addrs[i].bytes[15] = (uint8_t)(first + i);
	}
	loop_timer_set(names.jobs[id - 1]->timer, clock_boot_ns());
}

void fake_name_end(size_t id, int r)
{
	names.ends[id - 1] = r;
	fake_name_answer(id, 0, 0, NULL);
}
