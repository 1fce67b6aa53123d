/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small files that survive a crash: a reader finds the old text or the new
 * one, never a mixture, and what store_write() has acknowledged is on disk. The text
 * before it is kept beside it; one that is damaged is set aside, never removed. One
 * process at a time: the directory is locked as long as the store is open.
 * Every failure is logged with its remedy, again only if another came between; fail-closed:
 * a file that cannot be written stays as it was. And any file into memory.
 */
#ifndef SWITCHGEAR_IO_STORE_H
#define SWITCHGEAR_IO_STORE_H

#include <stddef.h>

#include "base/cleanup.h"

struct store;

/* Makes the directory (0700, its parents 0755) if missing. One that others than its
 * owner, root or this user, can write to is refused with -EPERM; one that another
 * process has open with -EBUSY. `said`: a failure that is not logged, since it was. */
int store_open(const char *dir, int said, struct store **ret) MUST_CHECK;
/* Without the lock: for a file that whoever holds it does not write. */
int store_open_beside(const char *dir, struct store **ret) MUST_CHECK;
void store_close(struct store *store); /* NULL-safe */
/* -EBUSY, logged: another process has it open. Changes nothing, and promises nothing. */
int store_busy(const char *dir) MUST_CHECK;

/* name: one path component, not starting with a dot. The text before is NAME.1 from then on: at
 * every moment at least one of the two is there, and whole. */
int store_write(struct store *store, const char *name, const void *data, size_t len) MUST_CHECK;
/* *ret is NUL-terminated and the caller's. -ENOENT (not logged) without the file, -EFBIG when
 * it is longer than max. */
int store_read(struct store *store, const char *name, size_t max, char **ret,
	       size_t *ret_len) MUST_CHECK;
/* Gives whatever is there a name that nothing has: NAME.damaged-N, which *ret gets. */
int store_set_aside(struct store *store, const char *name, char *ret, size_t size) MUST_CHECK;
/* Sets aside a file that cannot be used by `r`, or by `why` if that is not empty, and logs that as
 * `sub`, with the name that it has now. */
void store_damaged(struct store *store, const char *sub, const char *name, int r, const char *why);
/* How many are set aside; the name of one of them in *ret. */
size_t store_aside(struct store *store, char *ret, size_t size);

/* Durably, with the text before it; 0 also if there is no such file. */
int store_remove(struct store *store, const char *name) MUST_CHECK;

/* The same for what is not in a store; logs nothing. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len) MUST_CHECK;

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* The kernel's id of this boot, cut to size; "" with the error, which is not logged. */
int boot_id_read(char *ret, size_t size) MUST_CHECK;

static inline void store_closep(struct store **store)
{
	store_close(*store);
}

#endif
