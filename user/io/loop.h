/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The event loop: epoll for descriptors, one timerfd for all timers, one
 * signalfd for all signals. Single-threaded; callbacks never run from inside
 * another call of this interface, only from loop_run() and loop_turn().
 *
 * Invariants:
 *  L1  A source, timer or signal may be removed from inside any callback, its
 *      own included; after removal its callback is not called again, not even
 *      for an event that was already fetched.
 *  L2  The loop never closes a descriptor that was added to it. Remove the
 *      source first, then close the descriptor.
 *  L3  A timer is called at most once per loop_timer_set(), never early.
 */
#ifndef SWITCHGEAR_IO_LOOP_H
#define SWITCHGEAR_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct loop;
struct loop_source;
struct loop_timer;

typedef void loop_fn(void *data);
typedef void loop_signal_fn(void *data, int signal);

int loop_new(struct loop **ret) MUST_CHECK;
/* Frees what is still added to it as well and unblocks its signals; NULL-safe. */
void loop_free(struct loop *loop);

/* Runs until loop_stop(); returns its status, or -errno when waiting failed. */
int loop_run(struct loop *loop) MUST_CHECK;
/* Handles what is due within timeout_ms (-1: waits for something); 0 or -errno. */
int loop_turn(struct loop *loop, int timeout_ms) MUST_CHECK;
/* The longest time that one turn took from what it waited for to its end. */
uint64_t loop_longest_ns(const struct loop *loop);
/* status >= 0. The current batch of callbacks is finished first. */
void loop_stop(struct loop *loop, int status);

/* For reading, level-triggered. *ret_source is borrowed and valid until loop_del() or loop_free();
 * NULL: it is there as long as the loop. */
int loop_add_fd(struct loop *loop, int fd, loop_fn *fn, void *data,
		struct loop_source **ret_source) MUST_CHECK;
void loop_del(struct loop_source *source); /* NULL-safe */
/* What it waits for from now on. With neither, errors and the end of both directions are told
 * all the same. Cannot fail. */
void loop_watch(struct loop_source *source, bool reading, bool writing);

/* A timer is off when it is made. *ret_timer is valid until loop_timer_free() or loop_free(). */
int loop_timer_new(struct loop *loop, loop_fn *fn, void *data,
		   struct loop_timer **ret_timer) MUST_CHECK;
/* Nanoseconds of CLOCK_BOOTTIME, absolute; a time that is over fires in the next turn.
 * Replaces an earlier setting. Cannot fail. */
void loop_timer_set(struct loop_timer *timer, uint64_t boot_ns);
void loop_timer_off(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL-safe */

/* Blocks the signal for the process and delivers it here; one callback per signal
 * (-EEXIST). A child that is forked inherits the mask and must restore its own. */
int loop_add_signal(struct loop *loop, int signal, loop_signal_fn *fn, void *data) MUST_CHECK;

static inline void loop_freep(struct loop **loop)
{
	loop_free(*loop);
}

#endif
