/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/listener.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

struct listener {
	struct http *http;
	struct loop_timer *timer;
	struct loop_source *source;
};

void listener_touch(struct listener *listener, bool now)
{
	int wait = now ? 0 : http_timeout_ms(listener->http);

	if (wait < 0)
		loop_timer_off(listener->timer);
	else
		loop_timer_set(listener->timer, clock_boot_ns() + (uint64_t)wait * NS_PER_MS);
}

static void run(void *data)
{
	struct listener *listener = data;

	http_run(listener->http);
	listener_touch(listener, false);
}

int listener_new(struct loop *loop, const struct http_options *options, struct listener **ret)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return -ENOMEM;
	r = loop_timer_new(loop, run, listener, &listener->timer);
	if (!r)
		r = http_new(options, &listener->http);
	if (!r)
		r = loop_add_fd(loop, http_fd(listener->http), run, listener, &listener->source);
	if (r) {
		listener_free(listener, 0);
		return r;
	}
	*ret = listener;
	return 0;
}

void listener_free(struct listener *listener, unsigned int flush_ms)
{
	if (!listener)
		return;
	if (flush_ms)
		http_flush(listener->http, flush_ms);
	loop_del(listener->source);
	loop_timer_free(listener->timer);
	http_free(listener->http);
	free(listener);
}
