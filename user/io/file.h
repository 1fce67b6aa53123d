/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whole files into memory. */
#ifndef SWITCHGEAR_IO_FILE_H
#define SWITCHGEAR_IO_FILE_H

#include <stddef.h>

#include "base/cleanup.h"

/* *ret is NUL-terminated and the caller's. -EFBIG beyond max, else -errno; logs nothing. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len) MUST_CHECK;

#endif
