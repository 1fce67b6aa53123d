/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the self-test (dataplane/canary.h) runs, and who is told of it. It goes on in the
 * loop; the one at the start is waited for, since nothing depends on the loop yet.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "dataplane/canary.h"
#include "modules/modules.h"

#define SUB "selftest"
#define EVERY_NS (60 * NS_PER_SEC)
#define ASKERS_MAX 32

struct selftest {
	struct part part;
	struct canary *canary;
	struct loop_timer *next;                  /* begins a test */
	struct loop_timer *due;                   /* of the one that runs */
	char shown[CANARY_TEXT_LEN];              /* "ok", or what failed; "" before the first */
	struct http_deferred *askers[ASKERS_MAX]; /* who wait for the one that runs */
	size_t n_askers;
};

/* --- who asked ----------------------------------------------------------------------------- */

/* result NULL: the daemon ends before the test has. */
static void tell(struct selftest *t, const struct reply_selftest *result)
{
	struct buf out;
	int r;

	buf_init(&out, 4096);
	if (result)
		r = reply_selftest_encode(result, &out);
	else
		r = reply_error_encode("stopping",
				       "the daemon stops before the self-test has ended",
				       "start it again", &out);
	if (!r)
		r = buf_error(&out);
	for (size_t i = 0; i < t->n_askers; i++)
		http_reply_deferred(t->askers[i],
				    r        ? 500
				    : result ? 200
					     : 503,
				    REPLY_JSON, r ? "" : buf_str(&out), r ? 0 : out.len);
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

static void conclude(struct selftest *t)
{
	const struct canary_result *found = canary_result(t->canary);
	struct reply_selftest result = { .ok = found->ok, .elapsed_ns = found->elapsed_ns };
	bool first = !t->shown[0];
	bool was_ok = !strcmp(t->shown, "ok");

	snprintf(result.detail, sizeof(result.detail), "%s", found->text);
	snprintf(t->shown, sizeof(t->shown), "%s", result.ok ? "ok" : result.detail);
	if (result.ok != was_ok || first)
		report(t, &result);
	tell(t, &result); /* is sent after the pass below at the latest */
	loop_timer_set(t->next, clock_boot_ns() + EVERY_NS);
	bus_pass(t->part.d->bus);
}

static void proceed(struct selftest *t)
{
	loop_timer_set(t->due, canary_due_ns(t->canary));
	if (!canary_running(t->canary))
		conclude(t);
}

static void on_due(void *data)
{
	struct selftest *t = data;

	if (!canary_running(t->canary))
		return;
	canary_step(t->canary);
	proceed(t);
}

static void on_canary(void *data, uint32_t ready)
{
	(void)ready;
	on_due(data);
}

static void begin(void *data)
{
	struct selftest *t = data;

	if (canary_running(t->canary))
		return;
	canary_start(t->canary);
	proceed(t);
}

static void on_request(void *m, struct http_request *q, struct server *s)
{
	struct selftest *t = m;
	struct http_deferred *asker = t->n_askers < ASKERS_MAX ? http_defer(q) : NULL;

	(void)s;
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
	struct loop *loop = t->part.d->loop;
	struct loop_source *source;
	int r = canary_new(t->part.d->dp, t->part.d->settings->cgroup, &t->canary);

	if (!r)
		r = loop_timer_new(loop, on_due, t, &t->due);
	if (!r)
		r = loop_timer_new(loop, begin, t, &t->next);
	if (!r)
		r = loop_add_fd(loop, canary_fd(t->canary), EPOLLIN, on_canary, t, &source);
	return r;
}

/* With the first configuration: whoever is told "ready" can rely on what is shown then. */
static void selftest_signal(void *m, const struct signal *signal)
{
	struct selftest *t = m;

	if (signal->type != SIGNAL_APPLIED || t->shown[0])
		return;
	(void)canary_wait(t->canary);
	proceed(t);
}

static void selftest_stop(void *m)
{
	struct selftest *t = m;

	tell(t, NULL);
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
