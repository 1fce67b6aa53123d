/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/sse.h"

#include <inttypes.h>
#include <string.h>

static void put_data(struct buf *out, const char *data)
{
	for (;;) {
		size_t n = strcspn(data, "\r\n");

		buf_puts(out, "data: ");
		buf_append(out, data, n);
		buf_putc(out, '\n');
		if (!data[n])
			return;
		data += n + (data[n] == '\r' && data[n + 1] == '\n' ? 2 : 1);
	}
}

void sse_event(struct buf *out, uint64_t id, const char *type, const char *data)
{
	if (id)
		buf_printf(out, "id: %" PRIu64 "\n", id);
	buf_printf(out, "event: %s\n", type);
	put_data(out, data);
	buf_putc(out, '\n');
}

void sse_comment(struct buf *out, const char *text)
{
	buf_printf(out, ": %s\n\n", text);
}

void sse_position(struct buf *out, uint64_t id)
{
	buf_printf(out, "id: %" PRIu64 "\n\n", id);
}

void sse_gap(struct buf *out, uint64_t after, uint64_t next, const char *why)
{
	buf_printf(out, "event: gap\ndata: {\"after\":%" PRIu64 ",\"next\":", after);
	if (next)
		buf_printf(out, "%" PRIu64, next);
	else
		buf_puts(out, "null");
	buf_printf(out, ",\"detail\":\"%s\"}\n\n", why);
}

void sse_retry(struct buf *out, unsigned int ms)
{
	buf_printf(out, "retry: %u\n\n", ms);
}
