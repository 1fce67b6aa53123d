/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An HTTP server (io/http.h) that the loop runs. Where it cannot listen it tries again every
 * few seconds: enforcement does not wait for that.
 */
#ifndef SWITCHGEAR_DAEMON_LISTENER_H
#define SWITCHGEAR_DAEMON_LISTENER_H

#include "base/cleanup.h"
#include "daemon/module.h"
#include "io/http.h"
#include "io/loop.h"

#define LISTENER_RETRY_NS (3 * NS_PER_SEC)

struct listener;

/* what: for people, as in "the API"; borrowed, as is the path. -ENOMEM, or of the loop. That it
 * cannot listen is logged, and stands in listener_degraded(). */
int listener_new(struct loop *loop, const struct http_options *options, const char *what,
		 struct listener **ret) MUST_CHECK;
/* Sends what is queued, for so long at most, and ends it; NULL-safe. Before the loop goes. */
void listener_free(struct listener *listener, unsigned int flush_ms);

/* Somebody may have been answered, or streams have something to send: in the next turn of the
 * loop at the latest (`now`), or when the server itself asks for it. */
void listener_touch(struct listener *listener, bool now);

/* NULL-safe; -ENOMEM. */
int listener_degraded(const struct listener *listener, struct status *to) MUST_CHECK;

#endif
