/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "daemon/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define SUB "http"

struct listener {
	struct loop *loop;
	const char *what;
	struct http_options options;
	struct addr address;
	struct http *http;        /* NULL: it cannot listen yet */
	struct loop_timer *timer; /* what the server asks for, or the next try */
	struct loop_source *source;
	char error[HTTP_WHY_MAX]; /* why not; "": it listens */
};

void listener_touch(struct listener *listener, bool now)
{
	int wait;

	if (!listener->http)
		return;
	wait = now ? 0 : http_timeout_ms(listener->http);
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

/* Each reason is logged once. */
static int try(struct listener *listener)
{
	char why[HTTP_WHY_MAX];
	int r = http_new(&listener->options, &listener->http, why);

	if (!r) {
		r = loop_add_fd(listener->loop, http_fd(listener->http), run, listener,
				&listener->source);
		if (r) {
			http_free(TAKE_PTR(listener->http));
			snprintf(why, sizeof(why), "cannot wait for requests: %s", strerror(-r));
		}
	}
	if (!r) {
		if (listener->error[0])
			log_notice(SUB, "%s can be reached from now on", listener->what);
		listener->error[0] = '\0';
		return 0;
	}
	if (strcmp(why, listener->error) != 0)
		log_error(SUB, "%s cannot be reached: %s; trying again", listener->what, why);
	snprintf(listener->error, sizeof(listener->error), "%s", why);
	loop_timer_set(listener->timer, clock_boot_ns() + LISTENER_RETRY_NS);
	return r;
}

static void on_timer(void *data)
{
	struct listener *listener = data;

	if (listener->http)
		run(listener);
	else
		(void)!try(listener);
}

int listener_new(struct loop *loop, const struct http_options *options, const char *what,
		 struct listener **ret)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return -ENOMEM;
	listener->loop = loop;
	listener->what = what;
	listener->options = *options;
	if (options->address) {
		listener->address = *options->address;
		listener->options.address = &listener->address;
	}
	r = loop_timer_new(loop, on_timer, listener, &listener->timer);
	if (!r && try(listener) == -ENOMEM)
		r = -ENOMEM;
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
	if (flush_ms && listener->http)
		http_flush(listener->http, flush_ms);
	loop_del(listener->source);
	loop_timer_free(listener->timer);
	http_free(listener->http);
	free(listener);
}

int listener_degraded(const struct listener *listener, struct status *to)
{
	char text[HTTP_WHY_MAX + 64];

	if (!listener || !listener->error[0])
		return 0;
	snprintf(text, sizeof(text), "%s cannot be reached: %s", listener->what, listener->error);
	return status_degrade(to, text);
}
