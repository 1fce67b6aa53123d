/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of servers to addresses, refreshed; the loop never waits for an answer. */
#include <errno.h>
#include <string.h>

#include "daemon/app.h"

#define SUB "resolve"
#define RETRY_NS (5 * NS_PER_SEC)

static bool same_addrs(const struct app_server *s, const struct addr *addrs, size_t n)
{
	if (n != s->addrs_n)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < s->addrs_n && !found; k++)
			found = !memcmp(&addrs[i], &s->addrs[k], sizeof(addrs[i]));
		if (!found)
			return false;
	}
	return true;
}

/* Old addresses stay when a name cannot be resolved: a server does not leave its
 * quarantine because its DNS fails. */
static void failed(struct app_server *s, const char *error)
{
	if (strcmp(s->resolve_error, error))
		log_warning("resolve", "server \"%s\": cannot resolve \"%s\": %s; %s",
			    s->config->name, s->config->host, error,
			    s->resolved ? "the addresses known so far stay"
					: "it is not watched until its name resolves");
	snprintf(s->resolve_error, sizeof(s->resolve_error), "%s", error);
	s->resolve_next_ns = clock_boot_ns() + RETRY_NS;
}

static struct app_server *asked(struct app *app, uint64_t question)
{
	for (size_t i = 0; i < app->servers_n; i++)
		if (app->servers[i]->question == question)
			return app->servers[i];
	return NULL;
}

static void answered(void *data, uint64_t question, const struct addr *addrs, size_t n,
		     const char *error)
{
	struct app *app = data;
	struct app_server *s = asked(app, question);

	if (!s)
		return; /* a reload changed its name, or removed it */
	s->question = 0;
	if (!n) {
		failed(s, error);
		return;
	}
	s->resolve_error[0] = '\0';
	s->resolve_next_ns = clock_boot_ns() + app->config->resolve_ns;
	if (n > APP_ADDRS_MAX)
		n = APP_ADDRS_MAX;
	if (s->resolved && same_addrs(s, addrs, n))
		return;
	memcpy(s->addrs, addrs, n * sizeof(*addrs));
	s->addrs_n = n;
	s->resolved = true;
	if (app_server_endpoints(s))
		return;
	log_info(SUB, "server \"%s\": \"%s\" has %zu address%s", s->config->name, s->config->host,
		 n, n == 1 ? "" : "es");
	if (app_adopt(app))
		log_warning(SUB, "connections that are open already may not be watched");
}

int app_resolve_start(struct app *app)
{
	return resolver_new(answered, app, RESOLVER_PATIENCE_NS, &app->resolver);
}

static bool wants(const struct app_server *s)
{
	return s->id && s->config->has_url && !s->config->has_addr && !s->question;
}

void app_resolve_due(struct app *app, uint64_t now)
{
	for (size_t i = 0; i < app->servers_n; i++) {
		struct app_server *s = app->servers[i];
		int r;

		if (!wants(s) || s->resolve_next_ns > now)
			continue;
		r = resolver_ask(app->resolver, app->questions + 1, s->config->host);
		if (r)
			failed(s, strerror(-r));
		else
			s->question = ++app->questions;
	}
	resolver_run(app->resolver);
}

uint64_t app_resolve_next(const struct app *app)
{
	uint64_t next = SG_FOREVER;

	for (size_t i = 0; i < app->servers_n; i++)
		if (wants(app->servers[i]) && app->servers[i]->resolve_next_ns < next)
			next = app->servers[i]->resolve_next_ns;
	return next;
}
