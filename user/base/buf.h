/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A growing text buffer with a demanded maximum. Errors stick: after the first
 * failure every append fails with the same errno and the text stays as it was,
 * so that a formatter checks once, at its end, with buf_error().
 */
#ifndef SWITCHGEAR_BASE_BUF_H
#define SWITCHGEAR_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct buf {
	char *data; /* NUL-terminated once something was appended, else NULL */
	size_t len;
	size_t cap;
	size_t max; /* bytes of text, the NUL excluded */
	int error;  /* 0, -ENOMEM or -EMSGSIZE */
};

#define BUF(n) ((struct buf){ .max = (n) }) /* an empty one, to begin with */
void buf_done(struct buf *b);  /* frees, and leaves an empty buffer of the same maximum */
void buf_clear(struct buf *b); /* length 0, error forgotten, memory kept */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
int buf_error(const struct buf *b) MUST_CHECK; /* 0 or -errno */
const char *buf_str(const struct buf *b);      /* never NULL */
char *buf_steal(struct buf *b);                /* caller frees; NULL on error */

/* Says why in an array, cut to its size; returns r. */
int explain(int r, char *why, size_t size, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
