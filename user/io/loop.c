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

struct loop_source {
	struct loop *loop;
	struct loop_source *next;
	loop_fn *fn;
	void *data;
	int fd;
	bool dead;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next;
	loop_fn *fn;
	void *data;
	uint64_t due_ns; /* OFF when not set */
	bool dead;
};

struct loop_signal {
	loop_signal_fn *fn;
	void *data;
};

struct loop {
	int epoll_fd;
	int timer_fd;
	int signal_fd;
	struct loop_source *sources;
	struct loop_timer *timers;
	uint64_t armed_ns; /* what timer_fd is set to */
	sigset_t signals;  /* blocked by this loop */
	struct loop_signal signal[NSIG];
	uint64_t longest_ns;
	bool garbage; /* something dead waits to be freed */
	bool stopped;
	int status;
};

/* --- descriptors ----------------------------------------------------------- */

int loop_add_fd(struct loop *loop, int fd, loop_fn *fn, void *data, struct loop_source **ret_source)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = source };

	if (!source)
		return -ENOMEM;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = -errno;

		free(source);
		return r;
	}
	source->loop = loop;
	source->fn = fn;
	source->data = data;
	source->fd = fd;
	source->next = loop->sources;
	loop->sources = source;
	if (ret_source)
		*ret_source = source;
	return 0;
}

void loop_del(struct loop_source *source)
{
	if (!source || source->dead)
		return;
	epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->dead = true;
	source->loop->garbage = true;
}

/* --- timers ---------------------------------------------------------------- */

static void timers_arm(struct loop *loop)
{
	struct itimerspec spec = { 0 };
	uint64_t due = OFF;

	for (struct loop_timer *t = loop->timers; t; t = t->next)
		if (!t->dead && t->due_ns < due)
			due = t->due_ns;
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
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->loop = loop;
	timer->fn = fn;
	timer->data = data;
	timer->due_ns = OFF;
	timer->next = loop->timers;
	loop->timers = timer;
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
	if (!timer)
		return;
	timer->dead = true;
	timer->loop->garbage = true;
}

/* The time is read once: a timer that sets itself to "now" cannot starve the rest. */
static void timers_fire(struct loop *loop)
{
	uint64_t now = clock_boot_ns();

	for (struct loop_timer *t = loop->timers; t; t = t->next) {
		if (t->dead || t->due_ns > now)
			continue;
		t->due_ns = OFF;
		t->fn(t->data);
	}
}

/* --- signals --------------------------------------------------------------- */

int loop_add_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *data)
{
	sigset_t one;
	sigset_t all = loop->signals;

	if (signal <= 0 || signal >= NSIG)
		return -EINVAL;
	if (loop->signal[signal].fn)
		return -EEXIST;
	sigemptyset(&one);
	sigaddset(&one, signal);
	sigaddset(&all, signal);
	if (sigprocmask(SIG_BLOCK, &one, NULL) < 0)
		return -errno;
	if (signalfd(loop->signal_fd, &all, SFD_CLOEXEC | SFD_NONBLOCK) < 0) {
		int r = -errno;

		sigprocmask(SIG_UNBLOCK, &one, NULL);
		return r;
	}
	loop->signals = all;
	loop->signal[signal].fn = fn;
	loop->signal[signal].data = data;
	return 0;
}

static void signals_read(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo < NSIG && loop->signal[info.ssi_signo].fn)
			loop->signal[info.ssi_signo].fn(loop->signal[info.ssi_signo].data,
							(int)info.ssi_signo);
}

/* --- the loop -------------------------------------------------------------- */

/* Memory of everything that is dead, or of everything at all. */
static void collect(struct loop *loop, bool all)
{
	struct loop_source **s = &loop->sources;
	struct loop_timer **t = &loop->timers;

	while (*s) {
		struct loop_source *dead = *s;

		if (!all && !dead->dead) {
			s = &dead->next;
			continue;
		}
		*s = dead->next;
		free(dead);
	}
	while (*t) {
		struct loop_timer *dead = *t;

		if (!all && !dead->dead) {
			t = &dead->next;
			continue;
		}
		*t = dead->next;
		free(dead);
	}
	loop->garbage = false;
}

static int add_internal(struct loop *loop, int fd, void *mark)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = mark };

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int loop_new(struct loop **ret)
{
	CLEANUP(loop_freep) struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = loop->timer_fd = loop->signal_fd = -1;
	loop->armed_ns = OFF;
	sigemptyset(&loop->signals);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loop->timer_fd < 0)
		return -errno;
	loop->signal_fd = signalfd(-1, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signal_fd < 0)
		return -errno;
	/* The addresses of the two members tell these events from sources. */
	r = add_internal(loop, loop->timer_fd, &loop->timer_fd);
	if (r < 0)
		return r;
	r = add_internal(loop, loop->signal_fd, &loop->signal_fd);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(loop);
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	collect(loop, true);
	closep(&loop->signal_fd);
	closep(&loop->timer_fd);
	closep(&loop->epoll_fd);
	sigprocmask(SIG_UNBLOCK, &loop->signals, NULL);
	free(loop);
}

static void dispatch(struct loop *loop, const struct epoll_event *ev)
{
	struct loop_source *source = ev->data.ptr;
	uint64_t expired;

	if (ev->data.ptr == &loop->timer_fd) {
		if (read(loop->timer_fd, &expired, sizeof(expired)) == (ssize_t)sizeof(expired))
			loop->armed_ns = OFF;
	} else if (ev->data.ptr == &loop->signal_fd) {
		signals_read(loop);
	} else if (!source->dead) {
		source->fn(source->data);
	}
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
	for (int i = 0; i < n; i++)
		dispatch(loop, &events[i]);
	timers_fire(loop);
	if (loop->garbage)
		collect(loop, false);
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

		if (r < 0)
			return r;
	}
	return loop->status;
}

void loop_stop(struct loop *loop, int status)
{
	loop->stopped = true;
	loop->status = status;
}
