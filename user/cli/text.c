/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "codec/jsonlex.h"

#define CELL_MAX 4096U
#define LINE_TEXT_MAX (1U << 20)

static const char *const colours[] = {
	[COLOUR_NONE] = "",          [COLOUR_GOOD] = "\033[32m", [COLOUR_WARN] = "\033[33m",
	[COLOUR_BAD] = "\033[1;31m", [COLOUR_DIM] = "\033[2m",   [COLOUR_HEAD] = "\033[1m",
};
_Static_assert(ARRAY_SIZE(colours) == COLOUR_COUNT, "a colour has no sequence");

static bool harmless(int32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	return !(c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2066 && c <= 0x2069));
}

void text_escape(struct buf *out, const char *s)
{
	const char *end = s + strlen(s);

	while (s < end) {
		const char *from = s;
		int32_t c = utf8_next(&s, end);

		if (c >= 0 && harmless(c)) {
			buf_append(out, from, (size_t)(s - from));
			continue;
		}
		if (c < 0)
			s++;
		for (; from < s; from++)
			buf_printf(out, "\\x%02x", (unsigned char)*from);
	}
}

size_t text_width(const char *s)
{
	size_t width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
}

const char *text_begin(enum colour colour, bool coloured)
{
	return coloured ? colours[colour] : "";
}

const char *text_end(enum colour colour, bool coloured)
{
	return coloured && colour != COLOUR_NONE ? "\033[0m" : "";
}

enum colour text_state_colour(enum sg_state state)
{
	if (state == SG_CLOSED)
		return COLOUR_GOOD;
	return state == SG_OPEN || state == SG_FORCED_OPEN ? COLOUR_BAD : COLOUR_WARN;
}

/* Appends what the format makes, escaped. */
static int PRINTF_LIKE(3, 0) escape_format(struct buf *out, size_t max, const char *fmt, va_list ap)
{
	CLEANUP(buf_done) struct buf raw = BUF(max);

	*out = BUF(max * 4);
	buf_vprintf(&raw, fmt, ap);
	text_escape(out, buf_str(&raw));
	return buf_error(&raw) ? buf_error(&raw) : buf_error(out);
}

int text_line(FILE *out, enum colour colour, bool coloured, const char *fmt, ...)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = escape_format(&text, LINE_TEXT_MAX, fmt, ap);
	va_end(ap);
	fprintf(out, "%s%s%s\n", text_begin(colour, coloured), buf_str(&text),
		text_end(colour, coloured));
	return r;
}

char *text_milliseconds(char *out, size_t size, double ms)
{
	if (!isfinite(ms))
		snprintf(out, size, "-");
	else if (ms < 999.5)
		snprintf(out, size, "%.*f ms", ms < 9.95 ? 2 : 0, ms);
	else
		snprintf(out, size, "%.1f s", ms / 1000);
	return out;
}

char *text_remaining(char *out, size_t size, uint64_t until_wall_ns, uint64_t now_wall_ns)
{
	uint64_t ns = until_wall_ns > now_wall_ns ? until_wall_ns - now_wall_ns : 0;

	/* Whole seconds, rounded up: what is left is never shown as nothing. */
	return format_duration(out, size, (ns + NS_PER_SEC - 1) / NS_PER_SEC * NS_PER_SEC);
}

/* --- tables ------------------------------------------------------------------ */

struct table_cell {
	struct table_cell *next;
	enum colour colour;
	char text[];
};

void table_init(struct table *table, size_t columns, unsigned int right)
{
	*table = (struct table){ .columns = columns, .right = right };
}

void table_done(struct table *table)
{
	while (table->first) {
		struct table_cell *cell = table->first;

		table->first = cell->next;
		free(cell);
	}
}

static int add(struct table *table, enum colour colour, const struct buf *text)
{
	struct table_cell *cell;

	if (table->n == TABLE_CELLS_MAX)
		return -EMSGSIZE;
	cell = calloc(1, sizeof(*cell) + text->len + 1);
	if (!cell)
		return -ENOMEM;
	cell->colour = colour;
	memcpy(cell->text, buf_str(text), text->len);
	*(table->last ? &table->last->next : &table->first) = cell;
	table->last = cell;
	table->n++;
	return 0;
}

void table_add(struct table *table, enum colour colour, const char *fmt, ...)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = escape_format(&text, CELL_MAX, fmt, ap);
	va_end(ap);
	if (!table->error)
		table->error = r ? r : add(table, colour, &text);
}

static void print_cell(const struct table_cell *cell, size_t width, bool right, bool last,
		       bool coloured, FILE *out)
{
	size_t pad = width - text_width(cell->text);

	fprintf(out, "%*s%s%s%s", right ? (int)pad : 0, "", text_begin(cell->colour, coloured),
		cell->text, text_end(cell->colour, coloured));
	/* No blanks at the end of a line. */
	fprintf(out, "%*s%s", right || last ? 0 : (int)pad, "", last ? "\n" : "  ");
}

int table_print(const struct table *table, bool coloured, FILE *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };
	size_t i = 0;

	if (table->error)
		return table->error;
	for (const struct table_cell *c = table->first; c; c = c->next, i++) {
		size_t width = text_width(c->text);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	i = 0;
	for (const struct table_cell *c = table->first; c; c = c->next, i++) {
		size_t column = i % table->columns;

		print_cell(c, widths[column], table->right >> column & 1,
			   column + 1 == table->columns, coloured, out);
	}
	return 0;
}
