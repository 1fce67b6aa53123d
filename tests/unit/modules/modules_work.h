/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names that the daemon would look up in a child: questions stay until a test answers them. */
#ifndef SWITCHGEAR_TESTS_MODULES_WORK_H
#define SWITCHGEAR_TESTS_MODULES_WORK_H

#include <stddef.h>
#include <stdint.h>

size_t fake_names_asked(void);         /* ever */
size_t fake_name_id(const char *host); /* of the latest question about it; 0: none */
/* n "127.0.0.x" from `first` on; n 0: an error. The next turn of the loop delivers it; nothing
 * happens if nobody waits for it any more. */
void fake_name_answer(size_t id, unsigned int first, uint32_t n, const char *error);
void fake_name_end(size_t id, int r); /* instead: the process ends with -errno, without a result */
void fake_names_refuse(int r);        /* the next question, with -errno */

#endif
