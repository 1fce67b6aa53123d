/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text for people: made harmless for a terminal, aligned, coloured. */
#ifndef SWITCHGEAR_CLI_TEXT_H
#define SWITCHGEAR_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_WARN,
	COLOUR_BAD,
	COLOUR_DIM,
	COLOUR_HEAD,
	COLOUR_COUNT
};

/* Appends s with what a terminal would obey or reorder text by (C0, C1, DEL, bidirectional
 * controls) and what is not UTF-8 as \xNN. */
void text_escape(struct buf *out, const char *s);
/* Columns that s takes: characters, each counted as one wide. */
size_t text_width(const char *s);

/* Escape sequences that begin and end a colour; "" without. */
const char *text_begin(enum colour colour, bool coloured);
const char *text_end(enum colour colour, bool coloured);

/* "1.2 ms", "3.4 s", "-" for NAN. */
void text_milliseconds(struct buf *out, double ms);
/* "45 s", "3h 20m" until or since a wall time, never negative. */
void text_remaining(struct buf *out, uint64_t until_wall_ns, uint64_t now_wall_ns);

#define TABLE_COLUMNS_MAX 12
#define TABLE_CELLS_MAX 65536U

struct table_cell {
	char *text;
	enum colour colour;
};

/* Rows of cells, printed when all widths are known. Errors stick until table_print(). */
struct table {
	size_t columns;
	unsigned int right; /* bit per column that is aligned to the right */
	struct table_cell *cells;
	size_t n;
	size_t cap;
	int error;
};

void table_init(struct table *table, size_t columns, unsigned int right);
void table_done(struct table *table);
void table_add(struct table *table, enum colour colour, const char *fmt, ...) PRINTF_LIKE(3, 4);
int table_print(const struct table *table, bool coloured, FILE *out) MUST_CHECK;

#endif
