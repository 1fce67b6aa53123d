/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the daemon and the processes it starts (io/program.h) put messages on a socket that keeps
 * them apart. Plain structures of this version: both sides are of one build, which the first
 * message of the process proves. What kinds there are is said by who uses it (io/worker_wire.h,
 * io/relay_wire.h).
 *
 * A process is believed nothing: who takes what it says checks it.
 */
#ifndef SWITCHGEAR_IO_WIRE_H
#define SWITCHGEAR_IO_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define WIRE_DATA_MAX 12288U

struct wire_head {
	uint32_t kind;
	uint32_t what; /* of a kind, as the two sides have agreed */
	int32_t r;     /* 0 or -errno, where a kind has a result */
	uint32_t len;  /* of the data */
};

struct wire {
	struct wire_head head;
	char data[WIRE_DATA_MAX] __attribute__((aligned(16)));
};

/* fd: passed on, or -1. -E2BIG, -EAGAIN (the socket is full, and does not block), else -errno:
 * -EPIPE, -ECONNRESET: the other side is gone. */
int wire_send(int socket, const struct wire_head *head, const void *data, int fd) MUST_CHECK;
/* flags of recvmsg(); *ret_fd: the caller's, -1: none came. 1: a message; 0: the other side is
 * gone; -EBADMSG: what came is none; -EAGAIN, else -errno. */
int wire_recv(int socket, int flags, struct wire *ret, int *ret_fd) MUST_CHECK;

#endif
