/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happened, kept on disk: every event but single calls, and each minute, of servers of which
 * it changed, the score and the state. Nothing that is enforced depends on it: what fails is said
 * in `degraded`, once in the log, and tried again every two seconds.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/parse.h"
#include "codec/messages.h"
#include "codec/messages_history.h"
#include "core/names.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/servers.h"
#include "daemon/settings.h"
#include "io/history.h"
#include "modules/modules.h"

#define SUB "history"
#define LINE_MAX_BYTES 8192
#define MINUTE_NS (60 * NS_PER_SEC)
#define HOUR_NS (60 * MINUTE_NS)
#define DAY_NS (24 * HOUR_NS)
#define RETRY_NS (2 * NS_PER_SEC)
#define SCORE_STEP 0.5 /* a score that moved by less is not told again within an hour */
#define SINCE_QUERY "since"

struct history_module {
	struct part part;
	struct history *db; /* NULL: it cannot be used, by error */
	struct history_limits limits;
	uint64_t retry_ns;
	uint64_t sampled_ns;
	uint64_t last; /* serial of the newest event that was there when it was opened */
	bool pruning;  /* there may be more to take away */
	bool pruned;
	char error[400];
};

/* What was told last of a server. */
struct sampled {
	uint64_t t_ns;
	double score;
	enum sg_state state;
	bool quarantined;
};

static void path_of(const struct history_module *m, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", m->part.d->settings->state_dir, HISTORY_FILE);
}

/* Goes on without; tells that once. */
static void fail(struct history_module *m, int r, const char *why)
{
	char path[320];
	char error[sizeof(m->error)];

	path_of(m, path, sizeof(path));
	snprintf(error, sizeof(error), "no history is kept in %.200s: %.120s; %s", path,
		 *why ? why : strerror(-r),
		 r == -EBADMSG ? "move it away, and a new one is begun" : "trying again");
	if (strcmp(error, m->error) != 0)
		log_error(SUB, "%s", error);
	snprintf(m->error, sizeof(m->error), "%s", error);
	history_close(TAKE_PTR(m->db));
	m->retry_ns = clock_boot_ns() + RETRY_NS;
}

static bool ready(struct history_module *m)
{
	char why[HISTORY_WHY_MAX] = "";
	char path[320];
	int r;

	if (m->db)
		return true;
	if (clock_boot_ns() < m->retry_ns)
		return false;
	path_of(m, path, sizeof(path));
	r = history_open(path, &m->limits, &m->db, why);
	if (!r) {
		r = history_newest(m->db, UINT64_MAX, &m->last);
		if (r)
			snprintf(why, sizeof(why), "%s", history_why(m->db));
	}
	if (r) {
		fail(m, r, why);
		return false;
	}
	if (m->error[0])
		log_notice(SUB, "history is kept again in %s", path);
	m->error[0] = '\0';
	bus_serial_above(m->part.d->bus, m->last);
	return true;
}

static void limit(struct history_module *m, uint32_t days, uint32_t megabytes)
{
	m->limits = (struct history_limits){ days * DAY_NS, (uint64_t)megabytes << 20 };
	m->pruning = true;
	m->pruned = false;
}

/* At once: what happens is to have serials above those on the disk. */
static int history_start(void *data)
{
	limit(data, CONFIG_HISTORY_DAYS, CONFIG_HISTORY_MEGABYTES);
	(void)ready(data);
	return 0;
}

/* --- what is kept ---------------------------------------------------------------------------- */

static int keep(struct history_module *m, const struct event *e)
{
	struct buf line = BUF(LINE_MAX_BYTES);
	struct history_event row = { .wall_ns = e->wall_ns,
				     .server = e->server,
				     .type = event_type_name(e->type),
				     .id = e->serial > m->last ? e->serial : 0 };
	int r = event_encode(e, URL_MASKED, &line);

	if (!r) {
		row.line = buf_str(&line);
		r = history_add_event(m->db, &row);
	}
	buf_done(&line);
	return r;
}

static bool is_news(const struct sampled *last, const struct sampled *now)
{
	return !last->t_ns || last->state != now->state || last->quarantined != now->quarantined ||
	       isnan(last->score) != isnan(now->score) ||
	       fabs(last->score - now->score) >= SCORE_STEP || now->t_ns - last->t_ns >= HOUR_NS;
}

static int sample(struct history_module *m, struct server *s, uint64_t now)
{
	struct sampled *last = module_server(m, s);
	struct status_server status;
	struct sampled fresh = { .t_ns = now, .quarantined = server_quarantined(s) };
	struct history_sample row;
	int r = 0;

	status_server_init(&status);
	MODULES_TRY(r, bus_modules(m->part.d->bus), fill_server, s, &status);
	fresh.score = status.has_trust ? status.trust.score : NAN;
	fresh.state = (enum sg_state)s->breaker.state;
	status_server_done(&status);
	if (r || !is_news(last, &fresh))
		return r;
	row = (struct history_sample){ clock_wall_ns(), s->config->name, fresh.score,
				       state_name(fresh.state), fresh.quarantined };
	*last = fresh;
	return history_add_sample(m->db, &row);
}

static int sample_all(struct history_module *m, uint64_t now)
{
	int r = 0;

	m->sampled_ns = now;
	for (struct server *s = servers_first(m->part.d->servers); s && !r; s = s->next)
		if (!s->covered_by)
			r = sample(m, s, now);
	m->pruning = true;
	m->pruned = false;
	return r;
}

/* What changes what a server's line of states shows is sampled when it happens. */
static bool is_turn(const struct event *e)
{
	return e->type == EVENT_TRANSITION || e->type == EVENT_QUARANTINE ||
	       e->type == EVENT_RELEASE;
}

static int keep_all(struct history_module *m, const struct event *events, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		struct server *s = servers_by_name(m->part.d->servers, events[i].server);

		if (events[i].type != EVENT_CALL)
			r = keep(m, &events[i]);
		if (!r && s && is_turn(&events[i]))
			r = sample(m, s, clock_boot_ns());
	}
	return r ? r : history_commit(m->db);
}

/* Where the file was taken away a new one is begun, and has what that one was to have. */
static void history_publish(void *data, const struct event *events, size_t n)
{
	struct history_module *m = data;
	int r = -ESTALE;

	for (int try = 0; try < 2 && r == -ESTALE && ready(m); try++) {
		r = keep_all(m, events, n);
		if (r)
			fail(m, r, history_why(m->db));
		if (r == -ESTALE)
			m->retry_ns = 0;
	}
}

/* Each minute, and while there is something to take away. */
static void history_signal(void *data, const struct signal *signal)
{
	struct history_module *m = data;
	uint64_t now = clock_boot_ns();
	int r = 0;

	if (signal->type != SIGNAL_TICK || !ready(m) ||
	    (now - m->sampled_ns < MINUTE_NS && !m->pruning))
		return;
	if (now - m->sampled_ns >= MINUTE_NS)
		r = sample_all(m, now);
	else
		r = history_prune(m->db, clock_wall_ns(), &m->pruned);
	m->pruning = m->pruning && !m->pruned;
	if (!r)
		r = history_commit(m->db);
	if (r)
		fail(m, r, history_why(m->db));
}

/* --- what is told of it ---------------------------------------------------------------------- */

static bool add_sample(void *data, const struct history_sample *s)
{
	struct reply_history *to = data;
	struct history_point *p;

	if (list_grow(&to->samples, to->n_samples, sizeof(*to->samples)))
		return false;
	p = &to->samples[to->n_samples++];
	*p = (struct history_point){ .wall_ns = s->wall_ns,
				     .score = s->score,
				     .quarantined = s->quarantined };
	snprintf(p->state, sizeof(p->state), "%s", s->state);
	return true;
}

static void on_history(void *data, struct http_request *q, struct server *s)
{
	struct history_module *m = data;
	const char *since = http_query(q, SINCE_QUERY);
	struct reply_history reply = { 0 };
	struct buf out = BUF(REPLY_MAX);
	uint64_t now = clock_wall_ns();
	uint64_t ns = 7 * DAY_NS;
	int r;

	if (since && parse_duration(since, &ns)) {
		reply_error(q, 400, "bad_request", "\"since\" is not a valid duration",
			    "90s, 10m, 2h, 1d");
		return;
	}
	if (!ready(m)) {
		reply_error(q, 503, "no_history", m->error, "");
		return;
	}
	snprintf(reply.server, sizeof(reply.server), "%s", s->config->name);
	reply.from_wall_ns = now > ns ? now - ns : 0;
	reply.to_wall_ns = now;
	r = history_samples(m->db, reply.server, reply.from_wall_ns, add_sample, &reply);
	if (!r)
		r = reply_history_encode(&reply, &out);
	reply_history_done(&reply);
	reply_document(q, REPLY_JSON, &out, r);
}

static int history_degraded(void *data, struct status *to)
{
	const struct history_module *m = data;

	return m->error[0] ? status_degrade(to, m->error) : 0;
}

/* Opened anew, for other limits. */
static void history_applied(void *data, const struct config *config)
{
	struct history_module *m = data;
	struct history_limits before = m->limits;

	limit(m, config->history_days, config->history_megabytes);
	if (before.age_ns != m->limits.age_ns || before.size_bytes != m->limits.size_bytes)
		history_close(TAKE_PTR(m->db));
}

static void history_stop(void *data)
{
	struct history_module *m = data;

	history_close(m->db);
}

static const struct api_route routes[] = {
	{ "GET", "v1/servers/*/history", API_READ, on_history },
	{ 0 },
};

const struct module history_module = {
	.name = SUB,
	.size = sizeof(struct history_module),
	.server_size = sizeof(struct sampled),
	.start = history_start,
	.stop = history_stop,
	.applied = history_applied,
	.on_signal = history_signal,
	.publish = history_publish,
	.degraded = history_degraded,
	.routes = routes,
};
