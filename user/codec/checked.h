/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents that are kept over restarts, with a checksum of all that is behind their first line in
 * that line. Against accidents only: whoever may write the file may write the checksum.
 */
#ifndef SWITCHGEAR_CODEC_CHECKED_H
#define SWITCHGEAR_CODEC_CHECKED_H

#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"

struct json_object;

/* Appends the document, one JSON object without a line break in front, to out; buf_error(). */
int checked_write(const struct buf *document, struct buf *out) MUST_CHECK;

/*
 * The document again, the caller's: its "version" is at most `version`. -EBADMSG: it is damaged;
 * -EPROTONOSUPPORT: written in a later one; each with why. -ENOMEM.
 */
int checked_read(const char *text, size_t len, unsigned int max_depth, unsigned int version,
		 struct json_object **ret, struct buf *why) MUST_CHECK;

#endif
