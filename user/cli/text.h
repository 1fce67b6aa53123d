/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text for people: made harmless for a terminal, aligned, coloured. */
#ifndef SWITCHGEAR_CLI_TEXT_H
#define SWITCHGEAR_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "breaker.h"

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

enum colour text_state_colour(enum sg_state state); /* of a breaker */

/* Prints one line, escaped, its line feed added. 0, -EMSGSIZE or -ENOMEM: cut short. */
int text_line(FILE *out, enum colour colour, bool coloured, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "1.2 ms", "3.4 s", "-" for NAN. Returns out. */
char *text_milliseconds(char *out, size_t size, double ms);
/* "45 s", "3h 20m" until or since a wall time, never negative. Returns out. */
char *text_remaining(char *out, size_t size, uint64_t until_wall_ns, uint64_t now_wall_ns);

#define TABLE_COLUMNS_MAX 12
#define TABLE_CELLS_MAX 65536U

/* Rows of cells, printed when all widths are known. Errors stick until table_print(). */
struct table {
	size_t columns;
	unsigned int right; /* bit per column that is aligned to the right */
	struct table_cell *first;
	struct table_cell *last;
	size_t n;
	int error;
};

void table_init(struct table *table, size_t columns, unsigned int right);
void table_done(struct table *table);
void table_add(struct table *table, enum colour colour, const char *fmt, ...) PRINTF_LIKE(3, 4);
int table_print(const struct table *table, bool coloured, FILE *out) MUST_CHECK;

#endif
