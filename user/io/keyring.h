/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Secret keys in DIR/keys/NAME.key, one line of hexadecimal digits each. A file that others than
 * its owner can read is refused, and so is one that is not this user's or root's, or no file:
 * fail closed, with what to do in why. What was read is overwritten in memory by the caller
 * (statement_key_forget()); nothing here keeps it.
 *
 * Names are of the caller's choice: no '/', no '.' in front.
 */
#ifndef SWITCHGEAR_IO_KEYRING_H
#define SWITCHGEAR_IO_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "codec/statement.h"

/* A new pair, on disk when this returns. -EEXIST: there is a file of that name already. */
int keyring_new(const char *dir, const char *name, struct trust_id *ret_public, char *why,
		size_t why_size) MUST_CHECK;
/* -ENOENT without the file; -EPERM: refused; -EBADMSG: it holds no key. */
int keyring_read(const char *dir, const char *name, uint8_t ret[STATEMENT_SECRET_LEN], char *why,
		 size_t why_size) MUST_CHECK;
/* Overwrites and removes it; 0 also without it. */
int keyring_remove(const char *dir, const char *name, char *why, size_t why_size) MUST_CHECK;
/* The names that there are, whether they can be read or not. */
void keyring_each(const char *dir, void (*visit)(void *arg, const char *name), void *arg);

#endif
