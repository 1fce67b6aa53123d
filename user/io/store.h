/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small files that survive a crash: a reader finds the old text or the new
 * one, never a mixture, and what store_write() has acknowledged is on disk.
 * Every failure is logged with its remedy; fail-closed: a file that cannot be
 * written stays as it was. And any file into memory.
 */
#ifndef SWITCHGEAR_IO_STORE_H
#define SWITCHGEAR_IO_STORE_H

#include <stddef.h>

#include "base/cleanup.h"

struct store;

/* Makes the directory (0700, its parents 0755) if missing. One that others than its
 * owner, root or this user, can write to is refused with -EPERM. */
int store_open(const char *dir, struct store **ret) MUST_CHECK;
void store_close(struct store *store); /* NULL-safe */

/* name: one path component, not starting with a dot. */
int store_write(struct store *store, const char *name, const void *data, size_t len) MUST_CHECK;
/* *ret is NUL-terminated and the caller's. -ENOENT (not logged) without the file, -EFBIG when
 * it is longer than max. */
int store_read(struct store *store, const char *name, size_t max, char **ret,
	       size_t *ret_len) MUST_CHECK;

/* Durably; 0 also if there is no such file. */
int store_remove(struct store *store, const char *name) MUST_CHECK;

/* The same for what is not in a store; logs nothing. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len) MUST_CHECK;

static inline void store_closep(struct store **store)
{
	store_close(*store);
}

#endif
