/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP API on the Unix socket: finds the module that answers a path (struct
 * api_route), once it is sure that the client may ask.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "daemon/bus.h"
#include "daemon/listener.h"
#include "daemon/reply.h"
#include "daemon/settings.h"
#include "modules/modules.h"

#define SUB "api"

struct api {
	struct part part;
	struct listener *listener;
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
	reply_error(q, 409, "not_watched",
		    "this server has no URL (stdio): the kernel sees nothing of it",
		    "stop the program that runs it");
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

static void route(struct api *api, struct http_request *q)
{
	struct modules *ms = bus_modules(api->part.d->bus);
	const char *star;

	for (size_t i = 0; i < ms->n; i++)
		for (const struct api_route *r = ms->v[i]->routes; r && r->method; r++) {
			struct server *s = NULL;

			if (strcmp(r->method, q->method) != 0 || !fits(q, r->path, &star))
				continue;
			if (star)
				s = find_server(api, q, star, r->right);
			if (s || !star)
				r->handler(ms->memory[i], q, s);
			return;
		}
	reply_error(q, 404, "not_found", "there is nothing at this path",
		    "docs/protocol.md lists the API");
}

static void on_request(void *data, struct http_request *q)
{
	struct api *api = data;
	bool get = !strcmp(q->method, "GET");

	if (!get && strcmp(q->method, "POST") != 0)
		reply_error(q, 405, "bad_method", "only GET and POST are known here", "");
	else if (get && !reply_may(api->part.d, q, API_READ))
		reply_error(q, 403, "not_permitted", "reading is for root and the configured group",
			    "see \"api_read\" in switchgear.json(5)");
	else if (!get && !reply_may(api->part.d, q, API_CHANGE))
		reply_error(q, 403, "not_permitted",
			    "changing is for root and the configured group",
			    "use sudo, or join the group named by \"api_group\"");
	else
		route(api, q);
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
					.data = api };

	return listener_new(api->part.d->loop, &o, &api->listener);
}

static void api_stop(void *m)
{
	struct api *api = m;

	listener_free(api->listener, 200);
}

static void on_detach(void *m, struct http_request *q, UNUSED struct server *s)
{
	static const char done[] = "{\"detached\":true}";
	struct api *api = m;
	int r = dataplane_detach(api->part.d->dp);

	if (r) {
		reply_failure(q, r, "not every pin could be removed");
		return;
	}
	log_notice(SUB, "detached: nothing is enforced any more; exiting");
	http_reply(q, 200, REPLY_JSON, done, sizeof(done) - 1);
	loop_stop(api->part.d->loop, 0);
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
	.routes = routes,
};
