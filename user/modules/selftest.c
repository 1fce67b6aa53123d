/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the self-test (dataplane/canary.h) runs, and who is told of it. It runs in a child; the
 * one at the start is waited for, since nothing depends on the loop yet.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "daemon/work.h"
#include "dataplane/canary.h"
#include "modules/modules.h"

#define SUB "selftest"
#define EVERY_NS (60 * NS_PER_SEC)
#define AT_START_NS (CANARY_RUN_NS + 2 * CHILD_GRACE_NS)
#define ASKERS_MAX 32

struct selftest {
	struct part part;
	struct canary *canary;
	struct work *work;
	struct work_job *job;                     /* the test that runs; NULL: none does */
	struct loop_timer *next;                  /* begins a test */
	char shown[CANARY_TEXT_LEN];              /* "ok", or what failed; "" before the first */
	struct http_deferred *askers[ASKERS_MAX]; /* who wait for the one that runs */
	size_t n_askers;
};

/* --- who asked ----------------------------------------------------------------------------- */

static void tell(struct selftest *t, const struct reply_selftest *result)
{
	struct buf out = BUF(4096);
	int r;

	r = reply_selftest_encode(result, &out);
	for (size_t i = 0; i < t->n_askers; i++)
		reply_deferred(t->askers[i], 200, &out, r);
	t->n_askers = 0;
	buf_done(&out);
}

/* --- a test ---------------------------------------------------------------------------------- */

static void report(struct selftest *t, const struct reply_selftest *result)
{
	struct event e;

	bus_event(&e, EVENT_SELFTEST, "");
	e.ok = result->ok;
	snprintf(e.text, sizeof(e.text), "%s", result->detail);
	if (!result->ok)
		log_error(SUB, "%s", result->detail);
	bus_report(t->part.d->bus, &e);
}

/* outcome NULL: it told nothing, and r is why. */
static void on_tested(void *owner, int r, const void *outcome)
{
	struct selftest *t = owner;
	const struct canary_result *found = canary_end(t->canary, r, outcome);
	struct reply_selftest result = { .ok = found->ok, .elapsed_ns = found->elapsed_ns };
	bool first = !t->shown[0];
	bool was_ok = !strcmp(t->shown, "ok");

	t->job = NULL;
	snprintf(result.detail, sizeof(result.detail), "%s", found->text);
	snprintf(t->shown, sizeof(t->shown), "%s", result.ok ? "ok" : result.detail);
	if (result.ok != was_ok || first)
		report(t, &result);
	tell(t, &result); /* is sent after the pass below at the latest */
	loop_timer_set(t->next, clock_boot_ns() + EVERY_NS);
	bus_pass(t->part.d->bus);
}

static void begin(void *data)
{
	struct selftest *t = data;
	const struct work_order order = { .name = "switchgear-test",
					  .fn = canary_order_run,
					  .data = &t->canary,
					  .data_len = sizeof(t->canary),
					  .size = sizeof(struct canary_outcome),
					  .keep = canary_fds(t->canary),
					  .n_keep = CANARY_FDS,
					  .run_ns = CANARY_RUN_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_tested,
					  .owner = t };
	int r;

	if (t->job)
		return;
	canary_begin(t->canary);
	r = work_add(t->work, &order, &t->job);
	if (r)
		on_tested(t, r, NULL);
}

static void on_request(void *m, struct http_request *q, UNUSED struct server *s)
{
	struct selftest *t = m;
	struct http_deferred *asker = t->n_askers < ASKERS_MAX ? http_defer(q) : NULL;

	if (!asker) {
		reply_error(q, 503, "busy", "too many wait for the self-test", "try again");
		return;
	}
	t->askers[t->n_askers++] = asker;
	begin(t);
}

/* --- life ----------------------------------------------------------------------------------------- */

static int selftest_start(void *m)
{
	struct selftest *t = m;
	struct daemon *d = t->part.d;
	int r = canary_new(d->dp, d->settings->cgroup, &t->canary);

	if (!r)
		r = work_new(d, &t->work);
	return r ? r : loop_timer_new(d->loop, begin, t, &t->next);
}

/* With the first configuration: whoever is told "ready" can rely on what is shown then. */
static void selftest_signal(void *m, const struct signal *signal)
{
	struct selftest *t = m;

	if (signal->type != SIGNAL_APPLIED || t->shown[0])
		return;
	begin(t);
	work_wait(t->work, clock_boot_ns() + AT_START_NS);
}

static void selftest_stop(void *m)
{
	struct selftest *t = m;

	for (size_t i = 0; i < t->n_askers; i++)
		reply_stopping(t->askers[i], "the daemon stops before the self-test has ended",
			       "start it again");
	work_free(t->work);
	canary_free(t->canary);
}

static int selftest_fill(void *m, struct status *to)
{
	const struct selftest *t = m;

	snprintf(to->selftest, sizeof(to->selftest), "%s", t->shown);
	return 0;
}

static int selftest_degraded(void *m, struct status *to)
{
	const struct selftest *t = m;
	char line[CANARY_TEXT_LEN + 16];

	if (!strcmp(t->shown, "ok"))
		return 0;
	snprintf(line, sizeof(line), "self-test: %s", t->shown);
	return status_degrade(to, line);
}

static void selftest_metrics(void *m, struct metrics *to)
{
	const struct selftest *t = m;

	metrics_family(to, "switchgear_selftest_ok", METRICS_GAUGE,
		       "1: the canary was refused at the latest self-test.");
	metrics_u64(to, NULL, 0, !strcmp(t->shown, "ok"));
}

static const struct api_route routes[] = {
	{ "POST", "v1/selftest", API_CHANGE, on_request },
	{ 0 },
};

const struct module selftest_module = {
	.name = SUB,
	.size = sizeof(struct selftest),
	.start = selftest_start,
	.stop = selftest_stop,
	.on_signal = selftest_signal,
	.fill_status = selftest_fill,
	.degraded = selftest_degraded,
	.write_metrics = selftest_metrics,
	.routes = routes,
};
