/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the daemon and its workers (io/worker.h) say to each other, by io/wire.h:
 *
 *   worker: HELLO, SWITCHGEAR_VERSION
 *   daemon: a job, of an enum worker_op
 *   worker: ASK (what it cannot do itself), as often as it likes; each is answered by
 *   daemon: REPLY
 *   worker: DONE, with the result; then it waits for the next job
 */
#ifndef SWITCHGEAR_IO_WORKER_WIRE_H
#define SWITCHGEAR_IO_WORKER_WIRE_H

#include "io/wire.h"

enum wire_kind {
	WIRE_HELLO = 1,
	WIRE_ASK,
	WIRE_REPLY,
	WIRE_DONE,
	WIRE_JOB, /* head.what: enum worker_op; of ASK: as the two sides have agreed */
};

#endif
