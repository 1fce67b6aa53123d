/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/relay_rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "codec/probe.h"
#include "verdict.h"

/* Who else can be called than who stands in: those of the fallback, and of the group, as words behind
 * "use". */
static void fill_instead(const struct server *s, const struct server *to,
			 const struct status_candidate *candidates, size_t n_candidates, char *out,
			 size_t size)
{
	uint64_t now = clock_boot_ns();
	size_t n = 0;

	out[0] = '\0';
	for (struct server *other = servers_first(s->d->servers); other; other = other->next) {
		const char *group = s->config->group;
		bool related = group && other->config->group &&
			       !strcmp(group, other->config->group);

		for (size_t i = 0; i < n_candidates; i++)
			related |= candidates[i].usable &&
				   !strcmp(candidates[i].server, other->config->name);
		if (!related || other == s || other == to || !other->config->url_shown ||
		    server_quarantined(other) || sg_breaker_denies(&other->breaker, now) ||
		    n >= size / 2)
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s\"%s\" (%.120s)", n ? ", or " : "",
				      other->config->name, other->config->url_shown);
	}
}

static uint64_t seconds(uint64_t wall_ns)
{
	return wall_ns == STATUS_NEVER ? 0 : wall_ns / NS_PER_SEC;
}

/* Names, each with its NUL; those that do not fit are not idempotent. */
static void fill_idempotent(const struct config_server *c, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < c->idempotent_tools.n; i++) {
		size_t len = strlen(c->idempotent_tools.v[i]) + 1;

		if (n + len + 1 > size)
			return;
		memcpy(out + n, c->idempotent_tools.v[i], len);
		n += len;
	}
}

static int fill_target(const struct server *s, const struct server *to, struct relay_rule *rule)
{
	const char *path = probe_path(to->config->url_shown);
	int r;

	if (!path || !probe_path(s->config->url_shown) || !to->n_addrs)
		return -EINVAL;
	r = probe_host(to->config->host, to->config->port, false, rule->target_host,
		       sizeof(rule->target_host));
	if (r)
		return r;
	rule->kind = RELAY_FORWARD;
	rule->port = to->config->port;
	memcpy(rule->addr, to->addrs[0].bytes, sizeof(rule->addr));
	snprintf(rule->target, sizeof(rule->target), "%s", to->config->name);
	if ((size_t)snprintf(rule->target_path, sizeof(rule->target_path), "%s", path) >=
	    sizeof(rule->target_path))
		return -ENAMETOOLONG;
	if (s == to)
		rule->flags = RELAY_TO_PRIMARY;
	else if (s->config->fallback_shares)
		rule->flags = RELAY_SHARE_AUTHORIZATION;
	fill_idempotent(s->config, rule->idempotent, sizeof(rule->idempotent));
	return 0;
}

int relay_rule_fill(const struct server *s, const struct server *to, const struct why *why,
		    const struct status_candidate *candidates, size_t n_candidates,
		    struct relay_rule *rule)
{
	const char *path = probe_path(s->config->url_shown);

	memset(rule, 0, sizeof(*rule)); /* the room between its members, too */
	rule->server = s->id;
	rule->kind = RELAY_STAND_IN;
	rule->incarnation = dataplane_server_incarnation(s->d->dp, s->id);
	snprintf(rule->name, sizeof(rule->name), "%s", s->config->name);
	snprintf(rule->path, sizeof(rule->path), "%s", path ? path : "");
	snprintf(rule->reason, sizeof(rule->reason), "%s", why->because);
	rule->since_s = why->since_wall_ns / NS_PER_SEC;
	rule->until_s = seconds(why->until_wall_ns);
	if (why->rule != WHY_NOTHING)
		rule->retry_s = rule->until_s;
	fill_instead(s, to, candidates, n_candidates, rule->instead, sizeof(rule->instead));
	return to ? fill_target(s, to, rule) : 0;
}
