/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a scanner wrote, read as a job of a worker (WORKER_FINDINGS, io/worker.h): formats of
 * others are parsed where there is nothing to be had. File and records travel in a piece of
 * memory that both sides have, of a size that neither can change; the records are lines of our
 * own format (codec/findings.h), which is the only one that the daemon parses.
 */
#ifndef SWITCHGEAR_IO_FINDINGS_JOB_H
#define SWITCHGEAR_IO_FINDINGS_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/cleanup.h"
#include "codec/findings.h"

#define FINDINGS_OUT_MAX (16U << 20) /* bytes of records */
#define FINDINGS_FILE_MAX 256U
#define FINDINGS_WHY_MAX 8192U

struct findings_job {
	uint32_t format;              /* enum findings_format */
	uint32_t len;                 /* of the file */
	char file[FINDINGS_FILE_MAX]; /* its name, for messages and MCP Guardian's */
	char server[SG_NAME_LEN];     /* for records that name none; "": none */
};

struct findings_done {
	uint32_t format; /* as it was recognised */
	uint32_t len;    /* of the records, which stand behind the file */
	uint32_t n_passed_over;
	char why[FINDINGS_WHY_MAX]; /* for people, lines; "": nothing is wrong with the file */
};

/* Memory with the file at its beginning: a descriptor, the caller's. -E2BIG, -ENOMEM, else -errno. */
int findings_job_open(const char *text, size_t len) MUST_CHECK;

/* The worker's part. 0: done->why tells; -errno: it could not be tried. */
int findings_job_do(const struct findings_job *job, int fd, struct findings_done *done) MUST_CHECK;

/*
 * The daemon's part: takes the records out of the memory. -EINVAL: the file is refused, and
 * errors has the lines of why; -EBADMSG: the worker did not do what it should; -ENOMEM.
 */
int findings_job_take(const struct findings_job *job, int fd, const struct findings_done *done,
		      struct findings *ret, struct buf *errors) MUST_CHECK;

#endif
