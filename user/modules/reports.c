/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What scanners wrote: it comes by the API or lies in a directory, is read by a worker
 * (io/findings_job.h), and goes to whoever counts it (SIGNAL_FINDINGS). A file is taken whole or
 * not at all. Of files in the directory is remembered which were taken, over restarts, too.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/messages_trust.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/servers.h"
#include "daemon/settings.h"
#include "daemon/work.h"
#include "io/findings_job.h"
#include "io/inbox.h"
#include "io/store.h"
#include "modules/modules.h"

#define SUB "reports"
#define SEEN_FILE "reports.seen"
#define LOOK_NS (5 * NS_PER_SEC)
#define READ_NS (20 * NS_PER_SEC)   /* a report may take so long */
#define ANSWER_NS (12 * NS_PER_SEC) /* before who sent it gives up (http.h, H4) */
#define SERVER_QUERY "server"
#define FORMAT_QUERY "format"
#define FILE_QUERY "file"

struct reports {
	struct part part;
	struct work *work;
	struct report *first; /* that are being read */
	struct loop_timer *due;
	struct store *store; /* NULL: what was taken is not remembered */
	struct inbox inbox;
	bool busy;       /* one of the directory is being read */
	char error[320]; /* what is wrong with the directory; "" */
};

/* A report on its way. */
struct report {
	struct reports *m;
	struct report *next;
	struct findings_job job;
	struct work_job *work;
	struct http_deferred *asker; /* NULL: it lay in the directory */
	int fd;
	char who[STATUS_BY_LEN];
};

static void report_free(struct report *r)
{
	struct report **at = &r->m->first;

	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
	closep(&r->fd);
	free(r);
}

/* --- what came of one ---------------------------------------------------------------------------- */

static void tell(const struct report *r, const struct reply_report *reply)
{
	for (size_t i = 0; i < reply->n_servers; i++) {
		const struct report_server *s = &reply->servers[i];

		log_notice(SUB,
			   "%s: %u finding%s (%u known)%s reported by %s: score %.1f, was %.1f",
			   s->server, s->findings, s->findings == 1 ? "" : "s", s->known,
			   s->clean ? ", scanned clean" : "", r->who, s->after, s->before);
	}
	for (size_t i = 0; i < reply->n_unmatched; i++)
		log_warning(SUB, "a report of %s is of no server here: %.200s", r->who,
			    reply->unmatched[i].server);
}

/* By the first line of the message: the other mistakes of a file are told of one by one. */
static void refuse(struct report *r, unsigned int status, const char *code, const char *message,
		   const char *hint)
{
	struct buf out = BUF(FINDINGS_WHY_MAX + 1024);
	char line[FINDINGS_WHY_MAX];
	int e;

	snprintf(line, sizeof(line), "%.*s", (int)strcspn(message, "\n"), message);
	if (!r->asker)
		log_error(SUB, "%s: %s; %s", r->who, line, hint);
	e = reply_error_encode(code, line, hint, &out);
	reply_deferred(r->asker, status, &out, e);
	buf_done(&out);
}

/* Hands it to whoever counts it, which is done when the pass is over. */
static int hand_over(struct reports *m, struct findings *all, struct reply_report *reply)
{
	struct findings_signal what = { .all = all, .reply = reply, .r = -ENOENT };

	bus_emit(m->part.d->bus, &(struct signal){ .type = SIGNAL_FINDINGS, .findings = &what });
	bus_pass(m->part.d->bus);
	return what.r;
}

static void look(void *data);

static void on_read(void *owner, int r, const void *result)
{
	struct report *report = owner;
	struct reports *m = report->m;
	struct reply_report reply = { 0 };
	struct findings all = { 0 };
	struct buf errors = BUF(FINDINGS_WHY_MAX);
	struct buf out = BUF(REPLY_MAX);
	bool dropped = !report->asker;

	if (!r && result)
		r = findings_job_take(&report->job, report->fd, result, &all, &errors);
	reply.format = all.format;
	reply.passed_over = all.n_passed_over;
	if (!r)
		r = hand_over(m, &all, &reply);
	if (r == -EINVAL && errors.len)
		refuse(report, 400, "bad_report", buf_str(&errors), "nothing of it was taken");
	else if (r)
		refuse(report, 503, "not_read", work_explain(m->work, r),
		       "nothing of it was taken; report it again");
	else
		reply_deferred(report->asker, 200, &out, reply_report_encode(&reply, &out));
	if (!r)
		tell(report, &reply);
	buf_done(&out);
	buf_done(&errors);
	findings_done(&all);
	reply_report_done(&reply);
	report_free(report);
	if (dropped) {
		m->busy = false;
		look(m); /* for the next one */
	}
}

/* Takes the text over into memory of its own; on success the report is on its way. */
static int begin(struct report *r, const char *text, size_t len)
{
	const struct work_order order = { .name = "sg-findings",
					  .op = WORKER_FINDINGS,
					  .fd = &r->fd,
					  .data = &r->job,
					  .data_len = sizeof(r->job),
					  .size = sizeof(struct findings_done),
					  .run_ns = READ_NS,
					  .by_ns = clock_boot_ns() + ANSWER_NS,
					  .done = on_read,
					  .owner = r };
	int e;

	r->job.len = (uint32_t)len;
	r->fd = findings_job_open(text, len);
	e = r->fd < 0 ? r->fd : work_add(r->m->work, &order, &r->work);
	if (e)
		return e;
	r->next = r->m->first;
	r->m->first = r;
	return 0;
}

static struct report *report_new(struct reports *m)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->m = m;
	r->fd = -1;
	return r;
}

/* --- by the API ------------------------------------------------------------------------------------ */

/* What the query says of it; false after an answer. */
static bool read_query(struct http_request *q, struct report *r)
{
	const char *format = http_query(q, FORMAT_QUERY);
	const char *server = http_query(q, SERVER_QUERY);
	const char *file = http_query(q, FILE_QUERY);
	int kind = format ? findings_format_from_name(format) : FINDINGS_AUTO;

	if (kind < 0) {
		reply_error(q, 400, "bad_format", "this format is not known",
			    "auto, native, sarif, snyk, cisco, mcpspy or guardian");
		return false;
	}
	if (server && !servers_by_name(r->m->part.d->servers, server)) {
		reply_error(q, 404, "not_found", "there is no server of that name",
			    "`switchgear status` lists them");
		return false;
	}
	r->job.format = (uint32_t)kind;
	snprintf(r->job.server, sizeof(r->job.server), "%s", server ? server : "");
	snprintf(r->job.file, sizeof(r->job.file), "%s", file && *file ? file : "report");
	return true;
}

static void on_report(void *data, struct http_request *q, UNUSED struct server *s)
{
	struct report *r = report_new(data);
	int e;

	if (!r) {
		reply_failure(q, -ENOMEM, "");
		return;
	}
	if (!read_query(q, r)) {
		report_free(r);
		return;
	}
	reply_who(q, r->who, sizeof(r->who));
	e = begin(r, q->body, q->body_len);
	if (!e)
		r->asker = http_defer(q);
	if (!e && r->asker)
		return;
	if (!e)
		work_cancel(r->work);
	reply_failure(q, e ? e : -ENOMEM, "");
	report_free(r);
}

/* --- in the directory -------------------------------------------------------------------------------- */

static void seen_load(struct reports *m)
{
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	size_t n;

	if (m->store || store_open_beside(m->part.d->settings->state_dir, &m->store) ||
	    store_read(m->store, SEEN_FILE, INBOX_FILES_MAX * sizeof(uint64_t), &text, &len))
		return;
	n = len / sizeof(uint64_t);
	m->inbox.seen = n ? malloc(n * sizeof(uint64_t)) : NULL;
	if (!m->inbox.seen)
		return;
	memcpy(m->inbox.seen, text, n * sizeof(uint64_t));
	m->inbox.n_seen = n;
}

/* Before it is read: one that kills the daemon is not read at each start. */
static void seen_save(struct reports *m)
{
	if (m->store &&
	    store_write(m->store, SEEN_FILE, m->inbox.seen, m->inbox.n_seen * sizeof(uint64_t)))
		store_close(TAKE_PTR(m->store)); /* it has said why */
}

static void take(struct reports *m, const char *name, const char *text, size_t len)
{
	struct report *r = report_new(m);
	int e = r ? 0 : -ENOMEM;

	if (r) {
		snprintf(r->job.file, sizeof(r->job.file), "%s", name);
		snprintf(r->who, sizeof(r->who), "the file %.100s", name);
		e = begin(r, text, len);
	}
	m->busy = !e;
	if (!e)
		return;
	log_failure(e, SUB, "cannot read the report %s; report it by hand", name);
	if (r)
		report_free(r);
}

static void complain(struct reports *m, int r, const char *dir, const char *name)
{
	char error[sizeof(m->error)] = "";

	if (r == -EPERM)
		snprintf(error, sizeof(error),
			 "reports in %.150s are not read: others than root may write there; "
			 "take that right away",
			 dir);
	else if (r == -EFBIG || r == -ENOMEM)
		log_error(SUB, "the report %s/%s cannot be read: %s; report it by hand", dir,
			  name ? name : "?", strerror(-r));
	else if (r)
		snprintf(error, sizeof(error), "reports in %.150s are not read: %s", dir,
			 strerror(-r));
	if (*error && strcmp(error, m->error) != 0)
		log_error(SUB, "%s", error);
	snprintf(m->error, sizeof(m->error), "%s", error);
}

static void look(void *data)
{
	struct reports *m = data;
	const char *dir = m->part.d->settings->findings_dir;
	CLEANUP(freep) char *name = NULL;
	CLEANUP(freep) char *text = NULL;
	size_t len = 0;
	int r;

	if (!dir || m->busy)
		return;
	loop_timer_set(m->due, clock_boot_ns() + LOOK_NS);
	seen_load(m);
	r = inbox_take(&m->inbox, dir, FINDINGS_SIZE_MAX, clock_wall_ns(), &name, &text, &len);
	complain(m, r, dir, name);
	if (!name)
		return;
	seen_save(m);
	if (text)
		take(m, name, text, len);
}

/* --- life ------------------------------------------------------------------------------------------- */

static int reports_start(void *data)
{
	struct reports *m = data;
	int r = work_new(m->part.d, &m->work);

	return r ? r : loop_timer_new(m->part.d->loop, look, m, &m->due);
}

static void reports_applied(void *data, UNUSED const struct config *config)
{
	struct reports *m = data;

	if (m->part.d->settings->findings_dir)
		loop_timer_set(m->due, clock_boot_ns());
}

static void reports_stop(void *data)
{
	struct reports *m = data;

	work_free(m->work);
	while (m->first) {
		reply_stopping(m->first->asker, "the daemon stops before it has read the report",
			       "report it again");
		report_free(m->first);
	}
	store_close(m->store);
	inbox_done(&m->inbox);
}

static int reports_degraded(void *data, struct status *to)
{
	const struct reports *m = data;

	return m->error[0] ? status_degrade(to, m->error) : 0;
}

static const struct api_route routes[] = {
	{ "POST", "v1/findings", API_REPORT, on_report },
	{ 0 },
};

const struct module reports_module = {
	.name = SUB,
	.size = sizeof(struct reports),
	.start = reports_start,
	.stop = reports_stop,
	.applied = reports_applied,
	.degraded = reports_degraded,
	.routes = routes,
};
