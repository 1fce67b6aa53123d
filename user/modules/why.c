/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `switchgear why HOST[:PORT]`: which rule decides about connects there, since when, until when, by
 * whom, what agents see of it, and what to do. From what is so now: who asks about a connect of
 * yesterday asks the history.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "codec/messages_why.h"
#include "daemon/bus.h"
#include "daemon/reply.h"
#include "daemon/shown.h"
#include "modules/modules.h"

#define TO_QUERY "to"

/* Whom somebody asks about. */
struct place {
	char host[URL_HOST_MAX + 1]; /* in small letters, without brackets */
	bool is_addr;
	struct addr addr;
	uint16_t port; /* 0: any */
};

/* "host", "host:80", "10.0.0.1:80", "[::1]:80", "::1"; what is none of these is a host. */
static void place_read(const char *text, struct place *ret)
{
	const char *colon = strrchr(text, ':');
	size_t len = strlen(text);
	uint64_t port;

	*ret = (struct place){ 0 };
	if (!parse_addr_port(text, &ret->addr, &ret->port) && *text != ':') {
		ret->is_addr = true;
		return;
	}
	ret->port = 0;
	if (!parse_addr(text, &ret->addr)) {
		ret->is_addr = true;
		return;
	}
	if (colon && !parse_u64(colon + 1, 1, UINT16_MAX, &port)) {
		ret->port = (uint16_t)port;
		len = (size_t)(colon - text);
	}
	for (size_t i = 0; i < len && i < URL_HOST_MAX; i++)
		ret->host[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
}

static bool net_has(const struct config_network *net, const struct addr *a)
{
	unsigned int bits = net->prefix % 8;
	size_t whole = net->prefix / 8;

	if (memcmp(net->addr.bytes, a->bytes, whole) != 0)
		return false;
	return !bits || net->addr.bytes[whole] >> (8 - bits) == a->bytes[whole] >> (8 - bits);
}

static bool is_there(const struct server *s, const struct place *p)
{
	const struct config_server *c = s->config;

	if (p->port && c->has_url && c->port != p->port)
		return false;
	if (!p->is_addr)
		return c->has_url && !strcmp(c->host, p->host);
	for (size_t i = 0; i < s->n_claimed; i++)
		if (!memcmp(&s->claimed[i], &p->addr, sizeof(p->addr)))
			return true;
	for (size_t i = 0; i < c->n_networks; i++)
		if (net_has(&c->networks[i], &p->addr))
			return true;
	return false;
}

/* --- words ----------------------------------------------------------------------------------------- */

static const char *errno_word(uint32_t error)
{
	const char *name = strerrorname_np((int)error);

	return name ? name : "an error";
}

static void fill_agent(const struct server *s, const struct status_server *status,
		       struct why_server *to)
{
	const char *error = errno_word(s->config->deny_errno);

	switch (status->verdict) {
	case VERDICT_REFUSE:
		snprintf(to->agent, sizeof(to->agent), "a connect fails with %s at once%s%.120s",
			 error,
			 status->has_fallback && *status->fallback.why ? "; nothing stands in: "
								       : "",
			 status->has_fallback ? status->fallback.why : "");
		break;
	case VERDICT_REDIRECT:
		snprintf(to->goes, sizeof(to->goes), "%s", status->fallback.to);
		if (status->fallback.kind == SG_REDIRECT_DIRECT)
			snprintf(to->agent, sizeof(to->agent),
				 "a connect reaches \"%s\" in its place; a UDP one, or one from "
				 "where that cannot be reached, fails with %s",
				 to->goes, error);
		else
			snprintf(to->agent, sizeof(to->agent),
				 "a connect reaches the relay, which hands its calls on to \"%s\"; "
				 "one from another network namespace fails with %s",
				 to->goes, error);
		break;
	case VERDICT_STAND_IN:
		snprintf(to->agent, sizeof(to->agent),
			 "the stand-in answers in MCP why the server is not available; a connect "
			 "from another network namespace fails with %s",
			 error);
		break;
	default:
		snprintf(to->agent, sizeof(to->agent), "%s",
			 to->rule == WHY_NOTHING ? "a connect reaches the server"
						 : "a connect reaches the server: this host only "
						   "observes, or its breaker lets it through");
		break;
	}
}

static void fill_advice(struct why_server *to)
{
	static const char *const words[WHY_RULE_COUNT] = {
		[WHY_NOTHING] = "",
		[WHY_QUARANTINE] = "`switchgear explain %1$s` shows what speaks against it; "
				   "`switchgear release %1$s` ends the quarantine",
		[WHY_ORDER] = "`switchgear reset %1$s` puts it back into service",
		[WHY_OPEN] =
			"wait: it is tried again then; `switchgear show %1$s` tells how its calls "
			"failed, `switchgear reset %1$s` closes it at once",
		[WHY_HALF_OPEN] = "wait for the probes; `switchgear show %1$s` tells how calls end",
		[WHY_RAMP] = "call again: the share that is let through grows",
	};
	char *at = to->advice;
	size_t left = sizeof(to->advice);

	/* not by a format: it is no literal */
	for (const char *w = words[to->rule]; *w && left > 1;) {
		bool name = !strncmp(w, "%1$s", 4);
		size_t n = name ? strlen(to->server) : 1;

		if (n >= left)
			break;
		memcpy(at, name ? to->server : w, n);
		at += n;
		left -= n;
		w += name ? 4 : 1;
	}
	*at = '\0';
}

static int fill(struct server *s, struct why_server *to)
{
	struct status_server status;
	struct why why;
	int r = shown_judged(s, &status);

	if (!r) {
		why_of(&status, clock_wall_ns(), &why);
		snprintf(to->server, sizeof(to->server), "%s", s->config->name);
		to->url = status.url ? strdup(status.url) : NULL;
		to->verdict = status.verdict;
		to->rule = why.rule;
		to->since_wall_ns = why.since_wall_ns;
		to->until_wall_ns = why.until_wall_ns;
		snprintf(to->because, sizeof(to->because), "%s", why.because);
		snprintf(to->by, sizeof(to->by), "%s", why.by);
		fill_agent(s, &status, to);
		fill_advice(to);
	}
	status_server_done(&status);
	return r;
}

static int collect(const struct part *m, const char *text, struct reply_why *to)
{
	struct place place;
	int r = 0;

	place_read(text, &place);
	for (struct server *s = servers_first(m->d->servers); s && !r; s = s->next) {
		if (strcmp(s->config->name, text) != 0 && !is_there(s, &place))
			continue;
		r = list_grow(&to->servers, to->n_servers, sizeof(*to->servers));
		if (r)
			return r;
		to->servers[to->n_servers] = (struct why_server){ 0 };
		r = fill(s, &to->servers[to->n_servers++]);
	}
	return r;
}

static void on_why(void *m, struct http_request *q, UNUSED struct server *s)
{
	const struct part *part = m;
	const char *text = http_query(q, TO_QUERY);
	struct reply_why reply = { 0 };
	struct buf out = BUF(REPLY_MAX);
	int r;

	if (!text || !*text) {
		reply_error(q, 400, "bad_request", "\"to\" is missing",
			    "ask for /v1/why?to=HOST, HOST:PORT or a server's name");
		return;
	}
	r = collect(part, text, &reply);
	if (!r)
		r = reply_why_encode(&reply, reply_view(part->d, q), &out);
	reply_document(q, REPLY_JSON, &out, r);
	reply_why_done(&reply);
}

static const struct api_route routes[] = {
	{ "GET", "v1/why", API_READ, on_why },
	{ 0 },
};

const struct module why_module = {
	.name = "why",
	.routes = routes,
};
