/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP API on the Unix socket: finds the module that answers a path (struct
 * api_route), once it is sure that the client may ask; and the group that may give orders.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/sse.h"
#include "daemon/bus.h"
#include "daemon/listener.h"
#include "daemon/mark.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "daemon/work.h"
#include "io/resolver.h"
#include "modules/modules.h"

#define SUB "api"
#define GROUP_RETRY_NS (5 * NS_PER_SEC)
#define GROUP_PATIENCE_NS (10 * NS_PER_SEC)
#define GROUP_WAIT_NS (2 * NS_PER_SEC) /* at the start, so that it is known when all is ready */

struct api {
	struct part part;
	struct listener *listener;
	struct work *work;
	struct work_job *job;     /* the group is being looked up; NULL: it is not */
	struct loop_timer *again; /* looks it up once more */
	char error[256];          /* why the group is not known; "": it is, or none is asked for */
};

/* --- one server --------------------------------------------------------------------------- */

static void no_server(struct servers *all, struct http_request *q, const char *name)
{
	const char **names = calloc(servers_n(all) + 1, sizeof(*names));
	char hint[160] = "\"switchgear status\" lists the servers";
	char message[256];
	const char *near;

	for (const struct server *s = servers_first(all); names && s; s = s->next)
		names[s->index] = s->config->name;
	near = names ? nearest_word(name, names) : NULL;
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	free(names);
	snprintf(message, sizeof(message), "there is no server \"%.128s\"", name);
	reply_error(q, 404, "not_found", message, hint);
}

static void not_watched(const struct api *api, struct http_request *q,
			const struct config_server *c)
{
	char message[300];

	snprintf(message, sizeof(message),
		 "this server is at a Unix socket, and the kernel's programs see nothing of it: %s",
		 dataplane_unix_error(api->part.d->dp));
	reply_error(q, 409, "not_watched",
		    c->unix_name ? message
				 : "this server has no URL (stdio): the kernel sees nothing of it",
		    c->unix_name ? "stop it, or take its socket away"
				 : "stop the program that runs it");
}

/* The server that a request is about; answers and returns NULL if there is none that it can be
 * carried out on. */
static struct server *find_server(struct api *api, struct http_request *q, const char *name,
				  enum api_right right)
{
	struct server *s = servers_by_name(api->part.d->servers, name);

	if (!s) {
		no_server(api->part.d->servers, q, name);
		return NULL;
	}
	if (right == API_READ)
		return s;
	s = s->covered_by ? s->covered_by : s;
	if (s->id)
		return s;
	not_watched(api, q, s->config);
	return NULL;
}

/* --- routing --------------------------------------------------------------------------------- */

/* Does the request's path fit? *ret_star: what stands for "*", NULL: nothing. */
static bool fits(const struct http_request *q, const char *path, const char **ret_star)
{
	size_t i = 0;

	*ret_star = NULL;
	while (*path) {
		size_t len = strcspn(path, "/");

		if (i == q->segments)
			return false;
		if (len == 1 && *path == '*')
			*ret_star = q->segment[i];
		else if (strlen(q->segment[i]) != len || strncmp(q->segment[i], path, len) != 0)
			return false;
		i++;
		path += len + (path[len] == '/');
	}
	return i == q->segments;
}

/* False after an answer. */
static bool may(const struct api *api, struct http_request *q, enum api_right right)
{
	if (reply_may(api->part.d, q, right))
		return true;
	if (right == API_READ || right == API_RATE)
		reply_error(q, 403, "not_permitted",
			    right == API_READ
				    ? "reading is for root and the configured group"
				    : "rating is for local users who may read, here root and the "
				      "configured group",
			    "see \"api_read\" in switchgear.json(5)");
	else
		reply_error(q, 403, "not_permitted",
			    "changing is for root and the configured group",
			    "use sudo, or join the group named by \"api_group\"");
	return false;
}

/* Answers by a module's table if it has a row for the request. */
static bool answer(struct api *api, void *m, const struct api_route *table, struct http_request *q)
{
	const char *star;

	for (const struct api_route *r = table; r && r->method; r++) {
		struct server *s = NULL;

		if (strcmp(r->method, q->method) != 0 || !fits(q, r->path, &star))
			continue;
		if (strcmp(r->method, "GET") != 0 && !may(api, q, r->right))
			return true;
		if (star)
			s = find_server(api, q, star, r->right);
		if (s || !star)
			r->handler(m, q, s);
		return true;
	}
	return false;
}

static void route(struct api *api, struct http_request *q)
{
	struct modules *ms = bus_modules(api->part.d->bus);

	if (http_accepts(q, SSE_TYPE))
		for (size_t i = 0; i < ms->n; i++)
			if (answer(api, ms->memory[i], ms->v[i]->streams, q))
				return;
	for (size_t i = 0; i < ms->n; i++)
		if (answer(api, ms->memory[i], ms->v[i]->routes, q))
			return;
	if (!strcmp(q->method, "GET") || may(api, q, API_CHANGE))
		reply_error(q, 404, "not_found", "there is nothing at this path",
			    "docs/protocol.md lists the API");
}

/* Before a body comes: of the path, whatever the method will be, and for who may use it. */
static size_t body_max(void *data, const struct http_request *q)
{
	struct api *api = data;
	struct modules *ms = bus_modules(api->part.d->bus);
	const char *unused;

	for (size_t i = 0; i < ms->n; i++)
		for (const struct api_route *r = ms->v[i]->routes; r && r->method; r++)
			if (r->right == API_REPORT && fits(q, r->path, &unused) &&
			    reply_may(api->part.d, q, API_REPORT))
				return API_REPORT_MAX;
	return HTTP_BODY_MAX;
}

static void on_request(void *data, struct http_request *q)
{
	struct api *api = data;
	bool get = !strcmp(q->method, "GET");

	if (!get && strcmp(q->method, "POST") != 0)
		reply_error(q, 405, "bad_method", "only GET and POST are known here", "");
	else if (!get || may(api, q, API_READ))
		route(api, q);
}

/* --- the group ---------------------------------------------------------------------------------- */

static void on_group(void *owner, int r, const void *result)
{
	struct api *api = owner;
	struct settings *s = api->part.d->settings;
	const struct resolver_group *answer = result;
	const char *why = r ? work_explain(api->work, r) : resolver_group_why(answer);
	char error[sizeof(api->error)];

	api->job = NULL;
	if (!why) {
		s->gid = answer->gid;
		s->has_gid = true;
		if (api->error[0])
			log_notice(SUB, "the group \"%s\" may give orders from now on",
				   s->api_group);
		api->error[0] = '\0';
		return;
	}
	snprintf(error, sizeof(error),
		 "the group \"%.64s\" (\"api_group\") is not known (%.100s): only root may give "
		 "orders; create it",
		 s->api_group, why);
	if (strcmp(error, api->error) != 0)
		log_error(SUB, "%s; trying again", error);
	snprintf(api->error, sizeof(api->error), "%s", error);
	loop_timer_set(api->again, clock_boot_ns() + GROUP_RETRY_NS);
}

/* By a worker: the name may be asked for over the network. */
static void group_ask(void *data)
{
	struct api *api = data;
	const char *name = api->part.d->settings->api_group;
	const struct work_order order = { .op = WORKER_GROUP,
					  .data = name,
					  .data_len = strlen(name) + 1,
					  .size = sizeof(struct resolver_group),
					  .run_ns = GROUP_PATIENCE_NS,
					  .by_ns = SG_FOREVER,
					  .done = on_group,
					  .owner = api };
	int r = work_add(api->work, &order, &api->job);

	if (r)
		on_group(api, r, NULL);
}

/* --- the server --------------------------------------------------------------------------------- */

/* Somebody may have been answered who waited. */
static void api_turn(void *m, UNUSED uint64_t now)
{
	const struct api *api = m;

	listener_touch(api->listener, false);
}

/* Other modules queue output for those who follow: in the next turn of the loop it is sent. */
static void api_publish(void *m, UNUSED const struct event *events, UNUSED size_t n)
{
	const struct api *api = m;

	listener_touch(api->listener, true);
}

static int api_start(void *m)
{
	struct api *api = m;
	const struct http_options o = { .path = api->part.d->settings->socket,
					.handler = on_request,
					.body_max = body_max,
					.data = api };
	int r = listener_new(api->part.d->loop, &o, "the API", &api->listener);

	if (!r)
		r = work_new(api->part.d, &api->work);
	if (!r)
		r = loop_timer_new(api->part.d->loop, group_ask, api, &api->again);
	if (!r && api->part.d->settings->api_group) {
		group_ask(api);
		work_wait(api->work, clock_boot_ns() + GROUP_WAIT_NS);
	}
	return r;
}

static void api_stop(void *m)
{
	struct api *api = m;

	listener_free(api->listener, 200);
	work_free(api->work);
}

static int api_degraded(void *m, struct status *to)
{
	const struct api *api = m;
	int r = listener_degraded(api->listener, to);

	return !r && api->error[0] ? status_degrade(to, api->error) : r;
}

static void on_detach(void *m, struct http_request *q, UNUSED struct server *s)
{
	struct detach_result result = { .daemon = true };
	struct api *api = m;
	struct buf out = BUF(REPLY_MAX);
	const char *state_dir = api->part.d->settings->state_dir;
	char who[STATUS_BY_LEN];
	int marked;
	int r;

	reply_who(q, who, sizeof(who));
	marked = mark_put(state_dir, who); /* first: a start must not come between */
	if (marked)
		snprintf(result.error, sizeof(result.error),
			 "that it is to stay so cannot be written to %.300s (%s): the next start "
			 "attaches again",
			 state_dir, strerror(-marked));
	r = dataplane_detach(api->part.d->dp, &result);
	if (r) {
		if (!marked)
			(void)!mark_remove(state_dir);
		reply_failure(q, r, "not every pin could be removed");
	} else {
		log_notice(SUB, "detached: nothing is enforced any more; exiting");
		r = reply_detach_encode(&result, &out);
		reply_document(q, REPLY_JSON, &out, r);
		loop_stop(api->part.d->loop, MARK_EXIT);
	}
	detach_result_done(&result);
}

static const struct api_route routes[] = {
	{ "POST", "v1/detach", API_CHANGE, on_detach },
	{ 0 },
};

const struct module api_module = {
	.name = SUB,
	.size = sizeof(struct api),
	.start = api_start,
	.stop = api_stop,
	.turn = api_turn,
	.publish = api_publish,
	.degraded = api_degraded,
	.routes = routes,
};
