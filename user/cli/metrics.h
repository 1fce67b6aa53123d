/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SWITCHGEAR_CLI_METRICS_H
#define SWITCHGEAR_CLI_METRICS_H

#include "base/buf.h"

/* Prometheus text (taken apart in place) -> a JSON list of samples; -EBADMSG. */
int metrics_to_json(char *text, struct buf *out) MUST_CHECK;

#endif
