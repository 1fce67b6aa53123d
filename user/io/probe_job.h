/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A probe as a job of a worker (WORKER_PROBE, io/worker.h): what it is told, asks and tells. */
#ifndef SWITCHGEAR_IO_PROBE_JOB_H
#define SWITCHGEAR_IO_PROBE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/parse.h"
#include "codec/probe.h"
#include "codec/url.h"

#define PROBE_ADDRS_MAX 4U /* tried one after the other, as agents do */
#define PROBE_WHY_MAX 128U

struct probe_job {
	struct addr addrs[PROBE_ADDRS_MAX];
	uint32_t n_addrs;    /* > 0 */
	uint32_t era;        /* enum probe_generation, as an earlier probe found it */
	uint64_t connect_ns; /* for each connect */
	uint64_t limit_ns;   /* for everything but the farewell */
	uint16_t port;
	bool tls;
	bool tools;                    /* it is asked for its tools, too */
	char host[URL_HOST_MAX + 1];   /* as in the configuration: no brackets, no port */
	char path[PROBE_PATH_MAX + 1]; /* see probe_path() */
};

enum probe_ask {
	PROBE_ASK_OWN, /* this socket is the daemon's own; before it connects. -errno: not */
	/* of job.tools: the next bytes of a struct tools_answer (codec/tools.h), which is whole when
	 * the verdict comes */
	PROBE_ASK_LIST,
	PROBE_ASK_VERDICT, /* struct probe_verdict; the session that was begun is still ended */
};

struct probe_verdict {
	struct probe_result result;
	uint32_t era;            /* found out, for the next one */
	char why[PROBE_WHY_MAX]; /* what TLS had to object to, for people; "": nothing */
};

/* Whether it is one, as far as can be seen: what a worker says is checked by this. */
bool probe_verdict_valid(const struct probe_verdict *v, size_t len);

#endif
