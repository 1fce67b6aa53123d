/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An HTTP server (io/http.h) that the loop runs. */
#ifndef SWITCHGEAR_DAEMON_LISTENER_H
#define SWITCHGEAR_DAEMON_LISTENER_H

#include "base/cleanup.h"
#include "io/http.h"
#include "io/loop.h"

struct listener;

/* -errno: of http_new(), or -ENOMEM. */
int listener_new(struct loop *loop, const struct http_options *options,
		 struct listener **ret) MUST_CHECK;
/* Sends what is queued, for so long at most, and ends it; NULL-safe. Before the loop goes. */
void listener_free(struct listener *listener, unsigned int flush_ms);

/* Somebody may have been answered, or streams have something to send: in the next turn of the
 * loop at the latest (`now`), or when the server itself asks for it. */
void listener_touch(struct listener *listener, bool now);

#endif
