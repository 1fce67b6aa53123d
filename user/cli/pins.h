/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Removing a pin directory without a daemon. */
#ifndef SWITCHGEAR_CLI_PINS_H
#define SWITCHGEAR_CLI_PINS_H

#include <stddef.h>

#include "base/cleanup.h"

/*
 * Removes every pin below dir, and dir. Only on a BPF file system (-EMEDIUMTYPE
 * elsewhere: nothing of anybody's is deleted by a mistyped option). -ENOENT:
 * there is none; -EBUSY: a daemon holds a lock on it. On another failure some pins may
 * be gone already. *ret_removed counts them.
 */
int pins_remove(const char *dir, size_t *ret_removed) MUST_CHECK;

#endif
