/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which session of a target is meant by a session that an agent has, from the server that is not
 * there or from the relay itself. Ids that the relay makes begin with SESSION_MARK, so that they
 * are known as such by a process that comes after this one.
 *
 * At most SESSIONS_MAX: the one that was not used for the longest time, and is not in use now, goes.
 */
#ifndef SWITCHGEAR_RELAY_SESSIONS_H
#define SWITCHGEAR_RELAY_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "codec/rpc.h"

#define SESSIONS_MAX 4096U
#define SESSION_ID_MAX 1024U
#define SESSION_MARK "switchgear-"
#define SESSION_RECENT_NS 600000000000ULL /* 10 minutes */

/* Called once, when the session is there (0), or cannot be had (-errno). */
struct session_wait {
	void (*fn)(void *owner, int r);
	void *owner;
	struct session_wait *next;
};

struct session {
	uint32_t server;
	uint32_t target;    /* where `there` is known; 0: nowhere */
	uint32_t serial;    /* of what is known of it there: changes with each session_at() */
	bool opening;       /* somebody begins it there */
	unsigned int users; /* it does not go while there are any */
	char *id;           /* the agent's */
	char *there;        /* the target's; NULL: it needs none */
	char version[RPC_VERSION_MAX]; /* that was agreed with the target; "": not known */
	uint64_t used_ns;
	struct session_wait *waiting;
	struct session_wait *woken; /* by a call that goes on */
	struct session *next;       /* of the same bucket */
};

struct sessions;

int sessions_new(struct sessions **ret) MUST_CHECK; /* -ENOMEM */
void sessions_free(struct sessions *s);             /* NULL-safe */

/* Marks it as used at now_ns; NULL: there is none. */
struct session *sessions_find(struct sessions *s, uint32_t server, const char *id, size_t len,
			      uint64_t now_ns);
/* A new one: with this id, which is not there; with NULL it is born here, and gets one.
 * NULL: no memory, or all are in use. */
struct session *sessions_add(struct sessions *s, uint32_t server, const char *id, size_t len,
			     uint64_t now_ns);
/* Ends it, unless it has users; NULL-safe. */
void sessions_end(struct sessions *s, struct session *session);
/* Is that an id of the relay's making? */
bool session_is_ours(const char *id, size_t len);
/* It is known at this target from now on; `there` NULL or empty: without an id. -ENOMEM. */
int session_at(struct session *session, uint32_t target, const char *there, size_t len) MUST_CHECK;

void session_wait(struct session *session, struct session_wait *w);
void session_no_wait(struct session *session, const struct session_wait *w);
/* Calls all who wait, who may wait again. The session must have a user meanwhile. */
void session_wake(struct session *session, int r);

/* How many each server has that it may not know, of those used in the last SESSION_RECENT_NS: born
 * here, or translated for another target meanwhile. */
void sessions_count(const struct sessions *s, uint64_t now_ns, uint32_t *ret, size_t n_servers);

static inline void sessions_freep(struct sessions **s)
{
	sessions_free(*s);
}

#endif
