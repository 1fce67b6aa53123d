/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Allocations that fail: malloc(), calloc(), realloc(), strdup() and strndup() of the
 * project's own code (the link wraps them), not of libraries.
 */
#ifndef SWITCHGEAR_TESTS_FAKE_ALLOC_H
#define SWITCHGEAR_TESTS_FAKE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The n-th allocation from now fails (1: the next), once; `all`: and every one after it. */
void fake_alloc_fail(size_t n, bool all);
/* No allocation fails any more. Did one? */
bool fake_alloc_failed(void);

#endif
