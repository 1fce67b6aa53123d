/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SWITCHGEAR_BASE_UTF8_H
#define SWITCHGEAR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads one code point of UTF-8 (no surrogates, no overlong forms), p < end; -1 if there is none. */
int32_t utf8_next(const char **p, const char *end);

/* Writes one, at most 4 bytes; how many those are. */
size_t utf8_put(char *out, int32_t c);

/* The first byte that is NUL or no UTF-8; end without one. */
const char *utf8_end(const char *text, const char *end);

/* Is a control character of ASCII in it? */
bool utf8_has_control(const char *text, size_t len);

#endif
