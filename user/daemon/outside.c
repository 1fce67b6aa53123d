/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/outside.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/work.h"
#include "io/http.h"
#include "io/resolver.h"

#define SUB "check"
#define LINES 8U                  /* look-ups at once */
#define RUN_NS (15 * NS_PER_SEC)  /* of one */
#define ALL_NS (120 * NS_PER_SEC) /* of all of them */

/* One look-up; server NULL: of the group. */
struct question {
	struct outside *all;
	const struct config_server *server;
	struct work *line; /* that does it */
};

struct outside {
	struct settings *settings;
	struct loop *loop;
	struct daemon d; /* for work.h, which takes its loop */
	struct work *lines[LINES];
	struct question *questions;
	size_t asked;
	size_t open;
	size_t missing;
};

static void answered(void *owner, int r, const void *result)
{
	const struct question *q = owner;
	const char *why = r           ? work_explain(q->line, r)
			  : q->server ? resolver_answer_why(result)
				      : resolver_group_why(result);

	q->all->open--;
	if (!why)
		return;
	q->all->missing++;
	if (q->server)
		log_error(SUB,
			  "server \"%s\": \"%s\" cannot be resolved: %s; correct its URL, or the "
			  "name service",
			  q->server->name, q->server->host, why);
	else
		log_error(SUB,
			  "the group \"%s\" (\"api_group\") is not known (%s): only root may give "
			  "orders; create it",
			  q->all->settings->api_group, why);
}

static int ask(struct outside *all, const struct config_server *server)
{
	const char *name = server ? server->host : all->settings->api_group;
	struct question *q = &all->questions[all->asked];
	const struct work_order order = { .op = server ? WORKER_LOOK_UP : WORKER_GROUP,
					  .data = name,
					  .data_len = strlen(name) + 1,
					  .size = server ? sizeof(struct resolver_answer)
							 : sizeof(struct resolver_group),
					  .run_ns = RUN_NS,
					  .by_ns = clock_boot_ns() + ALL_NS,
					  .done = answered,
					  .owner = q };
	struct work_job *job;
	int r;

	*q = (struct question){ all, server, all->lines[all->asked++ % LINES] };
	r = work_add(q->line, &order, &job);
	all->open += !r;
	return r;
}

/* In children, as a daemon does. */
static int ask_all(struct outside *all, const struct config *config)
{
	int r;

	all->questions = calloc(config->n_servers + 1, sizeof(*all->questions));
	r = all->questions ? loop_new(&all->loop) : -ENOMEM;
	all->d.loop = all->loop;
	all->d.settings = all->settings;
	for (size_t i = 0; i < LINES && !r; i++)
		r = work_new(&all->d, &all->lines[i]);
	if (!r && all->settings->api_group)
		r = ask(all, NULL);
	for (size_t i = 0; i < config->n_servers && !r; i++)
		if (config->servers[i].has_url && !config->servers[i].has_addr)
			r = ask(all, &config->servers[i]);
	while (!r && all->open)
		r = loop_turn(all->loop, -1);
	for (size_t i = 0; i < LINES; i++)
		work_free(all->lines[i]);
	loop_free(all->loop);
	free(all->questions);
	return r ? log_failure(r, SUB, "names and groups cannot be looked up") : 0;
}

static void interface(struct outside *all, const char *name)
{
	if (if_nametoindex(name))
		return;
	all->missing++;
	log_error(SUB,
		  "no interface \"%s\" for XDP: packets there would not be dropped; create it or "
		  "change \"interfaces\"",
		  name);
}

static void listens(struct outside *all, const struct http_options *o, const char *what)
{
	char why[HTTP_WHY_MAX];

	if (!http_check(o, why))
		return;
	all->missing++;
	log_error(SUB, "%s could not be reached: %s", what, why);
}

static void certificates(struct outside *all, const char *path)
{
	if (!path || !access(path, R_OK))
		return;
	all->missing++;
	log_error(SUB, "certificates cannot be read from %s (\"ca_file\"): %s; correct it", path,
		  strerror(errno));
}

int outside_check(struct settings *settings, const struct config *config, bool runs)
{
	const struct http_options api = { .path = settings->socket };
	const struct http_options metrics = { .address = &settings->metrics_addr,
					      .port = settings->metrics_port };
	struct outside all = { .settings = settings };
	int r = ask_all(&all, config);

	for (size_t i = 0; settings->interfaces[i]; i++)
		interface(&all, settings->interfaces[i]);
	for (size_t i = 0; i < config->interfaces.n && !settings->interfaces[0]; i++)
		interface(&all, config->interfaces.v[i]);
	certificates(&all, settings->ca_file);
	if (!runs)
		listens(&all, &api, "the API");
	if (!runs && !settings->metrics_off)
		listens(&all, &metrics, "metrics");
	return !r && all.missing ? -ENOENT : r;
}
