/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Removal is two steps: a removed source leaves epoll at once and is marked
 * dead, but its memory stays until the batch of events that may still point to
 * it is done (invariant L1).
 */
#include "io/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/clock.h"

#define BATCH 64
#define OFF UINT64_MAX

/* What sources and timers have in common, at their beginning. */
struct item {
	struct loop *loop;
	struct item *next;
	void *data;
	bool dead;
};

struct loop_source {
	struct item item;
	loop_fn *fn;
	int fd;
};

struct loop_timer {
	struct item item;
	loop_fn *fn;
	uint64_t due_ns; /* OFF when not set */
};

struct loop_signal {
	loop_signal_fn *fn;
	void *data;
};

struct loop {
	int epoll_fd;
	int timer_fd;
	int signal_fd;
	struct item *sources;
	struct item *timers;
	uint64_t armed_ns; /* what timer_fd is set to */
	sigset_t signals;  /* blocked by this loop */
	struct loop_signal signal[NSIG];
	uint64_t longest_ns;
	bool garbage; /* something dead waits to be freed */
	bool stopped;
	int status;
};

static void *item_new(struct loop *loop, struct item **list, void *data, size_t size)
{
	struct item *item = calloc(1, size);

	if (!item)
		return NULL;
	*item = (struct item){ loop, *list, data, false };
	*list = item;
	return item;
}

/* Its memory stays as long as an event that was fetched may point to it. */
static void item_remove(struct item *item)
{
	item->dead = true;
	item->loop->garbage = true;
}

/* --- descriptors ----------------------------------------------------------- */

int loop_add_fd(struct loop *loop, int fd, loop_fn *fn, void *data, struct loop_source **ret_source)
{
	struct loop_source *source = item_new(loop, &loop->sources, data, sizeof(*source));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = source };

	if (!source)
		return -ENOMEM;
	source->fn = fn;
	source->fd = fd;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = -errno;

		item_remove(&source->item);
		return r;
	}
	if (ret_source)
		*ret_source = source;
	return 0;
}

void loop_del(struct loop_source *source)
{
	if (!source || source->item.dead)
		return;
	epoll_ctl(source->item.loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	item_remove(&source->item);
}

void loop_watch(struct loop_source *source, bool reading, bool writing)
{
	struct epoll_event ev = { .events = (reading ? EPOLLIN : 0U) | (writing ? EPOLLOUT : 0U),
				  .data.ptr = source };

	if (!source->item.dead)
		epoll_ctl(source->item.loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &ev);
}

/* --- timers ---------------------------------------------------------------- */

static void timers_arm(struct loop *loop)
{
	struct itimerspec spec = { 0 };
	uint64_t due = OFF;

	for (struct item *i = loop->timers; i; i = i->next)
		if (!i->dead && ((struct loop_timer *)i)->due_ns < due)
			due = ((struct loop_timer *)i)->due_ns;
	if (due == loop->armed_ns)
		return;
	loop->armed_ns = due;
	if (due != OFF) {
		/* All zero would disarm: a timer due at 0 is due at 1 ns as well. */
		spec.it_value.tv_sec = (time_t)(due / NS_PER_SEC);
		spec.it_value.tv_nsec = due ? (long)(due % NS_PER_SEC) : 1;
	}
	timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

int loop_timer_new(struct loop *loop, loop_fn *fn, void *data, struct loop_timer **ret_timer)
{
	struct loop_timer *timer = item_new(loop, &loop->timers, data, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->fn = fn;
	timer->due_ns = OFF;
	*ret_timer = timer;
	return 0;
}

void loop_timer_set(struct loop_timer *timer, uint64_t boot_ns)
{
	timer->due_ns = boot_ns;
}

void loop_timer_off(struct loop_timer *timer)
{
	timer->due_ns = OFF;
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer)
		item_remove(&timer->item);
}

static void timer_read(void *data)
{
	struct loop *loop = data;
	uint64_t expired;

	if (read(loop->timer_fd, &expired, sizeof(expired)) == (ssize_t)sizeof(expired))
		loop->armed_ns = OFF;
}

/* The time is read once: a timer that sets itself to "now" cannot starve the rest. */
static void timers_fire(struct loop *loop)
{
	uint64_t now = clock_boot_ns();

	for (struct item *i = loop->timers; i; i = i->next) {
		struct loop_timer *t = (struct loop_timer *)i;

		if (i->dead || t->due_ns > now)
			continue;
		t->due_ns = OFF;
		t->fn(i->data);
	}
}

/* --- signals --------------------------------------------------------------- */

int loop_add_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *data)
{
	sigset_t all = loop->signals;

	if (signal <= 0 || signal >= NSIG)
		return -EINVAL;
	if (loop->signal[signal].fn)
		return -EEXIST;
	sigaddset(&all, signal);
	if (signalfd(loop->signal_fd, &all, SFD_CLOEXEC | SFD_NONBLOCK) < 0 ||
	    sigprocmask(SIG_BLOCK, &all, NULL) < 0)
		return -errno;
	loop->signals = all;
	loop->signal[signal].fn = fn;
	loop->signal[signal].data = data;
	return 0;
}

static void signals_read(void *data)
{
	struct loop *loop = data;
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo < NSIG && loop->signal[info.ssi_signo].fn)
			loop->signal[info.ssi_signo].fn(loop->signal[info.ssi_signo].data,
							(int)info.ssi_signo);
}

/* --- the loop -------------------------------------------------------------- */

/* Memory of everything that is dead, or of everything at all. */
static void collect(struct item **at, bool all)
{
	while (*at) {
		struct item *item = *at;

		if (all || item->dead) {
			*at = item->next;
			free(item);
		} else {
			at = &item->next;
		}
	}
}

int loop_new(struct loop **ret)
{
	CLEANUP(loop_freep) struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->armed_ns = OFF;
	sigemptyset(&loop->signals);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	loop->signal_fd = signalfd(-1, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->timer_fd < 0 || loop->signal_fd < 0)
		return -errno;
	r = loop_add_fd(loop, loop->timer_fd, timer_read, loop, NULL);
	if (!r)
		r = loop_add_fd(loop, loop->signal_fd, signals_read, loop, NULL);
	if (r)
		return r;
	*ret = TAKE_PTR(loop);
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	collect(&loop->sources, true);
	collect(&loop->timers, true);
	closep(&loop->signal_fd);
	closep(&loop->timer_fd);
	closep(&loop->epoll_fd);
	sigprocmask(SIG_UNBLOCK, &loop->signals, NULL);
	free(loop);
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[BATCH];
	uint64_t start;
	uint64_t took;
	int n;

	timers_arm(loop);
	n = epoll_wait(loop->epoll_fd, events, BATCH, timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	start = clock_boot_ns();
	for (int i = 0; i < n; i++) {
		struct loop_source *source = events[i].data.ptr;

		if (!source->item.dead)
			source->fn(source->item.data);
	}
	timers_fire(loop);
	if (loop->garbage) {
		collect(&loop->sources, false);
		collect(&loop->timers, false);
		loop->garbage = false;
	}
	took = clock_boot_ns() - start;
	if (took > loop->longest_ns)
		loop->longest_ns = took;
	return 0;
}

uint64_t loop_longest_ns(const struct loop *loop)
{
	return loop->longest_ns;
}

int loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int r = loop_turn(loop, -1);

		if (r)
			return r;
	}
	return loop->status;
}

void loop_stop(struct loop *loop, int status)
{
	loop->stopped = true;
	loop->status = status;
}
