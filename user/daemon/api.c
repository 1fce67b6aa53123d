/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP API on the Unix socket, and the metrics on TCP. Reading is for every
 * local user unless configured otherwise, changing for root or the group.
 */
#include <errno.h>
#include <grp.h>
#include <string.h>

#include "base/parse.h"
#include "daemon/app.h"
#include "io/notify.h"

#define SUB "api"
#define JSON "application/json"
#define LINES "application/x-ndjson"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define REPLY_MAX (16U << 20)

/* --- replies --------------------------------------------------------------------------- */

static void reply_error(struct http_request *q, unsigned int status, const char *code,
			const char *message, const char *hint)
{
	struct buf out;

	buf_init(&out, 4096);
	if (!reply_error_encode(code, message, hint, &out))
		http_reply(q, status, JSON, out.data, out.len);
	buf_done(&out);
}

/* Sends a document that `r` says was written well, and frees it. */
static void reply_buf(struct http_request *q, const char *type, struct buf *out, int r)
{
	if (!r)
		r = buf_error(out);
	if (r)
		reply_error(q, 500, "internal", strerror(-r), "see the daemon's log");
	else
		http_reply(q, 200, type, buf_str(out), out->len);
	buf_done(out);
}

static void reply_failure(struct http_request *q, int r, const char *why)
{
	reply_error(q, 500, "failed", why[0] ? why : strerror(-r), "see the daemon's log");
}

/* --- who may ------------------------------------------------------------------------------ */

static bool may_change(const struct app *app, const struct http_request *q)
{
	return q->local &&
	       (!q->uid || (app->has_api_group && http_peer_in_group(q, app->api_group)));
}

static bool may_read(const struct app *app, const struct http_request *q)
{
	return !app->config->api_read_group || may_change(app, q);
}

/* Who asked, for the record; a number, since looking a name up may wait (A3). */
static void who(const struct http_request *q, char *to, size_t size)
{
	if (!q->uid)
		snprintf(to, size, "root");
	else
		snprintf(to, size, "uid %u", (unsigned int)q->uid);
}

/* --- one server --------------------------------------------------------------------------- */

static struct app_server *find_server(struct app *app, struct http_request *q)
{
	struct app_server *s = app_server_by_name(app, q->segment[2]);
	const char **names;
	const char *near;
	char message[256];
	char hint[160] = "\"switchgear status\" lists the servers";

	if (s)
		return s->covered_by ? s->covered_by : s;
	names = calloc(app->servers_n + 1, sizeof(*names));
	if (names) {
		for (size_t i = 0; i < app->servers_n; i++)
			names[i] = app->servers[i]->config->name;
		near = nearest_word(q->segment[2], names);
		if (near)
			snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
		free(names);
	}
	snprintf(message, sizeof(message), "there is no server \"%.128s\"", q->segment[2]);
	reply_error(q, 404, "not_found", message, hint);
	return NULL;
}

static void show(struct app *app, struct http_request *q)
{
	struct app_server *s = app_server_by_name(app, q->segment[2]);
	struct status_server status;
	struct buf out;
	int r;

	if (!s) {
		(void)find_server(app, q);
		return;
	}
	buf_init(&out, REPLY_MAX);
	r = app_status_server(app, s, &status);
	if (!r)
		r = status_server_encode(&status, &out);
	status_server_done(&status);
	reply_buf(q, JSON, &out, r);
}

static void reply_state(struct app_server *s, struct http_request *q)
{
	struct reply_state state = { .state = SG_CLOSED };
	struct buf out;
	int r = app_server_read(s);

	buf_init(&out, 1024);
	snprintf(state.server, sizeof(state.server), "%s", s->config->name);
	state.state = sg_breaker_shown(&s->breaker);
	if (!r)
		r = reply_state_encode(&state, &out);
	reply_buf(q, JSON, &out, r);
}

static void quarantine(struct app_server *s, struct http_request *q, const struct request *order,
		       const char *by)
{
	struct reply_kill kill;
	char why[384] = "";
	struct buf out;
	int r = app_quarantine(s, order, by, &kill, why, sizeof(why));

	app_flush(s->app);
	if (r) {
		reply_failure(q, r, why);
		return;
	}
	if (why[0])
		log_warning(SUB, "%s", why);
	buf_init(&out, 1024);
	r = reply_kill_encode(&kill, &out);
	reply_buf(q, JSON, &out, r);
}

static void order(struct app *app, struct http_request *q, int verb)
{
	struct app_server *s = find_server(app, q);
	struct request request;
	char why[256] = "";
	char by[STATUS_BY_LEN];
	int r;

	if (!s)
		return;
	if (!s->id) {
		reply_error(q, 409, "not_watched",
			    "this server has no URL (stdio): the kernel sees nothing of it",
			    "stop the program that runs it");
		return;
	}
	r = request_decode((enum request_verb)verb, q->body, q->body_len, &request, why,
			   sizeof(why));
	if (r) {
		reply_error(q, 400, "bad_request", why, "");
		return;
	}
	who(q, by, sizeof(by));
	if (verb == REQUEST_QUARANTINE) {
		quarantine(s, q, &request, by);
		return;
	}
	r = verb == REQUEST_RELEASE ? app_release(s, by) : app_order(s, &request);
	app_events_read(app); /* the order's own transition, before the answer */
	if (r)
		reply_failure(q, r, why);
	else
		reply_state(s, q);
}

/* --- status, metrics, self-test ------------------------------------------------------------ */

static void status(struct app *app, struct http_request *q)
{
	struct status s;
	struct buf out;
	int r;

	buf_init(&out, REPLY_MAX);
	r = app_status(app, &s);
	if (!r)
		r = status_encode(&s, &out);
	status_done(&s);
	reply_buf(q, JSON, &out, r);
}

static void metrics(struct app *app, struct http_request *q)
{
	struct buf out;

	buf_init(&out, REPLY_MAX);
	reply_buf(q, METRICS_TYPE, &out, app_metrics(app, &out));
}

static void selftest(struct app *app, struct http_request *q)
{
	struct reply_selftest result;
	struct buf out;

	app_selftest(app, &result);
	buf_init(&out, 1024);
	reply_buf(q, JSON, &out, reply_selftest_encode(&result, &out));
}

static void detach(struct app *app, struct http_request *q)
{
	static const char done[] = "{\"detached\":true}";
	int r = dataplane_detach(app->dp);

	if (r) {
		reply_failure(q, r, "not every pin could be removed");
		return;
	}
	log_notice(SUB, "detached: nothing is enforced any more; exiting");
	app->detach = true;
	http_reply(q, 200, JSON, done, sizeof(done) - 1);
	loop_stop(app->loop, 0);
}

/* --- events ------------------------------------------------------------------------------------ */

static bool follows(const struct app_follower *f, const struct event *e)
{
	return (e->type != EVENT_CALL || f->calls) &&
	       (!f->server[0] || !strcmp(f->server, e->server));
}

static void on_loss(void *data, uint64_t lost, struct buf *line)
{
	struct event e;

	(void)data;
	app_event_init(&e, EVENT_LOSS, "");
	e.count = lost;
	if (!event_encode(&e, line))
		buf_putc(line, '\n');
}

static void on_gone(void *data)
{
	struct app_follower *f = data;

	f->stream = NULL;
}

static const struct http_stream_ops stream_ops = { .loss = on_loss, .gone = on_gone };

static void push(struct app_follower *f, const struct event *e)
{
	struct buf line;

	buf_init(&line, 8192);
	if (!event_encode(e, &line)) {
		buf_putc(&line, '\n');
		http_stream_push(f->stream, line.data, line.len);
	}
	buf_done(&line);
}

void app_follow_push(struct app *app, const struct event *e)
{
	for (size_t i = 0; i < APP_FOLLOWERS_MAX; i++)
		if (app->followers[i].stream && follows(&app->followers[i], e))
			push(&app->followers[i], e);
}

/* Oldest first, both histories merged by time. */
static void replay(struct app *app, struct buf *out, const struct app_follower *f, uint64_t from_ns)
{
	struct app_history *h[] = { &app->events, &app->calls };
	uint64_t at[2];

	for (size_t i = 0; i < 2; i++)
		at[i] = h[i]->next > h[i]->size ? h[i]->next - h[i]->size : 0;
	while (at[0] < h[0]->next || at[1] < h[1]->next) {
		const struct event *a = at[0] < h[0]->next ? &h[0]->ring[at[0] % h[0]->size] : NULL;
		const struct event *b = at[1] < h[1]->next ? &h[1]->ring[at[1] % h[1]->size] : NULL;
		bool first = a && (!b || a->t_ns < b->t_ns);
		const struct event *e = first ? a : b;

		at[first ? 0 : 1]++;
		if (e->t_ns < from_ns || !follows(f, e))
			continue;
		if (event_encode(e, out))
			return;
		buf_putc(out, '\n');
	}
}

static struct app_follower *follower_free(struct app *app)
{
	for (size_t i = 0; i < APP_FOLLOWERS_MAX; i++)
		if (!app->followers[i].stream)
			return &app->followers[i];
	return NULL;
}

static bool flag(const struct http_request *q, const char *key)
{
	const char *value = http_query(q, key);

	return value && strcmp(value, "0") && strcmp(value, "false");
}

/* From where history is told: since, or all of it unless it is followed. */
static int since(const struct http_request *q, bool follow, uint64_t *ret_from)
{
	const char *text = http_query(q, "since");
	uint64_t now = clock_boot_ns();
	uint64_t ns;

	*ret_from = follow ? now : 0;
	if (!text)
		return 0;
	if (parse_duration(text, &ns))
		return -EINVAL;
	*ret_from = now > ns ? now - ns : 0;
	return 0;
}

static void events(struct app *app, struct http_request *q)
{
	const char *server = http_query(q, "server");
	struct app_follower want = { .app = app, .calls = flag(q, "calls") };
	struct app_follower *f;
	bool follow = flag(q, "follow");
	uint64_t from;
	struct buf out;

	if (want.calls && !may_change(app, q)) {
		reply_error(q, 403, "not_permitted",
			    "single calls are for root and the configured group",
			    "use sudo, or leave out --calls");
		return;
	}
	if (since(q, follow, &from)) {
		reply_error(q, 400, "bad_request", "\"since\" is no duration", "90s, 10m, 2h, 1d");
		return;
	}
	snprintf(want.server, sizeof(want.server), "%s", server ? server : "");
	buf_init(&out, REPLY_MAX);
	replay(app, &out, &want, from);
	if (!follow) {
		reply_buf(q, LINES, &out, 0);
		return;
	}
	f = follower_free(app);
	if (!f) {
		reply_error(q, 503, "busy", "too many clients follow the events",
			    "end some of them");
	} else {
		*f = want;
		if (http_reply_stream(q, LINES, &stream_ops, f, &f->stream))
			f->stream = NULL;
		else if (out.len)
			http_stream_push(f->stream, out.data, out.len);
	}
	buf_done(&out);
}

/* --- routing -------------------------------------------------------------------------------------- */

static bool is(const struct http_request *q, size_t segments, const char *method, const char *last)
{
	return q->segments == segments && !strcmp(q->method, method) &&
	       (!last || !strcmp(q->segment[segments - 1], last));
}

static void route_read(struct app *app, struct http_request *q)
{
	if (is(q, 1, "GET", "metrics"))
		metrics(app, q);
	else if (is(q, 2, "GET", "status"))
		status(app, q);
	else if (is(q, 2, "GET", "events"))
		events(app, q);
	else if (is(q, 3, "GET", NULL) && !strcmp(q->segment[1], "servers"))
		show(app, q);
	else
		reply_error(q, 404, "not_found", "there is nothing at this path",
			    "docs/protocol.md lists the API");
}

static void route_change(struct app *app, struct http_request *q)
{
	int verb = q->segments == 4 ? request_verb_from_name(q->segment[3]) : -EINVAL;

	if (is(q, 2, "POST", "selftest"))
		selftest(app, q);
	else if (is(q, 2, "POST", "detach"))
		detach(app, q);
	else if (verb >= 0 && !strcmp(q->segment[1], "servers"))
		order(app, q, verb);
	else
		reply_error(q, 404, "not_found", "there is nothing at this path",
			    "docs/protocol.md lists the API");
}

static void on_request(void *data, struct http_request *q)
{
	struct app *app = data;
	bool get = !strcmp(q->method, "GET");

	if (!get && strcmp(q->method, "POST"))
		reply_error(q, 405, "bad_method", "only GET and POST are known here", "");
	else if (get && !may_read(app, q))
		reply_error(q, 403, "not_permitted", "reading is for root and the configured group",
			    "see \"api_read\" in switchgear.json(5)");
	else if (!get && !may_change(app, q))
		reply_error(q, 403, "not_permitted",
			    "changing is for root and the configured group",
			    "use sudo, or join the group named by \"api_group\"");
	else if (get)
		route_read(app, q);
	else
		route_change(app, q);
}

/* The TCP side: metrics and nothing else. */
static void on_scrape(void *data, struct http_request *q)
{
	if (is(q, 1, "GET", "metrics"))
		metrics(data, q);
	else
		reply_error(q, 404, "not_found", "only /metrics is here", "");
}

/* --- wiring ------------------------------------------------------------------------------------------- */

void app_http_touch(struct app *app)
{
	int wait = http_timeout_ms(app->api);
	int other = app->exporter ? http_timeout_ms(app->exporter) : -1;

	if (wait < 0 || (other >= 0 && other < wait))
		wait = other;
	if (wait < 0)
		loop_timer_off(app->http_timer);
	else
		loop_timer_set(app->http_timer, clock_boot_ns() + (uint64_t)wait * NS_PER_MS);
}

static void run_servers(struct app *app)
{
	http_run(app->api);
	if (app->exporter)
		http_run(app->exporter);
	app_http_touch(app);
}

static void on_http(void *data, uint32_t ready)
{
	(void)ready;
	run_servers(data);
}

static void on_http_timer(void *data)
{
	run_servers(data);
}

static int exporter_start(struct app *app)
{
	struct http_options o = { .handler = on_scrape, .data = app };
	struct loop_source *source;
	struct addr address;
	int r;

	if (!strcmp(app->metrics, "off"))
		return 0;
	r = parse_addr_port(app->metrics, &address, &o.port);
	if (r)
		return log_failure(r, SUB,
				   "\"%s\" is no address for the metrics; write ADDR:PORT or off",
				   app->metrics);
	o.address = &address;
	r = http_new(&o, &app->exporter);
	return r ? r
		 : loop_add_fd(app->loop, http_fd(app->exporter), EPOLLIN, on_http, app, &source);
}

static int group_find(struct app *app)
{
	const struct group *group;

	if (!app->config->api_group)
		return 0;
	group = getgrnam(app->config->api_group);
	if (!group) {
		log_error(SUB,
			  "there is no group \"%s\" (\"api_group\"); create it, or only root may "
			  "give orders",
			  app->config->api_group);
		return -ENOENT;
	}
	app->api_group = group->gr_gid;
	app->has_api_group = true;
	return 0;
}

int app_api_start(struct app *app)
{
	struct http_options o = { .path = app->socket, .handler = on_request, .data = app };
	struct loop_source *source;
	int r;

	r = group_find(app);
	if (!r)
		r = loop_timer_new(app->loop, on_http_timer, app, &app->http_timer);
	if (!r)
		r = http_new(&o, &app->api);
	if (!r)
		r = loop_add_fd(app->loop, http_fd(app->api), EPOLLIN, on_http, app, &source);
	return r ? r : exporter_start(app);
}
