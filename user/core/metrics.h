/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writer of Prometheus' text format (version 0.0.4) into a buffer. It refuses
 * what the format forbids, so that output is valid whatever the values are.
 * Errors stick in the buffer: check buf_error() at the end. -EINVAL there: a
 * name outside the format's alphabet, a sample without a family, or a family
 * that is opened again after another one; all are mistakes of the caller.
 */
#ifndef SWITCHGEAR_CORE_METRICS_H
#define SWITCHGEAR_CORE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"
#include "base/buf.h"

enum metrics_type {
	METRICS_COUNTER,
	METRICS_GAUGE,
	METRICS_HISTOGRAM,
	METRICS_TYPE_COUNT
};

struct metrics_label {
	const char *name;
	const char *value; /* any text; escaped here, bytes that are no UTF-8 become "?" */
};

struct metrics {
	struct buf *out;
	size_t start; /* of the output in the buffer */
	char family[96];
};

/* Appends to out, which the caller owns. */
void metrics_init(struct metrics *m, struct buf *out);

/*
 * Opens a family: HELP and TYPE are printed once, opening the current family
 * again does nothing. Counters end in _total, by convention of the caller.
 */
void metrics_family(struct metrics *m, const char *name, enum metrics_type type, const char *help);

/* One sample of the current family; labels may be NULL when count is 0. */
void metrics_u64(struct metrics *m, const struct metrics_label *labels, size_t count, uint64_t v);
void metrics_double(struct metrics *m, const struct metrics_label *labels, size_t count, double v);

/* The _bucket, _sum and _count lines, in seconds, of the current family. */
void metrics_hist(struct metrics *m, const struct metrics_label *labels, size_t count,
		  const struct sg_hist *h);

#endif
