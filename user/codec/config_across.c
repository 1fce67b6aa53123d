/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What can only be said about two servers: of one configuration, or of two. */
#include <errno.h>
#include <string.h>

#include "codec/config_read.h"
#include "core/claims.h"

static void check_fallback(struct config_reader *r, const struct config *config,
			   const struct config_server *s, size_t i, const struct json_path *list)
{
	struct json_path path = { list, NULL, i };
	const char *name = s->fallback.v[i];
	const struct config_server *other = config_find(config, name);

	if (!strcmp(name, s->name))
		config_complain(r, &path, true,
				"a server cannot be its own fallback; name another");
	else if (!other)
		config_complain(
			r, &path, true,
			"no enabled server is called \"%s\" in mcpServers; add it or correct "
			"the name",
			name);
	else if (!other->has_url)
		config_complain(
			r, &path, true,
			"\"%s\" has no URL, so nothing can be redirected to it; name a server "
			"with one",
			name);
	for (size_t j = 0; other && other != s && j < i; j++) {
		if (!strcmp(s->fallback.v[j], name))
			config_complain(r, &path, true, "\"%s\" is in the list already; remove it",
					name);
	}
}

/* The path of a URL as it is shown, "/" at least. */
static const char *path_of(const struct config_server *s)
{
	const char *path = s->url_shown ? strstr(s->url_shown, "://") : NULL;

	path = path ? strchr(path + 3, '/') : NULL;
	return path ? path : "/";
}

/* Can connects of one really go to the other, if that is what is to happen? */
static void check_redirect(struct config_reader *r, const struct config *config,
			   const struct config_server *s, size_t i, const struct json_path *list)
{
	struct json_path path = { list, NULL, i };
	const struct config_server *other = config_find(config, s->fallback.v[i]);

	if (s->on_open != ON_OPEN_FALLBACK || !s->has_url || !other || !other->has_url)
		return;
	if (s->scheme != other->scheme)
		config_complain(r, &path, true,
				"\"%s\" is %s, and \"%s\" %s: agents that speak one cannot be sent "
				"to the other; name a server of the same scheme, or set "
				"\"on_open\": \"refuse\"",
				other->name, other->scheme == URL_HTTPS ? "https" : "http", s->name,
				s->scheme == URL_HTTPS ? "https" : "http");
	else if (s->scheme == URL_HTTPS && strcmp(s->host, other->host) != 0)
		config_complain(
			r, &path, true,
			"\"%s\" has another host name (%s): its certificate would not be "
			"valid for agents that ask for %s; name a replica of the same host, "
			"or set \"on_open\": \"refuse\"",
			other->name, other->host, s->host);
	else if (s->scheme != URL_HTTPS && s->fallback_direct &&
		 strcmp(path_of(s), path_of(other)) != 0)
		config_complain(
			r, &path, true,
			"\"direct\" leaves requests as they are, but \"%s\" has another path "
			"in its URL; leave \"direct\" out, so that the relay translates",
			other->name);
}

/* Plaintext goes through the relay, which keeps credentials back; nothing else can. */
static void check_direct(struct config_reader *r, const struct config_server *s,
			 const struct json_path *fallback)
{
	struct json_path path = { fallback, "direct", 0 };

	if (s->fallback_direct && !s->fallback_shares && s->scheme != URL_HTTPS)
		config_complain(
			r, &path, true,
			"without the relay, what agents send to \"%s\" to prove who they are "
			"goes to the others; leave \"direct\" out, or set "
			"\"share_authorization\": true if all of them may see it",
			s->name);
}

static int endpoint_compare(const struct config_server *a, const struct config_server *b)
{
	struct addr x = claim_addr(&a->addr);
	struct addr y = claim_addr(&b->addr);
	int c = strcmp(a->unix_name ? a->unix_name : "", b->unix_name ? b->unix_name : "");

	if (!c)
		c = (int)a->has_addr - (int)b->has_addr;
	if (!c && a->has_addr) /* 0.0.0.0 and 127.0.0.1 are one */
		c = memcmp(&x, &y, sizeof(x));
	else if (!c)
		c = strcmp(a->host, b->host);
	return c ? c : (a->port > b->port) - (a->port < b->port);
}

static int endpoint_order(const void *a, const void *b)
{
	const struct config_server *x = *(const struct config_server *const *)a;
	const struct config_server *y = *(const struct config_server *const *)b;
	int c = endpoint_compare(x, y);

	return c ? c : (x > y) - (x < y);
}

/* The kernel knows servers by address and port, or Unix socket, only: two URLs of one host
 * and port are one server to it. */
static void find_same_endpoints(struct config_reader *r, struct config *config)
{
	CLEANUP(freep) struct config_server **order = NULL;
	struct json_path servers = { NULL, "mcpServers", 0 };
	size_t n = 0;
	size_t first = 0;

	order = calloc(config->n_servers + 1, sizeof(*order));
	if (!order) {
		config_no_memory(r);
		return;
	}
	for (size_t i = 0; i < config->n_servers; i++) {
		if (config->servers[i].has_url || config->servers[i].unix_name)
			order[n++] = &config->servers[i];
	}
	qsort(order, n, sizeof(*order), endpoint_order);
	for (size_t i = 1; i < n; i++) {
		struct json_path path = { &servers, order[i]->name, 0 };

		if (endpoint_compare(order[first], order[i])) {
			first = i;
			continue;
		}
		order[i]->same_endpoint = (size_t)(order[first] - config->servers);
		config_warn(r, &path,
			    "has the same %s as \"%s\"; one breaker, that of "
			    "\"%s\", covers both",
			    order[first]->unix_name ? "socket" : "host and port",
			    order[first]->name, order[first]->name);
	}
}

/* --- what is accepted and does nothing yet --------------------------------------------- */

/* Whoever builds one takes its row away. */
static void warn_of_unbuilt(struct config_reader *r, const struct config_server *s,
			    const struct json_path *path)
{
	const struct {
		bool is_set;
		const char *warning;
	} unbuilt[] = {
		{ s->on_open == ON_OPEN_STAND_IN && s->has_url && s->scheme == URL_HTTPS,
		  "\"on_open\": \"stand_in\" does nothing for https: nobody can answer with "
		  "the server's certificate; while it is open or in quarantine, connects are "
		  "refused, and `switchgear why` tells the reason" },
		{ s->inspect_tls, "\"inspect_tls\" does nothing yet: of encrypted connections only "
				  "metadata are seen" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(unbuilt); i++)
		if (unbuilt[i].is_set)
			config_warn(r, path, "%s", unbuilt[i].warning);
}

void config_check_across(struct config_reader *r, struct config *config)
{
	struct json_path servers = { NULL, "mcpServers", 0 };

	for (size_t i = 0; i < config->n_servers; i++) {
		const struct config_server *s = &config->servers[i];
		struct json_path server = { &servers, s->name, 0 };
		struct json_path value = { &server, "fallback", 0 };
		struct json_path keyed = { &value, "servers", 0 };
		const struct json_path *list = s->fallback_keyed ? &keyed : &value;

		for (size_t j = 0; j < s->fallback.n; j++) {
			check_fallback(r, config, s, j, list);
			check_redirect(r, config, s, j, list);
		}
		check_direct(r, s, &value);
		warn_of_unbuilt(r, s, &server);
	}
	find_same_endpoints(r, config);
}

/* --- what a reload has to touch ---------------------------------------------------- */

static bool networks_differ(const struct config_server *a, const struct config_server *b)
{
	if (a->n_networks != b->n_networks)
		return true;
	for (size_t i = 0; i < a->n_networks; i++) {
		if (a->networks[i].prefix != b->networks[i].prefix ||
		    memcmp(&a->networks[i].addr, &b->networks[i].addr, sizeof(struct addr)))
			return true;
	}
	return false;
}

static bool policy_differs(const struct breaker_policy *a, const struct breaker_policy *b)
{
	for (size_t i = 0; i < POLICY_KEY_COUNT; i++) {
		if (policy_key_get(a, &policy_keys[i]) != policy_key_get(b, &policy_keys[i]))
			return true;
	}
	return false;
}

unsigned int config_server_diff(const struct config_server *a, const struct config_server *b)
{
	unsigned int diff = 0;

	if (a->has_url != b->has_url || endpoint_compare(a, b) || networks_differ(a, b) ||
	    a->scheme != b->scheme || !a->command_shown != !b->command_shown ||
	    (a->same_endpoint == CONFIG_UNIQUE) != (b->same_endpoint == CONFIG_UNIQUE))
		diff |= CONFIG_DIFF_ENDPOINTS;
	if (policy_differs(&a->policy, &b->policy) || a->deny_errno != b->deny_errno)
		diff |= CONFIG_DIFF_POLICY;
	if (a->on_open != b->on_open || !config_list_same(&a->fallback, &b->fallback) ||
	    a->fallback_by_trust != b->fallback_by_trust ||
	    a->fallback_partial != b->fallback_partial ||
	    a->fallback_shares != b->fallback_shares || a->fallback_direct != b->fallback_direct ||
	    !config_text_same(a->group, b->group))
		diff |= CONFIG_DIFF_ROUTE;
	if (!config_text_same(a->url_shown, b->url_shown) ||
	    !config_text_same(a->command_shown, b->command_shown) ||
	    !config_text_same(a->bridge, b->bridge) || a->inspect_tls != b->inspect_tls ||
	    a->shared != b->shared ||
	    !config_list_same(&a->idempotent_tools, &b->idempotent_tools) ||
	    !config_text_same(a->local_unit, b->local_unit) ||
	    !config_text_same(a->local_cgroup, b->local_cgroup) ||
	    !config_text_same(a->local_container, b->local_container) ||
	    !config_text_same(a->local_listen, b->local_listen) ||
	    !config_isolation_same(&a->isolation, &b->isolation))
		diff |= CONFIG_DIFF_SHOWN;
	return diff;
}
