/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cli/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"

#define CELL_MAX 4096U

static const char *const colours[] = {
	[COLOUR_NONE] = "",          [COLOUR_GOOD] = "\033[32m", [COLOUR_WARN] = "\033[33m",
	[COLOUR_BAD] = "\033[1;31m", [COLOUR_DIM] = "\033[2m",   [COLOUR_HEAD] = "\033[1m",
};
_Static_assert(ARRAY_SIZE(colours) == COLOUR_COUNT, "a colour has no sequence");

/* Length of the well-formed character at s, and its code point; 0 if it is none. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80       ? 1
		     : s[0] >> 5 == 6  ? 2
		     : s[0] >> 4 == 14 ? 3
		     : s[0] >> 3 == 30 ? 4
				       : 0;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7fU >> len);

	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (!len || c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return len;
}

static bool harmless(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	return !(c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2066 && c <= 0x2069));
}

void text_escape(struct buf *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s) {
		uint32_t c = 0;
		size_t len = decode(s, &c);

		if (len && harmless(c)) {
			buf_append(out, s, len);
		} else {
			if (!len)
				len = 1;
			for (size_t i = 0; i < len; i++)
				buf_printf(out, "\\x%02x", s[i]);
		}
		s += len;
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

void text_milliseconds(struct buf *out, double ms)
{
	if (!isfinite(ms))
		buf_putc(out, '-');
	else if (ms < 9.95)
		buf_printf(out, "%.2f ms", ms);
	else if (ms < 999.5)
		buf_printf(out, "%.0f ms", ms);
	else
		buf_printf(out, "%.1f s", ms / 1000);
}

void text_remaining(struct buf *out, uint64_t until_wall_ns, uint64_t now_wall_ns)
{
	uint64_t ns = until_wall_ns > now_wall_ns ? until_wall_ns - now_wall_ns : 0;
	char text[64];

	/* Whole seconds, rounded up: what is left is never shown as nothing. */
	ns = (ns + NS_PER_SEC - 1) / NS_PER_SEC * NS_PER_SEC;
	buf_puts(out, format_duration(text, sizeof(text), ns));
}

/* --- tables ------------------------------------------------------------------ */

void table_init(struct table *table, size_t columns, unsigned int right)
{
	*table = (struct table){ .columns = columns, .right = right };
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->n = table->cap = 0;
}

static int grow(struct table *table)
{
	size_t cap = table->cap ? table->cap * 2 : 64;
	struct table_cell *grown;

	if (table->n < table->cap)
		return 0;
	if (table->n == TABLE_CELLS_MAX)
		return -EMSGSIZE;
	grown = realloc(table->cells, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->cells = grown;
	table->cap = cap;
	return 0;
}

void table_add(struct table *table, enum colour colour, const char *fmt, ...)
{
	CLEANUP(buf_done) struct buf raw = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	va_list ap;

	buf_init(&raw, CELL_MAX);
	buf_init(&text, CELL_MAX * 4);
	va_start(ap, fmt);
	buf_vprintf(&raw, fmt, ap);
	va_end(ap);
	text_escape(&text, buf_str(&raw));
	if (!table->error)
		table->error = buf_error(&raw);
	if (!table->error)
		table->error = buf_error(&text);
	if (!table->error)
		table->error = grow(table);
	if (table->error)
		return;
	table->cells[table->n].text = strdup(buf_str(&text));
	table->cells[table->n].colour = colour;
	if (!table->cells[table->n].text)
		table->error = -ENOMEM;
	else
		table->n++;
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

	if (table->error)
		return table->error;
	for (size_t i = 0; i < table->n; i++) {
		size_t width = text_width(table->cells[i].text);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
	for (size_t i = 0; i < table->n; i++) {
		size_t column = i % table->columns;

		print_cell(&table->cells[i], widths[column], table->right >> column & 1,
			   column + 1 == table->columns, coloured, out);
	}
	return 0;
}
