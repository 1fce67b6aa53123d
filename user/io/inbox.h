/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A directory into which others drop files: which of them are new. Only files that nobody but root
 * or this user could have put there are taken: whoever may write into the directory decides
 * what is found in it. Files stay where they are and as they are.
 */
#ifndef SWITCHGEAR_IO_INBOX_H
#define SWITCHGEAR_IO_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define INBOX_FILES_MAX 4096U
#define INBOX_STILL_NS 1000000000ULL /* a file that was written so lately may not be whole */

struct inbox {
	uint64_t *seen; /* files that were taken, each as a number */
	size_t n_seen;
};

void inbox_done(struct inbox *box);

/*
 * The oldest file that has not been taken: its text, NUL-terminated, and its name, both the
 * caller's; it counts as taken from now on. 0: none, and *ret_text is NULL. -EPERM: others may
 * write into the directory; -EFBIG: the file, which is named and counts as taken, is longer than
 * max; else -errno. `wall_ns` is now.
 */
int inbox_take(struct inbox *box, const char *dir, size_t max, uint64_t wall_ns, char **ret_name,
	       char **ret_text, size_t *ret_len) MUST_CHECK;

#endif
