/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One text for each JSON value, whatever way it was written: what is digested. After RFC 8785,
 * but for two simplifications, by which two values that are the same there are told apart, or
 * (beyond 64 bits) two that differ are not:
 *
 *  - keys are sorted by their bytes in UTF-8, not by UTF-16;
 *  - whole numbers below 2^64 are written with all of their digits (1e2 and 100.0 are 100), and
 *    not as the nearest double; of greater ones written without a point only the sign counts.
 *
 * Half a surrogate pair is U+FFFD, as json-c reads it.
 */
#ifndef SWITCHGEAR_CODEC_JSONCANON_H
#define SWITCHGEAR_CODEC_JSONCANON_H

#include "base/buf.h"
#include "base/cleanup.h"

struct json_object;

/* Appends it. NULL is null. The depth is bounded by whoever parsed it; buf_error(). */
int json_canonical(struct json_object *value, struct buf *out) MUST_CHECK;

#endif
