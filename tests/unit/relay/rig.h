/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Agents, the relay and a target in one process: sockets and the loop are real. */
#ifndef SWITCHGEAR_TESTS_UNIT_RELAY_RIG_H
#define SWITCHGEAR_TESTS_UNIT_RELAY_RIG_H

#include "unit/unit.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "relay/agent.h"

#define RIG_SERVER 7U
#define RIG_INCARNATION 3U
#define RIG_SEEN_MAX 64

struct rig;

/* A connection that the target has. */
struct rig_conn {
	struct rig *rig;
	struct loop_source *source;
	int fd;
	char text[1 << 17]; /* the request, as far as it came */
	size_t len;
	bool served;
	bool gone; /* the relay has ended it */
	struct rig_conn *next;
};

typedef void rig_serve_fn(struct rig_conn *c);

struct rig {
	struct env env;
	struct agents agents;
	struct relay_rule rule;
	int listener;
	struct loop_source *source;
	rig_serve_fn *serve;      /* is called with each request that is complete */
	char *seen[RIG_SEEN_MAX]; /* those requests */
	size_t n_seen;
	struct rig_conn *conns;
};

/* A stand-in for RIG_SERVER holds. */
void rig_open(struct rig *r);
void rig_close(struct rig *r);
/* r->rule holds from now on; tools: NULL, or a list. */
void rig_rule(struct rig *r, const char *tools);
/* r->rule is one that forwards to the target, and holds. */
void rig_forward(struct rig *r, rig_serve_fn *serve);

/* An agent's connection, and what it says. */
int rig_dial(struct rig *r);
void rig_say(int fd, const char *text);
/* Everything up to the end of it, which is closed; free() it. */
char *rig_hear(struct rig *r, int fd);
/* Up to these words, which are in what is returned. */
char *rig_hear_until(struct rig *r, int fd, const char *words);
/* Both of it. */
char *rig_ask(struct rig *r, const char *text);
/* A POST of JSON with these lines of the head, each with its end. */
char *rig_post(struct rig *r, const char *lines, const char *body);
char *rig_post_text(const char *lines, const char *body);
/* The loop, until it has nothing to do for a moment. */
void rig_turn(struct rig *r);
void rig_turn_until(struct rig *r, const bool *done);

void rig_reply(struct rig_conn *c, const char *text); /* as it is */
void rig_reply_json(struct rig_conn *c, unsigned int status, const char *lines, const char *body);
void rig_hang_up(struct rig_conn *c); /* by a reset */
void rig_end(struct rig_conn *c);     /* in order */

/* Is this in the text, or else it fails with the text. */
void assert_has(const char *text, const char *words);
void assert_lacks(const char *text, const char *words);

#endif
