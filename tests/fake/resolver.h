/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* io/resolver.h without children: questions stay until a test answers them. */
#ifndef SWITCHGEAR_TESTS_FAKE_RESOLVER_H
#define SWITCHGEAR_TESTS_FAKE_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "io/resolver.h"

size_t fake_resolver_asked(void);            /* ever */
uint64_t fake_resolver_id(const char *host); /* of the latest question about it; 0: none */
/* n "127.0.0.x" from `first` on; n 0: an error. The next turn of the loop delivers it. */
void fake_resolver_answer(uint64_t id, unsigned int first, size_t n, const char *error);
void fake_resolver_refuse(int r); /* the next question, with -errno */

#endif
