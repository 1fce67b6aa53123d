/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon and its workers (io/worker.h) say to each other over a socket that keeps
 * messages apart. Plain structures of this version: both sides are of one build, which the
 * worker's first message proves.
 *
 *   worker: HELLO, SWITCHGEAR_VERSION
 *   daemon: a job, of an enum worker_op
 *   worker: ASK (what it cannot do itself), as often as it likes; each is answered by
 *   daemon: REPLY
 *   worker: DONE, with the result; then it waits for the next job
 *
 * A worker is believed nothing: who takes what it says checks it.
 */
#ifndef SWITCHGEAR_IO_WORKER_WIRE_H
#define SWITCHGEAR_IO_WORKER_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define WIRE_DATA_MAX 12288U

enum wire_kind {
	WIRE_HELLO = 1,
	WIRE_ASK,
	WIRE_REPLY,
	WIRE_DONE,
	WIRE_JOB,
};

struct wire_head {
	uint32_t kind;
	uint32_t what; /* JOB: enum worker_op; ASK: as the two sides have agreed */
	int32_t r;     /* REPLY, DONE: 0 or -errno */
	uint32_t len;  /* of the data */
};

struct wire {
	struct wire_head head;
	char data[WIRE_DATA_MAX] __attribute__((aligned(16)));
};

/* fd: passed on, or -1. -E2BIG, else -errno: -EPIPE, -ECONNRESET: the other side is gone. */
int wire_send(int socket, const struct wire_head *head, const void *data, int fd) MUST_CHECK;
/* flags of recvmsg(); *ret_fd: the caller's, -1: none came. 1: a message; 0: the other side is
 * gone; -EBADMSG: what came is none; -EAGAIN, else -errno. */
int wire_recv(int socket, int flags, struct wire *ret, int *ret_fd) MUST_CHECK;

#endif
