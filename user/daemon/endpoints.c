/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/endpoints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/bus.h"

#define SUB "servers"

static int failed(struct endpoints *e, struct server *s, int r)
{
	if (r == -E2BIG)
		snprintf(e->error, sizeof(e->error),
			 "the endpoint map is full: server \"%s\" is not (fully) monitored; raise "
			 "\"limits\".\"endpoints\", then \"switchgear detach\" and start again",
			 s->config->name);
	s->unwritten = r != 0;
	return r;
}

typedef int endpoints_fn(struct dataplane *dp, uint32_t id, const struct addr *addrs,
			 const uint16_t *ports, size_t n);

static int enter(struct server *s, endpoints_fn *fn)
{
	uint16_t ports[SERVER_ADDRS_MAX];

	for (size_t i = 0; i < s->n_addrs; i++)
		ports[i] = s->config->port;
	return fn(s->d->dp, s->id, s->addrs, ports, s->n_addrs);
}

static int unix_write(const struct server *s)
{
	bool seen = s->config->unix_name && dataplane_unix_begin(s->d->dp);

	return dataplane_unix_set(s->d->dp, s->id, seen ? s->config->unix_name : NULL);
}

int endpoints_write(struct endpoints *e, struct server *s)
{
	struct dataplane_net nets[CONFIG_NETWORKS_MAX];
	int r = enter(s, dataplane_endpoints_set);

	for (size_t i = 0; i < s->config->n_networks; i++) {
		nets[i].addr = s->config->networks[i].addr;
		nets[i].len = s->config->networks[i].prefix;
	}
	if (!r)
		r = dataplane_networks_set(s->d->dp, s->id, nets, s->config->n_networks);
	if (!r)
		r = unix_write(s);
	return failed(e, s, r);
}

/* --- whose an address is ------------------------------------------------------------------ */

static bool owns(const struct server *s, const struct addr *a)
{
	for (size_t i = 0; i < s->n_addrs; i++)
		if (!memcmp(&s->addrs[i], a, sizeof(*a)))
			return true;
	return false;
}

const struct server *endpoints_owner(const struct server *first, const struct server *s,
				     const struct addr *a)
{
	struct addr wanted = claim_addr(a);

	for (const struct server *o = first; o; o = o->next)
		for (size_t i = 0; i < o->n_addrs && o->config->port == s->config->port; i++) {
			struct addr has = claim_addr(&o->addrs[i]);

			if (!memcmp(&has, &wanted, sizeof(has)))
				return o == s ? NULL : o;
		}
	return NULL;
}

static size_t claims_make(const struct server *first, struct claim *claims)
{
	size_t n = 0;

	for (const struct server *s = first; s; s = s->next)
		for (size_t i = 0; s->id && i < s->n_claimed; i++)
			claims[n++] = (struct claim){ .addr = claim_addr(&s->claimed[i]),
						      .port = s->config->port,
						      .literal = s->config->has_addr,
						      .held = owns(s, &s->claimed[i]),
						      .rank = s->index,
						      .item = i };
	return n;
}

/* Has it an address that it had not? */
static bool grew(const struct server *s, const struct addr *before, size_t n)
{
	for (size_t i = 0; i < s->n_addrs; i++) {
		bool had = false;

		for (size_t k = 0; k < n && !had; k++)
			had = !memcmp(&s->addrs[i], &before[k], sizeof(*before));
		if (!had)
			return true;
	}
	return false;
}

/* What a server owns from now on, of what it claims; who is told of what it does not. */
static void owned_set(struct server *s, const bool *mine)
{
	struct addr before[SERVER_ADDRS_MAX];
	size_t n_before = s->n_addrs;
	char text[64];

	memcpy(before, s->addrs, sizeof(before));
	s->n_addrs = 0;
	if (!s->resolved && !s->n_claimed)
		return; /* until its name is resolved, the kernel keeps what it has */
	for (size_t i = 0; i < s->n_claimed; i++)
		if (mine[i])
			s->addrs[s->n_addrs++] = s->claimed[i];
	s->unwritten |= s->n_addrs != n_before ||
			memcmp(before, s->addrs, n_before * sizeof(*before)) != 0;
	s->moved |= n_before && server_quarantined(s) && grew(s, before, n_before);
	for (size_t i = 0; i < s->n_claimed && s->n_lost != s->n_claimed - s->n_addrs; i++)
		if (!mine[i])
			log_warning(SUB,
				    "server \"%s\": its address %s, port %u is another server's; "
				    "calls there are told apart by their names, if both have one, "
				    "else judged as that one's (\"switchgear show\" tells whose)",
				    s->config->name,
				    format_addr(text, sizeof(text), &s->claimed[i]),
				    s->config->port);
	s->n_lost = s->n_claimed - s->n_addrs;
}

/* Endpoints are entered for all before any is removed: one that goes from one server to
 * another is somebody's all the time. */
static int unwritten_write(struct endpoints *e, struct server *first)
{
	int r = 0;
	int one;

	for (struct server *s = first; s; s = s->next) {
		one = s->id && s->unwritten && !s->half_begun ? enter(s, dataplane_endpoints_add)
							      : 0;
		r = r ? r : one;
	}
	for (struct server *s = first; s; s = s->next) {
		if (!s->id || !s->unwritten || s->half_begun)
			continue;
		one = endpoints_write(e, s);
		r = r ? r : one;
		if (one)
			log_failure(one, SUB, "server \"%s\" is not (fully) monitored",
				    s->config->name);
		s->failed |= one != 0;
		if (!one && !e->applying) /* APPLIED says as much */
			bus_emit(s->d->bus, &(struct signal){ .type = SIGNAL_ADDRS, .server = s });
	}
	for (struct server *s = first; s; s = s->next) /* who has left? */
		if (s->id && dataplane_endpoints_left(s->d->dp, s->id) && !s->unwritten)
			(void)!endpoints_write(e, s);
	return r;
}

/* Who owns what another name claims, too; claims are settled. */
static void contested_set(const struct endpoints *e, size_t n, struct server *first)
{
	struct server *owner;

	for (struct server *s = first; s; s = s->next)
		s->contested = false;
	for (size_t i = 0; i < n; i++) {
		if (e->claims[i].owner == e->claims[i].rank)
			continue;
		owner = first;
		while (owner && owner->index != e->claims[i].owner)
			owner = owner->next;
		if (owner)
			owner->contested = !owner->config->has_addr;
	}
}

int endpoints_settle(struct endpoints *e, struct server *first)
{
	size_t n = claims_make(first, e->claims);
	bool *mine = e->mine;

	claims_settle(e->claims, n);
	contested_set(e, n, first);
	for (size_t i = 0; i < n; i++)
		mine[e->claims[i].rank * SERVER_ADDRS_MAX + e->claims[i].item] =
			e->claims[i].owner == e->claims[i].rank;
	for (struct server *s = first; s; s = s->next)
		if (s->id)
			owned_set(s, &mine[s->index * SERVER_ADDRS_MAX]);
	return unwritten_write(e, first);
}

/* Room for the claims of n servers. */
int endpoints_room(struct endpoints *e, size_t n)
{
	struct claim *claims = reallocarray(e->claims, (n + 1) * SERVER_ADDRS_MAX, sizeof(*claims));
	bool *mine;

	if (!claims)
		return -ENOMEM;
	e->claims = claims;
	mine = reallocarray(e->mine, (n + 1) * SERVER_ADDRS_MAX, sizeof(*mine));
	if (!mine)
		return -ENOMEM;
	e->mine = mine;
	return 0;
}

void endpoints_done(struct endpoints *e)
{
	free(e->claims);
	free(e->mine);
}
