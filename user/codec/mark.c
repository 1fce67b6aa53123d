/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/mark.h"

#include <errno.h>

#include "base/clock.h"
#include "codec/fields.h"

static const struct field mark_fields[] = {
	FIELD("by", KIND_TEXT, mark, by),
	FIELD("at", KIND_TIME, mark, wall_ns),
	FIELDS_STOP,
};

static const struct document mark_document = {
	mark_fields, MARK_SIZE_MAX, 4, { { "by", json_type_string }, { "at", json_type_string } }
};

int mark_encode(const struct mark *mark, struct buf *out)
{
	int r = document_encode(&mark_document, mark, URL_MASKED, out);

	buf_putc(out, '\n');
	return r ? r : buf_error(out);
}

/* -EBADMSG: it is damaged. */
static int mark_decode(const char *text, size_t len, struct mark *ret)
{
	int r = document_decode(&mark_document, text, len, ret);

	return !r && (!ret->by[0] || !ret->wall_ns) ? -EBADMSG : r;
}

const char *mark_describe(const char *text, size_t len, char *out)
{
	struct mark mark;
	char at[40];

	if (!text || mark_decode(text, len, &mark))
		snprintf(out, MARK_TEXT_MAX,
			 "by nobody knows whom and when, since its mark is damaged");
	else
		snprintf(out, MARK_TEXT_MAX, "by %s at %s", mark.by,
			 clock_format(at, sizeof(at), mark.wall_ns));
	return out;
}
