/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/sessions.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"

#define BUCKETS 4096U
#define RANDOM_LEN 16

struct sessions {
	struct session *bucket[BUCKETS];
	size_t n;
};

int sessions_new(struct sessions **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void session_free(struct session *session)
{
	free(session->id);
	free(session->there);
	free(session);
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->bucket[i]) {
			struct session *session = s->bucket[i];

			s->bucket[i] = session->next;
			session_free(session);
		}
	free(s);
}

static struct session **bucket_of(struct sessions *s, uint32_t server, const char *id, size_t len)
{
	return &s->bucket[(fnv1a(id, len) ^ server * 2654435761U) % BUCKETS];
}

struct session *sessions_find(struct sessions *s, uint32_t server, const char *id, size_t len,
			      uint64_t now_ns)
{
	struct session *at = *bucket_of(s, server, id, len);

	for (; at; at = at->next)
		if (at->server == server && strlen(at->id) == len && !memcmp(at->id, id, len)) {
			at->used_ns = now_ns;
			return at;
		}
	return NULL;
}

static void take_out(struct sessions *s, struct session *session)
{
	struct session **at = bucket_of(s, session->server, session->id, strlen(session->id));

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	s->n--;
	session_free(session);
}

void sessions_end(struct sessions *s, struct session *session)
{
	if (session && !session->users)
		take_out(s, session);
}

/* Looks at all of them, which is for once a request that begins a session. */
static bool make_room(struct sessions *s)
{
	struct session *oldest = NULL;

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct session *at = s->bucket[i]; at; at = at->next)
			if (!at->users && (!oldest || at->used_ns < oldest->used_ns))
				oldest = at;
	sessions_end(s, oldest);
	return oldest != NULL;
}

/* Nobody can guess it, as the ids of servers should be. */
static char *make_id(void)
{
	unsigned char random[RANDOM_LEN];
	char *id = malloc(sizeof(SESSION_MARK) + 2 * sizeof(random));

	if (!id || getrandom(random, sizeof(random), 0) != sizeof(random)) {
		free(id);
		return NULL;
	}
	memcpy(id, SESSION_MARK, sizeof(SESSION_MARK));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + strlen(SESSION_MARK) + 2 * i, 3, "%02x", random[i]);
	return id;
}

struct session *sessions_add(struct sessions *s, uint32_t server, const char *id, size_t len,
			     uint64_t now_ns)
{
	struct session *session;
	struct session **at;

	if (s->n >= SESSIONS_MAX && !make_room(s))
		return NULL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	session->server = server;
	session->used_ns = now_ns;
	session->id = id ? strndup(id, len) : make_id();
	if (!session->id) {
		free(session);
		return NULL;
	}
	at = bucket_of(s, server, session->id, strlen(session->id));
	session->next = *at;
	*at = session;
	s->n++;
	return session;
}

bool session_is_ours(const char *id, size_t len)
{
	return len > strlen(SESSION_MARK) && !memcmp(id, SESSION_MARK, strlen(SESSION_MARK));
}

int session_at(struct session *session, uint32_t target, const char *there, size_t len)
{
	char *copy = len ? strndup(there, len) : NULL;

	if (len && !copy)
		return -ENOMEM;
	free(session->there);
	session->there = copy;
	session->target = target;
	session->serial++;
	return 0;
}

/* --- those who wait ----------------------------------------------------------------------------- */

void session_wait(struct session *session, struct session_wait *w)
{
	w->next = session->waiting;
	session->waiting = w;
}

static void leave(struct session_wait **at, const struct session_wait *w)
{
	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

void session_no_wait(struct session *session, const struct session_wait *w)
{
	leave(&session->waiting, w);
	leave(&session->woken, w);
}

/* One by one, as each may end others. Who waits again comes to a new list. */
void session_wake(struct session *session, int r)
{
	session->woken = TAKE_PTR(session->waiting);
	while (session->woken) {
		struct session_wait *w = session->woken;

		session->woken = w->next;
		w->fn(w->owner, r);
	}
}

void sessions_count(const struct sessions *s, uint64_t now_ns, uint32_t *ret, size_t n_servers)
{
	memset(ret, 0, n_servers * sizeof(*ret));
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct session *at = s->bucket[i]; at; at = at->next)
			if (at->server < n_servers && now_ns - at->used_ns < SESSION_RECENT_NS)
				ret[at->server]++;
}
