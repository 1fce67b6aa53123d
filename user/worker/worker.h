/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of a worker's program, which io/worker.h starts. */
#ifndef SWITCHGEAR_WORKER_WORKER_H
#define SWITCHGEAR_WORKER_WORKER_H

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "io/probe.h"

/* What TLS needs to read as root, or from files, before the sandbox. `ca_file`: certificates to
 * trust beside those of the system, NULL: none. -errno, logged: then no certificate is
 * trusted, so that nothing is taken for verified. */
int tls_prepare(const char *ca_file) MUST_CHECK;
/* By libcurl: TLS 1.2 or newer, the certificate verified against host and the trusted ones,
 * "http/1.1" by ALPN, no proxy. */
extern const struct probe_tls tls_curl;

#endif
