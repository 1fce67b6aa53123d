/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "codec/checked.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "codec/jsonget.h"
#include "codec/jsonpos.h"

int checked_write(const struct buf *document, struct buf *out)
{
	buf_printf(out, "{\"checksum\":\"%016llx\",\n",
		   (unsigned long long)fnv1a(document->data + 1, document->len - 1));
	buf_append(out, document->data + 1, document->len - 1);
	buf_putc(out, '\n');
	return buf_error(out);
}

/* Are the bytes those that the first line is of? */
static bool is_whole(const char *text, size_t len, const struct json_object *root)
{
	const char *rest = memchr(text, '\n', len);
	char sum[20];

	if (!rest || text[len - 1] != '\n')
		return false;
	rest++;
	snprintf(sum, sizeof(sum), "%016llx",
		 (unsigned long long)fnv1a(rest, (size_t)(text + len - rest) - 1));
	return !strcmp(jget_text(root, "checksum", ""), sum);
}

int checked_read(const char *text, size_t len, unsigned int max_depth, unsigned int version,
		 struct json_object **ret, struct buf *why)
{
	CLEANUP(json_putp) struct json_object *root = NULL;
	struct jsonpos_fault fault = { 0 };
	int r = len ? jsonpos_parse(text, len, max_depth, &root, &fault) : -EBADMSG;

	if (r == -ENOMEM)
		return r;
	if (r) {
		buf_printf(why, "truncated or damaged in line %u, column %u", fault.at.line,
			   fault.at.column);
		return -EBADMSG;
	}
	if (jget_uint(root, "version", 0) > version) {
		buf_printf(why, "written in version %llu of the format, this daemon knows %u",
			   (unsigned long long)jget_uint(root, "version", 0), version);
		return -EPROTONOSUPPORT;
	}
	if (!is_whole(text, len, root)) {
		buf_puts(why, "damaged: the checksum in its first line is of other bytes");
		return -EBADMSG;
	}
	*ret = TAKE_PTR(root);
	return 0;
}
