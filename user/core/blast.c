/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "core/blast.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/group.h"

#define CAP_MIN 16U

void blast_set_policy(struct blast *b, const struct breaker_policy *policy)
{
	b->min_servers = policy->blast_min_servers;
	b->share = policy->blast_share;
	b->period_ns = policy_ns(policy->blast_seconds);
}

void blast_done(struct blast *b)
{
	free(b->places);
	free(b->servers);
	memset(b, 0, sizeof(*b));
}

/* Makes room for `need` entries; what is new is zero. */
static int grow(void **array, size_t *cap, size_t need, size_t size)
{
	size_t to = *cap ? *cap : CAP_MIN;
	void *more;

	if (need <= *cap)
		return 0;
	while (to < need)
		to *= 2;
	more = realloc(*array, to * size);
	if (!more)
		return -ENOMEM;
	memset((char *)more + *cap * size, 0, (to - *cap) * size);
	*array = more;
	*cap = to;
	return 0;
}

/* --- who has traffic --------------------------------------------------------------- */

static void unlink_server(struct blast *b, uint32_t server)
{
	struct blast_server *s = &b->servers[server];

	if (s->prev)
		b->servers[s->prev - 1].next = s->next;
	else
		b->oldest = s->next;
	if (s->next)
		b->servers[s->next - 1].prev = s->prev;
	else
		b->newest = s->prev;
	*s = (struct blast_server){ 0 };
	b->active--;
}

int blast_traffic(struct blast *b, uint32_t server, uint64_t now)
{
	void *servers = b->servers;
	struct blast_server *s;
	int r = grow(&servers, &b->servers_cap, (size_t)server + 1, sizeof(*b->servers));

	if (r)
		return r;
	b->servers = servers;
	s = &b->servers[server];
	if (s->active && b->newest == server + 1) {
		s->last_ns = now;
		return 0;
	}
	if (s->active)
		unlink_server(b, server);
	*s = (struct blast_server){ .last_ns = now, .prev = b->newest, .active = true };
	if (b->newest)
		b->servers[b->newest - 1].next = server + 1;
	else
		b->oldest = server + 1;
	b->newest = server + 1;
	b->active++;
	return 0;
}

void blast_forget(struct blast *b, uint32_t server)
{
	if (server < b->servers_cap && b->servers[server].active)
		unlink_server(b, server);
}

uint32_t blast_active(struct blast *b, uint64_t now)
{
	while (b->oldest && now - b->servers[b->oldest - 1].last_ns >= BLAST_TRAFFIC_NS)
		unlink_server(b, b->oldest - 1);
	return b->active;
}

uint32_t blast_limit(struct blast *b, uint64_t now)
{
	uint32_t active = blast_active(b, now);
	uint32_t limit = group_share(b->share, active);

	if (active < b->min_servers)
		return SG_UNLIMITED;
	return limit > BLAST_LEAST ? limit : BLAST_LEAST;
}

/* --- places -------------------------------------------------------------------------- */

int blast_slots(struct blast *b, uint32_t taken, uint64_t now)
{
	void *places = b->places;
	int r = grow(&places, &b->places_cap, taken, sizeof(*b->places));

	if (r)
		return r;
	b->places = places;
	while (b->n_places < taken)
		b->places[b->n_places++] = now;
	b->n_places = taken;
	return 0;
}

uint32_t blast_aged(struct blast *b, uint64_t now)
{
	size_t n = 0;

	while (n < b->n_places && now - b->places[n] >= b->period_ns)
		n++;
	if (!n)
		return 0;
	b->n_places -= n;
	memmove(b->places, b->places + n, b->n_places * sizeof(*b->places));
	return (uint32_t)n;
}

bool blast_held(struct blast *b, uint64_t now)
{
	bool begins = now >= b->quiet_ns;

	b->quiet_ns = now + b->period_ns;
	return begins;
}
