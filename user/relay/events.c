/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "relay/events.h"

#include <string.h>

#include "base/parse.h"

#define BOM "\xef\xbb\xbf"

static void put_mark(char mark[EVENTS_MARK_LEN + 1], uint32_t target)
{
	snprintf(mark, EVENTS_MARK_LEN + 1, "sg%08x-", target);
}

void events_init(struct events *e, uint32_t target)
{
	*e = (struct events){ .first = true };
	if (target)
		put_mark(e->mark, target);
}

/* Could the line go on to be one with an id, of which the value has not begun? */
static bool is_open(const struct events *e)
{
	static const char *const forms[] = { "id: ", BOM "id: " };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if ((!i || e->first) && e->n_start < strlen(forms[i]) &&
		    !memcmp(e->start, forms[i], e->n_start))
			return true;
	return false;
}

/* Is what was held back all of a line with an id, up to its value? */
static bool is_id(const struct events *e)
{
	const char *at = e->start;
	size_t n = e->n_start;

	if (e->first && n >= 3 && !memcmp(at, BOM, 3)) {
		at += 3;
		n -= 3;
	}
	return (n == 3 && !memcmp(at, "id:", 3)) || (n == 4 && !memcmp(at, "id: ", 4));
}

static void let_go(struct events *e, struct buf *out)
{
	buf_append(out, e->start, e->n_start);
	e->n_start = 0;
}

static void end_line(struct events *e, struct buf *out)
{
	e->inside = e->passing || e->n_start;
	let_go(e, out);
	e->passing = false;
	e->first = false;
}

/* A character at the start of a line. True: it is held back. */
static bool hold(struct events *e, char c, struct buf *out)
{
	if (is_open(e)) {
		e->start[e->n_start++] = c;
		if (is_open(e) || is_id(e))
			return true;
		e->n_start--;
	}
	if (is_id(e)) { /* the value begins with c: an empty one stays empty */
		let_go(e, out);
		buf_puts(out, e->mark);
	} else {
		let_go(e, out);
	}
	e->passing = true;
	return false;
}

void events_feed(struct events *e, const char *data, size_t len, struct buf *out)
{
	const char *end = data + len;

	while (data < end) {
		const char *at = data;

		if (*at == '\n' || *at == '\r') {
			if (*at == '\r' || !e->skip_lf)
				end_line(e, out);
			e->skip_lf = *at == '\r';
			buf_putc(out, *data++);
			continue;
		}
		e->skip_lf = false;
		if (!e->passing && hold(e, *at, out)) {
			data++;
			continue;
		}
		while (data < end && *data != '\n' && *data != '\r')
			data++;
		buf_append(out, at, (size_t)(data - at));
	}
}

void events_end(struct events *e, struct buf *out)
{
	bool torn = e->passing || e->n_start;

	let_go(e, out);
	if (torn)
		buf_putc(out, '\n');
	if (torn || e->inside)
		buf_putc(out, '\n');
	e->passing = false;
	e->inside = false;
}

bool events_id(struct http1_span id, uint32_t target, struct http1_span *ret)
{
	char mark[EVENTS_MARK_LEN + 1];

	*ret = (struct http1_span){ NULL, 0 };
	if (id.len < EVENTS_MARK_LEN || memcmp(id.p, "sg", 2) != 0 ||
	    id.p[EVENTS_MARK_LEN - 1] != '-')
		return false;
	for (size_t i = 2; i < EVENTS_MARK_LEN - 1; i++)
		if (parse_hex(id.p[i]) < 0 || (id.p[i] >= 'A' && id.p[i] <= 'F'))
			return false;
	put_mark(mark, target);
	if (!memcmp(id.p, mark, EVENTS_MARK_LEN))
		*ret = (struct http1_span){ id.p + EVENTS_MARK_LEN, id.len - EVENTS_MARK_LEN };
	return true;
}
